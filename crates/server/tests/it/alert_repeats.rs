//! A report of alerts whose answer was lost is made again, and counts once.

use serde_json::{Value, json};

use breakglass_server::evidence::MAX_SENDERS;

use crate::alerts::{listed, of_grant, service, short};

fn body(sender: u64, number: u64, alerts: &[Value]) -> Value {
    let report = json!({ "sender": format!("{sender:032x}"), "number": number });
    json!({ "node": "n1", "report": report, "dropped": 2, "alerts": alerts })
}

/// How many things are told, by kind.
async fn counts(service: &breakglass_testing::service::Service) -> Vec<(String, i64)> {
    let rows = short(&listed(service, "").await);
    rows.into_iter().map(|(kind, count, _)| (kind, count)).collect()
}

fn expected(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_report_that_is_made_again_counts_once() {
    let mut service = service().await;
    let at = "2026-11-22T02:12:59Z";
    let foreign =
        json!({ "kind": "ceiling", "first": at, "last": at, "count": 1, "audience": "lab" });
    let mut alerts = vec![of_grant("cut", "g"), foreign];
    alerts[0]["count"] = json!(5);
    let taken = json!({ "accepted": 1, "dropped": 1 });
    let foreign = "breakglass_alerts_total{class=\"holders\",kind=\"ceiling\",outcome=\"dropped\"}";
    // Another credential has said the same.
    service.post("shop", "/v1/alerts", body(1, 7, &alerts[..1])).await.ok();
    for first_time in [1, 0] {
        let answer = service.post("envoy", "/v1/alerts", body(1, 7, &alerts)).await;
        assert_eq!(answer.ok(), taken);
        // What the proxy calls itself can be known only by the second time.
        let mut later = body(1, 7, &alerts);
        later["process"] = json!("1".repeat(32));
        assert_eq!(service.post("envoy", "/v1/alerts", later).await.ok(), taken);
        assert_eq!(service.counter(foreign).await, first_time);
        service = service.restart(5).await;
    }
    let shop = [("cut", 5), ("alerts_dropped", 2)];
    let told =
        |cut, dropped| expected(&[shop[0], shop[1], ("cut", cut), ("alerts_dropped", dropped)]);
    assert_eq!(counts(&service).await, told(5, 2));

    // The next one is another one, and so is one that only has the same number: a made-up number keeps nothing away.
    alerts[0]["count"] = json!(6);
    for number in [8, 8, 8] {
        service.post("envoy", "/v1/alerts", body(1, number, &alerts)).await.ok();
    }
    alerts[0]["count"] = json!(7);
    service.post("envoy", "/v1/alerts", body(1, 8, &alerts)).await.ok();
    assert_eq!(counts(&service).await, told(5 + 6 + 7, 2 * 3));

    // Another sender has said the same; an older filter has no id.
    service.post("envoy", "/v1/alerts", body(2, 8, &alerts)).await.ok();
    for _ in 0..2 {
        let mut unnamed = body(1, 8, &alerts);
        unnamed.as_object_mut().unwrap().remove("report");
        service.post("envoy", "/v1/alerts", unnamed).await.ok();
    }
    assert_eq!(counts(&service).await, told(5 + 6 + 7 * 4, 2 * 6));
}

#[tokio::test]
async fn what_is_kept_of_senders_is_bounded() {
    let service = service().await;
    let alerts = [of_grant("cut", "g")];
    let last = MAX_SENDERS.unsigned_abs();
    for sender in 0..=last {
        service.step_ms(1);
        service.post("envoy", "/v1/alerts", body(sender, 1, &alerts)).await.ok();
    }
    let evidence = service.evidence().await;
    let kept = "SELECT count(*) FROM alert_reports WHERE proxy = 'envoy'";
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(&evidence).await.unwrap();
    assert_eq!(kept, MAX_SENDERS);
    let all = last + 1;
    let told = |rows: Vec<(String, i64)>| rows[0].1.unsigned_abs();
    assert_eq!(told(counts(&service).await), all);
    service.post("envoy", "/v1/alerts", body(last, 1, &alerts)).await.ok();
    assert_eq!(told(counts(&service).await), all, "it is known");
    service.post("envoy", "/v1/alerts", body(0, 1, &alerts)).await.ok();
    assert_eq!(told(counts(&service).await), all + 1, "it was silent for the longest");
}

#[tokio::test]
async fn a_sender_is_a_number_in_hexadecimal_digits() {
    let service = service().await;
    for sender in ["", "x", &"A".repeat(32), &"0".repeat(31), &"0".repeat(33)] {
        let body = json!({ "report": { "sender": sender, "number": 1 }, "alerts": [] });
        let answer = service.post("envoy", "/v1/alerts", body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"));
        assert_eq!(answer.body["errors"][0]["field"], "report.sender");
    }
}
