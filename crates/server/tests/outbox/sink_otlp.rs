//! A collector that does not take what it is sent: what an operator can put right is tried again, and nothing else.

use std::fs;

use breakglass_testing::receiver::{Receiver, Reply};

use super::deliveries::{list, service, until, until_taken};

fn sink(receiver: &Receiver, token_file: &str) -> String {
    let url = &receiver.url;
    format!(
        "[[sinks]]\nname = \"collector\"\ntype = \"otlp\"\nurl = \"{url}\"\ntoken_file = \"{token_file}\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn events_wait_at_a_collector_that_does_not_know_the_token_until_it_is_replaced() {
    let receiver = Receiver::answering(|_, call| match call.header("authorization") {
        "Bearer new" => Reply::Status(200, "", "{}"),
        _ => Reply::Status(401, "", "unauthorized"),
    });
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "old").unwrap();
    let service = service(&sink(&receiver, token.to_str().unwrap())).await;
    // More than the failures after which the sink is left alone.
    for _ in 0..8 {
        service.pending().await;
    }
    until(async || {
        service.advance(1);
        receiver.calls().len() > 8
    })
    .await;
    let listed = list(&service, "").await;
    assert_eq!((&listed["sinks"][0]["dead"], receiver.taken().len()), (&0.into(), 0), "{listed}");
    fs::write(&token, "new").unwrap();
    until_taken(&service, &receiver, 8).await;
    until(async || list(&service, "").await["sinks"][0]["waiting"] == 0).await;
    let listed = list(&service, "").await;
    assert_eq!(listed["sinks"][0]["dead"], 0, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_a_collector_rejects_is_a_dead_letter_at_once_with_its_words() {
    let receiver = Receiver::answering(|_, _| {
        let body = r#"{"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "too old"}}"#;
        Reply::Status(200, "content-type: application/json\r\n", body)
    });
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "token").unwrap();
    let service = service(&sink(&receiver, token.to_str().unwrap())).await;
    service.pending().await;
    until(async || list(&service, "").await["sinks"][0]["dead"] == 1).await;
    let dead = list(&service, "?state=dead").await["deliveries"][0].clone();
    assert_eq!(dead["outcome"], "the collector rejected the log record: too old");
    assert_eq!((&dead["attempts"], receiver.calls().len()), (&1.into(), 1), "{dead}");
}
