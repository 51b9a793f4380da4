//! `jwks`: the keys that an issuer signs with.

use std::time::Duration;

use breakglass_types::limits::DEFAULT_KEYS_REFRESH_S;

use crate::json::Json;
use crate::schema::{Object, Place, Reader, Takes, duration, flat, optional, or};
use crate::token::{InvalidJwks, KeySet};
use crate::{object, schema};

use super::Endpoint;
use super::revocation::A_REQUEST_WAITS;

object! {
    /// The keys of an issuer.
    #[derive(Debug)]
    pub struct Jwks {
        /// Public keys, each with a `kid`: the fallback while the remote source is down. Members of a
        /// key that nobody knows are ignored, as the RFC asks.
        pub inline: Option<KeySet> = optional("none", InlineKeys),
        /// Where the keys are fetched, through an Envoy cluster.
        pub remote: Option<RemoteJwks> = optional("none", schema::object()),
    }
}

impl Object for Jwks {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.inline.is_none() && self.remote.is_none() {
            return place.error("expected `inline`, `remote`, or both");
        }
        Some(())
    }
}

object! {
    /// Where an issuer publishes its keys.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct RemoteJwks {
        /// Where that is.
        pub endpoint: Endpoint = flat(),
        /// How often. A failed fetch is tried again after a second, then two, then four, up to this.
        pub refresh: Duration = or(format!("{DEFAULT_KEYS_REFRESH_S}s").as_str(), duration()),
        /// How long one fetch may take.
        pub timeout: Duration =
            or("1s", duration().at_most(Duration::from_secs(60), A_REQUEST_WAITS)),
    }
}

impl Object for RemoteJwks {}

/// A JWK set in the configuration itself.
#[derive(Debug)]
struct InlineKeys;

impl Reader for InlineKeys {
    type Value = KeySet;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<KeySet> {
        KeySet::read_inline(json)
            .map_err(|error| {
                let keys = place.field("keys");
                let place = match error {
                    InvalidJwks::NotAJwks => place.clone(),
                    InvalidJwks::UnusableKey(index, _) => keys.item(index),
                    InvalidJwks::DuplicatedKid(_)
                    | InvalidJwks::NoUsableKey
                    | InvalidJwks::TooManyKeys => keys,
                };
                place.error::<()>(error.to_string());
            })
            .ok()
    }

    fn takes(&self) -> Takes {
        Takes::Foreign("JWK set (RFC 7517)")
    }
}
