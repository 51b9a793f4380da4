//! A database of the version before emergencies: its requests and grants were for other people to approve, and stay so.

use std::borrow::Cow;

use breakglass_testing::service::{START, Service, config};
use serde_json::json;
use sqlx::SqlitePool;

/// The last migration of the version before.
const LAST: i64 = 20_261_130_150_000;

#[tokio::test]
async fn what_was_asked_before_is_approved_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    let mut migrator = sqlx::migrate!("./migrations");
    let before = migrator.migrations.iter().filter(|one| one.version <= LAST).cloned();
    migrator.migrations = Cow::Owned(before.collect());
    migrator.run(&pool).await.unwrap();
    let insert = "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes, reason, incident,
             emergency, duration_s, submitted_at, lapses_at, submitted_with)
         VALUES (?3, 'alice', '[]', '[\"oncall\"]', 'prod', '[\"orders:read\"]', 'r', 'INC-1', 1, 1800, ?1, ?1 + 600, ?2)";
    for id in ["req_pending", "req_granted"] {
        let insert = sqlx::query(insert).bind(START);
        let credential = breakglass_server::auth::identity::digest("x");
        insert.bind(credential.as_slice()).bind(id).execute(&pool).await.unwrap();
    }
    sqlx::query(
        "INSERT INTO audit (at_ms, actor, action, request_id, detail) VALUES (1, 'alice', 'submit', 'req_granted', '{}')",
    )
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO approvals (request_id, position, approver, approved_at_ms) VALUES ('req_granted', 1, 'carol', ?1)")
        .bind(START * 1000)
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query(
        "UPDATE requests SET approved_at = ?1, jti = 'grant_before', granted_scopes = scopes, expires_at = ?1 + 1800,
             activate_by = ?1 + 900 WHERE id = 'req_granted'",
    )
    .bind(START)
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, START + 10).await;
    let granted = service.get("alice", "/v1/requests/req_granted").await.ok();
    assert_eq!(
        (&granted["state"], &granted["grant"]["basis"]),
        (&json!("approved"), &json!("approved"))
    );
    assert_eq!(
        (&granted["grant"]["approved_by"], granted.get("in_emergency")),
        (&json!("carol"), None)
    );
    let pending = service.get("alice", "/v1/requests/req_pending").await.ok();
    assert_eq!((&pending["state"], pending.get("in_emergency")), (&json!("pending"), None));
    let database = service.database().await;
    let all: Vec<String> = sqlx::query_scalar("SELECT DISTINCT basis FROM requests")
        .fetch_all(&database)
        .await
        .unwrap();
    assert_eq!(all, ["approved"]);
    let kept: Vec<(i64, String)> =
        sqlx::query_as("SELECT at_ms, action FROM audit").fetch_all(&database).await.unwrap();
    assert_eq!(kept, [(1, "submit".to_owned())], "the trail's rows are kept when it is made anew");
    for (statement, words) in [
        ("UPDATE audit SET actor = 'x'", "append-only"),
        ("DELETE FROM audit", "append-only"),
        (
            "INSERT INTO audit (at_ms, actor, action, request_id, detail) VALUES (1, 'x', 'other', 'req_granted', '{}')",
            "CHECK",
        ),
    ] {
        let error = sqlx::query(statement).execute(&database).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
