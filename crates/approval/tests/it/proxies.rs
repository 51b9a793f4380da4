//! `GET /v1/proxies`: who reads the feed, and how far.

use serde_json::json;

use crate::service::Service;

#[tokio::test]
async fn lists_who_read_what_and_when() {
    let service = Service::start().await;
    let empty = service.get("erin", "/v1/proxies").await;
    assert_eq!(empty.headers["cache-control"], "no-store");
    let since = "2026-11-22T02:13:00Z";
    assert_eq!(empty.ok(), json!({ "epoch": 0, "since": since, "complete": false, "proxies": [] }));

    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    service.feed("?after=0&node=behind").await.ok();
    service.advance(12);
    service.feed("?after=1&node=confirmed").await.ok();
    service.feed("?after=1").await.ok();
    // None of these has acknowledged anything.
    service.feed("?node=begins").await.ok();
    service.feed("?after=9&node=invents").await.ok();
    service.feed("?after=1&feed=other&node=restored").await.ok();
    let (early, late) = ("2026-11-22T02:13:00Z", "2026-11-22T02:13:12Z");
    let node = |node: &str, epoch: i64, last_seen: &str, stale_for_s: i64| {
        json!({
            "node": node, "proxy": "envoy", "epoch": epoch,
            "last_seen": last_seen, "stale_for_s": stale_for_s,
        })
    };
    assert_eq!(
        service.get("erin", "/v1/proxies").await.ok(),
        json!({
            "epoch": 1, "since": since, "complete": false, "proxies": [
                node("begins", 0, late, 0),
                node("behind", 0, early, 12),
                node("confirmed", 1, late, 0),
                node("envoy", 1, late, 0),
                node("invents", 0, late, 0),
                node("restored", 0, late, 0),
            ],
        })
    );
}

#[tokio::test]
async fn forgets_who_was_not_seen_for_ten_minutes() {
    let service = Service::start().await;
    service.feed("?after=0&node=old").await.ok();
    service.advance(1);
    service.feed("?after=0&node=new").await.ok();
    let count = async || {
        let listed = service.get("erin", "/v1/proxies").await.ok();
        listed["proxies"].as_array().unwrap().len()
    };
    service.advance(58);
    assert_eq!(service.get("erin", "/v1/proxies").await.ok()["complete"], false);
    service.advance(1);
    assert_eq!(service.get("erin", "/v1/proxies").await.ok()["complete"], true);
    service.advance(539);
    assert_eq!(count().await, 2);
    service.advance(1);
    assert_eq!(count().await, 1);
    service.advance(1);
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn it_is_for_people() {
    let service = Service::start().await;
    assert_eq!(service.get("envoy", "/v1/proxies").await.refusal(), (403, "people_only"));
    let nobody = service.get("nobody", "/v1/proxies").await;
    assert_eq!(nobody.refusal(), (401, "credential_unknown"));
}
