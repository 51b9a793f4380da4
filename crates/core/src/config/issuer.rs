//! `issuers`: whose tokens count, and by which keys.

use std::time::Duration;

use crate::json::Json;
use crate::token::{Algorithm, InvalidJwks, KeySet};

use super::revocation::{cluster_name, header_value, http_path};
use super::{Fields, Place, list, one_of, parsed, positive_duration, text, timeout};

/// The `typ` of a break-glass token, unless the configuration says otherwise.
pub(crate) const DEFAULT_TYP: &str = "breakglass+jwt";

/// The longest `exp - iat`, unless the configuration says otherwise.
pub(crate) const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How often remote keys are fetched, unless the configuration says otherwise.
pub(crate) const DEFAULT_REFRESH: Duration = Duration::from_secs(300);

/// How long a fetch of remote keys may take, unless the configuration says otherwise.
pub(crate) const DEFAULT_KEYS_TIMEOUT: Duration = Duration::from_secs(1);

/// Whose tokens count.
#[derive(Debug)]
pub struct Issuer {
    /// The `iss` claim, compared byte by byte.
    pub issuer: String,
    /// The environments that are ours: one of these must be in `aud`.
    pub audiences: Vec<String>,
    /// The `alg` values that are allowed; never `none`, never an HMAC.
    pub algorithms: Vec<Algorithm>,
    /// The `typ` values that are allowed, in lower case (RFC 7515 section 4.1.9: media types do
    /// not depend on case).
    pub typ: Vec<String>,
    /// The longest `exp - iat`.
    pub max_lifetime: Duration,
    /// The keys in the configuration itself.
    pub inline: InlineKeys,
    /// Where the keys are fetched from.
    pub remote: Option<RemoteJwks>,
}

/// Keys in the configuration itself: the fallback while the remote source is down.
pub type InlineKeys = Option<KeySet>;

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteJwks {
    /// The Envoy cluster.
    pub cluster: String,
    /// The `:authority` of the call.
    pub authority: String,
    /// The `:path` of the call.
    pub path: String,
    /// How often the keys are fetched.
    pub refresh: Duration,
    /// How long one fetch may take.
    pub timeout: Duration,
}

pub(super) fn read<'a>(json: &'a Json, place: &Place<'a>) -> Option<Issuer> {
    let mut fields = Fields::open(json, place)?;
    let issuer = fields.required("issuer", text);
    let audiences = fields.required("audiences", list(text));
    let algorithms = fields.or("algorithms", vec![Algorithm::Es256], list(algorithm));
    let typ = fields.or("typ", vec![DEFAULT_TYP.to_owned()], list(lower_case));
    let max_lifetime = fields.or("max_lifetime", DEFAULT_MAX_LIFETIME, positive_duration);
    let jwks = fields.required("jwks", read_jwks);
    fields.close()?;
    let (inline, remote) = jwks?;
    let (algorithms, place) = (algorithms?, place.field("jwks"));
    if let Some(keys) = &inline
        && !keys.serves_one_of(&algorithms)
    {
        return place.field("inline").error("no key fits any of `algorithms`");
    }
    Some(Issuer {
        issuer: issuer?,
        audiences: audiences?,
        algorithms,
        typ: typ?,
        max_lifetime: max_lifetime?,
        inline,
        remote,
    })
}

fn algorithm<'a>(json: &'a Json, place: &Place<'a>) -> Option<Algorithm> {
    one_of(&[
        ("ES256", Algorithm::Es256),
        ("ES384", Algorithm::Es384),
        ("EdDSA", Algorithm::EdDsa),
        ("RS256", Algorithm::Rs256),
        ("PS256", Algorithm::Ps256),
    ])(json, place)
}

fn lower_case(json: &Json, place: &Place<'_>) -> Option<String> {
    text(json, place).map(|text| text.to_ascii_lowercase())
}

fn read_jwks<'a>(json: &'a Json, place: &Place<'a>) -> Option<(InlineKeys, Option<RemoteJwks>)> {
    let mut fields = Fields::open(json, place)?;
    let inline = fields.optional("inline", read_inline);
    let remote = fields.optional("remote", read_remote);
    fields.close()?;
    let (inline, remote) = (inline?, remote?);
    if inline.is_none() && remote.is_none() {
        return place.error("expected `inline`, `remote`, or both");
    }
    Some((inline, remote))
}

fn read_inline(json: &Json, place: &Place<'_>) -> Option<KeySet> {
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

fn read_remote<'a>(json: &'a Json, place: &Place<'a>) -> Option<RemoteJwks> {
    let mut fields = Fields::open(json, place)?;
    let cluster = fields.required("cluster", parsed(cluster_name));
    let authority = fields.required("authority", parsed(header_value));
    let path = fields.required("path", parsed(http_path));
    let refresh = fields.or("refresh", DEFAULT_REFRESH, positive_duration);
    let timeout = fields.or("timeout", DEFAULT_KEYS_TIMEOUT, timeout);
    fields.close()?;
    Some(RemoteJwks {
        cluster: cluster?,
        authority: authority?,
        path: path?,
        refresh: refresh?,
        timeout: timeout?,
    })
}
