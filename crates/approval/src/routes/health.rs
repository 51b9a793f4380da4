//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work, which takes the clock
//! and a database that can be written.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::{Problem, Reason};

pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub(super) async fn ready(State(app): State<App>) -> Result<Json<Value>, Problem> {
    app.now()?;
    app.store().probe().await.map_err(|cause| {
        tracing::warn!(%cause, "not ready");
        Problem::new(Reason::NotReady, "the database does not answer; the log has the cause")
    })?;
    Ok(Json(json!({ "status": "ready" })))
}
