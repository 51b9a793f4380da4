//! Epochs that are given again: each has a tag, and a reader with another one gets everything.

use serde_json::{Value, json};
use sqlx::SqlitePool;

use breakglass_testing::service::{START, Service, config};

fn query(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    format!("?after={}&tag={}&feed={}", answer["epoch"], text("tag"), text("feed"))
}

async fn revoke_one(service: &Service) -> String {
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    jti
}

fn grants(answer: &Value) -> Vec<&str> {
    answer["revoked"].as_array().unwrap().iter().map(|one| one["jti"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_reader_with_the_tag_goes_on_and_with_another_reads_everything() {
    let service = Service::start().await;
    let none = service.feed("").await.ok();
    assert_eq!(none["tag"], none["feed"], "before the first revocation");
    assert_eq!(service.feed(&query(&none)).await.ok()["reset"], false);
    revoke_one(&service).await;
    let first = service.feed("").await.ok();
    revoke_one(&service).await;
    let last = service.feed("").await.ok();
    assert_ne!(first["tag"], last["tag"]);
    for (place, news) in [(&none, 2), (&first, 1), (&last, 0)] {
        let answer = service.feed(&query(place)).await.ok();
        assert_eq!((&answer["reset"], grants(&answer).len()), (&json!(false), news), "{place}");
        assert_eq!(answer["tag"], last["tag"]);
    }
    let long = "x".repeat(300);
    for tag in [first["tag"].as_str().unwrap(), "", "0000000000000000", "'", long.as_str()] {
        let answer = service.feed(&format!("?after=2&wait=25s&tag={tag}")).await.ok();
        assert_eq!((&answer["reset"], grants(&answer).len()), (&json!(true), 2), "{tag}");
    }
    // It has confirmed nothing by that, and an older filter says none.
    let proxies = service.get("erin", "/v1/proxies").await.ok();
    assert_eq!(proxies["proxies"][0]["epoch"], 0);
    assert_eq!(service.feed("?after=2").await.ok()["reset"], false);
}

/// A copy of the database as it is.
async fn backup(service: &Service) {
    let into = service.directory.path().join("backup.db");
    sqlx::query("VACUUM INTO ?1")
        .bind(into.to_str().unwrap())
        .execute(&service.database().await)
        .await
        .unwrap();
}

/// The service on the backup.
async fn restored(service: Service) -> Service {
    service.app.store().close().await;
    let Service { directory, .. } = service;
    let at = |name: &str| directory.path().join(name);
    for name in ["approvals.db-wal", "approvals.db-shm"] {
        let _ = std::fs::remove_file(at(name));
    }
    std::fs::rename(at("backup.db"), at("approvals.db")).unwrap();
    let text = config(&directory);
    Service::start_with(directory, &text, START + 1).await
}

#[tokio::test]
async fn a_restored_database_gives_epochs_again_and_a_reader_learns_of_all() {
    for again in 0..4 {
        let service = Service::start().await;
        revoke_one(&service).await;
        let shared = service.feed("").await.ok();
        backup(&service).await;
        revoke_one(&service).await;
        revoke_one(&service).await;
        let known = service.feed("").await.ok();
        assert_eq!(known["epoch"], 3);
        let service = restored(service).await;
        let mut revoked: Vec<String> = Vec::new();
        for _ in 0..again {
            revoked.push(revoke_one(&service).await);
        }
        let answer = service.feed(&query(&known)).await.ok();
        assert_eq!(answer["feed"], known["feed"], "nobody gave it a new one");
        assert_eq!((&answer["reset"], &answer["epoch"]), (&json!(true), &json!(1 + again)));
        let told = grants(&answer);
        assert!(revoked.iter().all(|jti| told.contains(&jti.as_str())), "{again}: {answer}");
        // Who knows no more than the backup goes on.
        let answer = service.feed(&query(&shared)).await.ok();
        assert_eq!((&answer["reset"], grants(&answer).len()), (&json!(false), revoked.len()));
    }
}

/// Commits are lost, and others made in their place, between two looks of a service that runs.
#[tokio::test]
async fn a_running_service_notices_that_its_epochs_were_given_again() {
    let service = Service::start().await;
    let kept = revoke_one(&service).await;
    revoke_one(&service).await;
    let known = service.feed("").await.ok();
    let (_, other) = service.approved().await;
    let (_, another) = service.approved().await;
    let database = service.database().await;
    let sql = format!(
        "BEGIN IMMEDIATE;
         DROP TRIGGER revocations_kept;
         DELETE FROM revocations WHERE epoch = 2;
         UPDATE sqlite_sequence SET seq = 1 WHERE name = 'revocations';
         INSERT INTO revocations (jti, revoked_at_ms, revoked_by, reason, expires_at)
         SELECT jti, 1, 'carol', 'r', expires_at FROM requests WHERE jti IN ('{other}', '{another}');
         COMMIT"
    );
    // One connection: a transaction.
    let mut connection = database.acquire().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
    let floor = service.app.floor();
    service.app.feed().look(service.app.store(), floor).await.unwrap();
    let answer = service.feed(&query(&known)).await.ok();
    assert_eq!((&answer["reset"], &answer["epoch"]), (&json!(true), &json!(3)));
    let mut told = grants(&answer);
    told.sort_unstable();
    let mut all = [kept.as_str(), &other, &another];
    all.sort_unstable();
    assert_eq!(told, all);
}

#[tokio::test]
async fn a_tag_is_given_once_to_whoever_revokes() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    let database: SqlitePool = service.database().await;
    sqlx::query(
        "INSERT INTO revocations (jti, revoked_at_ms, revoked_by, reason, expires_at)
         SELECT jti, 1, 'by hand', 'r', expires_at FROM requests WHERE jti = ?1",
    )
    .bind(&jti)
    .execute(&database)
    .await
    .unwrap();
    revoke_one(&service).await;
    let tags: Vec<String> =
        sqlx::query_scalar("SELECT tag FROM revocations").fetch_all(&database).await.unwrap();
    assert!(tags.iter().all(|tag| tag.len() == 16) && tags[0] != tags[1], "{tags:?}");
    for change in ["tag = 'x'", "tag = ''", "reason = 'other'", "expires_at = 1"] {
        let update = sqlx::AssertSqlSafe(format!("UPDATE revocations SET {change}"));
        let refused = sqlx::query(update).execute(&database).await.unwrap_err();
        assert!(refused.to_string().contains("a revocation is final"), "{change}: {refused}");
    }
}

/// What an earlier version revoked has tags from now on.
#[tokio::test]
async fn what_was_revoked_before_gets_tags() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("approvals.db").display());
    let database = SqlitePool::connect(&url).await.unwrap();
    sqlx::raw_sql(breakglass_testing::before::OWNERS).execute(&database).await.unwrap();
    let sql = format!(
        "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes,
             reason, emergency, duration_s, submitted_at, lapses_at)
         SELECT 'req_' || value, 'alice', '[]', '[]', 'prod', '[\"orders:read\"]', 'r', 0, 1800,
             {START}, {START} + 60 FROM json_each('[1, 2, 3]');
         UPDATE requests SET approved_at = submitted_at, approved_by = 'carol',
             jti = 'grant_' || id, expires_at = submitted_at + duration_s;
         INSERT INTO revocations (jti, revoked_at_ms, revoked_by, reason, expires_at)
         SELECT jti, 1, 'carol', 'r', expires_at FROM requests"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&database).await.unwrap();
    database.close().await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, START).await;
    let tags: Vec<String> = sqlx::query_scalar("SELECT DISTINCT tag FROM revocations")
        .fetch_all(&service.database().await)
        .await
        .unwrap();
    assert_eq!(tags.iter().filter(|tag| tag.len() == 16).count(), 3, "{tags:?}");
    let all = service.feed("").await.ok();
    assert_eq!((&all["epoch"], grants(&all).len()), (&json!(3), 3));
    assert_eq!(service.feed(&query(&all)).await.ok()["reset"], false);
    assert_eq!(service.feed("?after=2").await.ok()["reset"], false, "an older filter");
}
