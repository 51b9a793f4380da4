//! `GET /metrics`: the counters, for Prometheus.

use axum::extract::State;
use axum::http::{HeaderName, header};

use crate::app::App;
use crate::problem::Problem;

pub(super) async fn handler(
    State(app): State<App>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Problem> {
    app.metrics().at_epoch(app.feed().epoch());
    let (used, unusable) = app.issuer().key_files();
    app.metrics().key_files(used, unusable);
    app.metrics().service().clock(app.timekeeper());
    app.metrics().waits(app.waits().waiting());
    let text = app.metrics().text().map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
