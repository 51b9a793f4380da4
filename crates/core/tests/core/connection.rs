//! `Connection` under a permit: the client does not tell the next hop to remove what this filter sets.

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{Key, Request, Stage, claims, config, test, with};

fn upgrading() -> Value {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
        "upgrades": ["websocket"]});
    let sources =
        json!([{"header": "x-breakglass-token"}, {"header": "authorization", "scheme": "Bearer"}]);
    with(config(), json!({"scopes": [scope], "token_sources": sources}))
}

/// What a permit does about the `connection` lines of a request: whether one is removed, and what it is set to.
fn connection(name: &str, lines: &[&str]) -> (bool, Option<String>) {
    let request = Request::under(&Key::new(1).sign(&claims())).header("upgrade", "websocket");
    let request = lines.iter().fold(request, |request, line| request.header(name, line));
    let step = Stage::new(&upgrading()).request(1, &request);
    let Step::Permit(permit) = step else { panic!("{step:?}") };
    let mut set = permit.set().iter().filter(|(set, _)| *set == name);
    let value = set.next().map(|(_, value)| value.clone());
    assert!(set.next().is_none());
    (permit.remove().iter().any(|removed| removed == name), value)
}

#[test]
fn names_of_what_the_filter_sets_are_taken_out_of_connection() {
    let upgrade = || (false, Some("Upgrade".to_owned()));
    for lines in [
        &["Upgrade, x-breakglass-subject"][..],
        &["x-breakglass-subject,Upgrade"],
        &["Upgrade", "X-Breakglass-Grant"],
        &["x-breakglass-subject ,\t x_breakglass_grant,,Upgrade"],
        &["Upgrade, x-breakglass-anything"],
        &["Upgrade, X-Breakglass-Token, Authorization"],
        &["Upgrade, x-envoy-upstream-stream-duration-ms"],
    ] {
        assert_eq!(connection("connection", lines), upgrade(), "{lines:?}");
    }
    assert_eq!(
        connection("connection", &["keep-alive, Upgrade", "x-breakglass-subject, HTTP2-Settings"]),
        (false, Some("keep-alive, Upgrade, HTTP2-Settings".to_owned()))
    );
    for name in ["connection", "proxy-connection"] {
        assert_eq!(connection(name, &["x-breakglass-subject", "authorization"]), (true, None));
    }
}

#[test]
fn any_other_connection_stays_as_it_is() {
    for lines in [
        &[][..],
        &["Upgrade"],
        &["keep-alive, Upgrade"],
        &["Upgrade", " keep-alive ,"],
        &["Upgrade, x-breakglas"],
        &["Upgrade, x-forwarded-for"],
        &[""],
    ] {
        assert_eq!(connection("connection", lines), (false, None), "{lines:?}");
    }
}

#[test]
fn without_a_permit_it_is_the_clients_own() {
    let request = Request::new("GET", "/v1/orders").header("connection", "x-breakglass-subject");
    let Step::Pass(pass) = Stage::new(&upgrading()).request(1, &request) else { panic!() };
    assert!(pass.remove.is_empty());
}
