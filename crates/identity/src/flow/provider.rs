//! A provider, as this service talks to it.

use breakglass_types::instant::Instant;
use url::Url;

use crate::claims::{Factor, Groups, Person};
use crate::discovery::Discovery;
use crate::entry::IdentityProvider;
use crate::error::ProviderError;
use crate::verify::{
    ExpectedIdToken, ExpectedLogoutToken, ExpectedRefreshedIdToken, LogoutToken, Verified, verify,
};

use super::authorize::authorization_url;
use super::callback::Callback;
use super::endpoints::{Endpoints, Randomness};
use super::session::ProviderSession;
use super::sign_in::{Refreshed, SignIn, SignInRequest, SignedIn};
use super::sign_in_error::{RefreshFailed, SignInError};
use super::token_answer::TokenAnswer;

/// A provider. Its calls block the thread, each for at most the entry's `timeout`; `now` is the wall clock.
pub struct Provider {
    endpoints: Endpoints,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Provider").field("name", &self.entry().name).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider that was not asked anything yet.
    #[must_use]
    pub fn new(entry: IdentityProvider, random: Randomness) -> Provider {
        Provider { endpoints: Endpoints::new(entry, random) }
    }

    /// What is configured of it.
    #[must_use]
    pub fn entry(&self) -> &IdentityProvider {
        &self.endpoints.entry
    }

    /// Begins a sign-in: where to send the browser, and what to keep until it comes back.
    ///
    /// # Errors
    /// [`ProviderError`]: the provider is away, which it is asked for at most once in ten seconds, or has no discovery document
    /// that can be used; or the entry has no such level.
    pub fn begin(
        &self,
        request: &SignInRequest<'_>,
        now: Instant,
    ) -> Result<(Url, SignIn), ProviderError> {
        let level = match request.level {
            Some((name, _)) => {
                Some(self.entry().levels.get(name).ok_or_else(|| self.no_level(name))?)
            }
            None => None,
        };
        let discovery = self.endpoints.discovery_unless_away(now)?;
        let lifetime = self.entry().sign_in_within;
        let sign_in =
            SignIn::new(&self.entry().name, request, lifetime, &self.endpoints.random, now);
        Ok((authorization_url(self.entry(), &discovery, &sign_in, level), sign_in))
    }

    /// Ends a sign-in with what the browser brought back. It takes the [`SignIn`], because it is good for one answer.
    ///
    /// # Errors
    /// [`SignInError`]: the first check that failed.
    pub fn finish(
        &self,
        sign_in: SignIn,
        callback: &Callback,
        now: Instant,
    ) -> Result<SignedIn, SignInError> {
        sign_in.check(&self.entry().name, callback, now)?;
        let discovery = self.endpoints.discovery(now)?;
        self.check_issuer(&discovery, callback)?;
        if let Some(refusal) = &callback.refusal {
            return Err(ProviderError::Refused(refusal.clone()).into());
        }
        let code = callback.code.as_deref();
        let code = code
            .ok_or_else(|| ProviderError::wrong("the callback has neither `code` nor `error`"))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &sign_in.redirect_uri),
            ("code_verifier", &sign_in.verifier),
        ];
        let answer = self.endpoints.token(&discovery, &form, now)?;
        let text = answer.id_token.as_deref();
        let text =
            text.ok_or_else(|| ProviderError::wrong("token endpoint: `id_token`: is required"))?;
        let expected = ExpectedIdToken { provider: self.entry(), nonce: &sign_in.nonce };
        let token = verify(text, &expected, &self.endpoints.keys_at(&discovery, now), now)?;
        let identity = token.identity();
        if callback.iss.as_deref().is_some_and(|iss| iss != identity.iss()) {
            return Err(
                ProviderError::wrong("`iss` of the callback is not that of the ID token").into()
            );
        }
        let userinfo = self.endpoints.userinfo(&discovery, identity, &answer.access_token)?;
        let person = Person::read(self.entry(), identity, userinfo.as_ref())?;
        if sign_in.person.as_ref().is_some_and(|expected| *expected != person.subject) {
            return Err(SignInError::OtherPerson);
        }
        let factor = match sign_in.asked_level() {
            Some(asked) => {
                let level = self.entry().levels.get(&asked.name);
                let level = level.ok_or_else(|| self.no_level(&asked.name))?;
                Some(Factor::judge(&asked, level, &token, now)?)
            }
            None => None,
        };
        Ok(SignedIn {
            groups: Groups::read(self.entry(), identity, userinfo.as_ref()),
            person,
            factor,
            session: ProviderSession {
                provider: self.entry().name.clone(),
                iss: identity.iss().to_owned(),
                sub: identity.sub().to_owned(),
                sid: identity.sid().map(str::to_owned),
                nonce: sign_in.nonce,
                id_token: text.to_owned(),
                refresh_token: answer.refresh_token,
            },
        })
    }

    /// Asks whether the person is still who they were, and in which groups. A refresh token may be good for one use, and using
    /// an old one again can end the session: two refreshes of one session must not run at a time.
    ///
    /// # Errors
    /// [`RefreshFailed`]; [`RefreshFailed::ends_session`] tells the end of the session from a provider that did not answer.
    pub fn refresh(
        &self,
        session: &ProviderSession,
        now: Instant,
    ) -> Result<Refreshed, RefreshFailed> {
        let refresh_token = session.refresh_token.as_deref().ok_or_else(|| {
            ProviderError::Local(
                "the provider gave no refresh token: ask for the scope `offline_access`".to_owned(),
            )
        })?;
        let discovery = self.endpoints.discovery(now)?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let answer = self.endpoints.token(&discovery, &form, now)?;
        let mut session = session.clone();
        let is_rotated = answer.refresh_token.is_some();
        session.refresh_token = answer.refresh_token.clone().or(session.refresh_token);
        match self.said(&session, &answer, &discovery, now) {
            Ok((person, groups)) => {
                session.id_token = answer.id_token.unwrap_or(session.id_token);
                Ok(Refreshed { person, groups, session })
            }
            Err(error) => {
                let session = is_rotated.then(|| Box::new(session));
                Err(RefreshFailed { error, session })
            }
        }
    }

    /// Who the person is, and in which groups, by the answer to a refresh.
    fn said(
        &self,
        session: &ProviderSession,
        answer: &TokenAnswer,
        discovery: &Discovery,
        now: Instant,
    ) -> Result<(Option<Person>, Groups), SignInError> {
        let Some(text) = &answer.id_token else {
            let groups =
                Groups::Unknown("the provider sent no ID token with the refresh".to_owned());
            return Ok((None, groups));
        };
        let expected = ExpectedRefreshedIdToken {
            provider: self.entry(),
            nonce: &session.nonce,
            iss: &session.iss,
            sub: &session.sub,
        };
        let token = verify(text, &expected, &self.endpoints.keys_at(discovery, now), now)?;
        let identity = token.identity();
        let userinfo = self.endpoints.userinfo(discovery, identity, &answer.access_token)?;
        let person = Person::read(self.entry(), identity, userinfo.as_ref())?;
        Ok((Some(person), Groups::read(self.entry(), identity, userinfo.as_ref())))
    }

    /// Where to send the browser to sign out there (OpenID Connect RP-Initiated Logout 1.0 section 2), and then back to
    /// `redirect_uri`, which is registered there; `None` where the provider has no such page.
    ///
    /// # Errors
    /// [`ProviderError`]: the discovery document is not to be had.
    pub fn end_session_url(
        &self,
        session: &ProviderSession,
        redirect_uri: &str,
        now: Instant,
    ) -> Result<Option<Url>, ProviderError> {
        let url = self.endpoints.discovery(now)?.end_session_endpoint.clone();
        Ok(url.map(|mut url| {
            url.query_pairs_mut()
                .append_pair("id_token_hint", &session.id_token)
                .append_pair("client_id", &self.entry().client_id)
                .append_pair("post_logout_redirect_uri", redirect_uri);
            url
        }))
    }

    /// The page on which a person signs out there, for a service that kept no ID token: it asks the person first (OpenID
    /// Connect RP-Initiated Logout 1.0 section 2); `None` where the provider has none.
    ///
    /// # Errors
    /// [`ProviderError`]: the discovery document is not to be had.
    pub fn sign_out_page(&self, now: Instant) -> Result<Option<Url>, ProviderError> {
        let url = self.endpoints.discovery(now)?.end_session_endpoint.clone();
        Ok(url.map(|mut url| {
            url.query_pairs_mut().append_pair("client_id", &self.entry().client_id);
            url
        }))
    }

    /// Verifies a logout token that was sent to this provider's path.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn logout_token(
        &self,
        token: &str,
        now: Instant,
    ) -> Result<Verified<LogoutToken>, SignInError> {
        let discovery = self.endpoints.discovery(now)?;
        let expected = ExpectedLogoutToken { provider: self.entry() };
        Ok(verify(token, &expected, &self.endpoints.keys_at(&discovery, now), now)?)
    }

    fn no_level(&self, name: &str) -> ProviderError {
        let names: Vec<&str> = self.entry().levels.keys().map(String::as_str).collect();
        ProviderError::Local(format!(
            "the identity provider `{}` has no level `{name}`; its levels are: {}",
            self.entry().name,
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ))
    }

    /// RFC 9207 section 2.4: before the code goes anywhere.
    fn check_issuer(
        &self,
        discovery: &Discovery,
        callback: &Callback,
    ) -> Result<(), ProviderError> {
        match &callback.iss {
            Some(iss) if !self.entry().may_answer_as(iss) => Err(ProviderError::Wrong(format!(
                "`iss` of the callback: expected `{}`, got that of another provider",
                self.entry().issuer
            ))),
            None if discovery.sends_issuer => Err(ProviderError::wrong(
                "the callback has no `iss`, and the provider says that it sends one",
            )),
            _ => Ok(()),
        }
    }
}

// The service shares one among its threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Provider>();
};
