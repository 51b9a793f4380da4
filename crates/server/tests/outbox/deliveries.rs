//! Events are delivered to the sinks: what arrives, in which order, and what is said of it.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use breakglass_server::config::Config;
use breakglass_server::outbox;
use breakglass_testing::receiver::{Receiver, Reply, Taken};
use breakglass_testing::service::{START, Service, config};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A secret of a webhook, as its file has it.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// How often a condition is looked at, 20 ms apart.
const TRIES: u32 = 1000;

/// A webhook with this name at this place.
pub(crate) fn webhook(name: &str, receiver: &Receiver, more: &str) -> String {
    format!(
        "[[sinks]]\nname = \"{name}\"\ntype = \"webhook\"\nurl = \"{}\"\nsecret_files = [\"AT/secret\"]\n{more}\n",
        receiver.url
    )
}

/// The configuration with these sinks, and grace as an auditor, heidi as an administrator.
pub(crate) fn with_sinks(directory: &TempDir, sinks: &str) -> String {
    let at = directory.path().display().to_string();
    fs::write(directory.path().join("secret"), format!("{SECRET}\n")).unwrap();
    fs::write(directory.path().join("other"), OTHER_SECRET).unwrap();
    format!("administrators = [\"dbas\"]\n{}\n{}", config(directory), sinks.replace("AT", &at))
}

/// The service with these sinks, which are told of what happens.
pub(crate) async fn service(sinks: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = with_sinks(&directory, sinks);
    let service = Service::start_with(directory, &text, START).await;
    tokio::spawn(outbox::keep(service.app.clone()));
    // Sinks are told of what happens from now on.
    until(async || !service.app.outbox().states().is_empty()).await;
    service
}

/// Waits until it is so.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..TRIES {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never was so");
}

/// Waits until so many events were taken, while time passes fast.
pub(crate) async fn until_taken(service: &Service, receiver: &Receiver, count: usize) {
    until(async || {
        service.advance(1);
        receiver.taken().len() >= count
    })
    .await;
}

/// `GET /v1/deliveries` as an auditor.
pub(crate) async fn list(service: &Service, query: &str) -> Value {
    service.get("grace", &format!("/v1/deliveries{query}")).await.ok()
}

/// Checks a call as Standard Webhooks says, and as CloudEvents does: the event.
pub(crate) fn checked(call: &Taken, secret: &str) -> Value {
    let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signed = [
        call.header("webhook-id").as_bytes(),
        b".",
        call.header("webhook-timestamp").as_bytes(),
        b".",
        &call.body,
    ]
    .concat();
    let is_signed = call.header("webhook-signature").split(' ').any(|one| {
        let signature = one.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        signature.is_some_and(|signature| hmac::verify(&key, &signed, &signature).is_ok())
    });
    assert!(is_signed, "{call:?}");
    let event = call.json();
    assert_eq!(call.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["id"], call.header("webhook-id"));
    assert_eq!(event["datacontenttype"], "application/json");
    // Names of attributes are lower-case letters and digits, and none is null (CloudEvents 1.0, 2 and 3.1).
    for (name, value) in event.as_object().unwrap() {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert!(!value.is_null(), "{name}");
    }
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_signed_with_every_secret_and_is_listed() {
    let receiver = Receiver::start();
    let both = "secret_files = [\"AT/secret\", \"AT/other\"]";
    let sinks = webhook("siem", &receiver, "").replace("secret_files = [\"AT/secret\"]", both);
    let service = service(&sinks).await;
    let body = json!({ "scopes": ["orders:read"], "reason": "orders are stuck", "duration": "30m", "incident": "INC-1" });
    let id = service.post("alice", "/v1/requests", body).await.ok()["id"].clone();
    until(async || receiver.taken().len() == 1).await;
    let call = receiver.calls().remove(0);
    for secret in [SECRET, OTHER_SECRET] {
        checked(&call, secret);
    }
    let event = call.json();
    let stored = service.get("grace", "/v1/audit/events").await.ok()["events"][0].clone();
    assert_eq!(event["id"], stored["id"]);
    for (member, expected) in [
        ("source", json!("https://approvals.test")),
        ("type", json!("breakglass.request.submitted")),
        ("time", json!("2026-11-22T02:13:00.000Z")),
        ("subject", json!("alice")),
        ("actor", json!("alice")),
        ("audience", json!("prod")),
        ("incident", json!("INC-1")),
        ("severity", json!("notice")),
        ("request", id.clone()),
    ] {
        assert_eq!(event[member], expected, "{member}");
    }
    assert_eq!(event["data"]["event"], stored["data"]);
    assert_eq!(event["data"]["request"]["reason"], "orders are stuck");
    until(async || list(&service, "").await["deliveries"][0]["state"] == "delivered").await;
    let listed = list(&service, "?sink=siem&state=delivered").await;
    let delivery = &listed["deliveries"][0];
    assert_eq!(
        (&delivery["event"], &delivery["request"], &delivery["attempts"], &delivery["outcome"]),
        (&event["id"], &id, &json!(1), &json!("status 200: ok"))
    );
    assert_eq!(
        listed["sinks"],
        json!([{ "name": "siem", "type": "webhook", "circuit": "closed", "waiting": 0, "dead": 0 }])
    );
    let count = "breakglass_delivery_attempts_total{outcome=\"delivered\",sink=\"siem\"}";
    assert_eq!(service.counter(count).await, 1);
    let lag = "breakglass_delivery_lag_seconds_count{sink=\"siem\"}";
    assert_eq!(service.counter(lag).await, 1);
    for query in ["?state=dead", "?sink=other", "?state=waiting"] {
        assert_eq!(list(&service, query).await["deliveries"], json!([]), "{query}");
    }
    let wrong = service.get("grace", "/v1/deliveries?state=due").await;
    assert_eq!(wrong.refusal(), (400, "invalid_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_request_arrive_in_order_and_others_do_not_wait_for_them() {
    // The first event of each request fails three times.
    let receiver = Receiver::answering(|_, call| match call.json() {
        event if event["type"] == "breakglass.request.submitted" && event["incident"] == "SLOW" => {
            Reply::Status(503, "", "")
        }
        _ => Reply::Status(204, "", ""),
    });
    let service = service(&webhook("siem", &receiver, "")).await;
    let ask =
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "SLOW" });
    let slow =
        service.post("alice", "/v1/requests", ask).await.ok()["id"].as_str().unwrap().to_owned();
    service.act("carol", &slow, "approve").await.ok();
    let (quick, _) = service.approved().await;
    until(async || receiver.taken().len() == 2).await;
    let of = |id: &str| -> Vec<Value> {
        let taken = receiver.taken().into_iter().map(|call| call.json());
        taken.filter(|event| event["request"] == id).map(|event| event["type"].clone()).collect()
    };
    let both = ["breakglass.request.submitted", "breakglass.request.approved"].map(Value::from);
    assert_eq!((of(&slow), of(&quick)), (vec![], both.to_vec()));
    // What was taken is written down a little later.
    let mut waiting = Value::Null;
    until(async || {
        waiting = list(&service, "?state=waiting").await;
        waiting["deliveries"].as_array().unwrap().len() == 2
    })
    .await;
    let next: Vec<bool> = waiting["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.get("next_at").is_some())
        .collect();
    assert_eq!(next, [false, true], "the approval waits for the submission: {waiting}");
    receiver.answers(|_, _| Reply::Status(204, "", ""));
    until_taken(&service, &receiver, 4).await;
    assert_eq!(of(&slow), both);
    assert_eq!(receiver.ids().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_is_told_of_what_passes_its_filter_and_of_what_happens_after_it_was_added() {
    let (all, few) = (Receiver::start(), Receiver::start());
    let service = service(&webhook("all", &all, "")).await;
    service.pending().await;
    until(async || all.taken().len() == 1).await;
    let filter = "types = [\"breakglass.request.sub*\"]\naudiences = [\"staging\"]";
    let sinks = format!("{}{}", webhook("all", &all, ""), webhook("few", &few, filter));
    let text = with_sinks(&service.directory, &sinks);
    service.app.reconfigure(Config::parse(&text).unwrap());
    until(async || service.app.outbox().states().contains_key("few")).await;
    service.approved().await;
    service.pending_for(&["staging:read"]).await;
    until(async || all.taken().len() == 4 && few.taken().len() == 1).await;
    assert_eq!(few.types(), ["breakglass.request.submitted"]);
    // One that is away for a while goes on with what it had, and is not told of what happened meanwhile.
    few.answers(|_, _| Reply::Status(500, "", ""));
    service.pending_for(&["staging:read"]).await;
    until(async || few.calls().len() == 2).await;
    let without = with_sinks(&service.directory, &webhook("all", &all, ""));
    service.app.reconfigure(Config::parse(&without).unwrap());
    until(async || !service.app.outbox().states().contains_key("few")).await;
    service.pending_for(&["staging:read"]).await;
    until(async || all.taken().len() == 6).await;
    let left = list(&service, "?sink=few&state=waiting").await;
    assert_eq!(left["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(left["sinks"][1]["type"], Value::Null);
    few.answers(|_, _| Reply::Status(200, "", ""));
    service.app.reconfigure(Config::parse(&text).unwrap());
    until_taken(&service, &few, 2).await;
    service.pending_for(&["staging:read"]).await;
    until(async || few.taken().len() == 3).await;
    assert_eq!(few.ids().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_lets_an_event_be_delivered_again_and_the_trail_says_so() {
    let receiver = Receiver::start();
    let sinks = format!(
        "{}{}",
        webhook("one", &receiver, "types = [\"breakglass.request.*\"]"),
        webhook("two", &receiver, "types = [\"breakglass.request.*\"]")
    );
    let service = service(&sinks).await;
    service.pending().await;
    until(async || receiver.taken().len() == 2).await;
    until(async || list(&service, "?state=waiting").await["deliveries"] == json!([])).await;
    let event = receiver.calls()[0].id();
    let path = format!("/v1/deliveries/{event}/replay");
    for (who, reason) in [("grace", "not_an_administrator"), ("alice", "not_an_administrator")] {
        let refused = service.post(who, &path, json!({})).await;
        assert_eq!(refused.refusal(), (403, reason), "{who}");
    }
    let unknown = service.post("dave", "/v1/deliveries/evt_0/replay", json!({})).await;
    assert_eq!(unknown.refusal(), (404, "delivery_unknown"));
    let unknown = service.post("dave", &path, json!({ "sink": "three" })).await;
    assert_eq!(unknown.refusal(), (404, "delivery_unknown"));
    let replayed = service.post("dave", &path, json!({ "sink": "two" })).await.ok();
    assert_eq!(replayed, json!({ "event": event, "sinks": ["two"] }));
    until(async || receiver.taken().len() == 3).await;
    assert_eq!(receiver.taken()[2].id(), event, "the same id");
    let replayed = service.post("dave", &path, json!({})).await.ok();
    assert_eq!(replayed["sinks"], json!(["one", "two"]));
    until(async || receiver.taken().len() == 5).await;
    let acts = service.get("grace", "/v1/audit/service").await.ok();
    let acts: Vec<(&Value, &Value, &Value)> = acts["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| (&act["actor"], &act["action"], &act["detail"]["sink"]))
        .collect();
    let expected = [json!("dave"), json!("delivery_replayed"), json!("two"), Value::Null];
    assert_eq!(
        acts,
        [(&expected[0], &expected[1], &expected[2]), (&expected[0], &expected[1], &expected[3])]
    );
}

/// What a proxy reports arrives as its word, with the request of its grant, and what is beyond the budget of pages does not.
#[tokio::test]
async fn alerts_of_proxies_are_told() {
    let receiver = Receiver::start();
    let service = service(&webhook("alerts", &receiver, "types = [\"breakglass.alert.*\"]")).await;
    let (id, jti) = service.approved().await;
    let at = "2026-11-22T02:12:59.123Z";
    let alert = |kind: &str, grant: Option<&str>| {
        let mut alert = json!({ "kind": kind, "first": at, "last": at, "count": 2 });
        if let Some(grant) = grant {
            alert["grant"] = json!(grant);
            alert["path"] = json!("/v1/ledger");
        }
        alert
    };
    let report = async |alerts: Vec<Value>| {
        let body = json!({ "node": "n", "process": "1".repeat(32), "alerts": alerts });
        service.post("envoy", "/v1/alerts", body).await.ok();
    };
    report(vec![alert("ceiling", Some(&jti)), alert("signature_failures", None)]).await;
    until_taken(&service, &receiver, 2).await;
    let told: Vec<Value> = receiver.taken().iter().map(|call| checked(call, SECRET)).collect();
    let of =
        |kind: &str| told.iter().find(|event| event["type"] == format!("breakglass.alert.{kind}"));
    let ceiling = of("ceiling").unwrap();
    for (member, value) in [
        ("request", json!(id)),
        ("grant", json!(jti)),
        ("subject", json!("alice")),
        ("audience", json!("prod")),
        ("actor", json!("envoy")),
        ("severity", json!("warning")),
    ] {
        assert_eq!(ceiling[member], value, "{member}");
    }
    assert_eq!(ceiling["data"]["event"]["count"], 2);
    assert_eq!(ceiling["data"]["event"]["reported"]["alert"]["path"], "/v1/ledger");
    assert_eq!(of("signature_failures").unwrap().get("request"), None);

    // Each of another cause, so that none is counted with another: 20 have a page, of which two had theirs.
    let others = (0..30).map(|number| {
        let mut one = alert("out_of_scope", None);
        one["detail"] = json!(number.to_string());
        one
    });
    report(others.collect()).await;
    until_taken(&service, &receiver, 21).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.taken().len(), 21);
}
