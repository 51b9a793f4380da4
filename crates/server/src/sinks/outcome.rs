//! What came of an attempt: by the receiver's status, as its vendor documents it.

use std::time::Duration;

use super::words::shown;

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
    /// OTLP: 429, 502, 503 and 504 are tried again, and nothing else.
    Otlp,
}

impl Outcome {
    pub(super) fn failed(cause: String) -> Outcome {
        Outcome::Failed { cause, after: None }
    }

    /// What an answer with this status means. `words` is what its body says, `retry_after` the header, in seconds.
    pub(super) fn of(judge: Judge, status: u16, words: &str, retry_after: Option<u64>) -> Outcome {
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
            Judge::Otlp => !matches!(status, 429 | 502..=504 | 300..=399),
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
            Outcome::Failed { cause, .. } | Outcome::Refused { cause } => cause,
        }
    }
}
