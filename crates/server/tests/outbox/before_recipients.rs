//! Deliveries of the version before people were written to: they go on.

use std::path::Path;

use breakglass_server::clock::Moment;
use breakglass_server::sinks::Notice;
use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::START;
use serde_json::json;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;

use super::deliveries::{list, until_taken, webhook, with_sinks};
use super::people::start;

/// The migration of the version before.
const BEFORE: &str = "20261130100000_deliveries.sql";

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_before_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let migrations = tempfile::tempdir().unwrap();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-outbox");
    std::fs::copy(all.join(BEFORE), migrations.path().join(BEFORE)).unwrap();
    let url = format!("sqlite://{}/approvals-outbox.db?mode=rwc", directory.path().display());
    let database = SqlitePool::connect(&url).await.unwrap();
    Migrator::new(migrations.path()).await.unwrap().run(&database).await.unwrap();
    let now = START * 1000;
    for (id, state) in
        [("evt_1", "delivered"), ("evt_2", "due"), ("evt_3", "behind"), ("evt_4", "dead")]
    {
        let mut notice =
            Notice::example("breakglass.request.submitted", Moment::from_seconds(START));
        notice.id = id.to_owned();
        sqlx::query("INSERT INTO notices (id, queued_ms, notice) VALUES (?1, ?2, ?3)")
            .bind(id)
            .bind(now)
            .bind(serde_json::to_string(&notice).unwrap())
            .execute(&database)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO deliveries (event, sink, line, state, attempts, next_ms, queued_ms, ended_ms)
             VALUES (?1, 'siem', ?2, ?3, 1, ?4, ?4, iif(?3 IN ('delivered', 'dead'), ?4, NULL))",
        )
        .bind(id)
        .bind(notice.line())
        .bind(state)
        .bind(now)
        .execute(&database)
        .await
        .unwrap();
    }
    // The last one is gone, and its place is not given again.
    sqlx::query("DELETE FROM deliveries WHERE event = 'evt_4'").execute(&database).await.unwrap();
    sqlx::query("INSERT INTO sinks (name) VALUES ('siem')").execute(&database).await.unwrap();
    database.close().await;

    let receiver = Receiver::start();
    let text = with_sinks(&directory, &webhook("siem", &receiver, ""));
    let service = start(directory, &text, START).await;
    until_taken(&service, &receiver, 2).await;
    assert_eq!(
        receiver.taken().iter().map(|call| call.id()).collect::<Vec<_>>(),
        ["evt_2", "evt_3"]
    );
    let listed = list(&service, "").await;
    let events: Vec<_> =
        listed["deliveries"].as_array().unwrap().iter().map(|one| one["event"].clone()).collect();
    assert_eq!(events, [json!("evt_3"), json!("evt_2"), json!("evt_1")]);
    assert_eq!(listed["deliveries"][0].get("recipient"), None);
    service.pending().await;
    until_taken(&service, &receiver, 3).await;
    let path = service.directory.path().join("approvals-outbox.db");
    let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let last: i64 =
        sqlx::query_scalar("SELECT max(id) FROM deliveries").fetch_one(&database).await.unwrap();
    assert_eq!(last, 5);
}
