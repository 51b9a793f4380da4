//! What was done to the service itself, for auditors: `GET /v1/audit/service`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::words::words;
use crate::{Instant, Word};

/// A page of acts, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceTrail {
    /// The acts.
    pub acts: Vec<Act>,
    /// `after` of the next page.
    #[schema(required = true)]
    pub next: Option<i64>,
}

words! {
    /// What was done to the service.
    ServiceAction {
        /// A new time of the wall clock was confirmed, or the service believed it by itself.
        AcceptClock = "accept_clock",
        /// A configuration that was read again grants what the one before did not.
        ConfigurationWidened = "configuration_widened",
        /// An administrator let an event be delivered again.
        DeliveryReplayed = "delivery_replayed",
        /// A new evidence database was made, because the earlier one was missing.
        EvidenceMade = "evidence_made",
        /// A silent proxy was said to be gone.
        ForgetProxy = "forget_proxy",
        /// An identity provider said other groups of a person than before.
        GroupsChanged = "groups_changed",
        /// An administrator let grants end that were held.
        HeldEndsConfirmed = "held_ends_confirmed",
        /// The requests and grants of a person who left, or the grants that need a group which a person lost, were ended.
        HolderLeft = "holder_left",
        /// Many people lost a group at once: the ends of their grants are held.
        MassLoss = "mass_loss",
        /// A challenge for entrances was made.
        Probe = "probe",
        /// Answers to a challenge were judged.
        ProbeVerdict = "probe_verdict",
        /// The configuration was read again.
        Reload = "reload",
        /// A backup was put in the place of the database.
        Restored = "restored",
        /// A session of a person who signed in began.
        SessionBegan = "session_began",
        /// A session was ended before its time.
        SessionEnded = "session_ended",
        /// A person signed in at an identity provider.
        SignedIn = "signed_in",
    }
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Act {
    /// Its place: it only grows.
    pub seq: i64,
    /// When.
    pub at: Instant,
    /// A person's name, or `service` where the service acted by itself.
    pub actor: String,
    /// What was done.
    #[schema(value_type = ServiceAction)]
    pub action: Word<ServiceAction>,
    /// With what.
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AfterQuery {
    /// `next` of the page before.
    #[serde(default)]
    #[param(required = false)]
    pub after: i64,
}
