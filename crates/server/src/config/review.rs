//! `review` of an approval rule: a person who took no part looks at a used grant once it has ended.

use breakglass_config_schema::{Object, Reader, object, one_of, or, parsed, required};

use crate::duration;

/// The shortest time for a review, in seconds.
const SHORTEST_S: i64 = 60 * 60;

/// The longest, in seconds.
const LONGEST_S: i64 = 90 * 24 * 60 * 60;

/// What follows where a review is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOverdue {
    /// It is told, once.
    Tells,
    /// It is told, and the next emergency of that person takes an approval.
    NeedsApproval,
}

const ON_OVERDUE: &[(&str, OnOverdue)] =
    &[("tells", OnOverdue::Tells), ("needs_approval", OnOverdue::NeedsApproval)];

object! {
    /// A [review](review.md) of each used grant that the rule matched, once the grant has ended, by a person who could have
    /// approved it and took no part.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ReviewAfterUse {
        /// How long after the end of the grant it is overdue: 1h to 90days.
        pub within: i64 = required(parsed("duration", within)),
        /// What follows then: `tells` says so once; with `needs_approval` the requester's emergencies take an approval as well for
        /// as long as it is overdue.
        pub overdue: OnOverdue = or("tells", on_overdue()),
    }
}

impl Object for ReviewAfterUse {}

impl ReviewAfterUse {
    /// That of an emergency which its requester took alone, where the rule says nothing of a review: within three days.
    pub const OF_EMERGENCY: ReviewAfterUse =
        ReviewAfterUse { within: 3 * 24 * 60 * 60, overdue: OnOverdue::Tells };
}

fn on_overdue() -> impl Reader<Value = OnOverdue> {
    one_of(ON_OVERDUE)
}

/// In seconds.
fn within(text: &str) -> Result<i64, String> {
    let seconds = duration::parse(text).map_err(|error| format!("{error}, got `{text}`"))?;
    match (SHORTEST_S..=LONGEST_S).contains(&seconds) {
        true => Ok(seconds),
        false => Err(format!("expected 1h to 90days, got `{text}`")),
    }
}
