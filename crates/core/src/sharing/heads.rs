//! One VM of an Envoy reports the heads of all its idle chains.
//!
//! A chain is idle when the approval service knows all of it. It says so again every minute, and an
//! Envoy has a chain for each worker thread and configuration, so one report has them all:
//!
//! 1. Time has rounds, which are the same for all VMs of an Envoy: by the wall clock, shifted by the id
//!    of the process, so that a fleet does not report at one moment.
//! 2. In each round a VM puts the head of its chain on the board, if the chain is idle then. It does so
//!    anew in every round, and again while the head waits to be reported: what a VM that died left there
//!    is not reported for longer than [`FRESH`].
//! 3. When the VMs have had time for that, one of them takes the lead, by a lease in the same value, and
//!    reports what is there. What arrived is marked; what did not is reported by the VM that leads next.
//! 4. A VM that does not find its head on the board, though it puts it there, reports it alone.
//!
//! The last head of a chain that has ended stays on the board until it was reported: the VM that it
//! belongs to reports it if it lives long enough, and any other one if it does not.
//!
//! The value is authenticated. An old one that another plugin puts back says what was true: at worst a
//! head is reported once more, or by its own VM alone.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::ProcessId;
use super::{Board, BoardKey, Written};
use crate::audit::{Head, REPEAT_INTERVAL, RETRY_INTERVAL};
use crate::config::Config;
use crate::hex;
use crate::instant::{Instant, millis};

/// How often a VM looks at the board.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long after the beginning of a round the heads are reported: each VM has looked by then.
const GATHER: Duration = Duration::from_secs(2);

/// How old a head may be to be reported by another VM than its own.
const FRESH: Duration = Duration::from_secs(5);

/// When a VM puts a head that still waits on the board once more.
const REFRESH: Duration = Duration::from_secs(2);

/// How long a VM leads: longer than a report may take.
const LEASE: Duration = Duration::from_secs(5);

/// How long a VM misses its head on the board before it reports it alone.
const PATIENCE: Duration = Duration::from_secs(4);

/// The most heads in one report.
const MAX_HEADS: usize = 1000;

/// About the most bytes of one report: half of what the approval service takes.
const MAX_REPORT_BYTES: usize = 512 * 1024;

/// The most idle chains on the board, and the most that have ended.
const MAX_IDLE: usize = 2048;
const MAX_ENDED: usize = 256;

/// The most bytes of the value on the board.
const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// The most bytes of the grants in the last head of a chain.
const MAX_GRANTS_BYTES: usize = 2 * 1024;

/// How often a VM that ends tries to leave its last word.
const ATTEMPTS: usize = 8;

/// What is on the board.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Shared {
    round: u64,
    lead: Option<Lead>,
    /// The idle chains of this round.
    idle: Vec<Entry>,
    /// The chains that have ended and were not reported so.
    ended: Vec<Entry>,
}

/// Which VM reports.
#[derive(Debug, Serialize, Deserialize)]
struct Lead {
    by: String,
    until: u64,
}

/// One head.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    head: Head,
    /// When it was put there, in milliseconds.
    at: u64,
    /// Whether it was reported.
    arrived: bool,
}

impl Entry {
    fn age(&self, now: Instant) -> Option<Duration> {
        let at = Instant::from_millis(self.at);
        (at <= now).then(|| now.since(at))
    }
}

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
}

impl SharedHeads {
    /// `None` if heads are not reported, or without a credential to authenticate them by.
    pub(crate) fn new(config: &Config, me: [u8; 16]) -> Option<SharedHeads> {
        let endpoint = config.audit.heads.as_ref()?;
        let credential = config.revocation.credential.as_ref()?;
        // A VM must not report to one service what another one is to know.
        let about = ["breakglass heads 1", &endpoint.cluster, &endpoint.authority, &endpoint.path];
        let key = BoardKey::new(credential, &about);
        Some(SharedHeads {
            place: key.place("heads"),
            key,
            me: hex::lower(&me),
            next_look: None,
            missed_since: None,
            sent: Vec::new(),
            arrived: None,
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
    }

    /// The report for all has arrived, or has not.
    pub(crate) fn reported(&mut self, arrived: bool) {
        self.arrived = Some(arrived);
        self.hurry();
    }

    /// Looks at the board, and takes part.
    pub(crate) fn look(
        &mut self,
        board: &dyn Board,
        idle: Option<Idle>,
        process: Option<ProcessId>,
        now: Instant,
    ) -> Look {
        self.next_look = Some(now.after(LOOK_INTERVAL));
        let (mut shared, version) = self.read(board);
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
        let due = if leads { shared.due(&round, now) } else { Vec::new() };
        if !due.is_empty() {
            shared.lead = Some(self.lead(now.after(LEASE)));
            changed = true;
        }
        if !changed {
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
        let (mut shared, version) = self.read(board);
        if shared.withdraw(chain) {
            // The VM that was first reports what was true.
            let _ = self.write(board, &shared, version);
        }
    }

    /// Leaves the last head of a chain that has ended.
    pub(crate) fn end(&self, board: &dyn Board, mut head: Head, now: Instant) {
        head.grants = bounded(head.grants);
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
            let (mut shared, version) = self.read(board);
            change(&mut shared);
            if self.write(board, &shared, version) != Written::Conflict {
                return;
            }
        }
    }

    /// What is on the board; nothing, if that is not authentic.
    fn read(&self, board: &dyn Board) -> (Shared, Option<u32>) {
        let Some((value, version)) = board.read(&self.place) else {
            return (Shared::default(), None);
        };
        let text = self.key.open(&value);
        let shared = text.and_then(|text| serde_json::from_slice(text).ok());
        (shared.unwrap_or_default(), Some(version))
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

/// What became of a head that was to be on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Put {
    /// It was there.
    WasThere,
    /// It was there, and was put there once more.
    Refreshed,
    /// It was not there.
    Added,
    /// It was not there, and there is no room for it.
    NoRoom,
}

impl Put {
    fn is_change(self) -> bool {
        matches!(self, Put::Refreshed | Put::Added)
    }
}

impl Entry {
    fn arrive(&mut self) {
        self.arrived = true;
    }
}

impl Shared {
    fn arrived(&self, head: &Head) -> bool {
        let is_it = |entry: &Entry| entry.arrived && entry.head == *head;
        self.idle.iter().any(is_it)
    }

    fn put(&mut self, head: &Head, now: Instant) -> Put {
        let has_room = self.idle.len() < MAX_IDLE;
        match self.idle.iter_mut().find(|entry| entry.head.chain == head.chain) {
            Some(entry) if entry.head == *head => match entry.age(now) {
                Some(age) if age < REFRESH => Put::WasThere,
                Some(_) | None => {
                    entry.at = now.as_millis();
                    Put::Refreshed
                }
            },
            Some(entry) => {
                *entry = Entry { head: head.clone(), at: now.as_millis(), arrived: false };
                Put::Added
            }
            None if has_room => {
                let at = now.as_millis();
                self.idle.push(Entry { head: head.clone(), at, arrived: false });
                Put::Added
            }
            None => Put::NoRoom,
        }
    }

    /// Takes away the head of a chain that was not reported. Whether it was there.
    fn withdraw(&mut self, chain: &str) -> bool {
        let before = self.idle.len();
        self.idle.retain(|entry| entry.arrived || entry.head.chain != chain);
        self.idle.len() < before
    }

    /// Whether a VM leads.
    fn is_led(&self, now: Instant) -> bool {
        // A lease that ends later than any that begins now is from before the clock was set back.
        let lives = |until: Instant| until > now && until <= now.after(LEASE);
        self.lead.as_ref().is_some_and(|lead| lives(Instant::from_millis(lead.until)))
    }

    /// The heads that are to be reported now.
    fn due(&self, round: &Round, now: Instant) -> Vec<Head> {
        let gathered = round.began.after(GATHER) <= now;
        let waits = |entry: &&Entry| {
            gathered && !entry.arrived && entry.age(now).is_some_and(|age| age <= FRESH)
        };
        // The VM that it belongs to is first.
        let orphaned = |entry: &&Entry| entry.age(now).is_none_or(|age| age > FRESH);
        let ended = self.ended.iter().filter(orphaned);
        let due = ended.chain(self.idle.iter().filter(waits)).map(|entry| &entry.head);
        let mut room = MAX_REPORT_BYTES;
        let fits = |head: &&Head| {
            room = room.saturating_sub(256).saturating_sub(grants_bytes(&head.grants));
            room > 0
        };
        due.take(MAX_HEADS).take_while(fits).cloned().collect()
    }
}

/// A stretch of time.
#[derive(Debug, PartialEq, Eq)]
struct Round {
    number: u64,
    began: Instant,
}

impl Round {
    /// The one that is at this instant, in this process.
    fn at(now: Instant, process: Option<ProcessId>) -> Round {
        let length = millis(REPEAT_INTERVAL).max(1);
        let shift = process.map_or(0, ProcessId::number).checked_rem(length).unwrap_or_default();
        let shifted = now.as_millis().saturating_add(shift);
        let number = shifted.checked_div(length).unwrap_or_default();
        let began = number.saturating_mul(length).saturating_sub(shift);
        Round { number, began: Instant::from_millis(began) }
    }
}

/// As many of the grants as there is room for.
fn bounded(grants: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut room = MAX_GRANTS_BYTES;
    let mut fits = |grant: &str| {
        room = room.saturating_sub(grant_bytes(grant));
        room > 0
    };
    grants.into_iter().take_while(|(grant, _)| fits(grant)).collect()
}

fn grants_bytes(grants: &BTreeMap<String, u64>) -> usize {
    grants.keys().map(|grant| grant_bytes(grant)).fold(0, usize::saturating_add)
}

/// About how many bytes a grant takes in a report, with its number.
fn grant_bytes(grant: &str) -> usize {
    grant.len().saturating_add(24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const NOW: Instant = Instant::from_seconds(1_800_000_000);

    fn head(number: usize, grants: usize) -> Head {
        let grant = |index| (format!("grant-{index:04}"), 1);
        Head {
            chain: format!("{number:032x}"),
            seq: 1,
            hash: "0".repeat(64),
            began: NOW.rfc3339(),
            ended: false,
            grants: (0..grants).map(grant).collect(),
        }
    }

    fn round() -> Round {
        Round { number: 1, began: NOW }
    }

    #[test]
    fn more_heads_than_a_report_may_have_are_reported_in_pages() {
        let mut shared = Shared::default();
        let later = NOW.after(GATHER);
        for number in 0..1500 {
            assert_eq!(shared.put(&head(number, 0), later), Put::Added);
        }
        assert!(shared.due(&round(), NOW.after(Duration::from_secs(1))).is_empty());
        let first = shared.due(&round(), later);
        assert_eq!(first.len(), 1000);
        for entry in &mut shared.idle {
            entry.arrived = first.contains(&entry.head);
        }
        let second = shared.due(&round(), later);
        assert_eq!(second.len(), 500);
        assert!(second.iter().all(|head| !first.contains(head)));
    }

    #[test]
    fn the_board_takes_so_many_heads_and_no_more() {
        let mut shared = Shared::default();
        for number in 0..MAX_IDLE {
            assert_eq!(shared.put(&head(number, 0), NOW), Put::Added);
        }
        assert_eq!(shared.put(&head(MAX_IDLE, 0), NOW), Put::NoRoom);
        assert_eq!(shared.put(&head(7, 0), NOW), Put::WasThere);
        assert!(serde_json::to_vec(&shared).unwrap().len() < MAX_VALUE_BYTES);
    }

    #[test]
    fn the_last_heads_of_chains_with_many_grants_stay_small() {
        assert_eq!(bounded(head(1, 10).grants).len(), 10);
        let grants = bounded(head(1, 100_000).grants);
        assert!(grants.len() > 40 && grants_bytes(&grants) <= MAX_GRANTS_BYTES);
        let at = NOW.as_millis();
        let ended = Head { grants, ..head(1, 0) };
        let ended = (0..MAX_ENDED).map(|_| Entry { head: ended.clone(), at, arrived: false });
        let shared = Shared { ended: ended.collect(), ..Shared::default() };
        let due = shared.due(&round(), NOW.after(Duration::from_secs(6)));
        assert!(!due.is_empty() && due.len() < MAX_ENDED);
        assert!(serde_json::to_vec(&due).unwrap().len() <= MAX_REPORT_BYTES);
        // All that may be there at once has room.
        let idle = (0..MAX_IDLE).map(|number| Entry { head: head(number, 0), at, arrived: false });
        let shared = Shared { idle: idle.collect(), ..shared };
        assert!(serde_json::to_vec(&shared).unwrap().len() < MAX_VALUE_BYTES);
    }

    #[test]
    fn rounds_have_no_gap() {
        let length = millis(REPEAT_INTERVAL);
        let round = Round::at(NOW, None);
        assert!(round.began <= NOW && NOW.since(round.began) < REPEAT_INTERVAL);
        let end = Instant::from_millis(round.began.as_millis() + length);
        assert_eq!(Round::at(Instant::from_millis(end.as_millis() - 1), None), round);
        assert_eq!(Round::at(end, None), Round { number: round.number + 1, began: end });
    }
}
