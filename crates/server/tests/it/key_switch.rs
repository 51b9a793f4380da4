//! A signing key that waits signs at its time, and not before every proxy that lives has it.

use axum::body::Body;
use axum::http::Request;
use breakglass_server::clock::Moment;
use breakglass_server::issuer::KeyName;
use breakglass_server::key_switch::{self, ROUND_S};
use breakglass_server::limits::{CLOCK_SKEW_S, MAX_GRANT_S};
use breakglass_server::random::Randomness;
use serde_json::{Value, json};

use crate::storage::Mounted;
use breakglass_testing::service::{Service, config, token_of};

/// For how long the proxies of these tests believe what they know, in seconds.
const STALENESS: i64 = 30;

/// Without an audience: of the default ring.
const OVERDUE: &str = "breakglass_signing_key_overdue_seconds{audience=\"\"}";
const LACKING: &str = "breakglass_signing_key_lacking_proxies{audience=\"\"}";

/// What one step comes to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The service has just started.
    Starting,
    /// Nodes that do not have the key.
    Lacking(Vec<String>),
    Nothing,
}

fn step(service: &Service) -> Step {
    match key_switch::step(&service.app, &service.app.issuer().default_ring()).unwrap() {
        None => Step::Nothing,
        Some(held) if held.is_starting => Step::Starting,
        Some(held) => Step::Lacking(held.lacking.into_iter().map(|(_, node)| node).collect()),
    }
}

/// A poll of an Envoy that says that it has these keys; of an older one without.
async fn poll(service: &Service, node: &str, keys: Option<&[&str]>) {
    let mut request = Request::get(format!("/v1/revocations?node={node}"))
        .header("authorization", format!("Bearer {}", token_of("envoy")))
        .header("breakglass-process", node.repeat(32))
        .header("breakglass-max-staleness", format!("{STALENESS}s"))
        .header("breakglass-cache", "0s")
        .header("breakglass-on-unavailable", "deny");
    if let Some(keys) = keys {
        request = request
            .header("breakglass-keys", keys.join(","))
            .header("breakglass-keys-refresh", "7200s");
    }
    service.send(request.body(Body::empty()).unwrap()).await.ok();
}

/// A service that has heard every proxy that lives, and the `kid` of its key.
async fn service() -> (Service, String) {
    let service = Service::start().await;
    service.advance(ROUND_S);
    let first = kids(&service)[0].clone();
    (service, first)
}

fn kids(service: &Service) -> Vec<String> {
    service.app.issuer().jwks(service.app.now()).keys.into_iter().map(|key| key.kid).collect()
}

/// A key whose time comes in a minute.
fn rotate(service: &Service) -> KeyName {
    let (ring, now) = (service.app.issuer().default_ring(), service.app.now());
    let from = now.seconds() + 60;
    let name = ring.directory().add_from(now, from, &Randomness::from_seed(2)).unwrap();
    ring.reload().unwrap();
    name
}

/// By the `kid` of a token.
async fn signer(service: &Service) -> String {
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    let header = token.split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn detail(service: &Service) -> Value {
    service.get("grace", "/healthz?detail=1").await.ok()["key_switch"].clone()
}

#[tokio::test]
async fn waits_for_its_time_and_then_for_every_proxy_that_says_which_keys_it_has() {
    let (service, first) = service().await;
    let new = rotate(&service);
    poll(&service, "a", Some(&[&first, &new.kid])).await;
    // Before its time it signs for nothing.
    assert_eq!((step(&service), signer(&service).await), (Step::Nothing, first.clone()));
    service.advance(60);
    poll(&service, "a", Some(&[&first, &new.kid])).await;
    poll(&service, "b", Some(&[&first])).await;
    poll(&service, "c", Some(&[])).await;
    poll(&service, "d", None).await;
    let lacking = |nodes: &[&str]| Step::Lacking(nodes.iter().map(ToString::to_string).collect());
    assert_eq!((step(&service), signer(&service).await), (lacking(&["b", "c"]), first.clone()));
    // The service says so.
    let since = breakglass_server::clock::written(Moment::from_seconds(new.begins()));
    let expected = json!({ "kid": new.kid, "since": since.text(), "starting": false, "lacking": 2,
        "proxies": ["b (envoy)", "c (envoy)"] });
    assert_eq!(detail(&service).await, expected);
    service.advance(10);
    assert_eq!(service.counter(OVERDUE).await, 10);
    assert_eq!(service.counter(LACKING).await, 2);
    poll(&service, "c", Some(&[&first, &new.kid])).await;
    assert_eq!(step(&service), lacking(&["b"]));
    poll(&service, "b", Some(&[&new.kid])).await;
    assert_eq!((step(&service), signer(&service).await), (Step::Nothing, new.kid.clone()));
    assert_eq!(detail(&service).await, Value::Null);
    assert_eq!(service.counter(OVERDUE).await, 0);
    // Also after a restart; and the one before it is published for a day from the switch.
    let service = service.restart(0).await;
    assert_eq!(service.app.issuer().default_ring().waits(), None);
    assert_eq!(signer(&service).await, new.kid);
    let day = MAX_GRANT_S + CLOCK_SKEW_S;
    service.advance(day - 1);
    assert_eq!(kids(&service), [first, new.kid.clone()]);
    service.advance(1);
    assert_eq!(kids(&service), [new.kid]);
}

#[tokio::test]
async fn a_proxy_that_refuses_new_requests_by_itself_is_not_waited_for() {
    let (service, first) = service().await;
    let new = rotate(&service);
    service.advance(60);
    poll(&service, "a", Some(&[&first])).await;
    service.advance(STALENESS - 1);
    assert_eq!(step(&service), Step::Lacking(vec!["a".to_owned()]));
    service.advance(1);
    assert_eq!((step(&service), signer(&service).await), (Step::Nothing, new.kid));
}

#[tokio::test]
async fn after_a_start_it_waits_for_a_round_of_polls() {
    let (service, first) = service().await;
    let new = rotate(&service);
    service.advance(60);
    let service = service.restart(0).await;
    service.advance(ROUND_S - 1);
    assert_eq!((step(&service), signer(&service).await), (Step::Starting, first));
    assert_eq!(detail(&service).await["starting"], true);
    service.advance(1);
    assert_eq!((step(&service), signer(&service).await), (Step::Nothing, new.kid));
}

/// Also one that an operator lets sign by its name, as `breakglass keys rotate --force` does.
#[tokio::test]
async fn the_wait_ends_by_force_and_not_by_a_clock_that_is_not_believed() {
    let (service, first) = service().await;
    let new = rotate(&service);
    service.step(3600);
    service.tick().await;
    assert_eq!(step(&service), Step::Nothing);
    assert_eq!(service.app.issuer().default_ring().waits(), Some(new.clone()), "the clock was set");
    service.step(-3600);
    service.tick().await;
    service.advance(60);
    poll(&service, "a", Some(&[&first])).await;
    assert_eq!(step(&service), Step::Lacking(vec!["a".to_owned()]));
    let issuer = service.app.issuer().default_ring();
    let turn = issuer.directory().next_turn(service.app.now()).unwrap();
    issuer.directory().switch(&new, turn).unwrap();
    issuer.reload().unwrap();
    assert_eq!((step(&service), signer(&service).await), (Step::Nothing, new.kid));
}

/// As a secret that is mounted.
#[tokio::test]
async fn where_the_directory_cannot_be_written_the_switch_is_kept_in_memory() {
    let (service, first) = service().await;
    let new = rotate(&service);
    service.advance(60);
    let mounted = Mounted::read_only(&service.directory.path().join("keys"));
    let error = key_switch::step(&service.app, &service.app.issuer().default_ring())
        .unwrap_err()
        .to_string();
    assert!(error.contains("Read-only"), "{error}");
    // Reading the files again takes nothing of it back.
    service.app.issuer().default_ring().reload().unwrap();
    assert_eq!((step(&service), signer(&service).await), (Step::Nothing, new.kid.clone()));
    let service = service.restart(0).await;
    assert_eq!(signer(&service).await, first, "it waits once more");
    service.advance(ROUND_S);
    key_switch::step(&service.app, &service.app.issuer().default_ring()).unwrap_err();
    assert_eq!(signer(&service).await, new.kid);
    drop(mounted);
}

/// A version that switched by time alone left the name as it was, and then published the key before it for a day.
#[tokio::test]
async fn a_key_that_signed_for_a_day_before_an_upgrade_signs_from_the_start() {
    for (age, signs) in [(MAX_GRANT_S + CLOCK_SKEW_S, true), (MAX_GRANT_S, false)] {
        let directory = tempfile::tempdir().unwrap();
        let text = config(&directory);
        let service =
            Service::start_with(directory, &text, breakglass_testing::service::START).await;
        let new = rotate(&service);
        let service = service.restart(60 + age).await;
        key_switch::catch_up(&service.app).unwrap();
        assert_eq!(signer(&service).await == new.kid, signs, "{age}");
        assert_eq!(kids(&service).len(), if signs { 1 } else { 2 });
    }
}
