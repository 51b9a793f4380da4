//! A complete answer of an identity provider without a group that a person had: the person's grants that need it end
//! (`holder_left`), in the transaction that writes the answer down.
//!
//! 1. A grant needs a group if one of its scopes can be asked for by that group, the requester was in it at submission, and is
//!    in no group now by which that scope can be asked for. That the configuration asks for other groups now, or calls those of
//!    the provider otherwise, ends nothing: a group is lost where the provider could have said it, and did not.
//! 2. That groups are not known is no evidence: nothing ends.
//! 3. Where many people lose one group within ten minutes, a mistake at the provider is as likely: the ends are held until an
//!    administrator confirms them ([`super::held_ends`]), the group is seen again, or the grants are over. More than
//!    [`MASS_LOSS_PEOPLE`], or more than [`MASS_LOSS_PERCENT`] % of the group, are many; [`MASS_LOSS_AT_LEAST`] are not. The
//!    first of them have lost their grants by then. While ends are held for a group, those of further people are held too.
//! 4. Where the configuration says `keep_grants_of_leavers`, nothing ends.

use std::collections::BTreeSet;

use breakglass_api::trail::ServiceAction;
use serde_json::{Value, json};

use super::said_groups;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Config;
use crate::limits::{
    MASS_LOSS_AT_LEAST, MASS_LOSS_PEOPLE, MASS_LOSS_PERCENT, MASS_LOSS_WITHIN_S, MAX_HELD_ENDS,
};
use crate::provider_groups::{GroupNames, GroupsAtProvider};
use crate::request_metrics::RevokedBy;
use crate::store::{
    Account, Change, Happened, Request, Revocations, SERVICE, STEP, ServiceAct, StoreError, Target,
};

/// What follows from an answer, to be written down with it.
#[derive(Debug, Default)]
pub(super) struct GroupsLost {
    /// The grants that ended.
    pub(super) revoked: Vec<String>,
    /// Whether ends are held now, or no longer, that were not before.
    pub(super) changes_held: bool,
    revocations: Vec<(i64, i64, Value)>,
    acts: Vec<(ServiceAction, Value)>,
}

impl GroupsLost {
    /// What the trail says of it.
    pub(super) fn happened(&self) -> impl Iterator<Item = Happened<'_>> {
        let revocations = self.revocations.iter().map(|(after, last, detail)| {
            let (after, last, detail) = (*after, *last, detail.clone());
            Happened::Revocations(Revocations { actor: SERVICE, after, last, detail })
        });
        let acts = self.acts.iter().map(|(action, detail)| {
            Happened::Service(ServiceAct { actor: SERVICE, action: *action, detail })
        });
        revocations.chain(acts)
    }
}

/// Notes what `account` lost by the answer that it has, and ends the grants that needed it. `before` is the account as it was.
///
/// # Errors
/// [`StoreError`] if the database does not do it.
pub(super) async fn judge(
    app: &App,
    change: &mut Change,
    now: Moment,
    account: &Account,
    before: Option<&Account>,
) -> Result<GroupsLost, StoreError> {
    let mut result = GroupsLost::default();
    let config = app.config();
    let Some(answer) = Answer::of(&config, account) else { return Ok(result) };
    let since = Moment::from_seconds(now.seconds().saturating_sub(MASS_LOSS_WITHIN_S));
    let name = &account.name;
    result.changes_held = change.forget_losses(name, &answer.here(), (now, since)).await? > 0;
    let grants = change.grants_of(now, app.floor(), name).await?;
    for group in lost(&config, &answer, before, &grants) {
        if change.is_loss_noted(name, &group).await? {
            continue;
        }
        change.note_loss(now, name, &group, None).await?;
        let losses = change.group_losses(&group, since).await?;
        let recent = usize::try_from(losses.recent).unwrap_or(usize::MAX);
        let others = recent.saturating_sub(1);
        let members = config.people.count_in_group(&group).saturating_add(others);
        let limit = limit(members);
        if recent == limit.saturating_add(1) && losses.held == 0 {
            let detail = json!({
                "group": group, "provider": account.provider, "people": recent, "members": members,
            });
            result.acts.push((ServiceAction::MassLoss, detail));
        }
        let needing = grants.iter().filter(|grant| needs(&config, &answer, grant, &group));
        let until = needing.filter_map(|grant| grant.expires_at).max();
        if until.is_some() && (recent > limit || losses.held > 0) {
            change.note_loss(now, name, &group, until).await?;
            result.changes_held = true;
        }
    }
    end(app, change, now, (account, &grants), &mut result).await?;
    Ok(result)
}

/// Ends those of `grants` that need a group which the person lost, unless their end is held.
///
/// # Errors
/// [`StoreError`] if the database does not do it.
pub(super) async fn end(
    app: &App,
    change: &mut Change,
    now: Moment,
    (account, grants): (&Account, &[Request]),
    result: &mut GroupsLost,
) -> Result<(), StoreError> {
    let (config, name) = (app.config(), &account.name);
    let Some(answer) = Answer::of(&config, account) else { return Ok(()) };
    let held = change.held_groups(now, name).await?;
    let mut lost = BTreeSet::new();
    let mut ids = Vec::new();
    for grant in grants {
        let scopes = lost_scopes(&config, &answer, grant);
        let ends = |causes: &BTreeSet<&String>| !causes.iter().any(|group| held.contains(group));
        let causes: Vec<_> = scopes.into_iter().filter(ends).collect();
        if let (false, Some(jti)) = (causes.is_empty(), &grant.jti) {
            ids.push(jti.clone());
            lost.extend(causes.into_iter().flatten().cloned());
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    if config.keep_grants_of_leavers {
        tracing::warn!(
            holder = name,
            grants = ids.len(),
            "a person who lost a group keeps the grants that need it, as `keep_grants_of_leavers` says"
        );
        return Ok(());
    }
    let reason = ServiceAction::HolderLeft.word();
    for ids in ids.chunks(STEP) {
        let step = change.revoke(now, ids, SERVICE, reason).await?;
        let target = Target::Subject(name).describe();
        let detail = json!({ "reason": reason, "match": target, "groups": lost });
        result.revocations.push((step.after, step.epoch, detail));
        result.revoked.extend(step.revoked);
    }
    let detail = json!({
        "people": [name], "count": 1, "revoked": ids.len(), "cancelled": 0, "groups": lost,
    });
    result.acts.push((ServiceAction::HolderLeft, detail));
    Ok(())
}

/// After the commit: the feed, the log and what is known of held ends.
pub(super) async fn committed(app: &App, account: &str, result: &GroupsLost) {
    if !result.revoked.is_empty() {
        let revoked = result.revoked.len();
        tracing::warn!(
            holder = account,
            revoked,
            "a person lost a group at the identity provider: the grants that need it ended (holder_left)"
        );
        app.revoked(RevokedBy::HolderLeft, revoked).await;
    }
    for (_, detail) in result.acts.iter().filter(|(action, _)| *action == ServiceAction::MassLoss) {
        tracing::warn!(
            %detail,
            "many people lost a group within ten minutes: their grants that need it go on until an administrator confirms \
             with `breakglass held-ends confirm` that they end, or the group is seen again; new requests and \
             approvals by them are refused"
        );
    }
    if result.changes_held {
        look(app).await;
    }
}

/// Brings the memory of held ends up to date with the database.
pub async fn look(app: &App) {
    match app.store().held_ends(app.now(), MAX_HELD_ENDS).await {
        Ok(ends) => {
            app.metrics().service().held_ends(ends.len());
            app.held_ends().put(ends);
        }
        Err(cause) => tracing::warn!(%cause, "which ends of grants are held is not known anew"),
    }
}

/// How many people of a group of `members` may lose it within the time, without its being many.
fn limit(members: usize) -> usize {
    let share = members.saturating_mul(MASS_LOSS_PERCENT) / 100;
    share.clamp(MASS_LOSS_AT_LEAST, MASS_LOSS_PEOPLE)
}

/// A complete answer about a person, by the names that groups have here.
struct Answer<'a> {
    names: GroupNames,
    said: &'a GroupsAtProvider,
}

impl<'a> Answer<'a> {
    /// Nothing where the provider did not say the groups, or is not in the configuration any more.
    fn of(config: &Config, account: &'a Account) -> Option<Answer<'a>> {
        let (names, said) = config.group_names(&account.provider).zip(account.groups.as_ref())?;
        Some(Answer { names, said })
    }

    fn here(&self) -> Vec<String> {
        self.names.here(self.said)
    }

    fn has(&self, group: &str) -> bool {
        self.names.has(self.said, group)
    }

    fn lacks(&self, group: &str) -> bool {
        self.names.lacks(self.said, group)
    }
}

/// The groups that the person had and has no more, of those that open a scope.
fn lost(
    config: &Config,
    answer: &Answer<'_>,
    before: Option<&Account>,
    grants: &[Request],
) -> BTreeSet<String> {
    let known = before.and_then(|before| said_groups::here(config, before)).unwrap_or_default();
    let had = known.iter().chain(grants.iter().flat_map(|grant| &grant.requester_groups));
    let opens = |group: &&String| config.scopes.iter().any(|one| one.requesters.contains(group));
    had.filter(|group| answer.lacks(group)).filter(opens).cloned().collect()
}

/// Of each scope of the grant that the person may not ask for any more, the lost groups by which it was asked for.
fn lost_scopes<'a>(
    config: &'a Config,
    answer: &Answer<'_>,
    grant: &Request,
) -> Vec<BTreeSet<&'a String>> {
    let scopes = grant.held_scopes().iter().filter_map(|name| config.scope(name));
    let lost = scopes.filter(|one| !one.requesters.iter().any(|group| answer.has(group)));
    let causes = lost.map(|one| {
        let had = |group: &&String| grant.requester_groups.contains(group) && answer.lacks(group);
        one.requesters.iter().filter(had).collect::<BTreeSet<&String>>()
    });
    causes.filter(|causes| !causes.is_empty()).collect()
}

fn needs(config: &Config, answer: &Answer<'_>, grant: &Request, group: &String) -> bool {
    lost_scopes(config, answer, grant).iter().any(|causes| causes.contains(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_is_more_than_ten_or_five_percent_and_never_two() {
        for (members, expected) in
            [(1, 2), (39, 2), (59, 2), (60, 3), (199, 9), (200, 10), (9000, 10)]
        {
            assert_eq!(limit(members), expected, "{members}");
        }
    }
}
