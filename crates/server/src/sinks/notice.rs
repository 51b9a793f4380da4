//! An event as sinks are told of it: a CloudEvent of version 1.0 in the JSON format.

use breakglass_api::deliveries::Severity;
use breakglass_api::events::EventType;
use breakglass_api::severity::severity_of_request;
use breakglass_api::words::Vocabulary as _;
use breakglass_types::instant::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::access::rules::FixedNeeds;
use crate::clock::{Moment, rfc3339};
use crate::config::SinkFilter;
use crate::random::is_request_id;
use crate::store::{ApprovalRow, SERVICE};

/// The media type of a CloudEvent in the JSON format.
pub const CLOUD_EVENT: &str = "application/cloudevents+json; charset=utf-8";

/// An event, with what a person needs to know of its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The event's id, for good.
    pub id: String,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: i64,
    /// Its type.
    pub kind: String,
    /// A person's name, or `service`.
    pub actor: String,
    /// The request.
    pub request: Option<String>,
    /// The request's environment.
    pub audience: Option<String>,
    /// The requester.
    pub subject: Option<String>,
    /// The incident.
    pub incident: Option<String>,
    /// The grant.
    pub grant: Option<String>,
    /// What the event has to say, as on the trail.
    pub data: Value,
    /// What was asked for.
    pub asked: Option<Asked>,
    /// What was to be approved of that.
    #[serde(default)]
    pub to_approve: ToApprove,
}

/// What was asked for: it does not change after the submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who asked.
    pub requester: String,
    /// For which scopes.
    pub scopes: Vec<String>,
    /// What these are for, as the configuration said when the event was read, such as `orders:write: change orders`.
    pub opens: Vec<String>,
    /// Why.
    pub reason: String,
    /// For how long, in seconds.
    pub duration_s: i64,
    /// Whether it was called an emergency.
    pub emergency: bool,
}

/// What was to be approved when the event was read: for whom it is, and no part of what is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToApprove {
    /// When it was asked for, in seconds since 1970.
    pub submitted_at: i64,
    /// What it needs; none for a request of an earlier version.
    pub needs: Option<FixedNeeds>,
    /// The approvals until then.
    pub approvals: Vec<ApprovalRow>,
}

impl Notice {
    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let is_emergency = self.asked.as_ref().is_some_and(|asked| asked.emergency);
        let usual = severity_of_request(&self.kind, is_emergency);
        match EventType::of(&self.kind) {
            Some(EventType::IncidentChecked)
                if self.data.get("verdict") != Some(&json!("open")) =>
            {
                usual.max(Severity::Warning)
            }
            // The event that follows it is what calls people.
            Some(EventType::Submitted) if self.is_taken_alone() => Severity::Notice,
            _ => usual,
        }
    }

    /// Whether its request waits for no person, because its requester took the grant alone in an emergency.
    #[must_use]
    pub fn is_taken_alone(&self) -> bool {
        self.to_approve.needs.as_ref().is_some_and(FixedNeeds::is_alone)
    }

    /// The page of its request, under the service's issuer `source`; none where it has no request, or where the issuer is no
    /// address that every format can carry as it is.
    #[must_use]
    pub fn link(&self, source: &str) -> Option<String> {
        let id = self.request.as_deref().filter(|id| is_request_id(id))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte);
        let base =
            Url::parse(source).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
        let base = base.as_str().trim_end_matches('/');
        base.bytes().all(is_plain).then(|| format!("{base}/requests/{id}"))
    }

    /// What is told in order: the request, or else the event alone.
    #[must_use]
    pub fn line(&self) -> &str {
        self.request.as_deref().unwrap_or(&self.id)
    }

    /// Whether a sink with this filter is told of it.
    #[must_use]
    pub fn passes(&self, filter: &SinkFilter) -> bool {
        let of_audience = |audience: &String| self.audience.as_ref() == Some(audience);
        let of_scope =
            |scope: &String| self.asked.as_ref().is_some_and(|asked| asked.scopes.contains(scope));
        self.severity() >= filter.severity
            && filter.takes_type(&self.kind)
            && (filter.audiences.is_empty() || filter.audiences.iter().any(of_audience))
            && (filter.scopes.is_empty() || filter.scopes.iter().any(of_scope))
    }

    /// When it happened, as RFC 3339 has it, with milliseconds.
    #[must_use]
    pub fn time(&self) -> String {
        Instant::from_millis(u64::try_from(self.time_ms).unwrap_or(0)).rfc3339()
    }

    /// The CloudEvent: what is not known is left out. `source` is the service's issuer.
    #[must_use]
    pub fn cloud_event(&self, source: &str) -> Value {
        let mut event = Map::new();
        let mut data = json!({ "event": self.data, "request": self.asked });
        if let (Some(data), Some(link)) = (data.as_object_mut(), self.link(source)) {
            data.insert("link".to_owned(), json!(link));
        }
        let members = [
            ("specversion", Some(json!("1.0"))),
            ("id", Some(json!(self.id))),
            ("source", Some(json!(source))),
            ("type", Some(json!(self.kind))),
            ("time", Some(json!(self.time()))),
            ("subject", self.subject.as_ref().map(|subject| json!(subject))),
            ("datacontenttype", Some(json!("application/json"))),
            ("actor", Some(json!(self.actor))),
            ("audience", self.audience.as_ref().map(|audience| json!(audience))),
            ("request", self.request.as_ref().map(|request| json!(request))),
            ("grant", self.grant.as_ref().map(|grant| json!(grant))),
            ("incident", self.incident.as_ref().map(|incident| json!(incident))),
            ("severity", Some(json!(self.severity()))),
            ("data", Some(data)),
        ];
        for (name, value) in members {
            event.extend(value.map(|value| (name.to_owned(), value)));
        }
        Value::Object(event)
    }
}

impl Notice {
    /// An example of an event of this type, for a person who wants to see what a sink makes of one.
    #[must_use]
    pub fn example(kind: &str, now: Moment) -> Notice {
        let is_of_request = [
            "breakglass.request.",
            "breakglass.grant.",
            "breakglass.rotation.",
            "breakglass.review.",
        ]
        .iter()
        .any(|one| kind.starts_with(one));
        let of_request = |text: &str| is_of_request.then(|| text.to_owned());
        let asked = is_of_request.then(|| Asked {
            requester: "alice".to_owned(),
            scopes: vec!["orders:write".to_owned()],
            opens: vec!["orders:write: change orders".to_owned()],
            reason: "orders are stuck".to_owned(),
            duration_s: 30 * 60,
            emergency: false,
        });
        Notice {
            id: "evt_00000000000000000000000000000000".to_owned(),
            time_ms: now.millis(),
            kind: kind.to_owned(),
            actor: example_actor(kind).to_owned(),
            request: of_request("req_01KAN5S3M0W8Z4T2C9X7Y6B5D1"),
            audience: of_request("payments-prod"),
            subject: of_request("alice"),
            incident: of_request("INC-4711"),
            grant: [
                "breakglass.grant.",
                "breakglass.rotation.",
                "breakglass.review.",
                EventType::EmergencyTaken.word(),
            ]
            .iter()
            .any(|one| kind.starts_with(one))
            .then(|| "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D2".to_owned()),
            data: example_data(kind, now),
            asked,
            to_approve: ToApprove::default(),
        }
    }
}

/// What an example has to say.
fn example_data(kind: &str, now: Moment) -> Value {
    match EventType::of(kind) {
        Some(EventType::EmergencyTaken) => json!({ "rules": ["orders"], "duration_s": 30 * 60 }),
        Some(EventType::Denied | EventType::Revoked) => json!({ "reason": "the incident is over" }),
        Some(EventType::Questioned) => json!({ "text": "for which orders?" }),
        Some(EventType::IncidentChecked) => json!({
            "verdict": "closed", "at": rfc3339(now.seconds()), "state": "resolved", "owner": ["alice"],
            "opened_by": [], "own_incident": false,
        }),
        Some(EventType::Escalated) => json!({
            "rule": "orders", "entry": 1, "to": ["incident-commanders"], "after": "5m",
        }),
        Some(EventType::Answered) => json!({ "text": "for those of today" }),
        Some(EventType::Ending | EventType::Expired) => {
            let left = if kind == EventType::Ending.word() { 5 * 60 } else { 0 };
            json!({ "expires_at": rfc3339(now.seconds().saturating_add(left)) })
        }
        Some(
            EventType::RotationOwed
            | EventType::RotationFailed
            | EventType::RotationRetried
            | EventType::RotationDone,
        ) => json!({
            "rotation": "rot_01KAN5S3M0W8Z4T2C9X7Y6B5D3", "hook": "orders-credentials", "scopes": ["orders:write"],
        }),
        Some(EventType::ReviewOwed | EventType::ReviewOverdue) => json!({
            "review": "rev_01KAN5S3M0W8Z4T2C9X7Y6B5D4", "rules": ["payments"], "needs_approval": false,
            "due_at": rfc3339(now.seconds()), "signable_by": "people",
        }),
        Some(EventType::ReviewSigned | EventType::ReviewDisputed) => json!({
            "review": "rev_01KAN5S3M0W8Z4T2C9X7Y6B5D4", "rules": ["payments"], "note": "no reason for the last call",
        }),
        _ => json!({}),
    }
}

/// Who did what an example is of.
fn example_actor(kind: &str) -> &'static str {
    match EventType::of(kind) {
        Some(
            EventType::Approved
            | EventType::Denied
            | EventType::PartlyApproved
            | EventType::Questioned
            | EventType::Revoked,
        ) => "carol",
        Some(
            EventType::Ending
            | EventType::Escalated
            | EventType::Expired
            | EventType::IncidentChecked
            | EventType::Lapsed
            | EventType::RotationOwed
            | EventType::RotationFailed
            | EventType::RotationDone
            | EventType::ReviewOwed
            | EventType::ReviewOverdue,
        ) => SERVICE,
        Some(EventType::RotationRetried | EventType::ReviewSigned | EventType::ReviewDisputed) => {
            "carol"
        }
        _ => "alice",
    }
}
