//! People who are no longer in the configuration: their grants end, and their pending requests.
//!
//! 1. A holder is a person of the configuration, or of an identity provider that is in it, byte for byte: another spelling
//!    of the name is another person. That a provider says less of a person than before ends nothing.
//! 2. What a person approved stays approved when that person leaves: it was right when it was done, and an
//!    approver who thinks otherwise revokes it.
//! 3. Where the configuration says `keep_grants_of_leavers`, nothing ends, and the log says what goes on.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::State;
use breakglass_api::trail::ServiceAction;
use breakglass_audit::folded::Folded;
use serde_json::json;

use super::kill::{self, ROUNDS};
use crate::app::App;
use crate::clock::Moment;
use crate::config::Config;
use crate::limits::MAX_LISTED_GRANTS;
use crate::request_metrics::RevokedBy;
use crate::store::{Happened, OfRequest, SERVICE, STEP, StoreError, Target};

/// The reason of each revocation and each row of the trail.
const REASON: &str = ServiceAction::HolderLeft.word();

/// How many requests one change cancels.
const CANCEL_STEP: usize = 100;

/// How many names the log has.
const LOGGED: usize = 20;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// The people who hold or ask for something and are not in the configuration.
    pub people: Vec<String>,
    /// How many grants were revoked.
    pub revoked: usize,
    /// How many pending requests were cancelled.
    pub cancelled: usize,
}

/// Ends the grants and the pending requests of people who are not in the configuration as it is now, in steps
/// whose work is bounded, and says so in the log and on the trail of the service.
///
/// # Errors
/// [`StoreError`] if some of it is not done. What was done stays so; the next call does the rest.
pub async fn end_holders(app: &App) -> Result<Ended, StoreError> {
    let now = app.now();
    let config = app.config();
    let people = leavers(&config, app.store().holders(app.floor(), now).await?);
    let mut ended = Ended { people, ..Ended::default() };
    if ended.people.is_empty() {
        return Ok(ended);
    }
    say_look_alikes(&config, &ended.people);
    if config.keep_grants_of_leavers {
        let (count, holders) = (ended.people.len(), named(&ended.people));
        tracing::warn!(
            count,
            holders,
            "people who are not in the configuration keep their grants, as `keep_grants_of_leavers` says"
        );
        return Ok(ended);
    }
    let done = end(app, now, &mut ended).await;
    let Ended { people, revoked, cancelled } = &ended;
    let holders = named(people);
    tracing::warn!(
        revoked,
        cancelled,
        count = people.len(),
        holders,
        "people who are not in the configuration lost their grants ({REASON})"
    );
    done?;
    let listed = people.get(..MAX_LISTED_GRANTS).unwrap_or(people);
    let detail = json!({
        "people": listed, "count": people.len(), "revoked": revoked, "cancelled": cancelled,
    });
    app.store().note_act(now, SERVICE, ServiceAction::HolderLeft, &detail).await?;
    Ok(ended)
}

fn leavers(config: &Config, holders: Vec<String>) -> Vec<String> {
    holders.into_iter().filter(|name| config.people.get(name).is_none()).collect()
}

async fn end(app: &App, now: Moment, ended: &mut Ended) -> Result<(), StoreError> {
    // First, so that none of them is approved meanwhile.
    let pending = app.store().pending_of_people(now, &ended.people).await?;
    for ids in pending.chunks(CANCEL_STEP) {
        ended.cancelled = ended.cancelled.saturating_add(cancel(app, now, ids).await?);
    }
    let people: BTreeSet<&str> = ended.people.iter().map(String::as_str).collect();
    for _ in 0..ROUNDS {
        let mut grants: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for grant in app.store().matching(app.floor(), Target::All).await? {
            if people.contains(grant.requester.as_str()) {
                grants.entry(grant.requester).or_default().push(grant.jti);
            }
        }
        if grants.is_empty() {
            break;
        }
        for (holder, grants) in &grants {
            for chosen in grants.chunks(STEP) {
                let target = Target::Subject(holder);
                let how = RevokedBy::HolderLeft;
                let step = kill::step(app, now, chosen, SERVICE, REASON, target, how).await?;
                ended.revoked = ended.revoked.saturating_add(step.revoked.len());
            }
        }
    }
    Ok(())
}

/// Cancels those of these requests that wait, and returns how many.
async fn cancel(app: &App, now: Moment, ids: &[String]) -> Result<usize, StoreError> {
    let mut change = app.store().change().await?;
    let mut cancelled = Vec::new();
    for id in ids {
        let request = change.request(now, id).await?;
        if let Some(request) = request.filter(|request| request.state == State::Pending) {
            change.cancel_one(now, &request).await?;
            cancelled.push(request);
        }
    }
    if cancelled.is_empty() {
        change.abandon().await?;
        return Ok(0);
    }
    let words = (Action::Cancel, EventType::Cancelled);
    let happened: Vec<Happened<'_>> = cancelled
        .iter()
        .map(|one| {
            Happened::Request(OfRequest::new(SERVICE, words, one, json!({ "reason": REASON })))
        })
        .collect();
    change.record(now, &happened).await?.commit().await?;
    for request in &cancelled {
        app.changed(Action::Cancel, &request.id);
    }
    Ok(cancelled.len())
}

/// A person who was only spelled in another way has lost what they held, and should know why.
fn say_look_alikes(config: &Config, people: &[String]) {
    for name in people {
        let folded = Folded::new(name);
        if let Some(person) = config.people.iter().find(|person| folded.is(&person.name)) {
            tracing::warn!(
                holder = name,
                configured = person.name,
                "the holder's name is in the configuration in another spelling, which is another person"
            );
        }
    }
}

fn named(people: &[String]) -> String {
    let listed = people.get(..LOGGED).unwrap_or(people).join(", ");
    match people.len().checked_sub(LOGGED) {
        Some(more) if more > 0 => format!("{listed} and {more} more"),
        _ => listed,
    }
}
