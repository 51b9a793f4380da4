//! Another person says no.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::State;
use serde_json::json;

use super::waited::answered;
use super::{Refused, held, locked};
use crate::access::Access;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::store::Request;

/// Denies a pending request.
///
/// # Errors
/// [`Refused`] if `who` may not, or it is not pending.
pub async fn deny(
    app: &App,
    who: &Person,
    now: Moment,
    id: &str,
    reason: &str,
) -> Result<Request, Refused> {
    let check = |request: &Request| {
        Access::of(&app.config()).check_deny(who, &held::request(request))?;
        match request.state {
            State::Pending => Ok(()),
            state => Err(Refused::NotPending(state)),
        }
    };
    let (change, request) = locked::request(app, now, id, check).await?;
    let denied = change.deny(now, &request, &who.name, reason).await?;
    let (words, detail) = ((Action::Deny, EventType::Denied), json!({ "reason": reason }));
    let before = request.remarks;
    let request = denied.commit(now, &who.name, words, detail).await?;
    app.changed(Action::Deny, id);
    answered(app, now, &request, &who.name, before).await;
    tracing::info!(request = id, approver = who.name, "denied");
    Ok(request)
}
