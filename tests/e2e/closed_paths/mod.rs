//! What the shipped policies close stays closed, however it is spelt: `/v1/orders` without a token or a
//! role, in thousands of spellings, through the files in `envoy/`, in front of an upstream that takes every
//! target. What comes through is judged by [`oracle`], which has nothing of the filter's.

mod oracle;
mod recorder;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use breakglass_tests::approvals::FakeApprovals;
use breakglass_tests::bootstrap::Settings;
use breakglass_tests::client::{Answer, Request, connect, get};
use breakglass_tests::envoy::Envoy;
use breakglass_tests::istio::{cluster, filter};
use breakglass_tests::manifests::{kustomization, objects};
use breakglass_tests::service::Service;
use breakglass_tests::spellings::{sample, spellings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::istio::{APPROVALS, GATEWAY, SIDECAR, overlay_objects, proxy_to};
use crate::shipped::gate_for;
use oracle::{is_plain, may_read_as, path_of};
use recorder::Recorder;

/// What is closed, and something below it.
const CLOSED: [&str; 2] = ["/v1/orders", "/v1/orders/17/items"];

/// What is open in every shipped policy.
const OPEN: &str = "/health";

/// Targets that begin with what is open and go from there to `path`.
fn behind(open: &[&str], path: &str) -> Vec<Vec<u8>> {
    let ways = [
        "/..",
        "/..;",
        "/..;x=y",
        "/%2e%2e",
        "/%252e%252e",
        "/%c0%ae%c0%ae",
        "%2f..",
        "/..%2f",
        "/..%5c",
        "%5c..",
        "\\..",
        "/x/../..",
        "/x/..%2f..",
        ";/..",
        "/%u002e%u002e",
        "?/..",
        "#/..",
        "%3f/..",
        "/.. ",
        "%00/..",
        "/x%00/../..",
    ];
    let spelt = sample(path, 40);
    let mut targets = Vec::new();
    for (open, way) in open.iter().flat_map(|open| ways.map(|way| (open, way))) {
        targets.extend(
            spelt.iter().map(|one| [open.as_bytes(), way.as_bytes(), &one.target].concat()),
        );
    }
    targets
}

/// Sends each target, and says which came to the upstream, as it came there.
fn through(
    to: SocketAddr,
    upstream: &Recorder,
    targets: &[Vec<u8>],
    role: Option<&str>,
) -> Vec<Vec<u8>> {
    upstream.take();
    let mut connection = connect(to);
    for target in targets {
        let request = role.map_or(get(target), |role| get(target).header("x-role", role));
        let answer = over(&mut connection, &request);
        if answer.is_none_or(|answer| answer.header("connection") == Some("close")) {
            connection = connect(to);
        }
    }
    upstream.take()
}

fn over(connection: &mut std::net::TcpStream, request: &Request) -> Option<Answer> {
    std::io::Write::write_all(connection, &request.bytes()).ok()?;
    Answer::read(&mut std::io::BufReader::new(connection), "GET").ok()
}

/// What came through is what is open, byte for byte, and no server takes it for `path`.
fn assert_none_is(path: &str, reached: &[Vec<u8>], what: &str) {
    let taken = reached.iter().filter(|target| may_read_as(target, path));
    let odd = reached.iter().filter(|target| !is_plain(path_of(target)));
    let text = |target: &Vec<u8>| String::from_utf8_lossy(target).into_owned();
    let found: BTreeSet<_> = taken.chain(odd).map(text).collect();
    assert_eq!(found, BTreeSet::new(), "{what}: {path}");
}

/// Every spelling of the paths without a token or a role: none reaches the upstream as what is closed.
fn assert_closed(what: &str, to: SocketAddr, upstream: &Recorder, open: &[&str], most: usize) {
    for path in CLOSED {
        let spelt = sample(path, most).into_iter().map(|one| one.target);
        let targets: Vec<_> = spelt.chain(behind(open, path)).collect();
        let spelt: BTreeSet<_> =
            targets.iter().filter(|target| may_read_as(target, path)).collect();
        assert!(spelt.len() >= 400, "{} spellings of {path} are some to the oracle", spelt.len());
        let reached = through(to, upstream, &targets, None);
        let (sent, came) = (targets.len(), reached.len());
        println!(
            "{what}: {path}: {sent} targets, of which {} spell it; {came} came through",
            spelt.len()
        );
        assert_none_is(path, &reached, what);
    }
    assert!(get(OPEN).send(to).status == 200 && !upstream.take().is_empty(), "{what}: {OPEN}");
}

/// Replaces the policies of envoy.yaml's RBAC by one that opens this to everybody.
fn opening(permission: Value) -> impl FnOnce(&mut Value) {
    move |bootstrap| {
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let filters = bootstrap.pointer_mut(&format!("{manager}/http_filters")).unwrap();
        let filters = filters.as_array_mut().unwrap();
        let rbac = filters.iter_mut().find(|filter| filter["name"] == "rbac").unwrap();
        rbac["typed_config"]["rules"]["policies"] =
            json!({"open": {"permissions": [permission], "principals": [{"any": true}]}});
    }
}

#[test]
fn the_oracle_takes_spellings_for_what_they_spell() {
    for path in CLOSED {
        let all = spellings(path);
        let missed: Vec<_> = all.iter().filter(|one| !may_read_as(&one.target, path)).collect();
        println!("{path}: {} of {} spellings are none to the oracle", missed.len(), all.len());
        for one in &missed {
            println!("   {}: {}", one.class, String::from_utf8_lossy(&one.target));
        }
        assert!(missed.len() * 20 < all.len());
    }
}

#[test]
fn no_spelling_reaches_what_envoy_yaml_closes() {
    let upstream = Recorder::start();
    let gate = gate_for(Some(upstream.address), |_| ());
    let open = [OPEN, "/public", "/public/x"];
    assert_closed("envoy.yaml", gate.envoy.address(), &upstream, &open, usize::MAX);
    gate.has_its_first_vms();
}

#[test]
fn a_rule_that_names_what_is_closed_would_let_spellings_through() {
    let upstream = Recorder::start();
    // As envoy.yaml had it: all but a prefix is open.
    let orders = json!({"path": {"prefix": "/v1/orders", "ignore_case": true}});
    let all_but_orders = opening(json!({"not_rule": {"url_path": orders}}));
    let gate = gate_for(Some(upstream.address), all_but_orders);
    let known = ["/v1%2forders", "/v1%5corders", "/v1;x=y/orders"];
    let spelt = sample(CLOSED[0], 600).into_iter().map(|one| one.target);
    let targets: Vec<_> = spelt.chain(known.map(|known| known.as_bytes().to_vec())).collect();
    let reached = through(gate.envoy.address(), &upstream, &targets, None);
    let taken = reached.iter().filter(|target| may_read_as(target, CLOSED[0]));
    let taken: BTreeSet<_> = taken.map(|target| String::from_utf8_lossy(target)).collect();
    println!("{} of {} spellings pass the rule of before", taken.len(), targets.len());
    for spelling in known {
        assert!(taken.contains(spelling), "{spelling}: {taken:?}");
    }
}

#[test]
fn what_is_open_by_its_beginning_is_open_to_whatever_follows() {
    let template = |template: &str| {
        let kind = "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";
        json!({"uri_template": filter("template", kind, json!({"path_template": template}))})
    };
    // `/public/`, and what Istio makes of "/public/*", "/public/{*}" and "/public/{**}".
    for (permission, target) in [
        (json!({"url_path": {"path": {"prefix": "/public/"}}}), "/public/..%2Fv1/orders"),
        (template("/public/*"), "/public/..%2Fv1%2Forders"),
        (template("/public/**"), "/public/..%2Fv1/orders"),
    ] {
        let upstream = Recorder::start();
        let gate = gate_for(Some(upstream.address), opening(permission));
        let target = target.as_bytes().to_vec();
        assert!(may_read_as(&target, "/v1/orders"));
        let reached = through(gate.envoy.address(), &upstream, std::slice::from_ref(&target), None);
        assert_eq!(reached, [target]);
    }
}

#[test]
fn the_role_of_envoy_yaml_opens_orders_and_nothing_else() {
    let upstream = Recorder::start();
    let gate = gate_for(Some(upstream.address), |_| ());
    let role = Some("orders-admin");
    let orders =
        ["/v1/orders", "/v1/orders?x=/../y", "/v1/orders/17", "/v1/orders/17/items/a_b-c.d"];
    let orders = orders.map(|target| target.as_bytes().to_vec());
    assert_eq!(through(gate.envoy.address(), &upstream, &orders, role), orders);
    for closed in ["/v1/ledger", "/v1/ledger/2026"] {
        let spelt = spellings(closed).into_iter().map(|one| one.target);
        let targets: Vec<_> =
            spelt.chain(behind(&["/v1/orders", "/v1/orders/17/items"], closed)).collect();
        let reached = through(gate.envoy.address(), &upstream, &targets, role);
        assert_none_is(closed, &reached, "the role");
    }
}

#[test]
fn what_envoy_yaml_opens_is_open() {
    let upstream = Recorder::start();
    let gate = gate_for(Some(upstream.address), |_| ());
    let open = [
        "/health",
        "/health?deep=1",
        "/public/app.css",
        "/public/a/b-c/d_e.min.js?v=%2F",
        "/public/2026",
    ];
    let open = open.map(|target| target.as_bytes().to_vec());
    assert_eq!(through(gate.envoy.address(), &upstream, &open, None), open);
    let closed = ["/", "/public", "/public/", "/public/.x", "/public/a%20b", "/healthz", "/Health"];
    for target in closed {
        assert_eq!(gate.send(&get(target)).status, 403, "{target}");
    }
}

#[test]
fn no_spelling_reaches_what_the_policies_close_behind_the_envoy_filter() {
    let service = Service::start();
    for (overlay, workload) in [("sidecar", &SIDECAR), ("gateway", &GATEWAY)] {
        let upstream = Recorder::start();
        let to = Some(upstream.address);
        let gate = proxy_to(to, &service, &overlay_objects(overlay), workload, APPROVALS);
        assert_closed(overlay, gate.envoy.address(), &upstream, &[OPEN], 1000);
        gate.has_its_first_vms();
    }
}

/// A sidecar with policies and without breakglass, for a mesh whose `pathNormalization` is this.
fn without_breakglass(upstream: &Recorder, policies: &[Value], normalization: &Value) -> Envoy {
    let approvals = FakeApprovals::start();
    let mut configuration = SIDECAR.configuration(upstream.address, policies);
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let manager = configuration.pointer_mut(manager).unwrap().as_object_mut().unwrap();
    manager.extend(normalization.as_object().unwrap().clone());
    // The provider of CUSTOM authorization is down.
    let provider = cluster("ext-authz", json!({"pipe": {"path": "nobody.sock"}}));
    configuration["static_resources"]["clusters"].as_array_mut().unwrap().push(provider);
    let settings = Settings::new(None, upstream.address, approvals.address());
    Envoy::start_with(&configuration.to_string(), settings, TempDir::new().unwrap())
}

#[test]
fn no_spelling_reaches_what_the_policies_close_without_breakglass() {
    let (keep, decode) = ("KEEP_UNCHANGED", "UNESCAPE_AND_FORWARD");
    let policies = kustomization("envoy/istio/sidecar");
    let custom = objects("envoy/istio/ext-authz.yaml");
    for (what, normalize, merge, slashes) in [
        ("NONE", false, false, keep),
        ("BASE", true, false, keep),
        ("MERGE_SLASHES", true, true, keep),
        ("DECODE_AND_MERGE_SLASHES", true, true, decode),
    ] {
        let normalization = json!({"normalize_path": normalize, "merge_slashes": merge,
            "path_with_escaped_slashes_action": slashes});
        for (which, policies) in [("ALLOW", &policies), ("CUSTOM", &custom)] {
            let upstream = Recorder::start();
            let envoy = without_breakglass(&upstream, policies, &normalization);
            let what = format!("{which}, {what}");
            assert_closed(&what, envoy.address(), &upstream, &[OPEN], 400);
        }
    }
}
