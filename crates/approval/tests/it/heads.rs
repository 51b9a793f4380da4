//! `/v1/audit/heads`: proxies report how far their audit chains are, auditors read it.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::service::Service;

const CHAIN: &str = "0123456789abcdef0123456789abcdef";

fn hash(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn head(seq: i64, digit: char) -> Value {
    json!({
        "chain": CHAIN, "seq": seq, "hash": hash(digit), "began": "2026-11-22T02:12:59.5Z",
        "ended": false, "grants": {},
    })
}

async fn report(service: &Service, node: &str, head: Value) -> Value {
    let body = json!({ "node": node, "heads": [head] });
    service.post("envoy", "/v1/audit/heads", body).await.ok()
}

async fn listed(service: &Service, query: &str) -> Vec<Value> {
    let answer = service.get("grace", &format!("/v1/audit/heads{query}")).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.ok()["heads"].as_array().unwrap().clone()
}

#[tokio::test]
async fn keeps_every_report_in_its_order() {
    let service = Service::start().await;
    let mut first = head(3, 'a');
    first["grants"] = json!({ "grant_1": 2, "grant_2": 1 });
    assert_eq!(report(&service, "n1", first).await, json!({ "accepted": 1, "conflicts": 0 }));
    service.advance(4);
    let mut last = head(9, 'b');
    last["ended"] = json!(true);
    last["added by a later version"] = json!(1);
    assert_eq!(report(&service, "n1", last).await, json!({ "accepted": 1, "conflicts": 0 }));
    assert_eq!(
        listed(&service, "").await,
        [
            json!({
                "reported_at": "2026-11-22T02:13:00Z", "proxy": "envoy", "node": "n1",
                "chain": CHAIN, "seq": 3, "hash": hash('a'), "began": "2026-11-22T02:12:59.5Z",
                "ended": false, "grants": { "grant_1": 2, "grant_2": 1 }, "conflict": null,
            }),
            json!({
                "reported_at": "2026-11-22T02:13:04Z", "proxy": "envoy", "node": "n1",
                "chain": CHAIN, "seq": 9, "hash": hash('b'), "began": "2026-11-22T02:12:59.5Z",
                "ended": true, "grants": {}, "conflict": null,
            }),
        ]
    );
    assert_eq!(service.counter("breakglass_audit_heads_total{result=\"accepted\"}").await, 2);
}

#[tokio::test]
async fn a_report_that_is_sent_again_is_kept_once() {
    let service = Service::start().await;
    for _ in 0..2 {
        let answer = report(&service, "n1", head(3, 'a')).await;
        assert_eq!(answer, json!({ "accepted": 1, "conflicts": 0 }));
    }
    assert_eq!(listed(&service, "").await.len(), 1);
}

#[tokio::test]
async fn what_contradicts_is_kept_beside_what_it_contradicts() {
    let service = Service::start().await;
    report(&service, "n1", head(5, 'a')).await;
    for (node, next, conflict) in [
        ("n1", head(5, 'b'), "other_hash"),
        ("n1", head(4, 'c'), "goes_back"),
        ("n2", head(6, 'd'), "other_node"),
    ] {
        let answer = report(&service, node, next).await;
        assert_eq!(answer, json!({ "accepted": 1, "conflicts": 1 }), "{conflict}");
    }
    let mut end = head(7, 'e');
    end["ended"] = json!(true);
    report(&service, "n1", end).await;
    report(&service, "n1", head(8, 'f')).await;
    let heads = listed(&service, "").await;
    let conflicts: Vec<_> = heads.iter().map(|head| head["conflict"].clone()).collect();
    // Once another node has claimed the chain, whoever goes on with it contradicts the other.
    let other = json!("other_node");
    assert_eq!(
        conflicts,
        [json!(null), json!("other_hash"), json!("goes_back"), other.clone(), other.clone(), other]
    );
    assert_eq!(heads[0]["hash"], hash('a'), "the first stays what it was");
    assert_eq!(service.counter("breakglass_audit_heads_total{result=\"conflict\"}").await, 5);
}

#[tokio::test]
async fn a_chain_that_has_ended_does_not_go_on() {
    let service = Service::start().await;
    let mut end = head(7, 'e');
    end["ended"] = json!(true);
    report(&service, "n1", end).await;
    assert_eq!(report(&service, "n1", head(8, 'f')).await["conflicts"], 1);
    assert_eq!(listed(&service, "").await[1]["conflict"], "after_end");
}

#[tokio::test]
async fn lists_by_chain_node_and_time_and_in_pages() {
    let service = Service::start().await;
    report(&service, "n1", head(1, 'a')).await;
    service.advance(60);
    let mut heads: Vec<Value> = (2..=999).map(|seq| head(seq, 'a')).collect();
    let body = json!({ "node": "n1", "heads": heads });
    assert_eq!(service.post("envoy", "/v1/audit/heads", body).await.ok()["accepted"], 998);
    heads.truncate(3);
    for other in &mut heads {
        other["chain"] = json!("f".repeat(32));
    }
    let body = json!({ "heads": heads });
    service.post("envoy", "/v1/audit/heads", body).await.ok();
    assert_eq!(listed(&service, &format!("?chain={}", "f".repeat(32))).await.len(), 3);
    assert_eq!(listed(&service, "?node=envoy").await.len(), 3, "named by its credential");
    assert_eq!(listed(&service, "?since=2026-11-22T02:14:00Z").await.len(), 1000);
    assert_eq!(listed(&service, "?node=n1&since=2026-11-22T02:14:00Z").await.len(), 998);
    let page = service.get("grace", "/v1/audit/heads").await.ok();
    assert_eq!(page["heads"].as_array().unwrap().len(), 1000);
    let next = service.get("grace", &format!("/v1/audit/heads?after={}", page["next"])).await.ok();
    assert_eq!(next["heads"].as_array().unwrap().len(), 2);
    assert_eq!(next["next"], Value::Null);
}

#[tokio::test]
async fn refuses_a_report_that_is_none_and_names_every_field() {
    let service = Service::start().await;
    let wrong = json!({
        "chain": "x", "seq": 0, "hash": "A".repeat(64), "began": "now", "grants": { "": 0 },
    });
    let body = json!({ "node": "a\nb", "heads": [wrong] });
    let answer = service.post("envoy", "/v1/audit/heads", body).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    let fields: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(
        fields,
        [
            "node",
            "heads[0].chain",
            "heads[0].hash",
            "heads[0].seq",
            "heads[0].began",
            "heads[0].grants",
            "heads[0].grants"
        ]
    );
    for heads in [json!([]), json!(vec![head(1, 'a'); 1001])] {
        let body = json!({ "heads": heads });
        let answer = service.post("envoy", "/v1/audit/heads", body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"));
    }
    let large = json!({ "node": "n".repeat(2_000_000), "heads": [] });
    let answer = service.post("envoy", "/v1/audit/heads", large).await;
    assert_eq!(answer.refusal(), (413, "body_too_large"));
    assert!(listed(&service, "").await.is_empty());
    let answer = service.get("grace", "/v1/audit/heads?since=yesterday").await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
}

#[tokio::test]
async fn proxies_report_and_auditors_read() {
    let service = Service::start().await;
    let body = json!({ "node": "n1", "heads": [head(1, 'a')] });
    for person in ["alice", "grace"] {
        let answer = service.post(person, "/v1/audit/heads", body.clone()).await;
        assert_eq!(answer.refusal(), (403, "proxies_only"), "{person}");
    }
    assert_eq!(service.get("envoy", "/v1/audit/heads").await.refusal(), (403, "people_only"));
    // Not even who may approve everything.
    let answer = service.get("frank", "/v1/audit/heads").await;
    assert_eq!(answer.refusal(), (403, "not_an_auditor"));
    service.get("grace", "/v1/audit/heads").await.ok();
}

#[tokio::test]
async fn heads_are_append_only() {
    let service = Service::start().await;
    report(&service, "n1", head(1, 'a')).await;
    let database = service.database().await;
    for sql in [
        "UPDATE audit_heads SET seq = 2",
        "DELETE FROM audit_heads",
        "INSERT OR REPLACE INTO audit_heads SELECT * FROM audit_heads",
    ] {
        let error = sqlx::query(AssertSqlSafe(sql)).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_page_is_bounded_however_large_the_reports_were() {
    let service = Service::start().await;
    let grants: Value =
        (0..20_000).map(|number| (format!("grant_{number:030}"), Value::from(1))).collect();
    for seq in 1..=9 {
        let mut large = head(seq, 'a');
        large["grants"] = grants.clone();
        report(&service, "n1", large).await;
    }
    let (mut after, mut seqs) = (Value::from(0), Vec::new());
    while after != Value::Null {
        let page = service.get("grace", &format!("/v1/audit/heads?after={after}")).await.ok();
        assert!(page.to_string().len() < 6 * 1024 * 1024);
        let heads = page["heads"].as_array().unwrap();
        seqs.extend(heads.iter().map(|head| head["seq"].as_i64().unwrap()));
        after = page["next"].clone();
    }
    assert_eq!(seqs, (1..=9).collect::<Vec<_>>());
}
