//! Refusals: `application/problem+json` (RFC 9457) with a stable `reason` word, and a `detail` that says what to do. Those
//! of the endpoints under `/oauth2` have the same form.

use breakglass_types::names::REASON_URN;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::request::Request;
use crate::{Reason, Word};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// urn:breakglass:reason:<reason>
    pub r#type: String,
    /// The reason in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What to do.
    pub detail: String,
    /// Why: a stable word.
    #[schema(value_type = Reason)]
    pub reason: Word<Reason>,
    /// Each field that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The request as it is, where an approval named no digest of it, or another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request: Option<Box<Request>>,
    /// The level at which the person has to sign in: `level` of `GET /oauth2/authorize`. With the reason
    /// `insufficient_user_authentication` alone (RFC 9470 section 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acr_values: Option<String>,
    /// How many seconds ago the person may have authenticated by that level: `max_age` of `GET /oauth2/authorize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_age: Option<u64>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Where, such as `scopes[0]`.
    pub field: String,
    /// The word for what is wrong.
    #[schema(value_type = Reason)]
    pub reason: Word<Reason>,
    /// What was expected.
    pub detail: String,
}

impl Problem {
    /// The refusal for this reason.
    #[must_use]
    pub fn new(reason: Reason, detail: String, errors: Vec<FieldProblem>) -> Problem {
        Problem {
            r#type: format!("{REASON_URN}{}", reason.word()),
            title: reason.title().to_owned(),
            status: reason.status(),
            detail,
            reason: reason.into(),
            errors,
            request: None,
            acr_values: None,
            max_age: None,
        }
    }
}
