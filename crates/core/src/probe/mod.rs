//! Is the filter there? What the approval service asks an entrance, and what a filter answers: the one definition for
//! both sides.
//!
//! 1. A *challenge* is a JWT that the issuer signs: `typ` [`PROBE_TYPE`], `aud` [`PROBE_AUDIENCE`], `iss`, `jti`, `iat`
//!    and `exp`, and nothing that a grant has. No issuer and no scope can be configured with this `typ` or `aud`, so a
//!    challenge is never a break-glass token, and a token is never a challenge.
//! 2. It comes in the request header [`PROBE_HEADER`], which no upstream ever sees. Only one that verifies is answered;
//!    with any other value a request goes on as it would without the header.
//! 3. The *answer* is in the response header of the same name: base64url of 64 bytes that say nothing to anyone who has
//!    not the key. They are two HMAC-SHA256 (RFC 2104), under a key that is derived from the SHA-256 of the proxy's
//!    credential, which is all that the approval service has of it. The first proves the credential; the second
//!    also proves the Envoy process, the filter's version and the digest of its configuration.
//! 4. A proxy without a credential answers with as many bytes that only it can make. Every proxy *reports* what it has
//!    answered to the service, with a poll of the feed that it makes at once.
//!
//! The key is HMAC-SHA256(SHA-256(credential), "breakglass probe 1"). What it authenticates is a list of texts, each
//! after its length in bytes as a big-endian number of 64 bits, so that no two lists give the same bytes:
//!
//! - `credential`, the challenge, the authority as the filter received it;
//! - `node`, the challenge, the authority, the process id, the version, the digest. What is not known is empty.
//!
//! A report is the SHA-256 over the list `breakglass probe report 1`, the challenge, the authority, the answer.

mod challenge;
mod kind;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::code::{absorb, keyed};
use crate::hex;

pub use breakglass_types::challenge::MAX_PROBE_REPORTS;
pub use breakglass_types::limits::PROBE_LIFETIME_S;
pub use breakglass_types::names::said::PROBES as PROBE_REPORT_HEADER;
pub use breakglass_types::names::{PROBE_AUDIENCE, PROBE_HEADER, PROBE_TYPE, check_audience};
pub use challenge::Challenge;
pub use kind::is_probe_type;

/// Separates this use of the credential's digest from every other one.
const CONTEXT: &[u8] = b"breakglass probe 1";

/// The same for the answers of a proxy without a credential.
const CONTEXT_WITHOUT: &[u8] = b"breakglass probe without a credential 1";

/// Bytes of one authentication code.
const CODE_BYTES: usize = 32;

/// Bytes of an answer.
const ANSWER_BYTES: usize = 64;

/// A challenge, and the authority of the request that carried it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The challenge, as it was signed.
    pub challenge: &'a str,
    /// The authority of the request: `host` or `host:port`.
    pub authority: &'a [u8],
}

/// What a filter says of itself with each poll, and proves with an answer. What it does not know is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answering<'a> {
    /// The id of the Envoy process: 32 lower-case hex digits.
    pub process: &'a str,
    /// The filter's version.
    pub version: &'a str,
    /// The digest of its configuration: 64 lower-case hex digits.
    pub config: &'a str,
}

/// The answer to a challenge: bytes that say nothing by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeAnswer([u8; ANSWER_BYTES]);

impl ProbeAnswer {
    /// From the value of the response header; `None` for what no filter writes.
    #[must_use]
    pub fn read(text: &str) -> Option<ProbeAnswer> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(ProbeAnswer)
    }

    /// The value of the response header.
    #[must_use]
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What a proxy reports of this answer: 64 lower-case hex digits.
    #[must_use]
    pub fn report(&self, asked: &Asked<'_>) -> String {
        let mut digest = Sha256::new();
        let texts: [&[u8]; 4] =
            [b"breakglass probe report 1", asked.challenge.as_bytes(), asked.authority, &self.0];
        for text in texts {
            absorb(&mut digest, text);
        }
        hex::lower(&digest.finalize())
    }
}

/// What one proxy's answers are made with, and recognised by.
#[derive(Clone)]
pub struct ProbeKey(Hmac<Sha256>);

impl ProbeKey {
    /// The key for a credential with this SHA-256.
    #[must_use]
    pub fn from_credential_digest(digest: &[u8; 32]) -> ProbeKey {
        ProbeKey::derived(digest, CONTEXT)
    }

    /// The key for this credential.
    #[must_use]
    pub fn from_credential(secret: &str) -> ProbeKey {
        ProbeKey::from_credential_digest(&Sha256::digest(secret).into())
    }

    /// The key of a worker without a credential, from what it drew at random. Nothing else recognises its answers.
    #[must_use]
    pub(crate) fn from_random(random: [u8; 16]) -> ProbeKey {
        ProbeKey::derived(&Sha256::digest(random).into(), CONTEXT_WITHOUT)
    }

    fn derived(digest: &[u8; 32], context: &[u8]) -> ProbeKey {
        let derived = keyed(digest).chain_update(context).finalize().into_bytes();
        ProbeKey(keyed(&derived.into()))
    }

    /// The answer of a filter with this credential.
    #[must_use]
    pub fn answer(&self, asked: &Asked<'_>, answering: &Answering<'_>) -> ProbeAnswer {
        let codes = [self.of_credential(asked), self.of_node(asked, answering)];
        let bytes = codes.into_iter().flat_map(|code| code.finalize().into_bytes());
        let mut answer = [0; ANSWER_BYTES];
        answer.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        ProbeAnswer(answer)
    }

    /// Whether a filter with this credential has given this answer. In constant time.
    #[must_use]
    pub fn made(&self, answer: &ProbeAnswer, asked: &Asked<'_>) -> bool {
        let code = answer.0.get(..CODE_BYTES).unwrap_or_default();
        self.of_credential(asked).verify_slice(code).is_ok()
    }

    /// Whether this very filter has given this answer. In constant time.
    #[must_use]
    pub fn made_by(
        &self,
        answer: &ProbeAnswer,
        asked: &Asked<'_>,
        answering: &Answering<'_>,
    ) -> bool {
        let code = answer.0.get(CODE_BYTES..).unwrap_or_default();
        let is_node = self.of_node(asked, answering).verify_slice(code).is_ok();
        self.made(answer, asked) & is_node
    }

    fn of_credential(&self, asked: &Asked<'_>) -> Hmac<Sha256> {
        self.code(&[b"credential", asked.challenge.as_bytes(), asked.authority])
    }

    fn of_node(&self, asked: &Asked<'_>, answering: &Answering<'_>) -> Hmac<Sha256> {
        let Answering { process, version, config } = answering;
        let (challenge, authority) = (asked.challenge.as_bytes(), asked.authority);
        let texts = [process, version, config].map(|text| text.as_bytes());
        let [process, version, config] = texts;
        self.code(&[b"node", challenge, authority, process, version, config])
    }

    fn code(&self, texts: &[&[u8]]) -> Hmac<Sha256> {
        let mut code = self.0.clone();
        for text in texts {
            absorb(&mut code, text);
        }
        code
    }
}

/// The key is a secret: with it answers can be made in the proxy's name.
impl std::fmt::Debug for ProbeKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ProbeKey(..)")
    }
}

#[cfg(test)]
mod tests;
