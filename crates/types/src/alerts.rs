//! The report of alerts: the body of `POST /v1/alerts`. The filter writes it, the approval service reads it. All of it is
//! the word of one proxy, and marked so wherever it is shown.
//!
//! Members that are not known are no error: the filter may be newer. Texts are cut by the filter to the bounds in
//! [`limits`](crate::limits).

mod kind;

use serde::{Deserialize, Serialize};

use crate::limits::{
    MAX_ALERT_BYTES, MAX_ALERT_PATH_BYTES, MAX_ALERT_TEXT_BYTES, MAX_ALERTS_BODY_BYTES,
};

pub use kind::{AlertKind, Class};

/// Where the approval service takes it.
pub const PATH: &str = "/v1/alerts";

/// How many digits the name of a sender has.
pub const SENDER_DIGITS: usize = 32;

/// What the members around the alerts of a report take at most, in bytes: each byte of the node's name can be escaped.
pub const FRAME_BYTES: usize = 6 * MAX_ALERT_TEXT_BYTES + 256;

/// The members of an alert that are texts of up to [`MAX_ALERT_TEXT_BYTES`]: all but its kind, its instants, its path.
const TEXTS: usize = 15;

// INVARIANT (alert-fits): a report with one alert fits into a body, whatever is in the alert. Were it not, that alert
// would stay at the head of the filter's queue for ever.
const _: () =
    assert!(6 * (TEXTS * MAX_ALERT_TEXT_BYTES + MAX_ALERT_PATH_BYTES) + 1024 <= MAX_ALERT_BYTES);
const _: () = assert!(MAX_ALERT_BYTES + FRAME_BYTES <= MAX_ALERTS_BODY_BYTES);

/// What a proxy reports. `T` is how texts are held, `A` how the alerts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AlertReport))]
pub struct AlertsReport<T, A> {
    /// What the proxy calls itself; without it, the name of its credential.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub node: T,
    /// The id of the Envoy process, where the filter knows it.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$"))]
    pub process: Option<T>,
    /// By which the report is known where it is made again.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<ReportId<String>>, inline, nullable = false)
    )]
    pub report: Option<ReportId<T>>,
    /// How many times something happened of which no alert tells, not even by its count, since the last report of this
    /// VM that arrived: its queue was full, or reports failed for too long.
    #[serde(default)]
    pub dropped: u64,
    /// The alerts.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Vec<Alert<String, String>>, inline, min_items = 1, max_items = 64)
    )]
    pub alerts: A,
}

/// By which a report is known. A proxy that does not know whether a report arrived makes the same report again, with the
/// same id and the same alerts, and none in between: then the service counts it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AlertReportId))]
pub struct ReportId<T> {
    /// The VM of the filter that makes it: 32 lower-case hexadecimal digits, made at random.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{32}$"))]
    pub sender: T,
    /// Another number for each report of this sender.
    pub number: u64,
}

/// One alert. `T` is how texts are held, `K` how the kind is: an [`AlertKind`] for the filter that writes it, any word for
/// the service, since a newer filter has more kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NewAlert))]
pub struct Alert<T, K> {
    /// What it is about.
    #[cfg_attr(feature = "openapi", schema(value_type = AlertKind))]
    pub kind: K,
    /// When the first of what it stands for happened, by the proxy's clock (RFC 3339). The members below are of this one;
    /// with a kind that lasts they are of the last one.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first: T,
    /// When the last of it happened.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last: T,
    /// How many times this kind has happened, of this grant where the alert names one, that no earlier alert stands for.
    #[cfg_attr(feature = "openapi", schema(value_type = i64, minimum = 1))]
    pub count: u64,
    /// For a kind that lasts (`feed_trouble`, `key_trouble`): `false` where it begins, `true` where it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub over: Option<bool>,
    /// The grant: the `jti` of a token whose signature is valid.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub grant: Option<T>,
    /// The issuer of that token; with a kind that lasts, the issuer that it is about.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub issuer: Option<T>,
    /// Who holds the grant.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub subject: Option<T>,
    /// The environment of the token that the proxy is in.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub audience: Option<T>,
    /// The incident that the grant is for.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub incident: Option<T>,
    /// Whether the grant is an emergency's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub emergency: Option<bool>,
    /// The scope that decided.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub scope: Option<T>,
    /// The path template or the rule that decided.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub rule: Option<T>,
    /// The reason code of the decision.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub reason: Option<T>,
    /// The request's method.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub method: Option<T>,
    /// The request's host, without port.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub host: Option<T>,
    /// The request's path, without query.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub path: Option<T>,
    /// Envoy's route name.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub route: Option<T>,
    /// The client's address.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub source_ip: Option<T>,
    /// The request's `x-request-id`.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub request_id: Option<T>,
    /// What a token said that is not proved: all that is told of such a token besides the client's address.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<Unverified<String>>, nullable = false)
    )]
    pub unverified: Option<Unverified<T>>,
    /// The rest, for people: never of a token that is not verified.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub detail: Option<T>,
}

/// What a token said whose signature is not proved: an attacker may have written it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = UnverifiedToken))]
pub struct Unverified<T> {
    /// The key that it names.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub kid: Option<T>,
    /// The issuer that it names.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, nullable = false))]
    pub issuer: Option<T>,
}

impl<T, K> Alert<T, K> {
    /// An alert of this kind about one thing that happened then, of which nothing else is known.
    pub fn new(kind: K, at: T) -> Alert<T, K>
    where
        T: Clone,
    {
        Alert {
            kind,
            first: at.clone(),
            last: at,
            count: 1,
            over: None,
            grant: None,
            issuer: None,
            subject: None,
            audience: None,
            incident: None,
            emergency: None,
            scope: None,
            rule: None,
            reason: None,
            method: None,
            host: None,
            path: None,
            route: None,
            source_ip: None,
            request_id: None,
            unverified: None,
            detail: None,
        }
    }
}

fn nothing<T>() -> Option<T> {
    None
}

/// The longest beginning of a text that has at most so many bytes and ends between two characters.
#[must_use]
pub fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn reads_what_it_writes_and_what_a_newer_filter_wrote() {
        let mut alert = Alert::new(AlertKind::OutOfScope, "2026-11-28T02:13:00.123Z");
        alert.count = 3;
        alert.grant = Some("grant_1");
        alert.emergency = Some(false);
        alert.unverified = Some(Unverified { kid: Some("k"), issuer: None });
        let id = Some(ReportId { sender: "5f", number: 7 });
        let report =
            AlertsReport { node: "n", process: None, report: id, dropped: 2, alerts: vec![alert] };
        let text = r#"{"node":"n","report":{"sender":"5f","number":7},"dropped":2,"alerts":[{"kind":"out_of_scope","first":"2026-11-28T02:13:00.123Z","last":"2026-11-28T02:13:00.123Z","count":3,"grant":"grant_1","emergency":false,"unverified":{"kid":"k"}}]}"#;
        assert_eq!(serde_json::to_string(&report).unwrap(), text);
        let newer = text
            .replace("\"out_of_scope\"", "\"solar_flare\"")
            .replace("\"count\"", "\"colour\":1,\"count\"");
        let newer: AlertsReport<String, Vec<Alert<String, String>>> =
            serde_json::from_str(&newer).unwrap();
        assert_eq!((newer.alerts[0].kind.as_str(), newer.alerts[0].count), ("solar_flare", 3));
        let least = r#"{"alerts":[]}"#;
        let least: AlertsReport<String, Vec<Alert<String, String>>> =
            serde_json::from_str(least).unwrap();
        assert_eq!((least.node.as_str(), least.process, least.dropped), ("", None, 0));
        assert_eq!(least.report, None);
    }

    #[test]
    fn the_largest_alert_and_what_is_around_it_take_as_much_as_is_reckoned_with() {
        // Each of its bytes is escaped to six.
        let text = "\u{1}".repeat(MAX_ALERT_TEXT_BYTES);
        let text = text.as_str();
        let path = "\u{1}".repeat(MAX_ALERT_PATH_BYTES);
        let instant = "2026-11-28T02:13:00.123Z";
        let largest = Alert {
            count: u64::MAX,
            over: Some(false),
            grant: Some(text),
            issuer: Some(text),
            subject: Some(text),
            audience: Some(text),
            incident: Some(text),
            emergency: Some(false),
            scope: Some(text),
            rule: Some(text),
            reason: Some(text),
            method: Some(text),
            host: Some(text),
            path: Some(path.as_str()),
            route: Some(text),
            source_ip: Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            request_id: Some(text),
            unverified: Some(Unverified { kid: Some(text), issuer: Some(text) }),
            detail: Some(text),
            ..Alert::new(AlertKind::SignatureFailures, instant)
        };
        let size = serde_json::to_string(&largest).unwrap().len();
        assert!(size <= MAX_ALERT_BYTES, "{size}");
        let process = "0".repeat(crate::names::PROCESS_DIGITS);
        let none: [(); 0] = [];
        let sender = "0".repeat(SENDER_DIGITS);
        let frame = AlertsReport {
            node: text,
            process: Some(&process),
            report: Some(ReportId { sender: &sender, number: u64::MAX }),
            dropped: u64::MAX,
            alerts: none,
        };
        let size = serde_json::to_string(&frame).unwrap().len();
        assert!(size <= FRAME_BYTES, "{size}");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, bytes, expected) in
            [("abc", 3, "abc"), ("abcd", 3, "abc"), ("aé", 2, "a"), ("aé", 3, "aé"), ("", 0, "")]
        {
            assert_eq!(cut(text, bytes), expected);
        }
    }
}
