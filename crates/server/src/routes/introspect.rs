//! `POST /oauth2/introspect` (RFC 7662): a proxy asks whether a token's grant still holds.
//!
//! Whatever is wrong with the token is `active: false` and no more (section 2.2), and so is a token of an
//! audience that is not the proxy's: it learns nothing of it (sections 2.2 and 4). A failure of the
//! service is never an answer about the token.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use breakglass_api::introspection::Introspection;
use breakglass_api::token::TokenForm;
use breakglass_types::claims::Claims;

use super::body::FormBody;
use crate::app::App;
use crate::auth::identity::AsProxy;
use crate::feed::About;
use crate::metrics::Introspected;
use crate::problem::Problem;
use crate::store::Request;
use crate::timekeeper::Doubt;

type Uncached = ([(HeaderName, &'static str); 1], Json<Introspection>);

pub(super) async fn handler(
    State(app): State<App>,
    AsProxy(proxy): AsProxy,
    parts: Parts,
    FormBody(body): FormBody<TokenForm>,
) -> Result<Uncached, Problem> {
    // What it is told counts for a while there, whatever that is.
    app.feed().nodes().introspected(app.now(), &proxy.name, &About::read(&parts));
    let claims = holding(&app, &body.token).await?;
    let ours = claims.as_ref().is_none_or(|claims| proxy.serves_any(&claims.aud));
    app.metrics().introspected(match (&claims, ours) {
        (None, _) => Introspected::Inactive,
        (Some(_), true) => Introspected::Active,
        (Some(_), false) => Introspected::OtherAudience,
    });
    let claims = claims.filter(|_| ours);
    tracing::debug!(proxy = proxy.name, active = claims.is_some(), ours, "introspected");
    let answer = claims.map(active).unwrap_or_default();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

/// What is said of a token whose grant holds.
fn active(claims: Claims) -> Introspection {
    Introspection {
        active: true,
        jti: Some(claims.jti),
        sub: Some(claims.sub),
        scope: Some(claims.scope.join(" ")),
        iss: Some(claims.iss),
        aud: Some(claims.aud),
        exp: Some(claims.exp),
        iat: Some(claims.iat),
    }
}

/// A grant holds if it does by the wall clock and by the believed time: while the two differ, one of them is
/// wrong.
async fn holding(app: &App, token: &str) -> Result<Option<Claims>, Problem> {
    let reading = app.timekeeper().reading();
    let Some(wall) = reading.wall else { return Err(Doubt::Unknown.into()) };
    let Some(claims) = app.issuer().read(token, reading.floor) else { return Ok(None) };
    let found = app.store().introspected(reading.latest(), &claims.jti).await?;
    let Some(grant) = found else { return Ok(None) };
    let begun = grant.has_begun(wall.min(reading.believed));
    Ok((begun && is_of(&claims, &grant)).then_some(claims))
}

/// Whether the token is one of this grant, and the grant holds. The signature says as much; a
/// token that does not say what the database says is void all the same.
fn is_of(claims: &Claims, grant: &Request) -> bool {
    grant.holds()
        && claims.sub == grant.requester
        && claims.aud == [grant.audience.as_str()]
        && claims.scope == grant.held_scopes()
        && grant.expires_at.and_then(|at| u64::try_from(at).ok()) == Some(claims.exp)
}

#[cfg(test)]
mod tests {
    use breakglass_types::introspection::{Verdict, read_answer};
    use breakglass_types::json::Json;

    use super::*;

    #[test]
    fn a_filter_reads_what_is_written() {
        let claims = br#"{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"jti":"j",
            "scope":"x y","breakglass":{"reason":"r","approvers":["bob"]}}"#;
        let claims = Claims::from_json(&Json::parse(claims).unwrap()).unwrap();
        let read = |answer: &Introspection, jti: &str| {
            read_answer(200, &serde_json::to_vec(answer).unwrap(), jti)
        };
        let answer = active(claims);
        assert_eq!(read(&answer, "j"), Some(Verdict::Active));
        assert_eq!(read(&answer, "other"), None);
        assert_eq!(read(&Introspection::default(), "j"), Some(Verdict::Inactive));
    }
}
