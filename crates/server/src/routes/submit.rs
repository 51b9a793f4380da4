//! `POST /v1/requests`: a person asks for access. What is accepted here can be approved by
//! somebody, minted, and read by the filter.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use breakglass_api::evidence::Action;
use breakglass_api::request::{Ask as Body, Request as View};
use breakglass_types::claims::Claims;
use breakglass_types::scope_rules::{ScopeDigest, ScopeRules};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::body::{FieldErrors, JsonBody};
use super::idempotency_key::IdempotencyKey;
use super::view::view_in_full;
use crate::access::{Access, Assessment};
use crate::app::App;
use crate::auth::identity::{AsPerson, fingerprint};
use crate::clock::Moment;
use crate::config::{Config, Digest, Person};
use crate::granted::Granted;
use crate::issuer::MintError;
use crate::limits::MAX_SCOPES;
use crate::problem::{Problem, Reason};
use crate::store::{Earlier, Idempotency, Submission, Submitted};
use crate::{duration, text};

/// The header of an answer that repeats an earlier one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A body whose fields are within their bounds.
struct Ask {
    scopes: Vec<String>,
    reason: String,
    incident: Option<String>,
    duration_s: i64,
    emergency: bool,
}

type Created = (StatusCode, HeaderMap, Json<View>);

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(body): JsonBody<Body>,
) -> Result<Created, Problem> {
    let now = app.trusted_now()?;
    let config = app.config();
    let ask = Ask::try_from(body)?;
    let credential = fingerprint(&person);
    let idempotency = key.as_deref().map(|key| Idempotency { key, body_sha256: ask.digest() });
    if let Some(idempotency) = &idempotency {
        let store = app.store();
        match store.earlier_submission(now, &person.name, &credential, idempotency).await? {
            Earlier::None => {}
            Earlier::Same(id) => return created(&app, now, &id, true).await,
            Earlier::Other => return Err(key_reused()),
        }
    }
    check_incident(&config, &ask)?;
    let assessment = Access::of(&config).assess(&person, &ask.scopes, ask.duration_s)?;
    let id = app.randomness().id("req", now);
    // From here on they are those of the request: a definition that changes later changes no request.
    let definitions = app.definitions();
    let defined = definitions.of(&assessment.audience, &ask.scopes);
    let digests = defined.iter().map(|(name, one)| (name.clone(), one.digest)).collect();
    let rules: Vec<&ScopeRules> = defined.values().map(|one| &one.rules).collect();
    prove_mintable(&app, now, &person, &ask, &assessment, &digests)?;

    let submission = Submission {
        id: &id,
        requester: &person.name,
        roles: &person.roles,
        groups: &person.groups,
        audience: &assessment.audience,
        scopes: &ask.scopes,
        scope_digests: &digests,
        scope_rules: &rules,
        reason: &ask.reason,
        incident: ask.incident.as_deref(),
        emergency: ask.emergency,
        duration_s: ask.duration_s,
        pending_lifetime_s: config.pending_lifetime,
        credential,
        max_pending: config.max_pending_requests,
        idempotency,
    };
    match app.store().submit(now, &submission).await? {
        Submitted::New => {}
        Submitted::Repeated(id) => return created(&app, now, &id, true).await,
        Submitted::KeyReused => return Err(key_reused()),
        Submitted::TooManyPending(count) => return Err(too_many(count)),
    }
    app.changed(Action::Submit, &id);
    tracing::info!(request = id, requester = person.name, scopes = ?ask.scopes, "submitted");
    created(&app, now, &id, false).await
}

/// The answer to a submission: the request as it is now.
async fn created(app: &App, now: Moment, id: &str, repeated: bool) -> Result<Created, Problem> {
    let request = super::lookup::request(app, now, id).await?;
    let mut headers = HeaderMap::new();
    let location = HeaderValue::try_from(format!("/v1/requests/{id}"));
    headers.insert(header::LOCATION, location.map_err(|error| Problem::internal(&error))?);
    if repeated {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok((StatusCode::CREATED, headers, Json(view_in_full(app, request).await?)))
}

fn key_reused() -> Problem {
    Problem::new(
        Reason::IdempotencyKeyReused,
        "you have sent this `Idempotency-Key` with another request in the last 24 hours: use a new key \
         for each request, and the same one only to send the same request again",
    )
}

fn too_many(count: i64) -> Problem {
    Problem::new(
        Reason::TooManyPending,
        format!(
            "{count} requests of yours wait for a decision, and no more may: \
             `breakglass status --state pending` lists them, `breakglass cancel REQUEST` takes one back"
        ),
    )
}

impl Ask {
    /// The SHA-256 of what is asked for, however the body was written.
    fn digest(&self) -> Digest {
        let Ask { scopes, reason, incident, duration_s, emergency } = self;
        let asked = json!([scopes, reason, incident, duration_s, emergency]);
        Sha256::digest(asked.to_string()).into()
    }
}

impl TryFrom<Body> for Ask {
    type Error = Problem;

    fn try_from(body: Body) -> Result<Ask, Problem> {
        let Body { scopes, reason, incident, duration, emergency } = body;
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
        let duration_s = duration::parse(&duration).unwrap_or_else(|error| {
            errors.add("duration", error.to_string());
            0
        });
        errors.finish()?;
        Ok(Ask { scopes, reason, incident, duration_s, emergency })
    }
}

fn check_incident(config: &Config, ask: &Ask) -> Result<(), Problem> {
    let mut errors = FieldErrors::default();
    if let (Some(pattern), Some(incident)) = (&config.incident_pattern, &ask.incident)
        && !pattern.is_match(incident)
    {
        errors
            .add("incident", "expected an incident that the service's `incident_pattern` matches");
    }
    errors.finish()
}

/// Mints what the token would be and throws it away, so that nobody is woken to approve what then
/// cannot be used.
fn prove_mintable(
    app: &App,
    now: Moment,
    person: &Person,
    ask: &Ask,
    assessment: &Assessment,
    digests: &BTreeMap<String, ScopeDigest>,
) -> Result<(), Problem> {
    let longest = assessment.approvers.names().iter().max_by_key(|name| name.len());
    let iat = u64::try_from(now.seconds()).unwrap_or(0);
    let claims = Claims::from(Granted {
        issuer: app.issuer().name(),
        holder: &person.name,
        roles: person.roles.clone(),
        groups: person.groups.clone(),
        audience: &assessment.audience,
        jti: &app.randomness().id("grant", now),
        begins: iat,
        ends: iat.saturating_add(ask.duration_s.unsigned_abs()),
        scopes: &ask.scopes,
        digests,
        reason: &ask.reason,
        incident: ask.incident.as_deref(),
        emergency: ask.emergency,
        approvers: longest.cloned().into_iter().collect(),
    });
    match app.issuer().mint(&claims) {
        Ok(_) => Ok(()),
        Err(error @ MintError::TooLarge(_)) => Err(Problem::new(
            Reason::TokenTooLarge,
            format!("{error}: ask for fewer scopes, or give a shorter reason"),
        )),
        Err(error) => Err(Problem::internal(&error)),
    }
}
