//! People who are no longer in the configuration lose what they hold.

use breakglass_server::config::Config;
use breakglass_server::domain::{Ended, end_holders};
use serde_json::{Value, json};

use breakglass_testing::credentials::{replace_credential, without};
use breakglass_testing::service::{START, Service, config};

fn remove(service: &Service, name: &str, extra: &str) {
    let text = format!("{extra}{}", without(&config(&service.directory), name));
    service.app.reconfigure(Config::parse(&text).unwrap());
}

async fn state(service: &Service, id: &str) -> Value {
    service.get("frank", &format!("/v1/requests/{id}")).await.ok()
}

#[tokio::test]
async fn a_person_who_left_loses_grants_and_pending_requests() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let token = service.token(&id).await;
    let (unused, _) = service.approved().await;
    let pending = service.pending().await;
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    let others = service.post("bob", "/v1/requests", body).await.ok();
    let others = others["id"].as_str().unwrap();

    assert_eq!(end_holders(&service.app).await.unwrap(), Ended::default());
    remove(&service, "alice", "");
    let ended = end_holders(&service.app).await.unwrap();
    assert_eq!(ended, Ended { people: vec!["alice".into()], revoked: 2, cancelled: 1 });

    for id in [&id, &unused] {
        let view = state(&service, id).await;
        assert_eq!(
            (&view["state"], &view["grant"]["revoked"]["by"]),
            (&json!("revoked"), &json!("service"))
        );
        assert_eq!(view["grant"]["revoked"]["reason"], "holder_left");
    }
    assert_eq!(state(&service, &pending).await["state"], "cancelled");
    assert_eq!(state(&service, others).await["state"], "pending");
    assert_eq!(service.introspect(&token).await["active"], false);
    let feed = service.feed("").await.ok();
    assert!(feed["revoked"].as_array().unwrap().iter().any(|entry| entry["jti"] == jti.as_str()));

    let found = service.get("grace", &format!("/v1/audit/requests?grant={jti}")).await.ok();
    let last = found["requests"][0]["trail"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["actor"], &last["action"]), (&json!("service"), &json!("revoke")));
    assert_eq!(last["detail"]["reason"], "holder_left");
    assert_eq!(last["detail"]["match"], json!({ "subject": "alice" }));
    let acts = service.get("grace", "/v1/audit/service").await.ok();
    assert_eq!(acts["acts"].as_array().unwrap().len(), 1);
    let act = &acts["acts"][0];
    assert_eq!((&act["actor"], &act["action"]), (&json!("service"), &json!("holder_left")));
    assert_eq!(
        act["detail"],
        json!({ "people": ["alice"], "count": 1, "revoked": 2, "cancelled": 1 })
    );

    // Once.
    assert_eq!(end_holders(&service.app).await.unwrap(), Ended::default());
    // Whoever comes back asks again.
    replace_credential(&service, "alice", "alice-2");
    assert_eq!(service.act("alice-2", &id, "token").await.refusal(), (403, "credential_changed"));
}

#[tokio::test]
async fn another_spelling_of_the_name_is_another_person() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let text = config(&service.directory).replace("name = \"alice\"", "name = \"Alice\"");
    service.app.reconfigure(Config::parse(&text).unwrap());
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (403, "not_the_requester"));
    let ended = end_holders(&service.app).await.unwrap();
    assert_eq!((ended.people, ended.revoked), (vec!["alice".to_owned()], 1));
}

#[tokio::test]
async fn they_keep_them_where_the_configuration_says_so() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    remove(&service, "alice", "keep_grants_of_leavers = true\n");
    let ended = end_holders(&service.app).await.unwrap();
    assert_eq!(ended, Ended { people: vec!["alice".into()], revoked: 0, cancelled: 0 });
    assert_eq!(state(&service, &id).await["state"], "approved");
    assert_eq!(service.get("grace", "/v1/audit/service").await.ok()["acts"], json!([]));
}

#[tokio::test]
async fn what_an_approver_who_leaves_has_approved_goes_on_where_it_is_in_use() {
    let service = Service::start().await;
    let (used, _) = service.approved().await;
    service.token(&used).await;
    let (unused, _) = service.approved().await;
    remove(&service, "carol", "");
    assert_eq!(end_holders(&service.app).await.unwrap(), Ended::default());
    assert_eq!(state(&service, &used).await["state"], "active");
    service.token(&used).await;
    // An account that was taken away may have been a thief's: what it approved begins no more.
    assert_eq!(state(&service, &unused).await["state"], "approved");
    let refused = service.act("alice", &unused, "token").await;
    assert_eq!(refused.refusal(), (403, "no_longer_allowed"));
}

/// More than one step of the kill switch, and people by the thousand.
#[tokio::test]
async fn many_grants_of_many_people_end_in_bounded_steps() {
    let service = Service::start().await;
    let database = service.database().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1300)
         INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes,
             reason, emergency, duration_s, submitted_at, lapses_at)
         SELECT 'r' || i, CASE WHEN i > 1200 THEN 'bob' ELSE 'left' || (i % 2) END, '[]', '[]', 'prod',
             '[\"orders:read\"]', 'r', 0, 3600, {START}, {START} + 600 FROM n;
         INSERT INTO approvals (request_id, position, approver, approved_at_ms)
         SELECT id, 1, 'carol', submitted_at * 1000 FROM requests;
         UPDATE requests SET approved_at = submitted_at, jti = 'g' || id, granted_scopes = scopes,
             expires_at = submitted_at + duration_s;"
    )))
    .execute(&database)
    .await
    .unwrap();
    let ended = end_holders(&service.app).await.unwrap();
    assert_eq!((ended.people.len(), ended.revoked, ended.cancelled), (2, 1200, 0));
    assert_eq!(service.feed("").await.ok()["revoked"].as_array().unwrap().len(), 1200);
}

/// A failure half way leaves nothing half done, and the next call does the rest.
#[tokio::test]
async fn what_failed_is_done_by_the_next_call() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    remove(&service, "alice", "");
    let database = service.database().await;
    sqlx::raw_sql(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    .execute(&database)
    .await
    .unwrap();
    assert!(end_holders(&service.app).await.is_err());
    assert_eq!(state(&service, &id).await["state"], "approved");
    sqlx::raw_sql("DROP TRIGGER full").execute(&database).await.unwrap();
    assert_eq!(end_holders(&service.app).await.unwrap().revoked, 1);
}

/// That somebody has left ends access: no clock keeps it.
#[tokio::test]
async fn no_clock_keeps_the_grants_of_people_who_left() {
    for step in [7200, -7200, 365 * 86_400, i64::MIN] {
        let service = Service::start().await;
        let (id, _) = service.approved().await;
        let waits = service.pending().await;
        match step {
            i64::MIN => service.lose_the_clock(),
            step => service.step(step),
        }
        remove(&service, "alice", "");
        let ended = end_holders(&service.app).await.unwrap();
        assert_eq!((ended.revoked, ended.cancelled), (1, 1), "{step}");
        assert_eq!(state(&service, &id).await["state"], "revoked", "{step}");
        assert_eq!(state(&service, &waits).await["state"], "cancelled", "{step}");
    }
}

/// To find them takes no look at all that ever was.
#[tokio::test]
async fn the_holders_are_found_by_indexes() {
    let service = Service::start().await;
    let database = service.database().await;
    for (index, condition) in [
        ("requests_by_end", "jti IS NOT NULL AND expires_at > 1"),
        (
            "requests_undecided",
            "approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapses_at > 1",
        ),
        (
            "requests_undecided (requester=? AND lapses_at>?)",
            "approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
                AND requester = 'a' AND lapses_at > 1",
        ),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT requester FROM requests WHERE {condition}");
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&database).await.unwrap();
        assert!(plan.iter().all(|(.., step)| step.contains(index)), "{index}: {plan:?}");
    }
}
