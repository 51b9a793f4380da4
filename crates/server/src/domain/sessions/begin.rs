//! A code makes a session: an authorization code (RFC 6749 section 4.1.3, RFC 7636), or a device code with which a person has
//! signed in (RFC 8628 section 3.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_api::trail::ServiceAction;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::at_provider;
use super::end::{end_reused, ended};
use super::refused::TokenRefused;
use super::tokens::{Fresh, Tokens};
use crate::access::device::check_device_sign_in_of;
use crate::app::App;
use crate::auth::live_sessions::SessionChange;
use crate::clock::Moment;
use crate::config::Digest;
use crate::limits::{MAX_SESSIONS, SESSION_S};
use crate::session_token::{RefreshToken, sha256};
use crate::store::{
    Change, Code, Happened, NewSession, SERVICE, ServiceAct, SessionEnd, code_context,
};

/// What a client sends with its code.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The code.
    pub code: &'a str,
    /// The client.
    pub client: &'a str,
    /// Where the code was sent.
    pub redirect_uri: &'a str,
    /// `code_verifier`.
    pub verifier: &'a str,
    /// The address of the client.
    pub source: Option<&'a str>,
}

impl Exchange<'_> {
    /// Whether the code was given for this.
    fn check(&self, now: Moment, code: &Code) -> Result<(), TokenRefused> {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(self.verifier));
        let is_bound: bool = challenge.as_bytes().ct_eq(code.code_challenge.as_bytes()).into();
        if self.client != code.client {
            return Err(TokenRefused::NotBound("client_id"));
        }
        if self.redirect_uri != code.redirect_uri {
            return Err(TokenRefused::NotBound("redirect_uri"));
        }
        if !is_bound {
            return Err(TokenRefused::NotBound("code_verifier"));
        }
        match now.seconds() < code.expires_at {
            true => Ok(()),
            false => Err(TokenRefused::CodeExpired),
        }
    }
}

/// Begins the session of a code. A code that was used before ends the session that it made, whatever else comes with it
/// (RFC 6749 section 4.1.2).
///
/// # Errors
/// [`TokenRefused`].
pub async fn begin(app: &App, now: Moment, sent: &Exchange<'_>) -> Result<Tokens, TokenRefused> {
    let digest = sha256(sent.code);
    let unknown = || TokenRefused::Unknown("code");
    // A made-up one, or one with another verifier, costs no lock.
    let code = app.store().code(&digest).await?.ok_or_else(unknown)?;
    if code.device.is_some() {
        return Err(unknown());
    }
    if code.session.is_none() {
        sent.check(now, &code)?;
    }
    let alone = app.sessions().change().await;
    let mut change = app.store().change().await?;
    let code = change.code(&digest).await?.ok_or_else(unknown)?;
    if let Some(session) = &code.session {
        let why = SessionEnd::CodeReused;
        end_reused(&alone, change, now, session, why, sent.source).await?;
        return Err(TokenRefused::Reused { what: "code", account: code.account });
    }
    let by = By { client_source: sent.source, code: &digest };
    start(app, now, alone, change, &code, &by).await
}

/// Begins the session of a device code with which a person has signed in, if the person may sign in so by what is known of
/// them now. Of several requests with one code one gets the tokens.
///
/// # Errors
/// [`TokenRefused`].
pub(in crate::domain) async fn begin_by_device(
    app: &App,
    now: Moment,
    digest: &Digest,
    client: &str,
    source: Option<&str>,
) -> Result<Tokens, TokenRefused> {
    let alone = app.sessions().change().await;
    let mut change = app.store().change().await?;
    let code = change.code(digest).await?.filter(|code| code.device.is_some());
    let code = code.ok_or(TokenRefused::DeviceExpired)?;
    if client != code.client {
        return Err(TokenRefused::NotBound("client_id"));
    }
    if code.session.is_some() {
        return Err(TokenRefused::DeviceTaken);
    }
    if now.seconds() >= code.expires_at {
        return Err(TokenRefused::DeviceExpired);
    }
    if let Err(why) = check_device_sign_in_of(&app.config(), &code.account) {
        return Err(TokenRefused::DeviceRefused {
            why: why.to_string(),
            account: Some(code.account),
        });
    }
    let by = By { client_source: source, code: digest };
    start(app, now, alone, change, &code, &by).await
}

/// By what a session begins.
struct By<'a> {
    /// The address of the client.
    client_source: Option<&'a str>,
    /// The SHA-256 of the code.
    code: &'a Digest,
}

async fn start(
    app: &App,
    now: Moment,
    alone: SessionChange<'_>,
    mut change: Change,
    code: &Code,
    by: &By<'_>,
) -> Result<Tokens, TokenRefused> {
    if app.config().people.account(&code.account).is_none() {
        let why = "its identity provider is not configured any more";
        return Err(TokenRefused::Ended { why, account: code.account.clone() });
    }
    let source = by.client_source;
    let refresh = RefreshToken::first(app.randomness());
    let handle_sha256 = refresh.handle_sha256();
    let ends_at = now.seconds().saturating_add(SESSION_S);
    let fresh = Fresh::new(app, now, refresh, ends_at);
    let id = app.randomness().id("ses", now);
    // From now on it is the session's.
    let at_provider = code.provider_session.as_deref();
    let at_provider =
        at_provider.and_then(|sealed| at_provider::open(app, &code_context(by.code), sealed));
    let provider_session = at_provider.and_then(|session| at_provider::seal(app, &id, &session));
    let new = NewSession { id: &id, source, handle_sha256, provider_session, tokens: fresh.kept };
    let session = change.begin_session(now, by.code, &new).await?;
    let detail = json!({
        "session": id, "account": session.account, "client": session.client, "source": source,
        "device": session.device,
    });
    let actor = &session.account;
    let act = ServiceAct { actor, action: ServiceAction::SessionBegan, detail: &detail };
    let mut ends = Vec::new();
    for one in change.sessions_beyond(now, actor, MAX_SESSIONS).await? {
        change.end_session(now, &one.id, SERVICE, SessionEnd::TooMany).await?;
        let detail = ended(&one, SessionEnd::TooMany, source);
        ends.push((one.id, detail));
    }
    let mut happened = vec![Happened::Service(act)];
    happened.extend(ends.iter().map(|(_, detail)| {
        let action = ServiceAction::SessionEnded;
        Happened::Service(ServiceAct { actor: SERVICE, action, detail })
    }));
    let recorded = change.record(now, &happened).await?;
    ends.iter().for_each(|(id, _)| alone.end(id));
    recorded.commit().await?;
    alone.put(&session);
    if !ends.is_empty() {
        // Who waits with one of them for something gets its answer.
        app.waits().wake_all();
        tracing::info!(
            account = session.account,
            ended = ends.len(),
            "the oldest sessions ended: too many"
        );
    }
    let device = session.device.is_some();
    tracing::info!(session = id, account = session.account, source, device, "session began");
    Ok(fresh.of(session))
}
