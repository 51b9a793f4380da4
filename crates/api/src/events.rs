//! What happens at the service, once each, in the order of commits: `GET /v1/audit/events`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::words::words;
use crate::{Instant, Word};

/// Events, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// The events.
    pub events: Vec<Event>,
    /// `after` of the next question, whether there is more already or not. A reader that goes on with it misses none.
    pub next: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place: what is committed later has a higher one.
    pub seq: i64,
    /// Its id, for good.
    pub id: String,
    /// When.
    pub time: Instant,
    /// The same in milliseconds since 1970, as the chain has it; services before the chain do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub time_ms: Option<i64>,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(value_type = EventType)]
    pub kind: Word<EventType>,
    /// The version of what `data` has.
    pub version: i64,
    /// A person's name, or `service` where the service acted by itself.
    pub actor: String,
    /// The request that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request: Option<String>,
    /// Its place among the events of the request, from 1, without gaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_seq: Option<i64>,
    /// The request's environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audience: Option<String>,
    /// Whose request it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub subject: Option<String>,
    /// The request's incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub incident: Option<String>,
    /// The request's grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub grant: Option<String>,
    /// More of it, as on the trail.
    #[schema(value_type = Object)]
    pub data: Value,
    /// Its link in the chain; none where it was written before the chain began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub link: Option<Link>,
}

/// What an event has in the signed chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The hash of the event before it, in hex.
    pub prev: String,
    /// Its own hash, in hex.
    pub hash: String,
    /// The id of the key that signed it.
    pub kid: String,
    /// The signature over the hash: Ed25519, in base64url.
    pub signature: String,
}

/// Where to go on, and how long to wait for something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// `next` of the answer before; without it, from the first event on.
    pub after: Option<String>,
    /// How long to wait where there is none; at most 60s.
    #[param(example = "25s")]
    pub wait: Option<String>,
}

words! {
    /// What happened: `type` of an event, as CloudEvents 1.0 has it.
    EventType {
        /// A new time of the wall clock is believed.
        ClockAccepted = "breakglass.service.clock_accepted",
        /// The configuration was read again.
        ConfigurationRead = "breakglass.service.configuration_read",
        /// A configuration that was read again grants what the one before did not.
        ConfigurationWidened = "breakglass.service.configuration_widened",
        /// An administrator let an event be delivered again.
        DeliveryReplayed = "breakglass.service.delivery_replayed",
        /// An identity provider said other groups of a person than before.
        GroupsChanged = "breakglass.directory.groups_changed",
        /// An administrator let grants end that were held.
        HeldEndsConfirmed = "breakglass.directory.held_ends_confirmed",
        /// Many people lost a group at once: the ends of their grants are held until an administrator confirms them.
        MassLoss = "breakglass.directory.mass_loss",
        /// A new evidence database was made, because the earlier one was missing.
        EvidenceMade = "breakglass.service.evidence_made",
        /// The requests and grants of a person who left, or the grants that need a group which a person lost, were ended.
        HolderLeft = "breakglass.service.holder_left",
        /// A challenge for entrances was made.
        Probed = "breakglass.service.probed",
        /// Answers to a challenge were judged.
        ProbeJudged = "breakglass.service.probe_judged",
        /// A silent proxy was said to be gone.
        ProxyForgotten = "breakglass.service.proxy_forgotten",
        /// A backup was put in the place of the database: `data` has the head from which the trail goes on.
        Restored = "breakglass.service.restored",
        /// A session of a person who signed in began.
        SessionBegan = "breakglass.session.began",
        /// A session was ended before its time: by its owner, by an administrator, or because a code or a refresh token was
        /// used a second time.
        SessionEnded = "breakglass.session.ended",
        /// A person signed in at an identity provider.
        SignedIn = "breakglass.session.signed_in",
        /// The first token of a grant was taken.
        Activated = "breakglass.grant.activated",
        /// Five minutes of a grant are left, or less.
        Ending = "breakglass.grant.ending",
        /// The time of a grant was over.
        Expired = "breakglass.grant.expired",
        /// A grant was revoked, or given back by its holder.
        Revoked = "breakglass.grant.revoked",
        /// A further token of a grant was taken.
        TokenIssued = "breakglass.grant.token_issued",
        /// The requester answered.
        Answered = "breakglass.request.answered",
        /// A grant was made of the request.
        Approved = "breakglass.request.approved",
        /// The requester took the grant without an approval, as each rule of the request allows in an emergency.
        EmergencyTaken = "breakglass.request.emergency_taken",
        /// A person approved the request, and others have to as well.
        PartlyApproved = "breakglass.request.partly_approved",
        /// The requester took the request back.
        Cancelled = "breakglass.request.cancelled",
        /// An approver said no.
        Denied = "breakglass.request.denied",
        /// It has waited for long: the groups that an entry of a rule's `escalate` names may approve it too.
        Escalated = "breakglass.request.escalated",
        /// The incident was checked with the system that keeps incidents after the submission: `data` has the answer.
        IncidentChecked = "breakglass.request.incident_checked",
        /// It was not decided in time, or what was approved was not taken in time.
        Lapsed = "breakglass.request.lapsed",
        /// An approver asked the requester something.
        Questioned = "breakglass.request.questioned",
        /// It was submitted.
        Submitted = "breakglass.request.submitted",
        /// No approver was reached within 30 s of its submission, or none could be.
        Unreached = "breakglass.request.unreached",
        /// A reviewer says that something about a used grant is not in order.
        ReviewDisputed = "breakglass.review.disputed",
        /// The deadline of a review has passed, and no person has signed or disputed it.
        ReviewOverdue = "breakglass.review.overdue",
        /// A used grant has ended, and a person who took no part is to look at it.
        ReviewOwed = "breakglass.review.owed",
        /// A reviewer says that a used grant is in order.
        ReviewSigned = "breakglass.review.signed",
        /// What a used grant touched was rotated: its hook took the call, or a person rotated by hand.
        RotationDone = "breakglass.rotation.done",
        /// A hook did not take the call for `retry_for`: what the grant touched is rotated by hand, or the hook is called again.
        RotationFailed = "breakglass.rotation.failed",
        /// A used grant has ended, and what it touched is to be rotated.
        RotationOwed = "breakglass.rotation.owed",
        /// A person let a hook be called again.
        RotationRetried = "breakglass.rotation.retried",
    }
}
