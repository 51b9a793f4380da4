//! A client exchanges its authorization code for the tokens of a session (RFC 6749 section 4.1.3, RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_api::trail::ServiceAction;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::at_provider;
use super::end::end_reused;
use super::refused::TokenRefused;
use super::tokens::{Fresh, Tokens};
use crate::app::App;
use crate::clock::Moment;
use crate::limits::SESSION_S;
use crate::session_token::{RefreshToken, sha256};
use crate::store::{Code, Happened, NewSession, ServiceAct, SessionEnd, code_context};

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
    if app.config().people.account(&code.account).is_none() {
        let why = "its identity provider is not configured any more";
        return Err(TokenRefused::Ended { why, account: code.account });
    }
    let refresh = RefreshToken::first(app.randomness());
    let handle_sha256 = refresh.handle_sha256();
    let ends_at = now.seconds().saturating_add(SESSION_S);
    let fresh = Fresh::new(app, now, refresh, ends_at);
    let id = app.randomness().id("ses", now);
    // From now on it is the session's.
    let at_provider = code.provider_session.as_deref();
    let at_provider =
        at_provider.and_then(|sealed| at_provider::open(app, &code_context(&digest), sealed));
    let provider_session = at_provider.and_then(|session| at_provider::seal(app, &id, &session));
    let new = NewSession {
        id: &id,
        source: sent.source,
        handle_sha256,
        provider_session,
        tokens: fresh.kept,
    };
    let session = change.begin_session(now, &digest, &new).await?;
    let detail = json!({
        "session": id, "account": session.account, "client": session.client, "source": sent.source,
    });
    let actor = &session.account;
    let act = ServiceAct { actor, action: ServiceAction::SessionBegan, detail: &detail };
    change.record(now, &[Happened::Service(act)]).await?.commit().await?;
    alone.put(&session);
    tracing::info!(session = id, account = session.account, source = sent.source, "session began");
    Ok(fresh.of(session))
}
