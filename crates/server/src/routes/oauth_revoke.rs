//! `POST /oauth2/revoke` (RFC 7009): revokes the grant of a token that the caller holds or has
//! found, or ends the session of an access token or a refresh token. A token that is not ours is as good as revoked (section 2.2).

use axum::extract::State;
use axum::http::StatusCode;
use breakglass_api::token::TokenForm;

use super::body::FormBody;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::domain;
use crate::problem::Problem;
use crate::session_token::{ACCESS_PREFIX, REFRESH_PREFIX};

/// What the trail says where no reason was given.
const REASON: &str = "revoked with its token";

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    FormBody(body): FormBody<TokenForm>,
) -> Result<StatusCode, Problem> {
    // To have a token of a session is the right to end it.
    if [ACCESS_PREFIX, REFRESH_PREFIX].iter().any(|prefix| body.token.starts_with(prefix)) {
        domain::sessions::end_by_token(&app, &person, app.now(), &body.token, None).await?;
        return Ok(StatusCode::OK);
    }
    // A key that signed a grant that may not be over.
    if let Some(claims) = app.issuer().read(&body.token, app.floor()) {
        domain::revoke_by_token(&app, &person, app.now(), &claims.jti, REASON).await?;
    }
    Ok(StatusCode::OK)
}
