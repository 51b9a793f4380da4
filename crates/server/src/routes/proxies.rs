//! `GET /v1/proxies`: who reads the feed, and how far each has read. Any person may know: whoever
//! revokes wants to see it arrive.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, rfc3339};
use crate::feed::{About, Known};
use crate::limits::{CLOCK_SKEW_S, MAX_WAIT_S};
use crate::problem::Problem;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(_): AsPerson,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    let now = app.now();
    app.feed().freshen(app.store(), now).await?;
    let nodes = app.feed().nodes();
    let ends = app.feed().ends(now);
    let proxies: Vec<Value> =
        nodes.list(now).into_iter().map(|known| view(now, &known, &ends)).collect();
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

/// `ends` tells until when what was revoked after an epoch may count.
fn view(now: Moment, known: &Known, ends: &dyn Fn(i64) -> Option<i64>) -> Value {
    let About { process, address, version, config, bounds, is_shadow } = &known.about;
    // A stream is ended when its token is void, the skew included.
    let skew = bounds.map_or(CLOCK_SKEW_S, |bounds| whole_seconds(bounds.clock_skew));
    let streams_end = ends(known.epoch).filter(|_| !known.alive);
    let mut view = json!({
        "id": known.id,
        "node": known.node,
        "proxy": known.proxy,
        "process": process,
        "address": address,
        "version": version,
        "config": config,
        "epoch": known.epoch,
        "last_seen": rfc3339(known.seen.seconds()),
        "stale_for_s": now.seconds().saturating_sub(known.seen.seconds()).max(0),
        "alive": known.alive,
        "max_staleness_s": bounds.map(|bounds| whole_seconds(bounds.max_staleness)),
        "clock_skew_s": skew,
        "on_unavailable": bounds.map(|bounds| bounds.on_unavailable.word()),
        "refuses_new_since": known.refuses_new_since.map(|since| rfc3339(rounded_up(since))),
        "streams_until": streams_end.map(|end| rfc3339(end.saturating_add(skew))),
        "same_node": known.same_node,
    });
    if let (true, Some(members)) = (*is_shadow, view.as_object_mut()) {
        members.insert("enforcement".to_owned(), "shadow".into());
    }
    view
}

/// The second that begins then, or next.
fn rounded_up(moment: Moment) -> i64 {
    Moment::from_millis(moment.millis().saturating_add(999)).seconds()
}

/// In seconds, rounded up.
fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}
