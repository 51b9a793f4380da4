//! A hook that is down, slow or wrong, and what people do then.

use std::time::Duration;

use breakglass_server::config::Config;
use breakglass_server::tasks::rotations::keep_rotating;
use breakglass_testing::copies::ended;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{START, Service};
use serde_json::{Value, json};

use super::deliveries::until;
use super::rotations::{events, hook, list, owed, service, state, used, with_hooks, with_one};

/// Waits until the rotation is in this state, while time passes fast.
async fn until_state(service: &Service, id: &str, expected: &str) {
    until(async || {
        service.advance(1);
        state(service, id).await == expected
    })
    .await;
}

/// The one rotation as an auditor sees it.
async fn one(service: &Service) -> Value {
    list(service, "grace", "").await["rotations"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_called_until_it_takes_the_call_with_the_same_id() {
    let elsewhere = Receiver::start();
    let to: &'static str = format!("location: {}\r\n", elsewhere.url).leak();
    for (name, reply) in [
        ("500", Reply::Status(500, "", "oops \u{1b}[2J")),
        ("400", Reply::Status(400, "", "no")),
        ("302", Reply::Status(302, to, "")),
        ("307", Reply::Status(307, to, "")),
        ("hangs", Reply::Hang(Duration::from_secs(3))),
        ("no HTTP", Reply::Garbage),
        ("closes", Reply::Close),
    ] {
        let receiver = Receiver::answering(move |number, _| match number {
            0 => reply.clone(),
            _ => Reply::Status(200, "", ""),
        });
        let service = with_one(&receiver, "timeout = \"500ms\"").await;
        let id = owed(&service).await;
        until_state(&service, &id, "done").await;
        let calls = receiver.calls();
        assert_eq!(calls.len(), 2, "{name}");
        assert_eq!((calls[0].id(), calls[1].id()), (id.clone(), id), "{name}");
        assert_eq!(one(&service).await["attempts"], 2, "{name}");
    }
    assert_eq!(elsewhere.calls().len(), 0, "no redirect is followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_kept() {
    let receiver = Receiver::answering(|number, _| match number {
        0 => Reply::Status(429, "retry-after: 600\r\n", ""),
        _ => Reply::Status(200, "", ""),
    });
    let service = with_one(&receiver, "").await;
    let id = owed(&service).await;
    until(async || one(&service).await["last_outcome"].is_string()).await;
    // The service looks at each change and each second.
    service.advance(595);
    service.pending().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(receiver.calls().len(), 1);
    service.advance(6);
    until(async || state(&service, &id).await == "done").await;
    assert_eq!(receiver.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_down_for_too_long_fails_once_and_is_called_again_by_hand() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500, "", "not today"));
    let service = with_one(&receiver, "retry_for = \"1m\"").await;
    let id = owed(&service).await;
    until(async || service.counter("breakglass_rotations{state=\"owed\"}").await == 1).await;
    until_state(&service, &id, "failed").await;
    let failed = one(&service).await;
    assert_eq!(failed["last_outcome"], "expected a status 2xx, got 500: not today");
    assert!(failed["attempts"].as_i64().unwrap() > 1, "{failed}");
    assert_eq!(list(&service, "grace", "?state=failed").await["rotations"][0], failed);
    assert_eq!(list(&service, "grace", "?state=owed").await["rotations"], json!([]));
    until(async || service.counter("breakglass_rotations{state=\"failed\"}").await == 1).await;
    assert_eq!(service.counter("breakglass_rotations{state=\"owed\"}").await, 0);
    assert!(service.counter("breakglass_rotation_oldest_owed_seconds").await >= 60);
    // No further call, and no further event.
    let calls = receiver.calls().len();
    service.advance(86_400);
    service.tick().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(receiver.calls().len(), calls);
    let by_service = |kind: &str| (format!("breakglass.rotation.{kind}"), "service".to_owned());
    assert_eq!(events(&service).await, [by_service("owed"), by_service("failed")]);
    // Not by the holder, nor by one who approves another scope.
    for who in ["alice", "dave", "erin", "grace"] {
        let refused = service.post(who, &format!("/v1/rotations/{id}/retry"), json!({})).await;
        assert_eq!(refused.refusal(), (403, "not_an_approver"), "{who}");
    }
    receiver.answers(|_, _| Reply::Status(204, "", ""));
    let retried = service.post("carol", &format!("/v1/rotations/{id}/retry"), json!({})).await.ok();
    assert_eq!((&retried["state"], &retried["attempts"]), (&json!("owed"), &json!(0)));
    until(async || state(&service, &id).await == "done").await;
    let expected = [
        by_service("owed"),
        by_service("failed"),
        ("breakglass.rotation.retried".to_owned(), "carol".to_owned()),
        by_service("done"),
    ];
    assert_eq!(events(&service).await, expected);
    until(async || service.counter("breakglass_rotations{state=\"failed\"}").await == 0).await;
    assert!(receiver.calls().iter().all(|call| call.id() == id));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_rotated_by_hand_by_an_approver_who_did_not_hold_the_grant() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500, "", "down"));
    let service = with_one(&receiver, "").await;
    // While the grant holds, nothing is owed.
    used(&service, &["orders:read"]).await;
    let waiting = one(&service).await["id"].as_str().unwrap().to_owned();
    let done = json!({ "note": "changed in the console" });
    let refused =
        service.post("carol", &format!("/v1/rotations/{waiting}/done"), done.clone()).await;
    assert_eq!(refused.refusal(), (409, "rotation_not_owed"));
    service.advance(1);
    let id = owed(&service).await;
    assert_ne!(id, waiting);
    let path = format!("/v1/rotations/{id}/done");
    for (who, expected) in [
        // The holder, one who approves another scope, a stranger, an auditor.
        ("alice", (403, "not_an_approver")),
        ("dave", (403, "not_an_approver")),
        ("erin", (403, "not_an_approver")),
        ("grace", (403, "not_an_approver")),
        ("envoy", (403, "people_only")),
    ] {
        let refused = service.post(who, &path, done.clone()).await;
        assert_eq!(refused.refusal(), expected, "{who}");
    }
    for body in [json!({}), json!({ "note": "" }), json!({ "note": "a\nb" })] {
        let refused = service.post("carol", &path, body).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"));
        assert_eq!(refused.body["errors"][0]["field"], "note");
    }
    let unknown = service.post("carol", "/v1/rotations/rot_1/done", done.clone()).await;
    assert_eq!(unknown.refusal(), (404, "rotation_unknown"));
    assert_eq!(state(&service, &id).await, "owed");
    let closed = service.post("carol", &path, done.clone()).await.ok();
    assert_eq!((&closed["state"], &closed["done_by"]), (&json!("done"), &json!("carol")));
    assert_eq!(closed["note"], "changed in the console");
    let (_, action) = service.trail().await.pop().unwrap();
    assert_eq!(action, "rotation_done");
    let page = service.get("grace", "/v1/audit/events").await.ok();
    let last = page["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["actor"], &last["data"]["note"]), (&json!("carol"), &closed["note"]));
    for (who, verb) in [("carol", "done"), ("frank", "done"), ("frank", "retry")] {
        let path = format!("/v1/rotations/{id}/{verb}");
        let again = service.post(who, &path, done.clone()).await;
        // `retry` takes no body, and reads none.
        assert_eq!(again.refusal(), (409, "rotation_not_owed"), "{who} {verb}");
    }
    // A call that was under way ends nothing anew.
    let calls = receiver.calls().len();
    service.advance(3600);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(receiver.calls().len() <= calls + 1);
    assert_eq!(events(&service).await.len(), 2);
}

/// One who may approve the scope, and held the grant.
#[tokio::test(flavor = "multi_thread")]
async fn the_holder_says_nothing_of_a_rotation_of_their_own() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500, "", "down"));
    let service = with_one(&receiver, "").await;
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    let view = service.post("bob", "/v1/requests", body).await.ok();
    let request = view["id"].as_str().unwrap().to_owned();
    let view = service.act("carol", &request, "approve").await.ok();
    service.act("bob", &request, "token").await.ok();
    service.revoke("bob", view["grant"]["id"].as_str().unwrap()).await.ok();
    service.tick().await;
    let id = one(&service).await["id"].as_str().unwrap().to_owned();
    let done = json!({ "note": "changed in the console" });
    for verb in ["done", "retry"] {
        let path = format!("/v1/rotations/{id}/{verb}");
        let refused = service.post("bob", &path, done.clone()).await;
        assert_eq!(refused.refusal(), (403, "not_an_approver"), "{verb}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.starts_with("you held this grant"), "{detail}");
        assert_eq!(state(&service, &id).await, "owed");
    }
    // Who approved it may.
    let path = format!("/v1/rotations/{id}/done");
    service.post("carol", &path, done).await.ok();
    assert_eq!(state(&service, &id).await, "done");
}

/// A configuration without the hook: what is owed stays owed and is shown so, and no call is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_leaves_the_configuration_is_owed_and_not_called() {
    let receiver = Receiver::start();
    let first = service(&hook("orders", &receiver, ""), &[("orders:read", "orders")]).await;
    let (request, jti) = used(&first, &["orders:read"]).await;
    let folder = ended(first).await;
    let without = with_hooks(&folder, "", &[]);
    let service = Service::start_with(folder, &without, START + 1).await;
    tokio::spawn(keep_rotating(service.app.clone()));
    service.revoke("carol", &jti).await.ok();
    service.tick().await;
    let id = one(&service).await["id"].as_str().unwrap().to_owned();
    service.advance(3 * 86_400);
    service.tick().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(receiver.calls().len(), 0);
    let owed = one(&service).await;
    assert_eq!((&owed["state"], &owed["configured"]), (&json!("owed"), &json!(false)));
    assert_eq!((&owed["attempts"], &owed["request"]), (&json!(0), &json!(request)));
    // It comes back, and is called, however long that took.
    let back = with_hooks(
        &service.directory,
        &hook("orders", &receiver, ""),
        &[("orders:read", "orders")],
    );
    service.app.reconfigure(Config::parse(&back).unwrap());
    until(async || state(&service, &id).await == "done").await;
    assert_eq!(receiver.calls().len(), 1);
}

/// A clock that goes back owes nothing twice, and a time that it wrote far ahead holds up no call.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_owes_nothing_twice() {
    let receiver = Receiver::answering(|_, _| Reply::Status(500, "", ""));
    let service = with_one(&receiver, "").await;
    let id = owed(&service).await;
    until(async || !receiver.calls().is_empty()).await;
    for seconds in [-3600, 7200, -86_400] {
        service.step(seconds);
        service.tick().await;
        service.tick().await;
    }
    assert_eq!(events(&service).await.len(), 1);
    let database = service.database().await;
    let ahead = "UPDATE rotations SET next_at_ms = next_at_ms + 400 * 86400000 WHERE id = ?1";
    sqlx::query(ahead).bind(&id).execute(&database).await.unwrap();
    receiver.answers(|_, _| Reply::Status(200, "", ""));
    until(async || state(&service, &id).await == "done").await;
}
