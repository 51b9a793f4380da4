//! A real Envoy that polls and cannot fetch the key set: a new signing key waits for it, and people are told which it is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::KEYS;
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::APPROVER;
use breakglass_tests::relay::Relay;
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::wait::{until, until_within};
use serde_json::{Value, json};

/// How long a service that has started waits before it lets a key sign is a minute: one round of polls.
const ROUND: Duration = Duration::from_secs(150);

fn read(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

fn token(service: &Service) -> String {
    service.grant(&["orders:read"], "20m").1
}

/// The key that signed a token, by its header.
fn signer(token: &str) -> String {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap();
    let header = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// An Envoy of this name that follows the feed of the service at `address` and fetches the keys every second, each time by a
/// new connection.
fn gate(service: &Service, node: &str, address: SocketAddr) -> Gate {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let single = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "common_http_protocol_options": {"max_requests_per_connection": 1},
        "explicit_http_config": {"http_protocol_options": {}},
    }}});
    let plan = Plan::following(service, "10s").through(address).approvals_cluster(single);
    plan.remote_keys_only("1s").node(node).start()
}

/// What the service says of the switch to those who may know.
fn switch(service: &Service) -> Value {
    let credential = service.credential(AUDITOR);
    let request = get("/healthz?detail=1").host("approvals.internal");
    let request = request.header("authorization", format!("Bearer {credential}"));
    request.send(service.address()).json()["key_switch"].take()
}

/// The nodes that lack a key, by `breakglass proxies`.
fn lacking(service: &Service, kid: &str) -> Vec<String> {
    let told = service.run(APPROVER, &["proxies", "--json"]).json();
    let proxies = told["proxies"].as_array().unwrap().iter();
    let lacks = |proxy: &&Value| {
        proxy["missing_keys"].as_array().is_some_and(|missing| missing.contains(&json!(kid)))
    };
    proxies.filter(lacks).map(|proxy| proxy["node"].as_str().unwrap().to_owned()).collect()
}

/// Sends tokens to each gate until `action` is over: none may be refused.
fn accepted_throughout(gates: [&Gate; 2], token: &str, action: impl FnOnce()) {
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for gate in gates {
            let (over, sent) = (&over, &sent);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(gate.send(&read(token)).status, 200);
                    sent.fetch_add(1, Ordering::Relaxed);
                    // It goes on for more than a minute.
                    thread::sleep(Duration::from_millis(25));
                }
            });
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action));
        over.store(true, Ordering::Relaxed);
        done.unwrap();
    });
    println!("{sent:?} requests meanwhile, none refused");
}

#[test]
fn a_key_that_a_polling_envoy_lacks_waits_and_names_it_until_it_has_it_or_the_operator_forces_it() {
    let service = Service::start();
    let link = Relay::start(service.address());
    let well = gate(&service, "edge-well", service.address());
    let cut_off = gate(&service, "edge-cut-off", link.address());
    let first = token(&service);
    let old = signer(&first);
    for gate in [&well, &cut_off] {
        until("the keys and the feed", || (gate.send(&read(&first)).status == 200).then_some(()));
    }

    link.freeze(KEYS);
    let new = service.keys(&["rotate", "--publish-for", "1s"]).done();
    accepted_throughout([&well, &cut_off], &first, || {
        let line = until_within(ROUND, "a line of the log that names the Envoy", || {
            let log = service.log();
            let line = log.lines().find(|line| line.contains("does not sign yet"));
            line.map(str::to_owned)
        });
        assert!(line.contains(&new) && line.contains("edge-cut-off (gate-test)"), "{line}");
        assert!(!line.contains("edge-well"), "{line}");
        let switch = switch(&service);
        assert_eq!(switch["kid"], new, "{switch}");
        assert_eq!(switch["proxies"], json!(["edge-cut-off (gate-test)"]), "{switch}");
        assert_eq!(lacking(&service, &new), ["edge-cut-off"]);
        let listed = service.keys(&["list"]);
        let waits = listed.stdout.lines().find(|line| line.starts_with(&new)).unwrap();
        assert!(waits.contains("for proxies that do not have it: `breakglass proxies`"), "{waits}");
        // What is issued meanwhile is signed by the key that both have.
        let meanwhile = token(&service);
        assert_eq!(signer(&meanwhile), old);
        for gate in [&well, &cut_off] {
            gate.allows(&read(&meanwhile));
        }
        link.thaw();
        until("the new key to sign", || (signer(&token(&service)) == new).then_some(()));
    });
    assert_eq!(self::switch(&service), Value::Null);
    let second = token(&service);
    for gate in [&well, &cut_off] {
        gate.allows(&read(&second));
        gate.allows(&read(&first));
    }

    // An operator who does not wait: the Envoy refuses what it cannot check, and nothing else.
    link.freeze(KEYS);
    let newest = service.keys(&["rotate", "--publish-for", "1s"]).done();
    accepted_throughout([&well, &cut_off], &second, || {
        until("the Envoy to be named again", || {
            (switch(&service)["proxies"] == json!(["edge-cut-off (gate-test)"])).then_some(())
        });
        assert_eq!(signer(&token(&service)), new);
        assert_eq!(service.keys(&["rotate", "--force"]).done(), newest);
        let forced = until("the forced key to sign", || {
            let token = token(&service);
            (signer(&token) == newest).then_some(token)
        });
        well.allows(&read(&forced));
        cut_off.refuses(&read(&forced), 503, "keys_unavailable");
        link.thaw();
        until("the Envoy to have the key", || {
            (cut_off.send(&read(&forced)).status == 200).then_some(())
        });
        cut_off.allows(&read(&forced));
    });
    well.has_its_first_vms();
    cut_off.has_its_first_vms();
}
