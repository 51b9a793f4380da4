//! A database of the version before incidents were checked: its requests and grants go on, and new ones are checked.

use std::borrow::Cow;

use breakglass_testing::service::{START, Service};
use serde_json::json;
use sqlx::SqlitePool;

use crate::incidents::{asked, checking, pass, tracker, view};

/// The last migration of the version before.
const LAST: i64 = 20_261_130_120_000;

#[tokio::test]
async fn what_was_asked_before_goes_on_without_a_check() {
    let (tracker, _) = tracker();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    let mut migrator = sqlx::migrate!("./migrations");
    let before = migrator.migrations.iter().filter(|one| one.version <= LAST).cloned();
    migrator.migrations = Cow::Owned(before.collect());
    migrator.run(&pool).await.unwrap();
    sqlx::query(
        "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes, reason, incident, emergency,
             duration_s, submitted_at, lapses_at, submitted_with)
         VALUES ('req_before', 'alice', '[]', '[\"oncall\"]', 'prod', '[\"orders:read\"]', 'r', 'closed', 0, 1800, ?1, ?1 + 600, ?2)",
    )
    .bind(START)
    .bind(breakglass_server::auth::identity::digest("x").as_slice())
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let text = checking(&directory, &tracker, "until_closed = true");
    let service = Service::start_with(directory, &text, START + 10).await;
    let shown = view(&service, "req_before").await;
    assert_eq!((&shown["state"], shown.get("incident_check")), (&json!("pending"), None));
    assert_eq!(pass(&service, 60).await, 0, "it is not asked for");
    service.act("carol", "req_before", "deny").await.ok();
    let id = asked(&service, "open").await;
    assert_eq!(view(&service, &id).await["incident_check"]["verdict"], "open");
    // An answer is kept: it is not taken back, and not removed.
    let database = service.database().await;
    for (statement, words) in [
        ("UPDATE incident_checks SET verdict = 'silent'", "silence is no answer"),
        ("DELETE FROM incident_checks", "is kept"),
    ] {
        let error = sqlx::query(statement).execute(&database).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
