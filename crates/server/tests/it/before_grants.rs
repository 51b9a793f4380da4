//! A database of the version before approvals were rows and events were written: each of its requests goes on to its end.

use serde_json::{Value, json};

use breakglass_testing::before;
use breakglass_testing::service::{Service, config};
use tempfile::TempDir;

/// When the last row of the dump was written, in seconds.
const MADE: i64 = 1_795_780_997;

const DAY: i64 = 86_400;

const LAPSED: &str = "req_01M8EE6Q3H93J39GQG2F3GM9R5";
const EXPIRED: &str = "req_01M8EE6Q3MQB3AP07XEG9C02NF";
const PENDING: &str = "req_01M8EE6WHJMGZ5YDHW3Z2PRT0R";
/// Approved, and its token was not taken.
const APPROVED: &str = "req_01M8EE6WHTQVN3H25SA8CJJM7F";
const APPROVED_GRANT: &str = "grant_01M8EE6WJ6A62EE1J47QNVJ163";
/// Approved, and its token was taken twice.
const TAKEN: &str = "req_01M8EE6WJ98T5B9RZ1N31ARKN5";
const TAKEN_GRANT: &str = "grant_01M8EE6WJV4HNWXBGWQN6E9695";
const REVOKED: &str = "req_01M8EE6WKQRA5QT4RBF809672R";
const DENIED: &str = "req_01M8EE6WNDHSD7604ZACBRFBBV";
const CANCELLED: &str = "req_01M8EE6WQ5FCTRXC96T0XTGMRP";

async fn service() -> Service {
    let directory = tempfile::tempdir().unwrap();
    before::restore(&directory.path().join("approvals.db"), before::GRANTS).await;
    let text = long(&directory);
    Service::start_with(directory, &text, MADE + 60).await
}

/// Scopes that were and can be asked for a day.
fn long(directory: &TempDir) -> String {
    config(directory)
        .replace("max_duration = \"1h\"", "max_duration = \"1day\"")
        .replace("max_duration = \"30m\"", "max_duration = \"1day\"")
}

async fn shown(service: &Service, id: &str) -> Value {
    service.get("grace", &format!("/v1/requests/{id}")).await.ok()
}

async fn listed(service: &Service, state: &str) -> Vec<String> {
    let list = service.get("grace", &format!("/v1/requests?state={state}")).await.ok();
    let requests = list["requests"].as_array().unwrap().iter();
    requests.map(|request| request["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_request_is_what_it_was() {
    let service = service().await;
    for (id, state) in [
        (LAPSED, "lapsed"),
        (EXPIRED, "expired"),
        (PENDING, "pending"),
        (APPROVED, "approved"),
        (TAKEN, "active"),
        (REVOKED, "revoked"),
        (DENIED, "denied"),
        (CANCELLED, "cancelled"),
    ] {
        assert_eq!(shown(&service, id).await["state"], state, "{id}");
    }
    let taken = shown(&service, TAKEN).await;
    let approval = &taken["grant"]["approvals"][0];
    assert_eq!((&approval["by"], &approval["digest"]), (&json!("carol"), &taken["digest"]));
    assert_eq!(taken["grant"]["approved_by"], "carol");
    assert_eq!(taken["grant"]["scopes"], json!(["orders:read", "orders:write"]));
    assert_eq!(taken["grant"].get("activate_by"), None);
    for (state, ids) in [
        ("approved", vec![TAKEN, APPROVED]),
        ("expired", vec![EXPIRED]),
        ("lapsed", vec![LAPSED]),
        ("pending", vec![PENDING]),
        ("revoked", vec![REVOKED]),
        ("denied", vec![DENIED]),
        ("cancelled", vec![CANCELLED]),
    ] {
        assert_eq!(listed(&service, state).await, ids, "{state}");
    }
}

#[tokio::test]
async fn each_request_is_carried_on_to_its_end() {
    let service = service().await;
    // No grant of before has to be activated in time.
    service.advance(3 * 3600);
    service.tick().await;
    assert_eq!(shown(&service, APPROVED).await["state"], "approved");
    let token = service.token(APPROVED).await;
    assert_eq!(shown(&service, APPROVED).await["state"], "active");
    assert_eq!(service.introspect(&token).await["active"], true);
    assert_eq!(service.introspect(&service.token(TAKEN).await).await["jti"], TAKEN_GRANT);

    service.act("carol", PENDING, "approve").await.ok();
    service.token(PENDING).await;
    for (id, verb, refusal) in [
        (LAPSED, "approve", (409, "not_pending")),
        (DENIED, "approve", (409, "not_pending")),
        (CANCELLED, "approve", (409, "not_pending")),
        (EXPIRED, "approve", (409, "not_pending")),
    ] {
        assert_eq!(service.act("carol", id, verb).await.refusal(), refusal, "{id}");
    }
    for (id, refusal) in [(REVOKED, (409, "grant_revoked")), (EXPIRED, (409, "grant_expired"))] {
        assert_eq!(service.act("alice", id, "token").await.refusal(), refusal, "{id}");
    }
    let revoked = service.revoke("carol", APPROVED_GRANT).await.ok();
    assert_eq!(revoked["epoch"], 2, "the feed goes on");
    assert_eq!(service.introspect(&token).await["active"], false);
    assert_eq!(service.kill("carol", json!({ "subject": "alice" })).await.ok()["revoked"], 2);
    service.advance(DAY);
    assert_eq!(listed(&service, "approved").await, [""; 0]);
}

#[tokio::test]
async fn what_happened_before_is_among_the_events() {
    let service = service().await;
    let store = service.app.store();
    let events = store.events_after(0, 1000).await.unwrap();
    let steps = service.trail().await;
    assert_eq!(events.len(), steps.len());
    let taken: Vec<(&str, Option<i64>)> = events
        .iter()
        .filter(|event| event.request_id.as_deref() == Some(TAKEN))
        .map(|event| (event.kind.as_str(), event.request_seq))
        .collect();
    assert_eq!(
        taken,
        [
            ("breakglass.request.submitted", Some(1)),
            ("breakglass.request.approved", Some(2)),
            ("breakglass.grant.activated", Some(3)),
            ("breakglass.grant.token_issued", Some(4)),
        ]
    );
    let last = store.last_event().await.unwrap();
    assert_eq!(last, events.last().unwrap().seq);
    service.act("carol", PENDING, "deny").await.ok();
    let new = store.events_after(last, 10).await.unwrap();
    assert_eq!((new.len(), new[0].seq, new[0].request_seq), (1, last + 1, Some(2)));
}

#[tokio::test]
async fn nothing_of_the_database_is_lost() {
    let service = service().await;
    let database = service.database().await;
    let wrong: Vec<(String, Option<i64>, String, i64)> =
        sqlx::query_as("PRAGMA foreign_key_check").fetch_all(&database).await.unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    let sound: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&database).await.unwrap();
    assert_eq!(sound, "ok");
    for (table, count) in [("requests", 8), ("approvals", 4), ("revocations", 1), ("audit", 18)] {
        let sql = format!("SELECT count(*) FROM {table}");
        let found: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&database).await.unwrap();
        assert_eq!(found, count, "{table}");
    }
}

/// Without an index each row that comes is compared with all: a migration of a million requests would not end.
#[tokio::test]
async fn each_reference_to_another_table_has_an_index() {
    let service = service().await;
    let database = service.database().await;
    let references: Vec<(String, String)> = sqlx::query_as(
        "SELECT tables.name, refers.\"from\" FROM sqlite_schema AS tables
         JOIN pragma_foreign_key_list(tables.name) AS refers WHERE tables.type = 'table'",
    )
    .fetch_all(&database)
    .await
    .unwrap();
    assert!(references.len() >= 6, "{references:?}");
    for (table, column) in references {
        let first: Vec<String> = sqlx::query_scalar(
            "SELECT columns.name FROM pragma_index_list(?1) AS indexes
             JOIN pragma_index_info(indexes.name) AS columns WHERE columns.seqno = 0",
        )
        .bind(&table)
        .fetch_all(&database)
        .await
        .unwrap();
        assert!(first.contains(&column), "{table}.{column}: {first:?}");
    }
}

/// What it needs was not fixed then: the rules of now say it, and without one the approvers of its scopes.
#[tokio::test]
async fn a_request_that_waits_takes_what_the_rules_ask_for_now() {
    let service = service().await;
    let text = long(&service.directory)
        + "[[approval_rules]]\nname = \"two\"\nscopes = [\"orders:read\"]\n\
           need = [{ from = [\"commanders\"], count = 2 }]\n";
    service.app.reconfigure(breakglass_server::config::Config::parse(&text).unwrap());
    service.act("carol", PENDING, "approve").await.ok();
    assert_eq!(shown(&service, PENDING).await["state"], "pending");
    service.act("frank", PENDING, "approve").await.ok();
    service.token(PENDING).await;
    // What was approved then stays so.
    service.token(APPROVED).await;
}
