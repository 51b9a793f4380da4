//! The browser of a person who wants to sign in is sent to an identity provider, with the sealed cookie.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use breakglass_identity::{Provider, ProviderError, SignInRequest};
use breakglass_types::limits::MAX_NAME_BYTES;
use url::Url;

use super::cookie::Cookie;
use super::{base, instant, path_of};
use crate::app::App;
use crate::signin::{LeadsTo, Providers, UnderWay};

/// The longest `account`, in bytes: a provider's name and a subject.
const MAX_ACCOUNT: usize = 2 * MAX_NAME_BYTES;

/// How long ago a person may have authenticated where a level is asked for and no `max_age`.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// What is wrong with a question, for the client: a word of the RFC, and in words.
pub(super) type Wrong = (&'static str, String);

/// A sign-in that is to be begun.
pub(super) struct ToProvider {
    /// Where.
    pub(super) provider: Arc<Provider>,
    /// The level to ask for, and how long ago the person may have authenticated by it.
    pub(super) level: Option<(String, Duration)>,
    /// The subject of the person who has to come back.
    pub(super) person: Option<String>,
    /// Passed on.
    pub(super) login_hint: Option<String>,
    /// Where the sign-in leads.
    pub(super) leads_to: LeadsTo,
}

impl ToProvider {
    /// Where to send the browser, and the cookie that it keeps meanwhile.
    pub(super) async fn begin(
        self,
        app: &App,
        providers: &Providers,
    ) -> Result<(Url, HeaderValue), Wrong> {
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
        let (mut url, sign_in) = begun.map_err(|error| failed(app, &self.provider, &error))?;
        if let Some(hint) = &self.login_hint {
            url.query_pairs_mut().append_pair("login_hint", hint);
        }
        let within = self.provider.entry().sign_in_within.as_secs();
        let path = format!("{}{}", path_of(&config.issuer), self.provider.entry().callback_path());
        let under_way = UnderWay { sign_in, leads_to: self.leads_to };
        let sealed = app.sign_ins().seals.seal(&under_way, app.randomness());
        let sealed =
            sealed.ok_or_else(|| unavailable("the service cannot seal the sign-in".to_owned()))?;
        let cookie = Cookie::SignIn.set(&config.issuer, &sealed, &path, within);
        let cookie = HeaderValue::from_str(&cookie);
        let cookie = cookie.map_err(|_| {
            unavailable("the service cannot write the cookie of the sign-in".to_owned())
        })?;
        Ok((url, cookie))
    }
}

/// The provider and the subject of the account that must come back; `provider` is the one that is asked for besides.
pub(super) fn account<'q>(
    account: Option<&'q str>,
    provider: Option<&str>,
) -> Result<Option<(&'q str, &'q str)>, Wrong> {
    let wrong = |text: String| ("invalid_request", text);
    let Some(account) = account else { return Ok(None) };
    let parts = account.split_once(':').filter(|_| account.len() <= MAX_ACCOUNT);
    let Some((name, subject)) = parts.filter(|(_, subject)| !subject.is_empty()) else {
        let text = "account: expected '<provider>:<subject>', as the tokens of the session name it";
        return Err(wrong(text.to_owned()));
    };
    match provider {
        Some(other) if other != name => {
            Err(wrong(format!("account: expected one of the provider '{other}'")))
        }
        _ => Ok(Some((name, subject))),
    }
}

/// The level that is asked for, which the provider's entry must have.
pub(super) fn level(
    provider: &Provider,
    name: Option<&str>,
    max_age: Option<u64>,
) -> Result<Option<(String, Duration)>, Wrong> {
    let wrong = |text: String| ("invalid_request", text);
    let Some(name) = name else {
        return match max_age {
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
    Ok(Some((name.to_owned(), max_age.map_or(MAX_AGE, Duration::from_secs))))
}

/// What to say of a provider that could not be asked.
fn failed(app: &App, provider: &Provider, error: &ProviderError) -> Wrong {
    let name = &provider.entry().name;
    if app.sign_ins().logged.take(app.now(), None) {
        tracing::warn!(provider = name, %error, "no sign-in could be begun");
    }
    ("temporarily_unavailable", format!("{name}: {error}"))
}
