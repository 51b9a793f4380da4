//! `POST /oauth2/revoke` (RFC 7009): revokes the grant of a token that the caller holds or has
//! found. A token that is not ours is as good as revoked (section 2.2).

use axum::extract::State;
use axum::http::StatusCode;
use breakglass_api::token::TokenForm;

use super::body::FormBody;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::domain;
use crate::problem::Problem;

/// What the trail says where no reason was given.
const REASON: &str = "revoked with its token";

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    FormBody(body): FormBody<TokenForm>,
) -> Result<StatusCode, Problem> {
    // A key that signed a grant that may not be over.
    if let Some(claims) = app.issuer().read(&body.token, app.floor()) {
        domain::revoke_by_token(&app, &person, app.now(), &claims.jti, REASON).await?;
    }
    Ok(StatusCode::OK)
}
