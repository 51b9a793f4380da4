//! The configuration: Envoy refuses a wrong one and says which fields are wrong, all of them; an
//! update that is wrong leaves the old one working.

use breakglass_tests::bootstrap::{Delivery, Form, Settings};
use breakglass_tests::client::get;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::Key;
use breakglass_tests::policy::standard;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

/// What Envoy logs about a configuration that it must refuse.
fn refusal(filter: &str) -> String {
    let nobody = "127.0.0.1:1".parse().unwrap();
    Envoy::refuses_to_start(&Settings::new(Some(filter.to_owned()), nobody, nobody))
}

/// The standard configuration with one place changed.
fn changed(pointer: &str, value: Value) -> Value {
    let mut filter = standard(&[&Key::es256("key-1")]);
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = filter.pointer_mut(parent).unwrap();
    match member.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[member] = value,
    }
    filter
}

const REJECTED: &str = "extension_config_discovery.http_filter.breakglass.update_rejected";

/// Each change, as an update, is refused, and the log names the place.
fn refuses(cases: &[(&str, Value, &str)]) {
    let mut gate = Plan::standard().delivered_by(Delivery::Extension).start();
    for (n, (pointer, value, path)) in (1..).zip(cases) {
        let before = gate.envoy.log().len();
        gate.envoy.update(&changed(pointer, value.clone()).to_string());
        until(&format!("{pointer} = {value} to be refused"), || {
            (gate.envoy.stats().of(REJECTED) == n).then_some(())
        });
        let log = gate.envoy.log().split_off(before);
        assert!(log.contains(path), "{pointer} = {value}: no word of `{path}` in\n{log}");
    }
    gate.still_serves();
}

#[test]
fn a_field_that_nobody_knows_is_refused_wherever_it_is() {
    let x = json!("x");
    refuses(&[
        ("/isuers", x.clone(), "isuers"),
        ("/issuers/0/audience", x.clone(), "issuers[0].audience"),
        ("/issuers/0/jwks/url", x.clone(), "issuers[0].jwks.url"),
        ("/scopes/0/path", x.clone(), "scopes[0].path"),
        ("/scopes/9/require/role", x.clone(), "scopes[9].require.role"),
        ("/protected/0/path", x.clone(), "protected[0].path"),
        ("/ceiling/0/scope", x.clone(), "ceiling[0].scope"),
        ("/revocation/introspect", x.clone(), "revocation.introspect"),
        ("/revocation/introspection/url", x.clone(), "revocation.introspection.url"),
        ("/revocation/credential/token", x, "revocation.credential.token"),
    ]);
}

#[test]
fn a_value_of_another_type_is_refused() {
    refuses(&[
        ("/issuers", json!({}), "issuers"),
        ("/issuers/0", json!("x"), "issuers[0]"),
        ("/issuers/0/audiences", json!("payments-test"), "issuers[0].audiences"),
        ("/issuers/0/max_lifetime", json!(3600), "issuers[0].max_lifetime"),
        ("/scopes/0/paths", json!("/v1/orders"), "scopes[0].paths"),
        ("/scopes/0/methods/1", json!(7), "scopes[0].methods[1]"),
        (
            "/scopes/15/require/sender_constrained",
            json!("yes"),
            "scopes[15].require.sender_constrained",
        ),
        ("/clock_skew", json!(5), "clock_skew"),
        ("/max_token_bytes", json!("8192"), "max_token_bytes"),
        ("/revocation/introspection/timeout", json!(null), "revocation.introspection.timeout"),
    ]);
}

#[test]
fn a_list_without_entries_is_refused_and_never_means_all() {
    refuses(&[
        ("/issuers", json!([]), "issuers"),
        ("/issuers/0/audiences", json!([]), "issuers[0].audiences"),
        ("/issuers/0/algorithms", json!([]), "issuers[0].algorithms"),
        ("/issuers/0/typ", json!([]), "issuers[0].typ"),
        ("/issuers/0/jwks/inline/keys", json!([]), "issuers[0].jwks.inline"),
        ("/issuers/0/jwks", json!({}), "issuers[0].jwks"),
        ("/token_sources", json!([]), "token_sources"),
        ("/protected", json!([]), "protected"),
        ("/protected/0", json!({}), "protected[0]"),
        ("/ceiling", json!([]), "ceiling"),
        ("/ceiling/0/methods", json!([]), "ceiling[0].methods"),
        ("/scopes", json!([]), "scopes"),
        ("/scopes/0/methods", json!([]), "scopes[0].methods"),
        ("/scopes/0/paths", json!([]), "scopes[0].paths"),
        ("/scopes/0/hosts", json!([]), "scopes[0].hosts"),
        ("/scopes/0/routes", json!([]), "scopes[0].routes"),
        ("/scopes/9/require/roles", json!([]), "scopes[9].require.roles"),
        ("/scopes/13/require/source_cidrs", json!([]), "scopes[13].require.source_cidrs"),
    ]);
}

#[test]
fn a_path_that_is_no_template_is_refused() {
    let wrong = [
        "",
        "v1/orders",
        "/v1/**/x",
        "/v1/**x",
        "/v1/*",
        "/v1/{id",
        "/v1/id}",
        "/v1/{}",
        "/v1/x{id}",
        "/v1//x",
        "/v1/../x",
        "/v1/./x",
        "/v1/x?y",
        "/v1/x#y",
        "/v1/%2e",
        "/v1/x;y",
        "/v1/a\\b",
    ];
    let cases: Vec<_> =
        wrong.iter().map(|path| ("/scopes/0/paths/1", json!(path), "scopes[0].paths[1]")).collect();
    refuses(&cases);
}

#[test]
fn a_value_that_means_nothing_is_refused() {
    refuses(&[
        ("/issuers/0/issuer", json!(""), "issuers[0].issuer"),
        ("/issuers/0/algorithms/0", json!("none"), "issuers[0].algorithms[0]"),
        ("/issuers/0/algorithms/0", json!("HS256"), "issuers[0].algorithms[0]"),
        ("/issuers/0/algorithms/0", json!("es256"), "issuers[0].algorithms[0]"),
        ("/issuers/0/max_lifetime", json!("1 hour"), "issuers[0].max_lifetime"),
        ("/issuers/0/max_lifetime", json!("0s"), "issuers[0].max_lifetime"),
        ("/issuers/0/max_lifetime", json!("-1h"), "issuers[0].max_lifetime"),
        ("/issuers/0/max_lifetime", json!("99999999999999999999s"), "issuers[0].max_lifetime"),
        ("/issuers/0/jwks/inline/keys/0/kty", json!("oct"), "issuers[0].jwks.inline.keys[0]"),
        ("/issuers/0/jwks/inline/keys/0/x", json!("AAAA"), "issuers[0].jwks.inline.keys[0]"),
        ("/clock_skew", json!("5 parsecs"), "clock_skew"),
        ("/enforcement", json!("maybe"), "enforcement"),
        ("/unauthenticated", json!("allow"), "unauthenticated"),
        ("/token_sources", json!([{"header": "not a header"}]), "token_sources[0].header"),
        ("/token_sources", json!([{"header": ""}]), "token_sources[0].header"),
        ("/max_token_bytes", json!(0), "max_token_bytes"),
        ("/max_token_bytes", json!(1_048_576), "max_token_bytes"),
        ("/max_token_bytes", json!(-1), "max_token_bytes"),
        ("/protected/0/paths/0", json!("admin"), "protected[0].paths[0]"),
        ("/scopes/0/name", json!(""), "scopes[0].name"),
        ("/scopes/0/name", json!("two words"), "scopes[0].name"),
        ("/scopes/1/name", json!("orders:read"), "scopes[1].name"),
        ("/scopes/0/methods/0", json!("GE T"), "scopes[0].methods[0]"),
        ("/scopes/0/methods/0", json!(""), "scopes[0].methods[0]"),
        ("/scopes/6/hosts/0", json!("a b"), "scopes[6].hosts[0]"),
        ("/scopes/6/hosts/0", json!("*"), "scopes[6].hosts[0]"),
        ("/scopes/6/hosts/0", json!("a.*.b"), "scopes[6].hosts[0]"),
        ("/scopes/0/on_unavailable", json!("shrug"), "scopes[0].on_unavailable"),
        ("/scopes/12/require/max_auth_age", json!("soon"), "scopes[12].require.max_auth_age"),
        (
            "/scopes/13/require/source_cidrs/0",
            json!("10.0.0.0/33"),
            "scopes[13].require.source_cidrs[0]",
        ),
        (
            "/scopes/13/require/source_cidrs/1",
            json!("2001:db8::/129"),
            "scopes[13].require.source_cidrs[1]",
        ),
        (
            "/scopes/13/require/source_cidrs/0",
            json!("10.0.0"),
            "scopes[13].require.source_cidrs[0]",
        ),
        ("/revocation", json!({}), "revocation"),
        ("/revocation/on_unavailable", json!("perhaps"), "revocation.on_unavailable"),
        ("/revocation/introspection/timeout", json!("0s"), "revocation.introspection.timeout"),
        ("/revocation/introspection/cluster", json!(""), "revocation.introspection.cluster"),
        ("/revocation/introspection/path", json!("oauth2"), "revocation.introspection.path"),
        ("/revocation/credential/env", json!(""), "revocation.credential.env"),
        ("/revocation/credential/env", json!("NOT_SET_ANYWHERE"), "revocation.credential.env"),
    ]);
}

#[test]
fn what_is_missing_is_named() {
    for (parent, member, path) in [
        ("", "issuers", "issuers"),
        ("", "scopes", "scopes"),
        ("/issuers/0", "issuer", "issuers[0].issuer"),
        ("/issuers/0", "audiences", "issuers[0].audiences"),
        ("/issuers/0", "jwks", "issuers[0].jwks"),
        ("/scopes/0", "name", "scopes[0].name"),
        ("/scopes/0", "methods", "scopes[0].methods"),
        ("/scopes/0", "paths", "scopes[0].paths"),
        ("/revocation/introspection", "cluster", "revocation.introspection.cluster"),
    ] {
        let mut filter = standard(&[&Key::es256("key-1")]);
        let place = filter.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        assert!(place.remove(member).is_some(), "{path}");
        let log = refusal(&filter.to_string());
        assert!(log.contains(path), "no word of `{path}` in\n{log}");
    }
}

#[test]
fn all_mistakes_are_named_at_once() {
    let mut filter = standard(&[&Key::es256("key-1")]);
    filter["colour"] = json!("red");
    filter["clock_skew"] = json!("soon");
    filter["issuers"][0]["algorithms"] = json!(["none"]);
    filter["issuers"][0]["audiences"] = json!([]);
    filter["scopes"][0]["paths"][2] = json!("/v1/**/x");
    filter["scopes"][13]["require"]["source_cidrs"][1] = json!("2001:db8::/200");
    filter["revocation"]["on_unavailable"] = json!("perhaps");
    let log = refusal(&filter.to_string());
    for path in [
        "colour",
        "clock_skew",
        "issuers[0].algorithms[0]",
        "issuers[0].audiences",
        "scopes[0].paths[2]",
        "scopes[13].require.source_cidrs[1]",
        "revocation.on_unavailable",
    ] {
        assert!(log.contains(path), "no word of `{path}` in\n{log}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in
        ["", "{", "[]", "null", "issuers: []", "{\"clock_skew\":\"5s\",\"clock_skew\":\"9s\"}"]
    {
        let log = refusal(text);
        assert!(log.contains("Plugin breakglass failed to load"), "{text}:\n{log}");
        assert!(!log.contains("panicked"), "{text}:\n{log}");
    }
}

#[test]
fn the_log_of_a_refusal_does_not_repeat_keys_or_values_of_secrets() {
    let log = refusal(&changed("/revocation/credential", json!({"token": "hunter2"})).to_string());
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn a_struct_is_a_configuration_like_any_other() {
    // A number of a `Struct` is a double, whatever was written.
    let gate = Plan::standard().as_struct().set("/max_token_bytes", json!(700)).start();
    gate.still_serves();
    gate.passes(&get("/v1/orders"));
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
    let large = gate.mint().claim("padding", "x".repeat(300)).sign();
    gate.refuses(&get("/v1/orders").token(large), 401, "token_too_large");
}

#[test]
fn a_wrong_struct_is_refused_and_every_wrong_field_is_named() {
    let mut filter = standard(&[&Key::es256("key-1")]);
    filter["colour"] = json!("red");
    filter["max_token_bytes"] = json!(700.5);
    filter["issuers"][0]["audiences"] = json!([]);
    filter["scopes"][0]["methods"][1] = json!(7);
    filter["scopes"][13]["require"]["source_cidrs"][1] = json!("2001:db8::/200");
    filter["revocation"]["introspection"]["timeout"] = json!(null);
    let nobody = "127.0.0.1:1".parse().unwrap();
    let settings = Settings::new(Some(filter.to_string()), nobody, nobody);
    let log = Envoy::refuses_to_start(&Settings { form: Form::Struct, ..settings });
    for path in [
        "colour",
        "max_token_bytes",
        "issuers[0].audiences",
        "scopes[0].methods[1]",
        "scopes[13].require.source_cidrs[1]",
        "revocation.introspection.timeout",
    ] {
        assert!(log.contains(path), "no word of `{path}` in\n{log}");
    }
}

#[test]
fn an_empty_struct_is_refused() {
    let nobody = "127.0.0.1:1".parse().unwrap();
    let settings = Settings::new(Some("{}".to_owned()), nobody, nobody);
    let log = Envoy::refuses_to_start(&Settings { form: Form::Struct, ..settings });
    assert!(log.contains("breakglass: configuration:"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// The old configuration works, the wrong one is counted as rejected, and a right one takes over.
fn survives_a_wrong_update(mut gate: Gate, rejected: &str) {
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    gate.envoy.update(&changed("/scopes/0/paths", json!([])).to_string());
    until("the wrong configuration to be rejected", || {
        (gate.envoy.stats().of(rejected) == 1).then_some(())
    });
    assert!(gate.envoy.log().contains("scopes[0].paths"), "{}", gate.envoy.log());
    gate.still_serves();
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");

    let mut right = standard(&[&gate.key]);
    right["scopes"][0]["paths"] = json!(["/v1/invoices"]);
    gate.envoy.update(&right.to_string());
    let invoices = || get("/v1/invoices").token(gate.mint().sign());
    until("the right configuration", || (gate.send(&invoices()).status == 200).then_some(()));
    gate.allows(&invoices());
    gate.refuses(&get("/v1/orders").token(gate.mint().sign()), 403, "out_of_scope");
}

#[test]
fn a_wrong_listener_update_leaves_the_old_configuration_working() {
    let gate = Plan::standard().delivered_by(Delivery::Listener).start();
    survives_a_wrong_update(gate, "listener_manager.lds.update_rejected");
}

#[test]
fn a_wrong_extension_update_leaves_the_old_configuration_working() {
    let gate = Plan::standard().delivered_by(Delivery::Extension).start();
    survives_a_wrong_update(gate, REJECTED);
}
