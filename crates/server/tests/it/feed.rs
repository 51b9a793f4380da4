//! `GET /v1/revocations`: the feed.

use std::time::Duration;

use breakglass_server::clock::Moment;
use serde_json::{Value, json};
use tokio::time::timeout;

use breakglass_testing::grants::revoke as revoke_at;
use breakglass_testing::service::{Answer, START, Service, config};

/// Far below the waits that are asked for here.
const SOON: Duration = Duration::from_secs(5);

fn grants(answer: &Value) -> Vec<&str> {
    let revoked = answer["revoked"].as_array().unwrap();
    revoked.iter().map(|entry| entry["jti"].as_str().unwrap()).collect()
}

/// What a poll got that hung until `act` was done.
async fn hanging(service: &Service, query: &str, act: impl Future<Output = ()>) -> Answer {
    let act = async {
        while service.counter("breakglass_feed_hanging_polls").await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        act.await;
    };
    timeout(SOON, async { tokio::join!(service.feed(query), act) }).await.unwrap().0
}

#[tokio::test]
async fn who_knows_nothing_gets_all_of_it_in_order_and_then_what_is_new() {
    let service = Service::start().await;
    let (_, first) = service.approved().await;
    let (_, second) = service.approved().await;
    for jti in [&second, &first] {
        service.revoke("carol", jti).await.ok();
    }
    let answer = service.feed("?wait=25s&node=envoy-1").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    let all = answer.ok();
    let feed = all["feed"].as_str().unwrap().to_owned();
    assert_eq!(feed.len(), 32, "{feed}");
    let tag = all["tag"].as_str().unwrap();
    assert!(tag.len() == 16 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()), "{tag}");
    let exp = START + 1800;
    assert_eq!(
        all,
        json!({
            "epoch": 2, "reset": true, "feed": feed, "tag": tag,
            "revoked": [{ "jti": second, "exp": exp }, { "jti": first, "exp": exp }],
        })
    );
    let news = service.feed(&format!("?after=1&feed={feed}&wait=25s&node=envoy-1")).await.ok();
    assert_eq!((grants(&news), &news["reset"]), (vec![first.as_str()], &json!(false)));
    let zero = service.feed("?after=0&node=envoy-1").await.ok();
    assert_eq!((grants(&zero).len(), &zero["reset"]), (2, &json!(false)));
}

#[tokio::test]
async fn a_poll_hangs_until_there_is_news() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    let answer = hanging(&service, "?after=0&wait=30s&node=n", async {
        // Other changes are none of its business.
        service.pending().await;
        assert_eq!(service.counter("breakglass_feed_hanging_polls").await, 1);
        service.revoke("carol", &jti).await.ok();
    });
    let answer = answer.await.ok();
    assert_eq!((grants(&answer), &answer["epoch"]), (vec![jti.as_str()], &json!(1)));
    assert_eq!(service.counter("breakglass_feed_hanging_polls").await, 0);
    assert_eq!(service.counter("breakglass_feed_epoch").await, 1);
    assert_eq!(service.counter(r#"breakglass_feed_answers_total{kind="news"}"#).await, 1);
}

#[tokio::test]
async fn a_poll_ends_without_news_when_its_time_is_over_or_the_service_stops() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    for query in ["?after=1", "?after=1&wait=1s", "?after=1&wait=300ms"] {
        let answer = service.feed(query).await.ok();
        assert_eq!((grants(&answer), &answer["epoch"]), (vec![], &json!(1)), "{query}");
        assert_eq!(answer["reset"], false);
    }
    hanging(&service, "?after=1&wait=60s", async { service.app.stop() }).await.ok();
    assert_eq!(service.counter(r#"breakglass_feed_answers_total{kind="timeout"}"#).await, 4);
}

#[tokio::test]
async fn an_epoch_that_was_never_given_and_another_feed_begin_anew() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    for query in ["", "?after=2&wait=25s", "?after=1&feed=other&wait=25s", "?feed=other"] {
        let answer = timeout(SOON, service.feed(query)).await.unwrap().ok();
        assert_eq!(answer["reset"], true, "{query}");
        assert_eq!((grants(&answer), &answer["epoch"]), (vec![jti.as_str()], &json!(1)));
    }
    assert_eq!(service.counter(r#"breakglass_feed_answers_total{kind="reset"}"#).await, 4);
}

#[tokio::test]
async fn each_database_has_a_feed_of_its_own_and_keeps_it() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    let before = service.feed("").await.ok();
    let text = config(&service.directory);
    let again = Service::start_with(service.directory, &text, START).await;
    let (_, jti) = again.approved().await;
    assert_eq!(again.feed("").await.ok(), before, "a restart keeps epochs and feed");
    assert_eq!(again.revoke("carol", &jti).await.ok()["epoch"], 2);
    let other = Service::start().await.feed("").await.ok();
    assert_ne!(other["feed"], before["feed"]);
}

#[tokio::test]
async fn a_new_feed_id_is_noticed_while_the_service_runs() {
    let service = Service::start().await;
    let before = service.feed("").await.ok();
    let database = service.database().await;
    sqlx::query("UPDATE feed SET id = 'restored'").execute(&database).await.unwrap();
    let query = format!("?after=0&feed={}&wait=60s", before["feed"].as_str().unwrap());
    let answer = timeout(SOON, service.feed(&query)).await.unwrap().ok();
    assert_eq!((&answer["reset"], &answer["feed"]), (&json!(true), &json!("restored")));
}

#[tokio::test]
async fn a_revocation_of_another_process_is_seen_within_a_second() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    let other = breakglass_testing::store::open(&service.directory.path().join("approvals.db"))
        .await
        .unwrap();
    let answer = hanging(&service, "?after=0&wait=60s", async {
        revoke_at(&other, Moment::from_seconds(START), &jti).await.unwrap();
    });
    let answer = timeout(Duration::from_secs(2), answer).await.unwrap().ok();
    assert_eq!(grants(&answer), [jti.as_str()]);
}

/// One process answers with an epoch, and the next poll goes to another one: no reset.
#[tokio::test]
async fn an_epoch_of_another_process_is_looked_up() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    service.feed("").await.ok();
    let other = breakglass_testing::store::open(&service.directory.path().join("approvals.db"))
        .await
        .unwrap();
    revoke_at(&other, Moment::from_seconds(START), &jti).await.unwrap();
    let answer = service.feed("?after=1").await.ok();
    assert_eq!((&answer["reset"], &answer["epoch"]), (&json!(false), &json!(1)));
}

#[tokio::test]
async fn what_no_filter_can_honour_any_more_is_not_listed() {
    let service = Service::start().await;
    let (_, first) = service.approved().await;
    service.revoke("carol", &first).await.ok();
    service.advance(60);
    let (_, second) = service.approved().await;
    service.revoke("carol", &second).await.ok();
    service.advance(1800 - 1);
    assert_eq!(grants(&service.feed("").await.ok()).len(), 2, "a clock may be slow");
    service.advance(1);
    assert_eq!(grants(&service.feed("").await.ok()), [second.as_str()]);
    let news = service.feed("?after=0&wait=25s").await.ok();
    assert_eq!((grants(&news), &news["epoch"]), (vec![second.as_str()], &json!(2)));
    service.advance(-1);
    assert_eq!(grants(&service.feed("").await.ok()).len(), 2, "the clock went back");

    let text = config(&service.directory);
    let again = Service::start_with(service.directory, &text, START + 4000).await;
    let empty = again.feed("").await.ok();
    assert_eq!((grants(&empty), &empty["epoch"]), (vec![], &json!(2)), "the epoch stays");
}

#[tokio::test]
async fn it_is_for_proxies_and_says_what_is_wrong() {
    let service = Service::start().await;
    let path = "/v1/revocations";
    assert_eq!(service.get("alice", path).await.refusal(), (403, "proxies_only"));
    assert_eq!(service.get("nobody", path).await.refusal(), (401, "credential_unknown"));
    let long = format!("?node={}", "n".repeat(257));
    for query in ["?after=-1", "?after=x", "?wait=61s", "?colour=red", "?node=a%0ab", &long] {
        assert_eq!(service.feed(query).await.refusal(), (400, "invalid_request"), "{query}");
    }
}

/// Nobody hears "nothing new" from a service that cannot know. A wrong clock is no reason for silence.
#[tokio::test]
async fn without_its_database_there_is_no_answer_and_without_its_clock_there_is() {
    let service = Service::start().await;
    let database = service.database().await;
    let answer = hanging(&service, "?after=0&wait=2s", async {
        let rename = "ALTER TABLE revocations RENAME TO gone";
        sqlx::query(rename).execute(&database).await.unwrap();
    });
    assert_eq!(answer.await.refusal(), (503, "not_ready"), "the poll that hung");
    for query in ["?after=0&wait=1s", "?after=0", ""] {
        assert_eq!(service.feed(query).await.refusal(), (503, "not_ready"), "{query}");
    }
    let service = Service::start().await;
    service.feed("?after=0").await.ok();
    service.lose_the_clock();
    service.feed("?after=0").await.ok();
}
