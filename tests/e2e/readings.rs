//! Spellings of what is protected, on a real Envoy: with its own normalisation off, as in a mesh, and with
//! that of the shipped files. The tables are in the core's tests (`crates/core/tests/core/readings`).

use std::path::Path;

use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

/// A gate with these rules, as `protected` and as `ceiling`, and a scope that covers everything.
fn gate(rules: &Value, manager: &Value) -> Gate {
    let plan = Plan::standard()
        .set("/protected", rules.clone())
        .set("/ceiling", rules.clone())
        .set("/scopes", json!([{"name": "all", "methods": ["GET"], "paths": ["/", "/**"]}]));
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new(""));
        let pointer = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let config = bootstrap.pointer_mut(pointer).unwrap();
        for (field, value) in manager.as_object().unwrap() {
            config[field] = value.clone();
        }
        bootstrap.to_string()
    })
}

/// Envoy's defaults, and Istio's.
fn untouched() -> Value {
    json!({"normalize_path": false, "merge_slashes": false,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED"})
}

/// What the shipped files have had.
fn redirecting() -> Value {
    json!({"normalize_path": true, "merge_slashes": true,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT"})
}

fn assert_covered(gate: &Gate, paths: &[&str]) {
    let token = gate.mint().scope("all").sign();
    for path in paths {
        gate.refuses(&get(*path), 401, "token_missing");
        gate.refuses(&get(*path).token(&token), 403, "ceiling");
    }
    gate.passes(&get("/pub/x"));
    gate.allows(&get("/pub/x").token(&token));
}

#[test]
fn a_path_that_a_url_parser_reads_is_no_way_around() {
    let gate = gate(&json!([{"paths": ["/admin/**"]}]), &untouched());
    assert_covered(&gate, &["//u@x:80/admin/x", "/%5cx/admin/x", "//x\\admin\\x"]);
    // Merged, the same is another path.
    let merging = json!({"normalize_path": true, "merge_slashes": true});
    let merged = self::gate(&json!([{"paths": ["/admin/**"]}]), &merging);
    let passed = merged.passes(&get("//x/admin/x"));
    assert_eq!(passed.seen.path, "/x/admin/x");
}

#[test]
fn a_server_that_decodes_some_escapes_only_is_no_way_around() {
    let rules = json!([{"paths": ["/admin/{id}", "/v1/{a}/keys", "/@me/{id}"]}]);
    assert_covered(
        &gate(&rules, &untouched()),
        &["/v1/grp%2fproj/key%73", "/%61dmin/a%u002fb", "/%40me/%c0%af"],
    );
    // What Envoy has decoded itself is judged as it goes on.
    assert_covered(&gate(&rules, &redirecting()), &["/%40me/%c0%af", "/admin/%c0%af"]);
}

#[test]
fn an_extension_or_a_name_that_is_cleaned_is_no_way_around() {
    let rules = json!([{"paths": ["/hidden/**", "/admin/users"]}]);
    let paths = ["/admin/users.json", "/hidden./-rev/x", "/hid%2aden", "/hidden%20"];
    assert_covered(&gate(&rules, &untouched()), &paths);
    assert_covered(&gate(&rules, &redirecting()), &paths);
}

#[test]
fn a_path_with_too_many_readings_counts_as_every_path() {
    let odd = "/%2e%2e%2f%5c%3b%3f%23%252f%25%32%66;a%u002f%c0%af..%20*:%ff%ef%bc%8f//@(s(x))";
    let path = odd.repeat(2);
    let gate = gate(&json!([{"paths": ["/admin"]}]), &untouched());
    gate.refuses(&get(&path), 401, "token_missing");
    let token = gate.mint().scope("all").sign();
    gate.refuses(&get(&path).token(&token), 400, "ambiguous_path");
    gate.has_its_first_vms();
}

#[test]
fn a_header_that_names_another_path_or_host_is_no_way_around() {
    let rules = json!([{"paths": ["/admin/**"]}, {"hosts": ["secret.internal"]}]);
    let gate = gate(&rules, &untouched());
    let token = gate.mint().scope("all").sign();
    for name in ["X-Rewrite-URL", "x_original_url"] {
        let named = |path: &str| get("/pub/x").header(name, path);
        gate.refuses(&named("/pub").header(name, "/%61dmin/x"), 401, "token_missing");
        gate.refuses(&named("/admin/x").token(&token), 403, "ceiling");
        let refused = gate.refuses(&named("/pub").token(&token), 400, "second_resource");
        let detail = refused.answer.json()["detail"].to_string();
        let wanted = name.to_lowercase().replace('_', "-");
        assert!(detail.contains(&wanted), "{detail}");
        gate.passes(&named("/pub"));
    }
    let secret = "for=192.0.2.1;host=\"secret.internal:443\";proto=https";
    gate.refuses(&get("/pub/x").header("forwarded", secret), 401, "token_missing");
    gate.refuses(
        &get("/pub/x").header("x-forwarded-prefix", "/admin").token(&token),
        403,
        "ceiling",
    );
    let ordinary = get("/pub/x").header("x-forwarded-host", "orders.example").token(&token);
    gate.allows(&ordinary.header("forwarded", "for=192.0.2.1;host=orders.internal"));
}
