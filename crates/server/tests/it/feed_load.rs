//! Many polls at once in one process.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use breakglass_testing::service::Service;

const POLLS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_hanging_polls_get_the_news_of_one_commit() {
    let service = Arc::new(Service::start().await);
    let (_, jti) = service.approved().await;
    let mut polls = JoinSet::new();
    for index in 0..POLLS {
        let service = Arc::clone(&service);
        polls.spawn(async move {
            let answer = service.feed(&format!("?after=0&wait=60s&node=n{index}")).await.ok();
            (answer, Instant::now())
        });
    }
    let hanging = i64::try_from(POLLS).unwrap();
    while service.counter("breakglass_feed_hanging_polls").await != hanging {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let listed = service.get("carol", "/v1/proxies").await.ok();
    assert_eq!(listed["proxies"].as_array().unwrap().len(), POLLS);

    let start = Instant::now();
    service.revoke("carol", &jti).await.ok();
    let mut delays = Vec::new();
    for (answer, at) in polls.join_all().await {
        assert_eq!(
            (&answer["epoch"], &answer["revoked"][0]["jti"]),
            (&1.into(), &jti.as_str().into())
        );
        delays.push(at.duration_since(start));
    }
    delays.sort_unstable();
    assert_eq!(delays.len(), POLLS);
    let p99 = delays[POLLS * 99 / 100];
    assert!(p99 < Duration::from_millis(800), "{p99:?}");
    assert_eq!(service.counter(r#"breakglass_feed_answers_total{kind="news"}"#).await, hanging);
    assert_eq!(service.counter("breakglass_feed_hanging_polls").await, 0);
}

/// A proxy that goes away in the middle of a poll leaves nothing behind.
#[tokio::test]
async fn a_poll_that_is_given_up_hangs_no_more() {
    let service = Service::start().await;
    let given_up =
        tokio::time::timeout(Duration::from_millis(200), service.feed("?after=0&wait=60s&node=n"));
    assert!(given_up.await.is_err());
    assert_eq!(service.counter("breakglass_feed_hanging_polls").await, 0);
    service.advance(12);
    let listed = service.get("carol", "/v1/proxies").await.ok();
    assert_eq!(listed["proxies"][0]["stale_for_s"], 12);
}
