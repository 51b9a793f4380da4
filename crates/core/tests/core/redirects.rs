//! An answer that leads elsewhere is kept from the client, where the scope says so.

use std::cell::Cell;
use std::rc::Rc;

use breakglass_core::headers::Headers;
use breakglass_core::step::Step;
use breakglass_core::{Attributes, StreamState};
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, parse, test, with,
};

/// Envoy when the response begins: its headers, and how often they were asked for.
struct Response(Option<Headers>, Cell<u32>);

fn response(headers: &[(&str, &str)]) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    Response(Some(Headers::from_pairs(headers)), Cell::new(0))
}

fn moved(to: &str) -> Response {
    response(&[(":status", "307"), ("location", to)])
}

impl Attributes for Response {
    fn source_address(&self) -> Option<Vec<u8>> {
        None
    }

    fn route_name(&self) -> Option<Vec<u8>> {
        Some(b"orders".to_vec())
    }

    fn is_internal_redirect(&self) -> bool {
        false
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        None
    }

    fn response_headers(&self) -> Option<Headers> {
        self.1.set(self.1.get().saturating_add(1));
        self.0.clone()
    }
}

impl StreamState for Response {
    fn connection_id(&self) -> Option<u64> {
        None
    }

    fn request_time(&self) -> Option<u64> {
        None
    }

    fn has_record(&self) -> bool {
        true
    }

    fn has_permit(&self) -> bool {
        true
    }

    fn mark(&self) -> Option<Vec<u8>> {
        None
    }

    fn listener(&self) -> Option<String> {
        None
    }
}

/// A configuration whose first scope has these members too.
fn scoped(changes: Value) -> Value {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"]});
    let open = json!({"name": "orders:open", "methods": ["GET"], "paths": ["/v1/orders"]});
    with(config(), json!({"scopes": [with(scope, changes), open]}))
}

fn kept() -> Value {
    scoped(json!({"redirects": "same_authority"}))
}

fn request(scope: &str) -> Request {
    let token = Key::new(1).sign(&with(claims(), json!({ "scope": scope })));
    let mut request = Request::under(&token).header(":scheme", "https");
    request.route = Some("orders");
    request
}

/// A request that got its permit, whose response is this.
fn answered(config: &Value, scope: &str, response: &Response) -> (Stage, Option<Step>) {
    let mut stage = Stage::new(config);
    assert_permitted(&stage.request(1, &request(scope)));
    let step = stage.worker.response_begins(1, response, stage.now);
    (stage, step)
}

const ELSEWHERE: &str = "https://evil.example:8443/v1?key=secret";

#[test]
fn a_redirect_elsewhere_is_cut_and_says_where_it_led() {
    let (mut stage, step) = answered(&kept(), "orders:read", &moved(ELSEWHERE));
    let step = step.unwrap();
    assert_refused(&step, "redirect_elsewhere");
    let Step::Refuse(refusal, first) = &step else { panic!("{step:?}") };
    assert_eq!((refusal.reason.status(), refusal.grpc_status), (502, 13));
    assert!(refusal.headers.iter().all(|(name, _)| *name != "www-authenticate"));
    let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("to https://evil.example:8443,"), "{detail}");
    assert!(detail.contains("may have been carried out") && !detail.contains("secret"), "{detail}");
    assert_eq!(problem["title"], "The answer leads elsewhere");
    let first: Value = serde_json::from_str(first).unwrap();
    assert_eq!((&first["decision"], &first["phase"]), (&json!("cut"), &json!("decision")));
    // One cut, whatever else comes.
    assert!(stage.worker.response_begins(1, &moved(ELSEWHERE), stage.now).is_none());
    stage.wait_millis(900_000);
    assert!(stage.ended().is_empty());
    stage.worker.log_begins(1, &moved(ELSEWHERE));
    let last = stage.logged(1).unwrap();
    let said = (&last["decision"], &last["reason"], &last["scope"]);
    assert_eq!(said, (&json!("cut"), &json!("redirect_elsewhere"), &json!("orders:read")));
    assert!(!last.to_string().contains("evil"));
}

#[test]
fn where_no_host_is_plain_the_answer_says_so_without_one() {
    let (_, step) = answered(&kept(), "orders:read", &moved("https:\\\\evil.example"));
    let Some(Step::Refuse(refusal, _)) = step else { panic!("{step:?}") };
    let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("the answer leads to another authority"), "{detail}");
    assert!(detail.contains("may have been carried out"), "{detail}");
}

#[test]
fn what_stays_goes_on() {
    for response in [
        moved("/v1/orders/17"),
        moved("https://orders.internal/v1/orders"),
        response(&[(":status", "200")]),
        response(&[(":status", "201"), ("location", ELSEWHERE)]),
    ] {
        let (mut stage, step) = answered(&kept(), "orders:read", &response);
        assert!(step.is_none(), "{step:?}");
        assert_eq!(stage.logged(1).unwrap()["decision"], "allow");
    }
}

#[test]
fn the_default_and_another_scope_let_it_lead_anywhere_and_nothing_is_read() {
    let any = scoped(json!({"redirects": "any"}));
    for (config, scope) in [
        (scoped(json!({})), "orders:read"),
        (any, "orders:read"),
        (kept(), "orders:open"),
        // The scope that was judged by counts.
        (kept(), "orders:open orders:read"),
    ] {
        let response = moved(ELSEWHERE);
        let (_, step) = answered(&config, scope, &response);
        assert!(step.is_none(), "{scope}");
        assert_eq!(response.1.get(), 0, "no host call");
    }
    let (_, step) = answered(&kept(), "orders:read orders:open", &moved(ELSEWHERE));
    assert_refused(&step.unwrap(), "redirect_elsewhere");
}

#[test]
fn headers_that_cannot_be_read_do_not_pass() {
    let unreadable = Response(None, Cell::new(0));
    let (mut stage, step) = answered(&kept(), "orders:read", &unreadable);
    assert_refused(&step.unwrap(), "internal_error");
    assert_eq!(stage.logged(1).unwrap()["decision"], "cut");
}

#[test]
fn shadow_mode_says_it_and_lets_it_pass() {
    let shadow = with(kept(), json!({"enforcement": "shadow"}));
    let (mut stage, step) = answered(&shadow, "orders:read", &moved(ELSEWHERE));
    assert!(step.is_none());
    let counters = stage.tick().counters;
    let name = "breakglass.decision.shadow_deny.reason.redirect_elsewhere";
    assert!(counters.contains(&(name.into(), 1)), "{counters:?}");
    stage.worker.log_begins(1, &moved(ELSEWHERE));
    let record = stage.logged(1).unwrap();
    assert_eq!(
        (&record["decision"], &record["reason"]),
        (&json!("shadow_deny"), &json!("redirect_elsewhere"))
    );
}

#[test]
fn another_route_is_named_first_and_what_was_refused_is_left_alone() {
    let routed = scoped(json!({"redirects": "same_authority", "routes": ["billing"]}));
    let mut stage = Stage::new(&routed);
    let mut request = request("orders:read");
    request.route = Some("billing");
    assert_permitted(&stage.request(1, &request));
    let step = stage.worker.response_begins(1, &moved(ELSEWHERE), stage.now);
    assert_refused(&step.unwrap(), "route_changed");
    let mut stage = Stage::new(&kept());
    assert_refused(&stage.request(1, &self::request("orders:none")), "out_of_scope");
    assert!(stage.worker.response_begins(1, &moved(ELSEWHERE), stage.now).is_none());
}

#[test]
fn a_new_configuration_counts_for_answers_that_have_not_begun() {
    let supersede = |stage: &mut Stage, next: &Value| {
        assert!(stage.worker.supersede(Rc::new(parse(next).unwrap()), stage.now).is_empty());
    };
    for (old, new, is_cut) in [
        (scoped(json!({})), kept(), true),
        (kept(), scoped(json!({})), true),
        (scoped(json!({})), scoped(json!({})), false),
    ] {
        let mut stage = Stage::new(&old);
        assert_permitted(&stage.request(1, &request("orders:read")));
        supersede(&mut stage, &new);
        let step = stage.worker.response_begins(1, &moved(ELSEWHERE), stage.now);
        assert_eq!(step.is_some(), is_cut);
    }
}

#[test]
fn there_are_two_words_for_it() {
    let errors = parse(&scoped(json!({"redirects": "same_origin"}))).unwrap_err();
    assert_eq!(errors.len(), 1);
    let error = errors[0].to_string();
    assert!(error.contains("scopes[0].redirects") && error.contains("same_authority"), "{error}");
}
