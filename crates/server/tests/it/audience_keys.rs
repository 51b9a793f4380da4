//! Audiences with signing keys of their own.

use std::fs;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_server::clock::Moment;
use breakglass_server::config::{Config, KeyRingSettings};
use breakglass_server::issuer::{Issuer, Ring, Rings};
use breakglass_server::key_schedule::{self, PUBLISH_S};
use breakglass_server::key_switch::{self, HeldUp, ROUND_S};
use breakglass_server::limits::{CLOCK_SKEW_S, MAX_GRANT_S};
use breakglass_server::random::Randomness;
use breakglass_server::store::check::{Part, check};
use breakglass_server::tasks::reload::{Cause, reload};
use breakglass_testing::service::{START, Service, config, token_of};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

const KEYS: &str = "/.well-known/jwks.json";
const OWN: &str = "/.well-known/jwks.json?audience=staging";
const ENTRY: &str = "[[signing_keys.audiences]]\naudience = \"staging\"\n";

/// Until the last token is over that a key signed which signs no more.
const DAY: i64 = MAX_GRANT_S + CLOCK_SKEW_S;

/// A configuration in which a proxy is for one audience alone, with these lines more.
fn text(directory: &TempDir, more: &str) -> String {
    let mut text = config(directory);
    for audience in ["prod", "staging"] {
        let digest = breakglass_server::auth::identity::digest(&token_of(audience));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!(
            "[[proxies]]\nname = \"{audience}\"\ntoken_sha256 = \"{digest}\"\naudiences = [\"{audience}\"]\n"
        ));
    }
    text + more
}

/// A service that has heard every proxy that lives.
async fn service(more: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = text(&directory, more);
    let service = Service::start_with(directory, &text, START).await;
    service.advance(ROUND_S);
    service
}

/// Takes another configuration, as when its file changes; the error where it does not.
async fn reconfigure(service: &Service, more: &str) -> Result<(), String> {
    let path = service.directory.path().join("config.toml");
    fs::write(&path, text(&service.directory, more)).unwrap();
    reload(&service.app, &path, Cause::FileChange).await.map_err(|error| error.to_string())
}

async fn kids(service: &Service, path: &str) -> Vec<String> {
    let set = service.get("nobody", path).await.ok();
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    set["keys"].as_array().unwrap().iter().map(kid).collect()
}

/// A token of a new grant, and the `kid` of the key that signed it.
async fn token(service: &Service, scope: &str) -> (String, String) {
    let id = service.pending_for(&[scope]).await;
    service.act("carol", &id, "approve").await.ok();
    let token = service.token(&id).await;
    let kid = kid(&token);
    (token, kid)
}

fn kid(jwt: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn is_active(service: &Service, token: &str) -> bool {
    service.introspect(token).await["active"] == true
}

/// A poll of an Envoy with this credential, which has these keys.
async fn poll(service: &Service, credential: &str, kids: &[String]) {
    let request = Request::get(format!("/v1/revocations?node=gate-{credential}"))
        .header("authorization", format!("Bearer {}", token_of(credential)))
        .header("breakglass-max-staleness", "30s")
        .header("breakglass-cache", "0s")
        .header("breakglass-on-unavailable", "deny")
        .header("breakglass-keys", kids.join(","))
        .header("breakglass-keys-refresh", "300s");
    service.send(request.body(Body::empty()).unwrap()).await.ok();
}

fn ring(service: &Service) -> Arc<Ring> {
    Arc::clone(service.app.issuer().rings().of_audience("staging").unwrap())
}

/// The nodes that hold a key of this ring up; nothing where none does.
fn step(service: &Service, ring: &Ring) -> Option<Vec<String>> {
    let held = key_switch::step(&service.app, ring).unwrap()?;
    let HeldUp { lacking, is_starting, .. } = held;
    assert!(!is_starting);
    Some(lacking.into_iter().map(|(_, node)| node).collect())
}

#[tokio::test]
async fn each_set_has_its_own_keys_and_signs_for_its_own_audience_alone() {
    let service = service(ENTRY).await;
    let (default, own) = (kids(&service, KEYS).await, kids(&service, OWN).await);
    assert_eq!((default.len(), own.len()), (1, 1));
    assert_ne!(default, own, "a service that is new has no token of another key");
    assert_eq!(kids(&service, "/.well-known/jwks.json?audience=prod").await, default);
    let both = "/.well-known/jwks.json?audience=prod&audience=staging&audience=prod";
    assert_eq!(kids(&service, both).await, [default.clone(), own.clone()].concat());
    let (of_prod, by_default) = token(&service, "orders:read").await;
    let (of_staging, by_own) = token(&service, "staging:read").await;
    assert_eq!((by_default, by_own), (default[0].clone(), own[0].clone()));
    assert!(is_active(&service, &of_prod).await && is_active(&service, &of_staging).await);
    // Nothing of it is lost at a restart.
    let keys = service.directory.path().join("keys/audience-staging");
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 1);
    for path in [
        "/.well-known/jwks.json?audience=nowhere",
        "/.well-known/jwks.json?audiance=staging",
        "/.well-known/jwks.json?audience=staging&x=1",
        "/.well-known/jwks.json?audience=",
    ] {
        let answer = service.get("nobody", path).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{path}");
    }
}

/// By who has the private key of another audience, and knows a grant that holds.
#[tokio::test]
async fn a_token_that_the_key_of_another_audience_signed_is_none() {
    let service = service(ENTRY).await;
    let now = Moment::from_seconds(START);
    let keys = service.directory.path().join("keys");
    let with = |folder: &str| {
        let rings = Rings::read((KeyRingSettings::in_folder(&keys.join(folder)), Vec::new()));
        Issuer::new("https://approvals.test", rings.unwrap())
    };
    let issuer = service.app.issuer();
    for (scope, stolen, right) in
        [("staging:read", "", "audience-staging"), ("orders:read", "audience-staging", "")]
    {
        let (genuine, _) = token(&service, scope).await;
        let claims = issuer.read(&genuine, now).unwrap();
        let forged = with(stolen).mint(&claims).unwrap().token;
        assert_eq!(issuer.read(&forged, now), None, "{scope}");
        assert!(!is_active(&service, &forged).await, "{scope}");
        // Nor does it end the grant.
        let form = format!("token={forged}");
        assert_eq!(service.form("alice", "/oauth2/revoke", &form).await.status, 200);
        assert!(is_active(&service, &genuine).await, "{scope}");
        // It is the key that makes the difference.
        let same = with(right).mint(&claims).unwrap().token;
        assert!(is_active(&service, &same).await, "{scope}");
        let mut several = claims.clone();
        several.aud.push("elsewhere".to_owned());
        assert!(issuer.mint(&several).is_err());
    }
}

#[tokio::test]
async fn an_audience_is_moved_to_keys_of_its_own_without_a_gap() {
    let service = service("").await;
    // Its proxies can fetch its set before it has keys of its own.
    let default = kids(&service, KEYS).await;
    assert_eq!(kids(&service, OWN).await, default);
    let (before, _) = token(&service, "staging:read").await;
    reconfigure(&service, ENTRY).await.unwrap();
    let ring = ring(&service);
    let new = ring.waits().unwrap();
    assert_eq!(new.begins(), START + ROUND_S + PUBLISH_S);
    let both = [default[0].clone(), new.kid.clone()];
    assert_eq!(
        (kids(&service, KEYS).await, kids(&service, OWN).await),
        (default.clone(), both.to_vec())
    );
    assert_eq!(token(&service, "staging:read").await.1, default[0]);
    assert_eq!(step(&service, &ring), None);

    // Its time has come, and a proxy of it still fetches the other set: the key before it signs on. Another audience's
    // proxies are not waited for.
    service.advance(PUBLISH_S);
    poll(&service, "staging", &default).await;
    poll(&service, "prod", &default).await;
    assert_eq!(step(&service, &ring), Some(vec!["gate-staging".to_owned()]));
    assert_eq!(token(&service, "staging:read").await.1, default[0]);
    let detail = service.get("grace", "/healthz?detail=1").await.ok();
    let switch = &detail["audience_key_switches"][0];
    assert_eq!((&switch["audience"], &switch["lacking"]), (&json!("staging"), &json!(1)));
    assert_eq!(detail["key_switch"], Value::Null);
    service.advance(10);
    let metric = "breakglass_signing_key_overdue_seconds{audience=\"staging\"}";
    assert_eq!(service.counter(metric).await, 10);
    let missing = service.get("erin", "/v1/proxies").await.ok();
    let missing = |node: &str| {
        let proxies = missing["proxies"].as_array().unwrap();
        proxies.iter().find(|proxy| proxy["node"] == node).unwrap()["missing_keys"].clone()
    };
    assert_eq!((missing("gate-staging"), missing("gate-prod")), (json!([new.kid]), json!([])));

    // They have it. What was signed before counts until its last token is over.
    poll(&service, "staging", &both).await;
    let (held, _) = token(&service, "staging:read").await;
    assert_eq!(step(&service, &ring), None);
    let switched = service.app.now().seconds();
    assert_eq!(token(&service, "staging:read").await.1, new.kid);
    assert_eq!(token(&service, "orders:read").await.1, default[0]);
    assert!(is_active(&service, &held).await);
    assert!(!is_active(&service, &before).await, "its time is over");
    assert_eq!(kids(&service, OWN).await, both);
    assert_eq!(service.counter(metric).await, 0);
    service.advance(switched + DAY - 1 - service.app.now().seconds());
    assert_eq!(kids(&service, OWN).await, both);
    service.advance(1);
    assert_eq!(kids(&service, OWN).await, [new.kid]);
    assert_eq!(kids(&service, KEYS).await, default);
}

/// The proxies of an audience with keys of its own are no concern of the others' rotation, once its own sign.
#[tokio::test]
async fn a_rotation_waits_for_the_proxies_of_its_own_audiences() {
    let service = service(ENTRY).await;
    let (default, own) = (service.app.issuer().default_ring(), ring(&service));
    for (rotated, other, [scope, untouched], lacks) in [
        (&default, &own, ["orders:read", "staging:read"], "gate-prod"),
        (&own, &default, ["staging:read", "orders:read"], "gate-staging"),
    ] {
        let before = token(&service, scope).await.1;
        let others = token(&service, untouched).await.1;
        for (proxy, path) in [("prod", KEYS), ("staging", OWN)] {
            poll(&service, proxy, &kids(&service, path).await).await;
        }
        let now = service.app.now();
        let randomness = Randomness::from_seed(now.seconds().unsigned_abs());
        rotated.directory().add_from(now, now.seconds(), &randomness).unwrap();
        rotated.reload().unwrap();
        assert_eq!(step(&service, rotated), Some(vec![lacks.to_owned()]));
        assert_eq!(step(&service, other), None);
        assert_eq!(token(&service, scope).await.1, before);
        // A proxy that is silent refuses new requests by itself.
        service.advance(30);
        assert_eq!(step(&service, rotated), None);
        assert_ne!(token(&service, scope).await.1, before);
        assert_eq!(token(&service, untouched).await.1, others);
    }
}

#[tokio::test]
async fn an_audience_goes_back_to_the_other_keys_without_a_gap() {
    let service = service(ENTRY).await;
    let (default, own) = (kids(&service, KEYS).await, kids(&service, OWN).await);
    let (before, by) = token(&service, "staging:read").await;
    assert_eq!(by, own[0]);
    let back = format!("{ENTRY}signs = false\n");
    reconfigure(&service, &back).await.unwrap();
    assert_eq!(kids(&service, OWN).await, [default.clone(), own.clone()].concat());
    assert_eq!(token(&service, "staging:read").await.1, default[0]);
    assert!(is_active(&service, &before).await);
    // Its keys do not begin again, also after a restart.
    service.advance(60);
    assert_eq!((step(&service, &ring(&service)), ring(&service).waits()), (None, None));
    assert_eq!(token(&service, "staging:read").await.1, default[0]);
    let (between, _) = token(&service, "staging:read").await;
    // Where they are to sign again they wait for the proxies, and what was signed between counts on.
    reconfigure(&service, ENTRY).await.unwrap();
    poll(&service, "staging", &default).await;
    assert_eq!(step(&service, &ring(&service)), Some(vec!["gate-staging".to_owned()]));
    poll(&service, "staging", &[default.clone(), own.clone()].concat()).await;
    assert_eq!(step(&service, &ring(&service)), None);
    assert_eq!(token(&service, "staging:read").await.1, own[0]);
    assert!(is_active(&service, &between).await && is_active(&service, &before).await);
    // Without the entry they are gone.
    let (last, _) = token(&service, "staging:read").await;
    reconfigure(&service, "").await.unwrap();
    assert_eq!(kids(&service, OWN).await, default);
    assert!(!is_active(&service, &last).await && is_active(&service, &between).await);
    let metrics = service.get("nobody", "/metrics").await.ok();
    assert!(!metrics.as_str().unwrap().contains("audience=\"staging\""), "{metrics}");
}

#[tokio::test]
async fn a_configuration_whose_keys_cannot_be_used_is_not_taken() {
    let service = service("").await;
    let keys = service.directory.path().join("keys");
    // By another path.
    std::os::unix::fs::symlink(&keys, service.directory.path().join("link")).unwrap();
    let link = service.directory.path().join("link");
    let linked = format!("{ENTRY}key_directory = \"{}\"\n", link.display());
    let error = reconfigure(&service, &linked).await.unwrap_err();
    assert!(
        error.starts_with("signing_keys.audiences: ") && error.contains("the same folder as"),
        "{error}"
    );
    fs::create_dir(keys.join("audience-staging")).unwrap();
    fs::write(keys.join("audience-staging/1-x.pem"), "no key").unwrap();
    let error = reconfigure(&service, ENTRY).await.unwrap_err();
    assert!(error.contains("audience-staging/1-x.pem: "), "{error}");
    assert_eq!(kids(&service, OWN).await, kids(&service, KEYS).await);
    // Keys that are in use move with a restart alone.
    fs::remove_file(keys.join("audience-staging/1-x.pem")).unwrap();
    reconfigure(&service, ENTRY).await.unwrap();
    let moved = format!("{ENTRY}key_directory = \"/elsewhere\"\n");
    let error = reconfigure(&service, &moved).await.unwrap_err();
    assert_eq!(error, "signing_keys.audiences: has changed, which needs a restart");
}

#[tokio::test]
async fn a_schedule_is_that_of_its_ring() {
    let more =
        format!("[signing_keys]\nrotate_every = \"90days\"\n{ENTRY}rotate_every = \"2days\"\n");
    let service = service(&more).await;
    service.advance(2 * 24 * 60 * 60);
    let (default, own) = (service.app.issuer().default_ring(), ring(&service));
    for ring in [&default, &own] {
        key_schedule::step(&service.app, ring).unwrap();
        ring.reload().unwrap();
    }
    assert_eq!((default.waits(), own.waits().is_some()), (None, true));
    assert_eq!(kids(&service, OWN).await.len(), 2);
}

#[tokio::test]
async fn challenges_are_signed_by_a_key_that_the_proxies_of_the_audience_have() {
    let service = service(ENTRY).await;
    let challenge = async |body: Value| {
        let answer = service.post("grace", "/v1/probes", body).await;
        kid(answer.ok()["challenge"].as_str().unwrap())
    };
    let (default, own) = (kids(&service, KEYS).await, kids(&service, OWN).await);
    assert_eq!(challenge(json!({})).await, default[0]);
    assert_eq!(challenge(json!({ "audience": "staging" })).await, own[0]);
    assert_eq!(challenge(json!({ "audience": "prod" })).await, default[0]);
    let answer = service.post("grace", "/v1/probes", json!({ "audience": "nowhere" })).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
}

#[tokio::test]
async fn a_damaged_key_of_an_audience_is_found_by_the_check() {
    let service = service(ENTRY).await;
    let folder = service.directory.path().join("keys/audience-staging");
    fs::write(folder.join("1-x.pem"), "no key").unwrap();
    let config = Config::parse(&text(&service.directory, ENTRY)).unwrap();
    let report = check(&config).await.unwrap();
    let found: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.part == Part::Keys)
        .map(|finding| finding.what.as_str())
        .collect();
    assert_eq!(report.checked.signing_keys, 2);
    assert!(found.len() == 1 && found[0].contains("audience-staging: 1 files"), "{found:?}");
}
