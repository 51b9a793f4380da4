//! The device grant (RFC 8628): the person signs in at another device, which shows the same code.

use std::thread::sleep;
use std::time::Duration;

use breakglass_api::session::SessionTokens;
use serde::Deserialize;
use tokio::time::Instant;

use super::server::Server;
use super::{Asked, How, words};
use crate::answer::one_line;
use crate::client::{Connection, Failure, OAuthRefusal};
use crate::session::exchange::{CLIENT_ID, exchange};
use crate::terminal::Terminal;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How long to wait between two questions where the service does not say (section 3.2), and how much longer after each
/// `slow_down` (section 3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// The longest wait between two questions.
const LONGEST: Duration = Duration::from_secs(60);

/// How long the service may take to begin.
const TIMEOUT: Duration = Duration::from_secs(12);

/// What the service says of a sign-in that is under way (section 3.2).
#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default)]
    interval: Option<u64>,
}

/// Has the person sign in elsewhere.
pub(super) fn sign_in(
    connection: &Connection,
    server: &Server,
    asked: &Asked,
    how: How,
    terminal: Terminal,
) -> Result<SessionTokens, Failure> {
    let start = Instant::now();
    let pairs = asked.pairs();
    let mut fields = vec![("client_id", CLIENT_ID)];
    fields.extend(pairs.iter().map(|(name, value)| (*name, value.as_str())));
    let begun = connection.form::<Begun>(server.device_path()?, &fields, TIMEOUT)?;
    let begun = begun.map_err(|refusal| refused(&refusal))?;
    let limit = how.timeout.min(Duration::from_secs(begun.expires_in));
    let shown = humantime::format_duration(limit);
    let complete = begun.verification_uri_complete.as_deref().map(one_line);
    let complete = complete.map(|url| format!("\nor open  {url}")).unwrap_or_default();
    terminal.note(&format!(
        "sign in at another device: open\n\n  {}\n\nand enter the code  {}{complete}\n\nwaiting for at most {shown} ..",
        one_line(&begun.verification_uri),
        one_line(&begun.user_code),
    ));
    let fields = [("grant_type", GRANT_TYPE), ("device_code", begun.device_code.as_str())];
    let mut interval = begun.interval.map_or(INTERVAL, Duration::from_secs);
    interval = interval.clamp(Duration::from_secs(1), LONGEST);
    loop {
        if start.elapsed().saturating_add(interval) > limit {
            return Err(words::no_answer(&shown.to_string(), "the code was not confirmed"));
        }
        sleep(interval);
        match exchange(connection, &fields) {
            Ok(Ok(tokens)) => return Ok(tokens),
            Ok(Err(refusal)) => match refusal.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval = interval.saturating_add(INTERVAL).min(LONGEST),
                _ => return Err(refused(&refusal)),
            },
            // Section 3.5: less often where the service does not answer.
            Err(failure) if failure.may_pass() => {
                interval = interval.saturating_mul(2).min(LONGEST);
            }
            Err(failure) => return Err(failure),
        }
    }
}

fn refused(refusal: &OAuthRefusal) -> Failure {
    words::refused(&refusal.error, &refusal.error_description)
}
