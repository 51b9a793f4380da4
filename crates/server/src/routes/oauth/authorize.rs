//! `GET /oauth2/authorize`: the browser of a person who wants to sign in is sent to an identity provider.
//!
//! A wrong client or redirect is a page with 400 that sends the browser nowhere (RFC 6749 section 4.1.2.1); every other error
//! goes to the client.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use breakglass_api::session::AuthorizeQuery;
use breakglass_identity::{Provider, ProviderError, SignInRequest};
use breakglass_types::limits::MAX_NAME_BYTES;
use url::form_urlencoded::Serializer;

use super::client::{CLIENT_ID, ClientRedirect, REDIRECT_URI, is_redirect_uri, redirect};
use super::cookie::set_cookie;
use super::{base, instant, page, path_of, providers};
use crate::app::App;
use crate::signin::{Providers, UnderWay};

/// The longest `state` of a client, in bytes: it goes into the cookie.
const MAX_STATE: usize = 512;

/// The longest `login_hint`, in bytes.
const MAX_HINT: usize = 256;

/// The longest `account`, in bytes: a provider's name and a subject.
const MAX_ACCOUNT: usize = 2 * MAX_NAME_BYTES;

/// How long ago a person may have authenticated where a level is asked for and no `max_age`.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// What is wrong with a question, for the client: a word of the RFC, and in words.
type Wrong = (&'static str, String);

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
        let account = account(query)?;
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
            level: level(provider, query)?,
            person: account.map(|(_, subject)| subject.to_owned()),
            login_hint: query.login_hint.clone(),
            redirect_uri: redirect_uri.to_owned(),
            code_challenge: challenge.to_owned(),
            state: state.to_owned(),
        }))
    }

    async fn begin(self, app: &App, providers: &Providers) -> Result<Response, Wrong> {
        let config = app.config();
        let callback = format!("{}{}", base(&config.issuer), self.provider.entry().callback_path());
        let (level, person, now) = (self.level, self.person, instant(app.now()));
        let begun = providers.ask(&self.provider, move |provider| {
            let level = level.as_ref().map(|(name, max_age)| (name.as_str(), *max_age));
            let person = person.as_deref();
            provider.begin(&SignInRequest { redirect_uri: &callback, level, person }, now)
        });
        let unavailable = |why: String| ("temporarily_unavailable", why);
        let begun = begun.await.map_err(|busy| unavailable(busy.to_string()))?;
        let (mut url, sign_in) = begun.map_err(|error| failed(&error))?;
        if let Some(hint) = &self.login_hint {
            url.query_pairs_mut().append_pair("login_hint", hint);
        }
        let within = self.provider.entry().sign_in_within.as_secs();
        let path = format!("{}{}", path_of(&config.issuer), self.provider.entry().callback_path());
        let under_way = UnderWay {
            sign_in,
            redirect_uri: self.redirect_uri,
            code_challenge: self.code_challenge,
            state: self.state,
        };
        let sealed = app.seals().seal(&under_way, app.randomness());
        let sealed =
            sealed.ok_or_else(|| unavailable("the service cannot seal the sign-in".to_owned()))?;
        let cookie = set_cookie(&config.issuer, &sealed, &path, within);
        let mut response = redirect(url.as_str());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }
}

/// The provider and the subject of the account that must come back.
fn account(query: &AuthorizeQuery) -> Result<Option<(&str, &str)>, Wrong> {
    let wrong = |text: String| ("invalid_request", text);
    let Some(account) = query.account.as_deref() else { return Ok(None) };
    let parts = account.split_once(':').filter(|_| account.len() <= MAX_ACCOUNT);
    let Some((provider, subject)) = parts.filter(|(_, subject)| !subject.is_empty()) else {
        let text = "account: expected '<provider>:<subject>', as the tokens of the session name it";
        return Err(wrong(text.to_owned()));
    };
    match query.provider.as_deref() {
        Some(other) if other != provider => {
            Err(wrong(format!("account: expected one of the provider '{other}'")))
        }
        _ => Ok(Some((provider, subject))),
    }
}

/// The level that is asked for, which the provider's entry must have.
fn level(provider: &Provider, query: &AuthorizeQuery) -> Result<Option<(String, Duration)>, Wrong> {
    let wrong = |text: String| ("invalid_request", text);
    let Some(name) = &query.level else {
        return match query.max_age {
            Some(_) => Err(wrong("max_age: expected with 'level' only".to_owned())),
            None => Ok(None),
        };
    };
    let levels = &provider.entry().levels;
    if !levels.contains_key(name) {
        let names: Vec<&str> = levels.keys().map(String::as_str).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let provider = &provider.entry().name;
        return Err(wrong(format!(
            "level: expected a level of the provider '{provider}', which has: {names}"
        )));
    }
    Ok(Some((name.clone(), query.max_age.map_or(MAX_AGE, Duration::from_secs))))
}

/// What to say of a provider that could not be asked.
fn failed(error: &ProviderError) -> Wrong {
    tracing::warn!(%error, "no sign-in could be begun");
    ("temporarily_unavailable", error.to_string())
}
