//! Attackers who speak HTTP/2: each is closed in time, what the service keeps of it is bounded, and people work on.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::connections::{AT_ONCE, HEAD, IDLE, Listening, WRITE, limits};
use crate::http2::POLL;
use crate::http2_frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PING,
    PRIORITY, REFUSED_STREAM, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, frame, get, whole,
};

/// 10,000 requests, each taken back at once (CVE-2023-44487).
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let listening = Listening::start(limits(100)).await;
    let mut attacker = Raw::connect(listening.address).await;
    let sent = attacker
        .flood(100, |batch| {
            let streams =
                (0..100).map(|number| u32::try_from(2 * (100 * batch + number) + 1).unwrap());
            streams
                .flat_map(|stream| {
                    [
                        whole(stream, "envoy", POLL),
                        frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
                    ]
                })
                .flatten()
                .collect()
        })
        .await;
    listening.a_person_works().await;
    let frames = attacker.until_closed().await;
    // The last word may be lost with the connection.
    let end = frames.iter().find(|frame| frame.kind == GOAWAY);
    assert!(sent < 100 || end.is_some_and(|end| end.code() == ENHANCE_YOUR_CALM), "{sent} {end:?}");
    listening.until_hanging(0).await;
    assert_eq!(listening.service.counter("breakglass_connections").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_many_frames_ends_the_connection() {
    let listening = Listening::start(limits(100)).await;
    for part in [&[][..], &[0; 16_000]] {
        let mut attacker = Raw::connect(listening.address).await;
        attacker.send(&frame(HEADERS, END_STREAM, 1, &get("", "/healthz"))).await;
        let start = Instant::now();
        let sent = attacker.flood(100_000, |_| frame(CONTINUATION, 0, 1, part)).await;
        assert!(sent < 100_000, "{sent}");
        assert!(start.elapsed() < HEAD, "{:?}", start.elapsed());
        listening.a_person_works().await;
    }
}

/// The head of a second request, beside one that hangs: in one frame and in several.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_closes_the_connection() {
    let listening = Listening::start(limits(100)).await;
    let part = get("", "/healthz");
    let cut = frame(HEADERS, END_HEADERS | END_STREAM, 3, &part);
    for (number, begin) in
        [frame(HEADERS, END_STREAM, 3, &part), cut[..12].to_vec(), cut[..3].to_vec()]
            .iter()
            .enumerate()
    {
        let mut attacker = Raw::connect(listening.address).await;
        attacker.send(&whole(1, "envoy", POLL)).await;
        listening.until_hanging(1).await;
        let start = Instant::now();
        attacker.send(begin).await;
        attacker.until_closed().await;
        assert!(start.elapsed() > HEAD - Duration::from_millis(100), "{:?}", start.elapsed());
        assert!(start.elapsed() < HEAD + AT_ONCE, "{:?}", start.elapsed());
        listening.until_closed("slow_head", i64::try_from(number).unwrap() + 1).await;
        listening.until_hanging(0).await;
    }
    // Without any request: from the connection's begin.
    let mut attacker = Raw::connect(listening.address).await;
    let start = Instant::now();
    while start.elapsed() < 2 * HEAD {
        if timeout(Duration::from_millis(200), attacker.0.readable()).await.is_ok()
            && attacker.0.try_read(&mut [0; 4096]).is_ok_and(|count| count == 0)
        {
            break;
        }
        // Frames are no progress, also where they are few enough to be no flood.
        sleep(Duration::from_millis(20)).await;
        let _ = attacker.flood(1, |_| frame(PING, 0, 0, &[0; 8])).await;
    }
    assert!(start.elapsed() < HEAD + AT_ONCE, "{:?}", start.elapsed());
    assert_eq!(listening.closed("slow_head").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_more_than_it_may_is_refused_the_rest() {
    let listening = Listening::start(limits(1000)).await;
    let mut attacker = Raw::connect(listening.address).await;
    let all: Vec<u8> = (0..1000).flat_map(|number| whole(2 * number + 1, "envoy", POLL)).collect();
    let _ = attacker.flood(1, |_| all.clone()).await;
    listening.a_person_works().await;
    let (mut refused, mut calm) = (0, false);
    // It is cut off for those that it was told that it may not open.
    for frame in attacker.until_closed().await {
        refused += usize::from(frame.kind == RST_STREAM && frame.code() == REFUSED_STREAM);
        calm |= frame.kind == GOAWAY && frame.code() == ENHANCE_YOUR_CALM;
    }
    assert!(refused > 0 || calm, "{refused} {calm}");
    listening.until_hanging(0).await;
}

/// Each of these costs the service a look or an answer, and needs no credential.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_what_has_to_be_answered_end_with_their_connection() {
    let listening = Listening::start(limits(100)).await;
    for (closed, (what, flood)) in (1..).zip([
        ("settings", frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
        ("pings", frame(PING, 0, 0, &[1; 8])),
        ("answers to no ping", frame(PING, ACK, 0, &[1; 8])),
        ("empty data", frame(DATA, 0, 1, &[])),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9])),
        ("an unknown kind", frame(0xfe, 0, 0, &[])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
    ]) {
        let mut attacker = Raw::connect(listening.address).await;
        attacker.send(&frame(HEADERS, END_HEADERS, 1, &get("alice", "/healthz"))).await;
        let start = Instant::now();
        let batch = flood.repeat(1000);
        let flooding =
            tokio::spawn(async move { attacker.flood(100_000, |_| batch.clone()).await });
        sleep(Duration::from_millis(200)).await;
        listening.a_person_works().await;
        let sent = timeout(AT_ONCE, flooding).await.expect(what).unwrap();
        assert!(sent < 100_000, "{what}: {sent} {:?}", start.elapsed());
        listening.until_closed("too_many_frames", closed).await;
        while listening.service.counter("breakglass_connections").await > 0 {
            assert!(start.elapsed() < 2 * (IDLE + WRITE), "{what}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_answers_no_ping_is_dead() {
    let mut limits = limits(100);
    limits.times.ping = Duration::from_secs(1);
    let listening = Listening::start(limits).await;
    let mut dead = Raw::connect(listening.address).await;
    dead.send(&whole(1, "envoy", POLL)).await;
    listening.until_hanging(1).await;
    let start = Instant::now();
    let frames = dead.until_closed().await;
    assert!(frames.iter().any(|frame| frame.kind == PING && frame.flags & ACK == 0), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.stream != 1), "{frames:?}");
    assert!(start.elapsed() < limits.times.ping + WRITE + AT_ONCE, "{:?}", start.elapsed());
    listening.until_closed("ping_not_answered", 1).await;
    listening.until_hanging(0).await;
}
