//! `envoy/gateway/` does what it says: what Envoy Gateway makes of the objects guards a route on a
//! real Envoy, without the reload of a failed VM that it cannot configure.

use breakglass_tests::artefacts;
use breakglass_tests::client::{get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::istio::{cluster, filter, socket};
use breakglass_tests::manifests::objects;
use breakglass_tests::policy::{APPROVER, AUDIENCE, ISSUER};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

/// The order in which Envoy Gateway puts filters by itself, as far as it matters here.
const ORDER: [&str; 6] = ["health_check", "cors", "ext_authz", "jwt_authn", "wasm", "rbac"];

/// What Envoy Gateway calls the one extension of the policy.
const EXTENSION: &str = "envoyextensionpolicy/payments/breakglass/wasm/0";

/// The filters in Envoy Gateway's order, after the moves that an EnvoyProxy asks for.
fn order(proxy: &Value) -> Vec<String> {
    let mut names = ORDER.map(|name| format!("envoy.filters.http.{name}")).to_vec();
    for wanted in proxy["spec"]["filterOrder"].as_array().unwrap() {
        let at = |names: &[String], name: &Value| names.iter().position(|one| name == one).unwrap();
        let moved = names.remove(at(&names, &wanted["name"]));
        let place = match (wanted.get("before"), wanted.get("after")) {
            (Some(name), None) => at(&names, name),
            (None, Some(name)) => at(&names, name) + 1,
            _ => panic!("{wanted} says before or after"),
        };
        names.insert(place, moved);
    }
    names
}

/// The Wasm filter that Envoy Gateway makes: fetched code, its own VM id, no failure policy.
fn wasm(extension: &Value) -> Value {
    let mut configuration = extension["config"].clone();
    configuration["issuers"][0]["issuer"] = json!(ISSUER);
    configuration["issuers"][0]["audiences"] = json!([AUDIENCE]);
    json!({"config": {
        "name": extension["name"],
        "root_id": extension["rootID"],
        "fail_open": extension["failOpen"],
        "vm_config": {
            "vm_id": EXTENSION,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": artefacts::filter()}},
            "environment_variables": {"host_env_keys": extension["env"]["hostKeys"]},
        },
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": configuration.to_string()},
    }})
}

/// What Envoy Gateway makes of the ClientTrafficPolicy: paths are normalised always, slashes merged unless
/// it says otherwise, and encoded ones redirect unless it says otherwise.
fn paths(manager: &mut Value, policy: &Value) {
    let path = &policy["spec"]["path"];
    manager["normalize_path"] = json!(true);
    manager["merge_slashes"] = json!(path["disableMergeSlashes"] != true);
    manager["path_with_escaped_slashes_action"] = match path["escapedSlashesAction"].as_str() {
        Some("KeepUnchanged") => json!("KEEP_UNCHANGED"),
        Some("RejectRequest") => json!("REJECT_REQUEST"),
        Some("UnescapeAndForward") => json!("UNESCAPE_AND_FORWARD"),
        None | Some("UnescapeAndRedirect") => json!("UNESCAPE_AND_REDIRECT"),
        other => panic!("{other:?} is not understood here"),
    };
}

fn gate(service: &Service) -> Gate {
    let policy = objects("envoy/gateway/clienttrafficpolicy.yaml").remove(0);
    gate_with(service, &policy)
}

fn gate_with(service: &Service, clients: &Value) -> Gate {
    let proxy = objects("envoy/gateway/envoyproxy.yaml").remove(0);
    let policy = objects("envoy/gateway/envoyextensionpolicy.yaml").remove(0);
    Plan::asking(service).start_with(|settings| {
        let name = format!("envoy.filters.http.wasm/{EXTENSION}");
        let filters = order(&proxy).into_iter().filter_map(|kind| {
            (kind == "envoy.filters.http.wasm").then(|| {
                let kind = "envoy.extensions.filters.http.wasm.v3.Wasm";
                let mut made = filter(&name, kind, wasm(&policy["spec"]["wasm"][0]));
                // In the chain of every listener, and in force on the routes of the target.
                made["disabled"] = json!(true);
                made
            })
        });
        let router = filter("router", "envoy.extensions.filters.http.router.v3.Router", json!({}));
        let on = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
            "config": {}});
        let route = json!({"name": "orders", "match": {"prefix": "/"},
            "route": {"cluster": "upstream"},
            "typed_per_filter_config": {&*name: on}});
        let off = json!({"name": "other", "match": {"prefix": "/other/"},
            "route": {"cluster": "upstream"}});
        let format = json!({
            "request_id": "%REQ(X-REQUEST-ID)%",
            "decision": "%FILTER_STATE(wasm.breakglass_decision:PLAIN)%",
        });
        let mut log =
            proxy["spec"]["telemetry"]["accessLog"]["settings"][0]["format"]["json"].clone();
        log.as_object_mut().unwrap().extend(format.as_object().unwrap().clone());
        let kind = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
        let log = json!({"path": "access.log", "log_format": {"json_format": log}});
        let mut manager = json!({
            "stat_prefix": "http-10080",
            "preserve_external_request_id": true,
            "http_filters": filters.chain([router]).collect::<Vec<_>>(),
            "access_log": [filter("file", kind, log)],
            "route_config": {"name": "payments/http", "virtual_hosts":
                [{"name": "all", "domains": ["*"], "routes": [off, route]}]},
        });
        paths(&mut manager, clients);
        let kind =
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
        let manager = filter("envoy.filters.network.http_connection_manager", kind, manager);
        // The cluster of the bootstrap: the approval service, here without its TLS.
        let added = &proxy["spec"]["bootstrap"]["jsonPatches"][0];
        assert_eq!(added["path"], "/static_resources/clusters/-");
        let approvals =
            cluster(added["value"]["name"].as_str().unwrap(), socket(settings.approvals));
        json!({
            "node": {"id": "payments", "cluster": "payments"},
            "admin": {"address": socket("127.0.0.1:0".parse().unwrap())},
            "static_resources": {
                "listeners": [{"name": "payments/http",
                    "address": socket("127.0.0.1:0".parse().unwrap()),
                    "filter_chains": [{"filters": [manager]}]}],
                "clusters": [cluster("upstream", socket(settings.upstream)), approvals],
            },
        })
        .to_string()
    })
}

#[test]
fn breakglass_is_first() {
    let proxy = objects("envoy/gateway/envoyproxy.yaml").remove(0);
    assert_eq!(order(&proxy)[0], "envoy.filters.http.wasm");
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
    let redirecting = gate_with(&service, &json!({"spec": {}}));
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
