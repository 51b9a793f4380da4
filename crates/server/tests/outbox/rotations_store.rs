//! What the database keeps of rotations, whoever writes: each is owed once and done once.

use breakglass_server::domain::owe_rotations;
use breakglass_server::store::check::{Part, check};
use breakglass_testing::before;
use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::{START, Service};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::rotations::{SKEW_S, events, hook, list, state, used, with_hooks, with_one};

/// When the last row of the dump was written, in seconds.
const MADE: i64 = 1_795_780_997;
/// A request of the dump whose token was taken, and one whose token was not.
const TAKEN: (&str, &str) = ("req_01M8EE6WJ98T5B9RZ1N31ARKN5", "grant_01M8EE6WJV4HNWXBGWQN6E9695");
const APPROVED: (&str, &str) =
    ("req_01M8EE6WHTQVN3H25SA8CJJM7F", "grant_01M8EE6WJ6A62EE1J47QNVJ163");

#[tokio::test(flavor = "multi_thread")]
async fn the_database_keeps_what_is_owed() {
    let service = with_one(&Receiver::start(), "").await;
    let (_, jti) = used(&service, &["orders:read"]).await;
    let database = service.database().await;
    let fails = async |sql: &str, why: &str| {
        let error = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&database).await;
        let error = error.expect_err(sql).to_string();
        assert!(error.contains(why), "{sql}: {error}");
    };
    // While the grant holds.
    fails(
        "UPDATE rotations SET done_at_ms = 1, done_by = 'x', next_at_ms = NULL",
        "owed_before_it_ends",
    )
    .await;
    fails("UPDATE rotations SET hook = 'other'", "owed once").await;
    fails("DELETE FROM rotations", "rotations are kept").await;
    fails("DELETE FROM rotation_lists", "rotations are kept").await;
    fails(
        "INSERT OR REPLACE INTO rotations (id, request_id, jti, hook, scopes, next_at_ms)
         SELECT id, request_id, jti, hook, scopes, 0 FROM rotations",
        "rotations are kept",
    )
    .await;
    fails(
        "INSERT INTO rotations (id, request_id, jti, hook, scopes, next_at_ms, owed_at_ms, tried_since_ms)
         SELECT 'rot_x', request_id, jti, 'x', scopes, 0, 1, 1 FROM rotations",
        "once its grant has ended",
    )
    .await;
    fails(
        "INSERT INTO rotations (id, request_id, jti, hook, scopes, next_at_ms)
         SELECT 'rot_x', request_id, jti, hook, scopes, 0 FROM rotations",
        "UNIQUE",
    )
    .await;
    service.revoke("carol", &jti).await.ok();
    service.tick().await;
    fails("UPDATE rotations SET owed_at_ms = NULL, tried_since_ms = NULL", "owed once").await;
    fails("UPDATE rotations SET owed_at_ms = owed_at_ms + 1", "owed once").await;
    fails("UPDATE rotations SET next_at_ms = NULL", "goes_on_or_not").await;
    let id = list(&service, "grace", "").await["rotations"][0]["id"].clone();
    super::deliveries::until(async || state(&service, id.as_str().unwrap()).await == "done").await;
    fails("UPDATE rotations SET note = 'x'", "done once").await;
}

/// A person who can write the file marks what is owed as done: `breakglass database check` finds it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_trail_does_not_say_of_a_rotation_is_found() {
    let service = with_one(&Receiver::start(), "").await;
    let id = super::rotations::owed(&service).await;
    super::deliveries::until(async || state(&service, &id).await == "done").await;
    let config = service.app.config();
    let findings = async || {
        let report = check(&config).await.unwrap();
        let of = report.findings.into_iter().filter(|one| one.part == Part::Requests);
        of.map(|one| one.what).collect::<Vec<_>>()
    };
    assert_eq!(findings().await, Vec::<String>::new());
    let database = service.database().await;
    sqlx::query("DROP TRIGGER rotations_once").execute(&database).await.unwrap();
    for (sql, expected) in [
        ("UPDATE rotations SET done_by = 'carol'", "the trail has no `breakglass.rotation.done`"),
        (
            "UPDATE rotations SET done_by = NULL, done_at_ms = NULL, next_at_ms = 0",
            "the trail has `breakglass.rotation.done` at place",
        ),
        ("UPDATE rotations SET owed_at_ms = 1", "the trail has no `breakglass.rotation.owed`"),
    ] {
        sqlx::query(sql).execute(&database).await.unwrap();
        let found = findings().await;
        assert!(found.iter().any(|one| one.contains(expected)), "{sql}: {found:?}");
    }
}

/// Two processes, or two looks of one, that find the same grant ended.
#[tokio::test(flavor = "multi_thread")]
async fn several_looks_at_once_owe_each_rotation_once() {
    let receiver = Receiver::start();
    let directory = tempfile::tempdir().unwrap();
    let text = with_hooks(&directory, &hook("orders", &receiver, ""), &[("orders:read", "orders")]);
    let service = Service::start_with(directory, &text, START).await;
    for _ in 0..5 {
        used(&service, &["orders:read"]).await;
        service.advance(1);
    }
    service.advance(1800 + SKEW_S);
    let look = || owe_rotations(&service.app, service.app.now());
    let (one, two, three) = tokio::join!(look(), look(), look());
    let owed: usize = [one, two, three].into_iter().map(Result::unwrap).sum();
    assert_eq!(owed, 5);
    assert_eq!(events(&service).await.len(), 5);
}

/// What was used before this version, or before its scope had a hook, owes nothing; what is used from now on does.
#[tokio::test(flavor = "multi_thread")]
async fn grants_of_a_database_of_before_owe_nothing_unless_they_are_used_from_now_on() {
    let receiver = Receiver::start();
    let directory = tempfile::tempdir().unwrap();
    before::restore(&directory.path().join("approvals.db"), before::GRANTS).await;
    let scopes = ["orders:read", "orders:write", "db:admin", "staging:read"];
    let scopes = scopes.map(|scope| (scope, "all"));
    let text = with_hooks(&directory, &hook("all", &receiver, ""), &scopes)
        .replace("max_duration = \"1h\"", "max_duration = \"1day\"")
        .replace("max_duration = \"30m\"", "max_duration = \"1day\"");
    let service = Service::start_with(directory, &text, MADE + 60).await;
    service.token(TAKEN.0).await;
    service.token(APPROVED.0).await;
    for (_, jti) in [TAKEN, APPROVED] {
        service.revoke("alice", jti).await.ok();
    }
    service.tick().await;
    let listed = list(&service, "grace", "").await;
    let grants: Vec<&Value> =
        listed["rotations"].as_array().unwrap().iter().map(|one| &one["grant"]).collect();
    assert_eq!(grants, [&json!(APPROVED.1)]);
    // The trail of before is there, and goes on.
    let page = service.get("grace", &format!("/v1/audit/requests?grant={}", TAKEN.1)).await.ok();
    let trail = page["requests"][0]["trail"].as_array().unwrap();
    let steps: Vec<&str> = trail.iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(steps.first(), Some(&"submit"));
    assert_eq!(steps.last(), Some(&"revoke"));
}
