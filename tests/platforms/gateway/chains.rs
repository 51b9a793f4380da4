//! Breakglass stands first in every chain that Envoy Gateway makes, whatever else is in it.

use breakglass_tests::client::{get, request};
use breakglass_tests::upstream::Upstream;
use serde_json::{Value, json};

use crate::control::EnvoyGateway;
use crate::objects::{
    all_served, all_shipped, backend, class, gateway, object, policy, route, shipped, to_backend,
};
use crate::world::{secret, world};

/// Whether a filter is that of a policy of this name. Between the type and the namespace there is the policy's kind,
/// which the standalone server leaves out.
pub(crate) fn is_of(filter: &str, policy: &str) -> bool {
    filter.starts_with("envoy.filters.http.wasm/")
        && filter.ends_with(&format!("/payments/{policy}/wasm/0"))
}

/// The key set of an identity provider that nobody here signs with.
fn keys() -> String {
    json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "x", "alg": "ES256", "use": "sig",
        "x": "jI5F2CcqMuhywK5076boVDCf_g_xGM4QjKVoFT4sJLY",
        "y": "HxUqFOscc0z47gDtQvKsMA3e3ET9rgSSS3i7zn8rQ5k"}]})
    .to_string()
}

/// A SecurityPolicy's parts, by the filter that each of them makes.
fn security() -> Vec<(&'static str, &'static str, Value)> {
    let jwt = json!({"providers": [{"name": "idp", "issuer": "https://idp.internal",
        "localJWKS": {"type": "Inline", "inline": keys()}}]});
    let secret = |name: &str| json!({"name": name});
    vec![
        ("ext-authz", "ext_authz", json!({"extAuth": {"http": {"backendRefs": to_backend()}}})),
        ("jwt", "jwt_authn", json!({"jwt": jwt})),
        ("basic", "basic_auth", json!({"basicAuth": {"users": secret("users")}})),
        (
            "api-key",
            "api_key_auth",
            json!({"apiKeyAuth": {"credentialRefs": [secret("keys")],
                "extractFrom": [{"headers": ["x-api-key"]}]}}),
        ),
        (
            "oidc",
            "oauth2",
            json!({"oidc": {"provider": {"issuer": "https://idp.internal",
                    "authorizationEndpoint": "https://idp.internal/authorize",
                    "tokenEndpoint": "https://idp.internal/token"},
                "clientID": "breakglass", "clientSecret": secret("client"),
                "redirectURL": "https://payments.example/callback", "logoutPath": "/logout"}}),
        ),
        ("cors", "cors", json!({"cors": {"allowOrigins": ["https://console.example"]}})),
        ("csrf", "csrf", json!({"csrf": {"additionalOrigins": ["https://console.example"]}})),
        (
            "authorization",
            "rbac",
            json!({"authorization": {"defaultAction": "Deny", "rules": [{"action": "Allow",
                "principal": {"clientCIDRs": ["10.0.0.0/8"]}}]}}),
        ),
    ]
}

/// A BackendTrafficPolicy's parts, by the filter that each of them makes.
fn traffic() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "fault",
            "fault",
            json!({"faultInjection": {"delay": {"fixedDelay": "1ms", "percentage": 1}}}),
        ),
        (
            "override",
            "custom_response",
            json!({"responseOverride": [{"match": {"statusCodes": [{"type": "Value", "value": 401}]},
                "response": {"contentType": "text/plain",
                    "body": {"type": "Inline", "inline": "overridden"}}}]}),
        ),
        ("buffer", "buffer", json!({"requestBuffer": {"limit": "1Mi"}})),
        (
            "limit",
            "local_ratelimit",
            json!({"rateLimit": {"type": "Local",
                "local": {"rules": [{"limit": {"requests": 10000, "unit": "Hour"}}]}}}),
        ),
        ("compressor", "compressor", json!({"compressor": [{"type": "Gzip", "gzip": {}}]})),
    ]
}

/// A ClientTrafficPolicy's parts: of a listener, so these take the place of the shipped one there.
fn client() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("health", "health_check", json!({"healthCheck": {"path": "/healthz"}})),
        (
            "headers",
            "header_mutation",
            json!({"headers": {"lateResponseHeaders": {"remove": ["server"]}}}),
        ),
    ]
}

fn opaque(name: &str, key: &str, value: &str) -> Value {
    let mut made = secret("payments", name, &[(key, value.as_bytes().to_vec())]);
    made["type"] = json!("Opaque");
    made
}

/// A route that has lua and ext_proc from the same policy as breakglass.
fn with_extensions() -> Value {
    let mut policy = shipped("envoyextensionpolicy.yaml").remove(0);
    policy["metadata"]["name"] = json!("extensions");
    policy["spec"]["targetRefs"] = json!([crate::objects::to_route("extensions")]);
    policy["spec"]["lua"] =
        json!([{"type": "Inline", "inline": "function envoy_on_request(handle) end"}]);
    policy["spec"]["extProc"] = json!([{"backendRefs": to_backend()}]);
    policy
}

/// Every filter that has a place before Wasm in Envoy Gateway's own order, and that this one has not.
const BEFORE_WASM: [&str; 15] = [
    "custom_response",
    "health_check",
    "fault",
    "cors",
    "csrf",
    "header_mutation",
    "ext_authz",
    "api_key_auth",
    "basic_auth",
    "oauth2",
    "jwt_authn",
    "stateful_session",
    "buffer",
    "lua",
    "ext_proc",
];

#[test]
fn the_shipped_order_names_every_filter_that_stands_before_wasm_the_last_one_first() {
    let proxy = shipped("envoyproxy.yaml").remove(0);
    let order = proxy["spec"]["filterOrder"].as_array().unwrap();
    let anchors: Vec<&str> = order.iter().map(|one| one["before"].as_str().unwrap()).collect();
    let expected: Vec<String> =
        BEFORE_WASM.iter().rev().map(|name| format!("envoy.filters.http.{name}")).collect();
    assert_eq!(anchors, expected);
    assert!(order.iter().all(|one| one["name"] == "envoy.filters.http.wasm"));
}

#[test]
fn breakglass_is_first_in_every_chain() {
    let upstream = Upstream::start();
    let mut objects = all_shipped();
    let mut listeners = vec![("plain".to_owned(), None)];
    objects.push(route("payments", "plain", "plain"));
    let parts = [
        ("SecurityPolicy", security()),
        ("BackendTrafficPolicy", traffic()),
        ("ClientTrafficPolicy", client()),
    ];
    let mut all_security = json!({});
    for (kind, parts) in parts {
        for (name, filter, spec) in parts {
            objects.push(route("payments", name, name));
            if kind == "ClientTrafficPolicy" {
                let mut spec = spec;
                let mut target = crate::objects::to_gateway("payments");
                target["sectionName"] = json!(name);
                spec["targetRefs"] = json!([target]);
                spec["path"] = json!({"escapedSlashesAction": "KeepUnchanged"});
                objects.push(object(kind, "payments", name, spec));
            } else {
                if kind == "SecurityPolicy" {
                    all_security.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
                }
                objects.push(policy(kind, "payments", name, spec));
            }
            listeners.push((name.to_owned(), Some(filter)));
        }
    }
    objects.push(route("payments", "all", "all"));
    objects.push(policy("SecurityPolicy", "payments", "all", all_security));
    listeners.push(("all".to_owned(), None));
    let mut sticky = route("payments", "sticky", "sticky");
    sticky["spec"]["rules"][0]["sessionPersistence"] =
        json!({"sessionName": "s", "type": "Cookie"});
    objects.push(sticky);
    listeners.push(("sticky".to_owned(), Some("stateful_session")));
    objects.extend([route("payments", "extensions", "extensions"), with_extensions()]);
    listeners.push(("extensions".to_owned(), Some("lua")));
    let mut calls = route("payments", "calls", "calls");
    calls["kind"] = json!("GRPCRoute");
    calls["spec"]["rules"][0]["matches"] = json!([{"method": {"service": "test.Orders"}}]);
    objects.push(calls);
    listeners.push(("calls".to_owned(), None));
    objects.extend([
        opaque("users", ".htpasswd", "alice:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=\n"),
        opaque("keys", "alice", "key"),
        opaque("client", "client-secret", "secret"),
        backend("payments", upstream.address()),
        class(),
    ]);
    let mut hmac = opaque("envoy-oidc-hmac", "hmac-secret", &"k".repeat(32));
    hmac["metadata"]["namespace"] = json!("envoy-gateway-system");
    objects.push(hmac);
    // A listener with TLS and HTTP/3, at a port that the approval service does not have.
    let (certificate, key) = world().authority.identity("payments.example").pem();
    objects.push(secret(
        "payments",
        "tls",
        &[("tls.crt", certificate.into_bytes()), ("tls.key", key.into_bytes())],
    ));
    let ports: Vec<(&str, u16)> =
        listeners.iter().zip(8100..).map(|((name, _), port)| (&**name, port)).collect();
    let mut entry = gateway(&ports);
    entry["spec"]["listeners"].as_array_mut().unwrap().push(json!({"name": "http3",
        "protocol": "HTTPS", "port": 8543, "allowedRoutes": {"namespaces": {"from": "All"}},
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "tls"}]}}));
    objects.extend([route("payments", "http3", "http3"), entry]);
    let mut http3 = crate::objects::to_gateway("payments");
    http3["sectionName"] = json!("http3");
    objects.push(object("ClientTrafficPolicy", "payments", "http3",
        json!({"targetRefs": [http3], "http3": {}, "path": {"escapedSlashesAction": "KeepUnchanged"}})));

    let control = EnvoyGateway::start(objects);
    control.answers(8100, &get("/admin/x"), 401);
    let mut seen = std::collections::BTreeSet::new();
    for ((listener, filter), port) in listeners.iter().zip(8100..) {
        let chains = control.chains(&format!("payments/payments/{listener}"));
        assert!(!chains.is_empty(), "{listener} on {port} has no chain");
        for chain in &chains {
            println!("{listener}: {}", chain.join(" "));
            let ours = if listener == "extensions" { "extensions" } else { "breakglass" };
            assert!(is_of(&chain[0], ours), "{listener}: {chain:?}");
            let wanted = filter.map(|filter| format!("envoy.filters.http.{filter}"));
            let has = |wanted: &String| chain.iter().any(|name| name.starts_with(wanted));
            assert!(wanted.as_ref().is_none_or(has), "{listener}: {wanted:?} in {chain:?}");
            seen.extend(chain.iter().filter_map(|name| name.split('/').next().map(str::to_owned)));
        }
        // What is protected is refused before anything else judges it.
        if listener != "calls" {
            let request = get("/admin/x").header("x-breakglass-grant", "grant_forged");
            let answer = control.send(port, &request);
            assert_eq!(answer.status, 401, "{listener}");
            if listener == "override" {
                // The status stays; the form of the refusal does not.
                assert_eq!(answer.body, b"overridden");
            } else {
                assert_eq!(answer.json()["reason"], "token_missing", "{listener}");
            }
        }
    }
    for filter in BEFORE_WASM {
        assert!(seen.contains(&format!("envoy.filters.http.{filter}")), "{filter} is in no chain");
    }
    for listener in ["payments/payments/http3", "payments/payments/http3-quic"] {
        let chains = control.chains(listener);
        assert!(!chains.is_empty(), "{listener}");
        for chain in chains {
            println!("{listener}: {}", chain.join(" "));
            assert!(is_of(&chain[0], "breakglass"), "{listener}: {chain:?}");
        }
    }
    // The counters have their labels.
    let line =
        r#"breakglass_decision{breakglass_decision="deny",breakglass_reason="token_missing"}"#;
    control.until("the labels", || {
        let page = control.admin("payments/payments/plain", "/stats/prometheus")?.body;
        String::from_utf8_lossy(&page).contains(line).then_some(())
    });
    // A preflight is refused where the path is protected: `cors` stands behind.
    let preflight = request("OPTIONS", "/admin/x")
        .header("origin", "https://console.example")
        .header("access-control-request-method", "GET");
    let port = |wanted: &str| {
        let at = listeners.iter().position(|(name, _)| name == wanted).unwrap();
        8100 + u16::try_from(at).unwrap()
    };
    assert_eq!(control.send(port("cors"), &preflight).status, 401);
    assert_eq!(control.send(port("health"), &get("/healthz")).status, 200);
}

#[test]
fn without_the_line_of_cors_preflights_are_answered_before_breakglass() {
    let upstream = Upstream::start();
    let mut objects = all_shipped();
    for object in &mut objects {
        if let Some(order) = object.pointer_mut("/spec/filterOrder") {
            let order = order.as_array_mut().unwrap();
            let before = order.len();
            order.retain(|one| one["before"] != "envoy.filters.http.cors");
            assert_eq!(order.len() + 1, before);
        }
    }
    let (_, _, cors) = security().into_iter().find(|(name, _, _)| *name == "cors").unwrap();
    let (_, _, ext_authz) = security().into_iter().next().unwrap();
    let mut both = cors;
    both.as_object_mut().unwrap().extend(ext_authz.as_object().unwrap().clone());
    objects.extend([
        class(),
        gateway(&[("http", 8080)]),
        route("payments", "api", "http"),
        policy("SecurityPolicy", "payments", "api", both),
        backend("payments", upstream.address()),
    ]);
    let control = EnvoyGateway::start(objects);
    control.answers(8080, &get("/admin/x"), 401);
    let chain = control.chains("payments/payments/http").remove(0);
    println!("{}", chain.join(" "));
    assert!(chain[0] == "envoy.filters.http.cors" && is_of(&chain[1], "breakglass"), "{chain:?}");
    let preflight = request("OPTIONS", "/admin/x")
        .header("origin", "https://console.example")
        .header("access-control-request-method", "GET");
    let answer = control.send(8080, &preflight);
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, Some("https://console.example"))
    );
}

#[test]
fn with_the_line_of_health_check_deny_refuses_health_checks_too_and_without_it_not() {
    let upstream = Upstream::start();
    for (line, status) in [(true, 401), (false, 200)] {
        let mut objects = all_served(upstream.address());
        for object in &mut objects {
            match object["kind"].as_str().unwrap() {
                "EnvoyExtensionPolicy" => {
                    object["spec"]["wasm"][0]["config"]["unauthenticated"] = json!("deny");
                }
                "EnvoyProxy" if !line => {
                    let order = object["spec"]["filterOrder"].as_array_mut().unwrap();
                    order.retain(|one| one["before"] != "envoy.filters.http.health_check");
                }
                "ClientTrafficPolicy" => {
                    object["spec"]["healthCheck"] = json!({"path": "/healthz"});
                }
                _ => {}
            }
        }
        let control = EnvoyGateway::start(objects);
        control.answers(8080, &get("/v1/orders"), 401);
        assert_eq!(control.send(8080, &get("/healthz")).status, status, "{line}");
    }
}
