//! `POST /oauth2/revoke` (RFC 7009): revokes the grant of a token that the caller holds or has
//! found, or ends the session of an access token or a refresh token. A token that is not ours is as good as revoked (section 2.2).
//!
//! To have a token of a session is the right to end it: so the command line, a public client, sends `client_id` and no
//! credential (section 2.1), and signs out also when its access token is over. A grant is revoked by a person.

use axum::extract::State;
use axum::http::{Extensions, StatusCode};
use breakglass_api::token::RevocationForm;

use super::body::FormBody;
use super::oauth::client::CLIENT_ID;
use super::oauth::source;
use crate::app::App;
use crate::auth::identity::missing_credential;
use crate::auth::public_client::AsPersonOrClient;
use crate::domain;
use crate::problem::Problem;
use crate::session_token::{ACCESS_PREFIX, REFRESH_PREFIX};

/// What the trail says where no reason was given.
const REASON: &str = "revoked with its token";

pub(super) async fn handler(
    State(app): State<App>,
    caller: AsPersonOrClient,
    extensions: Extensions,
    FormBody(body): FormBody<RevocationForm>,
) -> Result<StatusCode, Problem> {
    let source = source(&extensions);
    let is_of_session =
        [ACCESS_PREFIX, REFRESH_PREFIX].iter().any(|prefix| body.token.starts_with(prefix));
    let person = match &caller {
        AsPersonOrClient::Person(person) => Some(person),
        // A JWT may be the token of a grant: whether it is, takes a signature to be checked.
        AsPersonOrClient::Client
            if body.client_id.as_deref() == Some(CLIENT_ID) && !body.token.contains('.') =>
        {
            None
        }
        AsPersonOrClient::Client => return Err(missing_credential()),
    };
    if is_of_session {
        let person = person.map(AsRef::as_ref);
        domain::sessions::end_by_token(&app, person, app.now(), &body.token, source.as_deref())
            .await?;
        return Ok(StatusCode::OK);
    }
    // A key that signed a grant that may not be over.
    if let (Some(person), Some(claims)) = (person, app.issuer().read(&body.token, app.floor())) {
        domain::revoke_by_token(&app, person, app.now(), &claims.jti, REASON).await?;
    }
    Ok(StatusCode::OK)
}
