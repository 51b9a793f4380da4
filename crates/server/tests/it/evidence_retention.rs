//! Old heads are thinned and removed, nothing that decides a verdict is lost unsaid, and nothing else can be deleted.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_server::clock::{Moment, rfc3339};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use breakglass_testing::credentials::proxy;
use breakglass_testing::heads::{head, listed};
use breakglass_testing::service::{START, Service, config, token_of};

/// A full hour.
const HOUR: i64 = 3600;
const BEGAN: i64 = START - START % HOUR + HOUR;

/// The reports of several hours: of a busy chain with grants that come and go, of one with conflicts, of an idle
/// one, and of one that ends.
async fn reported(hours: i64) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{}{}", config(&directory), proxy("edge", &token_of("edge")));
    let service = Service::start_with(directory, &text, BEGAN).await;
    for minute in 0..hours * 60 {
        if minute % 3 == 0 {
            let mut busy = named('1', minute + 1, 'a');
            busy["grants"] =
                json!({ format!("g{}", minute / 7): minute % 7 + 1, "all": minute + 1 });
            send(&service, "envoy", "n1", busy).await;
        }
        if minute % 20 == 5 {
            send(&service, "envoy", "n2", named('2', minute + 1, 'b')).await;
        }
        if minute % 40 == 26 {
            // The same number with another hash, a lower number, and what another proxy says.
            send(&service, "envoy", "n2", named('2', minute - 20, 'c')).await;
            send(&service, "envoy", "n2", named('2', minute - 23, 'd')).await;
            send(&service, "edge", "n9", named('2', minute + 1, 'e')).await;
        }
        if minute == 30 {
            send(&service, "envoy", "n3", named('3', 1, 'f')).await;
        }
        if minute % 30 == 10 && minute < 100 {
            let mut last = named('4', minute + 1, '4');
            last["ended"] = json!(minute > 60);
            send(&service, "envoy", "n4", last).await;
        }
        service.advance(60);
    }
    service
}

fn named(chain: char, seq: i64, digit: char) -> Value {
    let mut head = head(seq, digit);
    head["chain"] = json!(chain.to_string().repeat(32));
    head
}

async fn send(service: &Service, who: &str, node: &str, head: Value) {
    let body = json!({ "node": node, "heads": [head] });
    service.post(who, "/v1/audit/heads", body).await.ok();
}

async fn retain(service: &Service, thin: i64, remove: i64) {
    let evidence = service.app.evidence();
    let at = Moment::from_seconds;
    for _ in 0..20 {
        evidence.advance_retention(at(thin), at(remove)).await.unwrap();
        while evidence.thin().await.unwrap() {}
        while evidence.remove().await.unwrap() {}
    }
}

/// How far each chain was at each full hour.
async fn at_full_hours(service: &Service, hours: i64) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for hour in 0..=hours {
        let since = BEGAN + hour * HOUR;
        let heads = listed(service, &format!("?since={}", rfc3339(since))).await;
        let before = |head: &Value| head["reported_at"].as_str().unwrap() < rfc3339(since).as_str();
        all.push(heads.into_iter().filter(|head| before(head)).collect());
    }
    all
}

/// The highest count of each grant of each chain, whoever said it.
fn counts(heads: &[Value]) -> BTreeMap<(String, String), i64> {
    let mut counts = BTreeMap::new();
    for head in heads {
        for (grant, count) in head["grants"].as_object().unwrap() {
            let key = (head["chain"].to_string(), grant.clone());
            let known = counts.entry(key).or_insert(0);
            *known = count.as_i64().unwrap().max(*known);
        }
    }
    counts
}

#[tokio::test]
async fn old_heads_are_thinned_to_one_an_hour_and_every_full_hour_is_known_as_before() {
    let hours = 6;
    let service = reported(hours).await;
    let before = listed(&service, "").await;
    let known = at_full_hours(&service, hours).await;
    let thin = BEGAN + 4 * HOUR;
    retain(&service, thin + 1234, 0).await;
    let after = listed(&service, "").await;
    assert_eq!(at_full_hours(&service, hours).await, known);
    assert_eq!(counts(&after), counts(&before));
    // Nothing that is younger has changed.
    let young = |heads: &[Value]| -> Vec<Value> {
        let young = |head: &&Value| head["reported_at"].as_str().unwrap() >= rfc3339(thin).as_str();
        heads.iter().filter(young).cloned().collect()
    };
    assert_eq!(young(&after), young(&before));
    let members = |head: &Value| with(head, &["grants", "seen_at"]);
    let was: BTreeSet<String> = before.iter().map(members).collect();
    assert!(after.iter().all(|head| was.contains(&members(head))));
    let is: BTreeSet<String> = after.iter().map(members).collect();
    // What stays whatever its age: conflicts and what they contradict, ends, the first and the last of a chain.
    let of = |chain: char, head: &&Value| head["chain"] == chain.to_string().repeat(32);
    for chain in ['1', '2', '3', '4'] {
        let all: Vec<&Value> = before.iter().filter(|head| of(chain, head)).collect();
        let in_conflict: BTreeSet<i64> = all
            .iter()
            .filter(|head| !head["conflict"].is_null())
            .map(|head| head["seq"].as_i64().unwrap())
            .collect();
        let stays = |head: &&&Value| {
            head["ended"] == true || in_conflict.contains(&head["seq"].as_i64().unwrap())
        };
        for head in all.iter().filter(stays).chain(all.first()).chain(all.last()) {
            assert!(is.contains(&members(head)), "{chain}: {head}");
        }
    }
    let busy = |heads: &[Value]| heads.iter().filter(|head| of('1', head)).count();
    // Twenty an hour; of the four old ones one each, and the very first.
    assert_eq!((busy(&before), busy(&after)), (120, 45));
}

/// The head as text, without these members.
fn with(head: &Value, without: &[&str]) -> String {
    let mut head = head.clone();
    without.iter().for_each(|name| drop(head.as_object_mut().unwrap().remove(*name)));
    head.to_string()
}

#[tokio::test]
async fn what_was_thinned_is_said_and_only_full_hours_are_asked_about() {
    let service = reported(3).await;
    let page = service.get("grace", "/v1/audit/heads").await.ok();
    assert_eq!((&page["thinned_before"], &page["removed_before"]), (&Value::Null, &Value::Null));
    let half = format!("/v1/audit/heads?since={}", rfc3339(BEGAN + HOUR / 2));
    service.get("grace", &half).await.ok();
    retain(&service, BEGAN + 2 * HOUR, 0).await;
    let page = service.get("grace", "/v1/audit/heads").await.ok();
    assert_eq!(page["thinned_before"], rfc3339(BEGAN + 2 * HOUR));
    let answer = service.get("grace", &half).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    let detail = answer.body["detail"].as_str().unwrap();
    for named in [BEGAN, BEGAN + HOUR, BEGAN + 2 * HOUR] {
        assert!(detail.contains(&rfc3339(named)), "{detail}");
    }
    let later = format!("/v1/audit/heads?since={}", rfc3339(BEGAN + 2 * HOUR + 1));
    service.get("grace", &later).await.ok();
}

#[tokio::test]
async fn very_old_evidence_is_removed_but_for_chains_that_are_heard_of() {
    let service = reported(3).await;
    service.get("alice", "/v1/audit/heads").await.refusal();
    crate::attempts::until(&service, |rows| !rows.is_empty()).await;
    let now = BEGAN + 3 * HOUR;
    // The idle one is still there.
    send(&service, "envoy", "n3", named('3', 1, 'f')).await;
    retain(&service, now - 60, now - 60).await;
    let chains: BTreeSet<String> = listed(&service, "")
        .await
        .iter()
        .map(|head| head["chain"].as_str().unwrap()[..1].to_owned())
        .collect();
    assert!(chains.contains("3"), "{chains:?}");
    assert!(!chains.contains("2") && !chains.contains("4"), "{chains:?}");
    let database = service.evidence().await;
    let left =
        "SELECT (SELECT count(*) FROM audit_reporters), (SELECT count(*) FROM audit_chain_owners),
        (SELECT count(DISTINCT reporter) FROM audit_reporter_grants),
        (SELECT sum(chains) FROM proxy_usage)";
    let left: (i64, i64, i64, i64) = sqlx::query_as(left).fetch_one(&database).await.unwrap();
    let chains = i64::try_from(chains.len()).unwrap();
    assert_eq!((left.0, left.1, left.3), (chains, chains, chains));
    let page = service.get("grace", "/v1/audit/attempts").await.ok();
    assert_eq!(page["removed_before"], rfc3339(now - 60));
    // It goes on: the chain is judged by what is left of it.
    let body = json!({ "node": "n3", "heads": [named('3', 2, 'a')] });
    let answer = service.post("envoy", "/v1/audit/heads", body).await.ok();
    assert_eq!(answer, json!({ "accepted": 1, "conflicts": 0 }));
}

/// A clock that is years ahead does not empty the database at once.
#[tokio::test]
async fn each_step_takes_a_few_hours_at_most() {
    let service = reported(3).await;
    let evidence = service.app.evidence();
    let far = Moment::from_seconds(BEGAN + 10_000 * HOUR);
    let oldest = BEGAN;
    for step in 1..=3 {
        let retention = evidence.advance_retention(far, far).await.unwrap();
        let until = (oldest + step * 6 * HOUR) * 1000;
        assert_eq!((retention.thinned_before_ms, retention.removed_before_ms), (until, until));
    }
}

#[tokio::test]
async fn nothing_else_can_be_deleted_or_changed() {
    let service = reported(3).await;
    retain(&service, BEGAN + HOUR, 0).await;
    let database = service.evidence().await;
    let old = format!("reported_at_ms < {}", (BEGAN + HOUR) * 1000);
    let young = format!("reported_at_ms >= {}", (BEGAN + HOUR) * 1000);
    let last = "id IN (SELECT head_id FROM audit_reporters)";
    for sql in [
        // What is left of the first hour stays, and all that is younger.
        format!("DELETE FROM audit_heads WHERE {old}"),
        format!("DELETE FROM audit_heads WHERE {young} AND chain LIKE '1%'"),
        format!("DELETE FROM audit_heads WHERE {last}"),
        "DELETE FROM audit_heads WHERE conflict IS NOT NULL".to_owned(),
        "DELETE FROM audit_heads WHERE ended".to_owned(),
        format!("UPDATE audit_heads SET grants = '{{}}' WHERE {old} AND grants <> '{{}}'"),
        format!("UPDATE audit_heads SET grants = '{{\"x\":1}}' WHERE {young} AND grants = '{{}}'"),
        format!("UPDATE audit_heads SET hash = '{}' WHERE {old}", "0".repeat(64)),
        "UPDATE audit_heads SET conflict = NULL WHERE conflict IS NOT NULL".to_owned(),
    ] {
        let error = sqlx::query(AssertSqlSafe(sql.clone())).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    for (sql, words) in [
        ("UPDATE retention SET thinned_before_ms = 0", "does not come back"),
        ("UPDATE retention SET removed_before_ms = -1", "does not come back"),
        ("DELETE FROM retention", "does not come back"),
        ("DELETE FROM audit_reporters", "not taken back"),
        ("DELETE FROM audit_chain_owners", "owner of a chain is kept"),
        ("UPDATE import SET done = 0", "copied once"),
        ("DELETE FROM import", "copied once"),
    ] {
        let error = sqlx::query(sql).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
}

/// Every grant is another one: the counts of an hour are more than one head takes over.
#[tokio::test]
async fn counts_that_do_not_fit_into_one_head_stay_in_several() {
    let service = Service::start().await;
    let from = (START / HOUR + 1) * HOUR - START;
    service.advance(from);
    for seq in 1..=60 {
        let mut busy = named('1', seq, 'a');
        let grants: Value =
            (0..40).map(|n| (format!("grant_{seq:010}_{n:014}"), json!(1))).collect();
        busy["grants"] = grants;
        send(&service, "envoy", "n1", busy).await;
        service.advance(30);
    }
    let before = listed(&service, "").await;
    retain(&service, START + 3 * HOUR, 0).await;
    let after = listed(&service, "").await;
    assert_eq!(counts(&after), counts(&before));
    assert!((10..20).contains(&after.len()), "{}", after.len());
    assert!(after.iter().all(|head| head.to_string().len() < 12_000));
}
