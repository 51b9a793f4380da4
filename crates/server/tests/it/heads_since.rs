//! `GET /v1/audit/heads?since=`: what was reported since, and where each chain was before.

use std::collections::BTreeMap;

use breakglass_server::clock::{Moment, rfc3339};
use breakglass_server::evidence::{HeadFilter, ReportedHead};
use serde_json::{Value, json};

use breakglass_testing::credentials::proxy;
use breakglass_testing::heads::{CHAIN, hash, head, listed};
use breakglass_testing::service::{START, Service, config, token_of};

async fn report(service: &Service, who: &str, node: &str, heads: Vec<Value>) {
    service.post(who, "/v1/audit/heads", json!({ "node": node, "heads": heads })).await.ok();
}

fn head_of(chain: &str, seq: i64, grants: Value) -> Value {
    let mut head = head(seq, 'a');
    head["chain"] = json!(chain);
    head["grants"] = grants;
    head
}

fn chain(number: usize) -> String {
    format!("{number:032x}")
}

fn at(seconds: i64) -> String {
    format!("?since={}", rfc3339(START + seconds))
}

/// Chain, number and grants.
fn short(heads: &[Value]) -> Vec<(String, i64, Value)> {
    let text = |head: &Value| head["chain"].as_str().unwrap().to_owned();
    let seq = |head: &Value| head["seq"].as_i64().unwrap();
    heads.iter().map(|head| (text(head), seq(head), head["grants"].clone())).collect()
}

/// All pages of at most `limit` heads: how many pages there were, and the heads.
async fn all(service: &Service, filter: HeadFilter<'_>) -> (usize, Vec<ReportedHead>) {
    let (mut heads, mut after, mut pages) = (Vec::new(), 0, 0);
    loop {
        let page = service.app.evidence().heads(HeadFilter { after, ..filter }).await.unwrap();
        assert!(page.heads.len() <= filter.limit);
        heads.extend(page.heads);
        pages += 1;
        match page.next {
            Some(next) => {
                assert!(next > after && next < 1 << 53, "{next}");
                after = next;
            }
            None => return (pages, heads),
        }
    }
}

#[tokio::test]
async fn each_chain_is_there_as_it_was_before() {
    let service = Service::start().await;
    let (idle, live, new) = (chain(1), chain(2), chain(3));
    report(&service, "envoy", "n1", vec![head_of(&idle, 3, json!({ "a": 2, "b": 1 }))]).await;
    report(&service, "envoy", "n1", vec![head_of(&live, 1, json!({ "a": 1 }))]).await;
    service.advance(10);
    report(&service, "envoy", "n1", vec![head_of(&live, 4, json!({ "a": 3, "c": 1 }))]).await;
    report(&service, "envoy", "n1", vec![head_of(&idle, 5, json!({ "b": 3 }))]).await;
    service.advance(10);
    report(&service, "envoy", "n1", vec![head_of(&live, 9, json!({ "a": 7, "d": 1 }))]).await;
    report(&service, "envoy", "n1", vec![head_of(&new, 1, json!({ "a": 1 }))]).await;
    let at_10 = [
        (idle.clone(), 3, json!({ "a": 2, "b": 1 })),
        (live.clone(), 1, json!({ "a": 1 })),
        (live.clone(), 4, json!({ "a": 3, "c": 1 })),
        (idle.clone(), 5, json!({ "b": 3 })),
        (live.clone(), 9, json!({ "a": 7, "d": 1 })),
        (new.clone(), 1, json!({ "a": 1 })),
    ];
    let merged_idle = (idle.clone(), 5, json!({ "a": 2, "b": 3 }));
    let merged_live = (live.clone(), 4, json!({ "a": 3, "c": 1 }));
    let [_, _, _, _, live_9, new_1] = at_10.clone();
    let at_20 = [merged_idle.clone(), merged_live, live_9, new_1.clone()];
    let later = [merged_idle, (live, 9, json!({ "a": 7, "c": 1, "d": 1 })), new_1];
    for (since, expected) in [
        (at(-1000), at_10.as_slice()),
        (at(0), &at_10),
        (at(10), &at_10),
        (at(11), &at_20),
        (at(20), &at_20),
        (at(21), &later),
        (at(1_000_000), &later),
    ] {
        assert_eq!(short(&listed(&service, &since).await), expected, "{since}");
    }
}

#[tokio::test]
async fn a_head_that_was_seen_since_is_there_once() {
    let service = Service::start().await;
    let repeated = || vec![head_of(CHAIN, 3, json!({}))];
    report(&service, "envoy", "n1", vec![head_of(CHAIN, 3, json!({ "a": 2 }))]).await;
    for since in [30, 60, 90, 120, 150] {
        service.advance(30);
        if since % 60 == 0 {
            report(&service, "envoy", "n1", repeated()).await;
        }
        let heads = listed(&service, &at(since)).await;
        assert_eq!(short(&heads), [(CHAIN.to_owned(), 3, json!({ "a": 2 }))], "{since}");
        assert_eq!(heads[0]["reported_at"], rfc3339(START));
        assert_eq!(heads[0]["seen_at"], rfc3339(START + since / 60 * 60));
    }
}

/// Late and contradicting reports do not hide the highest one.
#[tokio::test]
async fn it_is_the_highest_from_before_and_not_the_last() {
    let service = Service::start().await;
    report(&service, "envoy", "n1", vec![head_of(CHAIN, 9, json!({ "a": 5 }))]).await;
    service.advance(1);
    report(&service, "envoy", "n1", vec![head_of(CHAIN, 4, json!({ "a": 2, "b": 1 }))]).await;
    service.advance(1);
    report(&service, "envoy", "n1", vec![head_of(CHAIN, 7, json!({ "c": 1 }))]).await;
    let before = (CHAIN.to_owned(), 9, json!({ "a": 5, "b": 1 }));
    let late = (CHAIN.to_owned(), 7, json!({ "c": 1 }));
    assert_eq!(short(&listed(&service, &at(2)).await), [before, late]);
    let all = (CHAIN.to_owned(), 9, json!({ "a": 5, "b": 1, "c": 1 }));
    assert_eq!(short(&listed(&service, &at(3)).await), [all]);
}

#[tokio::test]
async fn a_disputed_head_does_not_stand_for_the_owners() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{}{}", config(&directory), proxy("mallory", &token_of("mallory")));
    let service = Service::start_with(directory, &text, START).await;
    report(&service, "envoy", "n1", vec![head_of(CHAIN, 5, json!({ "a": 2 }))]).await;
    report(&service, "mallory", "n1", vec![head_of(CHAIN, 900, json!({ "a": 800 }))]).await;
    let heads = listed(&service, &at(10)).await;
    assert_eq!(
        short(&heads),
        [(CHAIN.to_owned(), 5, json!({ "a": 2 })), (CHAIN.to_owned(), 900, json!({ "a": 800 })),]
    );
    assert_eq!((&heads[0]["proof"], &heads[0]["owner"]), (&json!("first_report"), &Value::Null));
    assert_eq!((&heads[1]["proof"], &heads[1]["owner"]), (&json!("disputed"), &json!("envoy")));
}

#[tokio::test]
async fn it_is_listed_for_one_chain_and_for_one_node() {
    let service = Service::start().await;
    for (node, number) in [("n1", 1), ("n2", 2), ("n1", 3)] {
        let heads = vec![head_of(&chain(number), 5, json!({ "a": 1 }))];
        report(&service, "envoy", node, heads).await;
    }
    service.advance(10);
    for (node, number) in [("n1", 1), ("n2", 2), ("n2", 4)] {
        let heads = vec![head_of(&chain(number), 6, json!({ "a": 2 }))];
        report(&service, "envoy", node, heads).await;
    }
    let numbers = async |query: &str| {
        let heads = listed(&service, &format!("{}{query}", at(10))).await;
        short(&heads).into_iter().map(|(chain, seq, _)| (chain, seq)).collect::<Vec<_>>()
    };
    let one_chain = numbers(&format!("&chain={}", chain(2))).await;
    assert_eq!(one_chain, [(chain(2), 5), (chain(2), 6)]);
    let first_node = numbers("&node=n1").await;
    assert_eq!(first_node, [(chain(1), 5), (chain(3), 5), (chain(1), 6)]);
    assert_eq!(numbers(&format!("&node=n2&chain={}", chain(1))).await, []);
}

/// By chain and proxy: the highest number, and the counts of grants.
type Before = BTreeMap<(String, String), (i64, BTreeMap<String, i64>)>;

/// What the pages must add up to, worked out from all reports: what was before, and the ids of the others.
fn expected(reports: &[ReportedHead], since: i64) -> (Before, Vec<i64>) {
    let mut before = Before::new();
    let mut then = Vec::new();
    for report in reports {
        if report.reported_at_ms >= since {
            then.push(report.id);
            continue;
        }
        let key = (report.chain.clone(), report.proxy.clone());
        let (seq, grants) = before.entry(key).or_default();
        *seq = report.seq.max(*seq);
        for (grant, count) in &report.grants {
            let known = grants.entry(grant.clone()).or_default();
            *known = (*count).max(*known);
        }
    }
    (before, then)
}

#[tokio::test]
async fn pages_of_any_size_add_up_to_the_whole_list_without_duplicates() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{}{}", config(&directory), proxy("mallory", &token_of("mallory")));
    let service = Service::start_with(directory, &text, START).await;
    // Chains that begin at different times, some of which stop, and one that two proxies report.
    for round in 0..12_usize {
        for number in 0..7 {
            if round >= number && (number % 3 != 1 || round < 6) {
                let seq = i64::try_from(round + 1).unwrap();
                let grants = if round % 2 == 0 {
                    json!({ format!("g{}", round % 5): seq })
                } else {
                    json!({})
                };
                report(&service, "envoy", "n1", vec![head_of(&chain(number), seq, grants)]).await;
            }
        }
        if round % 4 == 0 {
            let seq = i64::try_from(round * 10 + 1).unwrap();
            report(&service, "mallory", "n9", vec![head_of(&chain(2), seq, json!({ "x": 1 }))])
                .await;
        }
        service.advance(10);
    }
    let (_, reports) = all(&service, HeadFilter { limit: 1000, ..HeadFilter::default() }).await;
    assert_eq!(reports.len(), 54);
    for seconds in [-5, 0, 5, 10, 35, 60, 85, 110, 115, 500] {
        let since = Moment::from_seconds(START + seconds);
        let (before, then) = expected(&reports, since.millis());
        for limit in [1, 2, 3, 7, 10, 1000] {
            let filter = HeadFilter { since: Some(since), limit, ..HeadFilter::default() };
            let (pages, heads) = all(&service, filter).await;
            let total = before.len() + then.len();
            assert_eq!(pages, total.div_ceil(limit).max(1), "{seconds} {limit}");
            let (first, second) = heads.split_at(before.len());
            let found: Before = first
                .iter()
                .map(|head| {
                    let key = (head.chain.clone(), head.proxy.clone());
                    (key, (head.seq, head.grants.clone()))
                })
                .collect();
            assert_eq!(found, before, "{seconds} {limit}");
            let ids: Vec<i64> = second.iter().map(|head| head.id).collect();
            assert_eq!(ids, then, "{seconds} {limit}");
        }
    }
}

/// Counts from before are worked out from a chain's reports while it goes on: one page reads a bounded number.
#[tokio::test]
async fn a_page_reads_a_bounded_number_of_reports() {
    let service = Service::start().await;
    sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 119999)
         INSERT INTO audit_heads
             (reported_at_ms, proxy, node, chain, seq, hash, began, ended, grants)
         SELECT (?1 + n / 1000) * 1000, 'envoy', 'n1', printf('%032x', n % 2), n / 2 + 1,
             printf('%064x', n), '2026-11-22T02:12:59.5Z', 0, json_object('a', n / 2 + 1)
         FROM numbers",
    )
    .bind(START)
    .execute(&service.evidence().await)
    .await
    .unwrap();
    // Each chain has 60,000 reports, and one of them after the instant.
    let since = Some(Moment::from_seconds(START + 119));
    let filter = HeadFilter { since, limit: 1000, ..HeadFilter::default() };
    let first = service.app.evidence().heads(filter).await.unwrap();
    assert_eq!(first.heads.len(), 1, "the other chain takes a page of its own");
    let (pages, heads) = all(&service, filter).await;
    assert_eq!((pages, heads.len()), (3, 2 + 1000));
    for head in &heads[..2] {
        assert_eq!((head.seq, &head.grants), (59_500, &BTreeMap::from([("a".to_owned(), 59_500)])));
    }
}

/// The counts of many reports together are more than fits into a page.
#[tokio::test]
async fn a_head_with_too_many_grants_for_a_page_is_there_in_parts() {
    let service = Service::start().await;
    for seq in 1..=5 {
        let grants: Value = (0..4_500)
            .map(|number| (format!("grant_{seq}_{number:0200}"), Value::from(seq)))
            .collect();
        report(&service, "envoy", "n1", vec![head_of(&chain(1), seq, grants)]).await;
    }
    report(&service, "envoy", "n1", vec![head_of(&chain(2), 1, json!({ "a": 1 }))]).await;
    service.advance(10);
    // The chain goes on, so that its counts from before are worked out from its reports.
    for going_on in [false, true] {
        if going_on {
            report(&service, "envoy", "n1", vec![head_of(&chain(1), 6, json!({ "b": 1 }))]).await;
        }
        let (mut after, mut grants, mut parts) = (Value::from(0), BTreeMap::new(), 0);
        let mut others = Vec::new();
        while after != Value::Null {
            let query = format!("{}&after={after}", at(10));
            let page = service.get("grace", &format!("/v1/audit/heads{query}")).await.ok();
            assert!(page.to_string().len() <= 4 * 1024 * 1024);
            for head in page["heads"].as_array().unwrap() {
                if head["chain"] == chain(1) && head["seq"] == 5 {
                    assert_eq!(head["hash"], hash('a'));
                    parts += 1;
                    for (grant, count) in head["grants"].as_object().unwrap() {
                        assert!(grants.insert(grant.clone(), count.clone()).is_none(), "{grant}");
                    }
                } else if head["chain"] == chain(2) {
                    others.push(head["grants"].clone());
                }
            }
            after = page["next"].clone();
        }
        assert_eq!((parts, grants.len()), (3, 5 * 4_500));
        assert_eq!(others, [json!({ "a": 1 })], "the next chain's are all there, and once");
        assert_eq!(grants[&format!("grant_5_{:0200}", 4_499)], 5);
    }
}
