//! The proxies of a configuration, and by what each of them is known.

use breakglass_config_schema::{
    Object, Place, Reader, Takes, list, object, optional, or_none, parsed,
};
use breakglass_types::json::Json;
use sha2::{Digest as _, Sha256};

use super::read::{Digest, audience, certificate_digest, digest, distinct, name, san};

object! {
    /// A proxy, known by an API token, by a client certificate, or by both: it can never ask for access, approve or
    /// revoke.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Proxy {
        /// What the log calls it.
        pub name: String = required_name(),
        /// The digest of its API token. Without it the proxy is known by its client certificate; its audit chains and
        /// its answers to probes then prove nothing, because those are made with the token.
        pub token_sha256: Option<Digest> = optional("none", parsed("SHA-256 in hexadecimal digits", digest)),
        /// A DNS name or URI among the subject alternative names of its client certificate, such as
        /// `spiffe://cluster.local/ns/edge/sa/envoy`; or a list of which one is enough. Byte for byte.
        pub certificate_san: Vec<String> = or_none(one_or_more("name", san)),
        /// The SHA-256 of its client certificate (of the DER); or a list of which one is enough, for the time in which
        /// certificates are replaced. Beside `certificate_san`, both have to be right.
        pub certificate_sha256: Vec<Digest> = or_none(one_or_more("hexadecimal SHA-256", certificate_digest)),
        /// Of which audiences it may introspect tokens: those that it serves. Without it of all, with a
        /// warning. Keys, feed and heads are the same for every proxy.
        pub audiences: Option<Vec<String>> = optional("all", list(parsed("audience", audience)).and_then(distinct)),
    }
}

fn required_name() -> impl breakglass_config_schema::Member<Value = String> {
    breakglass_config_schema::required(parsed("name", name))
}

impl Object for Proxy {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.token_sha256.is_some() || self.has_certificate() {
            return Some(());
        }
        place.error("expected `token_sha256`, `certificate_san` or `certificate_sha256`: by what the proxy is known")
    }
}

impl Proxy {
    /// Whether this proxy may ask about tokens of one of `audiences`.
    #[must_use]
    pub fn serves_any(&self, audiences: &[String]) -> bool {
        let served = self.audiences.as_ref();
        served.is_none_or(|served| audiences.iter().any(|audience| served.contains(audience)))
    }

    /// Whether a client certificate can be its own.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        !self.certificate_san.is_empty() || !self.certificate_sha256.is_empty()
    }

    /// Whether a client certificate with these names and this SHA-256 is its own.
    #[must_use]
    pub fn has_this_certificate(&self, names: &[String], sha256: &Digest) -> bool {
        let by_name = self.certificate_san.is_empty()
            || self.certificate_san.iter().any(|name| names.contains(name));
        let by_digest =
            self.certificate_sha256.is_empty() || self.certificate_sha256.contains(sha256);
        self.has_certificate() && by_name && by_digest
    }

    /// What stands for its credential where memory is kept by credential: another one is another memory. It proves
    /// nothing: what stands for a certificate is public.
    #[must_use]
    pub fn credential_id(&self) -> Digest {
        if let Some(digest) = self.token_sha256 {
            return digest;
        }
        let mut hash = Sha256::new();
        hash.update(b"breakglass client certificate\0");
        for name in &self.certificate_san {
            hash.update(name.as_bytes());
            hash.update(b"\0");
        }
        for digest in &self.certificate_sha256 {
            hash.update(digest);
        }
        hash.finalize().into()
    }
}

/// One text, or a list of them.
struct OneOrMore<T>(&'static str, fn(&str) -> Result<T, String>);

const fn one_or_more<T: PartialEq>(
    kind: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> OneOrMore<T> {
    OneOrMore(kind, parse)
}

impl<T> OneOrMore<T> {
    fn one(&self) -> impl Reader<Value = T> {
        parsed(self.0, self.1)
    }
}

impl<T: PartialEq> Reader for OneOrMore<T> {
    type Value = Vec<T>;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<Vec<T>> {
        if json.as_array().is_some() {
            return list(self.one()).and_then(distinct).read(json, place);
        }
        self.one().read(json, place).map(|one| vec![one])
    }

    fn takes(&self) -> Takes {
        Takes::Either(vec![self.one().takes(), list(self.one()).takes()])
    }
}
