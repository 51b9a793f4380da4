//! Rotations: what a used grant touched is rotated once the grant has ended. `GET /v1/rotations`,
//! `POST /v1/rotations/{id}/done` and `POST /v1/rotations/{id}/retry`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;
use crate::{Instant, Word};

/// A page of rotations, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotations {
    /// The rotations.
    pub rotations: Vec<Rotation>,
    /// `after` of the next page.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// What one hook does about one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotation {
    /// Its id, by which a receiver drops duplicates.
    pub id: String,
    /// Where it is.
    #[schema(value_type = RotationState)]
    pub state: Word<RotationState>,
    /// The grant.
    pub grant: String,
    /// The request of the grant.
    pub request: String,
    /// The hook, as the configuration named it when the first token was taken.
    pub hook: String,
    /// Whether the configuration has the hook. Where it has not, no call is made.
    pub configured: bool,
    /// The grant's scopes that named the hook.
    pub scopes: Vec<String>,
    /// When it became owed; none while the grant holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub owed_at: Option<Instant>,
    /// How often the hook was called, since a person last let it be called again.
    pub attempts: i64,
    /// What came of the last call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_outcome: Option<String>,
    /// When the hook took the call, or a person said that it was rotated by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub done_at: Option<Instant>,
    /// That person, or `service` where the hook took the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub done_by: Option<String>,
    /// What that person said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
}

words! {
    /// Where a rotation is.
    RotationState {
        /// The hook took the call, or a person rotated by hand.
        Done = "done",
        /// The hook did not take the call for `retry_for`, and is not called any more.
        Failed = "failed",
        /// The grant has ended, and the hook is called until it takes the call.
        Owed = "owed",
        /// The grant holds.
        Waiting = "waiting",
    }
}

/// Which rotations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RotationsQuery {
    /// `owed`, `failed`, `done` or `waiting` alone.
    pub state: Option<String>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// It was rotated by hand: `POST /v1/rotations/{id}/done`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationDone {
    /// How. One line; at most 1024 bytes.
    #[serde(default)]
    #[schema(required = true, max_length = 1024)]
    pub note: String,
}

/// A rotation of a request, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotationOfRequest {
    /// The hook.
    pub hook: String,
    /// Where the rotation is.
    #[schema(value_type = RotationState)]
    pub state: Word<RotationState>,
}
