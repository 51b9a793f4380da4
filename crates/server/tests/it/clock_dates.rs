//! What was dated by a wrong clock, and what follows from the time alone.

use serde_json::json;

use crate::clock::HOUR;
use breakglass_server::domain::lapse;
use breakglass_testing::service::{Answer, Service, config};
use breakglass_testing::{before, grants};

/// The service ran with a clock that was ahead since the machine was started, and then it is set right.
#[tokio::test]
async fn what_was_dated_ahead_neither_begins_early_nor_lasts_longer() {
    let service = Service::start().await;
    let service = service.reboot(300, 2 * HOUR).await;
    let (id, jti) = service.approved().await;
    let token = service.token(&id).await;
    let waiting = service.pending().await;
    service.step(-2 * HOUR);
    service.tick().await;
    assert!(service.app.trusted_now().is_err());
    assert_eq!(service.introspect(&token).await["active"], false);
    let service = service.restart_accepting().await.unwrap();
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "grant_not_begun"));
    assert_eq!(service.introspect(&token).await["active"], false);
    // How long it may still wait is not known: it has lapsed.
    let state = |who: Answer| who.ok()["state"].clone();
    let path = format!("/v1/requests/{waiting}");
    assert_eq!(state(service.get("alice", &path).await), "lapsed");
    assert_eq!(service.act("carol", &waiting, "approve").await.refusal(), (409, "not_pending"));
    // It begins when it was approved, and ends when it was to end.
    service.advance(2 * HOUR - 6);
    assert_eq!(service.introspect(&token).await["active"], false);
    service.advance(6);
    assert_eq!(service.introspect(&token).await["active"], true);
    service.token(&id).await;
    assert_eq!(state(service.get("alice", &path).await), "lapsed", "for good");
    service.advance(1800);
    assert_eq!(service.introspect(&token).await["active"], false);
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "grant_expired"));
    service.revoke("carol", &jti).await.ok();
}

#[tokio::test]
async fn a_request_whose_time_ran_out_stays_so() {
    let service = Service::start().await;
    let waiting = service.pending().await;
    let other = service.pending().await;
    service.act("carol", &other, "approve").await.ok();
    service.token(&other).await;
    service.advance(600);
    service.tick().await;
    service.step(-600);
    let path = format!("/v1/requests/{waiting}");
    let service = service.restart_accepting().await.unwrap();
    assert_eq!(service.get("alice", &path).await.ok()["state"], "lapsed");
    for (who, verb) in [("carol", "approve"), ("carol", "deny"), ("alice", "cancel")] {
        assert_eq!(
            service.act(who, &waiting, verb).await.refusal(),
            (409, "not_pending"),
            "{verb}"
        );
    }
    // The database says so too.
    let database = service.database().await;
    for change in [
        "approved_at = submitted_at, jti = 'j', granted_scopes = scopes, expires_at = submitted_at + duration_s",
        "denied_at = 1, denied_by = 'carol', denial_reason = 'r'",
        "cancelled_at = 1",
        "lapsed_at = NULL",
    ] {
        let change = format!("UPDATE requests SET {change} WHERE id = ?1");
        let result =
            sqlx::query(sqlx::AssertSqlSafe(change)).bind(&waiting).execute(&database).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains("lapsed") || error.contains("without an approval"), "{error}");
    }
    let approval = "INSERT INTO approvals (request_id, position, approver, approved_at_ms) VALUES (?1, 1, 'carol', 1)";
    let error = sqlx::query(approval).bind(&waiting).execute(&database).await.unwrap_err();
    assert!(error.to_string().contains("only a pending request"), "{error}");
    let late = sqlx::query("UPDATE requests SET lapsed_at = 1 WHERE id = ?1").bind(&other);
    let late = late.execute(&database).await.unwrap_err().to_string();
    assert!(late.contains("lapsed_or_decided"), "{late}");
}

#[tokio::test]
async fn requests_lapse_in_steps() {
    let service = Service::start().await;
    let id = service.pending().await;
    grants::copies(&service, &id, 1200).await;
    service.advance(600);
    let mut marked = Vec::new();
    for _ in 0..4 {
        let now = service.app.now();
        marked.push(lapse(&service.app, now).await.unwrap());
    }
    assert_eq!(marked, [500, 500, 201, 0]);
}

/// When the rows in the dump were made, in seconds.
const MADE: i64 = 1_795_695_178;

#[tokio::test]
async fn the_requests_of_the_version_before_are_what_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    before::make(&path, before::CLOCK).await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, MADE + 60).await;
    let listed = service.get("alice", "/v1/requests").await.ok();
    let states: Vec<&str> = listed["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["cancelled", "denied", "revoked", "approved", "pending", "lapsed"]);
    let lapsed: Vec<i64> =
        sqlx::query_scalar("SELECT lapsed_at FROM requests WHERE lapsed_at IS NOT NULL")
            .fetch_all(&service.database().await)
            .await
            .unwrap();
    assert_eq!(lapsed, [MADE + 60], "the one whose time was over");
    let waiting = listed["requests"][4]["id"].as_str().unwrap();
    service.act("carol", waiting, "deny").await.ok();
    let answer = service.kill("carol", json!({ "all": true })).await.ok();
    assert_eq!(answer["revoked"], 1);
    let feed = service.feed("").await.ok();
    assert_eq!(
        (&feed["feed"], &feed["epoch"]),
        (&json!("31d652d34bc6efadcb519b63d23bd908"), &json!(2))
    );
}
