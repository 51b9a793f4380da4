//! When the first VM of a process began under a configuration: one that begins much later takes the place of one that
//! crashed.
//!
//! Envoy makes a VM for each of its threads when it takes a configuration, and a new one only where a VM has failed. It
//! tells a VM neither which thread it is on nor whether it is the first there. That is not authenticated: no decision depends
//! on it, and another plugin can at worst cause an alert, or keep one away.

use std::time::Duration;

use super::{Board, first};
use crate::config::ConfigDigest;
use crate::instant::Instant;

/// How much later than the first VM of a configuration another one may begin: all of its threads are at work by then.
const TOGETHER: Duration = Duration::from_secs(60);

fn place(digest: ConfigDigest) -> String {
    format!("breakglass.begun.{}", digest.text())
}

/// A VM begins: when the first one began under this configuration in this process, if that was long before.
pub(crate) fn began_before(
    board: &dyn Board,
    digest: Option<ConfigDigest>,
    now: Instant,
) -> Option<Instant> {
    let place = place(digest?);
    let there = board.read(&place);
    let before =
        there.as_ref().map(|(value, _)| Instant::from_millis(u64::from_le_bytes(first(value))));
    match before.filter(|before| before.as_millis() > 0) {
        Some(before) => (now.since(before) > TOGETHER).then_some(before),
        None => {
            let value = now.as_millis().to_le_bytes();
            // Another VM that is first began at the same time.
            let _ = board.write(&place, &value, there.map(|(_, version)| version));
            None
        }
    }
}

/// A VM ends as it should, and the others under this configuration too: those that come later begin anew.
pub(crate) fn ends(board: &dyn Board, digest: Option<ConfigDigest>) {
    let Some(digest) = digest else { return };
    let place = place(digest);
    if let Some((_, version)) = board.read(&place) {
        // Another VM that is first has written the same.
        let _ = board.write(&place, &0_u64.to_le_bytes(), Some(version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeBoard, test};

    const START: Instant = Instant::from_seconds(1_800_000_000);

    #[test]
    fn one_that_begins_much_later_than_the_first_is_told_apart() {
        let board = FakeBoard::default();
        let digest = ConfigDigest::of(b"{}");
        let at = |seconds| START.after(Duration::from_secs(seconds));
        let begins = |seconds| began_before(&board, digest, at(seconds));
        assert_eq!([begins(0), begins(1), begins(60)], [None; 3]);
        assert_eq!(begins(61), Some(START));
        assert_eq!(began_before(&board, ConfigDigest::of(b"[]"), at(61)), None, "another one");
        assert_eq!(began_before(&board, None, at(61)), None);
        ends(&board, digest);
        assert_eq!([begins(100), begins(101)], [None; 2]);
        assert_eq!(begins(161), Some(at(100)));
    }
}
