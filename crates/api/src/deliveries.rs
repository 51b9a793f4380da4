//! What the sinks were told of events: `GET /v1/deliveries` and `POST /v1/deliveries/{id}/replay`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;
use crate::{Instant, Word};

/// A page of deliveries, the newest first, and the state of every sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deliveries {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// `after` of the next page.
    #[schema(required = true)]
    pub next: Option<i64>,
    /// The sinks of the configuration, and those that have deliveries and are not in it any more.
    pub sinks: Vec<Sink>,
}

/// An event on its way to a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// The event's id, by which a receiver drops duplicates.
    pub event: String,
    /// The sink, by its name in the configuration.
    pub sink: String,
    /// The person to whom it goes, where the sink writes to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recipient: Option<String>,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How much the event matters.
    #[schema(value_type = Severity)]
    pub severity: Word<Severity>,
    /// When it happened.
    pub time: Instant,
    /// The request that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request: Option<String>,
    /// What has become of it.
    #[schema(value_type = DeliveryState)]
    pub state: Word<DeliveryState>,
    /// How often it was tried, since it was last queued.
    pub attempts: i64,
    /// When it was queued.
    pub queued_at: Instant,
    /// When it is tried next; none where it waits for an earlier event of its request, or is not tried any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_at: Option<Instant>,
    /// When it was delivered, or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_at: Option<Instant>,
    /// What came of the last attempt: the receiver's answer, or why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub outcome: Option<String>,
}

/// A sink, and what waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// `webhook`, `mail`, `slack`, `pagerduty` or `otlp`; none where the configuration does not name it any more.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kind: Option<String>,
    /// Whether attempts are made.
    #[schema(value_type = Circuit)]
    pub circuit: Word<Circuit>,
    /// How many deliveries wait.
    pub waiting: i64,
    /// When the oldest of them was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub oldest_waiting: Option<Instant>,
    /// How many are dead letters.
    pub dead: i64,
    /// Why the last attempt failed, where the last one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

words! {
    /// How much an event matters, in rising order.
    Severity {
        /// For the record.
        Info = "info",
        /// Ordinary, and of interest to those who approve and hold access.
        Notice = "notice",
        /// Worth a look soon.
        Warning = "warning",
        /// Worth waking a person.
        Critical = "critical",
    }
}

words! {
    /// What has become of a delivery.
    DeliveryState {
        /// It was given up: `breakglass events replay` tries it again.
        Dead = "dead",
        /// The receiver took it.
        Delivered = "delivered",
        /// It is tried until the receiver takes it, or its time is over.
        Waiting = "waiting",
    }
}

words! {
    /// Whether attempts are made at a sink.
    Circuit {
        /// They are.
        Closed = "closed",
        /// One is made, which decides.
        HalfOpen = "half_open",
        /// None for now: too many failed in a row.
        Open = "open",
    }
}

/// Which deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesQuery {
    /// Of this sink alone.
    pub sink: Option<String>,
    /// `waiting`, `delivered` or `dead` alone.
    pub state: Option<String>,
    /// `next` of the page before.
    pub after: Option<i64>,
}

/// Deliver an event again: `POST /v1/deliveries/{id}/replay`, with the event's id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// To this sink alone; without it to each that it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sink: Option<String>,
    /// To this person alone, where a sink writes to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recipient: Option<String>,
}

/// What was queued again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// The event.
    pub event: String,
    /// The sinks to which it is sent once more; where it still waits, it is tried at once.
    pub sinks: Vec<String>,
}
