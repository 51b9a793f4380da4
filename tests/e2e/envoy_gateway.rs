//! `envoy/gateway/` does what it says: what Envoy Gateway makes of the objects guards a route on a
//! real Envoy, without the reload of a failed VM that it cannot configure.
//!
//! What it makes is taken from `tests/fixtures/envoy-gateway`, which `scripts/platforms gateway` compares with
//! what Envoy Gateway itself generates.

use std::fs;
use std::path::Path;
use std::time::Duration;

use breakglass_tests::artefacts::{self, root};
use breakglass_tests::certificates::{Authority, replace};
use breakglass_tests::client::{get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::istio::{cluster, socket};
use breakglass_tests::manifests::objects;
use breakglass_tests::policy::{APPROVER, AUDIENCE, ISSUER};
use breakglass_tests::service::Service;
use breakglass_tests::service::proxy_token_sha256;
use breakglass_tests::wait::{during, until};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The listener, the routes and the cluster of the approval service, as Envoy Gateway generates them.
fn generated() -> Value {
    let path = root().join("tests/fixtures/envoy-gateway/generated.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The configuration in the shipped policy, for the tests' service.
fn configuration() -> Value {
    let mut policy = objects("envoy/gateway/envoyextensionpolicy.yaml").remove(0);
    let mut configuration = policy["spec"]["wasm"][0]["config"].take();
    configuration["issuers"][0]["issuer"] = json!(ISSUER);
    configuration["issuers"][0]["audiences"] = json!([AUDIENCE]);
    configuration
}

/// Where the connection manager is in the listener.
const MANAGER: &str = "/default_filter_chain/filters/0/typed_config";

fn gate(service: &Service) -> Gate {
    gate_with(Plan::asking(service), |_| ())
}

/// The generated configuration with the module from a file, on free ports, in front of the tests' API; and with one
/// route more, that of another Gateway on the same Envoy.
fn gate_with(plan: Plan, change: impl FnOnce(&mut Value)) -> Gate {
    gate_over(plan, None, change)
}

/// The same, with TLS to the approval service by what is in this folder in place of the proxies' Secret.
fn gate_over(plan: Plan, secret: Option<&Path>, change: impl FnOnce(&mut Value)) -> Gate {
    plan.start_with(|settings| {
        let mut generated = generated();
        let mut routes = generated["routes"].take();
        let listener = &mut generated["listener"];
        listener["address"] = socket("127.0.0.1:0".parse().unwrap());
        let manager = listener.pointer_mut(MANAGER).unwrap();
        assert_eq!(manager["path_with_escaped_slashes_action"], "KEEP_UNCHANGED");
        // The tests find requests by the ids that they choose.
        manager["preserve_external_request_id"] = json!(true);
        let log = &mut manager["access_log"][0]["typed_config"];
        log["path"] = json!("access.log");
        log["log_format"]["json_format"]["decision"] =
            json!("%FILTER_STATE(wasm.breakglass_decision:PLAIN)%");
        let wasm = &mut manager["http_filters"][0]["typed_config"]["config"];
        assert_eq!(wasm["root_id"], "breakglass", "the first filter is breakglass");
        let module =
            if settings.panicking { artefacts::panicking_filter() } else { artefacts::filter() };
        wasm["vm_config"]["code"] = json!({"local": {"filename": module}});
        wasm["configuration"]["value"] = json!(configuration().to_string());
        change(manager);
        let hosts = &mut routes["virtual_hosts"][0]["routes"];
        let guarded = hosts[0].clone();
        let upstream = guarded["route"]["cluster"].as_str().unwrap().to_owned();
        let mut other = guarded;
        other["name"] = json!("other");
        other["match"] = json!({"prefix": "/other/"});
        other.as_object_mut().unwrap().remove("typed_per_filter_config").unwrap();
        hosts.as_array_mut().unwrap().insert(0, other);
        routes.as_object_mut().unwrap().remove("@type");
        manager.as_object_mut().unwrap().remove("rds").unwrap();
        manager["route_config"] = routes;
        listener.as_object_mut().unwrap().remove("@type");
        // Of the listener's own, for connections without a route.
        listener.as_object_mut().unwrap().remove("access_log");
        let name = generated["approvals"]["name"].as_str().unwrap();
        let mut approvals = cluster(name, socket(settings.approvals));
        if let Some(secret) = secret {
            let socket = generated["approvals"]["transport_socket"].to_string();
            approvals["transport_socket"] =
                serde_json::from_str(&mounted(&socket, secret)).unwrap();
        }
        json!({
            "node": {"id": "payments", "cluster": "payments"},
            "admin": {"address": socket("127.0.0.1:0".parse().unwrap())},
            "static_resources": {
                "listeners": [generated["listener"]],
                "clusters": [cluster(&upstream, socket(settings.upstream)), approvals],
            },
        })
        .to_string()
    })
}

/// A text that names what a kubelet mounts into the proxies' pods, with this folder in place of it.
fn mounted(text: &str, secret: &Path) -> String {
    let here = |text: &str| {
        ["/breakglass/tls", "/breakglass/sds"]
            .iter()
            .fold(text.to_owned(), |text, path| text.replace(path, secret.to_str().unwrap()))
    };
    let shipped = objects("envoy/gateway/tls.yaml").remove(0);
    for (name, text) in shipped["data"].as_object().unwrap() {
        fs::write(secret.join(name), here(text.as_str().unwrap())).unwrap();
    }
    here(text)
}

#[test]
fn the_approval_service_is_reached_as_its_pods_serve_proxies() {
    const NAME: &str = "approvals.breakglass.svc.cluster.local";
    // By the right name and certificate; a service of another name; a proxy of another name.
    for (service_name, proxy, status) in
        [(NAME, "payments", 200), ("payments", "payments", 503), (NAME, "orders", 503)]
    {
        let (authority, files) = (Authority::new(), TempDir::new().unwrap());
        for name in ["ca.crt", "clients.crt"] {
            replace(&files.path().join(name), &authority.pem());
        }
        authority.server(&[service_name, "127.0.0.1"]).write(files.path(), "service");
        authority.identity(proxy).write(files.path(), "tls");
        let mut service = Service::start();
        let sha256 = proxy_token_sha256();
        service.secure(
            files.path(),
            &format!("[[proxies]]\nname = \"payments\"\ncertificate_san = \"payments\"\ntoken_sha256 = \"{sha256}\"\n"),
        );
        let plan = Plan::asking(&service).through(service.proxies_address());
        let gate = gate_over(plan, Some(files.path()), |_| ());
        let (_, token) = service.grant(&["orders:read"], "10m");
        let order = || gate.send(&get("/v1/orders/17").token(&token));
        if status == 200 {
            until("the keys", || (order().status == 200).then_some(()));
        }
        during(Duration::from_secs(2), || {
            let answer = order();
            assert_eq!(answer.status, status, "{service_name}, {proxy}: {answer:?}");
        });
    }
}

#[test]
fn breakglass_is_first() {
    let filters = generated()["listener"].pointer(MANAGER).unwrap()["http_filters"].clone();
    let names: Vec<&str> =
        filters.as_array().unwrap().iter().map(|filter| filter["name"].as_str().unwrap()).collect();
    assert!(names[0].starts_with("envoy.filters.http.wasm/"), "{names:?}");
    assert_eq!(names[1..], ["envoy.filters.http.router"]);
}

#[test]
fn the_story_behind_envoy_gateway() {
    let service = Service::start();
    let gate = gate(&service);
    gate.passes(&get("/v1/orders/17"));
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let order = || get("/v1/orders/17").token(&token);
    let allowed = gate.allows(&order());
    assert_eq!(allowed.seen.header("x-breakglass-grant"), Some(&*grant));
    gate.refuses(&request("POST", "/v1/orders").token(&token), 403, "out_of_scope");
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "orders flow again"]);
    assert_eq!(revoked.done(), "revoked");
    until("the revocation", || (gate.send(&order()).status == 401).then_some(()));
    gate.refuses(&order(), 401, "revoked");
    gate.has_its_first_vms();
}

#[test]
fn a_route_that_the_policy_does_not_name_is_not_guarded() {
    let service = Service::start();
    let gate = gate(&service);
    // Neither refused nor cleaned: whoever believes the header there believes the client.
    let request = get("/other/admin").header("x-breakglass-grant", "grant_forged");
    assert_eq!(gate.send(&request).status, 200);
    let seen = gate.upstream.saw(&request.id).unwrap();
    assert_eq!(seen.header("x-breakglass-grant"), Some("grant_forged"));
}

#[test]
fn an_encoded_slash_stays_one_where_envoy_gateway_would_redirect() {
    let service = Service::start();
    let purge = request("DELETE", "/api/queues/%2F/orders/contents");
    assert_eq!(gate(&service).passes(&purge).seen.path, "/api/queues/%2F/orders/contents");
    let redirecting = gate_with(Plan::asking(&service), |manager| {
        manager["path_with_escaped_slashes_action"] = json!("UNESCAPE_AND_REDIRECT");
    });
    let answer = redirecting.send(&purge);
    assert_eq!(answer.status, 307);
    assert!(answer.header("location").unwrap().ends_with("/api/queues/orders/contents"));
}

#[test]
fn what_is_protected_is_whatever_the_route_is() {
    let service = Service::start();
    let gate = gate(&service);
    for path in ["/admin%2fusers", "/x/..%2fadmin/users", "/ADMIN/users", "//admin/users"] {
        assert_eq!(gate.send(&get(path)).status, 401, "{path}");
    }
    // A route that is open by its beginning is open for what the upstream makes of the rest.
    let through = get("/other/..%2fadmin/users");
    assert_eq!(gate.send(&through).status, 200);
    assert_eq!(gate.upstream.saw(&through.id).unwrap().path, "/other/..%2fadmin/users");
}

#[test]
fn a_vm_that_failed_refuses_its_worker_until_the_option_reloads_it() {
    let panics = || get("/v1/orders").header("x-panic-on-purpose", "request");
    for reloads in [false, true] {
        let service = Service::start();
        let gate = gate_with(Plan::asking(&service).panicking(), |manager| {
            if reloads {
                // What envoy/gateway/options/envoypatchpolicy.yaml adds.
                let wasm = &mut manager["http_filters"][0]["typed_config"]["config"];
                wasm["failure_policy"] = json!("FAIL_RELOAD");
            }
        });
        assert_eq!(gate.send(&get("/v1/orders")).status, 200);
        assert_eq!(gate.send(&panics()).status, 503);
        if reloads {
            until("another VM", || (gate.send(&get("/v1/orders")).status == 200).then_some(()));
            assert_eq!(gate.send(&get("/admin/users")).status, 401);
        } else {
            during(Duration::from_secs(3), || {
                let request = get("/v1/orders");
                assert_eq!(gate.send(&request).status, 503);
                assert!(gate.envoy.record(&request.id).details().contains("wasm_fail_stream"));
                std::thread::sleep(Duration::from_millis(100));
            });
        }
    }
}

#[test]
fn a_vm_that_failed_lets_everything_pass_where_the_policy_says_fail_open() {
    let service = Service::start();
    let policy = objects("envoy/gateway/envoyextensionpolicy.yaml").remove(0);
    assert_eq!(policy["spec"]["wasm"][0]["failOpen"], false);
    let gate = gate_with(Plan::asking(&service).panicking(), |manager| {
        manager["http_filters"][0]["typed_config"]["config"]["fail_open"] = json!(true);
    });
    assert_eq!(gate.send(&get("/admin/users")).status, 401);
    let _ = gate.send(&get("/v1/orders").header("x-panic-on-purpose", "request"));
    until("an open door", || (gate.send(&get("/admin/users")).status == 200).then_some(()));
}
