//! What a request needs is fixed when it is submitted, with what its requester held until then.

use std::cmp::Reverse;

use super::Refused;
use crate::access::Access;
use crate::access::rules::{Facts, FixedNeeds, HeldTime, Needs};
use crate::config::{Config, Person};
use crate::store::Change;

/// What a request of these facts needs, with what its requester held.
pub(super) fn fix(
    access: &Access<'_>,
    asked: &Facts<'_>,
    held: Vec<HeldTime>,
) -> Result<FixedNeeds, Refused> {
    let needs = access.needs(&Facts { held: &held, ..asked.clone() })?;
    Ok(FixedNeeds { needs, held })
}

/// The same under the lock, where it is another one there.
pub(super) async fn fix_again(
    change: &mut Change,
    access: &Access<'_>,
    asked: &Facts<'_>,
    before: &FixedNeeds,
) -> Result<Option<FixedNeeds>, Refused> {
    let held = change.held_lately(asked.submitted_at, asked.requester).await?;
    if held == before.held {
        return Ok(None);
    }
    fix(access, asked, held).map(Some)
}

/// The names of as many approvers as there can be: the longest of those that are known.
pub(super) fn most_approvers(config: &Config, who: &Person, needs: &Needs) -> Vec<String> {
    let at_last = needs.clone().escalated(config, |_| true);
    let mut names = at_last.open_to(config, &who.name, &[]).names().to_vec();
    names.sort_unstable_by_key(|name| Reverse(name.len()));
    let longest = names.first().cloned();
    let most = needs.iter().flat_map(|need| &need.stages).map(|stage| stage.count).sum();
    names.into_iter().chain(longest.into_iter().cycle()).take(most).collect()
}
