//! One VM of a proxy polls the feed for all of them.
//!
//! 1. Which VM polls is agreed by a lease on the board. It is not authenticated, because nothing
//!    depends on it but the number of polls: a VM that learns nothing in time asks for itself,
//!    whichever VM holds the lease.
//! 2. What was learnt is published as a [`Window`]: the revocations of the last moments.
//! 3. A window says from which positions to which it goes, for which feed, and as of when. It adds
//!    revocations and takes none away. An old one that an attacker puts back says nothing new, and its
//!    age is seen; so the worst that a forger can do is to make every VM poll for itself.
//! 4. A VM follows only from a position that the window names, tag and all: it never goes on from an epoch
//!    that the service has given twice.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Board, BoardKey, Written, first};
use crate::config::Config;
use crate::instant::Instant;
use crate::revocations::{Position, Recent, Revoked, Window};
use crate::ticks::{IDLE_TICK, LEAD_TICK};

/// How long a lease counts without being renewed: how soon another VM polls when this one is gone.
/// A tick renews it, so it outlives a worker that is busy for a while, and a tick that comes late. (One that comes later
/// still is overtaken, and for once two VMs poll.)
const LEASE: Duration = LEAD_TICK.saturating_mul(2);

/// How long a revocation stays in the window: a VM that did not look for longer asks for itself.
const WINDOW: Duration = IDLE_TICK.saturating_add(Duration::from_secs(2));

/// How much later a VM may have asked and yet have been told less, by a service whose epochs have no tags.
const SLACK: Duration = Duration::from_secs(5);

/// The most revocations in a window. Who needs more asks for itself.
const MAX_WINDOW: usize = 4096;

/// One VM's part in the sharing.
#[derive(Debug)]
pub(crate) struct Sharing {
    key: BoardKey,
    lease: String,
    window: String,
    /// What tells this VM from the others.
    me: [u8; 16],
    /// The code of the window that was read last.
    seen: Option<[u8; BoardKey::CODE_BYTES]>,
    /// What this VM learnt in the last moments: when, from which position on, and what.
    recent: VecDeque<(Instant, Position, Vec<Revoked>)>,
}

impl Sharing {
    /// `None` if there is no feed, or no credential to derive a key from.
    pub(crate) fn new(config: &Config, me: [u8; 16]) -> Option<Sharing> {
        let endpoint = &config.revocation.feed.as_ref()?.endpoint;
        let credential = config.revocation.credential.as_ref()?;
        // Two feeds on one board, or two credentials, are two conversations.
        // 2: positions have tags.
        let about = ["breakglass feed 2", &endpoint.cluster, &endpoint.authority, &endpoint.path];
        let key = BoardKey::new(credential, &about);
        Some(Sharing {
            lease: key.place("lease"),
            window: key.place("feed"),
            key,
            me,
            seen: None,
            recent: VecDeque::new(),
        })
    }

    /// Whether it is for this VM to poll. Renews its lease, or takes one that has run out.
    pub(crate) fn leads(&self, board: &dyn Board, now: Instant) -> bool {
        let version = match board.read(&self.lease) {
            Some((value, version)) => {
                let (holder, until) = value.split_at_checked(self.me.len()).unwrap_or_default();
                let until = Instant::from_millis(u64::from_le_bytes(first(until)));
                // A lease that ends later than any that begins now is from before the clock was set
                // back, or forged.
                if holder != self.me && until > now && until <= now.after(LEASE) {
                    return false;
                }
                Some(version)
            }
            None => None,
        };
        let until = now.after(LEASE).as_millis().to_le_bytes();
        match board.write(&self.lease, &[&self.me[..], &until[..]].concat(), version) {
            Written::Done | Written::Unavailable => true,
            Written::Conflict => false,
        }
    }

    /// Gives this VM's lease up, if it has one: the next one need not wait until it has run out.
    pub(crate) fn resign(&self, board: &dyn Board) {
        if let Some((value, version)) = board.read(&self.lease)
            && value.starts_with(&self.me)
        {
            // Whoever is refused here was overtaken, and has none.
            let _ = board.write(&self.lease, &[], Some(version));
        }
    }

    /// The window, if there is one that was not read yet.
    pub(crate) fn news(&mut self, board: &dyn Board) -> Option<Window> {
        let (value, _) = board.read(&self.window)?;
        let code = value.first_chunk()?;
        if self.seen.as_ref().is_some_and(|seen| seen == code) {
            return None;
        }
        let window = self.open(&value)?;
        self.seen = Some(*code);
        // What this VM learnt before does not go on to what it learns next.
        self.recent.clear();
        Some(window)
    }

    /// This VM learnt something by a poll of its own.
    pub(crate) fn learnt(&mut self, recent: Recent, now: Instant) {
        match recent {
            Recent::Nothing => {}
            Recent::After(after, revoked) => self.recent.push_back((now, after, revoked)),
            Recent::Everything => self.recent.clear(),
        }
    }

    /// Puts up what this VM knows, unless as much is there. `feed` and `to` are its position, and
    /// `as_of` is when it asked.
    pub(crate) fn publish(
        &mut self,
        board: &dyn Board,
        (to, feed): (&Position, Option<&str>),
        as_of: Instant,
        now: Instant,
    ) {
        let is_recent = |at: &Instant| *at <= now && now.since(*at) <= WINDOW;
        let mut room = MAX_WINDOW;
        let kept = self.recent.iter().rev().take_while(|(at, _, revoked)| {
            room = room.saturating_sub(revoked.len());
            is_recent(at) && room > 0
        });
        let kept = kept.count();
        self.recent.drain(..self.recent.len().saturating_sub(kept));
        let window = Window {
            feed: feed.map(str::to_owned),
            from: self.recent.iter().map(|(_, from, _)| from.clone()).collect(),
            to: to.clone(),
            as_of: as_of.as_millis(),
            revoked: self.recent.iter().flat_map(|(.., revoked)| revoked.clone()).collect(),
        };
        let Ok(text) = serde_json::to_vec(&window) else { return };
        let value = self.key.seal(&text);
        let there = board.read(&self.window);
        let rival = there.as_ref().and_then(|(value, _)| self.open(value));
        // Somebody who asked about as late was told more: that stays. Not if it was before, and epochs have
        // tags: the service may have gone back.
        let slack = if to.tag.is_some() { Duration::ZERO } else { SLACK };
        let is_ahead = |rival: Window| {
            let asked = Instant::from_millis(rival.as_of);
            rival.feed == window.feed
                && rival.to.epoch > to.epoch
                && asked.after(slack) >= as_of
                && asked <= now
        };
        if rival.is_some_and(is_ahead) {
            return;
        }
        // Who loses the race lost it to somebody who asked as late; the next answer is published too.
        let version = there.map(|(_, version)| version);
        if board.write(&self.window, &value, version) == Written::Done {
            self.seen = value.first_chunk().copied();
        }
    }

    fn open(&self, value: &[u8]) -> Option<Window> {
        serde_json::from_slice(self.key.open(value)?).ok()
    }
}
