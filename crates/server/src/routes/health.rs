//! `GET /healthz`: the process answers; with `?detail=1` it tells an auditor more. `GET /readyz`: it can do its
//! work, which takes a feed that can be read, and a database in which a revocation can be written. Anybody may
//! ask, so nothing is tried for who asks.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use breakglass_api::health::{Health, Status};

use super::health_detail;
use crate::access::Access;
use crate::app::App;
use crate::auth::identity::{self, Caller};
use crate::problem::{Problem, Reason};

/// With `detail` for auditors who ask for it, where the listener is for people.
pub(super) async fn alive(detail: bool, State(app): State<App>, mut parts: Parts) -> Json<Health> {
    let query = parts.uri.query().unwrap_or_default();
    if detail
        && query.split('&').any(|parameter| parameter == "detail=1")
        // Whoever else asks learns what anybody does.
        && let Ok(Caller::Person(person)) = identity::authenticate(&mut parts, &app, &app.config())
        && Access::of(&app.config()).is_auditor(&person)
    {
        return Json(health_detail::of(&app).await);
    }
    Json(Health {
        status: "ok".to_owned(),
        clock: None,
        configuration: None,
        tls: Vec::new(),
        key_switch: None,
        audience_key_switches: Vec::new(),
        untold_heads: Vec::new(),
        held_ends: Vec::new(),
        sinks: Vec::new(),
    })
}

pub(super) async fn ready(State(app): State<App>) -> Result<Json<Status>, Problem> {
    if !app.readiness().is_ready() {
        let detail = "the database cannot be read or written; the log has the cause";
        return Err(Problem::new(Reason::NotReady, detail));
    }
    Ok(Json(Status { status: "ready".to_owned() }))
}
