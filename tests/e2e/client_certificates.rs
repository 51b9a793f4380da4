//! A real Envoy that speaks TLS to the real service as `envoy/envoy.yaml` does, and is known by its client certificate.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use breakglass_tests::approvals::KEYS;
use breakglass_tests::certificates::{Authority, Identity, replace};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::policy::APPROVER;
use breakglass_tests::service::{AUDITOR, Service, proxy_token_sha256};
use breakglass_tests::shipped_tls::transport_socket;
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The name in the service's certificate that Envoy wants to see.
const SERVICE: &str = "approvals.internal";

/// The name in this Envoy's certificate that the service wants to see.
const GATE: &str = "gate-1.edge.internal";

pub(crate) const BY_CERTIFICATE: &str =
    "[[proxies]]\nname = \"gate-by-certificate\"\ncertificate_san = \"gate-1.edge.internal\"\n";

/// The files of both sides: the service's certificate, the authority of both, this Envoy's certificate.
fn files(authority: &Authority, service: &str, client: &Identity) -> TempDir {
    let files = TempDir::new().unwrap();
    for name in ["ca.crt", "clients.crt"] {
        replace(&files.path().join(name), &authority.pem());
    }
    // People reach it by its address.
    authority.server(&[service, "127.0.0.1"]).write(files.path(), "service");
    client.write(files.path(), "gate-1");
    files
}

fn secured(files: &TempDir, proxies: &str) -> Service {
    let mut service = Service::start();
    service.secure(files.path(), proxies);
    service
}

/// A gate that reaches the proxies' listener as the shipped Envoy does.
pub(crate) fn plan(service: &Service, files: &TempDir, more: Value) -> Plan {
    let mut cluster = more;
    cluster["transport_socket"] = transport_socket(files.path());
    Plan::asking(service).through(service.proxies_address()).approvals_cluster(cluster)
}

/// Without an API token: the certificate is all that the service knows this Envoy by.
pub(crate) fn without_credential(filter: &mut Value) {
    filter["revocation"].as_object_mut().unwrap().remove("credential").unwrap();
}

/// What the service lists of the proxies that read its feed.
fn readers(service: &Service) -> BTreeSet<String> {
    let told = service.run(APPROVER, &["proxies", "--json"]).json();
    let proxies = told["proxies"].as_array().unwrap().iter();
    proxies.map(|proxy| proxy["proxy"].as_str().unwrap().to_owned()).collect()
}

/// Keys, the feed, revocations and heads, all over the connection that the certificate opens; `more` of the service's cluster.
pub(crate) fn works(
    proxies: &str,
    more: Value,
    change: impl FnOnce(&mut Value),
) -> (Service, Gate, TempDir) {
    let authority = Authority::new();
    let files = files(&authority, SERVICE, &authority.identity(GATE));
    let service = secured(&files, proxies);
    let heads = json!({"cluster": "approvals", "authority": SERVICE, "path": "/v1/audit/heads"});
    let plan = plan(&service, &files, more).following_feed("10s").alone();
    let gate = plan.set("/audit", json!({"heads": heads})).filter(change).start();
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let read = || get("/v1/orders").token(&token);
    until("the keys and the feed", || {
        let answer = gate.send(&read());
        (answer.status == 200).then_some(())
    });
    until("the proxy's poll", || (readers(&service).len() == 1).then_some(()));
    gate.allows(&read());
    let stream = Live::begin(Kind::Download, gate.envoy.address(), &token);
    until("the report of a head", || {
        let heads = service.run(AUDITOR, &["audit", "heads"]);
        (heads.code == 0 && heads.stdout.contains("\"seq\"")).then_some(())
    });
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "a drill", "--wait"]);
    assert_eq!(revoked.code, 0, "{revoked:?}");
    let _ = stream.ended();
    gate.refuses(&read(), 401, "revoked");
    gate.has_its_first_vms();
    (service, gate, files)
}

#[test]
fn a_proxy_is_known_by_its_client_certificate_alone() {
    let (service, gate, _files) = works(BY_CERTIFICATE, json!({}), without_credential);
    assert_eq!(readers(&service), ["gate-by-certificate".to_owned()].into());
    let stats = gate.envoy.stats();
    assert!(stats.of("cluster.approvals.ssl.handshake") > 0);
    assert!(stats.of("cluster.approvals.ssl.versions.TLSv1.3") > 0, "the shipped upper bound");
}

#[test]
fn a_proxy_is_known_by_its_certificate_with_its_api_token_beside_it() {
    let sha256 = proxy_token_sha256();
    let (service, _gate, _files) =
        works(&format!("{BY_CERTIFICATE}token_sha256 = \"{sha256}\"\n"), json!({}), |_| ());
    assert_eq!(readers(&service), ["gate-by-certificate".to_owned()].into());
}

#[test]
fn a_proxy_is_known_by_the_digest_of_its_certificate_and_may_introspect() {
    let authority = Authority::new();
    let client = authority.identity("any.name.internal");
    let files = files(&authority, SERVICE, &client);
    let proxy = format!(
        "[[proxies]]\nname = \"by-digest\"\ncertificate_sha256 = \"{}\"\n",
        client.sha256()
    );
    let service = secured(&files, &proxy);
    let gate = plan(&service, &files, json!({})).filter(without_credential).alone().start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    let read = || get("/v1/orders").token(&token);
    until("the keys", || (gate.send(&read()).status == 200).then_some(()));
    let allowed = gate.allows(&read());
    let source = allowed.audit.text_of("revocation_source").unwrap();
    assert!(source.starts_with("introspection"), "{source}");
}

/// The service's log has a line that names the certificate which this Envoy has shown, and where it came from.
fn log_names(service: &Service, client: &Identity, name: &str, what: &str) {
    let sha256 = client.sha256();
    let line = until(&format!("a line of the service's log that names {name}"), || {
        let log = service.log();
        log.lines().find(|line| line.contains(what) && line.contains(&sha256)).map(str::to_owned)
    });
    println!("{line}");
    assert!(line.contains(name) && line.contains("127.0.0.1"), "{line}");
}

/// What a gate does that has the keys and can learn nothing else: it refuses.
fn refuses_closed(service: &Service, keys: &Value, plan: Plan) -> Gate {
    let gate =
        plan.set("/issuers/0/jwks", json!({"inline": keys})).following_feed("1s").alone().start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    // Twice: what was learnt from one refusal opens nothing for the next.
    for _ in 0..2 {
        gate.refuses(&get("/v1/orders").token(&token), 503, "revocation_unknown");
    }
    gate.passes(&get("/v1/orders"));
    gate
}

#[test]
fn a_certificate_that_is_not_a_proxys_is_refused_and_named_in_the_log_with_a_right_api_token_too() {
    let (ours, other) = (Authority::new(), Authority::new());
    let sha256 = proxy_token_sha256();
    let proxy = format!("{BY_CERTIFICATE}token_sha256 = \"{sha256}\"\n");
    let handshake = "refused a client certificate";
    for (client, name, what) in [
        (other.identity(GATE), GATE, handshake),
        (ours.identity_until("expired.edge.internal", 2021), "expired.edge.internal", handshake),
        (
            ours.identity("stranger.edge.internal"),
            "stranger.edge.internal",
            "refused a proxy by its client certificate",
        ),
    ] {
        let files = files(&ours, SERVICE, &client);
        let mut service = Service::start();
        let keys = service.get(KEYS).json();
        service.secure(files.path(), &proxy);
        let gate = refuses_closed(&service, &keys, plan(&service, &files, json!({})));
        log_names(&service, &client, name, what);
        assert_eq!(readers(&service), BTreeSet::new(), "{name}");
        gate.has_its_first_vms();
    }
}

#[test]
fn an_envoy_tells_nothing_to_a_service_with_another_name_or_of_another_authority() {
    let (ours, other) = (Authority::new(), Authority::new());
    let client = ours.identity(GATE);
    for (authority, name, counter) in [
        (&ours, "imposter.internal", "cluster.approvals.ssl.fail_verify_san"),
        // A proxy's certificate is of the same authority.
        (&ours, GATE, "cluster.approvals.ssl.fail_verify_san"),
        (&other, SERVICE, "cluster.approvals.ssl.fail_verify_error"),
    ] {
        let files = files(&ours, SERVICE, &client);
        let service = secured(&files, BY_CERTIFICATE);
        // The same files, but for the certificate that the service shows from now on.
        authority.server(&[name, "127.0.0.1"]).write(files.path(), "service");
        until("the certificate", || service.log().contains("certificate read again").then_some(()));
        let gate = Plan::following_feed(plan(&service, &files, json!({})), "1s").alone().start();
        gate.passes(&get("/v1/orders"));
        until(counter, || (gate.envoy.stats().of(counter) > 0).then_some(()));
        assert_eq!(gate.envoy.stats().of("cluster.approvals.ssl.handshake"), 0);
        assert_eq!(gate.envoy.stats().of("cluster.approvals.upstream_rq_200"), 0);
    }
}

/// Which certificates the last connections were made with shows in what the other side takes at the end.
#[test]
fn certificates_and_authorities_are_replaced_under_load_and_no_request_fails() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = files(&old, SERVICE, &old.identity(GATE));
    let service = secured(&files, BY_CERTIFICATE);
    // Each call is a new connection: by the certificates that are in the files.
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let single = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "common_http_protocol_options": {"max_requests_per_connection": 1},
        "explicit_http_config": {"http_protocol_options": {}},
    }}});
    let plan = plan(&service, &files, single).filter(without_credential).alone();
    let gate = plan.set("/revocation/introspection/cache", json!("1s")).start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    let read = || get("/v1/orders").token(&token);
    until("the keys", || (gate.send(&read()).status == 200).then_some(()));

    let over = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(gate.send(&read()).status, 200, "request {sent}");
                sent += 1;
            }
            sent
        });
        let replaced = || replace_all(&service, &gate, files.path(), &old, &new);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(replaced));
        over.store(true, Ordering::Relaxed);
        let sent = load.join().expect("no request fails");
        done.unwrap();
        sent
    });
    println!("{sent} requests while certificates and authorities were replaced, none failed");
    assert!(sent > 100, "{sent}");
    // Nothing of the old authority is left, and the gate still asks.
    let asked = || gate.envoy.stats().of("cluster.approvals.upstream_rq_200");
    let before = asked();
    until("three more answers", || {
        gate.allows(&read());
        (asked() >= before + 3).then_some(())
    });
}

/// From one authority to another, as an operator does it: both are trusted, then both sides get new certificates, then the
/// old one is trusted no more.
fn replace_all(service: &Service, gate: &Gate, files: &Path, old: &Authority, new: &Authority) {
    let times = |what: &str| service.log().matches(what).count();
    let asked = || gate.envoy.stats().of("cluster.approvals.upstream_rq_200");
    // The service has read what was written, and Envoy has asked by what it has read.
    let settled = |what: &str, before: usize| {
        until(what, || (times(what) > before).then_some(()));
    };
    let (authorities, certificate) =
        ("client certificate authorities read again", "certificate read again");

    let both = format!("{}{}", old.pem(), new.pem());
    let before = times(authorities);
    replace(&files.join("clients.crt"), &both);
    settled(authorities, before);
    replace(&files.join("ca.crt"), &both);
    let connections = asked();
    until("calls with both authorities", || (asked() >= connections + 2).then_some(()));

    let before = times(certificate);
    new.server(&[SERVICE, "127.0.0.1"]).write(files, "service");
    settled(certificate, before);
    new.identity(GATE).write(files, "gate-1");
    let connections = asked();
    until("calls with the new certificates", || (asked() >= connections + 2).then_some(()));

    let before = times(authorities);
    replace(&files.join("clients.crt"), &new.pem());
    settled(authorities, before);
    replace(&files.join("ca.crt"), &new.pem());
    let connections = asked();
    until("calls with the new authority", || (asked() >= connections + 2).then_some(()));
}
