//! Authorization code with PKCE: the browser is sent to the service, and comes back to a port of this machine with a code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_api::session::SessionTokens;
use breakglass_server::random::Randomness;
use breakglass_server::session_token::sha256;
use url::form_urlencoded::Serializer;

use super::loopback::{Answer, Loopback};
use super::server::Server;
use super::{Asked, How, browser, words};
use crate::client::{Connection, Failure};
use crate::session::exchange::{CLIENT_ID, exchange};
use crate::terminal::Terminal;

/// Has the person sign in with a browser.
pub(super) fn sign_in(
    connection: &Connection,
    server: &Server,
    asked: &Asked,
    how: How,
    terminal: Terminal,
) -> Result<SessionTokens, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::Failed(format!("127.0.0.1, where the browser has to come back: {error}"))
    };
    let loopback = Loopback::bind().map_err(|error| failed(&error))?;
    let redirect_uri = loopback.redirect_uri();
    let randomness = Randomness::from_system().map_err(|error| failed(&error))?;
    let random = || URL_SAFE_NO_PAD.encode(randomness.bytes::<32>());
    let (state, verifier) = (random(), random());
    let challenge = URL_SAFE_NO_PAD.encode(sha256(&verifier));
    let mut query = Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", &redirect_uri)
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(asked.pairs());
    let page = format!("{}?{}", server.authorization_endpoint, query.finish());
    let limit = humantime::format_duration(how.timeout);
    let opened = how.browser && browser::open(&page);
    let where_to = match opened {
        true => "sign in with the browser that opens; if none does, open",
        false => "sign in: open this in a browser of this machine,",
    };
    terminal.note(&format!("{where_to}\n\n  {page}\n\nwaiting for at most {limit} .."));
    let answer = loopback.wait(&state, &server.issuer, how.timeout);
    let code = match answer.map_err(|error| failed(&error))? {
        Some(Answer::Code(code)) => code,
        Some(Answer::Error { error, description }) => {
            return Err(words::refused(&error, &description));
        }
        Some(Answer::OtherIssuer) => return Err(words::other_issuer(&server.issuer)),
        None => return Err(words::no_answer(&limit.to_string(), "no browser came back with one")),
    };
    let tokens = exchange(
        connection,
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &verifier),
        ],
    )?;
    tokens.map_err(|refusal| words::refused(&refusal.error, &refusal.error_description))
}
