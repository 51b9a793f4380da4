//! `escalate` of an approval rule: who is asked besides, the longer a request waits.

use breakglass_config_schema::{
    Object, Place, Reader as _, list, object, optional, parsed, required,
};

use super::read::{bounded_duration, distinct, name};
use super::schedule::Schedule;
use crate::clock::Moment;

/// The most entries of one rule.
const MAX_ENTRIES: usize = 8;

object! {
    /// Who is asked besides, once a request has waited for so long.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Escalation {
        /// How long after its submission, at most a day, such as `5m`.
        pub after: i64 = required(parsed("duration", bounded_duration)),
        /// The groups whose members may approve from then on: each stage of the rule names them too.
        pub to: Vec<String> = required(list(parsed("group", name)).and_then(distinct)),
        /// On which days, at which hours it is reached: a request whose time has come outside of them reaches it once they begin.
        pub between: Option<Schedule> = optional("at any time", object()),
    }
}

impl Object for Escalation {}

impl Escalation {
    /// When a request that was submitted then, in seconds since 1970, reaches it; nothing where it does not until `until`.
    #[must_use]
    pub fn reached_at(&self, submitted_at: i64, until: Moment) -> Option<Moment> {
        let due = Moment::from_seconds(submitted_at.saturating_add(self.after));
        match &self.between {
            None => (due <= until).then_some(due),
            Some(schedule) => schedule.first_inside(due, until),
        }
    }
}

/// The entries of a rule are in the order in which they are reached.
pub(super) fn in_order(entries: Vec<Escalation>, place: &Place<'_>) -> Option<Vec<Escalation>> {
    if entries.len() > MAX_ENTRIES {
        return place.error(format!("expected at most {MAX_ENTRIES}, got {}", entries.len()));
    }
    let pairs = (1_usize..).zip(entries.iter().zip(entries.iter().skip(1)));
    let mut clean = Some(());
    for (index, (before, after)) in pairs {
        if after.after <= before.after {
            clean = place
                .item(index)
                .field("after")
                .error("expected more than the entry before it has: they are in the order in which they are reached");
        }
    }
    clean.map(|()| entries)
}
