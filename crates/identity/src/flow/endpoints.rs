//! The endpoints of a provider: its documents, which are kept, and its answers, which are not.

use std::sync::Arc;

use breakglass_core::token::PublicKey;
use breakglass_types::instant::Instant;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::cached::Cached;
use crate::claims::Userinfo;
use crate::discovery::Discovery;
use crate::entry::{GroupsFrom, IdentityProvider};
use crate::error::{ProviderError, Refusal};
use crate::keys::{KeyError, KeySource, Keys};
use crate::limits::{
    MAX_DISCOVERY_BYTES, MAX_KEY_SET_BYTES, MAX_TOKEN_ANSWER_BYTES, MAX_USERINFO_BYTES,
};
use crate::verify::IdentityClaims;

use super::client_proof::client_proof;
use super::http;
use super::token_answer::TokenAnswer;

/// 32 random bytes at each call.
pub type Randomness = Box<dyn Fn() -> [u8; 32] + Send + Sync>;

/// The endpoints of a provider.
pub(super) struct Endpoints {
    pub(super) entry: IdentityProvider,
    pub(super) random: Randomness,
    discovery: Cached<Discovery>,
    keys: Keys,
}

impl Endpoints {
    pub(super) fn new(entry: IdentityProvider, random: Randomness) -> Endpoints {
        Endpoints { entry, random, discovery: Cached::new(), keys: Keys::new() }
    }

    pub(super) fn discovery(&self, now: Instant) -> Result<Arc<Discovery>, ProviderError> {
        self.discovery.get(now, |_| true, || self.fetch_discovery())
    }

    /// The same to send a person there: an error where the provider is away, although a document is kept.
    pub(super) fn discovery_unless_away(
        &self,
        now: Instant,
    ) -> Result<Arc<Discovery>, ProviderError> {
        self.discovery.get_unless_away(now, || self.fetch_discovery())
    }

    fn fetch_discovery(&self) -> Result<Discovery, ProviderError> {
        let url = self.entry.discovery_url();
        let url = Url::parse(&url).map_err(|error| ProviderError::Local(error.to_string()))?;
        let body = self.document(&url, MAX_DISCOVERY_BYTES)?;
        let read = Discovery::read(&self.entry, &body);
        read.map_err(|error| ProviderError::Wrong(error.to_string()))
    }

    fn document(&self, url: &Url, max_bytes: usize) -> Result<Vec<u8>, ProviderError> {
        let answer = http::get(&self.entry, url, None, max_bytes)?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(ProviderError::status(url.as_str(), status)),
        }
    }

    pub(super) fn token(
        &self,
        discovery: &Discovery,
        form: &[(&str, &str)],
        now: Instant,
    ) -> Result<TokenAnswer, ProviderError> {
        let proof = client_proof(&self.entry, discovery, &(self.random)(), now)?;
        let form =
            Serializer::new(String::new()).extend_pairs(form).extend_pairs(&proof.fields).finish();
        let authorization = proof.authorization.as_deref();
        let bound = MAX_TOKEN_ANSWER_BYTES;
        let answer = http::post(&self.entry, proof.endpoint, authorization, &form, bound)?;
        TokenAnswer::read(answer.status, &answer.body)
    }

    /// What the userinfo endpoint says, where groups are read there, or the ID token has nothing to show of a person.
    pub(super) fn userinfo(
        &self,
        discovery: &Discovery,
        identity: &IdentityClaims,
        access_token: &str,
    ) -> Result<Option<Userinfo>, ProviderError> {
        let has_groups = self.entry.groups_from == GroupsFrom::Userinfo;
        let shows = ["name", "preferred_username", "email"];
        if !has_groups && shows.iter().any(|claim| identity.json().member(claim).is_some()) {
            return Ok(None);
        }
        let Some(url) = &discovery.userinfo_endpoint else { return Ok(None) };
        let answer = http::get(&self.entry, url, Some(access_token), MAX_USERINFO_BYTES);
        // A name to show is worth no failure; groups are.
        let answer = match answer {
            Err(_) if !has_groups => return Ok(None),
            answer => answer?,
        };
        let wrong = |why: String| Err(ProviderError::Wrong(format!("userinfo: {why}")));
        match (answer.status, answer.media_type.as_str()) {
            (200, "application/jwt") => wrong(
                "expected JSON, got a signed answer: have the provider send it unsigned".to_owned(),
            ),
            (200, _) => Userinfo::read(&answer.body, identity.sub()).map(Some),
            _ if !has_groups => Ok(None),
            (401, _) => Err(ProviderError::Refused(Refusal::new("invalid_token", None))),
            (status, _) => Err(ProviderError::status("userinfo", status)),
        }
    }

    pub(super) fn keys_at<'a>(
        &'a self,
        discovery: &'a Discovery,
        now: Instant,
    ) -> ProviderKeys<'a> {
        ProviderKeys { endpoints: self, jwks_uri: &discovery.jwks_uri, now }
    }
}

/// The keys of a provider, fetched where they are needed.
pub(super) struct ProviderKeys<'a> {
    endpoints: &'a Endpoints,
    jwks_uri: &'a Url,
    now: Instant,
}

impl KeySource for ProviderKeys<'_> {
    fn key(&self, kid: &str) -> Result<PublicKey, KeyError> {
        let fetch = || self.endpoints.document(self.jwks_uri, MAX_KEY_SET_BYTES);
        self.endpoints.keys.find(kid, self.now, fetch)
    }
}
