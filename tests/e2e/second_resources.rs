//! Requests that name a second resource in a header or in the query, on a real Envoy: S3's and Azure's copies,
//! WebDAV's destinations, a registry's mounts, Vault's namespaces and logins. The tables are in the core's tests
//! (`crates/core/tests/core/second_resources`).

use breakglass_tests::client::{Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

/// A gate with these paths as `protected` and as `ceiling`, and a scope that covers everything.
fn gate(paths: &[&str], changes: &[(&str, Value)]) -> Gate {
    let rules = json!([{"paths": paths}]);
    let methods = json!(["GET", "PUT", "POST", "COPY", "MOVE"]);
    let all = json!([{"name": "all", "methods": methods, "paths": ["/", "/**"]}]);
    let plan = Plan::standard()
        .set("/protected", rules.clone())
        .set("/ceiling", rules)
        .set("/scopes", all);
    changes.iter().fold(plan, |plan, (field, value)| plan.set(field, value.clone())).start()
}

/// What names a resource that is protected.
fn assert_covered(gate: &Gate, named: impl Fn() -> Request) {
    let token = gate.mint().scope("all").sign();
    gate.refuses(&named(), 401, "token_missing");
    gate.refuses(&named().token(&token), 403, "ceiling");
}

/// What names another one: it passes without a token, and is refused under one, with its name.
fn assert_second(gate: &Gate, name: &str, named: impl Fn() -> Request) {
    let token = gate.mint().scope("all").sign();
    gate.passes(&named());
    let refused = gate.refuses(&named().token(&token), 400, "second_resource");
    let detail = refused.answer.json()["detail"].to_string();
    assert!(detail.contains(&format!("`{name}`")), "{detail}");
}

#[test]
fn the_source_of_a_copy_is_no_way_around() {
    let gate = gate(&["/secret/**"], &[]);
    let copy = |name: &str, source: &str| request("PUT", "/pub/loot").header(name, source);
    for (name, source) in [
        ("X-Amz-Copy-Source", "/secret/s.txt?versionId=1"),
        ("x_amz_copy_source", "secret%2Fs.txt"),
        ("x-ms-copy-source", "https://account.blob.example/secret/s.txt?sv=1&sig=a%2Fb"),
    ] {
        assert_covered(&gate, || copy(name, source));
    }
    assert_covered(&gate, || {
        copy("x-amz-copy-source", "pub/x").header("x-amz-copy-source", "secret/x")
    });
    assert_second(&gate, "x-amz-copy-source", || copy("x-amz-copy-source", "pub/x"));
    let token = gate.mint().scope("all").sign();
    gate.allows(&request("PUT", "/pub/loot").token(&token));
    gate.has_its_first_vms();
}

#[test]
fn a_destination_is_no_way_around() {
    let gate = gate(&["/dav/secret/**"], &[]);
    let moved = |to: &str| request("MOVE", "/dav/pub/x").header("destination", to);
    for to in ["http://orders.internal/dav/secret/planted", "../secret/planted"] {
        assert_covered(&gate, || moved(to));
    }
    assert_second(&gate, "destination", || moved("http://orders.internal/dav/pub/y"));
}

#[test]
fn a_mount_is_no_way_around() {
    let gate = gate(&["/v2/secret/app/**"], &[]);
    let upload = |query: &str| request("POST", format!("/v2/loot/x/blobs/uploads/?{query}"));
    for query in ["from=secret%2Fapp&mount=sha256%3Aabc", "a=1;%66rom=secret/app;Mount=1"] {
        assert_covered(&gate, || upload(query));
    }
    assert_second(&gate, "from", || upload("mount=sha256:abc&from=pub/app"));
    let token = gate.mint().scope("all").sign();
    gate.passes(&upload("from=secret/app"));
    gate.allows(&upload("from=secret/app").token(&token));
}

#[test]
fn a_namespace_and_a_login_are_no_way_around() {
    let gate = gate(&["/v1/team/secret/**", "/v1/auth/{mount}/login/**"], &[]);
    assert_covered(&gate, || get("/v1/secret/x").header("X-Vault-Namespace", "team"));
    assert_covered(&gate, || {
        get("/v1/pub/x").header("x-vault-inline-auth-path", "auth/userpass/login/bob")
    });
    assert_second(&gate, "x-vault-namespace", || {
        get("/v1/secret/x").header("X-Vault-Namespace", "other")
    });
    assert_second(&gate, "x-vault-inline-auth-path", || {
        get("/v1/pub/x").header("x-vault-inline-auth-path", "auth/cert/me")
    });
}

#[test]
fn a_configuration_adds_to_what_counts_and_takes_away() {
    let gate = gate(
        &["/secret/**"],
        &[
            ("/path_headers", json!(["x-tenant"])),
            ("/path_parameters", json!([{"name": "index"}])),
            ("/harmless_second_resources", json!(["destination", "?from"])),
        ],
    );
    assert_covered(&gate, || get("/pub").header("x-tenant", "secret"));
    assert_covered(&gate, || get("/_search?index=pub,secret"));
    assert_second(&gate, "x-tenant", || get("/pub").header("x-tenant", "pub"));
    let token = gate.mint().scope("all").sign();
    gate.allows(&get("/pub").header("destination", "/secret/x").token(&token));
    gate.allows(&get("/pub?from=secret&mount=1").token(&token));
    gate.has_its_first_vms();
}
