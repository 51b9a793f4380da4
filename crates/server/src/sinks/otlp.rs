//! A collector of OpenTelemetry: each event is one log record, by OTLP over HTTP in JSON (OTLP 1, opentelemetry-proto
//! `ExportLogsServiceRequest`).

use std::path::Path;

use breakglass_api::deliveries::Severity;
use breakglass_identity::secret_text;
use serde_json::{Value, json};
use url::Url;

use super::call::Call;
use super::event::{Event, For};
use super::words::words;

pub(super) fn call(url: &Url, token_file: Option<&Path>, event: Event<'_>) -> Result<Call, String> {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let Some(file) = token_file {
        let token = match event.purpose {
            For::Preview => "<token>".to_owned(),
            For::Sending => secret_text(file).map_err(|error| error.to_string())?,
        };
        headers.push(("authorization", format!("Bearer {token}")));
    }
    let body = request(event).to_string().into_bytes();
    Ok(Call { url: url.clone(), is_secret: false, headers, body })
}

/// Milliseconds as nanoseconds in text, as the JSON form of protobuf has 64 bits.
fn nanos(millis: i64) -> String {
    i128::from(millis.max(0)).saturating_mul(1_000_000).to_string()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn request(event: Event<'_>) -> Value {
    let notice = event.notice;
    // `SeverityNumber` of the data model: INFO, INFO2, WARN, FATAL.
    let number = match notice.severity() {
        Severity::Info => 9,
        Severity::Notice => 10,
        Severity::Warning => 13,
        Severity::Critical => 21,
    };
    let known = [
        ("cloudevents.event_id", Some(&notice.id)),
        ("cloudevents.event_type", Some(&notice.kind)),
        ("cloudevents.event_subject", notice.subject.as_ref()),
        ("breakglass.actor", Some(&notice.actor)),
        ("breakglass.audience", notice.audience.as_ref()),
        ("breakglass.request", notice.request.as_ref()),
        ("breakglass.grant", notice.grant.as_ref()),
        ("breakglass.incident", notice.incident.as_ref()),
    ];
    let known = known.into_iter().filter_map(|(key, value)| Some(attribute(key, value?)));
    let mut attributes: Vec<Value> = known.collect();
    attributes.push(attribute("cloudevents.event_source", event.source));
    attributes.push(attribute("cloudevents.event_spec_version", "1.0"));
    attributes.push(attribute("breakglass.data", &notice.data.to_string()));
    let record = json!({
        "timeUnixNano": nanos(notice.time_ms),
        "observedTimeUnixNano": nanos(event.now.millis()),
        "severityNumber": number,
        "severityText": notice.severity().word(),
        "eventName": notice.kind,
        "body": { "stringValue": words(notice).title },
        "attributes": attributes,
    });
    json!({
        "resourceLogs": [{
            "resource": { "attributes": [
                attribute("service.name", "breakglass"),
                attribute("service.version", env!("CARGO_PKG_VERSION")),
            ] },
            "scopeLogs": [{ "scope": { "name": "breakglass.events" }, "logRecords": [record] }],
        }],
    })
}
