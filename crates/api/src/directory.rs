//! What identity providers say of people's groups: `GET /v1/directory/held-ends` and `POST /v1/directory/held-ends/confirm`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// People whose grants do not end although they lost a group, because many lost it at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldEnds {
    /// At most 1000, by group and name.
    pub held_ends: Vec<HeldEnd>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldEnd {
    /// The group that was lost.
    pub group: String,
    /// The person.
    pub person: String,
    /// When the identity provider's answer came.
    pub since: Instant,
}

/// Let the grants end that are held: `POST /v1/directory/held-ends/confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmHeldEnds {
    /// For the loss of this group.
    #[serde(default)]
    #[schema(required = true)]
    pub group: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfirmedHeldEnds {
    /// The ends of so many people were confirmed.
    pub people: u64,
    /// So many grants ended.
    pub revoked: u64,
    /// The groups of so many people are not known now: their ends stay held.
    pub left: u64,
}
