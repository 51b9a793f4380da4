//! What the running service knows: proxies, what they define, and its clock.

use std::fs;
use std::path::Path;

use breakglass_server::clock::Moment;
use breakglass_server::issuer::KeyDirectory;
use breakglass_server::random::Randomness;
use serde_json::{Value, json};

use super::{doctor_by, findings, found, found_alone, healthy};
use crate::clock_process::{set_clock, with_clock};
use crate::process::{Ran, Server, breakglass, until};
use crate::stand_in::{Reply, StandIn, good};
use breakglass_testing::service::token_of;

fn asked(server: &Server) -> Ran {
    let mut command = breakglass();
    command.env("BREAKGLASS_API_TOKEN", token_of("grace"));
    doctor_by(command, server.directory.path(), &["--url", &server.url])
}

/// A poll of an Envoy that says this of itself.
fn poll(server: &Server, process: &str, headers: &[(&str, &str)]) {
    let mut request = ureq::get(format!("{}/v1/revocations?node=edge-{process}", server.url))
        .header("authorization", format!("Bearer {}", token_of("envoy")))
        .header("breakglass-process", process.repeat(32));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    assert_eq!(request.call().unwrap().status(), 200);
}

const SILENT_SOON: [(&str, &str); 3] = [
    ("breakglass-max-staleness", "100ms"),
    ("breakglass-cache", "100ms"),
    ("breakglass-on-unavailable", "deny"),
];

const PATIENT: [(&str, &str); 3] = [
    ("breakglass-max-staleness", "1h"),
    ("breakglass-cache", "1s"),
    ("breakglass-on-unavailable", "deny"),
];

#[test]
fn silent_proxies_and_those_without_a_key_are_found() {
    let directory = tempfile::tempdir().unwrap();
    // Made before any proxy could not have fetched it.
    let kid = KeyDirectory::new(&directory.path().join("keys"))
        .add(Moment::from_seconds(1_700_000_000), &Randomness::from_seed(1))
        .unwrap();
    let text = healthy(&directory);
    let server = Server::start_with(directory, &text);
    found_alone(&asked(&server), "no proxy reads the feed of revocations", "docs/install/");

    let has = |kids: &'static str| [("breakglass-keys", kids), ("breakglass-keys-refresh", "1s")];
    poll(&server, "a", &[&PATIENT[..], &has("other")].concat());
    let ran = asked(&server);
    found_alone(
        &ran,
        &format!("edge-a (envoy) does not have the signing key {kid}"),
        "jwks.remote",
    );
    assert_eq!(ran.json()["not_checked"][0]["what"], "silent proxies", "it has just started");

    poll(&server, "b", &SILENT_SOON);
    until(|| findings(&asked(&server)).len() > 1);
    let ran = asked(&server);
    found(&ran, "edge-b (envoy) is silent for ", &format!("proxies forget {}", "b".repeat(32)));
    assert!(
        findings(&ran).iter().any(|one| one.0.contains("refuses new requests since")),
        "{ran:?}"
    );
    // A key that they had no time to fetch yet is no finding.
    let keys = server.path("keys");
    let rotated = breakglass().args(["keys", "rotate", "--key-dir"]).arg(&keys).output().unwrap();
    let rotated = Ran::from(rotated).done();
    until(|| server.get("grace", "/v1/proxies").to_string().contains(rotated.trim()));
    poll(&server, "a", &[&PATIENT[..], &has("other")].concat());
    assert_eq!(findings(&asked(&server)).len(), 2);
}

/// A configuration that names a definition of `orders:read`.
fn with_definition(directory: &Path, text: &str) -> String {
    let rules = json!({ "methods": ["GET"], "paths": ["/v1/orders/{id}/**"], "hosts": ["*.orders.test"], "v": 1 });
    let file = json!({ "audiences": ["prod"], "scopes": { "orders:read": rules } });
    fs::write(directory.join("definitions.json"), file.to_string()).unwrap();
    format!("definitions = [\"definitions.json\"]\n{text}")
}

#[test]
fn proxies_that_define_a_scope_otherwise_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let text = with_definition(directory.path(), &healthy(&directory));
    let server = Server::start_with(directory, &text);
    let configuration = "c".repeat(64);
    poll(&server, "a", &[&PATIENT[..], &[("breakglass-config", configuration.as_str())]].concat());
    // It has not said what it defines.
    assert_eq!(findings(&asked(&server)).len(), 0, "{:?}", asked(&server));
    let body = json!({
        "configuration": configuration, "audiences": ["prod"], "scopes": { "orders:read": "d".repeat(64) },
    });
    let report = ureq::post(format!("{}/v1/proxies/configurations", server.url))
        .header("authorization", format!("Bearer {}", token_of("envoy")));
    assert_eq!(report.send_json(body).unwrap().status(), 200);
    found_alone(
        &asked(&server),
        "1 of the live proxies for `prod` define the scope `orders:read` otherwise",
        "breakglass scopes import",
    );
}

#[test]
fn a_clock_of_the_service_that_is_another_one_is_found() {
    let server = super::server();
    poll(&server, "a", &PATIENT);
    for (how, what) in [("+2h", "behind"), ("-2h", "ahead of")] {
        set_clock(&server.directory, how);
        let mut command = with_clock(&server.directory);
        command.env("BREAKGLASS_API_TOKEN", token_of("grace"));
        let ran = doctor_by(command, server.directory.path(), &["--url", &server.url]);
        found(&ran, &format!("{what} the one of this machine"), "timedatectl set-ntp true");
    }
}

#[test]
fn a_place_that_does_not_take_the_heads_of_the_trail_is_found() {
    let directory = tempfile::tempdir().unwrap();
    // A folder in the place of the file, for which the configuration is as right as before.
    let file = directory.path().join("heads.jsonl");
    fs::create_dir(&file).unwrap();
    let text = format!("{}\n[trail_heads]\nfile = \"{}\"\n", healthy(&directory), file.display());
    let server = Server::start_with(directory, &text);
    server.pending();
    poll(&server, "a", &PATIENT);
    // The first head is told at the start, before there was one, or a minute later.
    let server = Server::start_with(server.leave("TERM"), &text);
    poll(&server, "a", &PATIENT);
    until(|| !findings(&asked(&server)).is_empty());
    let ran = asked(&server);
    found_alone(
        &ran,
        "trail_heads (file): the head of the trail is not handed over since ",
        "append",
    );
    assert!(findings(&ran)[0].0.contains("Is a directory"), "{ran:?}");
    // A person who is no auditor is not told.
    let mut command = breakglass();
    command.env("BREAKGLASS_API_TOKEN", token_of("alice"));
    let ran = doctor_by(command, server.directory.path(), &["--url", &server.url]);
    let gaps = super::not_checked(&ran);
    let gap = gaps.iter().find(|gap| gap.starts_with("whether the heads of the trail"));
    assert!(gap.is_some_and(|gap| gap.contains("take an auditor's")), "{ran:?}");
}

/// A service knows who has not come back only half a minute after its start: this one says that it does.
#[test]
fn a_credential_that_no_envoy_uses_is_found() {
    let folder = super::server().leave("TERM");
    let proxies = |proxy: &str| -> Value {
        json!({ "epoch": 1, "since": "2026-11-22T02:13:00Z", "complete": true, "proxies": [{
            "node": "n", "proxy": proxy, "epoch": 1, "last_seen": "2026-11-22T02:13:00Z", "stale_for_s": 0,
            "alive": true,
        }] })
    };
    for (proxy, count) in [("envoy", 0), ("other", 1)] {
        let answer = proxies(proxy);
        let service = StandIn::start(move |_, call| match call.path.as_str() {
            "/v1/proxies" => Reply::Json(200, answer.clone()),
            "/healthz" => Reply::Json(200, json!({ "status": "ok" })),
            _ => good(call),
        });
        let mut command = breakglass();
        command.env("BREAKGLASS_API_TOKEN", "t");
        let ran = doctor_by(command, folder.path(), &["--url", &service.url]);
        assert_eq!(findings(&ran).len(), count, "{ran:?}");
        // The stand-in has no `Date`.
        assert_eq!(ran.json()["not_checked"][0]["what"], "the clock of the service", "{ran:?}");
        if count > 0 {
            found(
                &ran,
                "no Envoy has polled with its credential since 2026-11-22T02:13:00Z",
                "`envoy`",
            );
        }
    }
}
