//! People who are no longer in the configuration: their grants end, and their pending requests.
//!
//! 1. A holder is somebody in the configuration, byte for byte: another spelling of the name is another person.
//! 2. What a person approved stays approved when that person leaves: it was right when it was done, and whoever
//!    thinks otherwise revokes it.
//! 3. Where the configuration says `keep_grants_of_leavers`, nothing ends, and the log says what goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use breakglass_api::evidence::Action;
use breakglass_api::trail::ServiceAction;
use serde_json::json;

use crate::app::App;
use crate::clock::Moment;
use crate::config::Config;
use crate::limits::MAX_LISTED_GRANTS;
use crate::store::{SERVICE, STEP, StoreError, Target};
use breakglass_audit::folded::Folded;

/// The reason of each revocation and each row of the trail.
pub const REASON: &str = ServiceAction::HolderLeft.word();

/// How often it looks again for what was approved meanwhile.
const ROUNDS: u32 = 10;

/// How long until it is tried again after a failure.
const RETRY: Duration = Duration::from_secs(5);

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

/// Why it was not all done. What was done stays so; the next call does the rest.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Ends the grants and the pending requests of people who are not in the configuration as it is now, in steps
/// whose work is bounded, and says so in the log and on the trail of the service.
///
/// # Errors
/// [`EndError`] if some of it is not done.
pub async fn end_grants(app: &App) -> Result<Ended, EndError> {
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

/// Calls [`end_grants`] until it has succeeded: for a start and a reload, which wait for nothing.
pub async fn until_done(app: App) {
    while let Err(cause) = end_grants(&app).await {
        tracing::error!(%cause, "people who are not in the configuration keep their grants until it works");
        tokio::time::sleep(RETRY).await;
    }
}

fn leavers(config: &Config, holders: Vec<String>) -> Vec<String> {
    let known: BTreeSet<&str> = config.people.iter().map(|person| person.name.as_str()).collect();
    holders.into_iter().filter(|name| !known.contains(name.as_str())).collect()
}

async fn end(app: &App, now: Moment, ended: &mut Ended) -> Result<(), EndError> {
    let store = app.store();
    // First, so that none of them is approved meanwhile.
    for request in store.cancel_all(now, &ended.people, REASON).await? {
        ended.cancelled = ended.cancelled.saturating_add(1);
        app.changed(Action::Cancel, &request);
    }
    let people: BTreeSet<&str> = ended.people.iter().map(String::as_str).collect();
    for _ in 0..ROUNDS {
        let mut grants: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for grant in store.matching(app.floor(), Target::All).await? {
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
                let step = store.revoke_step(now, chosen, SERVICE, REASON, target).await?;
                let count = step.revoked.len();
                ended.revoked = ended.revoked.saturating_add(count);
                if count > 0 {
                    app.revoked(count).await;
                }
            }
        }
    }
    Ok(())
}

/// Somebody who was only spelled in another way has lost what they held, and should know why.
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
