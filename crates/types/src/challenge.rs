//! What a challenge of `breakglass probe` says, and what a filter reports of its answer: the approval service writes the
//! one and reads the other. How answers are made is in `breakglass_core::probe`.

use serde::Serialize;

use crate::hex;
use crate::json::Json;
use crate::limits::PROBE_LIFETIME_S;
use crate::names::{DIGEST_DIGITS, PROBE_AUDIENCE};

/// The largest challenge that is read, in bytes: our own service's have about 450.
pub const MAX_CHALLENGE_BYTES: usize = 2048;

/// The longest `jti` of a challenge, in bytes: it stands in the header of a poll.
pub const MAX_JTI: usize = 64;

/// The most reports that one poll carries.
pub const MAX_PROBE_REPORTS: usize = 8;

/// The claims of a challenge: nothing that a grant has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChallengeClaims {
    /// Who signed it.
    pub iss: String,
    /// [`PROBE_AUDIENCE`], always.
    aud: &'static str,
    /// Its id: ASCII letters, digits, `_` and `-`.
    pub jti: String,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// When it is over, in seconds since 1970.
    pub exp: u64,
}

impl ChallengeClaims {
    /// The claims of a challenge that lives from `iat` to `exp`; `None` where no filter would take it: its id is none, or
    /// it lives for too long.
    #[must_use]
    pub fn new(iss: &str, jti: &str, iat: u64, exp: u64) -> Option<ChallengeClaims> {
        let lives = exp.checked_sub(iat)?;
        let lives_well = (1..=PROBE_LIFETIME_S).contains(&lives);
        (lives_well && is_id(jti)).then(|| ChallengeClaims {
            iss: iss.to_owned(),
            aud: PROBE_AUDIENCE,
            jti: jti.to_owned(),
            iat,
            exp,
        })
    }

    /// Reads them from a payload.
    #[must_use]
    pub fn from_json(payload: &Json) -> Option<ChallengeClaims> {
        let text = |name: &str| payload.member(name).and_then(Json::as_str);
        let number = |name: &str| payload.member(name).and_then(Json::as_u64);
        if text("aud") != Some(PROBE_AUDIENCE) {
            return None;
        }
        ChallengeClaims::new(text("iss")?, text("jti")?, number("iat")?, number("exp")?)
    }
}

/// Whether this can be the id of a challenge.
fn is_id(jti: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !jti.is_empty() && jti.len() <= MAX_JTI && jti.bytes().all(is_valid)
}

/// What a filter reports of one answer, in the header [`PROBES`](crate::names::said::PROBES) of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The challenge.
    pub jti: String,
    /// The digest of the answer: lower-case hexadecimal digits of a SHA-256.
    pub digest: String,
}

impl Reported {
    /// One report as it stands in the header: `jti=digest`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}={}", self.jti, self.digest)
    }

    /// The header's value for reports that were written by [`text`](Reported::text).
    #[must_use]
    pub fn join(reports: &[String]) -> String {
        reports.join(",")
    }

    /// The reports in a header's value: the first [`MAX_PROBE_REPORTS`], without those that are none.
    #[must_use]
    pub fn split(value: &str) -> Vec<Reported> {
        let read = |one: &str| {
            let (jti, digest) = one.split_once('=')?;
            let (jti, digest) = (jti.to_owned(), digest.to_owned());
            hex::is_lower(&digest, DIGEST_DIGITS).then_some(Reported { jti, digest })
        };
        value.split(',').take(MAX_PROBE_REPORTS).filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn reads_the_claims_that_it_writes() {
        let claims = ChallengeClaims::new("https://i", "prb_1-A", 100, 160).unwrap();
        let text = serde_json::to_string(&claims).unwrap();
        assert_eq!(
            text,
            r#"{"iss":"https://i","aud":"urn:breakglass:probe","jti":"prb_1-A","iat":100,"exp":160}"#
        );
        let read = |text: &str| ChallengeClaims::from_json(&Json::parse(text.as_bytes()).unwrap());
        assert_eq!(read(&text), Some(claims));
        for (from, to) in [
            (r#""aud":"urn:breakglass:probe""#, r#""aud":"payments""#),
            (r#""iat":100"#, r#""iat":99"#),
            (r#""iat":100"#, r#""iat":160"#),
            (r#""iat":100"#, r#""iat":161"#),
            (r#""exp":160"#, r#""exp":"160""#),
            ("prb_1-A", "a b"),
            ("prb_1-A", ""),
        ] {
            assert_eq!(read(&text.replace(from, to)), None, "{to}");
        }
        assert_eq!(ChallengeClaims::new("i", &"j".repeat(MAX_JTI + 1), 1, 2), None);
    }

    #[test]
    fn reads_the_reports_that_it_writes() {
        let reports = ["a", "b"]
            .map(|one| Reported { jti: format!("prb_{one}"), digest: one.repeat(DIGEST_DIGITS) });
        let texts = reports.each_ref().map(Reported::text);
        assert_eq!(Reported::split(&Reported::join(&texts)), reports);
    }
}
