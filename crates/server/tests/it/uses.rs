//! What grants were used for: counted by proxies, kept with their heads, read by those who may see the request.

use std::collections::BTreeMap;

use breakglass_api::uses::{GrantUses, Use};
use breakglass_core::audit::ChainKey;
use breakglass_server::clock::Moment;
use serde_json::{Value, json};

use breakglass_testing::credentials::proxy;
use breakglass_testing::heads::{CHAIN, head, listed};
use breakglass_testing::service::{START, Service, config, token_of};

const OTHER_CHAIN: &str = "ffeeddccbbaa99887766554433221100";

fn used(rule: &str, records: i64) -> Value {
    json!({ "scope": "orders:read", "method": "GET", "rule": rule, "outcome": "allow", "records": records })
}

/// A head with so many records of the grant `g`, of these uses.
fn of_grant(chain: &str, seq: i64, records: i64, uses: Value) -> Value {
    let mut head = head(seq, 'a');
    head["chain"] = json!(chain);
    head["grants"] = json!({ "g": records });
    head["uses"] = json!({ "g": uses });
    head
}

async fn report(service: &Service, who: &str, node: &str, head: Value) -> Value {
    let body = json!({ "node": node, "heads": [head] });
    service.post(who, "/v1/audit/heads", body).await.ok()
}

async fn uses(service: &Service) -> GrantUses {
    service.app.evidence().uses_of("g").await.unwrap()
}

/// The records of each rule, and the others.
async fn by_rule(service: &Service) -> (BTreeMap<String, i64>, i64) {
    let GrantUses { uses, other_records } = uses(service).await;
    let rules = uses.into_iter().map(|used| (used.rule.unwrap_or_default(), used.records));
    (rules.collect(), other_records)
}

fn rules<const N: usize>(rules: [(&str, i64); N]) -> BTreeMap<String, i64> {
    rules.into_iter().map(|(rule, records)| (rule.to_owned(), records)).collect()
}

#[tokio::test]
async fn the_highest_count_of_each_kind_is_kept_and_chains_are_added_up() {
    let service = Service::start().await;
    let heads = [
        of_grant(
            CHAIN,
            3,
            3,
            json!([used("/a", 2), { "method": "other", "outcome": "deny", "records": 1 }]),
        ),
        of_grant(CHAIN, 5, 5, json!([used("/a", 4)])),
        // A report that came late.
        of_grant(CHAIN, 3, 3, json!([used("/a", 2)])),
        of_grant(OTHER_CHAIN, 9, 9, json!([used("/a", 1), used("/b", 7)])),
    ];
    for head in heads {
        report(&service, "envoy", "n1", head).await;
    }
    let kind = |rule: &str, records| Use {
        scope: Some("orders:read".to_owned()),
        method: "GET".to_owned(),
        rule: Some(rule.to_owned()),
        outcome: "allow".to_owned(),
        records,
    };
    let other = Use {
        scope: None,
        method: "other".to_owned(),
        rule: None,
        outcome: "deny".to_owned(),
        records: 1,
    };
    let expected = vec![kind("/b", 7), kind("/a", 5), other];
    assert_eq!(uses(&service).await, GrantUses { uses: expected, other_records: 1 });
    // They are not in the list of heads: that is as it was.
    assert!(listed(&service, "").await.iter().all(|head| head.get("uses").is_none()));
}

/// A filter sends the uses of one grant in several pages of one head.
#[tokio::test]
async fn pages_of_one_head_are_added_up() {
    let service = Service::start().await;
    for (rule, records) in [("/a", 2), ("/b", 3), ("/b", 3)] {
        let page = of_grant(CHAIN, 5, 5, json!([used(rule, records)]));
        assert_eq!(report(&service, "envoy", "n1", page).await["conflicts"], 0);
    }
    assert_eq!(by_rule(&service).await, (rules([("/a", 2), ("/b", 3)]), 0));
    assert_eq!(listed(&service, "").await.len(), 1);
}

/// An older filter counts the records alone, and a newer one says what is not known yet.
#[tokio::test]
async fn older_and_newer_filters_are_heard() {
    let service = Service::start().await;
    let mut older = head(4, 'a');
    older["grants"] = json!({ "g": 4 });
    report(&service, "envoy", "n1", older).await;
    assert_eq!(by_rule(&service).await, (BTreeMap::new(), 4));
    let mut newer = used("/a", 1);
    newer["outcome"] = json!("a_later_word");
    newer["added by a later version"] = json!([1]);
    report(&service, "envoy", "n1", of_grant(OTHER_CHAIN, 1, 1, json!([newer]))).await;
    assert_eq!(by_rule(&service).await, (rules([("/a", 1)]), 4));
}

#[tokio::test]
async fn what_another_proxy_says_of_a_chain_counts_nothing_and_two_nodes_count_once() {
    let directory = tempfile::tempdir().unwrap();
    let others = proxy("mallory", &token_of("mallory"));
    let text = format!("{}{others}", config(&directory));
    let service = Service::start_with(directory, &text, START).await;
    let id = ChainKey::from_credential(&token_of("envoy")).id([1, 2, 3, 4, 5, 6, 7, 8]);
    let chain: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let lie = of_grant(&chain, 90, 90, json!([used("/a", 80), used("/lie", 9)]));
    report(&service, "mallory", "n1", lie).await;
    assert_eq!(by_rule(&service).await, (BTreeMap::new(), 0));
    for node in ["n1", "n2"] {
        report(&service, "envoy", node, of_grant(&chain, 5, 5, json!([used("/a", 4)]))).await;
    }
    assert_eq!(by_rule(&service).await, (rules([("/a", 4)]), 1));
}

#[tokio::test]
async fn a_use_that_no_filter_makes_is_refused() {
    let service = Service::start().await;
    let without = |name: &str, value: Value| {
        let mut one = used("/a", 1);
        one[name] = value;
        one
    };
    let long = "x".repeat(1025);
    for (one, said) in [
        (without("records", json!(0)), "expected counts from 1"),
        (without("method", json!("")), "`method`: expected 1 to 256 bytes, got 0"),
        (without("scope", json!(long)), "`scope`: expected 1 to 1024 bytes, got 1025"),
        (without("rule", json!(long)), "`rule`: expected 1 to 768 bytes, got 1025"),
    ] {
        let body = json!({ "node": "n", "heads": [of_grant(CHAIN, 1, 1, json!([one]))] });
        let answer = service.post("envoy", "/v1/audit/heads", body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["errors"][0]["field"]),
            (400, &json!("heads[0].uses"))
        );
        assert_eq!(answer.body["errors"][0]["detail"], said);
    }
    let many = vec![used("/a", 1); 5001];
    let body = json!({ "node": "n", "heads": [of_grant(CHAIN, 1, 1, json!(many))] });
    assert_eq!(service.post("envoy", "/v1/audit/heads", body).await.status, 413);
    assert_eq!(by_rule(&service).await, (BTreeMap::new(), 0));
}

/// A proxy can say any number: no answer fails of it.
#[tokio::test]
async fn counts_that_no_chain_has_leave_the_sum_readable() {
    let service = Service::start().await;
    for chain in [CHAIN, OTHER_CHAIN] {
        report(
            &service,
            "envoy",
            "n1",
            of_grant(chain, 1, i64::MAX, json!([used("/a", i64::MAX)])),
        )
        .await;
    }
    assert_eq!(by_rule(&service).await, (rules([("/a", 2 << 40)]), 0));
}

#[tokio::test]
async fn who_may_see_the_request_sees_what_its_grant_was_used_for() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    let mut head = head(1, 'a');
    head["grants"] = json!({ (jti.as_str()): 3 });
    head["uses"] = json!({ (jti.as_str()): [used("/v1/orders", 2)] });
    report(&service, "envoy", "n1", head).await;
    let path = format!("/v1/grants/{jti}/uses");
    for who in ["alice", "carol", "grace"] {
        let answer = service.get(who, &path).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(
            answer.ok(),
            json!({ "grant": jti, "uses": [used("/v1/orders", 2)], "other_records": 1 })
        );
    }
    assert_eq!(service.get("grace", "/v1/grants/none/uses").await.status, 404);
}

/// They go with the last head of their chain, and leave nothing in the share of the disk.
#[tokio::test]
async fn uses_are_removed_with_the_heads_of_their_chain() {
    let last = || of_grant(OTHER_CHAIN, 1, 1, json!([used("/b", 1)]));
    let bytes = async |service: &Service| -> i64 {
        let query = sqlx::query_scalar("SELECT bytes FROM proxy_usage WHERE proxy = 'envoy'");
        query.fetch_one(&service.evidence().await).await.unwrap()
    };
    let other = Service::start().await;
    report(&other, "envoy", "n1", last()).await;
    let service = Service::start().await;
    report(&service, "envoy", "n1", of_grant(CHAIN, 5, 5, json!([used("/a", 4)]))).await;
    let days = |days: i64| Moment::from_seconds(START + days * 24 * 3600);
    service.advance(40 * 24 * 3600);
    report(&service, "envoy", "n1", last()).await;
    assert!(bytes(&service).await > bytes(&other).await);
    let evidence = service.app.evidence();
    for _ in 0..60 {
        evidence.advance_retention(days(10), days(10)).await.unwrap();
        while evidence.remove().await.unwrap() {}
    }
    assert_eq!(by_rule(&service).await, (rules([("/b", 1)]), 0));
    assert_eq!(bytes(&service).await, bytes(&other).await);
    // Nothing else takes one away, or lowers it.
    let database = service.evidence().await;
    for sql in ["DELETE FROM audit_reporter_uses", "UPDATE audit_reporter_uses SET count = 0"] {
        let error = sqlx::query(sql).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("not taken back"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn what_the_grants_of_a_scope_were_used_for_is_added_up() {
    let service = Service::start().await;
    let mut grants = Vec::new();
    for _ in 0..4 {
        grants.push(service.approved().await);
    }
    // The first two are used, the third is revoked, the fourth is never taken.
    for (id, _) in &grants[..3] {
        service.act("alice", id, "token").await.ok();
    }
    service.revoke("carol", &grants[2].1).await.ok();
    let mut one = head(9, 'a');
    for (index, (_, jti)) in grants.iter().enumerate().take(2) {
        one["grants"][jti] = json!(4);
        one["uses"][jti] = json!([used("/v1/orders", 3 + i64::try_from(index).unwrap())]);
    }
    report(&service, "envoy", "n1", one).await;
    let path = "/v1/scopes/uses?scope=orders:read&since=2026-11-22T00:00:00Z";
    let live = service.get("grace", path).await.ok();
    assert_eq!((&live["grants"], &live["used"]), (&json!(0), &json!(0)), "their time is not over");
    service.advance(3600);
    let over = service.get("grace", path).await.ok();
    assert_eq!(
        over,
        json!({ "scope": "orders:read", "since": "2026-11-22T00:00:00Z", "until": over["until"],
            "grants": 3, "more": false, "used": 2, "uses": [used("/v1/orders", 7)], "other_records": 1 })
    );
    let later = "/v1/scopes/uses?scope=orders:read&since=2026-11-22T04:00:00Z";
    assert_eq!(service.get("grace", later).await.ok()["grants"], 0);
    let other = "/v1/scopes/uses?scope=orders:write&since=2026-11-22T00:00:00Z";
    assert_eq!(service.get("grace", other).await.ok()["grants"], 0);
    for (query, field) in [
        ("scope=none&since=2026-11-22T00:00:00Z", "scope"),
        ("scope=orders:read&since=yesterday", "since"),
    ] {
        let refused = service.get("grace", &format!("/v1/scopes/uses?{query}")).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    assert_eq!(service.get("carol", path).await.status, 403);
}
