//! A request that switches to another protocol: only where the scope names it.

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, reason, test, with,
};

fn token() -> String {
    Key::new(1).sign(&claims())
}

/// A configuration whose first scope has these members too.
fn scoped(changes: Value) -> Value {
    let scope = json!({"name": "orders:read", "methods": ["GET", "POST"], "paths": ["/v1/orders"]});
    with(config(), json!({"scopes": [with(scope, changes)]}))
}

fn upgrading(values: &[&str]) -> Request {
    let request = Request::under(&token()).header("connection", "Upgrade");
    values.iter().fold(request, |request, value| request.header("upgrade", value))
}

fn decide(config: &Value, request: &Request) -> Step {
    Stage::new(config).request(1, request)
}

fn problem(step: &Step) -> Value {
    let Step::Refuse(refusal, _) = step else { panic!("{step:?}") };
    serde_json::from_slice(&refusal.body).unwrap()
}

#[test]
fn an_upgrade_needs_its_name_in_the_scope() {
    let (without, websocket) = (scoped(json!({})), scoped(json!({"upgrades": ["WebSocket"]})));
    assert_permitted(&decide(&without, &Request::under(&token())));
    assert_permitted(&decide(&websocket, &Request::under(&token())));
    for values in [&["websocket"][..], &["WebSocket"], &["websocket", "websocket"], &["websocket,"]]
    {
        assert_refused(&decide(&without, &upgrading(values)), "out_of_scope");
        assert_permitted(&decide(&websocket, &upgrading(values)));
    }
    for values in [
        &["h2c"][..],
        &["websocket, h2c"],
        &["h2c", "websocket"],
        &["SPDY/3.1"],
        &["connect-udp"],
        &["websocket/13"],
        &[""],
        &["\u{80}"],
        &["websocket\u{a0}"],
    ] {
        assert_refused(&decide(&websocket, &upgrading(values)), "out_of_scope");
    }
    let spdy = scoped(json!({"upgrades": ["spdy/3.1", "websocket"]}));
    for values in [&["SPDY/3.1"][..], &["websocket"], &["spdy/3.1, websocket"]] {
        assert_permitted(&decide(&spdy, &upgrading(values)));
    }
    // Without `connection`, which Envoy would have taken away with it, and as a pseudo-header.
    for name in ["upgrade", ":protocol"] {
        let request = Request::under(&token()).header(name, "websocket");
        assert_refused(&decide(&without, &request), "out_of_scope");
        assert_permitted(&decide(&websocket, &request));
    }
    // Of other methods than GET too.
    let post = Request::new("POST", "/v1/orders").header("x-breakglass-token", token());
    let post = post.header("upgrade", "spdy/3.1");
    assert_refused(&decide(&websocket, &post), "out_of_scope");
    assert_permitted(&decide(&spdy, &post));
}

#[test]
fn the_refusal_says_what_is_missing_and_which_scope_has_it() {
    let read = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"]});
    let watch = with(read.clone(), json!({"name": "orders:watch", "upgrades": ["websocket"]}));
    let two = with(config(), json!({"scopes": [read.clone(), watch]}));
    let step = decide(&two, &upgrading(&["websocket"]));
    let answer = problem(&step);
    assert_eq!(
        answer["detail"],
        "the grant covers this request, but not the protocol that its `Upgrade` asks for; ask for the \
         scope that does"
    );
    assert_eq!(
        answer["remedy"],
        "breakglass request --scope orders:read --scope orders:watch --reason '<why>' --incident INC-1 --duration 30m --wait"
    );
    let one = with(config(), json!({"scopes": [read]}));
    let answer = problem(&decide(&one, &upgrading(&["websocket"])));
    assert_eq!(
        answer["detail"],
        "the grant covers this request, but not the protocol that its `Upgrade` asks for; no scope does, \
         until one names the protocol in `upgrades`"
    );
    assert!(answer.get("remedy").is_none());
    // What the grant does not cover anyway says so as ever.
    let elsewhere = upgrading(&["websocket"]).replace(":path", "/v1/invoices");
    let answer = problem(&decide(&one, &elsewhere));
    assert_eq!(answer["detail"], "the grant does not cover this request, and no scope does");
    // The holder is told what a scope lets through.
    let step = decide(&scoped(json!({"upgrades": ["websocket"]})), &upgrading(&["h2c"]));
    assert_eq!(problem(&step)["grant"]["scopes"][0]["upgrades"], json!(["websocket"]));
}

#[test]
fn the_record_names_the_protocols_and_only_then() {
    let config = scoped(json!({"upgrades": ["websocket"]}));
    let record = |request: &Request| {
        let mut stage = Stage::new(&config);
        let _ = stage.request(1, request);
        stage.logged(1).unwrap()
    };
    assert_eq!(record(&upgrading(&["WebSocket"]))["upgrade"], "websocket");
    let refused = record(&upgrading(&["websocket", "H2C, \"x\"\u{7}"]));
    assert_eq!(
        (&refused["upgrade"], &refused["reason"]),
        (&json!("websocket, h2c, \"x\"\u{7}"), &json!("out_of_scope"))
    );
    assert_eq!(record(&upgrading(&[""]))["upgrade"], "");
    assert!(record(&Request::under(&token())).get("upgrade").is_none());
    let long = record(&upgrading(&[&"x".repeat(100_000)]));
    assert!(long["upgrade"].as_str().unwrap().len() <= 128);
}

#[test]
fn rules_that_refuse_may_name_upgrades() {
    let protected = with(config(), json!({"protected": [{"upgrades": ["websocket", "spdy"]}]}));
    let ceiling = with(
        scoped(json!({"upgrades": ["websocket", "spdy/3.1"]})),
        json!({"ceiling": [{"upgrades": ["spdy/3.1"], "paths": ["/v1/**"]}]}),
    );
    let bare = |value: &str| Request::new("GET", "/any").header("upgrade", value);
    for value in ["websocket", "WEBSOCKET", "h2c, websocket", "websocket/13", "SPDY/3.1"] {
        assert_refused(&decide(&protected, &bare(value)), "token_missing");
    }
    for value in ["h2c", "", "websockets"] {
        assert_eq!(reason(&decide(&protected, &bare(value))), "no_token", "{value}");
    }
    assert_eq!(reason(&decide(&protected, &Request::new("GET", "/any"))), "no_token");
    // A tunnel carries any request.
    assert_refused(&decide(&protected, &Request::new("CONNECT", "")), "token_missing");
    assert_permitted(&decide(&ceiling, &upgrading(&["websocket"])));
    assert_permitted(&decide(&ceiling, &Request::under(&token())));
    let mut stage = Stage::new(&ceiling);
    assert_refused(&stage.request(1, &upgrading(&["websocket, spdy/3.1"])), "ceiling");
    assert_eq!(stage.logged(1).unwrap()["rule"], "/v1/** upgrade:spdy/3.1");
}

#[test]
fn a_running_upgrade_ends_with_the_configuration_that_no_longer_names_it() {
    let mut stage = Stage::new(&scoped(json!({"upgrades": ["websocket"]})));
    assert_permitted(&stage.request(1, &upgrading(&["websocket"])));
    assert_permitted(&stage.request(2, &Request::under(&token())));
    let successor = crate::support::parse(&scoped(json!({}))).unwrap();
    let steps = stage.worker.supersede(std::rc::Rc::new(successor), stage.now);
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].0, reason(&steps[0].1)), (1, "scope_withdrawn".into()));
}

#[test]
fn a_configuration_says_what_is_no_protocol() {
    for (config, path) in [
        (scoped(json!({"upgrades": ["*"]})), "scopes[0].upgrades[0]"),
        (scoped(json!({"upgrades": ["websocket, h2c"]})), "scopes[0].upgrades[0]"),
        (scoped(json!({"upgrades": []})), "scopes[0].upgrades"),
        (with(config(), json!({"ceiling": [{"upgrades": ["a/b/c"]}]})), "ceiling[0].upgrades[0]"),
        (with(config(), json!({"protected": [{}]})), "protected[0]"),
    ] {
        let errors = crate::support::parse(&config).unwrap_err();
        assert_eq!(errors[0].path, path, "{errors:?}");
    }
}
