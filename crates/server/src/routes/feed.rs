//! `GET /v1/revocations?after=912&tag=..&feed=..&wait=25s&node=envoy-1`: a proxy reads the feed, at once
//! where there is something after the epoch that it knows, and otherwise when there is.
//!
//! 1. Without `after`, with the id of another feed, with an epoch that was never given, or with another
//!    `tag` than that epoch was given, it gets all revocations that count, and `reset`.
//! 2. With an epoch before the latest, it gets what came after.
//! 3. With the latest, it waits.
//! 4. What it says of itself is in headers: see [`About`].
//! 5. Where it is not known from its credential what the configuration defines that it names, the answer asks for it.
//! 6. With the report of answered challenges it is answered at once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use breakglass_types::configurations::WANTED_HEADER;
use serde::Deserialize;
use tokio::time::Instant;

use super::body::{FieldErrors, QueryString, wait};
use crate::app::App;
use crate::auth::identity::{AsProxy, still_configured};
use crate::config::Proxy;
use crate::feed::{About, Key, Place};
use crate::metrics::Fed;
use crate::probes;
use crate::problem::Problem;
use crate::text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    after: Option<i64>,
    feed: Option<String>,
    tag: Option<String>,
    wait: Option<String>,
    #[serde(default)]
    node: String,
}

type Answer = ([(HeaderName, &'static str); 2], HeaderMap, Bytes);

pub(super) async fn handler(
    State(app): State<App>,
    AsProxy(proxy): AsProxy,
    parts: Parts,
    QueryString(parameters): QueryString<Parameters>,
) -> Result<Answer, Problem> {
    let Parameters { after, feed, tag, wait: text, node } = parameters;
    let mut errors = FieldErrors::default();
    // An Envoy without a node id is known by its credential.
    let node = if node.is_empty() { proxy.name.clone() } else { node };
    errors.check("node", text::name(&node));
    if after.is_some_and(i64::is_negative) {
        errors.add("after", "expected an epoch of this feed, or 0");
    }
    errors.finish()?;
    let wait = wait(text)?;
    let about = About::read(&parts);
    // Beside the polls that say how far this proxy has come.
    if let Some(said) = probes::reported(&parts.headers) {
        app.probes().report(app.now(), &proxy.name, &node, &about, &said);
        app.feed().freshen(app.store(), app.floor()).await?;
        let place = app.feed().place(after, feed.as_deref(), tag.as_deref());
        return answer(&app, place, HeaderMap::new());
    }

    let configuration = about.config.clone();
    let wanted = || wanted(&app, &proxy, configuration.as_deref());
    let start = Instant::now();
    // Before the first look, so that no change falls between the two.
    let mut changes = app.feed().changes();
    app.feed().freshen(app.store(), app.floor()).await?;
    let place = || app.feed().place(after, feed.as_deref(), tag.as_deref());
    if place() == Place::Ahead {
        app.feed().look(app.store(), app.floor()).await?;
    }
    let acknowledged = match place() {
        Place::Behind(epoch) | Place::Current(epoch) => epoch,
        Place::Nowhere | Place::Ahead => 0,
    };
    let _here = Here::new(&app, Arc::clone(&proxy), &node, about, acknowledged);
    loop {
        changes.borrow_and_update();
        still_configured(&app.config().proxies, &proxy)?;
        let now_at = place();
        if !matches!(now_at, Place::Current(_)) {
            return answer(&app, now_at, wanted());
        }
        let left = wait.saturating_sub(start.elapsed());
        if left.is_zero() || app.is_stopping() {
            app.feed().freshen(app.store(), app.floor()).await?;
            return answer(&app, place(), wanted());
        }
        let _hangs = app.metrics().hangs();
        // Either way there is reason to look again.
        let _ = tokio::time::timeout(left, changes.changed()).await;
    }
}

/// Asks for what the configuration defines that the poll names, if that is not known from this credential.
fn wanted(app: &App, proxy: &Proxy, configuration: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let is_wanted = |configuration: &&str| {
        app.configurations().is_wanted(app.now(), &proxy.credential_id(), configuration)
    };
    // Hex digits are always a header's value.
    if let Some(Ok(digest)) = configuration.filter(is_wanted).map(HeaderValue::from_str) {
        headers.insert(WANTED_HEADER, digest);
    }
    headers
}

fn answer(app: &App, place: Place, asks: HeaderMap) -> Result<Answer, Problem> {
    let body = app.feed().answer(app.floor(), place).map_err(|error| Problem::internal(&error))?;
    app.metrics().fed(match place {
        Place::Behind(_) => Fed::News,
        Place::Current(_) => Fed::Timeout,
        Place::Nowhere | Place::Ahead => Fed::Reset,
    });
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, asks, body))
}

/// The node is here as long as this is: until it has its answer, or has gone away.
struct Here {
    app: App,
    proxy: Arc<Proxy>,
    key: Key,
}

impl Here {
    fn new(app: &App, proxy: Arc<Proxy>, node: &str, about: About, epoch: i64) -> Here {
        let key = app.feed().nodes().arrive(app.now(), &proxy.name, node, about, epoch);
        Here { app: app.clone(), proxy, key }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.app.feed().nodes().leave(Some(self.app.now()), &self.proxy.name, &self.key);
    }
}
