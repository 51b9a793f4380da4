//! No approver was reached by what the sinks were told of a request: the event says so, once for each request.

use breakglass_api::events::EventType;
use serde_json::json;

use crate::app::App;
use crate::clock::Moment;
use crate::needed;
use crate::outbox::told_of;
use crate::store::{Happened, Noticed, State, StoreError};

/// The most requests that one step judges.
const STEP: i64 = 100;

/// Says it of the pending requests of which it is to be said by now. Returns of how many it was said.
///
/// # Errors
/// [`StoreError`] if a database does not do all of it: what is left is done by the next step.
pub async fn say_unreached(app: &App, now: Moment) -> Result<usize, StoreError> {
    let mut said = 0_usize;
    for id in app.outbox().to_judge(now, STEP).await? {
        if is_unreached(app, now, &id).await? {
            said = said.saturating_add(1);
        }
        // Afterwards: a process that is killed in between finds the event.
        app.outbox().judged(&id).await?;
    }
    Ok(said)
}

/// Whether it was said of this request now.
async fn is_unreached(app: &App, now: Moment, id: &str) -> Result<bool, StoreError> {
    let is_pending = |state: State| state == State::Pending;
    let Some(request) = app.store().request(now, id).await?.filter(|one| is_pending(one.state))
    else {
        return Ok(false);
    };
    let config = app.config();
    if !config.tells_approvers() {
        return Ok(false);
    }
    let approvers = needed::approvers(&config, &request, now);
    let told = told_of(app, &request, &approvers).await?;
    if told.is_any_reached() {
        return Ok(false);
    }
    let (mut change, request) = app.store().change_of(now, id).await?;
    let Some(request) = request.filter(|one| is_pending(one.state)) else {
        change.abandon().await?;
        return Ok(false);
    };
    if change.has_event(id, EventType::Unreached).await? {
        change.abandon().await?;
        return Ok(false);
    }
    let data = json!({ "known": told.known, "members": told.members });
    let noticed = Noticed { event: EventType::Unreached, request: &request, data };
    change.record(now, &[Happened::Noticed(noticed)]).await?.commit().await?;
    app.noted();
    tracing::warn!(
        request = id,
        requester = request.requester,
        known = told.known,
        "no approver was reached"
    );
    Ok(true)
}
