//! Incidents, before and after: whether a scope needs one, and by what it is checked.

use std::cmp::Ordering;

use super::effect::Effect;
use crate::config::{IncidentCheck, IncidentNeed};

/// What another need of a scope does to rights, and in words that follow the scope's name.
pub(super) fn need(old: IncidentNeed, new: IncidentNeed) -> Option<(Effect, String)> {
    let effect = match new.cmp(&old) {
        Ordering::Equal => return None,
        Ordering::Greater => Effect::TakesAway,
        Ordering::Less => Effect::Grants,
    };
    Some((effect, format!("takes an incident as `{}`, before as `{}`", new.word(), old.word())))
}

/// What another `incident_check` does to rights, and in words.
pub(super) fn source(
    old: Option<&IncidentCheck>,
    new: Option<&IncidentCheck>,
) -> (Effect, &'static str) {
    match (old, new) {
        (Some(old), Some(new)) if decides_alike(old, new) => {
            (Effect::Neutral, "is reached in another way, and decides the same")
        }
        (None, Some(_)) => (Effect::TakesAway, "is there: incidents are checked"),
        (_, None) => (Effect::Grants, "is gone: no incident is checked"),
        // Which of two lets more through cannot be told.
        (Some(_), Some(_)) => (Effect::Grants, "is another one: what counts as open and whose"),
    }
}

/// Whether the same incidents are good by both, and the same follows from silence and from a close.
fn decides_alike(old: &IncidentCheck, new: &IncidentCheck) -> bool {
    let IncidentCheck {
        url,
        insecure,
        headers,
        authorization_file: _,
        state,
        owner,
        opened_by,
        silent,
        until_closed,
        grace,
        timeout: _,
        ca_file: _,
        proxy: _,
    } = new;
    old.url == *url
        && old.insecure == *insecure
        && old.headers == *headers
        && old.state == *state
        && old.owner == *owner
        && old.opened_by == *opened_by
        && old.silent == *silent
        && old.until_closed == *until_closed
        && old.grace == *grace
}
