//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work, which takes the clock, a feed that
//! can be read, and a database in which a revocation can be written. Anybody may ask, so nothing is tried for
//! who asks.

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
    if !app.readiness().is_ready() {
        let detail = "the database cannot be read or written; the log has the cause";
        return Err(Problem::new(Reason::NotReady, detail));
    }
    Ok(Json(json!({ "status": "ready" })))
}
