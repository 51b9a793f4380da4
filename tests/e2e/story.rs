//! The story, with nothing in it that stands in for anything: the approval service and the command
//! line as they are shipped, the filter as it is shipped, Envoy.

use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_tests::client::{Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::{APPROVER, INCIDENT, ISSUER, JUSTIFICATION, SUBJECT};
use breakglass_tests::record::Audit;
use breakglass_tests::service::{COLLEAGUE, Service};
use breakglass_tests::wait::{until, until_within};
use serde_json::{Value, json};

/// A gate for the service, which asks it again after a second.
fn gate(service: &Service) -> Gate {
    plan(service).start()
}

fn plan(service: &Service) -> Plan {
    Plan::asking(service).set("/revocation/introspection/cache", json!("1s"))
}

/// The record says who, under which grant, why, and by whose approval.
fn tells(audit: &Audit, grant: &str) {
    for (member, value) in [
        ("grant", json!(grant)),
        ("subject", json!(SUBJECT)),
        ("issuer", json!(ISSUER)),
        ("incident", json!(INCIDENT)),
        ("justification", json!(JUSTIFICATION)),
        ("approvers", json!([APPROVER])),
        ("emergency", json!(false)),
        ("source_ip", json!("127.0.0.1")),
        ("node", json!("gate-test")),
    ] {
        assert_eq!(*audit.of(member), value, "{member} in {}", audit.text);
    }
}

fn read(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

fn write(token: &str) -> Request {
    request("POST", "/v1/orders").token(token).body("{}")
}

#[test]
fn the_story() {
    let service = Service::start();
    let gate = gate(&service);

    // Who has no token meets the controls that were there before.
    gate.passes(&get("/v1/orders/17"));

    // Alice asks, Bob approves, Alice gets the token: nobody else does.
    let scopes = ["--scope", "orders:read", "--scope", "ledger:all"];
    let why = ["--reason", JUSTIFICATION, "--incident", INCIDENT, "--duration", "10m"];
    let asked = service.run(SUBJECT, &[&["request"], &scopes[..], &why].concat());
    assert!(asked.stderr.contains(APPROVER), "who may approve is said: {asked:?}");
    let asked = asked.done();
    assert!(asked.starts_with("req_"), "{asked}");
    let early = service.run(SUBJECT, &["token", &asked]);
    assert_eq!((early.code, early.stdout.as_str()), (2, ""), "{early:?}");
    let grant = service.run(APPROVER, &["approve", &asked, "--yes"]).done();
    assert!(grant.starts_with("grant_"), "{grant}");
    assert_eq!(service.run(COLLEAGUE, &["token", &asked]).code, 2);
    let token = service.run(SUBJECT, &["token", &asked]).done();

    // What the grant covers gets through, and the upstream learns of the grant, not of the token.
    let allowed = gate.allows(&read(&token));
    assert_eq!(allowed.seen.header("x-breakglass-grant"), Some(&*grant));
    assert_eq!(allowed.seen.header("x-breakglass-subject"), Some(SUBJECT));
    assert!(!format!("{:?}", allowed.seen).contains(&token), "{:?}", allowed.seen);
    tells(&allowed.audit, &grant);
    assert_eq!(allowed.audit.text_of("scope"), Some("orders:read"));
    assert_eq!(allowed.audit.text_of("rule"), Some("/v1/orders/{id}"));
    assert_eq!(allowed.audit.text_of("revocation_source"), Some("introspection"));
    let left = allowed.audit.of("expires_in_s").as_u64().unwrap();
    assert!((540..=600).contains(&left), "{left}");

    // What it does not cover is refused, with what it covers and what to ask for.
    let refused = gate.refuses(&write(&token), 403, "out_of_scope");
    tells(&refused.audit, &grant);
    let shown = &refused.problem["grant"];
    assert_eq!((&shown["id"], &shown["subject"]), (&json!(grant), &json!(SUBJECT)));
    assert_eq!(shown["scopes"][0]["scope"], "orders:read");
    assert_eq!(shown["scopes"][0]["methods"], json!(["GET", "HEAD"]));
    assert_eq!(shown["scopes"][1]["scope"], "ledger:all");
    assert!(refused.problem["remedy"].as_str().unwrap().contains("--scope orders:write"));

    // The ceiling is above every grant.
    gate.allows(&get("/v1/ledger/entries").token(&token));
    let delete = request("DELETE", "/v1/ledger/entries").token(&token);
    let refused = gate.refuses(&delete, 403, "ceiling");
    tells(&refused.audit, &grant);
    assert_eq!(refused.problem.get("remedy"), None);

    // It is over when somebody says so.
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "orders flow again"]);
    assert_eq!(revoked.done(), "revoked");
    until("the revocation", || (gate.send(&read(&token)).status == 401).then_some(()));
    let refused = gate.refuses(&read(&token), 401, "revoked");
    tells(&refused.audit, &grant);
    assert_eq!(service.run(SUBJECT, &["token", &asked]).code, 2);

    // And who has no token still meets the controls that were there before.
    gate.passes(&get("/v1/orders/17"));
    gate.has_its_first_vms();
}

#[test]
fn the_command_that_a_refusal_names_leads_to_a_token_that_works() {
    let service = Service::start();
    let gate = gate(&service);
    let (_, token) = service.grant(&["orders:read"], "10m");
    let refused = gate.refuses(&write(&token), 403, "out_of_scope");
    let remedy = refused.problem["remedy"].as_str().unwrap();
    assert!(remedy.contains("'<why>'"), "{remedy}");
    let line = remedy.replace("<why>", JUSTIFICATION);
    let (grant, token) = thread::scope(|scope| {
        // It waits for the approval, and prints the token.
        let asked = scope.spawn(|| service.paste(SUBJECT, &line).done());
        let id = until("the request", || {
            let pending = service.run(APPROVER, &["status", "--state", "pending", "--json"]).json();
            pending["requests"][0]["id"].as_str().map(str::to_owned)
        });
        let view = service.run(APPROVER, &["status", &id, "--json"]).json();
        assert_eq!(view["incident"], INCIDENT);
        let grant = service.run(APPROVER, &["approve", &id, "--yes"]).done();
        (grant, asked.join().unwrap())
    });
    let allowed = gate.allows(&write(&token));
    tells(&allowed.audit, &grant);
    assert_eq!(allowed.seen.body_bytes, 2);
    // It takes the place of the old one, and so covers what that did.
    gate.allows(&read(&token));
}

#[test]
fn the_command_that_a_refusal_of_a_missing_token_names_exists() {
    let service = Service::start();
    let gate = gate(&service);
    let refused = gate.refuses(&get("/admin/users"), 401, "token_missing");
    assert!(refused.problem["detail"].as_str().unwrap().contains("`breakglass request`"));
    let help = service.paste(SUBJECT, "breakglass request --help");
    assert_eq!(help.code, 0, "{help:?}");
    let (_, token) = service.grant(&["admin:read"], "10m");
    gate.allows(&get("/admin/users").token(token));
}

#[test]
fn a_shell_can_wait_for_the_token() {
    let service = Service::start();
    let gate = gate(&service);
    let line = "TOKEN=$(breakglass request --scope orders:read --reason r --wait) && \
        echo \"x-breakglass-token: $TOKEN\"";
    let printed = thread::scope(|scope| {
        let waiting = scope.spawn(|| service.paste(SUBJECT, line).done());
        let asked = until("the request", || {
            let listed = service.run(APPROVER, &["status", "--state", "pending", "--json"]).json();
            listed["requests"][0]["id"].as_str().map(str::to_owned)
        });
        assert_eq!(service.run(APPROVER, &["approve", &asked, "--yes"]).code, 0);
        waiting.join().unwrap()
    });
    let (name, token) = printed.split_once(": ").unwrap();
    gate.allows(&get("/v1/orders").header(name, token));
}

#[test]
fn nobody_approves_for_themselves_or_without_being_an_approver() {
    let service = Service::start();
    let asks = ["request", "--scope", "orders:read", "--reason", "mine"];
    let own = service.run(APPROVER, &asks);
    // Bob is the only approver there is: for him there is none, and so there is no request.
    assert_eq!(own.code, 2, "{own:?}");
    assert!(own.stderr.contains("(no_approver)"), "{own:?}");
    let asked = service.run(SUBJECT, &asks).done();
    let own = service.run(SUBJECT, &["approve", &asked, "--yes"]);
    assert_eq!(own.code, 2, "{own:?}");
    assert!(own.stderr.contains("(self_approval)"), "{own:?}");
    let other = service.run(COLLEAGUE, &["approve", &asked, "--yes"]);
    assert_eq!(other.code, 2, "{other:?}");
    let token = service.run(SUBJECT, &["token", &asked]);
    assert_eq!((token.code, token.stdout.as_str()), (2, ""), "{token:?}");
}

#[test]
fn a_grant_ends_when_its_time_is_over() {
    let service = Service::start();
    let gate = plan(&service).set("/clock_skew", json!("0s")).start();
    let (grant, token) = service.grant(&["orders:read"], "3s");
    gate.allows(&read(&token));
    until("the end", || (gate.send(&read(&token)).status == 401).then_some(()));
    let refused = gate.refuses(&read(&token), 401, "token_expired");
    tells(&refused.audit, &grant);
    assert_eq!(*refused.audit.of("expires_in_s"), 0);
}

#[test]
fn a_permit_opens_what_rbac_closes() {
    let service = Service::start();
    let gate = gate(&service);
    let closed = || {
        let request = get("/guarded/x").header("x-breakglass-decision", "allow");
        assert_eq!(gate.send(&request).status, 403);
        let record = gate.envoy.record(&request.id);
        assert_eq!(record.details(), "rbac_access_denied_matched_policy[none]");
        assert!(record.audit().is_none());
    };
    closed();
    let (grant, token) = service.grant(&["guarded:read"], "10m");
    let allowed = gate.allows(&get("/guarded/x").token(&token));
    tells(&allowed.audit, &grant);
    closed();
}

#[test]
fn a_new_signing_key_comes_into_use_long_before_the_next_refresh_and_the_old_one_still_counts() {
    let service = Service::start();
    let gate = gate(&service);
    let published = || {
        let keys = service.get("/.well-known/jwks.json").json();
        let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
        keys["keys"].as_array().unwrap().iter().map(kid).collect::<Vec<_>>()
    };
    let (_, before) = service.grant(&["orders:read"], "10m");
    gate.allows(&read(&before));
    let kid = service.rotate_keys();
    until("the new key", || published().contains(&kid).then_some(()));
    let (_, after) = service.grant(&["orders:read"], "10m");
    // The filter fetches the keys while the first request waits: there is no gap.
    gate.allows(&read(&after));
    gate.allows(&read(&before));
    assert_eq!(published().len(), 2);
    gate.has_its_first_vms();
}

/// One proxy fetches the keys every five minutes, another one every second.
#[test]
fn keys_that_are_rotated_and_retired_cost_no_valid_token_and_take_the_retired_ones_away() {
    let service = Service::start();
    let slow = gate(&service);
    let quick = plan(&service)
        .set("/issuers/0/jwks/remote/refresh", json!("1s"))
        .following_feed("10s")
        .start();
    // As this one says itself with its polls.
    let lacks = || {
        let listed = service.run(APPROVER, &["--json", "proxies"]).json();
        let proxy = listed["proxies"].as_array().unwrap().first()?;
        assert_eq!(proxy["keys_refresh_s"], 1, "{proxy}");
        Some(proxy["missing_keys"].clone())
    };
    let published = || {
        let keys = service.get("/.well-known/jwks.json").json();
        let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
        keys["keys"].as_array().unwrap().iter().map(kid).collect::<Vec<_>>()
    };
    let (_, before) = service.grant(&["orders:read"], "10m");
    let old = key_of(&before);
    until("the proxy that has all keys", || (lacks()? == json!([])).then_some(()));
    let new = service.keys(&["rotate", "--publish-for", "8s"]).done();
    until("the new key", || (published() == [old.clone(), new.clone()]).then_some(()));
    until("the proxy that has the new key too", || (lacks()? == json!([])).then_some(()));
    // Both live while the turn comes: each token passes at both, whichever key signed it.
    let mut tokens = vec![before.clone()];
    // It waits for the proxies as well, and a service hears of all of them within the minute after its start.
    let patience = Duration::from_secs(180);
    until_within(patience, "the turn of the new key", || {
        for gate in [&slow, &quick] {
            tokens.iter().for_each(|token| drop(gate.allows(&read(token))));
        }
        tokens.truncate(1);
        // A grant is three processes, and this goes on for a minute.
        thread::sleep(Duration::from_millis(200));
        tokens.push(service.grant(&["orders:read"], "10m").1);
        (key_of(&tokens[1]) == new).then_some(())
    });
    let after = tokens.remove(1);
    for gate in [&slow, &quick] {
        gate.allows(&read(&after));
        gate.allows(&read(&before));
    }
    // It may have signed a grant that holds: not by mistake, but where it was stolen.
    assert_eq!(service.keys(&["retire", &old]).code, 1);
    assert_eq!(service.keys(&["retire", &old, "--force"]).done(), old);
    until("the end of the old key", || (published() == [new.clone()]).then_some(()));
    // The service proves it no more: who asks it about the grant is told no, before the next fetch.
    let reason = |gate: &Gate| {
        let answer = gate.send(&read(&before));
        (answer.status == 401).then(|| answer.json()["reason"].clone())
    };
    until("the next question", || (reason(&slow)? == "revoked").then_some(()));
    until("the next fetch", || (reason(&quick)? == "key_unknown").then_some(()));
    for gate in [&slow, &quick] {
        gate.allows(&read(&after));
    }
}

/// The `kid` of a token.
fn key_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[test]
fn while_the_service_is_down_tokens_are_judged_as_configured_and_afterwards_as_before() {
    let mut service = Service::start();
    let gate = plan(&service)
        .filter(|filter| {
            let scopes = filter["scopes"].as_array_mut().unwrap();
            let guarded = scopes.iter_mut().find(|scope| scope["name"] == "guarded:read");
            guarded.unwrap()["on_unavailable"] = json!("allow");
        })
        .start();
    let guarded = |token: &str| get("/guarded/x").token(token);
    let (grant, token) = service.grant(&["orders:read", "guarded:read"], "10m");
    let (revoked, dead) = service.grant(&["orders:read", "guarded:read"], "10m");
    let ended = service.run(APPROVER, &["revoke", &revoked, "--reason", "a mistake"]);
    assert_eq!(ended.done(), "revoked");
    gate.allows(&read(&token));
    gate.refuses(&read(&dead), 401, "revoked");

    service.kill();
    until("the last answer to be old", || (gate.send(&read(&token)).status == 503).then_some(()));
    let refused = gate.refuses(&read(&token), 503, "revocation_unknown");
    tells(&refused.audit, &grant);
    assert_eq!(refused.audit.text_of("revocation_source"), Some("unavailable"));
    gate.allows_unverified(&guarded(&token));
    gate.passes(&get("/v1/orders/17"));
    gate.refuses(&write(&token), 403, "out_of_scope");
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    // The command line says so too, and its exit code that trying again may help.
    let asks = service.run(SUBJECT, &["request", "--scope", "orders:read", "--reason", "r"]);
    assert_eq!((asks.code, asks.stdout.as_str()), (1, ""), "{asks:?}");

    service.start_again();
    gate.allows(&read(&token));
    gate.refuses(&read(&dead), 401, "revoked");
    gate.refuses(&guarded(&dead), 401, "revoked");
    let (_, new) = service.grant(&["orders:read"], "10m");
    gate.allows(&read(&new));
    gate.has_its_first_vms();
}

#[test]
fn a_known_token_costs_the_service_no_question_while_its_answer_is_fresh() {
    let service = Service::start();
    let gate = plan(&service).set("/revocation/introspection/cache", json!("60s")).start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    let first = gate.allows(&read(&token));
    assert_eq!(first.audit.text_of("revocation_source"), Some("introspection"));
    for _ in 0..5 {
        let again = gate.allows(&read(&token));
        assert_eq!(again.audit.text_of("revocation_source"), Some("introspection_cache"));
    }
    assert_eq!(service.introspections(), 1);
}

#[test]
fn the_service_refuses_to_answer_whom_it_does_not_know() {
    let service = Service::start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    let ask = |credential: &str| {
        let body = format!("token={token}&token_type_hint=access_token");
        request("POST", "/oauth2/introspect")
            .header("authorization", format!("Bearer {credential}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send(service.address())
    };
    assert_eq!(ask("somebody").status, 401);
    assert_eq!(ask(breakglass_tests::policy::PROXY_TOKEN).json()["active"], true);
}
