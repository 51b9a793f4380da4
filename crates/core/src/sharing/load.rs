//! What all VMs of a process hold together: a gauge of Envoy's is one for all of them, and the VM that dies takes nothing
//! back.
//!
//! Each VM writes beside the others what it holds, and sets the gauge to the sum. What a VM does not renew is left out, so
//! that one that died is counted no longer than [`STALE`]. That is not authenticated: no decision depends on it, and another
//! plugin can at worst make a gauge wrong.

use std::time::Duration;

use super::{Board, Written, first};
use crate::config::Config;
use crate::instant::Instant;
use crate::ticks::IDLE_TICK;

/// Where it is.
const PLACE: &str = "breakglass.load";

/// The shortest time between two looks of one VM.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// How often a VM renews what it wrote, and looks at what the others wrote.
const INTERVAL: Duration = IDLE_TICK;

/// How long what a VM wrote counts: three intervals, and a tick that comes late.
const STALE: Duration = Duration::from_secs(35);

/// The most VMs that are read: Envoy has as many as threads, for each configuration.
const MAX_VMS: usize = 1024;

/// How often a VM looks again when another one was first.
const ATTEMPTS: usize = 3;

/// Bytes of what one VM writes: its id, the time, and twice eight for the numbers.
const ENTRY: usize = 40;

/// What one VM holds, or several together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Streams that are to be ended at their time.
    pub(crate) streams: u64,
    /// Bytes of alerts that wait.
    pub(crate) alert_bytes: u64,
}

/// One VM's part of it.
#[derive(Debug)]
pub(crate) struct SharedLoad {
    me: [u8; 16],
    /// What it wrote last, and when.
    told: Option<(Load, Instant)>,
}

impl SharedLoad {
    /// `None` without a credential: then nothing is shared.
    pub(crate) fn new(config: &Config, me: [u8; 16]) -> Option<SharedLoad> {
        config.revocation.credential.as_ref().map(|_| SharedLoad { me, told: None })
    }

    /// When it is to be shared next because it is `mine` now; `None` where that has time until the next tick.
    pub(crate) fn next(&self, mine: Load) -> Option<Instant> {
        let (told, at) = self.told?;
        if told != mine {
            return Some(at.after(MIN_INTERVAL));
        }
        (mine != Load::default()).then(|| at.after(INTERVAL))
    }

    /// Shares what this VM holds, if it is time. What all of them hold together.
    pub(crate) fn share(&mut self, board: &dyn Board, mine: Load, now: Instant) -> Option<Load> {
        let is_due = self.told.is_none_or(|(told, at)| {
            let wait = if told == mine { INTERVAL } else { MIN_INTERVAL };
            // A clock that was set back must not keep it.
            now < at || now >= at.after(wait)
        });
        if !is_due {
            return None;
        }
        self.told = Some((mine, now));
        Some(self.write(board, mine, now))
    }

    /// This VM ends as it should, and holds nothing any more.
    pub(crate) fn leave(&mut self, board: &dyn Board, now: Instant) {
        self.write(board, Load::default(), now);
        self.told = None;
    }

    fn write(&self, board: &dyn Board, mine: Load, now: Instant) -> Load {
        let is_recent = |at: Instant| now.since(at) < STALE && at < now.after(STALE);
        for _ in 0..ATTEMPTS {
            let (value, version) = board.read(PLACE).unzip();
            let value = value.unwrap_or_default();
            let mut kept = Vec::with_capacity(value.len().saturating_add(ENTRY));
            let mut sum = mine;
            for entry in value.chunks_exact(ENTRY).take(MAX_VMS) {
                let (at, load) = read(entry);
                if !entry.starts_with(&self.me) && is_recent(at) {
                    sum.streams = sum.streams.saturating_add(load.streams);
                    sum.alert_bytes = sum.alert_bytes.saturating_add(load.alert_bytes);
                    kept.extend_from_slice(entry);
                }
            }
            if mine != Load::default() {
                kept.extend_from_slice(&self.me);
                for number in [now.as_millis(), mine.streams, mine.alert_bytes] {
                    kept.extend_from_slice(&number.to_le_bytes());
                }
            }
            if kept == value || board.write(PLACE, &kept, version) != Written::Conflict {
                return sum;
            }
        }
        // The next look is not far, and writes what it finds then.
        mine
    }
}

/// When a VM wrote what it holds, and what that is.
fn read(entry: &[u8]) -> (Instant, Load) {
    let number = |at: usize| u64::from_le_bytes(first(entry.get(at..).unwrap_or_default()));
    let load = Load { streams: number(24), alert_bytes: number(32) };
    (Instant::from_millis(number(16)), load)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeBoard, test};

    const START: Instant = Instant::from_seconds(1_800_000_000);

    fn at(seconds: u64) -> Instant {
        START.after(Duration::from_secs(seconds))
    }

    fn streams(streams: u64) -> Load {
        Load { streams, alert_bytes: 0 }
    }

    #[test]
    fn all_vms_together_hold_what_each_holds() {
        let board = FakeBoard::default();
        let [mut first, mut second] = [1, 2].map(|id| SharedLoad { me: [id; 16], told: None });
        assert_eq!(first.share(&board, streams(3), at(0)), Some(streams(3)));
        let mine = Load { streams: 4, alert_bytes: 100 };
        assert_eq!(second.share(&board, mine, at(0)), Some(Load { streams: 7, alert_bytes: 100 }));
        assert_eq!(first.share(&board, streams(0), at(1)), Some(mine));
        assert_eq!(second.share(&board, streams(0), at(2)), Some(streams(0)));
    }

    #[test]
    fn what_has_not_changed_is_renewed_and_what_has_waits_for_a_second() {
        let board = FakeBoard::default();
        let mut vm = SharedLoad { me: [1; 16], told: None };
        assert_eq!(vm.next(streams(1)), None, "the first tick shares");
        assert!(vm.share(&board, streams(1), at(0)).is_some());
        assert!(vm.share(&board, streams(1), at(9)).is_none());
        assert_eq!(vm.next(streams(1)), Some(at(10)));
        assert!(vm.share(&board, streams(1), at(10)).is_some());
        assert!(vm.share(&board, streams(2), at(10)).is_none());
        assert_eq!(vm.next(streams(2)), Some(at(11)));
        assert!(vm.share(&board, streams(2), at(11)).is_some());
        assert!(vm.share(&board, streams(0), at(5)).is_some(), "the clock was set back");
        assert_eq!(vm.next(streams(0)), None, "nothing is to be renewed");
    }

    #[test]
    fn a_vm_that_died_is_counted_for_half_a_minute() {
        let board = FakeBoard::default();
        let [mut dead, mut alive] = [1, 2].map(|id| SharedLoad { me: [id; 16], told: None });
        dead.share(&board, streams(3), at(0));
        assert_eq!(alive.share(&board, streams(0), at(34)), Some(streams(3)));
        assert_eq!(alive.share(&board, streams(0), at(44)), Some(streams(0)));
        let [mut gone, mut left] = [3, 4].map(|id| SharedLoad { me: [id; 16], told: None });
        gone.share(&board, streams(3), at(50));
        gone.leave(&board, at(51));
        assert_eq!(left.share(&board, streams(0), at(52)), Some(streams(0)), "it said so");
    }

    #[test]
    fn what_another_plugin_writes_there_does_no_harm() {
        let mut vm = SharedLoad { me: [1; 16], told: None };
        for garbage in [vec![1; 7], vec![0xff; ENTRY * 3], vec![0; ENTRY]] {
            let board = FakeBoard::default();
            assert_eq!(board.write(PLACE, &garbage, None), Written::Done);
            vm.told = None;
            assert_eq!(vm.share(&board, streams(2), at(0)), Some(streams(2)), "{garbage:?}");
        }
    }
}
