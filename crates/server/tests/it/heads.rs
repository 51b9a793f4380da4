//! `/v1/audit/heads`: proxies report how far their audit chains are, auditors read it.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use breakglass_testing::heads::{CHAIN, hash, head, listed};
use breakglass_testing::service::Service;

async fn report(service: &Service, node: &str, head: Value) -> Value {
    let body = json!({ "node": node, "heads": [head] });
    service.post("envoy", "/v1/audit/heads", body).await.ok()
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
                "reported_at": "2026-11-22T02:13:00Z", "seen_at": "2026-11-22T02:13:00Z",
                "proxy": "envoy", "node": "n1", "process": null,
                "chain": CHAIN, "seq": 3, "hash": hash('a'), "began": "2026-11-22T02:12:59.5Z",
                "ended": false, "grants": { "grant_1": 2, "grant_2": 1 }, "conflict": null,
                "proof": "first_report", "owner": null,
            }),
            json!({
                "reported_at": "2026-11-22T02:13:04Z", "seen_at": "2026-11-22T02:13:04Z",
                "proxy": "envoy", "node": "n1", "process": null,
                "chain": CHAIN, "seq": 9, "hash": hash('b'), "began": "2026-11-22T02:12:59.5Z",
                "ended": true, "grants": {}, "conflict": null,
                "proof": "first_report", "owner": null,
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

/// A filter repeats the head of a chain that is fully reported, and has no counts left to send.
#[tokio::test]
async fn a_repeated_head_adds_no_row_and_says_when_it_was_seen() {
    let service = Service::start().await;
    let mut first = head(3, 'a');
    first["grants"] = json!({ "g1": 2, "g2": 1 });
    report(&service, "n1", first.clone()).await;
    for grants in [json!({}), json!({ "g2": 1 }), json!({ "g1": 1 }), json!({})] {
        service.advance(60);
        let mut again = head(3, 'a');
        again["grants"] = grants;
        let answer = report(&service, "n1", again).await;
        assert_eq!(answer, json!({ "accepted": 1, "conflicts": 0 }));
    }
    let heads = listed(&service, "").await;
    assert_eq!(heads.len(), 1);
    assert_eq!(heads[0]["reported_at"], "2026-11-22T02:13:00Z");
    assert_eq!(heads[0]["seen_at"], "2026-11-22T02:17:00Z");
    assert_eq!(heads[0]["grants"], first["grants"]);
}

#[tokio::test]
async fn what_differs_from_the_repeated_head_is_a_row_of_its_own() {
    let service = Service::start().await;
    let mut first = head(3, 'a');
    first["grants"] = json!({ "g1": 2 });
    report(&service, "n1", first.clone()).await;
    let mut more = first.clone();
    more["grants"] = json!({ "g1": 3 });
    let mut other = first.clone();
    other["grants"] = json!({ "g2": 1 });
    let mut ended = first.clone();
    ended["ended"] = json!(true);
    for (rows, next) in [(2, more), (3, other), (4, ended)] {
        for _ in 0..2 {
            assert_eq!(report(&service, "n1", next.clone()).await["conflicts"], 0);
            assert_eq!(listed(&service, "").await.len(), rows, "{next}");
        }
    }
}

/// A report that was sent again after its answer was lost must not make the newest head look old.
#[tokio::test]
async fn an_old_head_that_comes_again_is_not_the_newest() {
    let service = Service::start().await;
    report(&service, "n1", head(3, 'a')).await;
    report(&service, "n1", head(5, 'b')).await;
    service.advance(60);
    report(&service, "n1", head(5, 'b')).await;
    report(&service, "n1", head(3, 'a')).await;
    let seen: Vec<Value> =
        listed(&service, "").await.iter().map(|head| head["seen_at"].clone()).collect();
    assert_eq!(seen, ["2026-11-22T02:13:00Z", "2026-11-22T02:14:00Z"]);
}

#[tokio::test]
async fn a_report_says_of_which_process_it_is() {
    let service = Service::start().await;
    let process = "00112233445566778899aabbccddeeff";
    report(&service, "n1", head(3, 'a')).await;
    let body = json!({ "node": "n1", "process": process, "heads": [head(3, 'a')] });
    for _ in 0..2 {
        service.post("envoy", "/v1/audit/heads", body.clone()).await.ok();
    }
    let processes: Vec<Value> =
        listed(&service, "").await.iter().map(|head| head["process"].clone()).collect();
    assert_eq!(processes, [Value::Null, json!(process)], "a head whose process is new is new");
    for wrong in ["", "0", &process.to_uppercase(), &format!("{process}0"), &"g".repeat(32)] {
        let body = json!({ "node": "n1", "process": wrong, "heads": [head(4, 'a')] });
        let answer = service.post("envoy", "/v1/audit/heads", body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{wrong:?}");
        assert_eq!(answer.body["errors"][0]["field"], "process", "{wrong:?}");
    }
    let body = json!({ "process": null, "heads": [head(4, 'a')] });
    service.post("envoy", "/v1/audit/heads", body).await.ok();
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
    let since = "?node=n1&since=2026-11-22T02:14:00Z";
    assert_eq!(listed(&service, since).await.len(), 999, "with the one from before");
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
    let database = service.evidence().await;
    for sql in [
        "UPDATE audit_heads SET seq = 2",
        "DELETE FROM audit_heads",
        "INSERT OR REPLACE INTO audit_heads SELECT * FROM audit_heads",
    ] {
        let error = sqlx::query(AssertSqlSafe(sql)).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    for sql in [
        "UPDATE audit_chain_owners SET owner = 'mallory'",
        "UPDATE audit_chain_owners SET chain = 'f'",
        "DELETE FROM audit_chain_owners",
        "INSERT OR REPLACE INTO audit_chain_owners SELECT * FROM audit_chain_owners",
        "INSERT OR REPLACE INTO audit_chain_owners (chain, owner, proven)
             SELECT chain, owner, 1 FROM audit_chain_owners",
    ] {
        let error = sqlx::query(AssertSqlSafe(sql)).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("owner of a chain is kept"), "{sql}: {error}");
    }
    for sql in [
        "UPDATE audit_reporters SET seq = seq - 1",
        "UPDATE audit_reporters SET proxy = 'mallory'",
        "DELETE FROM audit_reporters",
    ] {
        let error = sqlx::query(AssertSqlSafe(sql)).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("not taken back"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_page_is_bounded_however_large_the_reports_were() {
    let service = Service::start().await;
    // Long names, and short ones with long counts.
    let long: Value =
        (0..20_000).map(|number| (format!("grant_{number:030}"), Value::from(1))).collect();
    let short: Value = (0..30_000_i64)
        .map(|number| (format!("{number:x}"), Value::from(i64::MAX - number)))
        .collect();
    for seq in 1..=13 {
        let mut large = head(seq, 'a');
        large["grants"] = if seq <= 6 { long.clone() } else { short.clone() };
        assert!(large.to_string().len() < 1_000_000);
        report(&service, "n1", large).await;
    }
    let (mut after, mut seqs) = (Value::from(0), Vec::new());
    while after != Value::Null {
        let page = service.get("grace", &format!("/v1/audit/heads?after={after}")).await.ok();
        assert!(page.to_string().len() <= 4 * 1024 * 1024);
        let heads = page["heads"].as_array().unwrap();
        seqs.extend(heads.iter().map(|head| head["seq"].as_i64().unwrap()));
        after = page["next"].clone();
    }
    assert_eq!(seqs, (1..=13).collect::<Vec<_>>());
}
