//! A sink that is down, slow, wrong or hostile: what is tried again, when, and what becomes of the rest.

use std::time::Duration;

use breakglass_testing::receiver::{Receiver, Reply};
use serde_json::json;

use super::deliveries::{list, service, until, until_taken, webhook};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_receiver_does_the_event_arrives_once_it_takes_it() {
    let elsewhere = Receiver::start();
    let to: &'static str = format!("location: {}\r\n", elsewhere.url).leak();
    for (name, reply) in [
        ("500", Reply::Status(500, "", "oops \u{1b}[2J\u{202e}")),
        ("400", Reply::Status(400, "", "no")),
        ("410", Reply::Status(410, "", "gone")),
        ("302", Reply::Status(302, to, "")),
        ("307", Reply::Status(307, to, "")),
        ("hangs", Reply::Hang(Duration::from_secs(3))),
        ("no HTTP", Reply::Garbage),
        ("closes", Reply::Close),
    ] {
        let bad = reply.clone();
        let receiver = Receiver::answering(move |number, _| match number {
            0 => bad.clone(),
            _ => Reply::Status(200, "", ""),
        });
        let service = service(&webhook("siem", &receiver, "timeout = \"500ms\"")).await;
        service.pending().await;
        until_taken(&service, &receiver, 1).await;
        let calls = receiver.calls();
        assert_eq!((calls.len(), calls[0].id()), (2, calls[1].id()), "{name}");
        until(async || list(&service, "").await["deliveries"][0]["state"] == "delivered").await;
        assert_eq!(list(&service, "").await["deliveries"][0]["attempts"], 2, "{name}");
    }
    assert_eq!(elsewhere.calls().len(), 0, "no redirect is followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_kept_by_everything_that_waits_at_the_sink() {
    let receiver = Receiver::answering(|number, _| match number {
        0 => Reply::Status(429, "retry-after: 2\r\n", ""),
        _ => Reply::Status(200, "", ""),
    });
    let service = service(&webhook("siem", &receiver, "")).await;
    service.pending().await;
    until(async || receiver.calls().len() == 1).await;
    let asked = tokio::time::Instant::now();
    service.pending().await;
    until_taken(&service, &receiver, 2).await;
    assert!(asked.elapsed() >= Duration::from_millis(1900), "{:?}", asked.elapsed());
    assert_eq!(receiver.calls().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_in_time_is_a_dead_letter_and_the_next_has_its_turn() {
    let receiver = Receiver::answering(|_, call| match call.json()["type"].as_str().unwrap() {
        "breakglass.request.submitted" => Reply::Status(500, "", "not today"),
        _ => Reply::Status(200, "", ""),
    });
    let service = service(&webhook("siem", &receiver, "retry_for = \"1m\"")).await;
    service.approved().await;
    until_taken(&service, &receiver, 1).await;
    assert_eq!(receiver.types(), ["breakglass.request.approved"]);
    until(async || list(&service, "").await["sinks"][0]["waiting"] == 0).await;
    let dead = list(&service, "?state=dead").await;
    let one = &dead["deliveries"][0];
    assert_eq!(one["outcome"], "expected a status 2xx, got 500: not today");
    assert!(one["attempts"].as_i64().unwrap() > 1, "{one}");
    assert_eq!((&dead["sinks"][0]["dead"], &dead["sinks"][0]["waiting"]), (&json!(1), &json!(0)));
    until(async || service.counter("breakglass_deliveries_dead{sink=\"siem\"}").await == 1).await;
    let lag = |part: &str| format!("breakglass_delivery_lag_seconds_{part}{{sink=\"siem\"}}");
    assert_eq!(service.counter(&lag("count")).await, 1, "what is given up has no receipt");
    // Auditors see it where they look first, and an administrator delivers it again.
    let health = service.get("grace", "/healthz?detail=1").await.ok();
    assert_eq!(
        (&health["sinks"][0]["name"], &health["sinks"][0]["dead"]),
        (&json!("siem"), &json!(1))
    );
    receiver.answers(|_, _| Reply::Status(200, "", ""));
    let event = one["event"].as_str().unwrap();
    service.post("dave", &format!("/v1/deliveries/{event}/replay"), json!({})).await.ok();
    // And the event that this was done.
    until_taken(&service, &receiver, 3).await;
    assert!(receiver.ids().contains(event));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_down_is_left_alone_and_holds_up_no_other_one() {
    let (down, up) = (Receiver::answering(|_, _| Reply::Close), Receiver::start());
    let service =
        service(&format!("{}{}", webhook("down", &down, ""), webhook("up", &up, ""))).await;
    for _ in 0..20 {
        service.pending().await;
    }
    until(async || up.taken().len() == 20).await;
    until(async || list(&service, "").await["sinks"][0]["circuit"] == "open").await;
    let calls = down.calls().len();
    // Eight are under way when the fifth has failed, and nothing follows before the attempt that decides.
    assert!((5..=14).contains(&calls), "{calls}");
    let health = service.get("grace", "/healthz?detail=1").await.ok();
    assert_eq!(health["sinks"].as_array().unwrap().len(), 1, "{health}");
    assert_eq!(
        (&health["sinks"][0]["name"], &health["sinks"][0]["waiting"]),
        (&json!("down"), &json!(20))
    );
    assert!(health["sinks"][0]["error"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    until(async || service.counter("breakglass_sink_circuit_open{sink=\"down\"}").await == 1).await;
    assert_eq!(service.counter("breakglass_sink_circuit_open{sink=\"up\"}").await, 0);
    assert_eq!(service.counter("breakglass_deliveries_waiting{sink=\"down\"}").await, 20);
    service.advance(30);
    let oldest = "breakglass_delivery_oldest_waiting_seconds{sink=\"down\"}";
    until(async || service.counter(oldest).await >= 30).await;
    down.answers(|_, _| Reply::Status(200, "", ""));
    until_taken(&service, &down, 20).await;
    // They happened half a minute before they were taken.
    let lag = async |le| {
        let name = format!("breakglass_delivery_lag_seconds_bucket{{sink=\"down\",le=\"{le}\"}}");
        service.counter(&name).await
    };
    until(async || lag("+Inf").await == 20).await;
    assert_eq!(lag("10").await, 0);
    assert_eq!(down.ids(), up.ids());
    until(async || list(&service, "").await["sinks"][0]["circuit"] == "closed").await;
}
