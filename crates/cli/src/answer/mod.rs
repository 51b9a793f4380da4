//! What the service answers, as the command line reads it: the bodies of [`breakglass_api`], with what their types do
//! not say.
//!
//! 1. A missing member, or one of another type, means that the answer is not one of our service's.
//! 2. Members that are not known here are kept and shown with `--json`: the service may be newer.
//! 3. What has to fit what was asked for (an id, a state) is checked by the verb that asked: see [`Mismatch`].

mod audit;
mod deliveries;
mod directory;
mod health;
mod probe;
mod request;
mod reviews;
mod revocation;
mod rotations;
mod scopes;
mod sessions;
mod token;
mod uses;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use breakglass_api::alerts::{Alert, Alerts};
pub use breakglass_api::attempts::{Attempt, Attempts, Outcome};
pub use breakglass_api::deliveries::{Circuit, Deliveries, Delivery, Replayed, Sink};
pub use breakglass_api::directory::{ConfirmedHeldEnds, HeldEnd, HeldEnds};
pub use breakglass_api::evidence::{Evidence, RequestEvidence};
pub use breakglass_api::health::{Health, UntoldHead};
pub use breakglass_api::probe::{Challenge, ProbeVerdict, ProbeVerdicts, ProbedNode, Verdict};
pub use breakglass_api::proxies::{Enforcement, Forgotten, Node, OnUnavailable, Proxies};
pub use breakglass_api::request::{Grant, Refusal, RemarkKind, Request, Requests, State};
pub use breakglass_api::review_in_full::ReviewInFull;
pub use breakglass_api::reviews::{Review, ReviewState, Reviews};
pub use breakglass_api::revocation::{Killed, Revoked};
pub use breakglass_api::rotations::{Rotation, RotationState, Rotations};
pub use breakglass_api::scopes::{Scope, Scopes};
pub use breakglass_api::session::{Session, SessionState, Sessions};
pub use breakglass_api::token::Issued;
pub use breakglass_api::uses::{ScopeUses, Use, UsesOfGrant};
pub use breakglass_api::whoami::{GroupsKnown, Notify, WhoAmI};
pub use breakglass_api::{Instant, Word};

pub use audit::{EventsPage, HeadsPage};
pub use request::Asked;

/// How much of a text is repeated in a message, in characters.
const SHOWN: usize = 200;

/// One kind of answer.
pub trait Body: DeserializeOwned {
    /// In words that follow "expected", such as `a request`.
    const NAME: &'static str;

    /// What the types do not say.
    ///
    /// # Errors
    /// Says which member is wrong, and what was expected.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What a call returns.
pub trait Answer: Sized {
    /// In words that follow "expected", such as `a request`.
    const NAME: &'static str;

    /// Reads the answer.
    ///
    /// # Errors
    /// Says what came instead.
    fn read(json: Value) -> Result<Self, String>;
}

/// An answer that is what it has to be, and all of it as it came.
#[derive(Debug, Clone)]
pub struct Whole<T> {
    /// What the command line relies on.
    pub body: T,
    /// All members, for `--json`.
    pub json: Value,
}

impl<T: Body> Answer for Whole<T> {
    const NAME: &'static str = T::NAME;

    fn read(json: Value) -> Result<Whole<T>, String> {
        expect_object(&json)?;
        let body = T::deserialize(&json).map_err(|error| brief(&error.to_string()))?;
        body.check()?;
        Ok(Whole { body, json })
    }
}

/// For callers that read it with types of their own.
impl Answer for Value {
    const NAME: &'static str = "a JSON object";

    fn read(json: Value) -> Result<Value, String> {
        expect_object(&json)?;
        Ok(json)
    }
}

/// The answer is one of our service's, and not one to what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the service answered for something else: {member}: expected `{expected}`, got `{got}`")]
pub struct Mismatch {
    /// Which member.
    pub member: &'static str,
    /// What follows from the question.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Mismatch {
    /// Compares one member with what follows from the question.
    ///
    /// # Errors
    /// [`Mismatch`] where they differ.
    pub fn check(member: &'static str, expected: &str, got: &str) -> Result<(), Mismatch> {
        if expected == got {
            return Ok(());
        }
        Err(Mismatch { member, expected: brief(expected), got: brief(got) })
    }
}

/// `text` on one line, no longer than a message may be.
#[must_use]
pub fn brief(text: &str) -> String {
    let mut shown: String = one_line(text).chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str(" ..");
    }
    shown
}

/// `text` on one line: what a service or a person sent makes no lines of its own.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], "\u{fffd}")
}

/// Whether `id` can be an id: what is repeated in commands for a shell must be harmless there.
fn check_id(member: &str, id: &str) -> Result<(), String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.is_empty() || id.len() > 100 || !id.bytes().all(valid) || id.starts_with('-') {
        return Err(format!(
            "{member}: expected an id of at most 100 letters, digits, `_` and `-`, got `{}`",
            brief(id)
        ));
    }
    Ok(())
}

fn expect_object(json: &Value) -> Result<(), String> {
    let kind = match json {
        Value::Object(_) => return Ok(()),
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
    };
    Err(format!("{kind} where an object is expected"))
}
