//! `GET /v1/proxies`: who reads the feed, and how far.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};

use breakglass_server::clock::Moment;
use breakglass_server::random::Randomness;
use breakglass_testing::service::{Answer, START, Service, token_of};

const DIGEST: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// A request of a filter that says what it is: process `1..1`, `2..2` and so on, bounds of 10 s and 5 s.
async fn said(service: &Service, process: &str, on_unavailable: &str, path: &str) -> Answer {
    let peer: SocketAddr = "192.0.2.7:5555".parse().unwrap();
    let introspects = path.starts_with("/oauth2");
    let (method, kind) = match introspects {
        true => ("POST", "application/x-www-form-urlencoded"),
        false => ("GET", "text/plain"),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", token_of("envoy")))
        .header("content-type", kind)
        .header("breakglass-process", process.repeat(32))
        .header("breakglass-version", "1.2.3")
        .header("breakglass-config", DIGEST)
        .header("breakglass-max-staleness", "10s")
        .header("breakglass-cache", "4500ms")
        .header("breakglass-clock-skew", "5s")
        .header("breakglass-on-unavailable", on_unavailable)
        .extension(ConnectInfo(peer));
    let body = if introspects { "token=x" } else { "" };
    service.send(request.body(Body::from(body)).unwrap()).await
}

async fn listed(service: &Service) -> Vec<Value> {
    let listed = service.get("erin", "/v1/proxies").await.ok();
    listed["proxies"].as_array().unwrap().clone()
}

/// The key set is read without a credential: a proxy says itself what it has of it.
#[tokio::test]
async fn says_which_published_keys_a_proxy_does_not_have() {
    let service = Service::start().await;
    let issuer = service.app.issuer();
    let kid = |index: usize| {
        issuer.jwks(Moment::from_seconds(START)).keys.get(index).map(|key| key.kid.clone())
    };
    let first = kid(0).unwrap();
    let polls = async |process: &str, keys: Option<&str>| {
        let mut request = Request::get("/v1/revocations?after=0&node=edge")
            .header("authorization", format!("Bearer {}", token_of("envoy")))
            .header("breakglass-process", process.repeat(32))
            .header("breakglass-keys-refresh", "90s");
        if let Some(keys) = keys {
            request = request.header("breakglass-keys", keys);
        }
        service.send(request.body(Body::empty()).unwrap()).await.ok()
    };
    polls("1", Some(&format!("another,{first}"))).await;
    polls("2", Some("")).await;
    polls("3", None).await;
    let missing = async || -> Vec<Value> {
        let listed = listed(&service).await;
        assert!(listed.iter().all(|proxy| proxy["keys_refresh_s"] == 90), "{listed:?}");
        listed.into_iter().map(|mut proxy| proxy["missing_keys"].take()).collect()
    };
    assert_eq!(missing().await, [json!([]), json!([first]), json!(null)]);
    // A key that waits is published: who does not have it is known before it signs.
    let now = Moment::from_seconds(START);
    issuer
        .default_ring()
        .directory()
        .add_from(now, START + 600, &Randomness::from_seed(2))
        .unwrap();
    issuer.default_ring().reload().unwrap();
    let second = kid(1).unwrap();
    assert_eq!(missing().await, [json!([second]), json!([first, second]), json!(null)]);
    polls("1", Some(&format!("{second},{first}"))).await;
    assert_eq!(missing().await[0], json!([]));
}

/// Three Envoys with one `node.id`.
#[tokio::test]
async fn counts_processes_and_says_who_shares_a_name() {
    let service = Service::start().await;
    for process in ["1", "2", "3"] {
        said(&service, process, "deny", "/v1/revocations?after=0&node=shipped").await.ok();
    }
    let proxies = listed(&service).await;
    assert_eq!(
        proxies.iter().map(|proxy| (&proxy["node"], &proxy["same_node"])).collect::<Vec<_>>(),
        [(&json!("shipped"), &json!(true)); 3]
    );
    assert_eq!(
        proxies[0],
        json!({
            "id": "1".repeat(32), "node": "shipped", "proxy": "envoy", "process": "1".repeat(32),
            "address": "192.0.2.7", "version": "1.2.3", "config": DIGEST, "epoch": 0,
            "last_seen": "2026-11-22T02:13:00Z", "stale_for_s": 0, "alive": true,
            "max_staleness_s": 10, "clock_skew_s": 5, "on_unavailable": "deny",
            "refuses_new_since": null, "streams_until": null, "same_node": true,
            "keys_refresh_s": null, "missing_keys": null,
        })
    );
}

#[tokio::test]
async fn a_silent_proxy_refuses_new_requests_and_its_streams_run_to_the_end_of_what_it_missed() {
    let service = Service::start().await;
    let poll = "/v1/revocations?after=0&node=n";
    said(&service, "1", "deny", poll).await.ok();
    said(&service, "2", "allow", poll).await.ok();
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    service.advance(14);
    assert_eq!(listed(&service).await[0]["refuses_new_since"], json!(null));
    service.advance(1);
    let proxies = listed(&service).await;
    // 14.5 s after it was seen, rounded up; the end of the grant and the filter's skew.
    assert_eq!(proxies[0]["refuses_new_since"], "2026-11-22T02:13:15Z");
    assert_eq!(proxies[0]["streams_until"], "2026-11-22T02:43:05Z");
    assert_eq!(proxies[0]["same_node"], false, "the dead share no name");
    assert_eq!(proxies[1]["refuses_new_since"], json!(null), "it allows");
    assert_eq!(proxies[1]["alive"], false);
    // An introspection is a sign of life, of this process alone.
    said(&service, "1", "deny", "/oauth2/introspect").await.ok();
    let proxies = listed(&service).await;
    assert_eq!((&proxies[0]["alive"], &proxies[0]["stale_for_s"]), (&json!(true), &json!(0)));
    assert_eq!((&proxies[0]["epoch"], &proxies[0]["streams_until"]), (&json!(0), &json!(null)));
    assert_eq!(proxies[1]["alive"], false);
    service.advance(3600);
    let proxies = listed(&service).await;
    assert_eq!(proxies.len(), 2, "remembered for longer than ten minutes");
    assert_eq!(proxies[0]["streams_until"], json!(null), "what it missed has ended");
}

#[tokio::test]
async fn a_proxy_is_forgotten_by_those_who_may_stop_all_that_it_may_run() {
    let service = Service::start().await;
    let poll = "/v1/revocations?after=0&node=n";
    said(&service, "1", "deny", poll).await.ok();
    let forget = |who: &'static str, id: String| {
        let service = &service;
        async move {
            let body = json!({ "reason": "the pod is gone" });
            service.post(who, &format!("/v1/proxies/{id}/forget"), body).await
        }
    };
    let id = "1".repeat(32);
    assert_eq!(forget("carol", id.clone()).await.refusal(), (409, "proxy_alive"));
    assert_eq!(forget("carol", "2".repeat(32)).await.refusal(), (404, "proxy_unknown"));
    assert_eq!(forget("envoy", id.clone()).await.refusal(), (403, "people_only"));
    // Alice's stream may run there: neither she, nor who may approve something else, says that it does not;
    // and it makes no difference that the grant is revoked.
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    service.advance(60);
    for who in ["alice", "dave", "erin", "grace"] {
        assert_eq!(forget(who, id.clone()).await.refusal(), (403, "not_an_approver"), "{who}");
    }
    let without = service.post("carol", &format!("/v1/proxies/{id}/forget"), json!({})).await;
    assert_eq!(without.refusal(), (400, "invalid_request"));
    assert_eq!(listed(&service).await.len(), 1);
    let answer = forget("carol", id.clone()).await.ok();
    assert_eq!(
        answer,
        json!({
            "id": id, "by": "carol", "at": "2026-11-22T02:14:00Z", "reason": "the pod is gone",
            "forgotten": [{ "node": "n", "proxy": "envoy", "last_seen": "2026-11-22T02:13:00Z" }],
        })
    );
    assert_eq!(listed(&service).await, Vec::<Value>::new());
    assert_eq!(forget("carol", id.clone()).await.refusal(), (404, "proxy_unknown"));
    let trail = service.get("grace", "/v1/audit/service").await.ok();
    let acts: Vec<&Value> = trail["acts"].as_array().unwrap().iter().collect();
    let act = acts.iter().find(|act| act["action"] == "forget_proxy").unwrap();
    assert_eq!(act["actor"], "carol");
    assert_eq!(
        act["detail"],
        json!({
            "id": id, "node": "n", "proxy": "envoy", "address": "192.0.2.7", "epoch": 0,
            "last_seen": "2026-11-22T02:13:00Z", "reason": "the pod is gone",
        })
    );
    said(&service, "1", "deny", poll).await.ok();
    assert_eq!(listed(&service).await.len(), 1, "it is back");
    // When nothing runs anywhere it still takes an approver.
    service.advance(7200);
    assert_eq!(forget("erin", id.clone()).await.refusal(), (403, "not_an_approver"));
    forget("dave", id).await.ok();
}

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
    // What these say of themselves is nothing.
    let mut listed = service.get("erin", "/v1/proxies").await.ok();
    for proxy in listed["proxies"].as_array_mut().unwrap() {
        let proxy = proxy.as_object_mut().unwrap();
        assert_eq!(proxy.remove("id").unwrap().as_str().unwrap().len(), 32);
        assert_eq!(proxy.remove("clock_skew_s"), Some(json!(60)));
        assert_eq!(proxy.remove("alive"), Some(json!(true)));
        assert_eq!(proxy.remove("same_node"), Some(json!(false)));
        for name in [
            "process",
            "address",
            "version",
            "config",
            "max_staleness_s",
            "on_unavailable",
            "refuses_new_since",
            "streams_until",
            "keys_refresh_s",
            "missing_keys",
        ] {
            assert_eq!(proxy.remove(name), Some(json!(null)), "{name}");
        }
    }
    assert_eq!(
        listed,
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
