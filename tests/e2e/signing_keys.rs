//! Where the filter's keys come from: fetched at start, rotated without a gap, kept in an outage.

use std::fs;
use std::thread;

use breakglass_tests::approvals::{KEYS, Reply};
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::policy::remote_keys;
use breakglass_tests::service::Service;
use breakglass_tests::tokens::Mint;
use breakglass_tests::wait::{timed, until};
use serde_json::json;

fn by(key: &Key) -> Request {
    get("/v1/orders").token(Mint::new(key).sign())
}

/// Waits until a token by `key` is answered with `status`.
fn await_status(gate: &Gate, key: &Key, status: u16) {
    until(&format!("{status} for {}", key.kid()), || {
        (gate.send(&by(key)).status == status).then_some(())
    });
}

#[test]
fn keys_are_fetched_at_start() {
    let gate = Plan::standard().remote_keys_only("300s").start();
    await_status(&gate, &gate.key, 200);
    gate.allows(&by(&gate.key));
    let calls = gate.approvals.calls(KEYS);
    let call = calls.first().unwrap();
    assert_eq!(call.method, "GET");
    assert_eq!(call.headers.get("host").map(String::as_str), Some("approvals.internal"));
}

#[test]
fn a_new_key_is_accepted_long_before_the_next_refresh_while_the_old_one_still_is() {
    let gate = Plan::standard().remote_keys_only("300s").start();
    await_status(&gate, &gate.key, 200);
    let new = Key::es256("key-2");
    gate.approvals.reply(KEYS, Reply::json(&jwks(&[&gate.key, &new])));
    // The first request waits for the fetch: there is no gap.
    gate.allows(&by(&new));
    gate.allows(&by(&gate.key));
}

#[test]
fn a_key_that_is_no_longer_published_is_no_longer_accepted() {
    let gate = Plan::standard().remote_keys_only("1s").start();
    await_status(&gate, &gate.key, 200);
    let new = Key::es256("key-2");
    gate.approvals.reply(KEYS, Reply::json(&jwks(&[&new])));
    await_status(&gate, &gate.key, 401);
    gate.refuses(&by(&gate.key), 401, "key_unknown");
    gate.allows(&by(&new));
}

#[test]
fn a_known_token_is_no_longer_accepted_when_its_key_is_not() {
    let gate = Plan::standard().remote_keys_only("1s").start();
    let token = gate.mint().sign();
    let request = || get("/v1/orders").token(&token);
    until("the keys", || (gate.send(&request()).status == 200).then_some(()));
    gate.approvals.reply(KEYS, Reply::json(&jwks(&[&Key::es256("key-2")])));
    until("the rotation", || (gate.send(&request()).status == 401).then_some(()));
    gate.refuses(&request(), 401, "key_unknown");
}

#[test]
fn a_flood_of_unknown_keys_does_not_become_a_flood_of_fetches() {
    let gate = Plan::standard().remote_keys_only("300s").start();
    await_status(&gate, &gate.key, 200);
    let before = gate.approvals.calls(KEYS).len();
    let (_, took) = timed(|| {
        thread::scope(|scope| {
            for n in 0..40 {
                let ghost = gate.mint().header("kid", format!("ghost-{n}")).sign();
                let request = get("/v1/orders").token(ghost);
                let gate = &gate;
                scope.spawn(move || gate.refuses(&request, 401, "key_unknown"));
            }
        });
    });
    let fetched = gate.approvals.calls(KEYS).len() - before;
    let most = usize::try_from(took.as_secs()).unwrap() + 2;
    assert!((1..=most).contains(&fetched), "{fetched} fetches for 40 unknown keys in {took:?}");
    gate.allows(&by(&gate.key));
}

#[test]
fn the_last_good_keys_stay_in_use_while_the_source_is_down_or_broken() {
    let mut gate = Plan::standard().remote_keys_only("1s").alone().start();
    await_status(&gate, &gate.key, 200);
    let failures = |gate: &Gate| gate.envoy.stats().of("wasmcustom.breakglass.jwks.result.failed");
    for reply in [
        Reply::status(500, "{}"),
        Reply::status(200, "<html>"),
        Reply::status(200, r#"{"keys":[]}"#),
        Reply::status(200, r#"{"keys":[{"kty":"oct","kid":"key-1","k":"c2VjcmV0"}]}"#),
        Reply::Bytes(b"\xff\xff".into()),
    ] {
        let before = failures(&gate);
        gate.approvals.reply(KEYS, reply);
        until("a fetch that fails", || (failures(&gate) > before).then_some(()));
        gate.allows(&by(&gate.key));
    }
    let before = failures(&gate);
    gate.approvals.stop();
    until("a fetch that fails", || (failures(&gate) > before).then_some(()));
    gate.refuses(&by(&gate.key), 503, "revocation_unknown");
    gate.approvals.start_again();
    gate.allows(&by(&gate.key));
}

#[test]
fn a_source_that_is_slow_from_the_start_costs_its_timeout_and_no_more() {
    let gate = Plan::standard().remote_keys_only("300s").approvals(KEYS, Reply::Never).start();
    let (_, took) = timed(|| gate.refuses(&by(&gate.key), 503, "keys_unavailable"));
    // The timeout is one second; the rest is a busy machine.
    assert!(took.as_secs() < 5, "{took:?}");
    gate.passes(&get("/v1/orders"));
    gate.approvals.reply(KEYS, Reply::json(&jwks(&[&gate.key])));
    await_status(&gate, &gate.key, 200);
    gate.still_serves();
}

#[test]
fn a_source_that_becomes_slow_delays_only_who_needs_it() {
    let gate = Plan::standard()
        .remote_keys_only("1s")
        .set("/issuers/0/jwks/remote/timeout", json!("15s"))
        .start();
    await_status(&gate, &gate.key, 200);
    let before = gate.approvals.calls(KEYS).len();
    gate.approvals.reply(KEYS, Reply::Never);
    until("a fetch", || (gate.approvals.calls(KEYS).len() > before).then_some(()));
    let (_, took) = timed(|| gate.allows(&by(&gate.key)));
    assert!(took.as_secs() < 5, "{took:?}");
}

#[test]
fn inline_keys_work_when_the_source_never_answered() {
    let inline = Key::es256("inline");
    let gate = Plan::standard()
        .set("/issuers/0/jwks", json!({"remote": remote_keys(), "inline": jwks(&[&inline])}))
        .set("/revocation/on_unavailable", json!("allow"))
        .approvals_down()
        .start();
    let token = Mint::new(&inline).issued(60, 900).sign();
    gate.allows_unverified(&get("/v1/orders").token(token));
}

#[test]
fn inline_and_fetched_keys_are_both_accepted() {
    let inline = Key::es256("inline");
    let gate = Plan::standard()
        .set("/issuers/0/jwks", json!({"remote": remote_keys(), "inline": jwks(&[&inline])}))
        .start();
    await_status(&gate, &gate.key, 200);
    gate.allows(&by(&gate.key));
    gate.allows(&by(&inline));
}

#[test]
fn a_published_key_of_a_kind_that_nobody_knows_does_not_spoil_the_others() {
    let plan = Plan::standard().remote_keys_only("300s");
    let gate = plan.start();
    let mut keys = jwks(&[&gate.key, &Key::es256("key-2")]);
    let more = keys["keys"].as_array_mut().unwrap();
    more.push(json!({"kty": "AKP", "kid": "new-kind", "alg": "ML-DSA-65", "pub": "AA"}));
    more.push(json!({"kty": "RSA", "kid": "for-encryption", "use": "enc", "n": "AA", "e": "AQAB"}));
    gate.approvals.reply(KEYS, Reply::json(&keys));
    gate.allows(&by(&gate.key));
    let encryption = gate.mint().header("kid", "for-encryption").sign();
    let answer = gate.send(&get("/v1/orders").token(encryption));
    assert_eq!(answer.status, 401, "{answer:?}");
}

/// An audience of the real service that has signing keys of its own, and what can be asked for there.
const APART: &str = "[[signing_keys.audiences]]\naudience = \"ledger-test\"\n\
    [[scopes]]\nname = \"apart:read\"\naudience = \"ledger-test\"\nrequesters = [\"oncall\"]\n\
    approvers = [\"commanders\"]\nmax_duration = \"1h\"\n";

/// Where a filter fetches the keys of that audience.
const APART_KEYS: &str = "/.well-known/jwks.json?audience=ledger-test";

/// A gate of that audience, which fetches its keys there.
fn gate_apart(service: &Service, keys: &str) -> Gate {
    let scope = json!({"name": "apart:read", "methods": ["GET"], "paths": ["/v1/orders"]});
    Plan::asking(service)
        .set("/issuers/0/audiences", json!(["ledger-test"]))
        .set("/issuers/0/jwks/remote/path", json!(keys))
        .filter(|filter| filter["scopes"].as_array_mut().unwrap().push(scope))
        .start()
}

/// By who has the private key of another audience, and knows a grant that holds.
#[test]
fn a_token_that_the_key_of_another_audience_signed_is_refused_by_its_signature() {
    let mut service = Service::start();
    // As a service that is new: keys that were there before count for a day.
    let folder = service.database().with_file_name("keys");
    fs::rename(&folder, service.database().with_file_name("keys-before")).unwrap();
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(service.database().with_file_name("keys-before")).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_str().unwrap().starts_with("trail-") {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    service.add(APART);
    let kids = |path: &str| {
        let set = service.get(path).json();
        let kid = |key: &serde_json::Value| key["kid"].as_str().unwrap().to_owned();
        set["keys"].as_array().unwrap().iter().map(kid).collect::<Vec<_>>()
    };
    let (shared_kids, apart_kids) = (kids(KEYS), kids(APART_KEYS));
    assert!(shared_kids.len() == 1 && apart_kids.len() == 1 && shared_kids != apart_kids);
    let shared = Plan::asking(&service).start();
    let apart = gate_apart(&service, APART_KEYS);
    let (_, orders) = service.grant(&["orders:read"], "10m");
    let (grant, ledger) = service.grant(&["apart:read"], "10m");
    let read = |token: &str| get("/v1/orders").token(token);
    shared.allows(&read(&orders));
    apart.allows(&read(&ledger));
    let stolen = service.stolen_key();
    assert_eq!(stolen.kid(), shared_kids[0]);
    let forge = || {
        let mint = Mint::new(&stolen).claim("jti", grant.as_str()).scope("apart:read");
        mint.claim("aud", json!(["ledger-test"]))
    };
    apart.refuses(&read(&forge().sign()), 401, "key_unknown");
    let named = forge().header("kid", apart_kids[0].as_str()).sign();
    apart.refuses(&read(&named), 401, "signature_invalid");
    // With the other set the audience alone would not refuse it, and the service does.
    let misled = gate_apart(&service, KEYS);
    misled.refuses(&read(&forge().sign()), 401, "revoked");

    // A rotation is of one of them alone.
    let new = service.keys(&["rotate", "--force", "--audience", "ledger-test"]).done();
    until("the new key", || {
        (kids(APART_KEYS) == [apart_kids[0].clone(), new.clone()]).then_some(())
    });
    assert_eq!(kids(KEYS), shared_kids);
    let (_, rotated) = service.grant(&["apart:read"], "10m");
    apart.allows(&read(&rotated));
    apart.allows(&read(&ledger));
    shared.allows(&read(&orders));
    let (_, again) = service.grant(&["orders:read"], "10m");
    shared.allows(&read(&again));
    apart.refuses(&read(&forge().sign()), 401, "key_unknown");
}
