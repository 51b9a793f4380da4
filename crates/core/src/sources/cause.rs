//! Why a source fails.

use super::source::Source;
use crate::calls::Answer;
use crate::json::Json;

/// The largest body of a refusal that is read, in bytes.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;

/// The most bytes of what Envoy says of a connection that are logged.
const MAX_DETAIL_BYTES: usize = 200;

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// What else is known of it, in visible ASCII and blanks; it can differ where the cause does not.
    pub(super) detail: String,
}

/// Why a source fails. Another one is another line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Envoy took no call.
    NotSent,
    /// No connection, or one that was reset.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// A status that is none of an answer, and the reason word of a problem of the approval service.
    Status(u16, Option<String>),
    /// A status of an answer, and something else than one.
    NoAnswer,
}

impl Failure {
    /// Why there was no answer; nothing if there was one, with this status.
    pub(crate) fn of(answer: &Answer<'_>, expected: u16) -> Option<Failure> {
        let plain = |cause| Some(Failure { cause, detail: String::new() });
        match answer {
            Answer::NotSent => plain(Cause::NotSent),
            Answer::TimedOut => plain(Cause::Timeout),
            Answer::Failed => plain(Cause::Unreachable),
            Answer::Response { status, .. } if *status == expected => None,
            Answer::Response { status, body } => Some(Failure::refused(*status, body)),
        }
    }

    /// What was answered is no answer, for this reason.
    pub(crate) fn no_answer(why: impl Into<String>) -> Failure {
        Failure { cause: Cause::NoAnswer, detail: why.into() }
    }

    fn refused(status: u16, body: &[u8]) -> Failure {
        // What Envoy itself answers in place of a service that it cannot reach. Whoever else says so has made a
        // line that is wrong, and no more.
        let begins = |text: &str| body.starts_with(text.as_bytes());
        let (cause, detail) = match status {
            503 if begins("no healthy upstream") || begins("upstream connect error") => {
                (Cause::Unreachable, visible(body))
            }
            504 => (Cause::Timeout, String::new()),
            _ => (Cause::Status(status, reason_word(body)), String::new()),
        };
        Failure { cause, detail }
    }
}

impl Cause {
    /// One word, that tells it from the others.
    pub(super) fn word(&self) -> String {
        match self {
            Cause::NotSent => "not_sent".to_owned(),
            Cause::Unreachable => "unreachable".to_owned(),
            Cause::Timeout => "timeout".to_owned(),
            Cause::Status(status, None) => status.to_string(),
            Cause::Status(status, Some(word)) => format!("{status}_{word}"),
            Cause::NoAnswer => "no_answer".to_owned(),
        }
    }

    /// Whether one call can fail so although nothing is wrong.
    pub(super) fn may_pass(&self, source: Source) -> bool {
        match (self, source) {
            // An Envoy that starts learns its clusters from elsewhere. A request that is refused is no small thing.
            (Cause::NotSent, Source::Introspection) => false,
            (Cause::NotSent, _) => true,
            // No service answers so in passing.
            (Cause::Status(401 | 403 | 404, _), _) => false,
            // A poll hangs: a service that restarts ends it, and so does any proxy between. One that does not go on
            // from what is known is asked for everything next.
            (_, Source::Feed) => true,
            _ => false,
        }
    }
}

/// The `reason` of a problem of the approval service.
fn reason_word(body: &[u8]) -> Option<String> {
    let problem = Some(body).filter(|body| body.len() <= MAX_REFUSAL_BYTES)?;
    let problem = Json::parse(problem).ok()?;
    let word = problem.member("reason")?.as_str()?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (!word.is_empty() && word.len() <= 40 && word.bytes().all(fits)).then(|| word.to_owned())
}

/// The beginning of a text, as one line of visible ASCII and blanks.
fn visible(text: &[u8]) -> String {
    let shown = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    };
    text.iter().take(MAX_DETAIL_BYTES).map(shown).collect()
}
