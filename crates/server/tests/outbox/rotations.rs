//! What used grants touched is rotated: which ends call which hooks, with what, and how often.

use std::fs;

use breakglass_server::tasks::rotations::keep_rotating;
use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::{START, Service, config};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::deliveries::{SECRET, checked, until};

/// How long after its end a filter whose clock is late may honour a token, in seconds.
pub(crate) const SKEW_S: i64 = 60;

/// A hook with this name at this place.
pub(crate) fn hook(name: &str, receiver: &Receiver, more: &str) -> String {
    format!(
        "[[rotations]]\nname = \"{name}\"\nurl = \"{}\"\nsecret_file = \"AT/secret\"\n{more}\n",
        receiver.url
    )
}

/// The configuration with these hooks; each scope of `scopes` names one.
pub(crate) fn with_hooks(directory: &TempDir, hooks: &str, scopes: &[(&str, &str)]) -> String {
    let at = directory.path().display().to_string();
    fs::write(directory.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let mut text = format!("administrators = [\"admins\"]\n{}", config(directory));
    for (scope, hook) in scopes {
        let name = format!("name = \"{scope}\"\n");
        assert!(text.contains(&name), "{scope}");
        text = text.replace(&name, &format!("{name}rotation = \"{hook}\"\n"));
    }
    format!("{text}\n{}", hooks.replace("AT", &at))
}

/// The service with these hooks, which are called.
pub(crate) async fn service(hooks: &str, scopes: &[(&str, &str)]) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = with_hooks(&directory, hooks, scopes);
    let service = Service::start_with(directory, &text, START).await;
    tokio::spawn(keep_rotating(service.app.clone()));
    service
}

/// The service with one hook, for `orders:read`.
pub(crate) async fn with_one(receiver: &Receiver, more: &str) -> Service {
    service(&hook("orders", receiver, more), &[("orders:read", "orders")]).await
}

/// The request and the grant of alice for these scopes, whose first token was taken.
pub(crate) async fn used(service: &Service, scopes: &[&str]) -> (String, String) {
    let body = json!({
        "scopes": scopes, "reason": "orders are stuck", "duration": "30m", "incident": "INC-1",
    });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    let id = view["id"].as_str().unwrap().to_owned();
    let view = service.act("frank", &id, "approve").await.ok();
    service.token(&id).await;
    (id, view["grant"]["id"].as_str().unwrap().to_owned())
}

/// A used grant for `orders:read` that was revoked, so that its rotation is owed: the rotation's id.
pub(crate) async fn owed(service: &Service) -> String {
    let (_, jti) = used(service, &["orders:read"]).await;
    service.revoke("carol", &jti).await.ok();
    service.tick().await;
    let listed = list(service, "grace", "").await;
    listed["rotations"][0]["id"].as_str().unwrap().to_owned()
}

/// `GET /v1/rotations` by this person.
pub(crate) async fn list(service: &Service, who: &str, query: &str) -> Value {
    service.get(who, &format!("/v1/rotations{query}")).await.ok()
}

/// The state of the rotation with this id.
pub(crate) async fn state(service: &Service, id: &str) -> String {
    let listed = list(service, "grace", "").await;
    let rotations = listed["rotations"].as_array().unwrap();
    let one = rotations.iter().find(|one| one["id"] == id).unwrap();
    one["state"].as_str().unwrap().to_owned()
}

/// The types of the events of rotations, with who did it, in their order.
pub(crate) async fn events(service: &Service) -> Vec<(String, String)> {
    let page = service.get("grace", "/v1/audit/events").await.ok();
    let events = page["events"].as_array().unwrap().iter();
    let word = |event: &Value, member: &str| event[member].as_str().unwrap().to_owned();
    events
        .filter(|event| event["type"].as_str().unwrap().starts_with("breakglass.rotation."))
        .map(|event| (word(event, "type"), word(event, "actor")))
        .collect()
}

/// How often the trail has this action.
async fn actions(service: &Service, action: &str) -> usize {
    service.trail().await.iter().filter(|(_, one)| one == action).count()
}

/// By each end of a used grant its hook is called once, and told how it ended.
#[tokio::test(flavor = "multi_thread")]
async fn each_end_of_a_used_grant_calls_its_hook_once() {
    for end in ["expired", "revoked", "given back", "kill switch", "left"] {
        let receiver = Receiver::start();
        let service = with_one(&receiver, "").await;
        let (id, jti) = used(&service, &["orders:read"]).await;
        service.tick().await;
        assert_eq!(actions(&service, "rotation_owed").await, 0, "{end}: it holds");
        let ended = match end {
            "expired" => {
                service.advance(1800 + SKEW_S - 1);
                service.tick().await;
                assert_eq!(actions(&service, "rotation_owed").await, 0, "a clock may be late");
                service.advance(1);
                json!({ "how": "expired", "at": "2026-11-22T02:43:00Z" })
            }
            "revoked" => {
                service.revoke("carol", &jti).await.ok();
                json!({ "how": "revoked", "by": "carol", "reason": "laptop lost" })
            }
            "given back" => {
                service.revoke("alice", &jti).await.ok();
                json!({ "how": "revoked", "by": "alice", "reason": "laptop lost" })
            }
            "kill switch" => {
                service.kill("carol", json!({ "scope": "orders:read" })).await.ok();
                json!({ "how": "revoked", "by": "carol", "reason": "keys leaked" })
            }
            _ => {
                let text = with_hooks(
                    &service.directory,
                    &hook("orders", &receiver, ""),
                    &[("orders:read", "orders")],
                );
                let config = breakglass_server::config::Config::parse(
                    &text.replace("name = \"alice\"", "name = \"another\""),
                );
                service.app.reconfigure(config.unwrap());
                breakglass_server::domain::end_holders(&service.app).await.unwrap();
                json!({ "how": "revoked", "by": "service", "reason": "holder_left" })
            }
        };
        service.tick().await;
        until(async || actions(&service, "rotation_done").await == 1).await;
        // Further looks find nothing.
        service.advance(3600);
        service.tick().await;
        service.tick().await;
        let calls = receiver.calls();
        assert_eq!(calls.len(), 1, "{end}");
        let event = checked(&calls[0], SECRET);
        for (member, expected) in [
            ("type", json!("breakglass.rotation.owed")),
            ("source", json!("https://approvals.test")),
            ("subject", json!("alice")),
            ("actor", json!("service")),
            ("audience", json!("prod")),
            ("incident", json!("INC-1")),
            ("request", json!(id)),
            ("grant", json!(jti)),
        ] {
            assert_eq!(event[member], expected, "{end}: {member}");
        }
        let said = &event["data"]["event"];
        assert_eq!(said["rotation"], event["id"], "{end}");
        assert_eq!((&said["hook"], &said["scopes"]), (&json!("orders"), &json!(["orders:read"])));
        for (member, expected) in ended.as_object().unwrap() {
            assert_eq!(said["ended"][member], *expected, "{end}: {member}");
        }
        assert!(said["ended"]["at"].is_string(), "{end}");
        let listed = list(&service, "grace", "").await;
        let one = &listed["rotations"][0];
        assert_eq!(one["id"], event["id"], "{end}");
        assert_eq!((&one["state"], &one["done_by"]), (&json!("done"), &json!("service")), "{end}");
        assert_eq!((&one["attempts"], &one["last_outcome"]), (&json!(1), &json!("status 200: ok")));
        let kinds = ["breakglass.rotation.owed", "breakglass.rotation.done"];
        let expected = kinds.map(|kind| (kind.to_owned(), "service".to_owned()));
        assert_eq!(events(&service).await, expected, "{end}");
    }
}

/// Without its first token a grant has touched nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_not_used_owes_nothing() {
    let receiver = Receiver::start();
    let service = with_one(&receiver, "").await;
    let (_, revoked) = service.approved().await;
    service.revoke("carol", &revoked).await.ok();
    let (lapsed, _) = service.approved().await;
    service.advance(7200);
    service.tick().await;
    let view = service.get("alice", &format!("/v1/requests/{lapsed}")).await.ok();
    assert_eq!((&view["state"], &view["rotations"]), (&json!("lapsed"), &Value::Null));
    assert_eq!(list(&service, "grace", "").await["rotations"], json!([]));
    // A used one does.
    owed(&service).await;
    until(async || actions(&service, "rotation_done").await == 1).await;
    assert_eq!(receiver.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hook_is_called_once_with_the_scopes_that_name_it() {
    let (orders, databases) = (Receiver::start(), Receiver::start());
    let hooks = format!("{}{}", hook("orders", &orders, ""), hook("databases", &databases, ""));
    let scopes = [("orders:read", "orders"), ("orders:write", "orders"), ("db:admin", "databases")];
    let service = service(&hooks, &scopes).await;
    let (id, jti) = used(&service, &["orders:read", "db:admin", "orders:write"]).await;
    // A further token opens nothing.
    service.token(&id).await;
    let view = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    let waiting = |hook: &str| json!({ "hook": hook, "state": "waiting" });
    assert_eq!(view["rotations"], json!([waiting("databases"), waiting("orders")]));
    let listed = service.get("alice", "/v1/requests").await.ok();
    assert_eq!(listed["requests"][0]["rotations"], Value::Null, "not in lists");
    service.revoke("alice", &jti).await.ok();
    service.tick().await;
    until(async || actions(&service, "rotation_done").await == 2).await;
    let told = |receiver: &Receiver| {
        assert_eq!(receiver.calls().len(), 1);
        checked(&receiver.calls()[0], SECRET)["data"]["event"]["scopes"].clone()
    };
    assert_eq!(told(&orders), json!(["orders:read", "orders:write"]));
    assert_eq!(told(&databases), json!(["db:admin"]));
    // A scope without a hook owes nothing.
    let (_, jti) = used(&service, &["staging:read"]).await;
    service.revoke("alice", &jti).await.ok();
    service.tick().await;
    assert_eq!(list(&service, "grace", "").await["rotations"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_may_see_a_rotation_do_and_others_do_not() {
    let receiver = Receiver::start();
    let service = with_one(&receiver, "").await;
    let id = owed(&service).await;
    until(async || state(&service, &id).await == "done").await;
    // The holder, approvers of the scope, an auditor; dave approves another scope, erin none.
    for (who, sees) in
        [("alice", 1), ("carol", 1), ("frank", 1), ("grace", 1), ("dave", 0), ("erin", 0)]
    {
        let listed = list(&service, who, "").await;
        assert_eq!(listed["rotations"].as_array().unwrap().len(), sees, "{who}");
        let of_state = list(&service, who, "?state=done").await;
        assert_eq!(of_state, listed, "{who}");
        for state in ["owed", "failed", "waiting"] {
            let none = list(&service, who, &format!("?state={state}")).await;
            assert_eq!(none["rotations"], json!([]), "{who} {state}");
        }
    }
    let after = list(&service, "grace", &format!("?after={id}")).await;
    assert_eq!(after, json!({ "rotations": [], "next": null }));
    let refused = service.get("grace", "/v1/rotations?state=lost").await;
    assert_eq!(refused.refusal(), (400, "invalid_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_rotations_list_each_once() {
    let receiver = Receiver::start();
    let service = with_one(&receiver, "").await;
    used(&service, &["orders:read"]).await;
    sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200)
         INSERT INTO rotations (id, request_id, jti, hook, scopes, next_at_ms)
         SELECT printf('rot_%03d', n), request_id, jti, 'hook-' || n, scopes, next_at_ms FROM rotations, numbers",
    )
    .execute(&service.database().await)
    .await
    .unwrap();
    for who in ["grace", "alice"] {
        let first = list(&service, who, "").await;
        let next = first["next"].as_str().unwrap();
        let second = list(&service, who, &format!("?after={next}")).await;
        assert_eq!(second["next"], Value::Null);
        let ids = |page: &Value| {
            let rotations = page["rotations"].as_array().unwrap().iter();
            rotations.map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = [ids(&first), ids(&second)].concat();
        assert_eq!(all.len(), 201, "{who}");
        assert!(all.is_sorted_by(|one, other| one > other), "{who}");
    }
}
