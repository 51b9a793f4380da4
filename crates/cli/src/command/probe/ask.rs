//! Sends a challenge to one entrance, and says what came back.

use std::time::Duration;

use breakglass_core::probe::{PROBE_HEADER, ProbeAnswer};
use serde_json::Value;
use ureq::http::{HeaderMap, Request, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, config::Config};

use super::entrance::{Entrance, Target};
use breakglass_server::routes::VERSION_HEADER;

use crate::answer::brief;
use crate::client::why_unreached;

/// How much of a body is looked at, in bytes: a refusal of ours is far shorter.
const MAX_BODY: u64 = 64 * 1024;

/// What the `type` of a refusal begins with, before its reason.
use breakglass_types::names::REASON_URN as OUR_TYPE;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Something in the form of an answer, which proves nothing yet.
    Answer(String),
    /// A refusal in the filter's form, which any server can send, with its reason.
    Refused(String),
    /// Something else, in words.
    Other(String),
    /// Nothing, and why.
    NotReached(String),
}

/// What is sent to each entrance.
pub(super) struct Asking<'a> {
    pub(super) challenge: &'a str,
    /// How long one entrance may take.
    pub(super) timeout: Duration,
    /// The certificates to trust instead of the public ones.
    pub(super) trusted: Option<Vec<Certificate<'static>>>,
}

impl Asking<'_> {
    /// Asks one entrance, within the time that is left of all of them.
    pub(super) fn ask(&self, entrance: &Entrance, left: Duration) -> Reply {
        if left.is_zero() {
            let why =
                "there was no time left for it: ask fewer at once, or with a shorter `--timeout`";
            return Reply::NotReached(why.to_owned());
        }
        let timeout = self.timeout.min(left);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // The entrance itself is asked, not one to which it redirects, and not by way of a proxy.
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(timeout));
        if let Some(trusted) = &self.trusted {
            let roots = RootCerts::from(trusted.clone());
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let resolver = Elsewhere(entrance.target().cloned());
        let agent = Agent::with_parts(config.build(), DefaultConnector::new(), resolver);
        let request = Request::get(entrance.uri())
            .header("host", entrance.authority())
            .header(PROBE_HEADER, self.challenge)
            .header("accept", "*/*")
            .header("cache-control", "no-cache")
            .header("user-agent", concat!("breakglass/", env!("CARGO_PKG_VERSION")))
            .body(());
        let request = match request {
            Ok(request) => request,
            Err(error) => return Reply::NotReached(error.to_string()),
        };
        let response = match agent.run(request) {
            Ok(response) => response,
            Err(error) => return Reply::NotReached(why_unreached(&error, timeout)),
        };
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        if let Some(answer) = answer(&parts.headers) {
            return Reply::Answer(answer);
        }
        // A body that does not come in time says as little as one that is something else.
        let body = body.into_with_config().limit(MAX_BODY).read_to_vec().unwrap_or_default();
        judge(status, &parts.headers, &body, self.challenge)
    }
}

/// The one value in the form of an answer, if there is one.
fn answer(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(PROBE_HEADER).iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && ProbeAnswer::read(value).is_some()).then(|| value.to_owned())
}

/// What a response without an answer is.
fn judge(status: u16, headers: &HeaderMap, body: &[u8], challenge: &str) -> Reply {
    let text = String::from_utf8_lossy(body);
    let repeats = |value: &[u8]| String::from_utf8_lossy(value).contains(challenge);
    if text.contains(challenge) || headers.values().any(|value| repeats(value.as_bytes())) {
        return Reply::Other(format!(
            "status {status}: what answers has received the challenge, and repeats it: no filter of ours took it away"
        ));
    }
    if headers.contains_key(VERSION_HEADER) {
        return Reply::Other(format!(
            "status {status} of a breakglass approval service: that is no entrance of a proxy"
        ));
    }
    if let Some(reason) = our_reason(status, body) {
        return Reply::Refused(reason);
    }
    let header = |name: &str| {
        let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        value.map(|value| brief(&value)).filter(|value| !value.is_empty())
    };
    let server = header("server").map(|server| format!(" of `{server}`")).unwrap_or_default();
    let more = match (status, header("location")) {
        (300..=399, Some(to)) => {
            // A query may hold a secret.
            let to = to.split(['?', '#']).next().unwrap_or_default().to_owned();
            format!("; it redirects to `{to}`, which is not followed: probe that as well")
        }
        (502..=504, _) => {
            "; a balancer says so where the proxy behind it is down, and a proxy without the filter where its \
             upstream is"
                .to_owned()
        }
        _ => String::new(),
    };
    Reply::Other(format!("status {status}{server} without an answer of the filter{more}"))
}

/// The reason of a refusal in our form.
fn our_reason(status: u16, body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let (kind, reason) = (text("type")?, text("reason")?);
    let is_word = reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let is_ours = kind.strip_prefix(OUR_TYPE) == Some(reason) && is_word && !reason.is_empty();
    (is_ours && status >= 400 && reason.len() <= 64).then(|| reason.to_owned())
}

/// Connects to another address than the URL says.
#[derive(Debug)]
struct Elsewhere(Option<Target>);

impl Resolver for Elsewhere {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let Some(target) = &self.0 else {
            return DefaultResolver::default().resolve(uri, config, timeout);
        };
        let scheme = uri.scheme_str().unwrap_or("http");
        let elsewhere = format!("{scheme}://{}/", target.text());
        let elsewhere = elsewhere.parse::<Uri>().map_err(|_| ureq::Error::HostNotFound)?;
        DefaultResolver::default().resolve(&elsewhere, config, timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "aaa.bbb.ccc";

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn other(status: u16, all: &[(&'static str, &str)], body: &str) -> String {
        match judge(status, &headers(all), body.as_bytes(), CHALLENGE) {
            Reply::Other(words) => words,
            reply => panic!("{reply:?}"),
        }
    }

    #[test]
    fn an_answer_is_one_header_in_its_form() {
        let form = "A".repeat(86);
        assert_eq!(answer(&headers(&[(PROBE_HEADER, &form)])), Some(form.clone()));
        for values in [vec![], vec![CHALLENGE], vec!["A"], vec![&*form, &form], vec![""]] {
            let mut all = HeaderMap::new();
            for value in &values {
                all.append(PROBE_HEADER, value.parse().unwrap());
            }
            assert_eq!(answer(&all), None, "{values:?}");
        }
    }

    #[test]
    fn a_refusal_in_our_form_is_told_from_other_answers() {
        let ours = r#"{"type":"urn:breakglass:reason:token_missing","reason":"token_missing"}"#;
        let refused = Reply::Refused("token_missing".into());
        assert_eq!(judge(401, &headers(&[]), ours.as_bytes(), CHALLENGE), refused);
        for (status, body) in [
            (200, ours.to_owned()),
            (401, ours.replace("\"reason\":\"token_missing\"", "\"reason\":\"other\"")),
            (401, ours.replace("urn:breakglass", "urn:other")),
            (401, ours.replace("token_missing", "")),
            (401, ours.replace("token_missing", "Token)")),
            (401, format!("{ours} {ours}")),
            (401, String::new()),
            (401, "[]".into()),
        ] {
            let words = other(status, &[], &body);
            assert!(words.starts_with(&format!("status {status}")), "{words}");
        }
    }

    #[test]
    fn whoever_repeats_the_challenge_has_received_it() {
        let ours = r#"{"type":"urn:breakglass:reason:token_missing","reason":"token_missing","x":"aaa.bbb.ccc"}"#;
        assert!(other(401, &[], ours).contains("repeats it"));
        assert!(other(200, &[(PROBE_HEADER, CHALLENGE)], "").contains("repeats it"));
        assert!(other(200, &[("x", "is aaa.bbb.ccc")], "").contains("repeats it"));
    }

    #[test]
    fn says_what_came_instead() {
        for (status, all, words) in [
            (200, vec![("server", "nginx")], "status 200 of `nginx` without an answer"),
            (
                302,
                vec![("location", "https://a/?x=secret")],
                "redirects to `https://a/`, which is not",
            ),
            (503, vec![], "a balancer says so where the proxy behind it is down"),
            (404, vec![(VERSION_HEADER, "0.1.0")], "approval service"),
        ] {
            let found = other(status, &all, "");
            assert!(found.contains(words) && !found.contains("secret"), "{found}");
        }
    }
}
