//! Tokens, good and hostile: every byte of them can be chosen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_types::claims::{Breakglass, Claims};
use serde_json::{Map, Value, json};

use crate::keys::{Key, base64url};
use crate::policy;

/// A token about to be signed. It starts as one that [`policy::standard`] allows to read orders.
#[derive(Clone)]
pub struct Mint<'k> {
    key: &'k Key,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    header_text: Option<Vec<u8>>,
    payload_text: Option<Vec<u8>>,
}

impl<'k> Mint<'k> {
    /// A token of a new grant, signed by `key`, which is good for ten minutes from now.
    ///
    /// # Panics
    /// Never: the header and the claims are objects.
    #[must_use]
    pub fn new(key: &'k Key) -> Mint<'k> {
        static GRANTS: AtomicU64 = AtomicU64::new(1);
        let grant = format!("grant-{}", GRANTS.fetch_add(1, Ordering::Relaxed));
        let header = json!({"alg": key.algorithm(), "kid": key.kid(), "typ": policy::TYPE});
        let claims = Claims {
            iss: policy::ISSUER.to_owned(),
            sub: policy::SUBJECT.to_owned(),
            aud: vec![policy::AUDIENCE.to_owned()],
            iat: now(),
            nbf: None,
            exp: now() + 600,
            jti: grant,
            scope: vec!["orders:read".to_owned()],
            roles: Vec::new(),
            groups: Vec::new(),
            amr: Vec::new(),
            acr: None,
            auth_time: None,
            cnf: None,
            breakglass: Breakglass {
                reason: policy::JUSTIFICATION.to_owned(),
                incident: Some(policy::INCIDENT.to_owned()),
                approvers: vec![policy::APPROVER.to_owned()],
                emergency: false,
                ..Breakglass::default()
            },
        };
        let mut claims = serde_json::to_value(claims).unwrap();
        // As other issuers write a single one (RFC 7519 section 4.1.3): ours always writes a list.
        claims["aud"] = policy::AUDIENCE.into();
        let object = |value: Value| value.as_object().cloned().unwrap();
        let (header, claims) = (object(header), object(claims));
        Mint { key, header, claims, header_text: None, payload_text: None }
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets the scopes.
    #[must_use]
    pub fn scope(self, scopes: &str) -> Self {
        self.claim("scope", scopes)
    }

    /// Issued `ago` seconds ago, for `lifetime` seconds.
    #[must_use]
    pub fn issued(self, ago: u64, lifetime: u64) -> Self {
        let iat = now() - ago;
        self.claim("iat", iat).claim("exp", iat + lifetime)
    }

    /// Sets a member of the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a member of the header out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Rewrites the header's JSON text, whatever comes of it.
    #[must_use]
    pub fn header_text(mut self, rewrite: impl FnOnce(String) -> String) -> Self {
        self.header_text = Some(rewrite(Value::Object(self.header.clone()).to_string()).into());
        self
    }

    /// Rewrites the payload's JSON text, whatever comes of it.
    #[must_use]
    pub fn payload_text(self, rewrite: impl FnOnce(String) -> String) -> Self {
        let text = rewrite(Value::Object(self.claims.clone()).to_string());
        self.payload_bytes(text.into())
    }

    /// Sets the payload, whatever it is.
    #[must_use]
    pub fn payload_bytes(mut self, payload: Vec<u8>) -> Self {
        self.payload_text = Some(payload);
        self
    }

    /// The grant's id.
    #[must_use]
    pub fn grant(&self) -> &str {
        self.claims["jti"].as_str().unwrap_or("")
    }

    /// Signs with the key, by the algorithm that the header names.
    #[must_use]
    pub fn sign(&self) -> String {
        let algorithm = self.header.get("alg").and_then(Value::as_str).unwrap_or("");
        self.sign_with(|input| self.key.sign(algorithm, input))
    }

    /// Signs by whatever `sign` does with the signing input.
    #[must_use]
    pub fn sign_with(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let text = |rewritten: &Option<Vec<u8>>, object: &Map<String, Value>| {
            rewritten.clone().unwrap_or_else(|| Value::Object(object.clone()).to_string().into())
        };
        let header = base64url(&text(&self.header_text, &self.header));
        let payload = base64url(&text(&self.payload_text, &self.claims));
        let input = format!("{header}.{payload}");
        let signature = base64url(&sign(input.as_bytes()));
        format!("{input}.{signature}")
    }
}

/// Seconds since 1970, now.
///
/// # Panics
/// When the machine's clock says it is before 1970.
#[must_use]
pub fn now() -> u64 {
    since_1970().as_secs()
}

/// The time since 1970, now.
///
/// # Panics
/// When the machine's clock says it is before 1970.
#[must_use]
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// When a token ends, in seconds since 1970, by its own word.
///
/// # Panics
/// When it is no token.
#[must_use]
pub fn end_of(token: &str) -> u64 {
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let claims: Value = serde_json::from_slice(&payload).expect("JSON");
    claims["exp"].as_u64().expect("an end")
}
