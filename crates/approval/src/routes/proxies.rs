//! `GET /v1/proxies`: who reads the feed, and how far each has read. Any person may know: whoever
//! revokes wants to see it arrive.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde_json::{Value, json};

use crate::app::App;
use crate::clock::{Moment, rfc3339};
use crate::identity::AsPerson;
use crate::limits::MAX_WAIT_S;
use crate::problem::Problem;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(_): AsPerson,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    let now = app.now();
    app.feed().freshen(app.store(), now).await?;
    let nodes = app.feed().nodes();
    let proxies: Vec<Value> = nodes
        .list(now)
        .into_iter()
        .map(|known| {
            json!({
                "node": known.node,
                "proxy": known.proxy,
                "epoch": known.epoch,
                "last_seen": rfc3339(known.seen.seconds()),
                "stale_for_s": now.seconds().saturating_sub(known.seen.seconds()).max(0),
            })
        })
        .collect();
    let since = nodes.since().map(Moment::seconds);
    let answer = json!({
        "epoch": app.feed().epoch(),
        "since": since.map(rfc3339),
        // A poll takes no longer than this: who reads the feed has come back.
        "complete": since.is_some_and(|since| now.seconds().saturating_sub(since) >= MAX_WAIT_S),
        "proxies": proxies,
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}
