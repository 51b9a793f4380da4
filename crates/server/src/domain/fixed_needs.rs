//! What a request needs is fixed when it is submitted, with what its requester held until then.

use std::cmp::Reverse;

use super::Refused;
use crate::access::emergency::EmergencyAsked;
use crate::access::rules::{EmergenciesLately, Facts, FixedNeeds, HeldTime, Needs};
use crate::access::{Access, SignIn};
use crate::clock::Moment;
use crate::config::{Config, Person};
use crate::store::{Change, Store, StoreError};

/// What a submission asks for, and who its requester is.
#[derive(Debug, Clone)]
pub(super) struct Asked<'a> {
    /// What conditions of rules are about, but for what the person held.
    pub(super) facts: Facts<'a>,
    /// Who asks.
    pub(super) who: &'a Person,
    /// How they signed in.
    pub(super) sign_in: &'a SignIn,
    /// Whether an incident is named.
    pub(super) has_incident: bool,
}

/// What of the past decides what a request needs: another request of the same person can change it until the lock is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lately {
    held: Vec<HeldTime>,
    emergencies: EmergenciesLately,
    incident_unchecked: bool,
    review_overdue: bool,
}

impl Lately {
    /// Before the lock, and before its incident is checked.
    pub(super) async fn of(store: &Store, asked: &Asked<'_>) -> Result<Lately, StoreError> {
        let (now, who) = (asked.facts.submitted_at, asked.facts.requester);
        let held = store.held_lately(now, who).await?;
        if !asked.facts.emergency {
            return Ok(Lately { held, ..Lately::default() });
        }
        let emergencies = store.emergencies_lately(now, who).await?;
        let review_overdue = store.has_overdue_review(now, who).await?;
        Ok(Lately { held, emergencies, incident_unchecked: false, review_overdue })
    }

    /// Under the lock, where it stays so.
    async fn under(
        change: &mut Change,
        asked: &Asked<'_>,
        incident_unchecked: bool,
    ) -> Result<Lately, StoreError> {
        let (now, who) = (asked.facts.submitted_at, asked.facts.requester);
        let held = change.held_lately(now, who).await?;
        if !asked.facts.emergency {
            return Ok(Lately { held, incident_unchecked, ..Lately::default() });
        }
        let emergencies = change.emergencies_lately(now, who).await?;
        let review_overdue = change.has_overdue_review(now, who).await?;
        Ok(Lately { held, emergencies, incident_unchecked, review_overdue })
    }
}

/// What a request needs, with what its requester held.
pub(super) fn fix(
    access: &Access<'_>,
    asked: &Asked<'_>,
    lately: &Lately,
    now: Moment,
) -> Result<FixedNeeds, Refused> {
    let Lately { held, emergencies, incident_unchecked, review_overdue } = lately;
    let facts = Facts { held, ..asked.facts.clone() };
    let emergency = EmergencyAsked {
        has_incident: asked.has_incident,
        incident_unchecked: *incident_unchecked,
        lately: emergencies,
        review_overdue: *review_overdue,
    };
    let (needs, emergency) =
        access.needs_of(&facts, &emergency, (asked.who, asked.sign_in), now)?;
    Ok(FixedNeeds { needs, held: held.clone(), emergency })
}

/// The same under the lock, where it is another one there. Whether the incident was checked is known by now.
pub(super) async fn fix_again(
    change: &mut Change,
    access: &Access<'_>,
    asked: &Asked<'_>,
    (before, incident_unchecked): (&Lately, bool),
    now: Moment,
) -> Result<Option<FixedNeeds>, Refused> {
    let lately = Lately::under(change, asked, incident_unchecked).await?;
    if lately == *before {
        return Ok(None);
    }
    fix(access, asked, &lately, now).map(Some)
}

/// The names of as many approvers as there can be: the longest of those that are known.
pub(super) fn most_approvers(config: &Config, who: &Person, fixed: &FixedNeeds) -> Vec<String> {
    if fixed.is_alone() {
        return Vec::new();
    }
    let needs: &Needs = &fixed.needs;
    let at_last = needs.clone().escalated(config, |_| true);
    let mut names = at_last.open_to(config, &who.name, &[]).names().to_vec();
    names.sort_unstable_by_key(|name| Reverse(name.len()));
    let longest = names.first().cloned();
    let most = needs.iter().flat_map(|need| &need.stages).map(|stage| stage.count).sum();
    names.into_iter().chain(longest.into_iter().cycle()).take(most).collect()
}
