//! `POST /oauth2/revoke` (RFC 7009): revokes the grant of a token that the caller holds or has
//! found. A token that is not ours is as good as revoked (section 2.2).

use axum::extract::State;
use axum::http::StatusCode;
use breakglass_api::token::TokenForm;

use super::body::FormBody;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::problem::Problem;

/// What the trail says where no reason was given.
const REASON: &str = "revoked with its token";

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    FormBody(body): FormBody<TokenForm>,
) -> Result<StatusCode, Problem> {
    let now = app.now();
    // A key that signed a grant that may not be over.
    let Some(claims) = app.issuer().read(&body.token, app.floor()) else {
        return Ok(StatusCode::OK);
    };
    let Some(grant) = app.store().grant(now, &claims.jti).await? else {
        return Ok(StatusCode::OK);
    };
    super::lookup::check_revoke(&app, &person, &grant)?;
    super::revoke::revoke(&app, now, &claims.jti, &person.name, REASON).await?;
    Ok(StatusCode::OK)
}
