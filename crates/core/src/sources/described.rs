//! The lines of the log, for the person who has to act.

use std::time::Duration;

use super::{Cause, Failure, Source};
use crate::config::{Config, Endpoint};
use crate::instant::{Instant, format_duration};

/// The most entries of a key set that a line names.
const MAX_ENTRIES: usize = 8;

impl Source {
    /// Its name on the board.
    pub(super) fn name(self) -> String {
        match self {
            Source::Keys(issuer) => format!("keys.{issuer}"),
            Source::Feed => "feed".to_owned(),
            Source::Introspection => "introspection".to_owned(),
            Source::Heads => "heads".to_owned(),
            Source::Alerts => "alerts".to_owned(),
        }
    }

    pub(super) fn fails(self, config: &Config, failure: &Failure, since: Instant) -> String {
        let (cause, remedy) = self.cause(config, failure);
        format!(
            "{} failing since {}: {cause}; {remedy}. Until it is over: {}",
            self.described(config),
            since.rfc3339(),
            self.effect(config)
        )
    }

    pub(super) fn well(self, config: &Config, failed_for: Duration) -> String {
        let whole = Duration::from_secs(failed_for.as_secs());
        let failed_for = if whole.is_zero() { failed_for } else { whole };
        format!("{} well again, after {}", self.described(config), format_duration(failed_for))
    }

    pub(super) fn has_unusable(self, config: &Config, entries: &[String]) -> String {
        let shown: Vec<&str> = entries.iter().take(MAX_ENTRIES).map(String::as_str).collect();
        let more = match entries.len().saturating_sub(MAX_ENTRIES) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!(
            "{} has entries that cannot be used, and are left out: {}{more}. The others count; a token that is signed \
             with one that is left out is refused (key_unknown)",
            self.described(config).trim_end_matches(':'),
            shown.join("; ")
        )
    }

    fn described(self, config: &Config) -> String {
        let what = match self {
            Source::Keys(issuer) => {
                let issuer = config.issuers.get(issuer);
                let name = issuer.map(|issuer| issuer.issuer.as_str()).unwrap_or_default();
                format!("the key set of the issuer {name:?}")
            }
            Source::Feed => "the feed of revocations".to_owned(),
            Source::Introspection => "introspection".to_owned(),
            Source::Heads => "the reports of audit heads".to_owned(),
            Source::Alerts => "the reports of alerts".to_owned(),
        };
        match self.endpoint(config) {
            Some(Endpoint { cluster, authority, path }) => {
                // A query of the configuration's own is nobody's business in a log.
                let path = path.split('?').next().unwrap_or_default();
                format!("{what} (cluster {cluster}, {authority}{path}):")
            }
            None => format!("{what}:"),
        }
    }

    fn endpoint(self, config: &Config) -> Option<&Endpoint> {
        match self {
            Source::Keys(issuer) => {
                Some(&config.issuers.get(issuer)?.jwks.remote.as_ref()?.endpoint)
            }
            Source::Feed => Some(&config.revocation.feed.as_ref()?.endpoint),
            Source::Introspection => Some(&config.revocation.introspection.as_ref()?.endpoint),
            Source::Heads => config.audit.heads.as_ref(),
            Source::Alerts => Some(&config.alerts.as_ref()?.endpoint),
        }
    }

    /// What is wrong, and what to do.
    fn cause(self, config: &Config, failure: &Failure) -> (String, String) {
        let Failure { cause, detail } = failure;
        let in_words = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        match cause {
            Cause::NotSent => (
                "Envoy takes no call to this cluster".to_owned(),
                "is there a cluster with exactly this name?".to_owned(),
            ),
            Cause::Unreachable => (
                format!("the cluster cannot be reached, or ends the connection{in_words}"),
                "is the service running, and are address, port and TLS of the cluster right?".to_owned(),
            ),
            Cause::Timeout => (
                "no answer in time".to_owned(),
                "the service or the network is slow or drops what is sent; a proxy between must wait for longer than \
                 the call may take"
                    .to_owned(),
            ),
            Cause::Status(status, word) => {
                let word = word.as_ref().map(|word| format!(" ({word})")).unwrap_or_default();
                (format!("the answer is {status}{word}"), self.remedy_of(*status, &word, config))
            }
            Cause::NoAnswer => (
                format!("the answer is none{in_words}"),
                "does something else answer there? Check cluster, authority and path".to_owned(),
            ),
        }
    }

    fn remedy_of(self, status: u16, word: &str, config: &Config) -> String {
        let has_credential = config.revocation.credential.is_some();
        match status {
            401 | 403 if matches!(self, Source::Keys(_)) => {
                "keys are asked for without a credential: open this path for this proxy"
            }
            403 if word.contains("proxies_only") => {
                "the credential of this proxy is a person's: give it one of its own, and list its token_sha256 under \
                 [[proxies]] in the configuration of the approval service"
            }
            401 if has_credential => {
                "the approval service does not know this proxy's credential: compare token_sha256 of [[proxies]] in \
                 its configuration with the SHA-256 of the token in the variable that revocation.credential names \
                 (`printf %s \"$TOKEN\" | sha256sum`), and send it SIGHUP after a change"
            }
            401 => {
                "this filter sends no credential: set revocation.credential, unless the cluster authenticates by mTLS"
            }
            403 => "the service, or something in front of it, refuses this proxy",
            404 => "there is no such path: check path and authority, and that the service is not too old",
            500.. => "the service, or a proxy in front of it, fails: see its log and /readyz",
            _ if !word.is_empty() => "the approval service refuses it for this reason: its log says more",
            _ => "expected 200: does something else answer there? Check cluster, authority and path",
        }
        .to_owned()
    }

    fn effect(self, config: &Config) -> String {
        let revocation = &config.revocation;
        match self {
            Source::Keys(_) => {
                "the last keys and those in jwks.inline count; a token with another kid is refused (keys_unavailable)"
                    .to_owned()
            }
            Source::Feed => {
                let next = match revocation.introspection {
                    Some(_) => "introspection and then on_unavailable decide",
                    None => "on_unavailable decides",
                };
                format!(
                    "what is known counts for {}, then {next}",
                    format_duration(revocation.max_staleness)
                )
            }
            Source::Introspection => {
                "where the feed is not fresh, on_unavailable decides".to_owned()
            }
            Source::Heads => {
                "what is recorded and not reported can be cut off unseen".to_owned()
            }
            Source::Alerts => {
                "alerts wait, up to 64 KiB of them in each worker; what comes beyond is counted, and people hear of it later"
                    .to_owned()
            }
        }
    }
}
