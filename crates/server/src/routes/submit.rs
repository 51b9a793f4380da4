//! `POST /v1/requests`: a person asks for access.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use breakglass_api::request::{Ask as Body, Request as View};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::body::{FieldErrors, JsonBody};
use super::idempotency_key::IdempotencyKey;
use super::judged::AsJudged;
use super::view::view_in_full;
use crate::app::App;
use crate::config::Digest;
use crate::domain::{self, Ask, Submitted};
use crate::limits::MAX_SCOPES;
use crate::outbox::wait_until_told;
use crate::problem::Problem;
use crate::store::{Idempotency, State as RequestState};
use crate::{duration, text};

/// The header of an answer that repeats an earlier one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

type Created = (StatusCode, HeaderMap, Json<View>);

pub(super) async fn handler(
    State(app): State<App>,
    AsJudged(actor): AsJudged,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(body): JsonBody<Body>,
) -> Result<Created, Problem> {
    let now = app.trusted_now()?;
    let ask = ask(body)?;
    let idempotency = key.as_deref().map(|key| Idempotency { key, body_sha256: digest(&ask) });
    let submitted = domain::submit(&app, &actor, now, &ask, idempotency).await?;
    let Submitted { request, repeated } = submitted;
    let mut headers = HeaderMap::new();
    let location = HeaderValue::try_from(format!("/v1/requests/{}", request.id));
    headers.insert(header::LOCATION, location.map_err(|error| Problem::internal(&error))?);
    match repeated {
        true => {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        // A requester who takes the grant alone waits for no person.
        false if request.state == RequestState::Pending => wait_until_told(&app, &request).await,
        false => {}
    }
    let view = view_in_full(&app, request).await?;
    let old_groups = if repeated { None } else { actor.old_groups() };
    let view = View { old_groups: old_groups.into_iter().collect(), ..view };
    Ok((StatusCode::CREATED, headers, Json(view)))
}

/// The SHA-256 of what is asked for, however the body was written.
fn digest(Ask { scopes, reason, incident, duration_s, emergency, extends }: &Ask) -> Digest {
    let mut asked =
        vec![json!(scopes), json!(reason), json!(incident), json!(duration_s), json!(emergency)];
    // Without it, as the version before computed it.
    asked.extend(extends.as_ref().map(|parent| json!(parent)));
    Sha256::digest(json!(asked).to_string()).into()
}

fn ask(
    Body { scopes, reason, incident, duration, emergency, extends }: Body,
) -> Result<Ask, Problem> {
    let mut errors = FieldErrors::default();
    if scopes.is_empty() {
        errors.add("scopes", "expected at least one scope");
    }
    if scopes.len() > MAX_SCOPES {
        errors.add("scopes", format!("expected at most {MAX_SCOPES} scopes"));
    }
    for (index, scope) in scopes.iter().enumerate() {
        let field = format!("scopes[{index}]");
        errors.check(&field, text::scope(scope));
        if scopes.iter().take(index).any(|earlier| earlier == scope) {
            errors.add(field, "named twice");
        }
    }
    errors.check("reason", text::reason(&reason));
    if let Some(incident) = &incident {
        errors.check("incident", text::incident(incident));
    }
    if let Some(parent) = &extends {
        errors.check("extends", text::name(parent));
    }
    let duration_s = duration::parse(&duration).unwrap_or_else(|error| {
        errors.add("duration", error.to_string());
        0
    });
    errors.finish()?;
    Ok(Ask { scopes, reason, incident, duration_s, emergency, extends })
}
