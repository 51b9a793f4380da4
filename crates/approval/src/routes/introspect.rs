//! `POST /oauth2/introspect` (RFC 7662): a proxy asks whether a token's grant still holds.
//!
//! Whatever is wrong with the token is `active: false` and no more (section 2.2). A failure of the
//! service is never an answer about the token.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_core::claims::Claims;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::FormBody;
use crate::app::App;
use crate::clock::Moment;
use crate::identity::AsProxy;
use crate::problem::Problem;
use crate::store::{self, Request};

#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) token: String,
}

type Uncached = ([(HeaderName, &'static str); 1], Json<Value>);

pub(super) async fn handler(
    State(app): State<App>,
    AsProxy(proxy): AsProxy,
    FormBody(body): FormBody<Body>,
) -> Result<Uncached, Problem> {
    let now = app.now()?;
    let claims = holding(&app, now, &body.token).await?;
    app.metrics().introspected(claims.is_some());
    tracing::debug!(proxy = proxy.name, active = claims.is_some(), "introspected");
    let answer = claims.map_or(json!({ "active": false }), |claims| {
        json!({
            "active": true,
            "jti": claims.jti,
            "sub": claims.sub,
            "scope": claims.scope.join(" "),
            "iss": claims.iss,
            "aud": claims.aud,
            "exp": claims.exp,
            "iat": claims.iat,
        })
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

async fn holding(app: &App, now: Moment, token: &str) -> Result<Option<Claims>, Problem> {
    let Some(claims) = app.issuer().read(token, now) else { return Ok(None) };
    let Some(grant) = app.store().introspected(now, &claims.jti).await? else { return Ok(None) };
    Ok(is_of(&claims, &grant).then_some(claims))
}

/// Whether the token is one of this grant, and the grant holds. The signature says as much; a
/// token that does not say what the database says is void all the same.
fn is_of(claims: &Claims, grant: &Request) -> bool {
    grant.state == store::State::Approved
        && claims.sub == grant.requester
        && claims.scope == grant.scopes
        && grant.expires_at.and_then(|at| u64::try_from(at).ok()) == Some(claims.exp)
}
