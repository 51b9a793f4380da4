//! The limits of connections, in HTTP/2: with the same meaning as in HTTP/1, and for each request of a connection.

use std::time::Duration;

use h2::client::Builder;
use h2::{Ping, Reason};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::connections::{AT_ONCE, BODY, IDLE, Listening, WRITE, limits};
use crate::http2::{Asked, Client, POLL};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_ends_its_own_request_alone() {
    let listening = Listening::start(limits(100)).await;
    let mut client = Client::connect(listening.address).await;
    let poll = client.get("envoy", POLL).await;
    let start = Instant::now();
    let Asked { response, mut body } = client.begin("alice", ("POST", "/v1/requests"), false).await;
    let drip = tokio::spawn(async move {
        while body.send_data(" ".into(), false).is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let end = response.await.unwrap_err();
    assert_eq!(end.reason(), Some(Reason::INTERNAL_ERROR));
    assert!(start.elapsed() > BODY && start.elapsed() < BODY + AT_ONCE, "{:?}", start.elapsed());
    timeout(AT_ONCE, drip).await.unwrap().unwrap();
    assert_eq!(listening.closed("slow_body").await, 1);
    listening.a_person_works().await;
    assert_eq!(poll.answer().await.unwrap().1["epoch"], 1);
}

/// Where no byte of the answer fits into the window, the library has all of it still; where one fits, the connection.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_taken_closes_the_connection() {
    for window in [0, 1] {
        let listening = Listening::start(limits(100)).await;
        let mut builder = Builder::new();
        builder.initial_window_size(window);
        let mut client = Client::connect_with(listening.address, &builder).await;
        let start = Instant::now();
        let _asked = client.get("", "/openapi.json").await;
        // It is at work still for the service's own sake: an answer that rests is no reason to stay.
        listening.until_closed("answer_not_read", 1).await;
        assert!(start.elapsed() > WRITE, "{window} {:?}", start.elapsed());
        assert!(start.elapsed() < WRITE + AT_ONCE, "{window} {:?}", start.elapsed());
        // What it had in memory is gone, and the client hears of it.
        let _ = client.until_closed().await;
        assert_eq!(listening.service.counter("breakglass_connections").await, 0);
    }
}

/// A byte from time to time is progress, until the answer takes too long in all.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_taken_slowly_has_its_time() {
    let listening = Listening::start(limits(100)).await;
    let mut builder = Builder::new();
    builder.initial_window_size(1);
    let mut client = Client::connect_with(listening.address, &builder).await;
    let start = Instant::now();
    let asked = client.get("", "/openapi.json").await;
    let mut body = asked.response.await.unwrap().into_body();
    let mut bytes = 0;
    while let Some(Ok(part)) = body.data().await {
        bytes += part.len();
        sleep(WRITE / 4).await;
        if body.flow_control().release_capacity(part.len()).is_err() {
            break;
        }
    }
    assert!(bytes > 8, "{bytes}");
    // `answer` of these limits.
    assert!(start.elapsed() > Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10) + AT_ONCE, "{:?}", start.elapsed());
    assert_eq!(listening.closed("answer_not_read").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_idle_when_it_has_no_request_whatever_frames_come() {
    let listening = Listening::start(limits(100)).await;
    let io = tokio::net::TcpStream::connect(listening.address).await.unwrap();
    let (send, mut connection) = h2::client::handshake(io).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let mut client = Client { send, driver: tokio::spawn(connection) };
    assert_eq!(client.get("", "/healthz").await.answer().await.unwrap().0, 200);
    let start = Instant::now();
    while pings.ping(Ping::opaque()).await.is_ok() {
        sleep(Duration::from_millis(100)).await;
        assert!(start.elapsed() < 2 * IDLE);
    }
    assert!(start.elapsed() > IDLE, "{:?}", start.elapsed());
    // The client was told, and has lost no request.
    client.until_closed().await.unwrap();
    assert_eq!(listening.closed("idle").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beside_another_one_takes_a_place() {
    let listening = Listening::start(limits(20)).await;
    let id = listening.service.pending().await;
    let wait = format!("/v1/requests/{id}?wait=60s");
    let mut idle = Vec::new();
    for _ in 0..5 {
        let mut client = Client::connect(listening.address).await;
        assert_eq!(client.get("", "/healthz").await.answer().await.unwrap().0, 200);
        idle.push(client);
    }
    let mut client = Client::connect(listening.address).await;
    let mut hanging = Vec::new();
    // People may wait in a third of the places; the rest are bodies that do not come.
    for _ in 0..6 {
        hanging.push(client.get("alice", &wait).await);
    }
    for _ in 0..14 {
        hanging.push(client.begin("carol", ("POST", "/v1/revocations"), false).await);
    }
    // The idle connections gave way.
    for idle in idle {
        let _ = idle.until_closed().await;
    }
    assert_eq!(listening.closed("gave_way").await, 5);
    let (status, body) = client.get("", "/healthz").await.answer().await.unwrap();
    assert_eq!((status, &body["reason"]), (503, &json!("too_many_connections")));
    assert!(listening.closed("no_place_for_address").await > 0);
    drop(hanging);
    // The places are free again, once the client has said that it wants no answer.
    let start = Instant::now();
    while client.get("", "/healthz").await.answer().await.unwrap().0 != 200 {
        assert!(start.elapsed() < AT_ONCE);
        sleep(Duration::from_millis(10)).await;
    }
    listening.a_person_works().await;
}

/// The polls of a proxy are counted one by one, on however few connections they are.
#[tokio::test(flavor = "multi_thread")]
async fn polls_on_one_connection_leave_places_for_people() {
    let listening = Listening::start(limits(50)).await;
    let mut client = Client::connect(listening.address).await;
    let mut polls = Vec::new();
    for _ in 0..40 {
        polls.push(client.get("envoy", POLL).await);
    }
    // Of 50 places, two fifths are for one credential.
    listening.until_hanging(20).await;
    assert_eq!(listening.closed("no_place_for_proxy").await, 20);
    listening.a_person_works().await;
    let mut answers = Vec::new();
    for poll in polls {
        answers.push(poll.answer().await.unwrap());
    }
    let refused =
        |(status, body): &&(u16, Value)| *status == 503 && body["reason"] == "too_many_connections";
    assert_eq!(answers.iter().filter(refused).count(), 20);
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 20);
    assert_eq!(client.get("envoy", "/v1/revocations").await.answer().await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_answers_rest_gives_way_before_idle_ones() {
    let mut limits = limits(10);
    limits.times.write = Duration::from_secs(60);
    limits.times.answer = Duration::from_secs(60);
    let listening = Listening::start(limits).await;
    let mut builder = Builder::new();
    builder.initial_window_size(1);
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut client = Client::connect_with(listening.address, &builder).await;
        let asked = client.get("", "/openapi.json").await;
        slow.push((client, asked.response.await.unwrap()));
    }
    let mut idle = Client::connect(listening.address).await;
    assert_eq!(idle.get("", "/healthz").await.answer().await.unwrap().0, 200);
    // Longer than an answer may rest.
    sleep(Duration::from_millis(1500)).await;
    let mut more = Vec::new();
    let wait = format!("/v1/requests/{}?wait=60s", listening.service.pending().await);
    listening.service.app.waits().limit(10);
    for _ in 0..9 {
        let mut client = Client::connect(listening.address).await;
        more.push(client.get("carol", &wait).await);
        while listening.service.app.waits().waiting() < more.len() {
            sleep(Duration::from_millis(10)).await;
        }
        assert!(more.len() > 4 || listening.closed("gave_way").await == 0);
    }
    for (client, _) in slow {
        let _ = client.until_closed().await;
    }
    assert_eq!(listening.closed("gave_way").await, 5);
    assert_eq!(idle.get("", "/healthz").await.answer().await.unwrap().0, 200);
}
