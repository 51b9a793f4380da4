//! `GET /oauth2/authorize`: the browser of a person who wants to sign in is sent to an identity provider.
//!
//! A wrong client or redirect is a page with 400 that sends the browser nowhere (RFC 6749 section 4.1.2.1); every other error
//! goes to the client.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use breakglass_api::session::AuthorizeQuery;
use breakglass_identity::Provider;
use url::form_urlencoded::Serializer;

use super::client::{CLIENT_ID, ClientRedirect, REDIRECT_URI, is_redirect_uri, redirect};
use super::provider::{ToProvider, Wrong, account, level};
use super::providers;
use crate::app::App;
use crate::routes::page;
use crate::signin::{ClientWaits, LeadsTo, Providers};

/// The longest `state` of a client, in bytes: it goes into the cookie.
const MAX_STATE: usize = 512;

/// The longest `login_hint`, in bytes.
const MAX_HINT: usize = 256;

pub(in crate::routes) async fn handler(State(app): State<App>, uri: Uri) -> Response {
    let providers = match providers(&app) {
        Ok(providers) => providers,
        Err(problem) => return problem.into_response(),
    };
    let refused = |text: &str| page::failure(StatusCode::BAD_REQUEST, text);
    let Ok(Query(query)) = Query::<AuthorizeQuery>::try_from_uri(&uri) else {
        return refused(
            "The address of this page is not what `breakglass login` makes: each parameter once, and `max_age` in \
                        seconds.",
        );
    };
    if query.client_id.as_deref() != Some(CLIENT_ID) {
        return refused(&format!(
            "client_id: expected `{CLIENT_ID}`. Start again with `breakglass login`."
        ));
    }
    let Some(redirect_uri) = query.redirect_uri.as_deref().filter(|uri| is_redirect_uri(uri))
    else {
        return refused(&format!(
            "redirect_uri: expected `{REDIRECT_URI}`. Start again with `breakglass login`."
        ));
    };
    let config = app.config();
    let state = query.state.as_deref();
    let client = ClientRedirect { uri: redirect_uri, state, issuer: &config.issuer };
    let asked = match Asked::read(&providers, &query, redirect_uri) {
        Ok(Some(asked)) => asked,
        Ok(None) => return choose(&providers, &uri),
        Err((error, description)) => return client.error(error, &description),
    };
    match asked.begin(&app, &providers).await {
        Ok(response) => response,
        Err((error, description)) => client.error(error, &description),
    }
}

/// A page with a link for each provider.
fn choose(providers: &Providers, uri: &Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let link = |name| {
        let mut more = Serializer::new(String::new());
        (name, format!("?{query}&{}", more.append_pair("provider", name).finish()))
    };
    page::choice(&providers.names().map(link).collect::<Vec<_>>())
}

/// A question that is as it should be.
struct Asked {
    provider: Arc<Provider>,
    level: Option<(String, Duration)>,
    /// The subject of the person who has to come back.
    person: Option<String>,
    login_hint: Option<String>,
    redirect_uri: String,
    code_challenge: String,
    state: String,
}

impl Asked {
    /// Nothing where the person has to choose a provider first.
    fn read(
        providers: &Providers,
        query: &AuthorizeQuery,
        redirect_uri: &str,
    ) -> Result<Option<Asked>, Wrong> {
        let wrong = |text: String| ("invalid_request", text);
        let state = query.state.as_deref().unwrap_or_default();
        if state.is_empty()
            || state.len() > MAX_STATE
            || !state.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(wrong(format!(
                "state: expected 1 to {MAX_STATE} visible ASCII characters"
            )));
        }
        if query.response_type.as_deref() != Some("code") {
            return Err(("unsupported_response_type", "response_type: expected 'code'".to_owned()));
        }
        if query.code_challenge_method.as_deref() != Some("S256") {
            return Err(wrong("code_challenge_method: expected 'S256'".to_owned()));
        }
        let is_digest = |text: &&str| {
            text.len() == 43
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let Some(challenge) = query.code_challenge.as_deref().filter(is_digest) else {
            return Err(wrong(
                "code_challenge: expected a SHA-256 in base64url: 43 characters".to_owned(),
            ));
        };
        if query.login_hint.as_ref().is_some_and(|hint| hint.len() > MAX_HINT) {
            return Err(wrong(format!("login_hint: expected at most {MAX_HINT} bytes")));
        }
        let account = account(query.account.as_deref(), query.provider.as_deref())?;
        let wanted = query.provider.as_deref().or(account.map(|(provider, _)| provider));
        let mut names = providers.names();
        let name = match (wanted, names.next(), names.next()) {
            (Some(name), ..) | (None, Some(name), None) => name,
            _ => return Ok(None),
        };
        let Some(provider) = providers.get(name) else {
            let names = providers.names().collect::<Vec<_>>().join(", ");
            return Err(wrong(format!("provider: expected one of: {names}")));
        };
        Ok(Some(Asked {
            provider: Arc::clone(provider),
            level: level(provider, query.level.as_deref(), query.max_age)?,
            person: account.map(|(_, subject)| subject.to_owned()),
            login_hint: query.login_hint.clone(),
            redirect_uri: redirect_uri.to_owned(),
            code_challenge: challenge.to_owned(),
            state: state.to_owned(),
        }))
    }

    async fn begin(self, app: &App, providers: &Providers) -> Result<Response, Wrong> {
        let leads_to = LeadsTo::Client(ClientWaits {
            redirect_uri: self.redirect_uri,
            code_challenge: self.code_challenge,
            state: self.state,
        });
        let asked = ToProvider {
            provider: self.provider,
            level: self.level,
            person: self.person,
            login_hint: self.login_hint,
            leads_to,
        };
        let (url, cookie) = asked.begin(app, providers).await?;
        let mut response = redirect(url.as_str());
        response.headers_mut().insert(header::SET_COOKIE, cookie);
        Ok(response)
    }
}
