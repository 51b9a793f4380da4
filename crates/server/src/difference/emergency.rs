//! What a requester takes alone in an emergency, before and after.

use super::effect::Effect;
use crate::config::EmergencyRule;
use crate::duration;

/// The changes of a rule's `emergency`, in words that follow the rule's name.
pub(super) fn changes(
    old: Option<&EmergencyRule>,
    new: Option<&EmergencyRule>,
) -> Vec<(Effect, String)> {
    let (old, new) = match (old, new) {
        (None, None) => return Vec::new(),
        (None, Some(_)) => {
            let words = "lets requesters take grants alone in an emergency";
            return vec![(Effect::Grants, words.to_owned())];
        }
        (Some(_), None) => {
            let words = "lets no requester take a grant alone any more";
            return vec![(Effect::TakesAway, words.to_owned())];
        }
        (Some(old), Some(new)) => (old, new),
    };
    // Taken apart by name, so that a new field has to be put in its place here.
    let EmergencyRule { max_duration, at_most, sign_in } = new;
    let more = |is_more: bool| if is_more { Effect::Grants } else { Effect::TakesAway };
    let mut changes = Vec::new();
    if old.max_duration != *max_duration {
        let (now, before) = (duration::format(*max_duration), duration::format(old.max_duration));
        let words = format!("is taken alone for {now} at most, before for {before}");
        changes.push((more(*max_duration > old.max_duration), words));
    }
    if old.at_most != *at_most {
        let words = format!("is taken alone {at_most} times in 24 hours, before {}", old.at_most);
        changes.push((more(*at_most > old.at_most), words));
    }
    if old.sign_in != *sign_in {
        // Of another level it is not known whether it is the stronger one.
        let ages = [sign_in.max_age, old.sign_in.max_age].map(|age| age.unwrap_or(i64::MAX));
        let [age, before] = ages;
        let is_more = old.sign_in.level != sign_in.level || age > before;
        let words =
            format!("takes a sign-in at {sign_in} in an emergency, before at {}", old.sign_in);
        changes.push((more(is_more), words));
    }
    changes
}
