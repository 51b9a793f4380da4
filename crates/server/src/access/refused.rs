//! Why the answer is no, as data. The words and the status for a client are in `routes/refusal.rs`.

use super::approvers::Approvers;
use crate::config::SignInFor;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// These scopes are not in the configuration.
    #[error("unknown scopes")]
    UnknownScopes(Vec<UnknownScope>),
    /// The person may not ask for this scope.
    #[error("not a requester of `{scope}`")]
    NotARequester {
        /// The scope.
        scope: String,
        /// The groups whose members may ask for it.
        requesters: Vec<String>,
        /// Scopes with names like it that the person may ask for.
        near: Vec<String>,
    },
    /// The scopes are for several audiences, or the duration is too long for some; at least one of both.
    #[error("audiences {audiences:?}, and {} scopes are for shorter", too_long.len())]
    Unfit {
        /// The audiences of the scopes, sorted; one is as it should be.
        audiences: Vec<String>,
        /// The scopes that allow less than was asked for.
        too_long: Vec<TooLong>,
    },
    /// No other person may approve all of the scopes.
    #[error("no approver")]
    NoApprover,
    /// It is the person's own request.
    #[error("the request is the approver's own")]
    SelfApproval,
    /// The approver has an account at one provider, and the requester or another approver one at another, with one mail
    /// address.
    #[error("the approver may be `{other}`: both accounts have one mail address")]
    SameMail {
        /// The other person.
        other: String,
    },
    /// No rule of the request names the person.
    #[error("not an approver")]
    NotAnApprover {
        /// Whose yes would count.
        approvers: Approvers,
    },
    /// The person has said yes to it before.
    #[error("approved already")]
    ApprovedAlready,
    /// A rule of the request asks others first.
    #[error("others first")]
    NotYourTurn {
        /// Whose yes would count.
        approvers: Approvers,
    },
    /// No rule of the request waits for an approval by a group of the person.
    #[error("not needed")]
    NotNeeded {
        /// Whose yes would count.
        approvers: Approvers,
    },
    /// The session began with a device code, and approvers do not sign in so.
    #[error("approval by a session of a device code")]
    ApprovalByDevice,
    /// The requester takes a request back, and does not deny it.
    #[error("the requester denies nothing")]
    OwnRequest,
    /// The person may not deny this request.
    #[error("may not deny")]
    MayNotDeny {
        /// Whether the configuration names responders, who might.
        responders: bool,
    },
    /// The person may not end this grant.
    #[error("may not revoke")]
    MayNotRevoke {
        /// Whether the configuration names responders, who might.
        responders: bool,
    },
    /// The person may not end everything that is meant, and so ends nothing.
    #[error("may not revoke {lacking} of {all} grants")]
    MayNotRevokeAll {
        /// The scopes that the person may not approve, sorted.
        scopes: Vec<String>,
        /// How many of the grants name them.
        lacking: usize,
        /// How many grants are meant.
        all: usize,
    },
    /// The person may not approve every scope of what may run at a proxy.
    #[error("may not say that a proxy is gone")]
    MayNotForget {
        /// The scopes that the person may not approve, sorted; empty where the person approves no scope at all.
        scopes: Vec<String>,
    },
    /// The person held the grant, or may not approve one of its scopes, and so cannot say that it was rotated.
    #[error("may not say that it was rotated")]
    MayNotRotate {
        /// Whether the person held it.
        is_holder: bool,
    },
    /// The person took part in what is reviewed.
    #[error("took part")]
    TookPart(Part),
    /// No rule of the grant's request names the person.
    #[error("not a reviewer")]
    NotAReviewer {
        /// Who may review it.
        reviewers: Approvers,
    },
    /// The person may not see this request.
    #[error("not involved")]
    NotInvolved {
        /// Whether the configuration names responders, who might.
        responders: bool,
    },
    /// The person may not audit.
    #[error("not an auditor")]
    NotAnAuditor,
    /// The person is no administrator.
    #[error("not an administrator")]
    NotAnAdministrator,
    /// The scopes require different levels of sign-in for the same.
    #[error("levels {levels:?} for {}", what.field())]
    LevelsDiffer {
        /// For what.
        what: SignInFor,
        /// The levels, sorted.
        levels: Vec<String>,
    },
    /// The person has to sign in, at a level, and recently.
    #[error("{} takes the level `{}`", .0.what.field(), .0.level)]
    SignIn(StepUp),
    /// The directory does not know now whether somebody is in a group that decides it.
    #[error("membership unknown")]
    MembershipUnknown,
}

impl Refused {
    /// Whether it says nothing of the person, but what others have answered, or have to.
    #[must_use]
    pub fn is_about_others(&self) -> bool {
        matches!(
            self,
            Refused::ApprovedAlready | Refused::NotYourTurn { .. } | Refused::NotNeeded { .. }
        )
    }
}

/// A scope that is not in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScope {
    /// Its place among those that were asked for, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Scopes with names like it that the person may ask for.
    pub near: Vec<String>,
}

/// A scope that allows less than was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong {
    /// Its name.
    pub scope: String,
    /// The longest grant, in seconds.
    pub max_duration_s: i64,
}

/// What a person did about a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Held it.
    Holder,
    /// Approved or denied it.
    Approver,
}

/// The sign-in that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    /// For what.
    pub what: SignInFor,
    /// The scope that requires it.
    pub scope: String,
    /// The approval rule that requires it of an emergency, where it is not the scope.
    pub emergency_rule: Option<String>,
    /// The level.
    pub level: String,
    /// How long ago the person may have authenticated by it, in seconds.
    pub max_age_s: Option<i64>,
    /// What there is.
    pub unmet: Unmet,
}

/// Why a sign-in is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// An API token is none.
    ApiToken,
    /// No level was asked for.
    NoLevel,
    /// It was at this level.
    OtherLevel(String),
    /// The person authenticated too long ago, or later than now.
    TooOld {
        /// So many seconds ago.
        age_s: i64,
    },
}
