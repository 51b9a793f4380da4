//! The requester takes a pending request back.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::State;
use serde_json::json;

use super::{OnlyRequester, Refused, locked};
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::store::Request;

/// Takes a pending request back.
///
/// # Errors
/// [`Refused`] if it is not `who`'s, or not pending.
pub async fn cancel(app: &App, who: &Person, now: Moment, id: &str) -> Result<Request, Refused> {
    let check = |request: &Request| {
        if request.requester != who.name {
            return Err(Refused::NotTheRequester(OnlyRequester::Cancel));
        }
        match request.state {
            State::Pending => Ok(()),
            state => Err(Refused::NotPending(state)),
        }
    };
    let (change, request) = locked::request(app, now, id, check).await?;
    let cancelled = change.cancel(now, &request).await?;
    let words = (Action::Cancel, EventType::Cancelled);
    let request = cancelled.commit(now, &who.name, words, json!({})).await?;
    app.changed(Action::Cancel, id);
    tracing::info!(request = id, requester = who.name, "cancelled");
    Ok(request)
}
