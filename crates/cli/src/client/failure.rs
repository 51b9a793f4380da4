//! Why a command ended without its result.

use serde_json::{Value, json};

use super::unreachable::Cause;
use crate::answer::{Mismatch, brief, one_line};
use crate::exit::Exit;

/// How much of a refusal's words is shown, in characters.
const MAX_DETAIL: usize = 4000;

/// Why a command ended without its result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was given is not valid.
    #[error("{0}")]
    Invalid(String),
    /// No answer came.
    #[error("{url}: {cause}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong, and what to do.
        cause: Cause,
    },
    /// What came is not an answer of our service.
    #[error("{url}: {cause}")]
    NotOurs {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What was expected, what came, and what to do.
        cause: String,
    },
    /// The service does not have this endpoint, or does not know what was sent there.
    #[error("{url}: {cause}")]
    Unsupported {
        /// What was asked.
        url: String,
        /// Which versions there are, and what to do.
        cause: String,
        /// The problem document.
        problem: Value,
    },
    /// The answer is not to what was asked.
    #[error("{0}; do not rely on it, and tell those who run the service")]
    Mismatch(#[from] Mismatch),
    /// The service refused.
    #[error("{}", detail(.problem))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem document.
        problem: Value,
    },
    /// The person has to sign in, and cannot be asked here.
    #[error("{why}: {to_do}")]
    SignInNeeded {
        /// Why.
        why: String,
        /// What to do, with the command.
        to_do: String,
    },
    /// The person was not signed in.
    #[error("not signed in: {words}")]
    NotSignedIn {
        /// The word of OAuth or OpenID Connect.
        error: String,
        /// In words, with what to do.
        words: String,
        /// How it ends.
        exit: Exit,
    },
    /// The time to wait is over.
    #[error(
        "no decision yet; {id} is still pending: `breakglass token {id}` prints the token once it is approved, \
         `breakglass cancel {id}` takes the request back"
    )]
    Undecided {
        /// The request.
        id: String,
    },
    /// The result could not be written.
    #[error("stdout: {0}")]
    Output(String),
    /// It failed on this machine.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// The exit code for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Invalid(_) => Exit::Invalid,
            Failure::Refused { status, .. } => Exit::of_status(*status),
            Failure::SignInNeeded { .. } => Exit::SignIn,
            Failure::NotSignedIn { exit, .. } => *exit,
            Failure::Unreachable { .. }
            | Failure::NotOurs { .. }
            | Failure::Unsupported { .. }
            | Failure::Mismatch(_)
            | Failure::Undecided { .. }
            | Failure::Output(_)
            | Failure::Failed(_) => Exit::Fail,
        }
    }

    /// The same of a service that was reached before: then the name of its host is right, and a network is gone for a moment.
    #[must_use]
    pub(crate) fn may_pass_if_reached(&self) -> bool {
        matches!(self, Failure::Unreachable { cause, .. } if cause.is_unresolved())
            || self.may_pass()
    }

    /// Whether the same call may be answered a moment later: the service restarts, is overloaded, or a proxy in
    /// between cannot reach it.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Failure::Unreachable { cause, .. } => cause.may_pass(),
            Failure::NotOurs { status, .. } => matches!(status, 502..=504),
            Failure::Refused { status, .. } => *status >= 500,
            Failure::Invalid(_)
            | Failure::Unsupported { .. }
            | Failure::Mismatch(_)
            | Failure::SignInNeeded { .. }
            | Failure::NotSignedIn { .. }
            | Failure::Undecided { .. }
            | Failure::Output(_)
            | Failure::Failed(_) => false,
        }
    }

    /// The stable word, where the service gave one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Failure::Refused { problem, .. } | Failure::Unsupported { problem, .. } => {
                problem.get("reason").and_then(Value::as_str)
            }
            Failure::NotSignedIn { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The failure as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Failure::Refused { problem, .. } | Failure::Unsupported { problem, .. } => {
                problem.clone()
            }
            Failure::Undecided { id } => {
                json!({ "reason": self.word(), "detail": self.to_string(), "request": id })
            }
            other => {
                let reason = other.reason().unwrap_or(other.word());
                json!({ "reason": reason, "detail": other.to_string() })
            }
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Failure::Invalid(_) => "invalid_input",
            Failure::Unreachable { .. } => "unreachable",
            Failure::NotOurs { .. } | Failure::Mismatch(_) => "not_our_service",
            Failure::Refused { .. } => "refused",
            Failure::Unsupported { .. } => "not_found",
            Failure::SignInNeeded { .. } => "sign_in_needed",
            Failure::NotSignedIn { .. } => "not_signed_in",
            Failure::Undecided { .. } => "no_decision",
            Failure::Output(_) | Failure::Failed(_) => "failed",
        }
    }
}

/// The words of a problem document. They are one line here, whatever was sent: a line of their own could pass for
/// one of ours.
fn detail(problem: &Value) -> String {
    let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("the service refused");
    match detail.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{} ..", one_line(detail.get(..end).unwrap_or_default())),
        None => one_line(detail),
    }
}

/// Whether it can be a reason: it is repeated as it is.
pub(super) fn is_word(text: &str) -> bool {
    let is_in_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(is_in_word)
}

/// A problem document of our service: its members `reason` and `detail`.
///
/// # Errors
/// Says what is not as our service writes it.
pub(super) fn check_problem(problem: &Value) -> Result<(), String> {
    let reason = problem.get("reason").and_then(Value::as_str).unwrap_or_default();
    if !is_word(reason) {
        return Err(match reason {
            "" => "a problem document without `reason`".to_owned(),
            other => format!("reason: expected a word, got `{}`", brief(other)),
        });
    }
    match problem.get("detail") {
        Some(Value::String(_)) => Ok(()),
        _ => Err("a problem document without `detail`".to_owned()),
    }
}
