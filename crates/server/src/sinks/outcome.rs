//! What came of an attempt: by the receiver's status, as its vendor documents it.

use std::time::Duration;

use serde_json::Value;

use super::one_line::shown;

/// How much of a receiver's words is kept, in characters.
const SHOWN: usize = 200;

/// The longest that a receiver may ask to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered {
        /// What it answered.
        receipt: String,
    },
    /// It did not, and may do so later.
    Failed {
        /// Why.
        cause: String,
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// The receiver is well, and does not take it for this recipient.
    Bounced {
        /// Why.
        cause: String,
        /// Whether it may do so later.
        again: bool,
    },
    /// It was not tried, and is not to be any more.
    NotSent {
        /// Why.
        cause: String,
    },
    /// It says that it will never take this one.
    Refused {
        /// Why.
        cause: String,
    },
}

/// Whose documentation says what a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    /// Standard Webhooks: everything but a 2xx is tried again.
    Webhook,
    /// Slack's incoming webhooks: 400 says that the payload is wrong.
    Slack,
    /// PagerDuty's Events API v2: 400 says that the event is wrong; 429 and 5xx are tried again.
    PagerDuty,
    /// OTLP over HTTP: 429, 502, 503 and 504 are tried again, and what [`is_about_the_caller`].
    Otlp,
}

/// Whether a status refuses the credential or the address, and not what was sent. OTLP calls these permanent, for the same
/// request: but each attempt here reads the token and the configuration anew, so an operator who puts them right within
/// [`retry_for`](crate::config::Sink) loses no event.
fn is_about_the_caller(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 405 | 407)
}

/// Why a collector that answered 200 did not keep the one log record that it was sent: OTLP's `ExportLogsPartialSuccess`,
/// where a count in JSON is a text or a number. Sending it again is forbidden.
fn rejection(words: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(words).ok()?;
    let partial = answer.get("partialSuccess")?;
    let count = partial.get("rejectedLogRecords")?;
    let count = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
    let message = partial.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
    (count > 0)
        .then(|| format!("the collector rejected the log record: {}", shown(message.trim(), SHOWN)))
}

impl Outcome {
    pub(super) fn failed(cause: String) -> Outcome {
        Outcome::Failed { cause, after: None }
    }

    /// What an answer with this status means. `words` is what its body says, `retry_after` the header, in seconds.
    pub(super) fn of(judge: Judge, status: u16, words: &str, retry_after: Option<u64>) -> Outcome {
        if judge == Judge::Otlp
            && (200..=299).contains(&status)
            && let Some(cause) = rejection(words)
        {
            return Outcome::Refused { cause };
        }
        let words = shown(words.trim(), SHOWN);
        let said = if words.is_empty() { String::new() } else { format!(": {words}") };
        let cause = match status {
            200..=299 => return Outcome::Delivered { receipt: format!("status {status}{said}") },
            300..=399 => format!(
                "status {status}: a redirect is not followed, because what is sent is for the address in the configuration \
                 alone"
            ),
            _ => format!("expected a status 2xx, got {status}{said}"),
        };
        let is_refused = match judge {
            Judge::Webhook => false,
            Judge::Slack | Judge::PagerDuty => status == 400,
            Judge::Otlp => {
                !matches!(status, 429 | 502..=504 | 300..=399) && !is_about_the_caller(status)
            }
        };
        let after = retry_after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        match is_refused {
            true => Outcome::Refused { cause },
            false => Outcome::Failed { cause, after },
        }
    }

    /// In words, as they are kept.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Outcome::Delivered { receipt } => receipt,
            Outcome::Failed { cause, .. }
            | Outcome::Refused { cause }
            | Outcome::Bounced { cause, .. }
            | Outcome::NotSent { cause } => cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Judge, Outcome};

    #[test]
    fn a_collector_that_refuses_the_caller_is_tried_again_and_one_that_refuses_the_record_is_not() {
        let is_tried_again =
            |status| matches!(Outcome::of(Judge::Otlp, status, "", None), Outcome::Failed { .. });
        for status in [307, 401, 403, 404, 405, 407, 429, 502, 503, 504] {
            assert!(is_tried_again(status), "{status}");
        }
        for status in [400, 408, 413, 415, 422, 500, 501] {
            assert!(!is_tried_again(status), "{status}");
        }
    }

    #[test]
    fn a_record_that_a_collector_rejected_is_refused_though_the_status_is_200() {
        let of = |judge, words: &str| Outcome::of(judge, 200, words, None);
        let refused = |message: &str| Outcome::Refused {
            cause: format!("the collector rejected the log record: {message}"),
        };
        // As the JSON form of protobuf writes 64 bits, and as others do.
        for count in ["\"1\"", "1"] {
            let words = format!(
                r#"{{"partialSuccess": {{"rejectedLogRecords": {count}, "errorMessage": "too old"}}}}"#
            );
            assert_eq!(of(Judge::Otlp, &words), refused("too old"), "{words}");
            assert!(matches!(of(Judge::Webhook, &words), Outcome::Delivered { .. }));
        }
        let silent = r#"{"partialSuccess": {"rejectedLogRecords": "1"}}"#;
        assert_eq!(of(Judge::Otlp, silent), refused(""));
        for words in [
            "",
            "<html>",
            "{}",
            r#"{"partialSuccess": {}}"#,
            r#"{"partialSuccess": {"rejectedLogRecords": "0", "errorMessage": "soon deprecated"}}"#,
            r#"{"partialSuccess": {"rejectedLogRecords": "many"}}"#,
        ] {
            let outcome = of(Judge::Otlp, words);
            assert_eq!(outcome, Outcome::Delivered { receipt: outcome.words().to_owned() });
            assert!(outcome.words().ends_with(words), "a warning is kept: {outcome:?}");
        }
    }
}
