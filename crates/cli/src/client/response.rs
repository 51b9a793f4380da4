//! From a response to an answer: what is not our service's is told as what it is.

use std::time::UNIX_EPOCH;

use breakglass_api::Reason;
use breakglass_api::watch::MEDIA_TYPE;
use breakglass_server::clock::Moment;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Body;
use ureq::http::{HeaderMap, Response};

use super::failure::{Failure, check_problem, is_word};
use crate::answer::{Answer, brief};
use crate::exit::Exit;

/// The version of this command line.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A refusal of an endpoint of OAuth (RFC 6749 section 5.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct OAuthRefusal {
    /// A word of the RFC.
    pub(crate) error: String,
    /// In words.
    #[serde(default)]
    pub(crate) error_description: String,
}

/// A response that has come, but for its body.
pub(super) struct Head {
    pub(super) url: String,
    status: u16,
    content_type: String,
    location: String,
    /// What the service says of itself.
    version: Option<String>,
    server: String,
    date: String,
}

impl Head {
    pub(super) fn new(url: String, response: &Response<Body>) -> Head {
        let headers = response.headers();
        let version = header(headers, breakglass_server::routes::VERSION_HEADER);
        let is_version = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
        Head {
            url,
            status: response.status().as_u16(),
            content_type: header(headers, "content-type"),
            location: header(headers, "location"),
            version: Some(version)
                .filter(|version| !version.is_empty() && version.bytes().all(is_version)),
            server: header(headers, "server"),
            date: header(headers, "date"),
        }
    }

    /// When it was made, as it says.
    pub(super) fn date(&self) -> Option<Moment> {
        let at = httpdate::parse_http_date(&self.date).ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(at.as_secs()).ok().map(Moment::from_seconds)
    }

    /// A redirect is an answer of another program. It is not followed: the API token goes to the host that was
    /// named, and to no other.
    pub(super) fn check_redirect(&self) -> Result<(), Failure> {
        if !matches!(self.status, 300..=399) {
            return Ok(());
        }
        let to = match self.location.as_str() {
            "" => "without a target".to_owned(),
            location => format!("to `{}`", without_query(location)),
        };
        Err(self.not_ours(&format!(
            "it redirects {to} (status {}), and a redirect is not followed: your API token goes only to the URL \
             that was named",
            self.status
        )))
    }

    /// Reads the body.
    pub(super) fn answer<T: Answer>(&self, body: &[u8]) -> Result<T, Failure> {
        if Exit::of_status(self.status) == Exit::Done {
            let json = self.json(body, "application/json", T::NAME)?;
            return T::read(json)
                .map_err(|cause| self.not_ours(&format!("expected {}, got {cause}", T::NAME)));
        }
        let problem =
            self.json(body, "application/problem+json", "a problem document (RFC 9457)")?;
        check_problem(&problem).map_err(|cause| self.not_ours(&cause))?;
        if problem.get("reason").and_then(Value::as_str) == Some(Reason::NotFound.word()) {
            let cause = format!(
                "the service has no such endpoint; {}: this takes a newer service, or `--url` has a path that is \
                 not the service's",
                self.versions()
            );
            return Err(Failure::Unsupported { url: self.url.clone(), cause, problem });
        }
        if let Some(member) = unknown_member(&problem) {
            let versions = self.versions();
            let cause = format!(
                "the service does not know `{member}`; {versions}: this takes a newer service"
            );
            return Err(Failure::Unsupported { url: self.url.clone(), cause, problem });
        }
        Err(Failure::Refused { status: self.status, problem })
    }

    /// The reason of a refusal with this status; nothing where it is none of our service's.
    pub(super) fn reason(&self, status: u16, body: &[u8]) -> Option<String> {
        if self.status != status || !self.is_of_type("application/problem+json") {
            return None;
        }
        let problem: Value = serde_json::from_slice(body).ok()?;
        problem.get("reason").and_then(Value::as_str).map(str::to_owned)
    }

    /// Reads the body of an endpoint whose refusals are those of RFC 6749 section 5.2.
    pub(super) fn oauth<T: DeserializeOwned>(
        &self,
        body: &[u8],
    ) -> Result<Result<T, OAuthRefusal>, Failure> {
        let is_done = Exit::of_status(self.status) == Exit::Done;
        if !is_done && !self.is_of_type("application/json") {
            return self.answer::<Value>(body).map(|_| Err(OAuthRefusal::default()));
        }
        let expected = if is_done { "tokens" } else { "an error (RFC 6749)" };
        let json = self.json(body, "application/json", expected)?;
        let wrong = |cause: String| self.not_ours(&format!("expected {expected}, got {cause}"));
        if is_done {
            // The message could have a token in it.
            let read = T::deserialize(json).map_err(|_| wrong("other members".to_owned()));
            return read.map(Ok);
        }
        let refusal =
            OAuthRefusal::deserialize(json).map_err(|error| wrong(brief(&error.to_string())))?;
        match is_word(&refusal.error) {
            true => Ok(Err(refusal)),
            false => Err(wrong(format!("error: `{}`", brief(&refusal.error)))),
        }
    }

    /// Of a call whose answer says nothing.
    pub(super) fn check_done(&self, body: &[u8]) -> Result<(), Failure> {
        match Exit::of_status(self.status) {
            Exit::Done => Ok(()),
            _ => self.answer::<Value>(body).map(|_| ()),
        }
    }

    /// Whether a stream of events comes.
    pub(super) fn is_stream(&self) -> bool {
        Exit::of_status(self.status) == Exit::Done && self.is_of_type(MEDIA_TYPE)
    }

    /// Of what came in place of a stream.
    pub(super) fn not_a_stream(&self, body: &[u8]) -> Result<(), Failure> {
        if Exit::of_status(self.status) != Exit::Done {
            return self.answer::<Value>(body).map(|_| ());
        }
        Err(self.not_ours(&format!(
            "expected events as `{MEDIA_TYPE}`, got status {} with `{}`",
            self.status,
            brief(&self.content_type)
        )))
    }

    /// Whether the service refused the call because of its credential (RFC 9110 section 15.5.2).
    pub(super) fn is_unauthorized(&self) -> bool {
        self.status == 401
    }

    fn is_of_type(&self, content_type: &str) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(content_type)
    }

    pub(super) fn too_long(&self, limit: u64) -> Failure {
        let mebibytes = limit.checked_div(1024 * 1024).unwrap_or_default();
        self.not_ours(&format!("its answer is longer than {mebibytes} MiB"))
    }

    fn json(&self, body: &[u8], content_type: &str, expected: &str) -> Result<Value, Failure> {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim();
        let came = match essence {
            "" => format!("{} bytes without a content type", body.len()),
            essence => format!("{} bytes of `{}`", body.len(), brief(essence)),
        };
        let wrong = |cause: &str| {
            self.not_ours(&format!(
                "expected {expected} as `{content_type}`, got status {} with {came}{cause}",
                self.status
            ))
        };
        if !self.is_of_type(content_type) {
            return Err(wrong(""));
        }
        serde_json::from_slice(body)
            .map_err(|error| wrong(&format!(", which are not JSON ({error})")))
    }

    fn not_ours(&self, cause: &str) -> Failure {
        let cause = match &self.version {
            Some(_) => {
                format!("not an answer that is understood here: {cause}; {}", self.versions())
            }
            None => {
                let server = match self.server.as_str() {
                    "" => String::new(),
                    server => format!(" (it says that it is `{}`)", brief(server)),
                };
                format!(
                    "not an answer of the breakglass service: {cause}; check whether `--url` or BREAKGLASS_URL is \
                     the approval service's{server}"
                )
            }
        };
        Failure::NotOurs { url: self.url.clone(), status: self.status, cause }
    }

    fn versions(&self) -> String {
        match &self.version {
            Some(version) => {
                format!(
                    "the service says version {version}, this command line is version {VERSION}"
                )
            }
            None => format!(
                "the service does not say its version, this command line is version {VERSION}"
            ),
        }
    }
}

/// The member of the body that the service does not know. This command line sends none that a service of its own version
/// does not know: such a service is older.
fn unknown_member(problem: &Value) -> Option<&str> {
    let word = |name: &str| problem.get(name).and_then(Value::as_str);
    let detail =
        word("detail").filter(|_| word("reason") == Some(Reason::InvalidRequest.word()))?;
    let (member, _) = detail.split_once("unknown field `")?.1.split_once('`')?;
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (!member.is_empty() && member.bytes().all(is_word)).then_some(member)
}

/// What comes after `?` or `#` may be a secret of another service's.
fn without_query(location: &str) -> String {
    let end = location.find(['?', '#']).unwrap_or(location.len());
    let shown = location.get(..end).unwrap_or_default();
    // So may what comes before `@`.
    match shown.rsplit_once('@') {
        Some((_, host)) => brief(&format!("..@{host}")),
        None => brief(shown),
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default()
}
