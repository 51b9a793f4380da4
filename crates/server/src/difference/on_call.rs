//! Who says who is on call, before and after.

use super::effect::Effect;
use crate::config::OnCallSource;

/// What another `on_call` does to rights, and in words.
pub(super) fn source(
    old: Option<&OnCallSource>,
    new: Option<&OnCallSource>,
) -> (Effect, &'static str) {
    match (old, new) {
        (Some(old), Some(new)) if says_alike(old, new) => {
            (Effect::Neutral, "is reached in another way, and says the same")
        }
        (None, Some(_)) => {
            (Effect::Grants, "is there: people on call may approve where they are named")
        }
        // The groups that are called so are then groups like others.
        (_, None) => {
            (Effect::Grants, "is gone: a group that is called as a schedule is one like others")
        }
        (Some(_), Some(_)) => (Effect::Grants, "is another one, or counts for another time"),
    }
}

/// Whether the same people are on call by both.
fn says_alike(old: &OnCallSource, new: &OnCallSource) -> bool {
    let OnCallSource {
        url,
        insecure,
        headers,
        authorization_file: _,
        list,
        person,
        every,
        valid_for,
        timeout: _,
        ca_file: _,
        proxy: _,
    } = new;
    old.url == *url
        && old.insecure == *insecure
        && old.headers == *headers
        && old.list == *list
        && old.person == *person
        && old.every == *every
        && old.valid_for == *valid_for
}
