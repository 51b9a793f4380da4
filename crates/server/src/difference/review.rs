//! The review that an approval rule asks for, before and after: it gives no access, and what watches over it counts.

use super::effect::Effect;
use crate::config::{OnOverdue, ReviewAfterUse};
use crate::duration;

/// What each change does to rights, and in words that follow the rule's name.
pub(super) fn changes(
    old: Option<&ReviewAfterUse>,
    new: Option<&ReviewAfterUse>,
) -> Vec<(Effect, String)> {
    let mut changes = Vec::new();
    match (old, new) {
        (None, None) => {}
        (None, Some(ReviewAfterUse { within, .. })) => {
            let within = duration::format(*within);
            let words = format!("asks for a review of used grants within {within}");
            changes.push((Effect::TakesAway, words));
        }
        (Some(_), None) => {
            changes.push((Effect::Grants, "asks for no review of used grants any more".to_owned()));
        }
        (Some(old), Some(ReviewAfterUse { within, overdue })) => {
            if old.within != *within {
                let effect = if *within < old.within { Effect::TakesAway } else { Effect::Grants };
                let [now, before] = [*within, old.within].map(duration::format);
                changes.push((effect, format!("asks for a review within {now}, before {before}")));
            }
            match (old.overdue, overdue) {
                (OnOverdue::Tells, OnOverdue::NeedsApproval) => changes.push((
                    Effect::TakesAway,
                    "lets emergencies wait for an approval while a review is overdue".to_owned(),
                )),
                (OnOverdue::NeedsApproval, OnOverdue::Tells) => changes.push((
                    Effect::Grants,
                    "lets no emergency wait while a review is overdue".to_owned(),
                )),
                (OnOverdue::Tells, OnOverdue::Tells)
                | (OnOverdue::NeedsApproval, OnOverdue::NeedsApproval) => {}
            }
        }
    }
    changes
}
