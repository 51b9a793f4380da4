//! An event is delivered to the sinks again: an administrator says so, and the trail says who.

use breakglass_api::trail::ServiceAction;
use serde_json::json;

use super::Refused;
use crate::access::Access;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;

/// Queues an event again, for all sinks that it was queued for or for one of them: their names. The trail has it first, so that
/// nothing is sent of which it does not say why.
///
/// # Errors
/// [`Refused`] if `who` is no administrator, or no such event was queued.
pub async fn replay(
    app: &App,
    who: &Person,
    now: Moment,
    event: &str,
    sink: Option<&str>,
) -> Result<Vec<String>, Refused> {
    Access::of(&app.config()).check_administrator(who)?;
    if !app.outbox().has(event, sink).await? {
        return Err(Refused::DeliveryUnknown);
    }
    let detail = json!({ "event": event, "sink": sink });
    app.store().note_act(now, &who.name, ServiceAction::DeliveryReplayed, &detail).await?;
    let sinks = app.outbox().replay(now, event, sink).await?;
    app.noted();
    tracing::info!(event, ?sinks, actor = who.name, "delivered again");
    Ok(sinks)
}
