//! `GET /metrics`: the counters, for Prometheus; among everything else, and on a socket of its own.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::middleware::{from_fn, map_response};
use axum::routing::get;

use super::observe::{self, TIMEOUT, say_version};
use crate::app::App;
use crate::key_switch;
use crate::problem::{Problem, Reason};

/// What a socket for metrics alone answers.
pub(crate) fn router_alone(app: App) -> Router {
    Router::new()
        .route("/metrics", get(handler))
        .fallback(async || Problem::new(Reason::NotFound, "there is nothing but /metrics here"))
        .layer(from_fn(|request, next| observe::timeout(TIMEOUT, request, next)))
        .layer(map_response(say_version))
        .with_state(app)
}

pub(super) async fn handler(
    State(app): State<App>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Problem> {
    app.metrics().at_epoch(app.feed().epoch());
    app.metrics().service().clock(app.timekeeper());
    keys(&app);
    app.metrics().waits(app.waits().waiting());
    let text = app.metrics().text().map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

/// Of each ring of signing keys.
fn keys(app: &App) {
    let metrics = app.metrics().service();
    for ring in app.issuer().rings().all() {
        let audience = ring.audience().unwrap_or_default();
        let (used, unusable) = ring.key_files();
        metrics.key_files(audience, used, unusable);
        let held = key_switch::held_up(app, ring, app.now());
        let overdue_s = held.as_ref().map_or(0, |held| held.overdue_s(app.now()));
        let lacking = held.map_or(0, |held| held.lacking.len());
        metrics.key_switch(audience, overdue_s, lacking);
    }
}
