//! What a configuration opens is reported by one VM of a process, although every VM that polls is asked.
//!
//! That is not authenticated: no decision depends on it. A forger can keep a process from reporting, which the service
//! shows as a proxy whose scopes are not known.

use std::time::Duration;

use super::{Board, Written, first};
use crate::instant::Instant;

/// Whether it is for this VM to report the configuration with this digest now: none has begun to within this time.
/// Without a board each VM reports.
pub(crate) fn may_tell(board: &dyn Board, digest: &str, interval: Duration, now: Instant) -> bool {
    let place = format!("breakglass.told.{digest}");
    let there = board.read(&place);
    // A clock that was set back must not keep a report from being made.
    let is_recent = |at: Instant| at <= now && now.since(at) < interval;
    let told =
        there.as_ref().map(|(value, _)| Instant::from_millis(u64::from_le_bytes(first(value))));
    if told.is_some_and(is_recent) {
        return false;
    }
    let value = now.as_millis().to_le_bytes();
    board.write(&place, &value, there.map(|(_, version)| version)) != Written::Conflict
}
