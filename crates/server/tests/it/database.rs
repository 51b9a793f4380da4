//! What the database refuses whatever the program does.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, SqlitePool};

use breakglass_testing::before;
use breakglass_testing::heads::{hash, head, listed};
use breakglass_testing::service::{Service, config};

async fn refused(database: &SqlitePool, sql: &str) -> String {
    match sqlx::query(AssertSqlSafe(sql)).execute(database).await {
        Ok(done) => panic!("{sql}: changed {} rows", done.rows_affected()),
        Err(error) => error.to_string(),
    }
}

async fn accepted(database: &SqlitePool, sql: &str) -> u64 {
    sqlx::query(AssertSqlSafe(sql)).execute(database).await.unwrap().rows_affected()
}

#[tokio::test]
async fn what_was_asked_is_frozen() {
    let service = Service::start().await;
    service.pending().await;
    let database = service.database().await;
    for column in [
        "id = 'x'",
        "requester = 'x'",
        "requester_roles = '[]'",
        "requester_groups = '[]'",
        "audience = 'x'",
        "scopes = '[\"orders:write\"]'",
        "reason = 'x'",
        "incident = 'x'",
        "emergency = 1",
        "duration_s = 9999",
        "submitted_at = 1",
        "lapses_at = 9999999999",
    ] {
        let error = refused(&database, &format!("UPDATE requests SET {column}")).await;
        assert!(error.contains("frozen at submission"), "{column}: {error}");
    }
    let error = refused(&database, "DELETE FROM requests").await;
    assert!(error.contains("requests are kept"), "{error}");
    let replace = "INSERT OR REPLACE INTO requests SELECT * FROM requests";
    let error = refused(&database, replace).await;
    assert!(error.contains("submitted once"), "{error}");
}

const GRANT: &str =
    "UPDATE requests SET approved_at = submitted_at + 1, jti = 'j', granted_scopes = scopes,
    expires_at = submitted_at + 1 + duration_s";

fn approval(approver: &str, position: i64) -> String {
    format!(
        "INSERT INTO approvals (request_id, position, approver, approved_at_ms)
         SELECT id, {position}, '{approver}', submitted_at * 1000 FROM requests"
    )
}

#[tokio::test]
async fn a_request_is_never_approved_by_its_requester() {
    let service = Service::start().await;
    service.pending().await;
    let database = service.database().await;
    for name in ["alice", " ALICE"] {
        let error = refused(&database, &approval(name, 1)).await;
        assert!(error.contains("self_approval"), "{error}");
    }
    let error = refused(&database, GRANT).await;
    assert!(error.contains("no grant without an approval"), "{error}");
    accepted(&database, &approval("carol", 1)).await;
    assert_eq!(accepted(&database, GRANT).await, 1);
}

#[tokio::test]
async fn a_grant_is_no_more_than_was_asked_for() {
    let service = Service::start().await;
    service.pending().await;
    let database = service.database().await;
    accepted(&database, &approval("carol", 1)).await;
    for (wider, words) in [
        ("granted_scopes = '[\"orders:read\", \"db:admin\"]'", "not asked for"),
        ("expires_at = submitted_at + 2 + duration_s", "no_longer_than_asked_for"),
        ("expires_at = submitted_at + 1", "no_longer_than_asked_for"),
        ("activate_by = submitted_at + 2 + duration_s", "activate_by"),
        ("granted_scopes = NULL", "grant_is_whole"),
        ("granted_scopes = '[]'", "granted_scopes"),
    ] {
        let column = wider.split(' ').next().unwrap();
        let rest: Vec<&str> = GRANT
            .trim_start_matches("UPDATE requests SET ")
            .split(", ")
            .filter(|part| !part.trim().starts_with(column))
            .collect();
        let sql = format!("UPDATE requests SET {}, {wider}", rest.join(", "));
        let error = refused(&database, &sql).await;
        assert!(error.contains(words), "{sql}: {error}");
    }
}

#[tokio::test]
async fn an_approval_is_of_a_pending_request_once_and_final() {
    let service = Service::start().await;
    service.approved().await;
    let database = service.database().await;
    for (sql, words) in [
        (approval("frank", 2), "only a pending request is approved"),
        ("UPDATE approvals SET approver = 'frank'".to_owned(), "an approval is final"),
        ("DELETE FROM approvals".to_owned(), "approvals are kept"),
        (
            "INSERT OR REPLACE INTO approvals SELECT * FROM approvals".to_owned(),
            "a person approves a request once",
        ),
    ] {
        let error = refused(&database, &sql).await;
        assert!(error.contains(words), "{sql}: {error}");
    }
    let service = Service::start().await;
    service.pending().await;
    let database = service.database().await;
    accepted(&database, &approval("carol", 1)).await;
    for (approver, position) in [("carol", 2), ("frank", 1)] {
        let error = refused(&database, &approval(approver, position)).await;
        assert!(error.contains("approves a request once"), "{error}");
    }
}

#[tokio::test]
async fn events_are_kept_in_the_order_of_their_places() {
    let service = Service::start().await;
    service.approved().await;
    let database = service.database().await;
    for (sql, words) in [
        ("UPDATE events SET actor = 'mallory'", "events are kept"),
        ("DELETE FROM events", "events are kept"),
        ("INSERT OR REPLACE INTO events SELECT * FROM events", "events are kept"),
        ("UPDATE positions SET event = 0", "places only grow"),
        ("UPDATE positions SET epoch = -1", "places only grow"),
        ("DELETE FROM positions", "places only grow"),
        (
            "INSERT INTO events (seq, id, time_ms, type, version, actor, drill, data)
             VALUES (3, 'evt_x', 1, 'breakglass.x', 1, 'mallory', 0, '{}')",
            "taken from `positions`",
        ),
    ] {
        let error = refused(&database, sql).await;
        assert!(error.contains(words), "{sql}: {error}");
    }
}

#[tokio::test]
async fn an_approval_is_whole_in_time_and_ends_when_it_must() {
    let service = Service::start().await;
    service.pending().await;
    let database = service.database().await;
    accepted(&database, &approval("carol", 1)).await;
    for (sql, constraint) in [
        ("SET approved_at = submitted_at", "grant_is_whole"),
        (
            "SET approved_at = lapses_at, jti = 'j', granted_scopes = scopes,
                expires_at = lapses_at + duration_s",
            "approved_before_lapse",
        ),
        ("SET denied_at = submitted_at, denied_by = 'carol'", "denial_is_whole"),
        ("SET denied_at = submitted_at, denied_by = 'alice', denial_reason = 'r'", "self_denial"),
        (
            "SET cancelled_at = submitted_at, denied_at = submitted_at, denied_by = 'carol',
                denial_reason = 'r'",
            "one_decision",
        ),
    ] {
        let error = refused(&database, &format!("UPDATE requests {sql}")).await;
        assert!(error.contains(constraint), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_decision_is_final() {
    let service = Service::start().await;
    service.approved().await;
    let database = service.database().await;
    for sql in [
        "UPDATE requests SET expires_at = expires_at + 60",
        "UPDATE requests SET granted_scopes = scopes",
        "UPDATE requests SET cancelled_at = 1",
        "UPDATE requests SET approved_at = NULL, granted_scopes = NULL, jti = NULL, expires_at = NULL",
        "UPDATE requests SET activate_by = NULL",
    ] {
        let error = refused(&database, sql).await;
        assert!(error.contains("decided once"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn the_trail_is_append_only() {
    let service = Service::start().await;
    service.approved().await;
    let database = service.database().await;
    for sql in [
        "UPDATE audit SET actor = 'mallory'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
    ] {
        let error = refused(&database, sql).await;
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(service.trail().await.len(), 2);
}

#[tokio::test]
async fn a_revocation_is_final() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    let database = service.database().await;
    for (sql, words) in [
        ("UPDATE revocations SET expires_at = 0", "a revocation is final"),
        ("DELETE FROM revocations", "revocations are kept"),
        ("INSERT OR REPLACE INTO revocations SELECT * FROM revocations", "revoked once"),
    ] {
        let error = refused(&database, sql).await;
        assert!(error.contains(words), "{sql}: {error}");
    }
}

/// A change without its audit row, or without its event, does not happen.
#[tokio::test]
async fn a_change_its_row_in_the_trail_and_its_event_are_one() {
    for table in ["audit", "events"] {
        without(table).await;
    }
}

async fn without(table: &str) {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let waiting = service.pending().await;
    let database = service.database().await;
    accepted(
        &database,
        &format!(
            "CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        ),
    )
    .await;
    for (who, verb) in [("carol", "approve"), ("carol", "deny"), ("alice", "cancel")] {
        let answer = service.act(who, &waiting, verb).await;
        assert_eq!(answer.refusal(), (500, "internal_error"), "{verb}");
        assert!(!answer.body["detail"].as_str().unwrap().contains("disk full"));
    }
    assert_eq!(service.revoke("carol", &jti).await.refusal(), (500, "internal_error"));
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (500, "internal_error"));
    let show = |id: String| {
        let service = &service;
        async move { service.get("alice", &format!("/v1/requests/{id}")).await.ok() }
    };
    assert_eq!(show(waiting).await["state"], "pending");
    assert_eq!(show(id).await["state"], "approved");
}

/// The service on a database that an earlier version made: `sqlite3 .dump` of it.
async fn on_database(dump: &'static str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    before::restore(&path, dump).await;
    let text = config(&directory);
    Service::start_with(directory, &text, MADE + 60).await
}

/// When the reports in the dump came, in seconds.
const MADE: i64 = 1_795_684_582;

#[tokio::test]
async fn the_heads_of_the_version_before_have_owners() {
    let service = on_database(before::OWNERS).await;
    let (a, b, made_by_envoy) =
        ("a".repeat(32), "b".repeat(32), "0001020304050607d3c51138e79a428c".to_owned());
    let shown = |head: &Value| {
        ["chain", "proxy", "seq", "conflict", "proof", "owner"].map(|name| head[name].clone())
    };
    let heads = listed(&service, "").await;
    let row = |chain: &str, proxy: &str, seq: i64, conflict: Option<&str>, owner: Option<&str>| {
        let proof = if owner.is_some() { "disputed" } else { "first_report" };
        [json!(chain), json!(proxy), json!(seq), json!(conflict), json!(proof), json!(owner)]
    };
    assert_eq!(
        heads.iter().map(shown).collect::<Vec<_>>(),
        [
            row(&a, "envoy", 3, None, None),
            row(&a, "envoy", 5, None, None),
            row(&a, "envoy", 4, Some("goes_back"), None),
            row(&a, "other", 9, Some("other_node"), Some("envoy")),
            row(&b, "envoy", 7, None, None),
            row(&made_by_envoy, "other", 2, None, None),
            row(&made_by_envoy, "envoy", 1, Some("other_node"), Some("other")),
        ]
    );
    for head in &heads {
        assert_eq!((&head["process"], &head["seen_at"]), (&Value::Null, &head["reported_at"]));
    }
    // Where each chain was, with the counts of all its reports.
    let before = listed(&service, "?since=2026-11-27T00:00:00Z").await;
    assert_eq!(
        before.iter().map(|head| (&head["seq"], &head["grants"])).collect::<Vec<_>>(),
        [
            (&json!(5), &json!({ "g1": 3, "g2": 1, "g3": 1 })),
            (&json!(9), &json!({ "g1": 9 })),
            (&json!(7), &json!({})),
            (&json!(2), &json!({})),
            (&json!(1), &json!({ "g4": 1 })),
        ]
    );
    // What comes now is judged by what was there: a repeated head, one after the end, and one that proves
    // whose chain it is.
    let mut known = head(5, 'b');
    known["chain"] = json!(a);
    let mut after_end = head(8, '1');
    after_end["chain"] = json!(b);
    let mut own = head(2, '2');
    own["chain"] = json!(made_by_envoy);
    let body = json!({ "node": "n1", "heads": [known, after_end, own] });
    let answer = service.post("envoy", "/v1/audit/heads", body).await.ok();
    assert_eq!(answer, json!({ "accepted": 3, "conflicts": 1 }));
    let heads = listed(&service, "").await;
    assert_eq!(heads.len(), 9);
    assert_eq!(heads[1]["hash"], hash('b'));
    assert_ne!(heads[1]["seen_at"], heads[1]["reported_at"]);
    assert_eq!((&heads[7]["seq"], &heads[7]["conflict"]), (&json!(8), &json!("after_end")));
    let proofs: Vec<_> =
        [5, 6, 8].map(|index| (&heads[index]["proof"], &heads[index]["owner"])).into();
    let (disputed, proven) = (json!("disputed"), json!("proven"));
    assert_eq!(
        proofs,
        [(&disputed, &json!("envoy")), (&proven, &Value::Null), (&proven, &Value::Null)]
    );
}
