//! One VM of an Envoy reports the heads of all its idle chains.
//!
//! A chain is idle when the approval service knows all of it. It says so again every minute, and an
//! Envoy has a chain for each worker thread and configuration, so one report has them all:
//!
//! 1. Time has rounds, which are the same for all VMs of an Envoy: by the wall clock, shifted by the id
//!    of the process, so that a fleet does not report at one moment.
//! 2. In each round a VM puts the head of its chain on the board, if the chain is idle then. It does so
//!    anew in every round, and again while the head waits to be reported: what a VM that died left there
//!    is not reported for longer than twelve seconds.
//! 3. When the VMs have had time for that, one of them takes the lead, by a lease in the same value, and
//!    reports what is there. What arrived is marked; what did not is reported by the VM that leads next.
//! 4. A VM that does not find its head on the board, though it puts it there, reports it alone.
//!
//! The last head of a chain that has ended stays on the board until it was reported: the VM that it
//! belongs to reports it if it lives long enough, and any other one if it does not.
//!
//! The value is authenticated. An old one that another plugin puts back says what was true: at worst a
//! head is reported once more, or by its own VM alone.
//!
//! For most of a round nothing is to be done: every head on the board has arrived, and this VM's chain was heard of in
//! this round. Until the value or the round is another one, a VM only sees that ([`super::quiet`]).

use std::time::Duration;

use super::head_board::{
    Entry, LEASE, Lead, MAX_ENDED, MAX_VALUE_BYTES, Put, Round, Shared, bounded,
};
use super::process::ProcessId;
use super::quiet::{Known, Quiet};
use super::{Board, BoardKey, Version, Written};
use crate::audit::{Head, RETRY_INTERVAL};
use crate::config::Config;
use crate::hex;
use crate::instant::Instant;
use crate::ticks::IDLE_TICK;

/// How often a VM looks at the board.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a VM misses its head on the board before it reports it alone: it looked three times.
const PATIENCE: Duration = IDLE_TICK.saturating_mul(2);

/// How often a VM that ends tries to leave its last word.
const ATTEMPTS: usize = 8;

/// This VM's chain, if it is idle.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) head: Head,
    /// When the approval service last heard of it.
    pub(crate) known_at: Instant,
}

/// What came of a look at the board.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Whether another VM has reported the head of this one's chain.
    pub(crate) was_reported: bool,
    /// Whether this VM must report its head alone.
    pub(crate) alone: bool,
    /// The heads that this VM is to report for all.
    pub(crate) report: Vec<Head>,
}

/// One VM's part in it.
#[derive(Debug)]
pub(crate) struct SharedHeads {
    key: BoardKey,
    place: String,
    /// What tells this VM from the others.
    me: String,
    next_look: Option<Instant>,
    /// Since when this VM misses its head on the board.
    missed_since: Option<Instant>,
    /// The chains and numbers in the report that is under way.
    sent: Vec<(String, u64)>,
    /// What came of it, while that is not on the board yet.
    arrived: Option<bool>,
    /// Whether nothing is to be done.
    quiet: Option<Quiet>,
}

impl SharedHeads {
    /// `None` if heads are not reported, or without a credential to authenticate them by.
    pub(crate) fn new(config: &Config, me: [u8; 16]) -> Option<SharedHeads> {
        let endpoint = config.audit.heads.as_ref()?;
        let credential = config.revocation.credential.as_ref()?;
        // 2: rounds are shorter.
        // A VM must not report to one service what another one is to know.
        let about = ["breakglass heads 2", &endpoint.cluster, &endpoint.authority, &endpoint.path];
        let key = BoardKey::new(credential, &about);
        Some(SharedHeads {
            place: key.place("heads"),
            key,
            me: hex::lower(&me),
            next_look: None,
            missed_since: None,
            sent: Vec::new(),
            arrived: None,
            quiet: None,
        })
    }

    /// Whether it is time to look.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        // A clock that was set back must not keep a VM from looking.
        self.next_look.is_none_or(|at| at <= now || now.after(LOOK_INTERVAL) < at)
    }

    /// Something has happened that the others are to know of.
    pub(crate) fn hurry(&mut self) {
        self.next_look = None;
        self.quiet = None;
    }

    /// The report for all has arrived, or has not.
    pub(crate) fn reported(&mut self, arrived: bool) {
        self.arrived = Some(arrived);
        self.hurry();
    }

    /// Whether the others are to be told what came of the report for all.
    pub(crate) fn has_outcome(&self) -> bool {
        self.arrived.is_some()
    }

    /// Whether a look has nothing to do, because all is as at the last one, which had nothing to do.
    pub(crate) fn is_quiet(&mut self, board: &dyn Board, now: Instant) -> bool {
        let Some(quiet) = &self.quiet else { return false };
        let there = board.read(&self.place);
        let is_quiet = quiet.lasts(Known::of(there.as_ref()), now);
        if is_quiet {
            self.next_look = Some(now.after(LOOK_INTERVAL));
        }
        is_quiet
    }

    /// Looks at the board, and takes part. A report has so many bytes at most.
    pub(crate) fn look(
        &mut self,
        board: &dyn Board,
        idle: Option<Idle>,
        process: Option<ProcessId>,
        bytes: usize,
        now: Instant,
    ) -> Look {
        self.next_look = Some(now.after(LOOK_INTERVAL));
        self.quiet = None;
        let (mut shared, version, known) = self.read(board);
        let round = Round::at(now, process);
        let mut look = Look::default();
        let mut changed = false;
        if shared.round != round.number {
            shared = Shared { round: round.number, ended: shared.ended, ..Shared::default() };
        }
        if let Some(arrived) = self.arrived {
            self.settle(&mut shared, arrived, now);
            changed = true;
        }
        if let Some(idle) = &idle
            && Round::at(idle.known_at, process) != round
        {
            look.was_reported = shared.arrived(&idle.head) || self.has_reported(&idle.head);
            if !look.was_reported {
                let put = shared.put(&idle.head, now);
                changed |= put.is_change();
                look.alone = self.misses(put, now);
            }
        } else {
            self.missed_since = None;
            if let Some(idle) = &idle {
                changed |= shared.withdraw(&idle.head.chain);
            }
        }
        let leads = self.sent.is_empty() && !shared.is_led(now);
        let due = if leads { shared.due(&round, now, bytes) } else { Vec::new() };
        if !due.is_empty() {
            shared.lead = Some(self.lead(now.after(LEASE)));
            changed = true;
        }
        if !changed {
            let is_known = |idle: Idle| Round::at(idle.known_at, process) == round;
            let is_known = look.was_reported || idle.is_none_or(is_known);
            let board = known.filter(|_| is_known && self.sent.is_empty() && shared.is_settled());
            let until = round.end();
            self.quiet = board.map(|board| Quiet { board, since: now, until });
            return look;
        }
        match self.write(board, &shared, version) {
            Written::Done => {
                if self.arrived.take().is_some() {
                    self.sent.clear();
                }
                self.sent.extend(due.iter().map(|head| (head.chain.clone(), head.seq)));
                look.report = due;
            }
            Written::Conflict => self.hurry(),
            // Where nothing can be shared, nothing need be said to others.
            Written::Unavailable => {
                self.arrived = None;
                self.sent.clear();
            }
        }
        look
    }

    /// This chain has new records: its head on the board is out of date.
    pub(crate) fn withdraw(&mut self, board: &dyn Board, chain: &str) {
        let (mut shared, version, _) = self.read(board);
        if shared.withdraw(chain) {
            // The VM that was first reports what was true.
            let _ = self.write(board, &shared, version);
        }
    }

    /// Leaves the last head of a chain that has ended.
    pub(crate) fn end(&self, board: &dyn Board, mut head: Head, now: Instant) {
        head.grants = bounded(head.grants);
        // They take much more room than what they say is worth: the counts of the grants vouch for the log.
        head.uses.clear();
        self.change(board, |shared| {
            shared.idle.retain(|entry| entry.head.chain != head.chain);
            let surplus = shared.ended.len().saturating_sub(MAX_ENDED.saturating_sub(1));
            shared.ended.drain(..surplus);
            let entry = Entry { head: head.clone(), at: now.as_millis(), arrived: false };
            shared.ended.push(entry);
        });
    }

    /// The last head of this chain was reported.
    pub(crate) fn end_is_known(&self, board: &dyn Board, chain: &str) {
        self.change(board, |shared| shared.ended.retain(|entry| entry.head.chain != chain));
    }

    fn change(&self, board: &dyn Board, change: impl Fn(&mut Shared)) {
        for _ in 0..ATTEMPTS {
            let (mut shared, version, _) = self.read(board);
            change(&mut shared);
            if self.write(board, &shared, version) != Written::Conflict {
                return;
            }
        }
    }

    /// What is on the board; nothing, if that is not authentic, and then it is not known either.
    fn read(&self, board: &dyn Board) -> (Shared, Option<Version>, Option<Known>) {
        let there = board.read(&self.place);
        let known = Known::of(there.as_ref());
        let Some((value, version)) = there else { return (Shared::default(), None, known) };
        let text = self.key.open(&value);
        match text.and_then(|text| serde_json::from_slice(text).ok()) {
            Some(shared) => (shared, Some(version), known),
            None => (Shared::default(), Some(version), None),
        }
    }

    fn write(&self, board: &dyn Board, shared: &Shared, version: Option<u32>) -> Written {
        match serde_json::to_vec(shared) {
            Ok(text) if text.len() <= MAX_VALUE_BYTES => {
                board.write(&self.place, &self.key.seal(&text), version)
            }
            Ok(_) | Err(_) => Written::Unavailable,
        }
    }

    /// Notes on the board what came of the report that this VM made.
    fn settle(&self, shared: &mut Shared, arrived: bool, now: Instant) {
        if arrived {
            let is_sent = |entry: &Entry| {
                let Head { chain, seq, .. } = &entry.head;
                self.sent.iter().any(|(sent, number)| sent == chain && number == seq)
            };
            shared.idle.iter_mut().filter(|entry| is_sent(entry)).for_each(Entry::arrive);
            shared.ended.retain(|entry| !is_sent(entry));
        }
        let is_mine = shared.lead.as_ref().is_none_or(|lead| lead.by == self.me);
        if is_mine {
            // After a failure nobody tries again at once.
            shared.lead = (!arrived).then(|| self.lead(now.after(RETRY_INTERVAL)));
        }
    }

    /// Whether this VM itself has reported this head, whatever has become of the board.
    fn has_reported(&self, head: &Head) -> bool {
        let is_it = |(chain, seq): &(String, u64)| *chain == head.chain && *seq == head.seq;
        self.arrived == Some(true) && self.sent.iter().any(is_it)
    }

    fn lead(&self, until: Instant) -> Lead {
        Lead { by: self.me.clone(), until: until.as_millis() }
    }

    /// Whether this VM has missed its head on the board for too long.
    fn misses(&mut self, put: Put, now: Instant) -> bool {
        if matches!(put, Put::WasThere | Put::Refreshed) {
            self.missed_since = None;
            return false;
        }
        // A clock that was set back must not make it wait for longer.
        let since = self.missed_since.map_or(now, |since| since.min(now));
        let too_long = now.since(since) >= PATIENCE;
        self.missed_since = Some(if too_long { now } else { since });
        too_long
    }
}
