//! `revocation`: how a grant that ended early becomes known.

use std::fmt;
use std::time::Duration;

pub use breakglass_types::OnUnavailable;
use breakglass_types::{configurations, feed};

use crate::schema::{
    Object, Place, Reader, duration, flat, object, one_of, optional, or, required, text,
};

use super::Endpoint;

/// Why no call may take longer than a minute.
pub(super) const A_REQUEST_WAITS: &str = "a request waits for it";

object! {
    /// How a grant that ended early becomes known.
    ///
    /// While the feed's knowledge is younger than `max_staleness` it decides, and nobody is asked about a
    /// request; past it `introspection` is asked (a permit is `permit_introspected` then); past that
    /// `on_unavailable` decides. A revocation that is known counts however old the knowledge is. A feed
    /// covers the grants of all `issuers`. A configuration with neither `feed` nor `introspection` must say
    /// `on_unavailable: "allow"`.
    #[derive(Debug)]
    pub struct Revocation {
        /// Where revocations are published. With a `credential` one VM of the Envoy polls for all of them,
        /// and what it learns is authenticated; without one every worker thread polls for itself. Where its `path`
        /// ends with `/v1/revocations`, the approval service can ask with an answer what the configuration opens: then
        /// the audiences and the [digests](scope-digests.md) of its scopes are sent, once, to the same path with
        /// `/v1/proxies/configurations` in place of that end. Where it ends otherwise nothing is sent, and approvers
        /// do not see what this proxy's scopes open.
        pub feed: Option<Feed> = optional("none", object()),
        /// Where to ask about one token (RFC 7662).
        pub introspection: Option<Introspection> = optional("none", object()),
        /// This proxy's bearer token for both, for alerts, and for the heads of the audit chains, whose ids commit to
        /// it. Without it the cluster must authenticate by mTLS, the workers of an Envoy share nothing,
        /// no report names the Envoy process, and a second instance of the filter in one chain refuses every
        /// permit (`configured_twice`), even where it has the same configuration.
        pub credential: Option<Credential> =
            optional("none", object::<Variable>().and_then(Credential::of)),
        /// How old the feed's knowledge may be before it no longer counts.
        pub max_staleness: Duration = or("10s", duration()),
        /// What happens when nobody can say: `"deny"` (503 `revocation_unknown`) or `"allow"`
        /// (`permit_unverified`, audited and counted). `"allow"` ends with `unavailable_for`.
        pub on_unavailable: OnUnavailable = or("deny", one_of(UNAVAILABLE)),
        /// How long `on_unavailable: "allow"` counts after the last fresh knowledge: the last answer of the feed,
        /// or of introspection about any grant of the same issuer. Then it is 503 `revocation_unknown`, and what
        /// was let through unverified ends, unless the proxy knows better by then. An emergency grant, and a token
        /// that was issued after the last fresh knowledge, are never let through unverified. A proxy that starts
        /// during an outage counts from its start: who can cut the path and restart the proxy begins anew, and
        /// so does a configuration that is replaced where there is no `feed` with a `credential`. Without a
        /// `feed` a proxy knows only of grants that it has asked about: then `"allow"` covers only what was
        /// asked about lately. Without `feed` and `introspection` there is no knowledge to grow old, and
        /// `"allow"` has no end.
        pub unavailable_for: Duration = or("15m", duration()),
    }
}

impl Object for Revocation {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let asks = self.feed.is_some() || self.introspection.is_some();
        if !asks && self.on_unavailable == OnUnavailable::Deny {
            return place.error(
                "expected `introspection` or `feed`: without either, no grant can be vouched for and \
                 every token is refused; to run without revocation on purpose, say `on_unavailable: allow`",
            );
        }
        Some(())
    }
}

/// The words for it.
pub(crate) const UNAVAILABLE: &[(&str, OnUnavailable)] = &[
    (OnUnavailable::Deny.word(), OnUnavailable::Deny),
    (OnUnavailable::Allow.word(), OnUnavailable::Allow),
];

object! {
    /// The feed of revocations.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Feed {
        /// Where it is.
        pub endpoint: Endpoint = flat(),
        /// How long one poll hangs; never longer than two fifths of `max_staleness`, so that a healthy
        /// feed is never stale, nor than the 60 s that the approval service lets one hang. The default is below the 30 s after which many proxies end an idle
        /// exchange.
        pub wait: Duration = or("25s", duration()),
    }
}

impl Object for Feed {}

impl Feed {
    /// Where the approval service takes what this configuration opens; `None` where its feed is elsewhere.
    #[must_use]
    pub fn configurations(&self) -> Option<Endpoint> {
        let before = self.endpoint.path.strip_suffix(feed::PATH)?;
        let path = [before, configurations::PATH].concat();
        Some(Endpoint { path, ..self.endpoint.clone() })
    }
}

object! {
    /// Asking about one token (RFC 7662).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Introspection {
        /// Where to ask.
        pub endpoint: Endpoint = flat(),
        /// How long an answer may take: the request waits.
        pub timeout: Duration =
            or("500ms", duration().at_most(Duration::from_secs(60), A_REQUEST_WAITS)),
        /// How long an answer counts: how late a revocation can be noticed by this route.
        pub cache: Duration = or("5s", duration().or_nothing()),
    }
}

impl Object for Introspection {}

object! {
    /// Where the secret is: never in the configuration.
    struct Variable {
        /// The environment variable of the VM with the token; list it under
        /// `vm_config.environment_variables.host_env_keys`. One line end after the token is left out.
        env: String = required(text()),
    }
}

impl Object for Variable {}

/// A secret that never reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// The secret itself, for the header that carries it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }

    fn of(variable: Variable, place: &Place<'_>) -> Option<Credential> {
        let name = variable.env;
        match place.environment(&name).map(without_line_end) {
            Some(secret)
                if !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Some(Credential(secret))
            }
            Some(_) => place.field("env").error(format!(
                "the environment variable `{name}` must hold a token of visible ASCII characters, \
                 without quotes or blanks around it; one line end after it is left out"
            )),
            None => place.field("env").error(format!(
                "the environment variable `{name}` is not set in the VM; list it under \
                 vm_config.environment_variables.host_env_keys and set it for Envoy"
            )),
        }
    }
}

/// The secret without one line end behind it: most tools that write a secret into a file put one there.
fn without_line_end(mut secret: String) -> String {
    if secret.ends_with('\n') {
        secret.pop();
        if secret.ends_with('\r') {
            secret.pop();
        }
    }
    secret
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn one_line_end_after_a_secret_is_no_part_of_it() {
        for (kept, secret) in [
            ("abc\n", "abc"),
            ("abc\r\n", "abc"),
            ("abc", "abc"),
            ("abc\n\n", "abc\n"),
            ("abc \n", "abc "),
            ("\nabc", "\nabc"),
            ("abc\r", "abc\r"),
            ("\n", ""),
        ] {
            assert_eq!(without_line_end(kept.to_owned()), secret, "{kept:?}");
        }
    }
}
