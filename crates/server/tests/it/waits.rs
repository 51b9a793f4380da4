//! Waiting for a decision: who waits is woken by news of that request and by nothing else.

use std::pin::Pin;
use std::time::Duration;

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_server::clock::Moment;
use breakglass_server::limits::MAX_WAITS_PER_PERSON;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use breakglass_testing::service::{Answer, START, Service};

/// A wait that has begun.
type Wait<'s> = Pin<Box<dyn Future<Output = Answer> + 's>>;

/// Starts to wait for a request, and returns when the wait has begun.
async fn wait<'s>(service: &'s Service, who: &'s str, id: &str) -> Wait<'s> {
    let before = service.app.waits().waiting();
    let path = format!("/v1/requests/{id}?wait=60s");
    let mut answer: Wait<'s> = Box::pin(async move { service.get(who, &path).await });
    while service.app.waits().waiting() == before {
        assert!(timeout(Duration::from_millis(10), &mut answer).await.is_err());
    }
    answer
}

#[tokio::test]
async fn a_request_that_lapses_wakes_at_that_moment() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.advance(599);
    let start = Instant::now();
    let answer = wait(&service, "alice", &id).await;
    let late = async {
        sleep(Duration::from_millis(200)).await;
        service.advance(1);
    };
    let (answer, ()) =
        timeout(Duration::from_secs(10), async { tokio::join!(answer, late) }).await.unwrap();
    assert_eq!(answer.ok()["state"], "lapsed");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_change_that_this_process_was_not_told_of_wakes_too() {
    let service = Service::start().await;
    // The trail is looked at from now on.
    sleep(Duration::from_millis(1200)).await;
    let id = service.pending().await;
    let answer = wait(&service, "alice", &id).await;
    let other = breakglass_testing::store::open(&service.directory.path().join("approvals.db"))
        .await
        .unwrap();
    let (now, start) = (Moment::from_seconds(START), Instant::now());
    let (change, request) = other.change_of(now, &id).await.unwrap();
    let denied = change.deny(now, &request.unwrap(), "carol", "r").await.unwrap();
    let words = (Action::Deny, EventType::Denied);
    denied.commit(now, "carol", words, json!({})).await.unwrap();
    let answer = timeout(Duration::from_secs(10), answer).await.unwrap();
    assert_eq!(answer.ok()["state"], "denied");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_person_waits_in_so_many_places_and_no_more() {
    let service = Service::start().await;
    let ids = join_all((0..MAX_WAITS_PER_PERSON).map(|_| service.pending())).await;
    let mut waits = Vec::new();
    for id in &ids {
        waits.push(wait(&service, "carol", id).await);
    }
    let path = format!("/v1/requests/{}?wait=60s", ids[0]);
    let refused = service.get("carol", &path).await;
    assert_eq!(refused.refusal(), (429, "too_many_waits"));
    assert_eq!(refused.headers["retry-after"], "5");
    assert_eq!(service.counter("breakglass_waiting_requests").await, ids.len() as i64);
    // Others wait, and who does not wait is answered, also where nothing is pending any more.
    drop(wait(&service, "bob", &ids[0]).await);
    service.get("carol", &format!("/v1/requests/{}", ids[0])).await.ok();
    service.act("alice", &ids[0], "cancel").await.ok();
    let answer = waits.swap_remove(0).await.ok();
    assert_eq!(answer["state"], "cancelled");
    waits.push(wait(&service, "carol", &ids[1]).await);
    assert_eq!(service.get("carol", &path).await.ok()["state"], "cancelled");
    // Who goes away leaves nothing behind.
    drop(waits);
    let start = Instant::now();
    while service.counter("breakglass_waiting_requests").await > 0 {
        assert!(start.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(10)).await;
    }
}
