//! The route that was used is compared with the one that was judged: when the response begins, and in the log.

use std::cell::Cell;
use std::rc::Rc;

use breakglass_core::config::ConfigDigest;
use breakglass_core::sharing::{Board, Version, Written, is_first_to_warn};
use breakglass_core::step::Step;
use breakglass_core::{Attributes, StreamState};
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Shelf, Stage, asking_config, assert_permitted, assert_refused, claims,
    config, feeding_config, parse, test, with,
};

/// A configuration whose first scope has these members too.
fn scoped(base: Value, changes: Value) -> Value {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"]});
    with(base, json!({"scopes": [with(scope, changes)]}))
}

fn routed() -> Value {
    scoped(config(), json!({"routes": ["orders", "orders-v2"]}))
}

fn request() -> Request {
    on(Some("orders"))
}

fn on(route: Option<&'static str>) -> Request {
    let mut request = Request::under(&Key::new(1).sign(&claims()));
    request.route = route;
    request
}

/// Envoy after the request was decided: the route that was used, how often it was asked for, and whether it belongs to
/// a redirect that Envoy has followed itself.
struct After(Option<&'static str>, Cell<u32>, bool);

fn after(route: Option<&'static str>) -> After {
    After(route, Cell::new(0), false)
}

impl Attributes for After {
    fn source_address(&self) -> Option<Vec<u8>> {
        None
    }

    fn route_name(&self) -> Option<Vec<u8>> {
        self.1.set(self.1.get().saturating_add(1));
        self.0.map(|name| name.as_bytes().to_vec())
    }

    fn is_internal_redirect(&self) -> bool {
        self.2
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        None
    }
}

impl StreamState for After {
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

/// A request that got its permit, whose response begins on this route.
fn answered(config: &Value, used: Option<&'static str>) -> (Stage, Option<Step>) {
    let mut stage = Stage::new(config);
    assert_permitted(&stage.request(1, &request()));
    let step = stage.worker.response_begins(1, &after(used), stage.now);
    (stage, step)
}

fn logged(stage: &mut Stage, used: Option<&'static str>) -> Value {
    stage.worker.log_begins(1, &after(used));
    stage.logged(1).unwrap()
}

/// What a record says of the routes.
fn said(record: &Value) -> (&str, &str, &Value, Option<&Value>) {
    let text = |member: &str| record[member].as_str().unwrap();
    (text("decision"), text("reason"), &record["route"], record.get("route_used"))
}

/// How often each decision was counted.
fn counted(stage: &mut Stage) -> Vec<(String, u64)> {
    stage.tick().counters
}

#[test]
fn a_permit_that_was_used_on_another_route_is_cut() {
    for (used, recorded) in [
        (Some("billing"), json!("billing")),
        (Some("orders "), json!("orders ")),
        (Some("Orders"), json!("Orders")),
        // No route, one without a name, and one whose name is not text.
        (None, json!(null)),
    ] {
        let (mut stage, step) = answered(&routed(), used);
        let step = step.unwrap();
        assert_refused(&step, "route_changed");
        let Step::Refuse(refusal, first) = &step else { panic!("{step:?}") };
        let first: Value = serde_json::from_str(first).unwrap();
        let wanted = ("cut", "route_changed", &json!("orders"), Some(&recorded));
        assert_eq!((said(&first), &first["phase"]), (wanted, &json!("decision")));
        assert_eq!((refusal.reason.status(), refusal.grpc_status), (403, 7));
        assert!(refusal.headers.iter().all(|(name, _)| *name != "www-authenticate"));
        let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("may have been carried out"), "{detail}");
        assert_eq!(problem["grant"]["scopes"][0]["routes"], json!(["orders", "orders-v2"]));
        assert!(problem.get("remedy").is_none(), "no other grant would help");
        // One cut, whatever else comes.
        assert!(stage.worker.response_begins(1, &after(used), stage.now).is_none());
        stage.wait_millis(900_000);
        assert!(stage.ended().is_empty());
        let last = logged(&mut stage, used);
        assert_eq!((said(&last), &last["phase"]), (wanted, &json!("end")));
        assert_eq!((&last["scope"], &last["rule"]), (&json!("orders:read"), &json!("/v1/orders")));
    }
}

#[test]
fn it_is_counted() {
    let (mut stage, _) = answered(&routed(), Some("billing"));
    let counts = counted(&mut stage);
    assert!(
        counts.contains(&("breakglass.decision.cut.reason.route_changed".into(), 1)),
        "{counts:?}"
    );
    let (mut stage, _) = answered(&routed(), Some("orders"));
    assert!(counted(&mut stage).iter().all(|(name, _)| !name.contains("route_changed")));
}

#[test]
fn a_route_of_the_scope_is_as_good_as_the_judged_one() {
    let (mut stage, step) = answered(&routed(), Some("orders"));
    assert!(step.is_none());
    let record = logged(&mut stage, Some("billing"));
    assert_eq!(said(&record), ("allow", "permit_unverified", &json!("orders"), None), "asked once");
    let (mut stage, step) = answered(&routed(), Some("orders-v2"));
    assert!(step.is_none());
    let record = logged(&mut stage, None);
    let v2 = json!("orders-v2");
    assert_eq!(said(&record), ("allow", "permit_unverified", &json!("orders"), Some(&v2)));
}

#[test]
fn a_scope_without_routes_records_the_route_and_cuts_nothing() {
    let open = scoped(config(), json!({}));
    for (used, recorded) in [
        (Some("billing"), Some(json!("billing"))),
        (None, Some(json!(null))),
        (Some("orders"), None),
    ] {
        let (mut stage, step) = answered(&open, used);
        assert!(step.is_none());
        let record = logged(&mut stage, used);
        let wanted = ("allow", "permit_unverified", &json!("orders"), recorded.as_ref());
        assert_eq!(said(&record), wanted);
    }
    // Where there was no route to judge by either, nothing differs.
    let mut stage = Stage::new(&open);
    assert_permitted(&stage.request(1, &on(None)));
    assert!(stage.worker.response_begins(1, &after(None), stage.now).is_none());
    assert_eq!(said(&logged(&mut stage, None)), ("allow", "permit_unverified", &json!(null), None));
    // A scope that names routes lets none through that has none.
    let mut stage = Stage::new(&routed());
    assert_refused(&stage.request(1, &on(None)), "out_of_scope");
}

#[test]
fn a_response_that_never_begins_is_compared_in_the_log() {
    let mut stage = Stage::new(&routed());
    assert_permitted(&stage.request(1, &request()));
    let record = logged(&mut stage, Some("billing"));
    let billing = json!("billing");
    assert_eq!(said(&record), ("cut", "route_changed", &json!("orders"), Some(&billing)));
    let counts = counted(&mut stage);
    assert!(
        counts.contains(&("breakglass.decision.cut.reason.route_changed".into(), 1)),
        "{counts:?}"
    );
    let mut stage = Stage::new(&scoped(config(), json!({})));
    assert_permitted(&stage.request(1, &request()));
    let record = logged(&mut stage, Some("billing"));
    assert_eq!(said(&record), ("allow", "permit_unverified", &json!("orders"), Some(&billing)));
}

#[test]
fn in_shadow_mode_it_is_counted_and_recorded_and_goes_on() {
    let shadow = with(routed(), json!({"enforcement": "shadow"}));
    let (mut stage, step) = answered(&shadow, Some("billing"));
    assert!(step.is_none());
    let counts = counted(&mut stage);
    let name = "breakglass.decision.shadow_deny.reason.route_changed".to_owned();
    assert!(counts.contains(&(name.clone(), 1)), "{counts:?}");
    let record = logged(&mut stage, Some("billing"));
    let billing = json!("billing");
    assert_eq!(said(&record), ("shadow_deny", "route_changed", &json!("orders"), Some(&billing)));
    assert!(counted(&mut stage).iter().all(|(counted, _)| *counted != name), "once");
    // In the log alone.
    let mut stage = Stage::new(&shadow);
    assert_permitted(&stage.request(1, &request()));
    assert_eq!(said(&logged(&mut stage, None)).0, "shadow_deny");
    // Nothing of it takes away from what shadow mode does with time.
    let (mut stage, _) = answered(&shadow, Some("billing"));
    stage.wait_millis(900_000);
    assert!(stage.ended().is_empty());
}

#[test]
fn only_a_permit_costs_a_look() {
    let mut stage = Stage::new(&routed());
    let look = after(Some("billing"));
    let step = stage.request(1, &Request::new("GET", "/v1/orders"));
    assert!(matches!(step, Step::Pass(_)));
    assert_refused(&stage.request(2, &on(Some("billing"))), "out_of_scope");
    for stream in [1, 2, 3] {
        assert!(stage.worker.response_begins(stream, &look, stage.now).is_none());
        stage.worker.log_begins(stream, &look);
    }
    assert_eq!(look.1.get(), 0);
    assert_eq!(stage.logged(2).unwrap()["reason"], "out_of_scope");
    let look = after(Some("orders"));
    assert_permitted(&stage.request(4, &request()));
    assert!(stage.worker.response_begins(4, &look, stage.now).is_none());
    stage.worker.log_begins(4, &look);
    assert_eq!(look.1.get(), 1);
    // One that waits has no route to compare yet.
    let mut stage = Stage::new(&scoped(asking_config(), json!({"routes": ["orders"]})));
    assert!(matches!(stage.request(1, &request()), Step::Wait));
    assert!(stage.worker.response_begins(1, &look, stage.now).is_none());
    stage.worker.log_begins(1, &look);
    assert_eq!((look.1.get(), &stage.logged(1).unwrap()["reason"]), (1, &json!("client_gone")));
}

#[test]
fn a_permit_after_a_wait_is_compared_too() {
    let mut stage = Stage::new(&scoped(asking_config(), json!({"routes": ["orders"]})));
    assert!(matches!(stage.request(1, &request()), Step::Wait));
    let call = stage.call();
    let steps = stage.answer(&call, 200, &json!({"active": true}));
    assert_permitted(&steps[0].1);
    let step = stage.worker.response_begins(1, &after(Some("billing")), stage.now);
    assert_refused(&step.unwrap(), "route_changed");
}

#[test]
fn what_was_cut_for_another_reason_keeps_it_and_says_which_route_was_used() {
    let mut stage = Stage::new(&scoped(feeding_config(), json!({"routes": ["orders"]})));
    let call = stage.call();
    stage.answer(&call, 200, &json!({"epoch": 7, "revoked": [], "reset": true}));
    assert_permitted(&stage.request(1, &request()));
    stage.wait_millis(50);
    let call = stage.call();
    let revoked = json!([{"jti": "grant-1", "exp": NOW + 800}]);
    let steps = stage.answer(&call, 200, &json!({"epoch": 8, "revoked": revoked, "reset": false}));
    assert_refused(&steps[0].1, "revoked");
    // Its answer is ours: its headers pass this filter too.
    assert!(stage.worker.response_begins(1, &after(Some("billing")), stage.now).is_none());
    let record = logged(&mut stage, Some("billing"));
    assert_eq!(said(&record), ("cut", "revoked", &json!("orders"), Some(&json!("billing"))));
}

#[test]
fn the_scope_by_which_it_was_judged_counts_whatever_the_configuration_is_now() {
    let mut stage = Stage::new(&routed());
    assert_permitted(&stage.request(1, &request()));
    let wider = scoped(config(), json!({"routes": ["orders", "billing"]}));
    let steps = stage.worker.supersede(Rc::new(parse(&wider).unwrap()), stage.now);
    assert!(steps.is_empty());
    let step = stage.worker.response_begins(1, &after(Some("billing")), stage.now);
    assert_refused(&step.unwrap(), "route_changed");
}

#[test]
fn a_new_configuration_ends_what_runs_on_a_route_that_it_does_not_name() {
    for (routes, ends) in [
        (json!(["orders", "orders-v2"]), false),
        (json!(["orders"]), true),
        (json!(["orders-v2"]), true),
        (json!(null), false),
    ] {
        let (mut stage, step) = answered(&routed(), Some("orders-v2"));
        assert!(step.is_none());
        let next = scoped(config(), json!({ "routes": routes }));
        let steps = stage.worker.supersede(Rc::new(parse(&next).unwrap()), stage.now);
        assert_eq!(steps.len(), usize::from(ends), "{routes} {steps:?}");
    }
}

#[test]
fn the_name_of_a_route_is_bounded_and_is_there_while_the_request_runs() {
    let long: &'static str = "\"\u{1}".repeat(10_000).leak();
    let mut stage = Stage::new(&scoped(config(), json!({})));
    assert_permitted(&stage.request(1, &request()));
    assert!(stage.worker.response_begins(1, &after(Some(long)), stage.now).is_none());
    stage.wait_millis(600_000);
    let steps = stage.tick().steps;
    let [(1, Step::Note(start))] = steps.as_slice() else { panic!("{steps:?}") };
    let start: Value = serde_json::from_str(start).unwrap();
    let end = stage.logged(1).unwrap();
    for record in [&start, &end] {
        let used = record["route_used"].as_str().unwrap();
        assert!(long.starts_with(used) && (60..512).contains(&used.len()), "{}", used.len());
    }
}

#[test]
fn a_redirect_that_envoy_follows_is_another_request() {
    let mut stage = Stage::new(&routed());
    assert_permitted(&stage.request(1, &request()));
    stage.worker.log_begins(1, &After(Some("billing"), Cell::new(0), true));
    let billing = json!("billing");
    let record = stage.logged(1).unwrap();
    assert_eq!(said(&record), ("allow", "permit_unverified", &json!("orders"), Some(&billing)));
    assert!(counted(&mut stage).iter().all(|(name, _)| !name.contains("route_changed")));
}

#[test]
fn a_scope_of_which_routes_alone_say_what_it_opens_draws_a_warning() {
    let warnings = |changes: Value| parse(&scoped(config(), changes)).unwrap().warnings();
    for (paths, named) in
        [(json!(["/**"]), "`/**`"), (json!(["/v1/orders", "/{any}/**"]), "`/{any}/**`")]
    {
        let [warning] = &warnings(json!({"routes": ["orders"], "paths": paths}))[..] else {
            panic!("one for {paths}");
        };
        assert!(warning.starts_with("scopes (`orders:read`): `routes` alone"), "{warning}");
        assert!(warning.contains(named) && warning.contains("name the hosts"), "{warning}");
        assert!(warnings(json!({ "paths": paths })).is_empty(), "it is what it says");
        let hosts = json!({"routes": ["orders"], "hosts": ["*.internal"], "paths": paths});
        assert!(warnings(hosts).is_empty());
    }
    for paths in [json!(["/v1/**"]), json!(["/{any}/orders/**"]), json!(["/", "/{any}"])] {
        assert!(warnings(json!({"routes": ["orders"], "paths": paths})).is_empty(), "{paths}");
    }
}

#[test]
fn of_the_vms_of_a_process_one_warns_of_a_configuration() {
    let (one, other) = (Shelf::default(), Shelf::default());
    let digest = |text: &str| ConfigDigest::of(text.as_bytes());
    assert!(is_first_to_warn(&one, digest("{}")));
    assert!(!is_first_to_warn(&one, digest("{ }")), "the same configuration");
    assert!(is_first_to_warn(&one, digest("[]")), "another configuration");
    assert!(is_first_to_warn(&other, digest("{}")), "another process");
    assert!(is_first_to_warn(&one, None) && is_first_to_warn(&one, None));
    struct NoBoard;
    impl Board for NoBoard {
        fn read(&self, _: &str) -> Option<(Vec<u8>, Version)> {
            None
        }
        fn write(&self, _: &str, _: &[u8], _: Option<Version>) -> Written {
            Written::Unavailable
        }
    }
    assert!(is_first_to_warn(&NoBoard, digest("{}")) && is_first_to_warn(&NoBoard, digest("{}")));
}
