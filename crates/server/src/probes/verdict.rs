//! What an answer proves.
//!
//! 1. The first half of an answer is tried against the credential of every proxy, in constant time.
//! 2. The second half says which Envoy process, version and configuration: those that the processes of that proxy have
//!    said with their last polls, and those that have reported this challenge, are tried.
//! 3. An answer that no credential has made may be that of a proxy that has none of its own (mTLS): it counts if some
//!    proxy has reported this very answer.
//! 4. The authority is that which the command line has sent, or the same without its port: Envoy takes the port away
//!    before its filters where `strip_any_host_port` or `strip_matching_host_port` is set.

use std::sync::Arc;

use breakglass_core::probe::{Answering, Asked, ProbeAnswer, ProbeKey};
use subtle::ConstantTimeEq;

use super::{Open, Report};
use crate::config::Proxy;
use crate::feed::{About, Known};

/// The keys of all proxies.
pub struct Keys(Vec<(String, ProbeKey)>);

impl Keys {
    /// Those of these proxies that have an API token.
    #[must_use]
    pub fn new(proxies: &[Arc<Proxy>]) -> Keys {
        let key = |proxy: &Arc<Proxy>| {
            let digest = proxy.token_sha256.as_ref()?;
            Some((proxy.name.clone(), ProbeKey::from_credential_digest(digest)))
        };
        Keys(proxies.iter().filter_map(key).collect())
    }
}

/// What one entrance has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<'a> {
    /// The authority that the command line has sent: `host` or `host:port`.
    pub authority: &'a str,
    /// What came back in the header for it, if anything.
    pub answer: Option<&'a str>,
}

/// What that proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The filter of this proxy has answered, with this version and configuration.
    Guarded {
        /// Which.
        node: Box<Node>,
        /// The authority as it received it.
        received_as: String,
    },
    /// A filter with the credential of this proxy has answered; no process of it has said that it has that
    /// configuration.
    Unreported {
        /// Whose credential it has.
        proxy: String,
        /// The authority as it received it.
        received_as: String,
    },
    /// Nothing.
    NotProven,
    /// There is no answer in the form of ours.
    NoAnswer,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> breakglass_api::probe::Verdict {
        use breakglass_api::probe::Verdict as Word;
        match self {
            Verdict::Guarded { .. } => Word::Guarded,
            Verdict::Unreported { .. } => Word::Unreported,
            Verdict::NotProven => Word::NotProven,
            Verdict::NoAnswer => Word::NoAnswer,
        }
    }

    /// Whether a report that has not come yet may say more.
    #[must_use]
    pub fn may_change(&self) -> bool {
        matches!(self, Verdict::Unreported { .. } | Verdict::NotProven)
    }
}

/// The process that has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whose credential it has.
    pub proxy: String,
    /// What it calls itself.
    pub node: String,
    /// What names it in commands.
    pub id: String,
    /// What it says of itself.
    pub about: About,
}

impl From<&Report> for Node {
    fn from(report: &Report) -> Node {
        Node {
            proxy: report.proxy.clone(),
            node: report.node.clone(),
            id: report.id(),
            about: report.about.clone(),
        }
    }
}

impl From<&Known> for Node {
    fn from(known: &Known) -> Node {
        Node {
            proxy: known.proxy.clone(),
            node: known.node.clone(),
            id: known.id.clone(),
            about: known.about.clone(),
        }
    }
}

/// What this answer to this challenge proves, by what is known of the proxies.
#[must_use]
pub fn judge(open: &Open, answered: &Answered<'_>, keys: &Keys, known: &[Known]) -> Verdict {
    let Some(answer) = answered.answer.and_then(ProbeAnswer::read) else {
        return Verdict::NoAnswer;
    };
    for authority in authorities(answered.authority) {
        let asked = Asked { challenge: &open.challenge, authority: authority.as_bytes() };
        let received_as = authority.to_owned();
        if let Some((proxy, key)) = made(keys, &answer, &asked) {
            let of_proxy = known.iter().filter(|one| one.proxy == *proxy).map(Node::from);
            let reported = open.reports.iter().filter(|one| one.proxy == *proxy).map(Node::from);
            let is_it = |node: &Node| key.made_by(&answer, &asked, &answering(&node.about));
            return match of_proxy.chain(reported).find(is_it) {
                Some(node) => Verdict::Guarded { node: Box::new(node), received_as },
                None => Verdict::Unreported { proxy: proxy.clone(), received_as },
            };
        }
        let digest = answer.report(&asked);
        let is_it =
            |report: &&Report| bool::from(report.digest.as_bytes().ct_eq(digest.as_bytes()));
        if let Some(report) = open.reports.iter().find(is_it) {
            return Verdict::Guarded { node: Box::new(report.into()), received_as };
        }
    }
    Verdict::NotProven
}

/// The proxy whose credential has made this answer: all are tried, whichever it is.
fn made<'k>(
    keys: &'k Keys,
    answer: &ProbeAnswer,
    asked: &Asked<'_>,
) -> Option<&'k (String, ProbeKey)> {
    let mut found = None;
    for entry in &keys.0 {
        if entry.1.made(answer, asked) {
            found = Some(entry);
        }
    }
    found
}

fn answering(about: &About) -> Answering<'_> {
    Answering {
        process: about.process.as_deref().unwrap_or_default(),
        version: about.version.as_deref().unwrap_or_default(),
        config: about.config.as_deref().unwrap_or_default(),
    }
}

/// As what a filter may have received this authority.
fn authorities(sent: &str) -> impl Iterator<Item = &str> {
    let port = sent.rsplit_once(':').filter(|(host, port)| {
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        // The colons of an IPv6 address stand in brackets.
        is_port && (!host.contains(':') || host.ends_with(']'))
    });
    [Some(sent), port.map(|(host, _)| host)].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_may_lose_its_port_and_nothing_else() {
        for (sent, received) in [
            ("orders.internal", vec!["orders.internal"]),
            ("orders.internal:8443", vec!["orders.internal:8443", "orders.internal"]),
            ("[::1]:80", vec!["[::1]:80", "[::1]"]),
            ("[::1]", vec!["[::1]"]),
            ("::1", vec!["::1"]),
            ("a:b", vec!["a:b"]),
            ("a:", vec!["a:"]),
            ("", vec![""]),
        ] {
            assert_eq!(authorities(sent).collect::<Vec<_>>(), received);
        }
    }
}
