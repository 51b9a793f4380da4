//! The requester is told that five minutes of a grant are left, and that it is over: once each.

use std::borrow::Cow;

use breakglass_server::domain::tell_ends;
use breakglass_server::store::check::Part;
use breakglass_testing::copies::{copy, ended};
use breakglass_testing::grants;
use breakglass_testing::service::{START, Service, config};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use crate::database_check::{checked, edit, texts};

/// The types and `data` of the events of a request's grant that the time wrote, in order.
async fn told(service: &Service, id: &str) -> Vec<(String, Value)> {
    let events = service.app.store().events_after(0, 5000).await.unwrap();
    let of = events.into_iter().filter(|event| {
        let is_end = event.kind.ends_with(".ending") || event.kind.ends_with(".expired");
        event.request_id.as_deref() == Some(id) && is_end
    });
    of.map(|event| {
        assert_eq!((event.actor.as_str(), event.jti.is_some()), ("service", true));
        (event.kind.replace("breakglass.grant.", ""), event.data)
    })
    .collect()
}

async fn words(service: &Service, id: &str) -> Vec<String> {
    told(service, id).await.into_iter().map(|(kind, _)| kind).collect()
}

/// An active grant of 30 minutes.
async fn active(service: &Service) -> (String, String) {
    let (id, jti) = service.approved().await;
    service.token(&id).await;
    (id, jti)
}

/// An active grant of so many seconds, by an approval of less.
async fn shorter(service: &Service, seconds: i64) -> String {
    let id = service.pending().await;
    let body = json!({ "digest": service.digest(&id).await, "duration": format!("{seconds}s") });
    service.post("carol", &format!("/v1/requests/{id}/approve"), body).await.ok();
    service.token(&id).await;
    id
}

/// A grant of alice's that goes on with that of the request `of`.
async fn extension(service: &Service, of: &str) -> String {
    let body = json!({
        "scopes": ["orders:read"], "reason": "more", "duration": "30m", "extends": of,
    });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    let id = view["id"].as_str().unwrap().to_owned();
    let view = service.act("carol", &id, "approve").await.ok();
    assert_eq!(view["grant"]["revoked"], Value::Null);
    id
}

#[tokio::test]
async fn five_minutes_before_its_end_and_at_its_end_the_requester_is_told_once() {
    let service = Service::start().await;
    let (id, _) = active(&service).await;
    let expires_at = json!({ "expires_at": "2026-11-22T02:43:00Z" });
    for (seconds, expected) in [
        (1499, &[][..]),
        (1, &["ending"]),
        (1, &["ending"]),
        (298, &["ending"]),
        (1, &["ending", "expired"]),
        (3600, &["ending", "expired"]),
    ] {
        service.advance(seconds);
        service.tick().await;
        service.tick().await;
        let told = told(&service, &id).await;
        let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, expected, "{seconds}");
        assert!(told.iter().all(|(_, data)| *data == expires_at), "{told:?}");
    }
    assert_eq!(service.get("alice", &format!("/v1/requests/{id}")).await.ok()["state"], "expired");
    let steps: Vec<String> = service.trail().await.into_iter().map(|(_, step)| step).collect();
    assert_eq!(steps[steps.len() - 2..], ["remind", "expire"]);
}

#[tokio::test]
async fn of_a_grant_that_is_short_revoked_left_lying_or_extended_no_one_is_told_that_it_ends_soon()
{
    let service = Service::start().await;
    let (revoked, jti) = active(&service).await;
    service.revoke("alice", &jti).await.ok();
    let (lying, _) = service.approved().await;
    let (short, long) = (shorter(&service, 600).await, shorter(&service, 601).await);
    service.advance(301);
    service.tick().await;
    assert_eq!(words(&service, &short).await, [""; 0]);
    assert_eq!(words(&service, &long).await, ["ending"]);
    let (extended, _) = active(&service).await;
    service.advance(1400);
    let later = extension(&service, &extended).await;
    service.advance(100);
    service.tick().await;
    assert_eq!(words(&service, &extended).await, [""; 0], "it goes on");
    service.advance(300);
    service.tick().await;
    let expected =
        [(&short, 1), (&long, 2), (&extended, 1), (&revoked, 0), (&lying, 0), (&later, 0)];
    for (id, count) in expected {
        let told = words(&service, id).await;
        assert_eq!(told.len(), count, "{told:?}");
        assert_eq!(told.last().map(String::as_str), (count > 0).then_some("expired"));
    }
}

#[tokio::test]
async fn an_extension_that_ended_keeps_no_requester_from_being_told() {
    let service = Service::start().await;
    let (id, _) = active(&service).await;
    service.advance(1490);
    let later = extension(&service, &id).await;
    service.advance(20);
    service.tick().await;
    assert_eq!(words(&service, &id).await, [""; 0]);
    let view = service.get("alice", &format!("/v1/requests/{later}")).await.ok();
    service.revoke("carol", view["grant"]["id"].as_str().unwrap()).await.ok();
    service.tick().await;
    assert_eq!(words(&service, &id).await, ["ending"]);
}

#[tokio::test]
async fn a_grant_that_is_over_can_be_revoked_and_both_are_told() {
    let service = Service::start().await;
    let (id, jti) = active(&service).await;
    service.advance(1800);
    service.tick().await;
    service.revoke("carol", &jti).await.ok();
    service.tick().await;
    assert_eq!(words(&service, &id).await, ["expired"], "the reminder came too late");
    assert_eq!(service.get("alice", &format!("/v1/requests/{id}")).await.ok()["state"], "revoked");
    assert!(checked(&service.directory).await.is_clean());
}

#[tokio::test]
async fn a_clock_that_goes_back_repeats_nothing() {
    let service = Service::start().await;
    let (id, _) = active(&service).await;
    service.advance(1500);
    service.tick().await;
    service.advance(300);
    service.tick().await;
    service.step(-1700);
    let service = service.restart_accepting().await.unwrap();
    assert_eq!(service.get("alice", &format!("/v1/requests/{id}")).await.ok()["state"], "active");
    for _ in 0..3 {
        service.advance(700);
        service.tick().await;
    }
    assert_eq!(words(&service, &id).await, ["ending", "expired"]);
    assert!(checked(&service.directory).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_tell_each_end_once() {
    let first = Service::start().await;
    let text = config(&first.directory);
    let second = Service::start_with(tempfile::tempdir().unwrap(), &text, START + 1).await;
    for _ in 0..20 {
        active(&first).await;
    }
    for seconds in [1500, 300] {
        for service in [&first, &second] {
            service.advance(seconds);
        }
        let apps = [&first.app, &second.app, &first.app, &second.app];
        let told = apps.map(|app| {
            let app = app.clone();
            tokio::spawn(async move { tell_ends(&app, app.now()).await.unwrap() })
        });
        let mut sum = 0;
        for one in told {
            sum += one.await.unwrap();
        }
        assert_eq!(sum, 20);
    }
    let events = first.app.store().events_after(0, 5000).await.unwrap();
    for kind in ["breakglass.grant.ending", "breakglass.grant.expired"] {
        assert_eq!(events.iter().filter(|event| event.kind == kind).count(), 20, "{kind}");
    }
}

#[tokio::test]
async fn where_there_is_nothing_to_tell_no_lock_is_taken() {
    let service = Service::start().await;
    active(&service).await;
    let (_, jti) = active(&service).await;
    service.revoke("carol", &jti).await.ok();
    service.advance(1500);
    service.tick().await;
    let path = service.app.config().database.display().to_string();
    let mut other = SqliteConnection::connect(&format!("sqlite://{path}")).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    service.advance(1);
    assert_eq!(tell_ends(&service.app, service.app.now()).await.unwrap(), 0);
    service.advance(299);
    let busy = tell_ends(&service.app, service.app.now()).await;
    assert!(busy.is_err(), "now there is something, and another process has the lock");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(tell_ends(&service.app, service.app.now()).await.unwrap(), 1);
    // The one that was revoked was noted with it.
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert_eq!(tell_ends(&service.app, service.app.now()).await.unwrap(), 0);
}

#[tokio::test]
async fn many_grants_are_told_of_in_steps() {
    let service = Service::start().await;
    let (id, _) = active(&service).await;
    grants::copies(&service, &id, 1200).await;
    grants::approve_all(&service).await;
    service.advance(1800);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(tell_ends(&service.app, service.app.now()).await.unwrap());
    }
    assert_eq!(told, [500, 500, 201, 0]);
}

#[tokio::test]
async fn marks_and_events_are_compared_by_the_check() {
    let service = Service::start().await;
    active(&service).await;
    for _ in 0..2 {
        service.advance(900);
        service.tick().await;
    }
    let (id, _) = active(&service).await;
    service.advance(1500);
    service.tick().await;
    assert_eq!(words(&service, &id).await, ["ending"]);
    let folder = ended(service).await;
    assert!(checked(&copy(folder.path())).await.is_clean());
    let place = "the trail has `breakglass.grant.";
    let gone = "the database says that it happened, and the trail has no";
    for (sql, what) in [
        (
            "UPDATE requests SET expired_at = 0 WHERE expired_at > 0",
            format!("{place}expired` of it"),
        ),
        (
            "UPDATE requests SET expired_at = expired_at + 1 WHERE expired_at > 0",
            "differ in `time`".to_owned(),
        ),
        (
            "UPDATE requests SET reminded_at = NULL WHERE reminded_at > 0",
            format!("{place}ending` of it"),
        ),
        (
            "UPDATE requests SET reminded_at = 7 WHERE reminded_at IS NULL",
            format!("{gone} `breakglass.grant.ending`"),
        ),
        (
            "UPDATE requests SET expired_at = 7 WHERE expired_at IS NULL",
            format!("{gone} `breakglass.grant.expired`"),
        ),
        (
            "UPDATE events SET data = '{\"expires_at\":\"2026-11-22T02:43:01Z\"}' WHERE type = 'breakglass.grant.expired'",
            "differ in `expires_at`".to_owned(),
        ),
    ] {
        let directory = copy(folder.path());
        edit(&directory, sql).await;
        let report = checked(&directory).await;
        let found = texts(&report, Part::Requests);
        assert!(found.iter().any(|text| text.contains(&what)), "{sql}  {what}: {report:#?}");
    }
}

#[tokio::test]
async fn the_database_keeps_each_mark() {
    let service = Service::start().await;
    let (id, _) = active(&service).await;
    let (lying, _) = service.approved().await;
    let waiting = service.pending().await;
    for _ in 0..2 {
        service.advance(900);
        service.tick().await;
    }
    let database = service.database().await;
    for (change, of) in [
        ("expired_at = NULL", &id),
        ("expired_at = 1", &id),
        ("reminded_at = 1", &id),
        ("reminded_at = 1", &waiting),
        ("expired_at = 1", &waiting),
        ("reminded_at = 1", &lying),
    ] {
        let sql = format!("UPDATE requests SET {change} WHERE id = ?1");
        let result = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(of).execute(&database).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains("once") || error.contains("lapsed"), "{change}: {error}");
    }
}

/// The last migration of the version before.
const LAST: i64 = 20_261_129_120_000;

/// A database of the version before: a grant that was over when it last wrote down the time, one that was revoked then, and one
/// that holds. Each was approved for 30 minutes, so many seconds after `START`.
async fn make(pool: &SqlitePool) {
    let mut migrator = sqlx::migrate!("./migrations");
    let before = migrator.migrations.iter().filter(|one| one.version <= LAST).cloned();
    migrator.migrations = Cow::Owned(before.collect());
    migrator.run(pool).await.unwrap();
    for (id, after) in [("req_over", 0), ("req_revoked", 60), ("req_holds", 1200)] {
        sqlx::query(
            "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes, reason, emergency,
                 duration_s, submitted_at, lapses_at)
             VALUES (?1, 'alice', '[]', '[\"oncall\"]', 'payments-prod', '[\"orders:read\"]', 'r', 0, 1800, ?2, ?2 + 900)",
        )
        .bind(id)
        .bind(START + after)
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO approvals (request_id, position, approver, approved_at_ms) VALUES (?1, 1, 'carol', ?2 * 1000)",
        )
        .bind(id)
        .bind(START + after)
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "UPDATE requests SET approved_at = submitted_at, jti = 'g_' || id, granted_scopes = scopes,
                 expires_at = submitted_at + duration_s, activate_by = submitted_at + 900,
                 activated_at = submitted_at WHERE id = ?1",
        )
        .bind(id)
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
             VALUES (?2 * 1000, 'alice', 'issue_token', ?1, 'g_' || ?1, '{}')",
        )
        .bind(id)
        .bind(START + after)
        .execute(pool)
        .await
        .unwrap();
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "UPDATE positions SET epoch = 1;
         INSERT INTO revocations (epoch, jti, revoked_at_ms, revoked_by, reason, expires_at)
         SELECT 1, jti, submitted_at * 1000, 'carol', 'r', expires_at FROM requests WHERE id = 'req_revoked';
         INSERT INTO clock (only_row, boot, steady_ms, offset_ms, ahead_ms, newest_ms, floor_ms, audit_seq, trail_seq)
         VALUES (1, '', 0, 0, 0, {newest}, {newest}, 0, 0)",
        newest = (START + 1900) * 1000
    )))
    .execute(pool)
    .await
    .unwrap();
    pool.close().await;
}

#[tokio::test]
async fn what_ended_before_this_version_is_not_told_and_what_holds_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    make(&SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap())
        .await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, START + 1910).await;
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT seq, action FROM audit ORDER BY seq")
        .fetch_all(&service.database().await)
        .await
        .unwrap();
    assert_eq!(rows, [1, 2, 3].map(|seq| (seq, "issue_token".to_owned())), "the trail of before");
    for seconds in [800, 300] {
        service.advance(seconds);
        service.tick().await;
    }
    assert_eq!(words(&service, "req_over").await, [""; 0]);
    assert_eq!(words(&service, "req_revoked").await, [""; 0]);
    assert_eq!(words(&service, "req_holds").await, ["ending", "expired"]);
    let new: Vec<i64> = sqlx::query_scalar("SELECT seq FROM audit WHERE seq > 3 ORDER BY seq")
        .fetch_all(&service.database().await)
        .await
        .unwrap();
    assert_eq!(new, [4, 5]);
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
}
