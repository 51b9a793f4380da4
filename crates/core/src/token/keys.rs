//! A JSON Web Key Set (RFC 7517 section 5).

use std::collections::{BTreeMap, BTreeSet};

use crate::claims::MAX_NAME_BYTES;
use crate::json::Json;

use super::{Algorithm, PublicKey};

/// The most keys in one set: rotation needs two or three, and every one costs memory in every VM.
pub(crate) const MAX_KEYS: usize = 64;

/// The keys of one issuer by `kid`; never empty.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: BTreeMap<String, PublicKey>,
    /// What was read, to tell whether a later set differs.
    source: Json,
}

/// Why a key set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwks {
    /// Not an object with a list `keys`.
    #[error("expected an object with a list `keys`")]
    NotAJwks,
    /// No key in it can verify a token.
    #[error(
        "no usable key: expected at least one with `kid` and a `kty` of EC (P-256, P-384), OKP (Ed25519) or RSA"
    )]
    NoUsableKey,
    /// Two keys have one `kid`.
    #[error("two keys have the kid `{0}`")]
    DuplicatedKid(String),
    /// More keys than [`MAX_KEYS`].
    #[error("more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// A key of the configuration itself cannot be used.
    #[error("{1}")]
    UnusableKey(usize, &'static str),
}

impl KeySet {
    /// Reads a key set that an issuer published: keys that cannot be used are skipped, as RFC 7517
    /// section 5 asks, and so are those that share a `kid`, of which nobody can say which one is meant.
    ///
    /// # Errors
    /// [`InvalidJwks`] when no key is left, or when there are too many.
    pub fn read_remote(json: &Json) -> Result<KeySet, InvalidJwks> {
        KeySet::read(json, |_| Ok(()))
    }

    /// Reads a key set that somebody wrote into the configuration: every key must be usable, and
    /// none may be private.
    ///
    /// # Errors
    /// [`InvalidJwks`] names the key.
    pub fn read_inline(json: &Json) -> Result<KeySet, InvalidJwks> {
        KeySet::read(json, Err)
    }

    fn read(
        json: &Json,
        unusable: impl Fn(InvalidJwks) -> Result<(), InvalidJwks>,
    ) -> Result<KeySet, InvalidJwks> {
        let jwks = json.member("keys").and_then(Json::as_array).ok_or(InvalidJwks::NotAJwks)?;
        if jwks.len() > MAX_KEYS {
            return Err(InvalidJwks::TooManyKeys);
        }
        let (mut keys, mut shared) = (BTreeMap::new(), BTreeSet::new());
        for (index, jwk) in jwks.iter().enumerate() {
            match read_key(jwk) {
                Ok((kid, key)) => {
                    if keys.insert(kid.clone(), key).is_some() {
                        unusable(InvalidJwks::DuplicatedKid(kid.clone()))?;
                        shared.insert(kid);
                    }
                }
                Err(why) => unusable(InvalidJwks::UnusableKey(index, why))?,
            }
        }
        keys.retain(|kid, _| !shared.contains(kid));
        if keys.is_empty() {
            return Err(InvalidJwks::NoUsableKey);
        }
        Ok(KeySet { keys, source: json.clone() })
    }

    /// The key with this `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.get(kid)
    }

    /// The `kid`s, in order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Why entries were left out.
    #[must_use]
    pub fn unusable(&self) -> Vec<String> {
        unusable_entries(&self.source)
    }

    /// Whether some key may be used with one of `algorithms`.
    #[must_use]
    pub fn serves_one_of(&self, algorithms: &[Algorithm]) -> bool {
        self.keys.values().any(|key| algorithms.iter().any(|algorithm| key.allows(*algorithm)))
    }

    /// Whether both were read from the same JSON.
    #[must_use]
    pub fn is_same(&self, other: &KeySet) -> bool {
        self.source == other.source
    }
}

/// Which entries of a published set cannot be used, and why: each by its place, in visible ASCII and blanks.
pub(crate) fn unusable_entries(json: &Json) -> Vec<String> {
    let jwks = json.member("keys").and_then(Json::as_array).unwrap_or_default();
    let mut kids = BTreeMap::<String, usize>::new();
    let mut entries = Vec::new();
    for (index, jwk) in jwks.iter().take(MAX_KEYS).enumerate() {
        match read_key(jwk) {
            Ok((kid, _)) => {
                let count = kids.entry(kid).or_default();
                *count = count.saturating_add(1);
            }
            Err(why) => entries.push(format!("keys[{index}]: {why}")),
        }
    }
    let shared = kids.into_iter().filter(|(_, count)| *count > 1);
    entries.extend(shared.map(|(kid, count)| {
        format!(
            "{count} keys have the kid \"{}\": nobody can say which one is meant",
            kid.escape_default()
        )
    }));
    entries
}

/// The `kid` and the key of one JWK, or why it cannot be used.
fn read_key(jwk: &Json) -> Result<(String, PublicKey), &'static str> {
    let member = |name: &str| jwk.member(name).and_then(Json::as_str);
    let Some(kid) = member("kid").filter(|kid| !kid.is_empty() && kid.len() <= MAX_NAME_BYTES)
    else {
        return Err("expected `kid` to be a text that is not empty; in YAML, quote one of digits");
    };
    // YAML 1.1, as Kubernetes reads it, takes these names for booleans: of a key's coordinate, and of its modulus.
    for (boolean, why) in [
        ("true", "has a member `true`: in YAML, quote the name of the member \"y\""),
        ("false", "has a member `false`: in YAML, quote the name of the member \"n\""),
    ] {
        if jwk.member(boolean).is_some() {
            return Err(why);
        }
    }
    if ["d", "k", "p", "q"].iter().any(|name| jwk.member(name).is_some()) {
        return Err("holds private key material: publish the public members only");
    }
    if jwk.member("use").is_some_and(|purpose| purpose.as_str() != Some("sig")) {
        return Err("expected `use` to be \"sig\"");
    }
    if let Some(operations) = jwk.member("key_ops")
        && !operations.as_array().is_some_and(|operations| {
            operations.iter().any(|operation| operation.as_str() == Some("verify"))
        })
    {
        return Err("expected `key_ops` to hold \"verify\"");
    }
    let alg = match jwk.member("alg") {
        None => None,
        Some(name) => match name.as_str().and_then(Algorithm::from_name) {
            Some(alg) => Some(alg),
            None => {
                return Err("expected `alg` to be ES256, ES384, EdDSA, RS256 or PS256");
            }
        },
    };
    match PublicKey::from_jwk(jwk, alg) {
        Some(key) => Ok((kid.to_owned(), key)),
        None => Err(
            "expected a public key of kty EC (P-256, P-384), OKP (Ed25519) or RSA that fits its `alg`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    /// RFC 7515 appendix A.3.1, and RFC 8037 appendix A.2.
    const EC: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn set(keys: &[String]) -> Json {
        Json::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
    }

    fn key(kid: &str, members: &str) -> String {
        format!(r#"{{"kid":{kid},{members}}}"#)
    }

    #[test]
    fn what_cannot_be_used_of_a_published_set_does_not_void_the_rest() {
        let published = set(&[
            key("\"a\"", EC),
            key("\"twice\"", EC),
            key("\"twice\"", ED),
            key("7", EC),
            key("\"enc\"", &format!(r#""use":"enc",{EC}"#)),
            key("\"none\"", r#""kty":"EC""#),
            "null".to_owned(),
            key("\"b\"", ED),
        ]);
        let read = KeySet::read_remote(&published).unwrap();
        let found = ["a", "b", "twice", "7", "enc", "none"].map(|kid| read.find(kid).is_some());
        assert_eq!(found, [true, true, false, false, false, false]);
        // By themselves they are no set.
        let twice = set(&[key("\"twice\"", EC), key("\"twice\"", EC), key("\"twice\"", ED)]);
        assert_eq!(KeySet::read_remote(&twice).unwrap_err(), InvalidJwks::NoUsableKey);
        let refused = KeySet::read_inline(&twice).unwrap_err();
        assert_eq!(refused, InvalidJwks::DuplicatedKid("twice".to_owned()));
    }

    #[test]
    fn a_key_of_which_yaml_has_changed_a_name_says_so() {
        for (name, quote) in [("true", "y"), ("false", "n")] {
            let changed = EC.replace("\"y\"", &format!("\"{name}\""));
            let error = KeySet::read_inline(&set(&[key("\"a\"", &changed)])).unwrap_err();
            let quoted = format!("quote the name of the member \"{quote}\"");
            assert!(error.to_string().contains(&quoted), "{error}");
        }
    }
}
