//! An event is delivered to the sinks again: an administrator says so, and the trail says who.

use breakglass_api::trail::ServiceAction;
use serde_json::json;

use super::Refused;
use crate::access::Access;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::outbox::ReplayTo;

/// Queues an event again, for all that it was queued for or for some of them: the names of the sinks. The trail has it first, so that
/// nothing is sent of which it does not say why.
///
/// # Errors
/// [`Refused`] if `who` is no administrator, or no such event was queued.
pub async fn replay(
    app: &App,
    who: &Person,
    now: Moment,
    event: &str,
    to: ReplayTo<'_>,
) -> Result<Vec<String>, Refused> {
    Access::of(&app.config()).check_administrator(who)?;
    if !app.outbox().has(event, to).await? {
        return Err(Refused::DeliveryUnknown);
    }
    let detail = json!({ "event": event, "sink": to.sink, "recipient": to.recipient });
    app.store().note_act(now, &who.name, ServiceAction::DeliveryReplayed, &detail).await?;
    let sinks = app.outbox().replay(now, event, to).await?;
    app.noted();
    tracing::info!(event, ?sinks, actor = who.name, "delivered again");
    Ok(sinks)
}
