//! What docs/install/envoy.md says of browsers: a preflight, and the call that follows, with `cors` where the document
//! puts it, and where it must not stand.

use breakglass_tests::client::{Answer, Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

use super::blocks::block;
use super::yaml;
use crate::carriers::manager;

const ORIGIN: &str = "https://console.example.com";

/// Where `cors` stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In front of breakglass, as documented.
    InFront,
    Behind,
    Nowhere,
}

fn gate(plan: Plan, place: Place) -> Gate {
    let documented = yaml(&block("docs/install/envoy.md", "yaml browsers").text);
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        let manager = manager(&mut bootstrap);
        let filters = manager["http_filters"].as_array_mut().unwrap();
        let cors = documented["http_filters"].as_array().unwrap().iter().cloned();
        let at = match place {
            Place::InFront => Some(0),
            Place::Behind => Some(1),
            Place::Nowhere => None,
        };
        if let Some(at) = at {
            filters.splice(at..at, cors);
            manager["route_config"]["virtual_hosts"][0]["typed_per_filter_config"] =
                documented["typed_per_filter_config"].clone();
        }
        bootstrap.to_string()
    })
}

/// What a browser sends before a call with a token.
fn preflight(path: &str, origin: &str) -> Request {
    request("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-breakglass-token")
}

fn allowed<'a>(answer: &'a Answer, what: &str) -> Option<&'a str> {
    answer.header(&format!("access-control-{what}"))
}

/// A browser lets the page make the call.
fn assert_may_call(answer: &Answer) {
    assert_eq!((answer.status, allowed(answer, "allow-origin")), (200, Some(ORIGIN)), "{answer:?}");
    let names = allowed(answer, "allow-headers").unwrap();
    assert!(names.split(", ").any(|name| name == "x-breakglass-token"), "{names}");
    assert!(allowed(answer, "allow-methods").unwrap().contains("GET"));
}

fn plans() -> [Plan; 2] {
    [Plan::standard(), Plan::standard().set("/unauthenticated", json!("deny"))]
}

#[test]
fn a_preflight_is_answered_in_front_of_the_filter_and_the_call_is_judged() {
    for plan in plans() {
        let gate = gate(plan, Place::InFront);
        let asked = preflight("/admin/users", ORIGIN);
        assert_may_call(&gate.send(&asked));
        assert!(gate.upstream.saw(&asked.id).is_none(), "the answer is Envoy's");
        let call = get("/admin/users").header("origin", ORIGIN);
        let token = gate.mint().scope("admin:read").sign();
        let answer = gate.allows(&call.renewed().token(token)).answer;
        assert_eq!(allowed(&answer, "allow-origin"), Some(ORIGIN));
        // The page can read why it is refused.
        let answer = gate.refuses(&call, 401, "token_missing").answer;
        assert_eq!(allowed(&answer, "allow-origin"), Some(ORIGIN));
        assert_eq!(allowed(&answer, "expose-headers"), Some("www-authenticate"));
        gate.has_its_first_vms();
    }
}

#[test]
fn in_front_of_the_filter_cors_opens_nothing() {
    for plan in plans() {
        let gate = gate(plan, Place::InFront);
        // Another origin, and an OPTIONS that is no preflight.
        for asked in [
            preflight("/admin/users", "https://evil.example.com"),
            request("OPTIONS", "/admin/users").header("origin", ORIGIN),
            request("OPTIONS", "/admin/users"),
        ] {
            let answer = gate.refuses(&asked, 401, "token_missing").answer;
            let is_ours = allowed(&answer, "allow-origin").is_none_or(|origin| origin == ORIGIN);
            assert!(is_ours, "{answer:?}");
        }
        gate.has_its_first_vms();
    }
}

#[test]
fn behind_the_filter_or_without_cors_a_preflight_is_refused() {
    for place in [Place::Behind, Place::Nowhere] {
        for plan in plans() {
            let gate = gate(plan, place);
            let answer =
                gate.refuses(&preflight("/admin/users", ORIGIN), 401, "token_missing").answer;
            assert_ne!(answer.status, 200, "{place:?}");
            let problem: Value = answer.json();
            assert_eq!(problem["reason"], "token_missing");
        }
    }
}
