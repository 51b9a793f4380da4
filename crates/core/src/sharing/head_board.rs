//! The value on the board: the heads that the VMs of an Envoy put there, and which of them are due. How it is
//! read and written is in [`super::heads`].

use std::collections::BTreeMap;
use std::time::Duration;

use breakglass_types::heads::MAX_HEADS;
use breakglass_types::limits::HEAD_HEARD_EVERY;
use serde::{Deserialize, Serialize};

use super::process::ProcessId;
use crate::audit::{Head, REPEAT_INTERVAL, head_bytes};
use crate::instant::{Instant, millis};
use crate::ticks::IDLE_TICK;

/// How long after the beginning of a round the heads are reported: each VM has looked by then.
const GATHER: Duration = IDLE_TICK;

// Relies on INVARIANT (head-repeat): all heads of a round are reported before a verifier would miss one.
const _: () = assert!(REPEAT_INTERVAL.as_secs() + GATHER.as_secs() <= HEAD_HEARD_EVERY.as_secs());

/// How old a head may be to be reported by another VM than its own.
const FRESH: Duration = IDLE_TICK.saturating_add(Duration::from_secs(2));

/// When a VM puts a head that still waits on the board once more.
const REFRESH: Duration = Duration::from_secs(2);

/// How long a VM leads: longer than a report may take.
pub(super) const LEASE: Duration = Duration::from_secs(5);

/// The most idle chains on the board, and the most that have ended.
const MAX_IDLE: usize = 2048;
pub(super) const MAX_ENDED: usize = 256;

/// The most bytes of the value on the board.
pub(super) const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// The most bytes of the grants in the last head of a chain.
const MAX_GRANTS_BYTES: usize = 2 * 1024;

/// What is on the board.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Shared {
    pub(super) round: u64,
    pub(super) lead: Option<Lead>,
    /// The idle chains of this round.
    pub(super) idle: Vec<Entry>,
    /// The chains that have ended and were not reported so.
    pub(super) ended: Vec<Entry>,
}

/// Which VM reports.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Lead {
    pub(super) by: String,
    pub(super) until: u64,
}

/// One head.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) head: Head,
    /// When it was put there, in milliseconds.
    pub(super) at: u64,
    /// Whether it was reported.
    pub(super) arrived: bool,
}

impl Entry {
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        let at = Instant::from_millis(self.at);
        (at <= now).then(|| now.since(at))
    }
}

/// What became of a head that was to be on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
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
    pub(super) fn is_change(self) -> bool {
        matches!(self, Put::Refreshed | Put::Added)
    }
}

impl Entry {
    pub(super) fn arrive(&mut self) {
        self.arrived = true;
    }
}

impl Shared {
    pub(super) fn arrived(&self, head: &Head) -> bool {
        let is_it = |entry: &Entry| entry.arrived && entry.head == *head;
        self.idle.iter().any(is_it)
    }

    pub(super) fn put(&mut self, head: &Head, now: Instant) -> Put {
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
    pub(super) fn withdraw(&mut self, chain: &str) -> bool {
        let before = self.idle.len();
        self.idle.retain(|entry| entry.arrived || entry.head.chain != chain);
        self.idle.len() < before
    }

    /// Whether a VM leads.
    pub(super) fn is_led(&self, now: Instant) -> bool {
        // A lease that ends later than any that begins now is from before the clock was set back.
        let lives = |until: Instant| until > now && until <= now.after(LEASE);
        self.lead.as_ref().is_some_and(|lead| lives(Instant::from_millis(lead.until)))
    }

    /// Whether no head waits, whatever time passes in this round.
    pub(super) fn is_settled(&self) -> bool {
        self.ended.is_empty() && self.idle.iter().all(|entry| entry.arrived)
    }

    /// The heads that are to be reported now, of so many bytes; one at least, if there is one.
    pub(super) fn due(&self, round: &Round, now: Instant, bytes: usize) -> Vec<Head> {
        let gathered = round.began.after(GATHER) <= now;
        let waits = |entry: &&Entry| {
            gathered && !entry.arrived && entry.age(now).is_some_and(|age| age <= FRESH)
        };
        // The VM that it belongs to is first.
        let orphaned = |entry: &&Entry| entry.age(now).is_none_or(|age| age > FRESH);
        let ended = self.ended.iter().filter(orphaned);
        let due = ended.chain(self.idle.iter().filter(waits)).map(|entry| &entry.head);
        let mut room = Some(bytes);
        let mut first = true;
        let fits = |head: &&Head| {
            room = room.and_then(|room| room.checked_sub(head_bytes(head)));
            std::mem::take(&mut first) || room.is_some()
        };
        due.take(MAX_HEADS).take_while(fits).cloned().collect()
    }
}

/// A stretch of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) number: u64,
    pub(super) began: Instant,
}

impl Round {
    /// The one that is at this instant, in this process.
    pub(super) fn at(now: Instant, process: Option<ProcessId>) -> Round {
        let length = millis(REPEAT_INTERVAL).max(1);
        let shift = process.map_or(0, ProcessId::number).checked_rem(length).unwrap_or_default();
        let shifted = now.as_millis().saturating_add(shift);
        let number = shifted.checked_div(length).unwrap_or_default();
        let began = number.saturating_mul(length).saturating_sub(shift);
        Round { number, began: Instant::from_millis(began) }
    }

    /// When the next one begins.
    pub(super) fn end(&self) -> Instant {
        self.began.after(REPEAT_INTERVAL)
    }
}

/// As many of the grants as there is room for.
pub(super) fn bounded(grants: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut room = MAX_GRANTS_BYTES;
    let mut fits = |grant: &str| {
        room = room.saturating_sub(grant_bytes(grant));
        room > 0
    };
    grants.into_iter().take_while(|(grant, _)| fits(grant)).collect()
}

#[cfg(test)]
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

    const BYTES: usize = 240 * 1024;

    fn head(number: usize, grants: usize) -> Head {
        let grant = |index| (format!("grant-{index:04}"), 1);
        Head {
            chain: format!("{number:032x}"),
            seq: 1,
            hash: "0".repeat(64),
            began: NOW.rfc3339(),
            ended: false,
            configuration: None,
            grants: (0..grants).map(grant).collect(),
            uses: BTreeMap::new(),
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
        assert!(shared.due(&round(), NOW.after(Duration::from_secs(1)), BYTES).is_empty());
        let first = shared.due(&round(), later, BYTES);
        assert_eq!(first.len(), 1000);
        assert!(serde_json::to_vec(&first).unwrap().len() < BYTES);
        assert_eq!(shared.due(&round(), later, BYTES / 2).len(), 534);
        assert_eq!(shared.due(&round(), later, 1).len(), 1);
        for entry in &mut shared.idle {
            entry.arrived = first.contains(&entry.head);
        }
        let second = shared.due(&round(), later, BYTES);
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
        let due = shared.due(&round(), NOW.after(FRESH + Duration::from_secs(1)), BYTES);
        assert!(!due.is_empty() && due.len() < MAX_ENDED);
        assert!(serde_json::to_vec(&due).unwrap().len() <= BYTES);
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
