//! What proxies say that their configurations define: from whom it counts, for whom, and who is shown it.

use std::fs;

use axum::body::Body;
use axum::http::Request;
use breakglass_server::configurations::{MAX_CONFIGURATIONS, MAX_REPORTS};
use breakglass_server::tasks::reload::{Cause, reload};
use breakglass_types::configurations::MAX_CONFIGURATION_BYTES;
use serde_json::{Value, json};

use crate::definitions::{digest, named, orders_read, write};
use breakglass_testing::service::{Answer, START, Service, config, token_of};

const WANTED: &str = "breakglass-configuration-wanted";

/// What somebody who widened the scope has made of it.
fn widened() -> Value {
    json!({ "methods": ["GET"], "paths": ["/v1/orders/{id}"], "upgrades": ["websocket"], "v": 1 })
}

fn id(of: &str) -> String {
    of.repeat(64)
}

/// Two credentials, of `envoy` and `mallory`, and one of another audience.
async fn service() -> Service {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "definitions.json", json!({ "orders:read": orders_read() }));
    let mut text = format!("definitions = [\"definitions.json\"]\n{}", config(&directory));
    for (name, audience) in [("mallory", "prod"), ("stage", "staging")] {
        let sha256: String = breakglass_server::auth::identity::digest(&token_of(name))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        text.push_str(&format!(
            "[[proxies]]\nname = \"{name}\"\ntoken_sha256 = \"{sha256}\"\naudiences = [\"{audience}\"]\n"
        ));
    }
    fs::write(directory.path().join("config.toml"), &text).unwrap();
    Service::start_with(directory, &text, START).await
}

/// A poll of a process with this configuration: what its answer asks for.
async fn poll(service: &Service, who: &str, process: &str, configuration: &str) -> Option<String> {
    let request = Request::get("/v1/revocations?node=n")
        .header("authorization", format!("Bearer {}", token_of(who)))
        .header("breakglass-process", process.repeat(32))
        .header("breakglass-config", configuration);
    let answer = service.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.headers.get(WANTED).map(|value| value.to_str().unwrap().to_owned())
}

fn body(configuration: &str, rules: &Value) -> Value {
    json!({ "configuration": configuration, "audiences": ["prod"], "scopes": { "orders:read": digest(rules) } })
}

async fn report(service: &Service, who: &str, body: Value) -> Answer {
    service.post(who, "/v1/proxies/configurations", body).await
}

/// What an approver is shown of the first scope.
async fn shown(service: &Service, id: &str) -> Value {
    service.get("carol", &format!("/v1/requests/{id}")).await.ok()["rules"][0].clone()
}

fn counts(same: u64, other: u64, unknown: u64) -> Value {
    json!({ "same": same, "other": other, "unknown": unknown })
}

#[tokio::test]
async fn a_poll_is_asked_for_a_configuration_that_is_not_known_from_its_credential() {
    let service = service().await;
    let configuration = id("a");
    assert_eq!(poll(&service, "envoy", "1", &configuration).await, Some(configuration.clone()));
    // Of a thousand processes that have it, one is asked; and again where nothing came.
    assert_eq!(poll(&service, "envoy", "2", &configuration).await, None);
    service.advance(10);
    assert_eq!(poll(&service, "envoy", "2", &configuration).await, Some(configuration.clone()));
    let taken = report(&service, "envoy", body(&configuration, &orders_read())).await.ok();
    assert_eq!(taken, json!({ "configuration": configuration }));
    service.advance(10);
    for _ in 0..2 {
        assert_eq!(poll(&service, "envoy", "2", &configuration).await, None);
    }
    // What another credential has is not known by that.
    assert_eq!(poll(&service, "mallory", "3", &configuration).await, Some(configuration.clone()));
    // One that says none, or no digest, is asked for nothing.
    assert_eq!(poll(&service, "stage", "4", "").await, None);
    assert_eq!(poll(&service, "stage", "4", &"A".repeat(64)).await, None);
    // After a restart it is asked for again.
    let text = fs::read_to_string(service.directory.path().join("config.toml")).unwrap();
    let service = Service::start_with(service.directory, &text, START + 60).await;
    assert_eq!(poll(&service, "envoy", "2", &configuration).await, Some(configuration));
}

/// In an upgrade a filter of before names the same configuration as today's, and answers no such question.
#[tokio::test]
async fn filters_that_do_not_answer_do_not_keep_the_question_from_one_that_does() {
    let service = service().await;
    let configuration = id("a");
    let is_asked = async |process: &str| {
        poll(&service, "envoy", process, &configuration).await == Some(configuration.clone())
    };
    let mut asked = Vec::new();
    for _ in 0..5 {
        let mut older = 0;
        for _ in 0..9 {
            older += u32::from(is_asked("1").await);
        }
        asked.push((older, is_asked("2").await));
        service.advance(10);
    }
    assert_eq!(asked, [(1, false), (2, false), (4, false), (8, false), (9, true)]);
    report(&service, "envoy", body(&configuration, &orders_read())).await.ok();
    assert!(!is_asked("1").await && !is_asked("2").await);
}

#[tokio::test]
async fn rules_are_shown_where_a_proxy_has_them_and_who_has_others_is_said() {
    let service = service().await;
    let id_of_request = service.pending().await;
    let digest = digest(&orders_read());
    // No proxy has said that it has them.
    assert_eq!(
        shown(&service, &id_of_request).await,
        json!({ "scope": "orders:read", "digest": digest, "proxies": counts(0, 0, 0) })
    );
    let (same, other) = (id("a"), id("b"));
    for (process, configuration) in [("1", &same), ("2", &same), ("3", &other), ("4", &id("c"))] {
        poll(&service, "envoy", process, configuration).await;
    }
    // An older filter names no configuration.
    poll(&service, "envoy", "5", "").await;
    assert_eq!(shown(&service, &id_of_request).await["proxies"], counts(0, 0, 5));
    report(&service, "envoy", body(&other, &widened())).await.ok();
    let alone = shown(&service, &id_of_request).await;
    assert_eq!((&alone["proxies"], alone.get("methods")), (&counts(0, 1, 4), None));
    report(&service, "envoy", body(&same, &orders_read())).await.ok();
    assert_eq!(
        shown(&service, &id_of_request).await,
        json!({ "scope": "orders:read", "digest": digest, "access": "read", "methods": ["GET"],
            "paths": ["/v1/orders/{id}"], "proxies": counts(2, 1, 2) })
    );
    // What does not define it, or not for this environment, opens nothing under that name.
    let mut elsewhere = body(&id("c"), &widened());
    elsewhere["audiences"] = json!(["staging"]);
    report(&service, "envoy", elsewhere).await.ok();
    assert_eq!(shown(&service, &id_of_request).await["proxies"], counts(2, 1, 1));
    // Who is gone is not counted.
    service.advance(60);
    poll(&service, "envoy", "3", &other).await;
    assert_eq!(shown(&service, &id_of_request).await["proxies"], counts(0, 1, 0));
}

/// An approver reads what was asked for, and an auditor what was approved, whatever the definition says by then.
#[tokio::test]
async fn the_rules_of_a_request_are_shown_after_its_definition_has_changed() {
    let service = service().await;
    let request = service.pending().await;
    let definitions = json!({ "orders:read": widened() });
    write(service.directory.path(), "definitions.json", definitions);
    let text = named(&service.directory);
    let service = Service::start_with(service.directory, &text, START + 1).await;
    assert_eq!(shown(&service, &request).await.get("methods"), None, "no proxy has them");
    // A proxy that is not rolled out yet still has what was asked for.
    poll(&service, "envoy", "1", &id("a")).await;
    report(&service, "envoy", body(&id("a"), &orders_read())).await.ok();
    let expected = json!({ "scope": "orders:read", "digest": digest(&orders_read()), "access": "read",
        "methods": ["GET"], "paths": ["/v1/orders/{id}"], "proxies": counts(1, 0, 0) });
    assert_eq!(shown(&service, &request).await, expected);
    service.act("carol", &request, "approve").await.ok();
    // It is gone, and what was approved is still to be read.
    service.advance(60);
    let expected = json!({ "scope": "orders:read", "digest": digest(&orders_read()), "access": "read",
        "methods": ["GET"], "paths": ["/v1/orders/{id}"], "proxies": counts(0, 0, 0) });
    assert_eq!(shown(&service, &request).await, expected);

    // A new request is for what is defined now; each set of rules is kept once, and as it was.
    service.pending().await;
    service.pending().await;
    let database = service.database().await;
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM scope_rules").fetch_one(&database).await.unwrap();
    assert_eq!(kept, 2);
    for change in [
        "UPDATE scope_rules SET rules = '{}'",
        "DELETE FROM scope_rules",
        "INSERT OR REPLACE INTO scope_rules SELECT digest, '{}' FROM scope_rules",
    ] {
        sqlx::query(change).execute(&database).await.unwrap_err();
    }
}

/// The attack: somebody with one proxy's credential says that all is as it was approved.
#[tokio::test]
async fn what_a_stolen_credential_says_never_stands_for_another_proxy() {
    let service = service().await;
    let request = service.pending().await;
    // The proxy has widened the scope, and the thief says that this very configuration has not.
    let configuration = id("a");
    poll(&service, "envoy", "1", &configuration).await;
    report(&service, "mallory", body(&configuration, &orders_read())).await.ok();
    assert_eq!(
        shown(&service, &request).await["proxies"],
        counts(0, 0, 1),
        "nothing was said of the proxy"
    );
    report(&service, "envoy", body(&configuration, &widened())).await.ok();
    poll(&service, "mallory", "2", &configuration).await;
    let rules = shown(&service, &request).await;
    assert_eq!(rules["proxies"], counts(1, 1, 0), "the approver sees the difference");
    // Made-up proxies drown nothing: the one is still counted.
    for process in ["3", "4", "5", "6"] {
        poll(&service, "mallory", process, &configuration).await;
    }
    assert_eq!(shown(&service, &request).await["proxies"], counts(5, 1, 0));
    // A credential for another environment says nothing of this one.
    poll(&service, "stage", "7", &configuration).await;
    report(&service, "stage", body(&configuration, &orders_read())).await.ok();
    assert_eq!(shown(&service, &request).await["proxies"], counts(5, 1, 0));
    // With the proxy's own credential: what contradicts the proxy does not take its place, in either order.
    report(&service, "envoy", body(&configuration, &orders_read())).await.ok();
    assert_eq!(shown(&service, &request).await["proxies"], counts(5, 1, 0));
    for rules in [orders_read(), widened()] {
        report(&service, "mallory", body(&configuration, &rules)).await.ok();
    }
    assert_eq!(shown(&service, &request).await["proxies"], counts(0, 6, 0));
    // The credential is replaced: what came with it is gone.
    let path = service.directory.path().join("config.toml");
    let digest = |name: &str| -> String {
        breakglass_server::auth::identity::digest(&token_of(name))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let text = fs::read_to_string(&path).unwrap().replace(&digest("mallory"), &digest("mallory-2"));
    fs::write(&path, text).unwrap();
    reload(&service.app, &path, Cause::Sighup).await.unwrap();
    assert_eq!(shown(&service, &request).await["proxies"], counts(0, 1, 5));
    assert_eq!(
        report(&service, "mallory", body(&configuration, &orders_read())).await.refusal(),
        (401, "credential_unknown")
    );
}

#[tokio::test]
async fn a_report_is_strict_bounded_and_for_proxies() {
    let service = service().await;
    let good = body(&id("a"), &orders_read());
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body
    };
    for (who, body, refusal) in [
        ("alice", good.clone(), (403, "proxies_only")),
        ("nobody", good.clone(), (401, "credential_unknown")),
        ("envoy", with("more", json!(1)), (400, "invalid_request")),
        ("envoy", with("configuration", json!("a")), (400, "invalid_request")),
        ("envoy", with("configuration", json!("A".repeat(64))), (400, "invalid_request")),
        ("envoy", with("audiences", json!([])), (400, "invalid_request")),
        ("envoy", with("audiences", json!(["a\nb"])), (400, "invalid_request")),
        ("envoy", with("scopes", json!({ "orders:read": "x" })), (400, "invalid_request")),
        (
            "envoy",
            with("scopes", json!({ "a b": digest(&orders_read()) })),
            (400, "invalid_request"),
        ),
        (
            "envoy",
            with("audiences", json!(["x".repeat(MAX_CONFIGURATION_BYTES)])),
            (413, "body_too_large"),
        ),
    ] {
        assert_eq!(report(&service, who, body).await.refusal(), refusal, "{who}");
    }
    // A thousand scopes with long names fit, where any other body would be too large.
    let many: serde_json::Map<String, Value> = (0..1000)
        .map(|number| (format!("{number:0>120}"), json!(digest(&orders_read()))))
        .collect();
    report(&service, "envoy", with("scopes", Value::Object(many))).await.ok();

    // The oldest that nobody uses goes, and what is used stays.
    let name = |number: usize| format!("{number:064x}");
    poll(&service, "mallory", "1", &name(0)).await;
    report(&service, "mallory", body(&name(0), &orders_read())).await.ok();
    for number in 1..=MAX_CONFIGURATIONS {
        service.advance(1);
        assert_eq!(poll(&service, "mallory", "1", &name(0)).await, None, "{number}");
        report(&service, "mallory", body(&name(number), &orders_read())).await.ok();
    }
    assert_eq!(poll(&service, "mallory", "1", &name(0)).await, None);
    assert_eq!(poll(&service, "mallory", "2", &name(1)).await, Some(name(1)));

    // In a minute a credential says so much that is new, and what is known again as often as it likes.
    service.advance(60);
    let mut taken = 0;
    while report(&service, "stage", body(&name(taken), &orders_read())).await.status == 200 {
        taken += 1;
    }
    assert_eq!(taken, usize::try_from(MAX_REPORTS).unwrap());
    let refused = report(&service, "stage", body(&name(taken), &orders_read())).await;
    assert_eq!(refused.refusal(), (429, "too_many_configurations"));
    assert_eq!(refused.headers["retry-after"], "30");
    report(&service, "stage", body(&name(taken - 1), &orders_read())).await.ok();
    report(&service, "envoy", body(&name(taken), &orders_read())).await.ok();
    service.advance(60);
    report(&service, "stage", body(&name(taken), &orders_read())).await.ok();
}

#[tokio::test]
async fn the_scopes_that_cover_a_request_are_found_as_a_filter_finds_them() {
    let directory = tempfile::tempdir().unwrap();
    let rules = |method: &str, path: &str| json!({ "methods": [method], "paths": [path], "v": 1 });
    let mut hosts = rules("POST", "/v1/orders");
    hosts["hosts"] = json!(["*.internal"]);
    hosts["routes"] = json!(["orders"]);
    write(
        directory.path(),
        "definitions.json",
        json!({ "orders:read": rules("GET", "/v1/orders/{id}"), "orders:write": hosts, "db:admin": rules("POST", "/**") }),
    );
    let text = crate::definitions::named(&directory);
    let service = Service::start_with(directory, &text, START).await;
    for (query, names) in [
        ("for=GET%20/v1/orders/17", vec!["orders:read"]),
        ("for=GET%20/v1/orders/17?verbose=1", vec!["orders:read"]),
        ("for=GET%20/v1/orders", vec![]),
        ("for=POST%20/v1/orders", vec!["orders:write", "db:admin"]),
        ("for=POST%20/v1/orders&host=a.internal", vec!["orders:write", "db:admin"]),
        ("for=POST%20/v1/orders&host=A.INTERNAL:8443", vec!["orders:write", "db:admin"]),
        ("for=POST%20/v1/orders&host=internal", vec!["db:admin"]),
        ("for=PUT%20/v1/orders", vec![]),
    ] {
        let found = service.get("alice", &format!("/v1/scopes?{query}")).await.ok();
        let found_names: Vec<&str> = found["scopes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|scope| scope["name"].as_str().unwrap())
            .collect();
        assert_eq!(found_names, names, "{query}");
        assert!(found["for"]["path"].as_str().unwrap().starts_with("/v1/orders"), "{found}");
    }
    for query in [
        "for=/v1/orders",
        "for=post%20/v1/orders",
        "for=GET%20/v1/../x",
        "host=a",
        "for=GET%20/a&host=a%20b",
        "colour=red",
    ] {
        let refused = service.get("alice", &format!("/v1/scopes?{query}")).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{query}");
    }
    // Only what the caller may see; with what it opens where a proxy has it.
    let found = service.get("erin", "/v1/scopes?for=GET%20/v1/orders/17").await.ok();
    assert_eq!(found["scopes"], json!([]));
    let found = service.get("alice", "/v1/scopes?for=GET%20/v1/orders/17").await.ok();
    assert_eq!(found["scopes"][0]["rules"]["proxies"], counts(0, 0, 0));
    assert_eq!(found["scopes"][0]["rules"].get("methods"), None);
    poll(&service, "envoy", "1", &id("a")).await;
    let mut one = body(&id("a"), &rules("GET", "/v1/orders/{id}"));
    report(&service, "envoy", one.take()).await.ok();
    let found = service.get("alice", "/v1/scopes?for=GET%20/v1/orders/17").await.ok();
    assert_eq!(found["scopes"][0]["rules"]["methods"], json!(["GET"]));
    let all = service.get("alice", "/v1/scopes").await.ok();
    assert_eq!((all.get("for"), all["scopes"][0].get("rules")), (None, None));
}
