//! `POST /v1/proxies/{id}/forget`: somebody knows that a silent proxy is gone, and says so, with a reason.
//!
//! 1. Nothing that ran there counts any more when a revocation is confirmed. So it takes those who may stop all
//!    of it: who may approve every scope of every grant that is not over, the revoked ones among them, and one's
//!    own as well: the holder of a grant does not say that nothing runs under it.
//! 2. Only a proxy that is silent. If it polls again it is back, and the log says so.
//! 3. It is on the trail of the service.

use axum::Json;
use axum::extract::State;
use breakglass_api::proxies::{Forgotten, Gone};
use breakglass_api::request::Why;
use breakglass_api::trail::ServiceAction;
use serde_json::json;

use super::body::{FieldErrors, Id, JsonBody};
use crate::access::Access;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::written;
use crate::feed::NotForgotten;
use crate::problem::{Problem, Reason};
use crate::text;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
    JsonBody(Why { reason }): JsonBody<Why>,
) -> Result<Json<Forgotten>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&reason));
    errors.finish()?;
    let now = app.now();
    let running = app.store().running(app.floor()).await?;
    let scopes = running.iter().map(|grant| grant.scopes.as_slice());
    Access::of(&app.config()).check_forget(&person, scopes)?;
    let gone = app.feed().nodes().silent(now, &id).map_err(|why| refusal(&id, why))?;
    let mut forgotten = Vec::new();
    for known in gone {
        let last_seen = written(known.seen);
        let detail = json!({
            "id": known.id, "node": known.node, "proxy": known.proxy, "address": known.about.address,
            "epoch": known.epoch, "last_seen": last_seen, "reason": reason,
        });
        app.store().note_act(now, &person.name, ServiceAction::ForgetProxy, &detail).await?;
        if app.feed().nodes().forget(&known) {
            tracing::warn!(
                actor = person.name,
                id,
                node = known.node,
                proxy = known.proxy,
                "proxy forgotten"
            );
            forgotten.push(Gone { node: known.node, proxy: known.proxy, last_seen });
        }
    }
    if forgotten.is_empty() {
        return Err(refusal(&id, NotForgotten::Alive));
    }
    Ok(Json(Forgotten { id, forgotten, by: person.name.clone(), at: Some(written(now)), reason }))
}

fn refusal(id: &str, why: NotForgotten) -> Problem {
    match why {
        NotForgotten::Unknown => Problem::new(
            Reason::ProxyUnknown,
            format!(
                "no proxy with the id `{}` is known: `breakglass proxies` lists them",
                id.chars().take(64).collect::<String>()
            ),
        ),
        NotForgotten::Alive => Problem::new(
            Reason::ProxyAlive,
            "this proxy is alive, or was until a moment ago: only one that has been silent for longer than its \
             max_staleness and introspection cache can be said to be gone",
        ),
    }
}
