//! `GET /v1/proxies`: who reads the feed, and how far each has read. Any person may know: whoever
//! revokes wants to see it arrive.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::proxies::{Enforcement, Node, Proxies};
use breakglass_api::{Instant, Word};

use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::feed::{About, Known};
use crate::limits::{CLOCK_SKEW_S, MAX_WAIT_S};
use crate::problem::Problem;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(_): AsPerson,
) -> Result<([(HeaderName, &'static str); 1], Json<Proxies>), Problem> {
    let now = app.now();
    app.feed().freshen(app.store(), now).await?;
    let nodes = app.feed().nodes();
    let ends = app.feed().ends(now);
    let config = app.config();
    let mut published: HashMap<String, Vec<String>> = HashMap::new();
    let views = nodes.list(now).into_iter().map(|known| {
        let published = published.entry(known.proxy.clone()).or_insert_with(|| {
            let proxy = config.proxies.iter().find(|proxy| proxy.name == known.proxy);
            let audiences = proxy.and_then(|proxy| proxy.audiences.as_deref());
            app.issuer().kids_for(audiences, now)
        });
        view(now, known, published, &ends)
    });
    let proxies = views.collect();
    let since = nodes.since();
    let answer = Proxies {
        epoch: app.feed().epoch(),
        since: since.map(written),
        // A poll takes no longer than this: who reads the feed has come back.
        complete: since
            .is_some_and(|since| now.seconds().saturating_sub(since.seconds()) >= MAX_WAIT_S),
        proxies,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

/// `ends` tells until when what was revoked after an epoch may count.
fn view(
    now: Moment,
    known: Known,
    published: &[String],
    ends: &dyn Fn(i64) -> Option<i64>,
) -> Node {
    let About { process, address, version, config, bounds, is_shadow, keys } = known.about;
    let has = keys.as_ref().and_then(|keys| keys.kids.as_ref());
    let missing = has.map(|has| {
        let missing = published.iter().filter(|kid| !has.iter().any(|one| **one == ***kid));
        missing.cloned().collect()
    });
    // A stream is ended when its token is void, the skew included.
    let skew = bounds.map_or(CLOCK_SKEW_S, |bounds| whole_seconds(bounds.clock_skew));
    let streams_end = ends(known.epoch).filter(|_| !known.alive);
    Node {
        id: Some(known.id),
        node: known.node,
        proxy: known.proxy,
        epoch: known.epoch,
        last_seen: written(known.seen),
        stale_for_s: now.seconds().saturating_sub(known.seen.seconds()).max(0),
        process: process.map(String::from),
        address: address.map(|address| address.to_string()),
        version: version.map(String::from),
        config: config.map(String::from),
        alive: Some(known.alive),
        max_staleness_s: bounds.map(|bounds| whole_seconds(bounds.max_staleness)),
        clock_skew_s: Some(skew),
        on_unavailable: bounds.map(|bounds| Word::read(bounds.on_unavailable.word().to_owned())),
        refuses_new_since: known
            .refuses_new_since
            .map(|since| Instant::from_seconds(rounded_up(since))),
        streams_until: streams_end.map(|end| Instant::from_seconds(end.saturating_add(skew))),
        keys_refresh_s: keys.map(|keys| whole_seconds(keys.refresh)),
        missing_keys: missing,
        same_node: known.same_node,
        enforcement: is_shadow.then(|| Enforcement::Shadow.into()),
    }
}

/// The second that begins then, or next.
fn rounded_up(moment: Moment) -> i64 {
    Moment::from_millis(moment.millis().saturating_add(999)).seconds()
}

/// In seconds, rounded up.
fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}
