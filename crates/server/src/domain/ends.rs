//! Time goes by: the requester of a grant is told when five minutes are left, and when its time is over.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::State;
use serde_json::json;

use crate::app::App;
use crate::clock::{Moment, rfc3339};
use crate::store::{Change, Ends, Happened, OfRequest, Request, SERVICE, StoreError};

/// The most grants that one step of each kind tells of.
const STEP: i64 = 500;

/// Tells of the grants that end soon, and of those whose time is over, each once, at most so many that no other change waits
/// for long. A grant that was revoked is only noted: its end was told. Returns of how many it told.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: then none of it is done.
pub async fn tell_ends(app: &App, now: Moment) -> Result<usize, StoreError> {
    // Nothing to do, most of the time: that takes no lock.
    if app.store().ends(now, STEP).await?.is_empty() {
        return Ok(0);
    }
    let mut change = app.store().change().await?;
    // Once more: revoked or extended meanwhile, or told by another process.
    let Ends { ending, over } = change.ends(now, STEP).await?;
    let mut told = Vec::new();
    for request in requests(&mut change, now, &ending).await? {
        if request.state == State::Active {
            change.remind(now, &request).await?;
            told.push(((Action::Remind, EventType::Ending), request));
        }
    }
    for request in requests(&mut change, now, &over).await? {
        if request.state == State::Expired {
            change.expire(now, &request).await?;
            told.push(((Action::Expire, EventType::Expired), request));
        }
    }
    let noted = change.note_revoked(&over).await?;
    if told.is_empty() && noted == 0 {
        change.abandon().await?;
        return Ok(0);
    }
    let happened: Vec<Happened<'_>> = told
        .iter()
        .map(|(words, request)| {
            let data = json!({ "expires_at": request.expires_at.map(rfc3339) });
            Happened::Request(OfRequest::new(SERVICE, *words, request, data))
        })
        .collect();
    change.record(now, &happened).await?.commit().await?;
    for ((action, _), request) in &told {
        app.changed(*action, &request.id);
    }
    Ok(told.len())
}

async fn requests(
    change: &mut Change,
    now: Moment,
    ids: &[String],
) -> Result<Vec<Request>, StoreError> {
    let mut requests = Vec::new();
    for id in ids {
        requests.extend(change.request(now, id).await?);
    }
    Ok(requests)
}
