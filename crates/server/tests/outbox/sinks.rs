//! What each vendor is sent, held against what it documents.

use std::fs;

use breakglass_audit::text::misleads;
use breakglass_server::clock::Moment;
use breakglass_server::config::{Config, Sink};
use breakglass_server::sinks::words::words;
use breakglass_server::sinks::{Event, For, Message, Notice, prepare, takes};
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::START;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::deliveries::{list, service, until, until_taken, with_sinks};
use super::hostile::all_hostile;

/// The sinks of this configuration.
pub(crate) fn sinks(directory: &TempDir, sinks: &str) -> Vec<Sink> {
    Config::parse(&with_sinks(directory, sinks)).unwrap().sinks
}

/// What a sink is sent by HTTP.
pub(crate) fn sent(sink: &Sink, notice: &Notice) -> Value {
    let event = Event {
        notice,
        source: "https://approvals.test",
        now: Moment::from_seconds(START),
        purpose: For::Sending,
        to: None,
    };
    match prepare(sink, event).unwrap() {
        Message::Call(call) => serde_json::from_slice(&call.body).unwrap(),
        Message::Letter(_) => panic!("a letter"),
    }
}

/// Every text in it.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_a_human_reads_is_on_lines_of_its_own_bounded_and_harmless() {
    for notice in all_hostile() {
        let words = words(&notice);
        assert!(words.title.chars().count() <= 141, "{words:?}");
        let command = words.command.as_ref().map_or("", |command| command.text.as_str());
        assert!(command.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{command}");
        let texts = words.lines.iter().map(|(_, text)| text.as_str());
        for text in texts.chain([words.title.as_str()]) {
            assert!(!text.chars().any(misleads), "{text:?}");
            assert!(text.chars().count() <= 601, "{text:?}");
        }
    }
    let said = words(&Notice::example("breakglass.request.submitted", Moment::from_seconds(START)));
    assert_eq!(said.title, "alice asks for orders:write");
    let command = said.command.unwrap().text;
    assert_eq!(command, "breakglass approve req_01KAN5S3M0W8Z4T2C9X7Y6B5D1");
    for expected in [
        ("Who", "alice"),
        ("Opens", "orders:write: change orders"),
        ("Why", "orders are stuck"),
        ("How long", "30m from approval"),
        ("Incident", "INC-4711"),
    ] {
        let expected = (expected.0, expected.1.to_owned());
        assert!(said.lines.contains(&expected), "{expected:?} {:?}", said.lines);
    }
}

/// Block Kit: <https://docs.slack.dev/reference/block-kit/blocks>, as far as it is used.
#[test]
fn slack_is_sent_what_it_documents_and_no_text_of_a_client_is_a_mention() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("url"), "https://hooks.slack.test/services/T/B/secret\n")
        .unwrap();
    let sink =
        &sinks(&directory, "[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"AT/url\"")[0];
    for notice in all_hostile() {
        let message = sent(sink, &notice);
        let blocks = message["blocks"].as_array().unwrap();
        assert!((1..=50).contains(&blocks.len()));
        assert!(!message["text"].as_str().unwrap().is_empty());
        for block in blocks {
            let texts = match block["type"].as_str().unwrap() {
                "header" => {
                    assert_eq!(block["text"]["type"], "plain_text");
                    assert!(block["text"]["text"].as_str().unwrap().chars().count() <= 150);
                    vec![&block["text"]]
                }
                "section" => vec![&block["text"]],
                "context" => {
                    let elements = block["elements"].as_array().unwrap();
                    assert!(elements.len() <= 10);
                    elements.iter().collect()
                }
                other => panic!("{other}"),
            };
            for text in texts {
                let length = text["text"].as_str().unwrap().chars().count();
                assert!((1..=3000).contains(&length), "{length}");
                if text["type"] == "mrkdwn" {
                    let text = text["text"].as_str().unwrap();
                    // The one link is to the service itself.
                    let link =
                        notice.link("https://approvals.test").map(|link| format!("<{link}>"));
                    if link.as_deref() == Some(text) {
                        continue;
                    }
                    assert!(!text.contains(['<', '>']), "{text}");
                    // What stands between marks of style is ours.
                    let without = text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "");
                    assert!(!without.contains('&'), "{text}");
                    assert!(!text.contains("```") && !text.contains('~'), "{text}");
                }
            }
        }
        assert!(!message["text"].as_str().unwrap().contains(['<', '>']));
        for text in texts(&message) {
            assert!(!text.chars().any(|one| one != '\n' && misleads(one)), "{text:?}");
        }
    }
    // The URL is a secret, and no error and no preview has it.
    let event = Event {
        notice: &Notice::example("breakglass.request.submitted", Moment::from_seconds(START)),
        source: "https://approvals.test",
        now: Moment::from_seconds(START),
        purpose: For::Sending,
        to: None,
    };
    let Message::Call(call) = prepare(sink, event).unwrap() else { panic!() };
    assert_eq!(call.shown_url(), "https://hooks.slack.test/..");
    fs::write(directory.path().join("url"), "ftp://hooks.slack.test/secret").unwrap();
    let refused = prepare(sink, event).unwrap_err();
    assert!(!refused.contains("secret"), "{refused}");
}

/// Events API v2: <https://developer.pagerduty.com/docs/send-alert-event>.
#[test]
fn pagerduty_is_sent_what_it_documents() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key"), "R0UT1NGK3Y\n").unwrap();
    let entry = "[[sinks]]\nname = \"p\"\ntype = \"pagerduty\"\nrouting_key_file = \"AT/key\"";
    let sink = &sinks(&directory, entry)[0];
    for notice in all_hostile().filter(|notice| takes(sink, notice)) {
        let event = sent(sink, &notice);
        assert!(event.to_string().len() < 512 * 1024);
        assert_eq!(event["routing_key"], "R0UT1NGK3Y");
        let key = event["dedup_key"].as_str().unwrap();
        assert!((1..=255).contains(&key.chars().count()), "{key}");
        match event["event_action"].as_str().unwrap() {
            "trigger" => {
                let payload = &event["payload"];
                let summary = payload["summary"].as_str().unwrap();
                assert!((1..=1024).contains(&summary.chars().count()));
                assert!(!payload["source"].as_str().unwrap().is_empty());
                let severity = payload["severity"].as_str().unwrap();
                assert!(["critical", "error", "warning", "info"].contains(&severity));
                let link = notice.link("https://approvals.test");
                assert_eq!(event["client_url"].as_str(), link.as_deref());
                assert_eq!(event["links"][0]["href"].as_str(), link.as_deref());
            }
            "acknowledge" | "resolve" => assert_eq!(event.get("payload"), None),
            other => panic!("{other}"),
        }
        for text in texts(&event) {
            assert!(!text.chars().any(misleads), "{text:?}");
        }
    }
    // One incident for a request, from its submission to its decision.
    let action = |kind: &str| {
        let event = sent(sink, &Notice::example(kind, Moment::from_seconds(START)));
        (event["event_action"].clone(), event["dedup_key"].clone())
    };
    let request = "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1";
    for (kind, expected, key) in [
        ("breakglass.request.submitted", "trigger", request),
        ("breakglass.request.questioned", "acknowledge", request),
        ("breakglass.request.unreached", "trigger", request),
        ("breakglass.request.escalated", "trigger", request),
        ("breakglass.request.approved", "resolve", request),
        ("breakglass.request.lapsed", "resolve", request),
        ("breakglass.grant.expired", "resolve", "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D2"),
        ("breakglass.grant.revoked", "resolve", "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D2"),
        ("breakglass.rotation.failed", "trigger", "rot_01KAN5S3M0W8Z4T2C9X7Y6B5D3"),
        ("breakglass.rotation.done", "resolve", "rot_01KAN5S3M0W8Z4T2C9X7Y6B5D3"),
        ("breakglass.review.overdue", "trigger", "rev_01KAN5S3M0W8Z4T2C9X7Y6B5D4"),
        ("breakglass.review.disputed", "trigger", "rev_01KAN5S3M0W8Z4T2C9X7Y6B5D4"),
        ("breakglass.review.signed", "resolve", "rev_01KAN5S3M0W8Z4T2C9X7Y6B5D4"),
        ("breakglass.directory.mass_loss", "trigger", "evt_00000000000000000000000000000000"),
    ] {
        assert_eq!(action(kind), (json!(expected), json!(key)), "{kind}");
    }
    // An emergency rings at its submission, and again while it is used.
    let mut emergency = Notice::example("breakglass.grant.activated", Moment::from_seconds(START));
    emergency.asked.as_mut().unwrap().emergency = true;
    assert!(takes(sink, &emergency));
    assert_eq!(sent(sink, &emergency)["payload"]["severity"], "warning");
    emergency.kind = "breakglass.request.submitted".to_owned();
    assert_eq!(sent(sink, &emergency)["payload"]["severity"], "critical");
    for kind in ["breakglass.grant.activated", "breakglass.session.began"] {
        let notice = Notice::example(kind, Moment::from_seconds(START));
        assert!(!takes(sink, &notice), "{kind}: nothing would ever resolve it");
    }
}

/// OTLP 1.x over HTTP in JSON: integers of 64 bits are texts, names are in lowerCamelCase.
#[test]
fn a_collector_is_sent_log_records() {
    let directory = tempfile::tempdir().unwrap();
    let entry = "[[sinks]]\nname = \"o\"\ntype = \"otlp\"\nurl = \"https://otel.test/v1/logs\"";
    let sink = &sinks(&directory, entry)[0];
    for notice in all_hostile() {
        let request = sent(sink, &notice);
        let record = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        assert_eq!(record["timeUnixNano"], format!("{START}000000000"));
        let number = record["severityNumber"].as_i64().unwrap();
        assert!((1..=24).contains(&number));
        assert!(!record["body"]["stringValue"].as_str().unwrap().chars().any(misleads));
        for attribute in record["attributes"].as_array().unwrap() {
            assert!(attribute["key"].is_string() && attribute["value"]["stringValue"].is_string());
        }
        let attribute = |name: &str| {
            let attributes = record["attributes"].as_array().unwrap();
            attributes.iter().find(|one| one["key"] == name).unwrap()["value"]["stringValue"]
                .clone()
        };
        assert_eq!(attribute("cloudevents.event_id"), json!(notice.id));
        assert_eq!(record["eventName"], json!(notice.kind));
    }
}

/// By the status that each vendor documents.
#[tokio::test(flavor = "multi_thread")]
async fn each_vendor_is_asked_again_where_it_says_so_and_only_there() {
    let receivers: Vec<Receiver> = (0..3)
        .map(|_| {
            Receiver::answering(|number, _| match number {
                0 => Reply::Status(503, "", ""),
                1 => Reply::Status(202, "", "{}"),
                _ => Reply::Status(400, "", "invalid_payload"),
            })
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().display();
    fs::write(directory.path().join("url"), &receivers[0].url).unwrap();
    fs::write(directory.path().join("key"), "R0UT1NGK3Y").unwrap();
    let entries = format!(
        "[[sinks]]\nname = \"a\"\ntype = \"slack\"\nurl_file = \"{files}/url\"\n\
         [[sinks]]\nname = \"b\"\ntype = \"pagerduty\"\nurl = \"{}\"\nrouting_key_file = \"{files}/key\"\n\
         [[sinks]]\nname = \"c\"\ntype = \"otlp\"\nurl = \"{}\"\ntoken_file = \"{files}/key\"\n",
        receivers[1].url, receivers[2].url
    );
    let service = service(&entries).await;
    service.pending().await;
    for receiver in &receivers {
        until_taken(&service, receiver, 1).await;
        assert_eq!(receiver.calls().len(), 2);
        assert_eq!(receiver.calls()[0].body.len(), receiver.calls()[1].body.len());
    }
    assert_eq!(receivers[2].calls()[0].header("authorization"), "Bearer R0UT1NGK3Y");
    service.pending().await;
    until(async || {
        list(&service, "?state=dead").await["deliveries"].as_array().unwrap().len() == 3
    })
    .await;
    let dead = list(&service, "?state=dead").await;
    for one in dead["deliveries"].as_array().unwrap() {
        assert_eq!(one["attempts"], 1, "{one}");
        assert_eq!(one["outcome"], "expected a status 2xx, got 400: invalid_payload");
    }
}
