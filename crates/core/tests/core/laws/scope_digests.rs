//! Scopes and their digests: the same rules in another spelling have one digest, two scopes with one digest decide each
//! request alike, and a canonical form is a scope again.

use serde_json::{Map, Value, json};

use crate::random::Random;
use crate::support::{Key, NOW, Request, Stage, b64, claims, config, parse, reason, test, with};

const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "DELETE"];
const PATHS: [&str; 5] = ["/v1/orders", "/v1/orders/{id}", "/v1/**", "/v1/{kind}/7", "/x"];
const HOSTS: [&str; 4] = ["orders.internal", "*.internal", "a.example.com", "*.example.com"];
const ROUTES: [&str; 3] = ["orders", "billing", "Orders"];
const UPGRADES: [&str; 3] = ["websocket", "spdy/3.1", "h2c"];
const NETWORKS: [&str; 3] = ["192.0.2.0/24", "2001:db8::/32", "10.0.0.0/8"];
const BASES: [&str; 3] = ["approved", "pre_approved", "emergency"];
const SCOPE: &str = "made:up";

/// Some of these, at least one.
fn some(random: &mut Random, of: &[&str]) -> Value {
    let mut chosen: Vec<&str> = of.iter().copied().filter(|_| random.below(2) == 0).collect();
    if chosen.is_empty() {
        chosen.push(of[random.below(of.len())]);
    }
    json!(chosen)
}

fn maybe(random: &mut Random, scope: &mut Map<String, Value>, name: &str, value: Value) {
    if random.below(3) == 0 {
        scope.insert(name.to_owned(), value);
    }
}

fn scope(random: &mut Random) -> Map<String, Value> {
    let mut require = Map::new();
    for (name, of) in [
        ("roles", &["oncall", "sre"][..]),
        ("amr", &["mfa", "hwk"]),
        ("acr", &["aal2", "aal3"]),
        ("source_cidrs", &NETWORKS),
        ("basis", &BASES),
    ] {
        let value = some(random, of);
        maybe(random, &mut require, name, value);
    }
    maybe(random, &mut require, "max_auth_age", json!("900s"));
    maybe(random, &mut require, "max_lifetime", json!("900s"));
    let approvals = json!(1 + random.below(3));
    maybe(random, &mut require, "approvals", approvals);
    maybe(random, &mut require, "sender_constrained", json!(true));
    let mut scope = Map::new();
    scope.insert("name".into(), SCOPE.into());
    scope.insert("methods".into(), some(random, &METHODS));
    scope.insert("paths".into(), some(random, &PATHS));
    for (name, of) in [("hosts", &HOSTS[..]), ("routes", &ROUTES), ("upgrades", &UPGRADES)] {
        let value = some(random, of);
        maybe(random, &mut scope, name, value);
    }
    maybe(random, &mut scope, "redirects", json!("same_authority"));
    maybe(random, &mut scope, "max_stream", json!("60s"));
    maybe(random, &mut scope, "on_unavailable", json!("deny"));
    maybe(random, &mut scope, "same_digest", json!(true));
    if !require.is_empty() {
        scope.insert("require".into(), require.into());
    }
    scope
}

fn shuffle(random: &mut Random, list: &Value) -> Value {
    let mut items = list.as_array().unwrap().clone();
    for at in 0..items.len() {
        items.swap(at, random.below(at + 1));
    }
    items.into()
}

/// A duration of so many seconds, in a spelling of its own.
fn spell(random: &mut Random, text: &Value) -> Value {
    let seconds: u64 = text.as_str().unwrap().trim_end_matches('s').parse().unwrap();
    match random.below(3) {
        0 => json!(format!("{}ms", seconds * 1000)),
        1 => json!(format!("{}m", seconds / 60)),
        _ => text.clone(),
    }
}

/// The same rules, written in another way: lists in another order, defaults written out, other spellings, and
/// other words about what is no rule.
fn respelt(random: &mut Random, scope: &Map<String, Value>) -> Map<String, Value> {
    let mut other = scope.clone();
    for (name, value) in &mut other {
        match name.as_str() {
            "methods" | "paths" | "routes" => *value = shuffle(random, value),
            "hosts" | "upgrades" => {
                let spelt = upper(random, value);
                *value = shuffle(random, &spelt);
            }
            "max_stream" => *value = spell(random, value),
            "require" => *value = respelt_require(random, value),
            _ => {}
        }
    }
    let defaults = [
        ("require", json!({})),
        ("redirects", json!("any")),
        ("same_digest", json!(false)),
        ("cut", json!("at_once")),
        ("request_body", json!("none")),
        ("response_body", json!("none")),
    ];
    for (name, default) in defaults {
        if random.below(2) == 0 {
            other.entry(name).or_insert(default);
        }
    }
    if random.below(2) == 0 {
        other.insert("cut".into(), json!("finish"));
    }
    other
}

fn respelt_require(random: &mut Random, require: &Value) -> Value {
    let mut other = require.as_object().unwrap().clone();
    for (name, value) in &mut other {
        match name.as_str() {
            "roles" | "amr" | "acr" | "basis" => *value = shuffle(random, value),
            "source_cidrs" => {
                let text = value.to_string().replace("2001:db8::/32", "2001:0DB8:0:0::/32");
                *value = shuffle(random, &serde_json::from_str(&text).unwrap());
            }
            "max_auth_age" | "max_lifetime" => *value = spell(random, value),
            _ => {}
        }
    }
    if random.below(2) == 0 {
        other.entry("sender_constrained").or_insert(json!(false));
    }
    other.into()
}

fn upper(random: &mut Random, list: &Value) -> Value {
    let text = |item: &Value| item.as_str().unwrap().to_owned();
    let items = list.as_array().unwrap().iter().map(text);
    items.map(|text| if random.below(2) == 0 { text.to_uppercase() } else { text }).collect()
}

fn under(scope: &Map<String, Value>) -> Value {
    with(config(), json!({ "scopes": [scope] }))
}

fn digest(config: &Value) -> String {
    let parsed = parse(config).unwrap_or_else(|errors| panic!("{errors:?}: {config}"));
    parsed.scopes.digests()[SCOPE].text()
}

/// A token of somebody who brings some of what is asked for.
fn token(random: &mut Random, digest: &str) -> String {
    let mut breakglass = json!({"reason": "pager", "approvers": ["bob"]});
    if random.below(4) > 0 {
        breakglass["basis"] = json!(BASES[random.below(3)]);
        breakglass["approvals"] = json!(random.below(5));
    }
    match random.below(4) {
        0 => {}
        1 => breakglass["scopes"] = json!({SCOPE: "0".repeat(64)}),
        _ => breakglass["scopes"] = json!({ SCOPE: digest }),
    }
    let mut claims = with(claims(), json!({"scope": SCOPE, "breakglass": breakglass}));
    for (name, value) in [
        ("roles", some(random, &["oncall", "sre", "dev"])),
        ("amr", some(random, &["mfa", "hwk"])),
        ("acr", json!(["aal2", "aal3"][random.below(2)])),
        ("auth_time", json!(NOW - [100, 2000][random.below(2)])),
        ("exp", json!(NOW + [700, 1500][random.below(2)])),
        ("cnf", json!({"x5t#S256": b64([7; 32])})),
    ] {
        if random.below(4) > 0 {
            claims[name] = value;
        }
    }
    Key::new(1).sign(&claims)
}

fn request(random: &mut Random, token: &str) -> Request {
    let one = |random: &mut Random, of: &[&'static str]| of[random.below(of.len())];
    let method = one(random, &["GET", "GET", "HEAD", "POST", "DELETE", "get"]);
    let path = one(random, &["/v1/orders", "/v1/orders/7", "/v1/items/7", "/x", "/y", "/v1//x"]);
    let host = one(
        random,
        &["orders.internal", "orders.internal", "a.example.com", "other", "A.Example.com:80"],
    );
    let mut request =
        Request::new(method, path).replace(":authority", host).header("x-breakglass-token", token);
    request.route = [Some("orders"), Some("billing"), None][random.below(3)];
    let sources = ["192.0.2.7:5555", "[2001:db8::7]:1", "10.1.1.1:1", "198.51.100.1:1"];
    request.source = Some(one(random, &sources));
    if random.below(4) > 0 {
        request.certificate = Some("07".repeat(32));
    }
    if random.below(4) == 0 {
        request = request.header("upgrade", one(random, &["websocket", "SPDY/3.1", "other"]));
    }
    request
}

#[test]
fn the_same_rules_in_another_spelling_have_one_digest_and_decide_each_request_alike() {
    let mut random = Random::new(0x5eed_0017);
    let (mut decided, mut reasons) = (0, std::collections::BTreeMap::<String, usize>::new());
    for _ in 0..400 {
        let one = scope(&mut random);
        let other = respelt(&mut random, &one);
        let (one, other) = (under(&one), under(&other));
        let own = digest(&one);
        assert_eq!(own, digest(&other), "{}\n{}", one["scopes"], other["scopes"]);
        let mut stages = [Stage::new(&one), Stage::new(&other)];
        let token = token(&mut random, &own);
        for stream in 0..25 {
            let request = request(&mut random, &token);
            let said = stages.each_mut().map(|stage| reason(&stage.request(stream, &request)));
            assert_eq!(said[0], said[1], "{}\n{}", one["scopes"], other["scopes"]);
            let [said, _] = said;
            *reasons.entry(said).or_default() += 1;
            decided += 1;
        }
    }
    assert_eq!(decided, 10_000);
    // The requests are not all refused for one reason.
    for wanted in [
        "permit_unverified",
        "out_of_scope",
        "scope_changed",
        "basis_not_allowed",
        "approvals_missing",
        "role_missing",
        "step_up_required",
        "sender_mismatch",
        "source_not_allowed",
        "scope_lifetime_exceeded",
    ] {
        assert!(reasons.get(wanted).is_some_and(|count| *count > 20), "{wanted}: {reasons:?}");
    }
}

#[test]
fn a_canonical_form_is_canonical_json_and_a_scope_of_a_configuration_again() {
    let mut random = Random::new(0x5eed_0018);
    for _ in 0..1_000 {
        let config = under(&scope(&mut random));
        let parsed = parse(&config).unwrap();
        let form = parsed.scopes.get(SCOPE).unwrap().rules().canonical();
        let value: Value = serde_json::from_str(&form).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&value).unwrap(), form);
        let mut again = value.as_object().unwrap().clone();
        assert!(again.remove("v").is_some());
        again.insert("name".into(), SCOPE.into());
        assert_eq!(digest(&under(&again)), digest(&config), "{form}");
    }
}

/// One change of one rule is another digest.
#[test]
fn other_rules_have_another_digest() {
    let mut random = Random::new(0x5eed_0019);
    for _ in 0..300 {
        let one = scope(&mut random);
        let own = digest(&under(&one));
        for (name, value) in [
            ("methods", json!(["PATCH"])),
            ("paths", json!(["/other"])),
            ("hosts", json!(["other.internal"])),
            ("routes", json!(["other"])),
            ("upgrades", json!(["connect-udp"])),
            ("max_stream", json!("61s")),
            ("on_unavailable", json!("allow")),
            ("require", json!({"roles": ["other"]})),
        ] {
            let mut other = one.clone();
            other.insert(name.to_owned(), value);
            assert_ne!(digest(&under(&other)), own, "{name}: {other:?}");
        }
    }
}
