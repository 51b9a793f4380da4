//! verdaccio, an npm registry, which cleans names of files before it looks for them, and npm as its client.

use std::path::Path;

use breakglass_tests::applications::Application;
use breakglass_tests::applications::verdaccio::{Npm, publish, start};
use breakglass_tests::client::{Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

use super::{MARKER, OPEN, assert_hidden, contains, passed, permitted, plan, without_rules};

/// A registry with a hidden package and an open one.
fn registry() -> Application {
    let registry = start();
    publish(&registry, "hidden", MARKER, MARKER.as_bytes());
    publish(&registry, "open", OPEN, OPEN.as_bytes());
    registry
}

/// Where verdaccio shows what is in a package, beside the package's own path.
const SECOND_NAMES: [&str; 4] = [
    "/-/verdaccio/data/sidebar/hidden",
    "/-/verdaccio/data/package/readme/hidden",
    "/-/v1/search?text=hidden",
    "/-/all",
];

/// What npm asks of two packages and of those of a team.
const PACKAGES: [&str; 5] =
    ["/open", "/plain", "/plain/-/{file}", "/@team/{package}", "/@team/{package}/-/{file}"];

fn hidden() -> Value {
    json!([{"paths": ["/hidden/**"]}])
}

#[test]
fn a_hidden_package_stays_hidden() {
    let registry = registry();
    let gate = plan(&registry, &hidden(), &["GET", "PUT", "DELETE"]).start();
    for name in [
        "hidden",
        "hidden.",
        "hidden..",
        "hid*den",
        "hid%2aden",
        "%2ahidden",
        "hidden%2e",
        "hid%2Aden.",
    ] {
        assert_name_is_covered(&registry, &gate, name);
    }
    // The same text by names that no spelling of the rule's makes (docs/threat-model.md).
    for name in SECOND_NAMES {
        assert!(contains(&passed(&gate, &get(name)), MARKER), "{name}");
    }
    // Beside it everything goes on, and what is refused above is obeyed there.
    let token = gate.mint().scope("all").sign();
    assert!(contains(&passed(&gate, &get("/open.")), OPEN));
    assert!(contains(&permitted(&gate, &get("/open").token(&token)), OPEN));
    let removal = request("DELETE", "/open./-rev/x").token(&token);
    assert_eq!(permitted(&gate, &removal).status, 201);
    assert_eq!(registry.send(&get("/open")).status, 404);
    // The many come last: each check above looks through the whole access log.
    let open = without_rules(&registry);
    for path in ["/hidden", "/hidden/1.0.0", "/hidden/-/hidden-1.0.0.tgz"] {
        assert_hidden(&gate, &open, path);
    }
    assert!(contains(&registry.send(&get("/hidden")), MARKER), "the package is still there");
}

/// verdaccio takes this for the hidden package, and the gate lets nobody do anything with it.
fn assert_name_is_covered(registry: &Application, gate: &Gate, name: &str) {
    let token = gate.mint().scope("all").sign();
    for rest in ["", "/1.0.0", "/-/hidden-1.0.0.tgz"] {
        let target = format!("/{name}{rest}");
        let answer = registry.send(&get(&target));
        assert!(contains(&answer, MARKER), "verdaccio obeys {target}: {answer:?}");
        gate.refuses(&get(&target), 401, "token_missing");
        gate.refuses(&get(&target).token(&token), 403, "ceiling");
    }
    let removal = || request("DELETE", format!("/{name}/-rev/x"));
    let replacement = || request("PUT", format!("/{name}")).body("{}");
    let changes: [&dyn Fn() -> Request; 2] = [&removal, &replacement];
    for change in changes {
        gate.refuses(&change(), 401, "token_missing");
        gate.refuses(&change().token(&token), 403, "ceiling");
    }
}

/// A gate that opens some packages only, and takes tokens as npm sends them; `slashes` is what Envoy does with `%2f`.
fn listing_gate(registry: &Application, slashes: &str) -> Gate {
    let plan = Plan::standard()
        .before(registry.address())
        .set("/protected", json!([{"paths": ["/**"]}]))
        .set("/scopes", json!([{"name": "some", "methods": ["GET"], "paths": PACKAGES}]))
        .set("/token_sources", json!([{"header": "authorization", "scheme": "Bearer"}]));
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new(""));
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        bootstrap.pointer_mut(manager).unwrap()["path_with_escaped_slashes_action"] =
            json!(slashes);
        bootstrap.to_string()
    })
}

#[test]
fn a_list_of_what_is_open_closes_second_names_and_leaves_npm_at_work() {
    let registry = registry();
    let gate = listing_gate(&registry, "KEEP_UNCHANGED");
    let token = gate.mint().scope("some").sign();
    let with = |target: &str| get(target).header("authorization", format!("Bearer {token}"));
    for name in SECOND_NAMES {
        gate.refuses(&get(name), 401, "token_missing");
        gate.refuses(&with(name), 403, "out_of_scope");
    }
    assert!(contains(&permitted(&gate, &with("/open")), OPEN));

    let npm = Npm::new(gate.envoy.address(), Some(&token));
    publish(&registry, "plain", OPEN, &npm.pack("plain"));
    assert_eq!(npm.json(&["view", "plain", "description"]), OPEN);
    npm.json(&["install", "plain"]);
    assert!(npm.project().join("node_modules/plain/index.js").is_file());
    npm.fails(&["view", "hidden"], "E403");
    Npm::new(gate.envoy.address(), None).fails(&["view", "plain"], "E401");

    // npm asks for `/@team%2fapp`, which under a token has two readings, unless Envoy decodes it for everybody.
    publish(&registry, "@team/app", OPEN, OPEN.as_bytes());
    npm.fails(&["view", "@team/app"], "E400");
    gate.refuses(&with("/@team%2fapp"), 400, "ambiguous_path");
    assert!(contains(&permitted(&gate, &with("/@team/app")), OPEN));
    let decoding = listing_gate(&registry, "UNESCAPE_AND_FORWARD");
    let token = decoding.mint().scope("some").sign();
    let npm = Npm::new(decoding.envoy.address(), Some(&token));
    assert_eq!(npm.json(&["view", "@team/app", "description"]), OPEN);
    npm.fails(&["view", "@other/app"], "E403");
}
