//! Why a use case does nothing.

use std::sync::Arc;

use breakglass_api::request::State;
use breakglass_api::rotations::RotationState;

use super::incident_refused::IncidentRefused;
use crate::access;
use crate::config::NotSaid;
use crate::store::{Request, Review, StoreError, Unproven};
use crate::timekeeper::Doubt;

/// Why a use case does nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The caller may not, or what is asked for is not to be had.
    #[error(transparent)]
    Access(#[from] access::Refused),
    /// It is not known in which groups a person is, for this reason.
    #[error("membership unknown")]
    GroupsUnknown(GroupsUnknown),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The time is not believed, and it opens access.
    #[error("the time is in doubt")]
    Clock(Doubt),
    /// Fields are wrong: all of them.
    #[error("fields are wrong")]
    Fields(Vec<WrongField>),
    /// The incident is not good enough.
    #[error("the incident is not good enough")]
    Incident(IncidentRefused),
    /// There is no such request.
    #[error("unknown request")]
    RequestUnknown,
    /// There is no such grant.
    #[error("unknown grant")]
    GrantUnknown,
    /// No such event was queued for a sink.
    #[error("unknown delivery")]
    DeliveryUnknown,
    /// There is no such rotation.
    #[error("unknown rotation")]
    RotationUnknown,
    /// It was done already, or its grant has not ended.
    #[error("the rotation is {}", .0.word())]
    RotationNotOwed(RotationState),
    /// There is no such review.
    #[error("unknown review")]
    ReviewUnknown,
    /// Its grant has not ended.
    #[error("the grant holds")]
    ReviewNotOwed,
    /// A person has signed or disputed it.
    #[error("reviewed already")]
    AlreadyReviewed(Arc<Review>),
    /// A decision about something else than the review is.
    #[error("another digest")]
    ReviewChanged,
    /// There is no such session, or it is another person's.
    #[error("unknown session")]
    SessionUnknown,
    /// It is decided already, or has lapsed.
    #[error("the request is {}", .0.word())]
    NotPending(State),
    /// Only its requester may.
    #[error("not the requester")]
    NotTheRequester(OnlyRequester),
    /// The key of a submission that is to be repeated stands for another one.
    #[error("the key stands for another submission")]
    KeyReused,
    /// As many of the requester's requests wait as may.
    #[error("{0} requests wait")]
    TooManyPending(i64),
    /// As much is said about the request as may be.
    #[error("{0} remarks")]
    TooManyRemarks(i64),
    /// The token would be larger than filters accept.
    #[error("{0}")]
    TokenTooLarge(String),
    /// An approval that does not say what it approves.
    #[error("no digest")]
    DigestRequired(Box<Request>),
    /// An approval of something else than the request is.
    #[error("another digest")]
    RequestChanged(Box<Request>),
    /// What could be asked for at submission, and no longer can.
    #[error("no longer allowed")]
    NoLongerAllowed(NoLonger),
    /// Another credential than the one that submitted the request.
    #[error("another credential")]
    CredentialChanged,
    /// There is no grant that holds.
    #[error("no grant")]
    NoGrant(Box<Request>),
    /// The trail does not prove that the grant was approved.
    #[error(transparent)]
    ApprovalUnproven(#[from] Unproven),
    /// The grant begins at this second: a clock was wrong when it was approved.
    #[error("not begun")]
    NotBegun(i64),
    /// Grants match, and the caller may revoke none of them.
    #[error("{count} grants match")]
    NoneOfYours {
        /// How many.
        count: usize,
        /// Whether the configuration names responders, who might.
        responders: bool,
    },
    /// No scope has this name, and no grant names it.
    #[error("no such scope")]
    NoSuchScope(String),
    /// No person has this name, and none of that name has a grant.
    #[error("no such person")]
    NoSuchPerson(String),
    /// The service failed.
    #[error("{0}")]
    Internal(String),
}

/// Why the groups of a person are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupsUnknown {
    /// The person.
    pub person: String,
    /// The provider.
    pub provider: String,
    /// Why.
    pub why: NotSaid,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongField {
    /// Which, such as `scopes[1]`.
    pub field: String,
    /// What was expected, and what to do.
    pub expected: String,
}

/// What only the requester of a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlyRequester {
    /// Take it back.
    Cancel,
    /// Answer a question.
    Answer,
    /// Ask for more time.
    Extend,
    /// Take a token.
    TakeToken,
}

/// Why what could be asked for at submission no longer can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoLonger {
    /// The requester is not in the configuration any more.
    Requester,
    /// The requester has another credential.
    Credential,
    /// People who approved it may not any more.
    Approvers,
    /// It was taken alone in an emergency, and a rule would not allow that any more.
    Emergency,
    /// The configuration would refuse it now.
    Rules(access::Refused),
    /// Its scopes are for another environment now.
    Audience,
}

impl From<IncidentRefused> for Refused {
    fn from(refused: IncidentRefused) -> Refused {
        Refused::Incident(refused)
    }
}

impl From<Doubt> for Refused {
    fn from(doubt: Doubt) -> Refused {
        Refused::Clock(doubt)
    }
}
