//! `issuers`: whose tokens count, and by which keys.

use std::time::Duration;

use breakglass_types::names::{PROBE_TYPE, TOKEN_TYPE, check_audience};

use crate::probe::is_probe_type;
use crate::schema::{Object, Place, duration, list, one_of, or, parsed, required, text};
use crate::token::Algorithm;
use crate::{object, schema};

use super::Jwks;

object! {
    /// Whose tokens count. No two have the same `issuer`. What a token must hold is in
    /// [tokens.md](tokens.md).
    ///
    /// A published key set that is empty or ambiguous (two keys with one `kid`) counts as no answer: the
    /// last good keys stay. To take a compromised key out, publish a set without it.
    #[derive(Debug)]
    pub struct Issuer {
        /// The `iss` claim, compared byte by byte.
        pub issuer: String = required(text()),
        /// One of these must be in `aud`: a token for one environment is void in the next.
        pub audiences: Vec<String> = required(list(parsed("text", audience))),
        /// The `alg` values that are allowed; never `none`, never an HMAC. A key is used only with the
        /// algorithm of its type.
        pub algorithms: Vec<Algorithm> = or(["ES256"], list(one_of(ALGORITHMS))),
        /// The `typ` values that are allowed, without regard to case (RFC 7515 section 4.1.9).
        pub typ: Vec<String> = or([TOKEN_TYPE], list(parsed("media type", token_type))),
        /// The longest `exp - iat`.
        pub max_lifetime: Duration = or("1h", duration()),
        /// The keys: `inline`, `remote`, or both.
        pub jwks: Jwks = required(schema::object()),
    }
}

impl Object for Issuer {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        match &self.jwks.inline {
            Some(keys) if !keys.serves_one_of(&self.algorithms) => {
                place.field("jwks").field("inline").error("no key fits any of `algorithms`")
            }
            _ => Some(()),
        }
    }
}

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
    ("RS256", Algorithm::Rs256),
    ("PS256", Algorithm::Ps256),
];

/// Only a challenge may have the `typ` and the `aud` of one: with either of them it could be taken for a token.
fn token_type(text: &str) -> Result<String, String> {
    if is_probe_type(text) {
        return Err(format!(
            "`{PROBE_TYPE}` is the `typ` of the challenges of `breakglass probe`, which are no tokens: remove it"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn audience(text: &str) -> Result<String, String> {
    check_audience(text).map(|()| text.to_owned())
}
