//! Time goes by: a request was not decided in time, or a grant was not activated in time.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::State;
use serde_json::json;

use crate::app::App;
use crate::clock::Moment;
use crate::store::{Happened, OfRequest, SERVICE, StoreError};

/// The most requests that one step marks.
const STEP: i64 = 500;

/// Marks what has lapsed by now, at most so many that no other change waits for long, so that no clock that goes back
/// revives it. Returns how many.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: then none of it is done.
pub async fn lapse(app: &App, now: Moment) -> Result<usize, StoreError> {
    // Nothing to do, most of the time: that takes no lock.
    let due = app.store().due(now, STEP).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let mut change = app.store().change().await?;
    let mut lapsed = Vec::new();
    for id in &due {
        // Decided meanwhile, or marked by another process.
        let request = change.request(now, id).await?;
        let over = |state, marked: Option<i64>| state == State::Lapsed && marked.is_none();
        let Some(request) = request.filter(|one| over(one.state, one.lapsed_at)) else { continue };
        change.lapse(now, &request).await?;
        lapsed.push(request);
    }
    if lapsed.is_empty() {
        change.abandon().await?;
        return Ok(0);
    }
    let happened: Vec<Happened<'_>> = lapsed
        .iter()
        .map(|request| {
            let words = (Action::Lapse, EventType::Lapsed);
            let of = if request.jti.is_some() { "grant" } else { "request" };
            Happened::Request(OfRequest::new(SERVICE, words, request, json!({ "of": of })))
        })
        .collect();
    change.record(now, &happened).await?.commit().await?;
    for request in &lapsed {
        app.changed(Action::Lapse, &request.id);
    }
    Ok(lapsed.len())
}
