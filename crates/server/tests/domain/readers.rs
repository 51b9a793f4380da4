//! A reader of events loses none, whatever the order in which writers commit, and goes on at its cursor after a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use breakglass_testing::service::{Answer, START, Service, config, token_of};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

/// How many services there are on one database, and how many writers: two at each.
const SERVICES: usize = 4;
const WRITERS: usize = 2 * SERVICES;

/// How many requests each writer takes to an end.
const REQUESTS: usize = 10;

/// Services on one database. The ids of each come of another time.
async fn services() -> Vec<Arc<Service>> {
    let first = Service::start().await;
    let text = config(&first.directory);
    let mut services = vec![Arc::new(first)];
    for number in 1..SERVICES {
        let own = tempfile::tempdir().unwrap();
        let now = START + i64::try_from(number).unwrap();
        services.push(Arc::new(Service::start_with(own, &text, now).await));
    }
    services
}

fn database(service: &Service) -> PathBuf {
    service.app.config().database.clone()
}

/// Sends it until the database is not busy. An answer of before may have come after the change.
async fn until_done(service: &Service, who: &str, path: &str, key: &str, body: &Value) -> Answer {
    let mut was_busy = false;
    loop {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", token_of(who)))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()));
        let answer = service.send(request.unwrap()).await;
        if answer.status == 503 {
            assert_eq!(answer.refusal().1, "storage_busy");
            was_busy = true;
            continue;
        }
        assert!(answer.status.is_success() || (was_busy && answer.status == 409), "{answer:?}");
        return answer;
    }
}

/// Takes requests to their ends, each in its own way.
async fn write(service: Arc<Service>, writer: usize) {
    for number in 0..REQUESTS {
        let key = format!("{writer}-{number}");
        let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
        let view = until_done(&service, "alice", "/v1/requests", &key, &body).await.ok();
        let path = format!("/v1/requests/{}", view["id"].as_str().unwrap());
        let because = json!({ "reason": "r" });
        let approval = json!({ "digest": view["digest"] });
        let (question, nothing) = (json!({ "text": "?" }), json!({}));
        let calls = match number % 3 {
            0 => vec![("carol", "deny", &because)],
            1 => vec![("carol", "question", &question), ("alice", "cancel", &nothing)],
            _ => vec![("frank", "approve", &approval), ("alice", "token", &nothing)],
        };
        for (who, verb, body) in calls {
            until_done(&service, who, &format!("{path}/{verb}"), &key, body).await;
        }
        let view = service.get("grace", &path).await.ok();
        if let Some(jti) = view["grant"]["id"].as_str() {
            let body = json!({ "grant": jti, "reason": "r" });
            until_done(&service, "carol", "/v1/revocations", &key, &body).await.ok();
        }
        let view = service.get("grace", &path).await.ok();
        assert_eq!(view["state"], ["denied", "cancelled", "revoked"][number % 3]);
    }
}

/// Reads events until the writers are done and no event is left. Now and then it opens the database anew, and keeps its
/// cursor alone. Returns the `seq` of each event that it has read.
async fn read(path: PathBuf, seed: u64, done: Arc<AtomicBool>) -> Vec<i64> {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut read, mut place) = (Vec::new(), 0);
    loop {
        let store = breakglass_testing::store::open(&path).await.unwrap();
        for _ in 0..random.random_range(1..20) {
            // Before the look: what is committed until then is seen by it.
            let last = done.load(Ordering::SeqCst);
            let events = store.events_after(place, random.random_range(1..10)).await.unwrap();
            read.extend(events.iter().map(|event| event.seq));
            place = events.last().map_or(place, |event| event.seq);
            if last && events.is_empty() {
                return read;
            }
            sleep(Duration::from_millis(random.random_range(0..3))).await;
        }
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_of_events_lose_none_while_eight_write() {
    let services = services().await;
    let before = services[0].app.store().last_event().await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let path = database(&services[0]);
    let readers: Vec<_> =
        (0..3).map(|seed| tokio::spawn(read(path.clone(), seed, Arc::clone(&done)))).collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&services[writer % SERVICES]), writer)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let last = services[0].app.store().last_event().await.unwrap();
    let database = services[0].database().await;
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(&database).await.unwrap();
    assert_eq!(last - before, rows);
    assert!(rows >= 232, "29 changes of each writer, {rows}");
    let all: Vec<i64> = (1..=last).collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), all);
    }
}

/// Another process on the same database.
async fn other(path: &Path, text: &str) -> Service {
    assert!(path.exists());
    Service::start_with(tempfile::tempdir().unwrap(), text, START + 1).await
}

#[tokio::test]
async fn a_wait_is_woken_by_a_change_of_another_process_from_the_start_on() {
    let first = Service::start().await;
    let text = config(&first.directory);
    let second = other(&database(&first), &text).await;
    let id = first.pending().await;
    // A service that has just started: it has not yet looked at the events.
    let third = other(&database(&first), &text).await;
    let path = format!("/v1/requests/{id}?wait=60s");
    let wait = third.get("alice", &path);
    let deny = async {
        while third.app.waits().waiting() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        second.act("carol", &id, "deny").await.ok();
    };
    let start = Instant::now();
    let both = async { tokio::join!(wait, deny) };
    let (answer, ()) = timeout(Duration::from_secs(20), both).await.unwrap();
    assert_eq!(answer.ok()["state"], "denied");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
