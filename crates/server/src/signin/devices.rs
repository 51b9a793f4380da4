//! Device codes that are under way (RFC 8628): from `/oauth2/device_authorization` until the device takes its tokens. They
//! are in memory alone, because a stranger can ask for as many as they like: a restart makes them void. Of a code the SHA-256
//! is kept.
//!
//! A flood gets no more than [`MAX_PER_SOURCE`] places from one address. Where all places are taken, the oldest of the address
//! that has most of them gives way, so that a flood does not take the place of a person who has one, unless it comes from as many
//! addresses as there are places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::user_code;
use crate::clock::Moment;
use crate::config::Digest;
use crate::connections::network;
use crate::limits::{DEVICE_CODE_S, DEVICE_INTERVAL_S};
use crate::random::Randomness;
use crate::session_token::{device_code, sha256};

/// The most at a time.
const MAX: usize = 4096;

/// The most at a time that one address (one network of 64 bits, where it is IPv6) began.
const MAX_PER_SOURCE: usize = 256;

/// How much sooner than the interval a poll may seem to come, in milliseconds: the one before it took longer on its way.
const EARLY_MS: i64 = 1000;

/// The longest interval, in seconds.
const MAX_INTERVAL_S: i64 = 60;

/// What a device asked for, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The address that asked.
    pub source: Option<IpAddr>,
    /// When.
    pub started_at: Moment,
    /// Until when it counts.
    pub ends_at: Moment,
    /// The identity provider at which to sign in; nothing for any.
    pub provider: Option<String>,
    /// The level of sign-in to ask for.
    pub level: Option<String>,
    /// How many seconds ago the person may have authenticated by it.
    pub max_age: Option<u64>,
    /// The account that has to come back.
    pub account: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Devices(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    by_device_code: HashMap<Digest, Entry>,
    by_user_code: HashMap<Digest, Digest>,
    /// When those that are over were forgotten last, in seconds.
    forgotten_at: i64,
}

#[derive(Debug)]
struct Entry {
    device: Device,
    user_code: Digest,
    state: State,
    interval_s: i64,
    polled_at: Option<Moment>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// No browser has confirmed it.
    Waiting,
    /// This browser has, and signs in.
    Confirmed(Digest),
    /// A person has signed in: the device can take its tokens.
    SignedIn,
    /// It will get none, for this reason.
    Refused(String),
    /// It has taken them.
    Taken,
}

/// The two codes of a new one.
#[derive(Clone)]
pub struct Codes {
    /// What the device polls with.
    pub device_code: String,
    /// What a person types, its letters alone.
    pub user_code: String,
}

/// One address has as many as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Why a browser cannot go on with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotYours {
    /// There is none, or it is over.
    Unknown,
    /// Another browser has confirmed it, or it was decided.
    Decided,
}

/// What a poll finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// No person has signed in yet.
    Pending,
    /// The same, and the device asks too often: its interval is 5 s longer now.
    SlowDown,
    /// There is none, or it is over.
    Expired,
    /// No tokens come, for this reason.
    Refused(String),
    /// A person has signed in.
    SignedIn,
    /// The device has its tokens.
    Taken,
}

impl Devices {
    /// Begins one that asks for what `device` says.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn begin(
        &self,
        now: Moment,
        device: Device,
        randomness: &Randomness,
    ) -> Result<Codes, TooMany> {
        let mut all = self.all();
        all.forget(now);
        all.make_room(device.source.map(network))?;
        let mut user_code = user_code::new(randomness);
        while all.by_user_code.contains_key(&sha256(&user_code)) {
            user_code = user_code::new(randomness);
        }
        let device_code = device_code(randomness);
        let (device_digest, user_digest) = (sha256(&device_code), sha256(&user_code));
        let entry = Entry {
            device,
            user_code: user_digest,
            state: State::Waiting,
            interval_s: DEVICE_INTERVAL_S,
            polled_at: None,
        };
        all.by_device_code.insert(device_digest, entry);
        all.by_user_code.insert(user_digest, device_digest);
        Ok(Codes { device_code, user_code })
    }

    /// Until when one counts that begins now.
    #[must_use]
    pub fn end(now: Moment) -> Moment {
        Moment::from_seconds(now.seconds().saturating_add(DEVICE_CODE_S))
    }

    /// What the device asks for whose user code has these letters, and the SHA-256 of its device code.
    ///
    /// # Errors
    /// [`NotYours`].
    pub fn find(
        &self,
        now: Moment,
        user_code: &str,
        browser: &Digest,
    ) -> Result<(Digest, Device), NotYours> {
        let mut all = self.all();
        let code = all.by_user_code.get(&sha256(user_code)).copied().ok_or(NotYours::Unknown)?;
        let entry = all.open_to(now, &code, browser)?;
        Ok((code, entry.device.clone()))
    }

    /// This browser goes on with it, and no other from now on.
    ///
    /// # Errors
    /// [`NotYours`].
    pub fn confirm(
        &self,
        now: Moment,
        code: &Digest,
        browser: &Digest,
    ) -> Result<Device, NotYours> {
        let mut all = self.all();
        let entry = all.open_to(now, code, browser)?;
        entry.state = State::Confirmed(*browser);
        Ok(entry.device.clone())
    }

    /// What this browser has confirmed.
    ///
    /// # Errors
    /// [`NotYours`].
    pub fn confirmed(
        &self,
        now: Moment,
        code: &Digest,
        browser: &Digest,
    ) -> Result<Device, NotYours> {
        let mut all = self.all();
        let entry = all.open_to(now, code, browser)?;
        match entry.state {
            State::Confirmed(_) => Ok(entry.device.clone()),
            _ => Err(NotYours::Decided),
        }
    }

    /// The person at this browser says no, or may not: the device gets no tokens.
    ///
    /// # Errors
    /// [`NotYours`].
    pub fn refuse(
        &self,
        now: Moment,
        code: &Digest,
        browser: &Digest,
        why: &str,
    ) -> Result<(), NotYours> {
        self.all().open_to(now, code, browser)?.state = State::Refused(why.to_owned());
        Ok(())
    }

    /// A person has signed in at this browser.
    ///
    /// # Errors
    /// [`NotYours`].
    pub fn signed_in(&self, now: Moment, code: &Digest, browser: &Digest) -> Result<(), NotYours> {
        self.all().open_to(now, code, browser)?.state = State::SignedIn;
        Ok(())
    }

    /// The device asks for its tokens.
    pub fn poll(&self, now: Moment, code: &Digest) -> Poll {
        let mut all = self.all();
        let Some(entry) = all.live(now, code) else { return Poll::Expired };
        let since = entry.polled_at.map(|at| now.millis().saturating_sub(at.millis()));
        entry.polled_at = Some(now);
        let shortest = entry.interval_s.saturating_mul(1000).saturating_sub(EARLY_MS);
        if since.is_some_and(|since| since < shortest) {
            entry.interval_s =
                entry.interval_s.saturating_add(DEVICE_INTERVAL_S).min(MAX_INTERVAL_S);
            return Poll::SlowDown;
        }
        match &entry.state {
            State::Waiting | State::Confirmed(_) => Poll::Pending,
            State::SignedIn => Poll::SignedIn,
            State::Refused(why) => Poll::Refused(why.clone()),
            State::Taken => Poll::Taken,
        }
    }

    /// The device has its tokens, or will get none.
    pub fn decide(&self, code: &Digest, refused: Option<&str>) {
        if let Some(entry) = self.all().by_device_code.get_mut(code) {
            entry.state = refused.map_or(State::Taken, |why| State::Refused(why.to_owned()));
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        // Each change of it leaves it whole: an index without its entry finds nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// A clock that was set back must not make it good for longer.
    fn is_live(&self, now: Moment) -> bool {
        self.device.started_at <= now && now < self.device.ends_at
    }
}

impl All {
    fn live(&mut self, now: Moment, code: &Digest) -> Option<&mut Entry> {
        self.by_device_code.get_mut(code).filter(|entry| entry.is_live(now))
    }

    /// One that this browser can go on with.
    fn open_to(
        &mut self,
        now: Moment,
        code: &Digest,
        browser: &Digest,
    ) -> Result<&mut Entry, NotYours> {
        let entry = self.live(now, code).ok_or(NotYours::Unknown)?;
        match &entry.state {
            State::Waiting => Ok(entry),
            State::Confirmed(by) if by == browser => Ok(entry),
            _ => Err(NotYours::Decided),
        }
    }

    /// Forgets those that are over: once a second, because it looks at all.
    fn forget(&mut self, now: Moment) {
        if self.forgotten_at == now.seconds() {
            return;
        }
        self.forgotten_at = now.seconds();
        self.by_device_code.retain(|_, entry| entry.is_live(now));
        let All { by_device_code, by_user_code, .. } = self;
        by_user_code.retain(|_, code| by_device_code.contains_key(code));
    }

    fn make_room(&mut self, source: Option<IpAddr>) -> Result<(), TooMany> {
        let sources = || self.by_device_code.values().map(|entry| entry.device.source.map(network));
        if sources().filter(|other| *other == source).count() >= MAX_PER_SOURCE {
            return Err(TooMany);
        }
        if self.by_device_code.len() < MAX {
            return Ok(());
        }
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for source in sources() {
            let count = counts.entry(source).or_default();
            *count = count.saturating_add(1);
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(source, _)| source);
        let is_of = |entry: &Entry| Some(entry.device.source.map(network)) == most;
        let oldest = self.by_device_code.iter().filter(|(_, entry)| is_of(entry));
        let oldest = oldest.min_by_key(|(_, entry)| entry.device.started_at).map(|(code, _)| *code);
        if let Some(entry) = oldest.and_then(|code| self.by_device_code.remove(&code)) {
            self.by_user_code.remove(&entry.user_code);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
