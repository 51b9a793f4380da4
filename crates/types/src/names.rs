//! Names on the wire: headers, media types, URNs.

/// What the names of a filter's own request headers begin with. A client's are removed from every request, except one
/// that is configured to carry the token.
pub const OWN_PREFIX: &str = "x-breakglass-";

/// The header that carries a token where no other is configured. No record has it.
pub const TOKEN_HEADER: &str = "x-breakglass-token";

/// The header that tells the upstream under which grant a request came.
pub const GRANT_HEADER: &str = "x-breakglass-grant";

/// The header that tells the upstream who holds the grant.
pub const SUBJECT_HEADER: &str = "x-breakglass-subject";

/// The header with a challenge in a request, and with the answer in a response.
pub const PROBE_HEADER: &str = "x-breakglass-probe";

/// What a filter says of itself with its polls, and what the service says of itself with each answer.
///
/// INVARIANT (said-with-polls): none of these names begins with [`OWN_PREFIX`]. A filter in front of the approval service
/// would remove it, and every proxy would count as one that says nothing.
pub mod said {
    /// The id of the Envoy process: [`PROCESS_DIGITS`](super::PROCESS_DIGITS) digits.
    pub const PROCESS: &str = "breakglass-process";
    /// The version of the filter, or, in an answer, of the service.
    pub const VERSION: &str = "breakglass-version";
    /// The digest of the configuration: [`DIGEST_DIGITS`](super::DIGEST_DIGITS) digits.
    pub const CONFIG: &str = "breakglass-config";
    /// For how long what the feed said counts: a duration.
    pub const MAX_STALENESS: &str = "breakglass-max-staleness";
    /// For how long an answer about one token counts: a duration.
    pub const CACHE: &str = "breakglass-cache";
    /// How long after its end a token is taken: a duration.
    pub const CLOCK_SKEW: &str = "breakglass-clock-skew";
    /// What happens when a grant cannot be verified: the word of an [`OnUnavailable`](crate::OnUnavailable).
    pub const ON_UNAVAILABLE: &str = "breakglass-on-unavailable";
    /// How long after the last fresh knowledge `allow` counts: a duration.
    pub const UNAVAILABLE_FOR: &str = "breakglass-unavailable-for";
    /// Whether refusals are carried out: not there, or [`SHADOW`].
    pub const ENFORCEMENT: &str = "breakglass-enforcement";
    /// The word for a filter that refuses nothing.
    pub const SHADOW: &str = "shadow";
    /// The `kid`s of the keys that it has of the service's issuer, with commas: at most [`MAX_KEYS_SAID`], of those that
    /// [`is_kid_said`].
    pub const KEYS: &str = "breakglass-keys";
    /// How often it fetches them: a duration.
    pub const KEYS_REFRESH: &str = "breakglass-keys-refresh";
    /// The most `kid`s that a poll names.
    pub const MAX_KEYS_SAID: usize = 16;
    /// What was answered to challenges: [`Reported`](crate::challenge::Reported).
    pub const PROBES: &str = "breakglass-probes";

    /// All of these headers.
    pub const ALL: [&str; 12] = [
        PROCESS,
        VERSION,
        CONFIG,
        MAX_STALENESS,
        CACHE,
        CLOCK_SKEW,
        ON_UNAVAILABLE,
        UNAVAILABLE_FOR,
        ENFORCEMENT,
        KEYS,
        KEYS_REFRESH,
        PROBES,
    ];

    /// Whether a poll can name a key with this `kid`: base64url, as the service's own are.
    #[must_use]
    pub fn is_kid_said(kid: &str) -> bool {
        (1..=64).contains(&kid.len())
            && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }
}

/// The `typ` of a token (RFC 8725 section 3.11): no other JWT can pass for one.
///
/// INVARIANT (own-type): the approval service mints tokens with this `typ`, and a filter takes no other where its
/// configuration names none.
pub const TOKEN_TYPE: &str = "breakglass+jwt";

/// The `typ` of a challenge.
pub const PROBE_TYPE: &str = "breakglass-probe+jwt";

/// The `aud` of a challenge. No environment can be called so.
pub const PROBE_AUDIENCE: &str = "urn:breakglass:probe";

/// What the `type` of a problem (RFC 9457) begins with; the reason code follows.
pub const REASON_URN: &str = "urn:breakglass:reason:";

/// The digits of an Envoy process's id, and of a chain's: 16 bytes.
pub const PROCESS_DIGITS: usize = 32;

/// The digits of a SHA-256: of a record, a configuration, a report.
pub const DIGEST_DIGITS: usize = 64;

/// Whether an environment may have this name, and if not, why.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn check_audience(name: &str) -> Result<(), String> {
    if name == PROBE_AUDIENCE {
        return Err(format!(
            "`{PROBE_AUDIENCE}` is the `aud` of the challenges of `breakglass probe`: give the environment another name"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_filter_removes_its_own_headers_and_none_that_a_proxy_describes_itself_in() {
        for name in said::ALL {
            assert!(!name.starts_with(OWN_PREFIX), "{name}");
        }
        for name in [TOKEN_HEADER, GRANT_HEADER, SUBJECT_HEADER, PROBE_HEADER] {
            assert!(name.starts_with(OWN_PREFIX), "{name}");
        }
    }

    #[test]
    fn an_environment_may_have_any_name_but_that_of_the_challenges() {
        assert_eq!(check_audience("payments-prod"), Ok(()));
        assert!(check_audience(PROBE_AUDIENCE).unwrap_err().contains("another name"));
    }
}
