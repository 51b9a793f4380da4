//! Alerts of proxies: `POST /v1/alerts`, by proxies, and `GET /v1/audit/alerts`, for auditors.

use std::collections::BTreeMap;

use breakglass_types::alerts::Class;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::Vocabulary;
use crate::{Instant, Word, nullable};

/// What a proxy reports. Members that are not known are no error: the filter may be newer.
pub type AlertReport = breakglass_types::alerts::AlertsReport<String, Vec<NewAlert>>;

/// One alert as the proxy wrote it.
pub type NewAlert = breakglass_types::alerts::Alert<String, String>;

/// What the type of the event begins with that an alert is; its kind follows.
pub const TYPE_PREFIX: &str = "breakglass.alert.";

/// The kind of an alert of the service itself: how many of a class came without a page.
pub const SUPPRESSED: &str = "alerts_suppressed";

/// The kind of an alert that says how many others a proxy has dropped.
pub const DROPPED: &str = "alerts_dropped";

impl Vocabulary for Class {
    const ALL: &'static [Class] = &Class::ALL;

    fn word(self) -> &'static str {
        Class::word(self)
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertsReported {
    /// Alerts that are kept, or counted with others.
    pub accepted: u64,
    /// Alerts of a grant or an audience that this credential does not have: nothing of them is kept.
    pub dropped: u64,
}

/// A page of alerts, in the order of their arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alerts {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// `after` of the next page; null where this is the last one.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub next: Option<i64>,
    /// What is from before this is not kept.
    #[schema(required = true)]
    pub removed_before: Option<Instant>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Its place: it only grows.
    pub place: i64,
    /// Its id, for good.
    pub id: String,
    /// When it came.
    pub at: Instant,
    /// When the last one came that is counted with it.
    pub seen_at: Instant,
    /// `breakglass.alert.` and its kind; a filter that is newer than the service has kinds that are not in this document.
    #[serde(rename = "type")]
    #[schema(pattern = "^breakglass\\.alert\\.[a-z0-9_]+$")]
    pub kind: String,
    /// Whether it is for a human: one credential has a bounded number an hour and class.
    pub page: bool,
    /// How many things it stands for, those that came again within a minute included.
    #[schema(minimum = 1)]
    pub count: i64,
    /// What is said of it.
    pub data: AlertData,
}

/// What is said of an alert, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertData {
    /// Whose word it is: the name of a proxy's credential, or `service`.
    pub reported_by: String,
    /// The name of the credential that it is about.
    pub proxy: String,
    /// What the proxy calls itself; absent where the service speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub node: Option<String>,
    /// The id of the Envoy process, where the filter says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{32}$")]
    pub process: Option<String>,
    /// Who causes alerts of this kind.
    #[schema(value_type = Class)]
    pub class: Word<Class>,
    /// Whether this service knows the grant: then `audience`, `subject` and `incident` are those that it knows. Absent where
    /// no grant of this service is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub grant_known: Option<bool>,
    /// What the proxy said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alert: Option<NewAlert>,
    /// With `breakglass.alert.alerts_dropped`: how many alerts the proxy has dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub dropped: Option<i64>,
    /// With `breakglass.alert.alerts_suppressed`: what came without a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub suppressed: Option<SuppressedAlerts>,
}

/// What came of a credential and class after it had had its pages of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SuppressedAlerts {
    /// When the hour began.
    pub since: Instant,
    /// How many alerts came without a page.
    #[schema(minimum = 1)]
    pub alerts: i64,
    /// How many of them are not in the list, because one kind has a bounded number of rows an hour.
    pub not_kept: i64,
    /// How many there were of each kind; kinds that the service does not know are `other`.
    pub kinds: BTreeMap<String, i64>,
}

/// Which alerts: `GET /v1/audit/alerts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AlertsQuery {
    /// `next` of the page before.
    #[serde(default)]
    #[param(required = false)]
    pub after: i64,
    /// Only those of this kind, such as `out_of_scope`.
    pub kind: Option<String>,
    /// Only those about this credential.
    pub proxy: Option<String>,
    /// Only those about this grant.
    pub grant: Option<String>,
}
