//! What happens, for the people who are involved in it, as it happens: `GET /v1/events`, a stream of server-sent events
//! (WHATWG HTML, section 9.2).
//!
//! The `id` of each is a place: a reader that comes back with it in `Last-Event-ID` misses none. `event` is the event's type,
//! and `data` a [`WatchedEvent`] in JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::alerts::Alert;
use crate::events::EventType;
use crate::{Instant, Word};

/// The media type of the stream.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// The header in which a reader says what it read last.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// One event, as a person sees it who may see its request. An auditor sees every event, those of the service itself too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WatchedEvent {
    /// Its id, for good: by it a reader drops what it has read already.
    pub id: String,
    /// When.
    pub time: Instant,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(value_type = String, pattern = "^breakglass\\.")]
    pub kind: Word<EventType>,
    /// A person's name, or `service` where the service acted by itself; of an alert the proxy whose word it is.
    pub actor: String,
    /// The request that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request: Option<WatchedRequest>,
    /// The request's grant, where there was one then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub grant: Option<String>,
    /// The alert, where it is one (`breakglass.alert.`): what a proxy says, and no more than its word. About a grant it is for
    /// those who may see its request; others are for auditors. Only those that are for a human are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alert: Option<Alert>,
    /// More of it, as on the trail: for auditors alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Object)]
    pub data: Option<Value>,
}

/// The request that an event is about, as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WatchedRequest {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub requester: String,
    /// Its environment.
    pub audience: String,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Why.
    pub reason: String,
    /// The incident, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub incident: Option<String>,
    /// For how long.
    pub duration: String,
    /// Whether it was marked as an emergency.
    pub emergency: bool,
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WatchQuery {
    /// The `id` of the event that was read last, where no `Last-Event-ID` is sent; without both, from now on.
    pub after: Option<String>,
    /// Only events of these types, with commas between them; `*` at the end of one stands for any rest.
    #[serde(rename = "type")]
    #[param(example = "breakglass.request.*,breakglass.grant.revoked")]
    pub kind: Option<String>,
    /// Only events of requests for this scope.
    pub scope: Option<String>,
    /// Only events of this request.
    pub request: Option<String>,
}
