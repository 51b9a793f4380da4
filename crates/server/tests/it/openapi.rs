//! `GET /openapi.json` says what the service does: its paths, its methods, its answers.

use std::cell::RefCell;
use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use breakglass_api::trail::ServiceAction;
use breakglass_api::{
    alerts, attempts, deliveries, events, evidence, feed, heads, health, introspection, jwks,
    probe, problem, proxies, request, revocation, scopes, session, token, trail, uses, watch,
    whoami,
};
use breakglass_server::clock::parse_rfc3339;
use breakglass_server::limits::{MAX_ALERTS, MAX_HEADS, MAX_LISTED_GRANTS, MAX_SCOPES};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use breakglass_testing::service::Service;

/// The document, and which of its schemas something was held against.
struct Document {
    json: Value,
    seen: RefCell<BTreeSet<String>>,
}

impl Document {
    fn schemas(&self) -> &Value {
        &self.json["components"]["schemas"]
    }

    /// `value` is what the schema `name` says, no member missing and none more; and the type `T`, of which the schema
    /// is made, holds all of it.
    fn check<T: DeserializeOwned + Serialize>(&self, name: &str, value: &Value) {
        self.fits(name, &json!({ "$ref": format!("#/components/schemas/{name}") }), value);
        let read: T = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), *value, "{name}");
    }

    fn fits(&self, at: &str, schema: &Value, value: &Value) {
        let why = self.misfit(at, schema, value);
        assert_eq!(why, None, "{value}");
    }

    fn misfit(&self, at: &str, schema: &Value, value: &Value) -> Option<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            self.seen.borrow_mut().insert(name.to_owned());
            let schema = self.schemas().get(name).unwrap_or_else(|| panic!("{at}: {reference}"));
            return self.misfit(at, schema, value);
        }
        if let Some(either) = schema["oneOf"].as_array() {
            let misfits: Option<Vec<String>> =
                either.iter().map(|one| self.misfit(at, one, value)).collect();
            return misfits.map(|misfits| misfits.join(", "));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            return Some(format!("{at}: {value} is none of the enum"));
        }
        let is = |kind: &Value| match kind.as_str().unwrap() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{at}: {other}"),
        };
        let fits = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(is),
            kind => is(kind),
        };
        if !fits {
            return Some(format!("{at}: {value} is no {}", schema["type"]));
        }
        match value {
            Value::String(text) => {
                let pattern = schema["pattern"].as_str().unwrap_or_default();
                let matches = regex_lite::Regex::new(pattern).unwrap().is_match(text);
                let is_time = schema["format"] != "date-time" || parse_rfc3339(text).is_some();
                (!matches || !is_time).then(|| format!("{at}: {text}"))
            }
            Value::Number(number) => {
                let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
                number.as_i64().filter(|number| *number < least).map(|_| format!("{at}: {number}"))
            }
            Value::Array(items) => {
                let count = u64::try_from(items.len()).unwrap();
                let least = schema["minItems"].as_u64().unwrap_or(0);
                let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
                let wrong = (!(least..=most).contains(&count)).then(|| format!("{at}: {count}"));
                wrong.or_else(|| {
                    items.iter().find_map(|item| self.misfit(at, &schema["items"], item))
                })
            }
            Value::Object(members) => {
                let required = schema["required"].as_array().into_iter().flatten();
                for name in required.map(|name| name.as_str().unwrap()) {
                    if !members.contains_key(name) {
                        return Some(format!("{at}: without {name}"));
                    }
                }
                // An object without members is one of any: what a trail has to say.
                let Some(described) = schema["properties"].as_object() else {
                    let other = &schema["additionalProperties"];
                    let mut values = members.values().filter(|_| other.is_object());
                    return values.find_map(|value| self.misfit(at, other, value));
                };
                members.iter().find_map(|(name, value)| match described.get(name) {
                    None => Some(format!("{at}: {name} is not described")),
                    Some(schema) => self.misfit(&format!("{at}.{name}"), schema, value),
                })
            }
            Value::Null | Value::Bool(_) => None,
        }
    }
}

async fn document(service: &Service) -> Document {
    let json = service.get("nobody", "/openapi.json").await.ok();
    Document { json, seen: RefCell::default() }
}

#[tokio::test]
async fn every_endpoint_that_it_describes_is_there_for_those_methods_only() {
    let service = Service::start().await;
    let document = service.get("nobody", "/openapi.json").await.ok();
    let source = include_str!("../../src/routes/mod.rs");
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths {
        assert!(source.contains(&format!(".route(\"{path}\"")), "{path} is not served");
        for method in ["get", "post", "put", "delete"] {
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
            let answer = service.send(request.body(Body::empty()).unwrap()).await;
            let described = operations.get(method).is_some();
            assert_eq!(answer.status != 405, described, "{method} {path}: {answer:?}");
            assert_ne!(answer.body["reason"], "not_found", "{method} {path}");
        }
    }
    // Where the filter looks for them.
    for path in [breakglass_types::feed::PATH, breakglass_types::configurations::PATH] {
        assert!(paths.contains_key(path), "{path}");
    }
    let served = source.matches(".route(\"/").count();
    assert_eq!(served, paths.len(), "an endpoint is not described");
}

#[tokio::test]
async fn what_is_served_is_the_document_of_the_types() {
    let service = Service::start().await;
    assert_eq!(document(&service).await.json, breakglass_api::document::document());
}

#[tokio::test]
async fn its_bounds_are_those_that_the_service_keeps() {
    let service = Service::start().await;
    let document = document(&service).await;
    for (place, bound) in [
        ("/Ask/properties/scopes/maxItems", MAX_SCOPES),
        ("/HeadReport/properties/heads/maxItems", MAX_HEADS),
        ("/AlertReport/properties/alerts/maxItems", MAX_ALERTS),
        ("/Killed/properties/grants/maxItems", MAX_LISTED_GRANTS),
        ("/Killed/properties/look_alikes/maxItems", MAX_LISTED_GRANTS),
    ] {
        assert_eq!(document.schemas().pointer(place), Some(&json!(bound)), "{place}");
    }
    // What is one longer than the document says is refused, and what is as long is not.
    for (field, longest) in [("reason", 1024), ("incident", 256)] {
        let place = format!("/Ask/properties/{field}/maxLength");
        assert_eq!(document.schemas().pointer(&place), Some(&json!(longest)), "{place}");
        let mut ask = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
        ask[field] = "r".repeat(longest).into();
        service.post("alice", "/v1/requests", ask.clone()).await.ok();
        ask[field] = "r".repeat(longest + 1).into();
        let refused = service.post("alice", "/v1/requests", ask).await;
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn answers_have_the_members_that_it_describes() {
    let rules = json!({ "hosts": ["a.test"], "max_stream": "90s", "methods": ["GET"], "on_unavailable": "allow",
        "paths": ["/x"], "redirects": "same_authority", "require": { "approvals": 1 }, "routes": ["r"],
        "upgrades": ["websocket"], "v": 2 });
    let service = crate::definitions::service(json!({ "orders:read": rules.clone() })).await;
    let document = document(&service).await;
    // A proxy has them.
    let configuration = "a".repeat(64);
    let scopes = json!({ "orders:read": crate::definitions::digest(&rules) });
    let report = json!({ "configuration": configuration, "audiences": ["prod"], "scopes": scopes });
    let taken = service.post("envoy", "/v1/proxies/configurations", report).await.ok();
    document.check::<proxies::ConfigurationTaken>("ConfigurationTaken", &taken);
    let poll = axum::http::Request::get("/v1/revocations")
        .header(
            "authorization",
            format!("Bearer {}", breakglass_testing::service::token_of("envoy")),
        )
        .header("breakglass-config", configuration);
    service.send(poll.body(axum::body::Body::empty()).unwrap()).await.ok();
    let found = service.get("alice", "/v1/scopes?for=GET%20/x&host=a.test").await.ok();
    assert_eq!(found["scopes"][0]["rules"]["access"], "write", "{found}");
    document.check::<scopes::Scopes>("Scopes", &found);
    let denied = service.pending().await;
    let shown = service.get("alice", &format!("/v1/requests/{denied}")).await.ok();
    assert_eq!(shown["rules"][0]["access"], "write", "{shown}");
    document.check::<request::Request>("Request", &shown);
    let refused = service.post("carol", &format!("/v1/requests/{denied}/approve"), json!({})).await;
    assert_eq!(refused.body["request"], shown);
    document.check::<problem::Problem>("Problem", &refused.body);
    service.act("carol", &denied, "deny").await.ok();
    let cancelled = service.pending().await;
    service.act("alice", &cancelled, "cancel").await.ok();
    let (id, jti) = service.approved().await;
    let issued = service.act("alice", &id, "token").await.ok();
    document.check::<token::Issued>("Issued", &issued);
    let introspection = service.introspect(issued["token"].as_str().unwrap()).await;
    document.check::<introspection::Introspection>("Introspection", &introspection);
    let inactive = service.introspect("none").await;
    document.check::<introspection::Introspection>("Introspection", &inactive);
    let revoked = service.revoke("carol", &jti).await.ok();
    document.check::<revocation::Revoked>("Revoked", &revoked);
    service.approved().await;
    let killed = service.kill("carol", json!({ "all": true })).await.ok();
    document.check::<revocation::Killed>("Killed", &killed);
    let feed = service.feed("").await.ok();
    assert_ne!(feed["revoked"], json!([]));
    document.check::<feed::Feed>("Feed", &feed);
    let proxies = service.get("carol", "/v1/proxies").await.ok();
    assert_ne!(proxies["proxies"], json!([]));
    document.check::<proxies::Proxies>("Proxies", &proxies);
    let head = json!({
        "chain": "0".repeat(32), "seq": 1, "hash": "0".repeat(64), "began": "2026-11-22T02:13:00Z",
        "ended": false, "grants": { (jti.as_str()): 1 },
        "uses": { (jti.as_str()): [{ "scope": "orders:read", "method": "GET", "rule": "/x", "outcome": "allow", "records": 1 }] },
    });
    let report = json!({ "node": "n", "process": "1".repeat(32), "heads": [head] });
    document.check::<heads::HeadReport>("HeadReport", &report);
    let reported = service.post("envoy", "/v1/audit/heads", report).await.ok();
    document.check::<heads::HeadsReported>("HeadsReported", &reported);
    let heads = service.get("grace", "/v1/audit/heads").await.ok();
    assert_ne!(heads["heads"], json!([]));
    document.check::<heads::Heads>("Heads", &heads);
    let used = service.get("alice", &format!("/v1/grants/{jti}/uses")).await.ok();
    assert_ne!(used["uses"], json!([]));
    document.check::<uses::UsesOfGrant>("UsesOfGrant", &used);
    let path = "/v1/scopes/uses?scope=orders:read&since=2026-11-22T00:00:00Z";
    let used = service.get("grace", path).await.ok();
    assert_eq!(used["rules"], rules);
    document.check::<uses::ScopeUses>("ScopeUses", &used);
    let evidence = service.get("grace", "/v1/audit/requests?subject=alice").await.ok();
    assert_ne!(evidence["requests"][0]["trail"], json!([]));
    document.check::<evidence::Evidence>("Evidence", &evidence);
    let challenge = service.post("grace", "/v1/probes", json!({})).await.ok();
    document.check::<probe::Challenge>("Challenge", &challenge);
    let key = breakglass_core::probe::ProbeKey::from_credential("token-envoy");
    let asked = breakglass_core::probe::Asked {
        challenge: challenge["challenge"].as_str().unwrap(),
        authority: b"a",
    };
    let answer = key.answer(&asked, &breakglass_core::probe::Answering::default()).text();
    let path = format!("/v1/probes/{}/answers", challenge["id"].as_str().unwrap());
    let one = json!({ "entrance": "e", "authority": "a", "answer": answer });
    let answers = json!({ "answers": [one] });
    document.check::<probe::ProbeAnswers>("ProbeAnswers", &answers);
    let verdicts = service.post("grace", &path, answers).await.ok();
    assert!(verdicts["verdicts"][0]["node"].is_object(), "{verdicts}");
    document.check::<probe::ProbeVerdicts>("ProbeVerdicts", &verdicts);
    let scopes = service.get("alice", "/v1/scopes").await.ok();
    assert_ne!(scopes["scopes"], json!([]));
    document.check::<scopes::Scopes>("Scopes", &scopes);
    let now = service.app.now();
    let act = ServiceAction::Reload;
    service.app.store().note_act(now, "carol", act, &json!({})).await.unwrap();
    let trail = service.get("grace", "/v1/audit/service").await.ok();
    assert_ne!(trail["acts"], json!([]));
    document.check::<trail::ServiceTrail>("ServiceTrail", &trail);
    let events = service.get("grace", "/v1/audit/events").await.ok();
    assert_ne!(events["events"], json!([]));
    document.check::<events::Events>("Events", &events);
    let mut reader = crate::watch::Reader::open(&service, "grace", "", None).await;
    service.pending().await;
    let told = reader.next().await.unwrap().data;
    document.check::<watch::WatchedEvent>("WatchedEvent", &told);
    document.check::<watch::WatchedRequest>("WatchedRequest", &told["request"]);
    service.get("alice", "/v1/audit/service").await.refusal();
    crate::attempts::until(&service, |attempts| attempts.len() >= 2).await;
    let attempts = service.get("grace", "/v1/audit/attempts").await.ok();
    document.check::<attempts::Attempts>("Attempts", &attempts);
    let deliveries = service.get("grace", "/v1/deliveries").await.ok();
    document.check::<deliveries::Deliveries>("Deliveries", &deliveries);
    let sessions = service.get("alice", "/v1/sessions").await.ok();
    document.check::<session::Sessions>("Sessions", &sessions);
    let whoami = service.get("alice", "/v1/whoami").await.ok();
    document.check::<whoami::WhoAmI>("WhoAmI", &whoami);
    service.pending().await;
    let listed = service.get("alice", "/v1/requests").await.ok();
    assert!(listed["requests"].as_array().unwrap().len() >= 5, "{listed}");
    document.check::<request::Requests>("Requests", &listed);
    let jwks = service.get("nobody", "/.well-known/jwks.json").await.ok();
    document.check::<jwks::Jwks>("Jwks", &jwks);
    let ready = service.get("nobody", "/readyz").await.ok();
    document.check::<health::Status>("Status", &ready);
    let health = service.get("nobody", "/healthz").await.ok();
    document.check::<health::Health>("Health", &health);
    let health = service.get("grace", "/healthz?detail=1").await.ok();
    assert!(health["clock"].is_object() && health["configuration"].is_object(), "{health}");
    document.check::<health::Health>("Health", &health);
    let (_, jti) = service.approved().await;
    service.approved().await;
    service.advance(1800);
    let revoked = service.revoke("carol", &jti).await.ok();
    assert_eq!(revoked["had_ended"], true);
    document.check::<revocation::Revoked>("Revoked", &revoked);
    let killed = service.kill("carol", json!({ "all": true })).await.ok();
    assert_eq!(killed["had_ended"], 1);
    document.check::<revocation::Killed>("Killed", &killed);
    let refused = service.post("alice", "/v1/requests", json!({})).await;
    assert_ne!(refused.body["errors"], json!([]));
    document.check::<problem::Problem>("Problem", &refused.body);

    let mut alert = crate::alerts::of_grant("out_of_scope", &jti);
    alert["unverified"] = json!({ "kid": "k" });
    let report =
        json!({ "node": "n", "process": "1".repeat(32), "dropped": 3, "alerts": vec![alert; 2] });
    document.check::<alerts::AlertReport>("AlertReport", &report);
    let reported = service.post("envoy", "/v1/alerts", report).await.ok();
    document.check::<alerts::AlertsReported>("AlertsReported", &reported);
    let lapsed: Vec<Value> =
        (0..21).map(|number| crate::alerts::of_grant("cut", &number.to_string())).collect();
    crate::alerts::report(&service, "envoy", &lapsed).await;
    service.advance(3600);
    crate::alerts::report(&service, "envoy", &lapsed[..1]).await;
    let listed = service.get("grace", "/v1/audit/alerts").await.ok();
    assert!(listed["alerts"].to_string().contains("\"suppressed\""), "{listed}");
    document.check::<alerts::Alerts>("Alerts", &listed);

    let all: BTreeSet<String> = document.schemas().as_object().unwrap().keys().cloned().collect();
    let seen = document.seen.take();
    let left: Vec<&String> = all.difference(&seen).collect();
    // Questions, and what takes more to come about: other tests have those.
    let others = [
        "Approve",
        "Ask",
        "AuthorizationServer",
        "ChannelState",
        "Circuit",
        "ConfigurationError",
        "ConfirmHeldEnds",
        "ConfirmedHeldEnds",
        "Conflict",
        "Delivery",
        "DeliveryState",
        "DeviceAuthorization",
        "DeviceAuthorizationRequest",
        "DeviceForm",
        "DeviceSignIn",
        "DisputeReview",
        "Emergency",
        "EmergencyObstacle",
        "EndedHow",
        "Extended",
        "FileFailure",
        "Forgotten",
        "Gone",
        "GrantEnd",
        "GrantUses",
        "HeldEnd",
        "HeldEnds",
        "IncidentCheck",
        "IncidentVerdict",
        "KeySwitchHealth",
        "Kill",
        "LogVerdict",
        "LookAlike",
        "MutualApproval",
        "NeedEscalation",
        "OldGroups",
        "OnUnavailable",
        "ProbeAsk",
        "ReloadFailure",
        "Remark",
        "RemarkKind",
        "Replay",
        "Replayed",
        "ReportedConfiguration",
        "Review",
        "ReviewDecision",
        "ReviewInFull",
        "ReviewOfRequest",
        "ReviewState",
        "ReviewedApproval",
        "Reviews",
        "RevocationForm",
        "Rotation",
        "RotationDone",
        "RotationOfRequest",
        "RotationState",
        "Rotations",
        "SaidOfLog",
        "Say",
        "Session",
        "SessionFactor",
        "SessionState",
        "SessionTokens",
        "SetNotify",
        "Severity",
        "SignReview",
        "SignableBy",
        "Sink",
        "Spelling",
        "TlsHealth",
        "TokenForm",
        "TokenRequest",
        "ToldChannel",
        "UntoldHead",
        "WhoAmIFactor",
        "Why",
    ];
    assert_eq!(left, others);
}
