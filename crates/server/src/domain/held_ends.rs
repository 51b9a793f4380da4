//! Ends of grants that are held, because many people lost a group at once ([`super::groups_lost`]): which, and that they are
//! right after all.

use breakglass_api::trail::ServiceAction;
use serde_json::json;

use super::groups_lost::{self, GroupsLost};
use super::{Refused, WrongField};
use crate::access::Access;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::limits::MAX_HELD_ENDS;
use crate::request_metrics::RevokedBy;
use crate::store::{Happened, HeldEnd, ServiceAct};

/// How many people one change is about: no other change waits for longer than that takes.
const PEOPLE: i64 = 50;

/// What was confirmed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// Of how many people.
    pub people: usize,
    /// How many grants ended.
    pub revoked: usize,
    /// Of how many people the groups are not known now, so that their ends stay held.
    pub left: usize,
}

/// The people whose ends are held, by group and name.
///
/// # Errors
/// [`Refused`] if `who` is no administrator.
pub async fn held_ends(app: &App, who: &Person) -> Result<Vec<HeldEnd>, Refused> {
    Access::of(&app.config()).check_administrator(who)?;
    Ok(app.store().held_ends(app.now(), MAX_HELD_ENDS).await?)
}

/// Lets the grants end that are held for `group`.
///
/// # Errors
/// [`Refused`] if `who` is no administrator, or none is held.
pub async fn confirm(
    app: &App,
    who: &Person,
    now: Moment,
    group: &str,
) -> Result<Confirmed, Refused> {
    Access::of(&app.config()).check_administrator(who)?;
    let mut done = Confirmed::default();
    let mut after = String::new();
    loop {
        let mut change = app.store().change().await?;
        let people = change.held_for(now, group, &after, PEOPLE).await?;
        let Some(last) = people.last() else {
            change.abandon().await?;
            break;
        };
        after.clone_from(last);
        let mut result = GroupsLost::default();
        let mut confirmed = Vec::new();
        for name in &people {
            // Of a person whose groups are not known the evidence is gone.
            let account = change.account(name).await?.filter(|account| account.groups.is_some());
            let Some(account) = account else {
                done.left = done.left.saturating_add(1);
                continue;
            };
            change.note_loss(now, name, group, None).await?;
            let grants = change.grants_of(now, app.floor(), name).await?;
            groups_lost::end(app, &mut change, now, (&account, &grants), &mut result).await?;
            confirmed.push(name);
        }
        if confirmed.is_empty() {
            change.abandon().await?;
            continue;
        }
        let revoked = result.revoked.len();
        let detail = json!({ "group": group, "people": confirmed, "revoked": revoked });
        let action = ServiceAction::HeldEndsConfirmed;
        let act = ServiceAct { actor: &who.name, action, detail: &detail };
        let mut happened = vec![Happened::Service(act)];
        happened.extend(result.happened());
        change.record(now, &happened).await?.commit().await?;
        done.people = done.people.saturating_add(confirmed.len());
        done.revoked = done.revoked.saturating_add(revoked);
        if revoked > 0 {
            app.revoked(RevokedBy::HolderLeft, revoked).await;
        }
    }
    groups_lost::look(app).await;
    if done.people == 0 && done.left == 0 {
        let expected =
            "expected a group for which ends are held: `breakglass held-ends` lists them";
        let wrong = WrongField { field: "group".to_owned(), expected: expected.to_owned() };
        return Err(Refused::Fields(vec![wrong]));
    }
    let Confirmed { people, revoked, left } = done;
    tracing::warn!(group, people, revoked, left, actor = who.name, "held ends confirmed");
    Ok(done)
}
