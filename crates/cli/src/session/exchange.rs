//! The service's token endpoint: a code, a device's code or a refresh token for the tokens of a session.

use std::time::Duration;

use breakglass_api::session::SessionTokens;

use crate::client::{Connection, Failure, OAuthRefusal};

/// This client, as the service knows it.
pub(crate) const CLIENT_ID: &str = "breakglass-cli";

const PATH: &str = "/oauth2/token";

/// How long one exchange may take. The service takes a refresh token of which the answer was lost a second time for 30 s.
const TIMEOUT: Duration = Duration::from_secs(12);

/// Exchanges what is in `fields`.
///
/// # Errors
/// [`Failure`] if there is no answer, or it is not one of our service's.
pub(crate) fn exchange(
    connection: &Connection,
    fields: &[(&str, &str)],
) -> Result<Result<SessionTokens, OAuthRefusal>, Failure> {
    let fields = [&[("client_id", CLIENT_ID)], fields].concat();
    connection.form(PATH, &fields, TIMEOUT)
}
