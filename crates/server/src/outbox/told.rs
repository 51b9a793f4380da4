//! Whether those who may approve a request were told of it: the deliveries of its submission, and how long an answer waits for
//! them.

use std::time::Duration;

use breakglass_api::events::EventType;
use breakglass_api::told::{ChannelState, Told};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::counts::told;
use super::list::Delivered;
use super::takers::expected;
use crate::access::Approvers;
use crate::app::App;
use crate::config::{Config, Sink};
use crate::needed;
use crate::sinks::Notice;
use crate::sinks::notice::{Asked, ToApprove};
use crate::store::{Request, StoreError};

/// How long the answer to a submission waits for its deliveries to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many of the approvers of this request were reached until now.
///
/// # Errors
/// [`StoreError`] if a database cannot tell.
pub async fn told_of(
    app: &App,
    request: &Request,
    approvers: &Approvers,
) -> Result<Told, StoreError> {
    let config = app.config();
    let deliveries = match config.tells_approvers() {
        true => deliveries(app, &config, request).await?,
        false => Vec::new(),
    };
    let needed = needed::of_request(&config, request, app.now());
    let groups = needed.needs.groups().collect();
    Ok(told(&config, approvers, &groups, &deliveries))
}

/// Waits until what approvers are told of this submission was delivered or given up, but not for long. Nothing is locked
/// meanwhile, and no connection to a database is held.
pub async fn wait_until_told(app: &App, request: &Request) {
    if app.config().tells_approvers() {
        // Too long, or a failure: what the answer says then is what is known.
        let _ = timeout(PATIENCE, ended(app, request)).await;
    }
}

async fn ended(app: &App, request: &Request) -> Result<(), StoreError> {
    let Some((place, event)) = app.store().submission(&request.id).await? else { return Ok(()) };
    // Before the first look, so that no end falls between the two.
    let mut ends = app.outbox().ends();
    let mut read = app.outbox().read_up_to();
    // The service ends.
    let Ok(_) = read.wait_for(|read| *read >= place).await else { return Ok(()) };
    drop(read);
    loop {
        let config = app.config();
        let rows = app.outbox().deliveries_of(&event).await?;
        if !rows.iter().any(|one| matters(&config, one) && one.state == ChannelState::Waiting) {
            return Ok(());
        }
        loop {
            match ends.recv().await {
                Ok(ended) if ended != event => {}
                Ok(_) | Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

/// The deliveries of the submission, and of what asked further people later; where it was not read yet, those that it is to have.
async fn deliveries(
    app: &App,
    config: &Config,
    request: &Request,
) -> Result<Vec<Delivered>, StoreError> {
    let Some((place, event)) = app.store().submission(&request.id).await? else {
        return Ok(Vec::new());
    };
    // Before the look at the rows, which are there once it was read.
    let is_read = *app.outbox().read_up_to().borrow() >= place;
    let mut rows = app.outbox().deliveries_of(&event).await?;
    if is_read || !rows.is_empty() {
        for later in app.store().asked_later(&request.id).await? {
            rows.extend(app.outbox().deliveries_of(&later).await?);
        }
        return Ok(rows);
    }
    let expected = expected(config, &notice(request)).into_iter();
    let state = ChannelState::Waiting;
    Ok(expected.map(|one| Delivered { sink: one.sink, person: one.person, state }).collect())
}

/// Whether it tells an approver.
fn matters(config: &Config, delivery: &Delivered) -> bool {
    config.sink(&delivery.sink).is_some_and(Sink::tells_approvers)
}

/// The submission, as far as it matters to whom it goes.
fn notice(request: &Request) -> Notice {
    Notice {
        id: String::new(),
        time_ms: 0,
        kind: EventType::Submitted.word().to_owned(),
        actor: request.requester.clone(),
        request: Some(request.id.clone()),
        audience: Some(request.audience.clone()),
        subject: Some(request.requester.clone()),
        incident: request.incident.clone(),
        grant: None,
        data: Value::Null,
        asked: Some(Asked {
            requester: request.requester.clone(),
            scopes: request.scopes.clone(),
            opens: Vec::new(),
            reason: String::new(),
            duration_s: request.duration_s,
            emergency: request.emergency,
        }),
        to_approve: ToApprove {
            submitted_at: request.submitted_at,
            needs: request.needs.clone(),
            approvals: request.approvals.clone(),
        },
    }
}
