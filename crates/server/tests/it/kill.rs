//! `POST /v1/revocations`: the kill switch.

use serde_json::{Value, json};

use breakglass_testing::grants;
use breakglass_testing::service::{START, Service, config};

async fn state(service: &Service, who: &str, id: &str) -> Value {
    service.get(who, &format!("/v1/requests/{id}")).await.ok()["state"].clone()
}

#[tokio::test]
async fn revokes_what_matches_in_one_go_and_a_second_time_nothing() {
    let service = Service::start().await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        expected.push(service.approved().await.1);
    }
    let waiting = service.pending().await;
    service.pending_for(&["db:admin"]).await;
    service.advance(60);
    let answer = service.kill("carol", json!({ "subject": "alice" })).await.ok();
    expected.sort_unstable();
    assert_eq!(
        answer,
        json!({
            "revoked": 3, "grants": expected, "epoch": 3, "not_yours": 0, "look_alikes": [],
            "latest_expires_at": "2026-11-22T02:43:00Z",
            "earliest_approved_at": "2026-11-22T02:13:00Z",
        })
    );
    assert_eq!(state(&service, "alice", &waiting).await, "pending", "it is not touched");
    let again = service.kill("carol", json!({ "subject": "alice" })).await.ok();
    assert_eq!(
        again,
        json!({
            "revoked": 0, "grants": [], "epoch": 3, "not_yours": 0, "look_alikes": [],
            "latest_expires_at": null, "earliest_approved_at": null,
        })
    );
    let feed = service.feed("").await.ok();
    let listed: Vec<&Value> =
        feed["revoked"].as_array().unwrap().iter().map(|entry| &entry["jti"]).collect();
    assert_eq!(listed, expected.iter().collect::<Vec<_>>());
    assert_eq!(service.counter(r#"breakglass_changes_total{action="revoke"}"#).await, 3);
}

#[tokio::test]
async fn each_grant_has_its_row_in_the_trail() {
    let service = Service::start().await;
    let (first, second) = (service.approved().await, service.approved().await);
    service.kill("carol", json!({ "all": true })).await.ok();
    let rows: Vec<(i64, String, String, String, String)> = sqlx::query_as(
        "SELECT at_ms, actor, request_id, jti, detail FROM audit WHERE action = 'revoke'
         ORDER BY json_extract(detail, '$.epoch')",
    )
    .fetch_all(&service.database().await)
    .await
    .unwrap();
    let mut expected = [first, second];
    expected.sort_unstable_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(rows.len(), 2);
    for (index, (row, (id, jti))) in rows.iter().zip(&expected).enumerate() {
        assert_eq!((row.0, row.1.as_str()), (START * 1000, "carol"));
        assert_eq!((&row.2, &row.3), (id, jti));
        let detail: Value = serde_json::from_str(&row.4).unwrap();
        let matched = json!({ "all": true });
        assert_eq!(
            detail,
            json!({ "reason": "keys leaked", "match": matched, "epoch": index + 1 })
        );
    }
}

#[tokio::test]
async fn matches_by_grant_incident_and_scope() {
    let service = Service::start().await;
    let with_incident = async |incident: &str| {
        let body = json!({
            "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": incident,
        });
        let view = service.post("alice", "/v1/requests", body).await.ok();
        let id = view["id"].as_str().unwrap().to_owned();
        service.act("carol", &id, "approve").await.ok()["grant"]["id"].clone()
    };
    let seven = with_incident("INC-7").await;
    let eight = with_incident("INC-8").await;
    let write = service.grant("carol", &["orders:write"]).await;
    let both = service.grant("carol", &["orders:read", "orders:write"]).await;
    for (what, expected) in [
        (json!({ "incident": "INC-70" }), vec![]),
        (json!({ "scope": "orders" }), vec![]),
        (json!({ "incident": "INC-7" }), vec![seven]),
        (json!({ "grant": write }), vec![json!(write)]),
        (json!({ "scope": "orders:write" }), vec![json!(both)]),
        (json!({ "scope": "orders:read" }), vec![eight]),
    ] {
        let answer = service.kill("carol", what.clone()).await;
        if what == json!({ "scope": "orders" }) {
            assert_eq!(answer.refusal(), (400, "scope_unknown"), "a misspelt scope");
            continue;
        }
        assert_eq!(answer.ok()["grants"], Value::from(expected), "{what}");
    }
}

#[tokio::test]
async fn a_grant_whose_token_was_not_issued_is_revoked_too() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    assert_eq!(service.kill("carol", json!({ "all": true })).await.ok()["revoked"], 1);
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "grant_revoked"));
}

#[tokio::test]
async fn what_is_over_longer_than_a_clock_can_be_wrong_is_left() {
    let service = Service::start().await;
    let (_, first) = service.approved().await;
    service.advance(60);
    let (_, second) = service.approved().await;
    service.advance(1800);
    let answer = service.kill("carol", json!({ "all": true })).await.ok();
    assert_eq!(answer["grants"], json!([second]));
    // By our clock: it is listed because a filter's may be slow.
    assert_eq!(answer["had_ended"], 1);
    // Who names it means it.
    let over = service.kill("carol", json!({ "grant": first })).await.ok();
    assert_eq!((&over["revoked"], &over["had_ended"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn incident_and_scope_revoke_what_the_caller_may_and_tell_of_the_rest() {
    let service = Service::start().await;
    let body = |scope: &str| json!({ "scopes": [scope], "reason": "r", "duration": "30m", "incident": "INC-7" });
    for (scope, approver) in [("orders:read", "carol"), ("db:admin", "dave")] {
        let view = service.post("alice", "/v1/requests", body(scope)).await.ok();
        service.act(approver, view["id"].as_str().unwrap(), "approve").await.ok();
    }
    let what = json!({ "incident": "INC-7" });
    assert_eq!(service.kill("erin", what.clone()).await.refusal(), (403, "not_an_approver"));
    let answer = service.kill("dave", what.clone()).await.ok();
    assert_eq!((&answer["revoked"], &answer["not_yours"]), (&json!(1), &json!(1)));
    assert_eq!(service.kill("dave", what.clone()).await.refusal(), (403, "not_an_approver"));
    assert_eq!(service.kill("alice", what).await.ok()["revoked"], 1, "the holder's own");
}

#[tokio::test]
async fn subject_and_all_take_the_right_to_approve_everything_that_matches() {
    let service = Service::start().await;
    let orders = service.grant("carol", &["orders:read"]).await;
    service.advance(1);
    let mixed = service.grant("frank", &["orders:read", "db:admin"]).await;
    for what in [json!({ "all": true }), json!({ "subject": "alice" })] {
        for who in ["carol", "dave", "erin"] {
            let answer = service.kill(who, what.clone()).await;
            assert_eq!(answer.refusal(), (403, "not_an_approver"), "{who} {what}");
            let detail = answer.body["detail"].as_str().unwrap();
            assert_eq!(detail.contains("db:admin"), who != "dave", "{detail}");
            assert_eq!(detail.contains("orders:read"), who != "carol", "{detail}");
        }
    }
    assert_eq!(service.feed("").await.ok()["epoch"], 0, "nothing is revoked half way");
    let answer = service.kill("frank", json!({ "all": true })).await.ok();
    assert_eq!(answer["grants"], json!([orders, mixed]));
    service.approved().await;
    let own = service.kill("alice", json!({ "subject": "alice" })).await.ok();
    assert_eq!(own["revoked"], 1, "what is hers she can give back");
}

#[tokio::test]
async fn a_scope_that_is_gone_keeps_no_approver_from_revoking_all() {
    let service = Service::start().await;
    service.grant("dave", &["db:admin"]).await;
    let changed = config(&service.directory).replace("db:admin", "db:root");
    let service = Service::start_with(service.directory, &changed, START).await;
    let all = json!({ "all": true });
    assert_eq!(service.kill("erin", all.clone()).await.refusal(), (403, "not_an_approver"));
    assert_eq!(service.kill("carol", all).await.ok()["revoked"], 1);
}

#[tokio::test]
async fn says_what_is_wrong_and_is_for_people() {
    let service = Service::start().await;
    service.approved().await;
    for what in [
        json!({}),
        json!({ "all": false }),
        json!({ "all": true, "subject": "alice" }),
        json!({ "grant": "g", "scope": "orders:read" }),
        json!({ "subject": "" }),
        json!({ "subject": "alic" }),
        json!({ "everything": true }),
    ] {
        let answer = service.kill("carol", what.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{what}");
    }
    let silent = service.post("carol", "/v1/revocations", json!({ "all": true })).await;
    assert_eq!(silent.refusal(), (400, "invalid_request"));
    let all = json!({ "all": true });
    assert_eq!(service.kill("envoy", all.clone()).await.refusal(), (403, "people_only"));
    assert_eq!(service.kill("nobody", all).await.refusal(), (401, "credential_unknown"));
    let unknown = service.kill("carol", json!({ "grant": "g" })).await;
    assert_eq!(unknown.refusal(), (404, "grant_unknown"));
    assert_eq!(service.feed("").await.ok()["epoch"], 0);
}

#[tokio::test]
async fn the_list_of_ids_is_bounded_and_the_count_is_not() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    grants::copies(&service, &id, 1200).await;
    grants::approve_all(&service).await;
    let answer = service.kill("carol", json!({ "all": true })).await.ok();
    assert_eq!((&answer["revoked"], &answer["epoch"]), (&json!(1201), &json!(1201)));
    assert_eq!(answer["grants"].as_array().unwrap().len(), 1000);
    assert_eq!(service.feed("").await.ok()["revoked"].as_array().unwrap().len(), 1201);
}

/// All of it or nothing: the last row in the trail cannot be written.
#[tokio::test]
async fn nothing_is_revoked_half_way() {
    let service = Service::start().await;
    service.approved().await;
    service.approved().await;
    sqlx::query(
        "CREATE TRIGGER full BEFORE INSERT ON audit WHEN json_extract(NEW.detail, '$.epoch') = 2
         BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    )
    .execute(&service.database().await)
    .await
    .unwrap();
    let answer = service.kill("carol", json!({ "all": true })).await;
    assert_eq!(answer.refusal(), (500, "internal_error"));
    assert_eq!(service.feed("").await.ok()["epoch"], 0);
}

/// The requester chose the spelling, and an older version took any.
#[tokio::test]
async fn finds_every_spelling_and_names_those_that_are_not_as_asked() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let database = service.database().await;
    let spellings =
        ["INC-4711", "inc-4711", "INC-4711 ", "INC-\u{200b}4711", "\u{406}NC-4711", "INC-4712"];
    for (index, spelling) in spellings.iter().enumerate() {
        sqlx::query(
            "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience,
                 scopes, reason, incident, emergency, duration_s, submitted_at, lapses_at)
             SELECT 'req_' || ?2, ?4, requester_roles, requester_groups, audience, scopes, reason,
                 ?3, emergency, duration_s, submitted_at, lapses_at FROM requests WHERE id = ?1",
        )
        .bind(&id)
        .bind(i64::try_from(index).unwrap())
        .bind(spelling)
        .bind(if index == 5 { "\u{410}lice" } else { "alice" })
        .execute(&database)
        .await
        .unwrap();
    }
    grants::approve_all(&service).await;
    let answer = service.kill("carol", json!({ "incident": "INC-4711" })).await.ok();
    assert_eq!(answer["revoked"], 5, "{answer}");
    let one = |name: &str| json!({ "name": name, "revoked": 1, "not_yours": 0 });
    assert_eq!(
        answer["look_alikes"],
        json!([one("INC-4711 "), one("INC-\u{200b}4711"), one("inc-4711"), one("\u{406}NC-4711")])
    );
    let answer = service.kill("carol", json!({ "scope": "Orders:Read", "grant": null })).await.ok();
    assert_eq!(
        answer["look_alikes"],
        json!([{ "name": "orders:read", "revoked": 2, "not_yours": 0 }])
    );
    let answer = service.kill("carol", json!({ "subject": "ALICE" })).await.ok();
    assert_eq!((&answer["revoked"], &answer["look_alikes"]), (&json!(0), &json!([])));
}
