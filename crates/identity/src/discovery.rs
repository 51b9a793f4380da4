//! What a provider says of itself: its discovery document (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).
//! Strict about its issuer and about where codes and secrets go; lenient about everything else.

use breakglass_core::token::Algorithm;
use breakglass_types::json::Json;
use url::Url;

use crate::endpoint::endpoint;
use crate::entry::IdentityProvider;
use crate::limits::MAX_DISCOVERY_BYTES;
use crate::shown::shown;

/// What is needed of a discovery document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Where people are sent to sign in.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: Url,
    /// The same, for clients that are known by a certificate (RFC 8705 section 5).
    pub mtls_token_endpoint: Url,
    /// Where its keys are.
    pub jwks_uri: Url,
    /// Where more is said about a person.
    pub userinfo_endpoint: Option<Url>,
    /// Where a person is sent to sign out there (OpenID Connect RP-Initiated Logout 1.0).
    pub end_session_endpoint: Option<Url>,
    /// Whether each answer to an authorization request names its issuer (RFC 9207): then one without it is refused.
    pub sends_issuer: bool,
    /// Whether a client's secret can be sent by HTTP Basic; else it goes into the form.
    pub takes_basic: bool,
}

/// Why a discovery document cannot be used: field, expected, got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("discovery document: {0}")]
pub struct InvalidDiscovery(String);

impl Discovery {
    /// Reads the discovery document of `provider`.
    ///
    /// # Errors
    /// [`InvalidDiscovery`] says everything that is wrong with it.
    pub fn read(provider: &IdentityProvider, body: &[u8]) -> Result<Discovery, InvalidDiscovery> {
        if body.len() > MAX_DISCOVERY_BYTES {
            let length = body.len();
            let why = format!("expected at most {MAX_DISCOVERY_BYTES} bytes, got {length}");
            return Err(InvalidDiscovery(why));
        }
        let json = Json::parse(body).map_err(|error| InvalidDiscovery(error.to_string()))?;
        let mut document = Document { json: &json, errors: Vec::new() };
        document.check_issuer(provider);
        document.check_list("response_types_supported", |item| item == "code", "`code`");
        document.check_list("code_challenge_methods_supported", |item| item == "S256", "`S256`");
        let is_allowed = |item: &str| {
            Algorithm::from_name(item).is_some_and(|one| provider.algorithms.contains(&one))
        };
        let expected = "one of this provider's `algorithms` here";
        document.check_list("id_token_signing_alg_values_supported", is_allowed, expected);
        let authorization_endpoint = document.required("authorization_endpoint");
        let token_endpoint = document.required("token_endpoint");
        let jwks_uri = document.required("jwks_uri");
        let userinfo_endpoint = document.optional(&json, "userinfo_endpoint");
        let end_session_endpoint = document.optional(&json, "end_session_endpoint");
        let aliases = json.member("mtls_endpoint_aliases").unwrap_or(&Json::Null);
        let mtls_token_endpoint = document.optional(aliases, "token_endpoint");
        let sends_issuer = json.member("authorization_response_iss_parameter_supported");
        let methods = json.member("token_endpoint_auth_methods_supported").and_then(Json::as_array);
        // RFC 8414 section 2: where the list is absent, it is HTTP Basic.
        let takes_basic = methods.is_none_or(|methods| {
            methods.iter().any(|method| method.as_str() == Some("client_secret_basic"))
        });
        let errors = document.errors.join("; ");
        match (authorization_endpoint, token_endpoint, jwks_uri) {
            (Some(authorization_endpoint), Some(token_endpoint), Some(jwks_uri))
                if errors.is_empty() =>
            {
                Ok(Discovery {
                    authorization_endpoint,
                    mtls_token_endpoint: mtls_token_endpoint
                        .unwrap_or_else(|| token_endpoint.clone()),
                    token_endpoint,
                    jwks_uri,
                    userinfo_endpoint,
                    end_session_endpoint,
                    sends_issuer: sends_issuer.and_then(Json::as_bool).unwrap_or_default(),
                    takes_basic,
                })
            }
            _ => Err(InvalidDiscovery(errors)),
        }
    }
}

/// A document while it is read.
struct Document<'a> {
    json: &'a Json,
    errors: Vec<String>,
}

impl Document<'_> {
    /// OpenID Connect Discovery section 4.3: the issuer must be exactly the one that was asked.
    fn check_issuer(&mut self, provider: &IdentityProvider) {
        let issuer = self.json.member("issuer").and_then(Json::as_str).unwrap_or_default();
        if issuer != provider.issuer {
            self.errors.push(format!(
                "issuer: expected `{}`, got `{}`: write it in the configuration as it stands there",
                provider.issuer,
                shown(issuer)
            ));
        }
    }

    /// A list that is there must have one of these items.
    fn check_list(&mut self, name: &str, is_wanted: impl Fn(&str) -> bool, expected: &str) {
        let Some(items) = self.json.member(name).and_then(Json::as_array) else { return };
        if !items.iter().any(|item| item.as_str().is_some_and(&is_wanted)) {
            let items: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
            let got = shown(&items.join(", "));
            self.errors.push(format!("{name}: expected {expected}, got `{got}`"));
        }
    }

    fn required(&mut self, name: &str) -> Option<Url> {
        if self.json.member(name).is_none() {
            self.errors.push(format!("{name}: is required"));
        }
        self.optional(self.json, name)
    }

    fn optional(&mut self, json: &Json, name: &str) -> Option<Url> {
        let url = json.member(name)?.as_str().ok_or_else(|| "expected a URL".to_owned());
        url.and_then(endpoint).map_err(|error| self.errors.push(format!("{name}: {error}"))).ok()
    }
}
