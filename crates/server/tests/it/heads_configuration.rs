//! A chain's first head names the configuration under which the chain is written: it is kept, listed as long as the chain
//! is, and never replaced.

use breakglass_server::clock::{Moment, rfc3339};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use breakglass_testing::before;
use breakglass_testing::credentials::proxy;
use breakglass_testing::heads::{CHAIN, hash, head, listed};
use breakglass_testing::service::{START, Service, config, token_of};

/// When the database of the version before was made, in seconds.
const MADE: i64 = 1_795_778_467;

fn under(seq: i64, digit: char, configuration: char) -> Value {
    let mut head = head(seq, digit);
    head["configuration"] = json!(hash(configuration));
    head
}

async fn report(service: &Service, head: Value) -> i64 {
    let body = json!({ "node": "n1", "heads": [head] });
    let answer = service.post("envoy", "/v1/audit/heads", body).await.ok();
    answer["conflicts"].as_i64().unwrap()
}

/// Number, configuration and conflict of each head.
fn short(heads: &[Value]) -> Vec<(i64, Option<char>, Option<&str>)> {
    let configuration = |head: &Value| {
        let digest = head.get("configuration")?.as_str().unwrap();
        assert_eq!(digest.len(), 64);
        digest.chars().next()
    };
    let seq = |head: &Value| head["seq"].as_i64().unwrap();
    heads.iter().map(|head| (seq(head), configuration(head), head["conflict"].as_str())).collect()
}

#[tokio::test]
async fn what_the_first_head_names_is_said_of_every_head_of_the_chain() {
    let service = Service::start().await;
    assert_eq!(report(&service, under(3, 'a', 'c')).await, 0);
    service.advance(10);
    assert_eq!(report(&service, head(5, 'b')).await, 0);
    let mut other = head(1, 'e');
    other["chain"] = json!("f".repeat(32));
    assert_eq!(report(&service, other).await, 0);
    let expected = [(3, Some('c'), None), (5, Some('c'), None), (1, None, None)];
    assert_eq!(short(&listed(&service, "").await), expected);
    // The head from before, which did not name it itself, for a log that begins later.
    service.advance(10);
    let since = format!("?since={}", rfc3339(START + 15));
    assert_eq!(short(&listed(&service, &since).await), [(5, Some('c'), None), (1, None, None)]);
}

#[tokio::test]
async fn a_head_that_is_reported_again_adds_nothing() {
    let service = Service::start().await;
    for _ in 0..3 {
        assert_eq!(report(&service, under(3, 'a', 'c')).await, 0);
    }
    // As another VM repeats it, and once more as its own.
    assert_eq!(report(&service, head(3, 'a')).await, 0);
    assert_eq!(report(&service, under(3, 'a', 'c')).await, 0);
    assert_eq!(short(&listed(&service, "").await), [(3, Some('c'), None)]);
}

#[tokio::test]
async fn a_head_that_names_it_after_one_that_did_not_is_kept_and_contradicts_nothing() {
    let service = Service::start().await;
    assert_eq!(report(&service, head(3, 'a')).await, 0);
    for _ in 0..2 {
        assert_eq!(report(&service, under(3, 'a', 'c')).await, 0);
    }
    assert_eq!(
        short(&listed(&service, "").await),
        [(3, Some('c'), None), (3, Some('c'), None)],
        "the chain's configuration is known from then on"
    );
}

#[tokio::test]
async fn a_second_configuration_is_a_conflict_and_does_not_replace_the_first() {
    let service = Service::start().await;
    assert_eq!(report(&service, under(3, 'a', 'c')).await, 0);
    // With the same number and hash, with a higher number, and with what is worse.
    for _ in 0..2 {
        report(&service, under(3, 'a', 'd')).await;
    }
    assert_eq!(report(&service, under(5, 'b', 'd')).await, 1);
    assert_eq!(report(&service, under(5, 'e', 'd')).await, 1);
    assert_eq!(report(&service, under(4, 'e', 'd')).await, 1);
    assert_eq!(report(&service, head(6, 'f')).await, 0);
    assert_eq!(report(&service, under(7, 'f', 'c')).await, 0);
    assert_eq!(
        short(&listed(&service, "").await),
        [
            (3, Some('c'), None),
            (3, Some('d'), Some("other_configuration")),
            (5, Some('d'), Some("other_configuration")),
            (5, Some('d'), Some("other_hash")),
            (4, Some('d'), Some("other_configuration")),
            (6, Some('c'), None),
            (7, Some('c'), None),
        ]
    );
    assert_eq!(service.counter("breakglass_audit_heads_total{result=\"conflict\"}").await, 4);
}

/// The head that contradicts is no younger for what the owner repeats.
#[tokio::test]
async fn a_head_that_is_reported_again_is_the_one_that_contradicts_nothing() {
    let service = Service::start().await;
    report(&service, under(3, 'a', 'c')).await;
    report(&service, under(3, 'a', 'd')).await;
    service.advance(60);
    report(&service, head(3, 'a')).await;
    let heads = listed(&service, "").await;
    let seen: Vec<&Value> = heads.iter().map(|head| &head["seen_at"]).collect();
    assert_eq!(seen, ["2026-11-22T02:14:00Z", "2026-11-22T02:13:00Z"]);
}

#[tokio::test]
async fn another_proxy_names_none_for_a_chain_that_is_not_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{}{}", config(&directory), proxy("mallory", &token_of("mallory")));
    let service = Service::start_with(directory, &text, START).await;
    assert_eq!(report(&service, under(3, 'a', 'c')).await, 0);
    let body = json!({ "node": "n1", "heads": [under(3, 'a', 'd')] });
    service.post("mallory", "/v1/audit/heads", body).await.ok();
    assert_eq!(report(&service, head(4, 'a')).await, 0);
    assert_eq!(
        short(&listed(&service, "").await),
        [(3, Some('c'), None), (3, Some('d'), Some("other_node")), (4, Some('c'), None)]
    );
}

#[tokio::test]
async fn only_a_digest_is_taken() {
    let service = Service::start().await;
    let digest = hash('c');
    for wrong in [
        "".to_owned(),
        "c".repeat(63),
        "c".repeat(65),
        digest.to_uppercase(),
        "g".repeat(64),
        format!("{} ", "c".repeat(63)),
    ] {
        let mut head = head(3, 'a');
        head["configuration"] = json!(wrong);
        let body = json!({ "node": "n1", "heads": [head] });
        let answer = service.post("envoy", "/v1/audit/heads", body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{wrong:?}");
        assert_eq!(answer.body["errors"][0]["field"], "heads[0].configuration", "{wrong:?}");
    }
    let mut absent = head(3, 'a');
    absent["configuration"] = Value::Null;
    assert_eq!(report(&service, absent).await, 0);
    assert_eq!(short(&listed(&service, "").await), [(3, None, None)]);
}

#[tokio::test]
async fn no_statement_takes_it_back() {
    let service = Service::start().await;
    report(&service, under(3, 'a', 'c')).await;
    report(&service, under(4, 'b', 'd')).await;
    report(&service, head(5, 'e')).await;
    // Old heads may gain counts, and nothing else.
    let (thin, none) = (Moment::from_seconds(START + 3 * 3600), Moment::from_seconds(0));
    service.app.evidence().advance_retention(thin, none).await.unwrap();
    let database = service.evidence().await;
    let counts = "UPDATE audit_heads SET grants = '{\"g\":1}'";
    sqlx::query(counts).execute(&database).await.unwrap();
    for (sql, words) in [
        ("UPDATE audit_heads SET configuration = NULL", "append-only"),
        ("UPDATE audit_heads SET configuration = hash", "append-only"),
        ("UPDATE audit_heads SET other_configuration = 0", "append-only"),
        ("DELETE FROM audit_heads WHERE other_configuration = 1", "append-only"),
        ("UPDATE audit_reporters SET configuration = NULL", "not taken back"),
        ("UPDATE audit_reporters SET configuration = printf('%064x', 1)", "not taken back"),
        ("INSERT INTO audit_heads (reported_at_ms, proxy, node, chain, seq, hash, began, ended, grants, configuration)
             SELECT reported_at_ms, proxy, node, chain, seq, hash, began, ended, grants, 'c' FROM audit_heads",
            "CHECK constraint failed"),
    ] {
        let error = sqlx::query(AssertSqlSafe(sql)).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
}

/// Retention lets heads go: of a chain that is still heard of, the configuration stays known.
#[tokio::test]
async fn retention_keeps_it_as_long_as_the_chain_and_thins_no_conflict() {
    const HOUR: i64 = 3600;
    let service = Service::start().await;
    service.advance(HOUR - START % HOUR);
    let began = START - START % HOUR + HOUR;
    report(&service, under(1, 'a', 'c')).await;
    report(&service, head(2, 'a')).await;
    report(&service, under(3, 'a', 'd')).await;
    report(&service, head(4, 'a')).await;
    report(&service, head(5, 'a')).await;
    service.advance(4 * HOUR);
    report(&service, head(5, 'a')).await;
    let evidence = service.app.evidence();
    let far = Moment::from_seconds(began + 2 * HOUR);
    evidence.advance_retention(far, Moment::from_seconds(0)).await.unwrap();
    while evidence.thin().await.unwrap() {}
    let marked = Some("other_configuration");
    assert_eq!(
        short(&listed(&service, "").await),
        [(1, Some('c'), None), (3, Some('d'), marked), (5, Some('c'), None)]
    );
    evidence.advance_retention(far, far).await.unwrap();
    while evidence.remove().await.unwrap() {}
    assert_eq!(short(&listed(&service, "").await), [(5, Some('c'), None)]);
}

/// The evidence database of the version before: its heads are as they were, and their chains go on.
#[tokio::test]
async fn a_database_of_the_version_before_takes_configurations() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals-evidence.db");
    before::restore(&path, before::HEADS).await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, MADE + 60).await;
    let before = listed(&service, "").await;
    assert_eq!(
        short(&before),
        [
            (3, None, None),
            (3, None, Some("other_hash")),
            (2, None, Some("goes_back")),
            (9, None, None)
        ]
    );
    assert_eq!((&before[0]["chain"], &before[0]["hash"]), (&json!(CHAIN), &json!(hash('a'))));
    assert_eq!(before[0]["grants"], json!({ "grant_1": 2 }));
    assert_eq!(report(&service, head(9, 'd')).await, 0, "it is repeated");
    assert_eq!(report(&service, under(10, 'e', 'c')).await, 0);
    assert_eq!(report(&service, under(11, 'e', 'd')).await, 1);
    let heads = listed(&service, "").await;
    let known = |head: &(i64, Option<char>, Option<&str>)| head.1.is_some();
    assert_eq!(heads.len(), 6, "{heads:?}");
    assert!(short(&heads).iter().all(known), "the chain's configuration is known from then on");
    assert_eq!(
        short(&heads)[4..],
        [(10, Some('c'), None), (11, Some('d'), Some("other_configuration"))]
    );
}
