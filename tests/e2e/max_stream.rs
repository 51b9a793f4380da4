//! How long one stream may run: a permit lifts the limit of an Envoy cluster, which `max_stream` repeats, and lifts
//! no other one.

use std::time::Duration;

use breakglass_tests::bootstrap::Delivery;
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{End, Kind, Live, TRICKLING};
use breakglass_tests::policy::standard;
use breakglass_tests::tokens::since_1970;
use breakglass_tests::upstream::HANGING;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use crate::carriers::manager;
use crate::cuts::{SCOPES, assert_cut};

/// The limit, everywhere in these tests.
const LIMIT: Duration = Duration::from_secs(2);

/// How much later than its limit a stream may end: what `cuts.rs` gives a cut.
const LATE: Duration = Duration::from_millis(250);

/// How much sooner Envoy may end it: its timers count from the time at which a round of its loop began.
const EARLY: Duration = Duration::from_millis(20);

/// Where a limit of Envoy's own stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limited {
    Cluster,
    Route,
    Manager,
    Nowhere,
}

/// A gate whose scopes say this of `max_stream`, and whose Envoy has a limit of its own.
fn gate(limited: Limited, max_stream: Option<&str>) -> Gate {
    let plan = Plan::standard().filter(|filter| bound(filter, max_stream));
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        let limit = json!({"max_stream_duration": "2s"});
        match limited {
            Limited::Nowhere => {}
            Limited::Manager => manager(&mut bootstrap)["common_http_protocol_options"] = limit,
            Limited::Route => {
                let routes = &mut manager(&mut bootstrap)["route_config"]["virtual_hosts"][0]["routes"];
                for route in routes.as_array_mut().unwrap() {
                    route["route"]["max_stream_duration"] = limit.clone();
                }
            }
            Limited::Cluster => {
                let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
                let cluster = &mut bootstrap["static_resources"]["clusters"][0];
                cluster["typed_extension_protocol_options"][options]["common_http_protocol_options"] =
                    limit;
            }
        }
        bootstrap.to_string()
    })
}

fn bound(filter: &mut Value, max_stream: Option<&str>) {
    for scope in filter["scopes"].as_array_mut().unwrap() {
        if let Some(longest) = max_stream {
            scope["max_stream"] = json!(longest);
        }
    }
}

fn token(gate: &Gate) -> String {
    gate.mint().scope(&SCOPES.join(" ")).sign()
}

/// How long a stream lasted from a moment before it began.
fn lasted(stream: &Live, from: Duration) -> (Duration, End) {
    let end = stream.ended();
    let lasted = end.at.checked_sub(from).unwrap();
    println!("{:?} lasted {lasted:?}: {}", stream.kind, end.how);
    (lasted, end)
}

#[test]
fn what_repeats_the_limit_of_a_cluster_ends_every_kind_of_stream_and_is_named() {
    let gate = gate(Limited::Cluster, Some("2s"));
    let token = token(&gate);
    for kind in Kind::ALL {
        let from = since_1970();
        let stream = Live::begin(kind, gate.envoy.address(), &token);
        let (lasted, _) = lasted(&stream, from);
        assert!(lasted >= LIMIT && lasted <= LIMIT + LATE * 2, "{kind:?}: {lasted:?}");
        let status = if kind == Kind::WebSocket { 101 } else { 200 };
        assert_cut(&gate.envoy.record(&stream.id), "max_stream", status);
    }
    gate.counts("cut", "max_stream", 5);
    gate.has_its_first_vms();
}

#[test]
fn an_answer_that_has_not_begun_is_a_refusal_that_says_why() {
    let gate = gate(Limited::Nowhere, Some("2s"));
    let request = get(format!("/v1/orders{HANGING}")).token(token(&gate));
    let answer = gate.send(&request);
    let problem = answer.json();
    let reason = problem["reason"].as_str().unwrap();
    assert_eq!((answer.status, reason), (403, "max_stream"));
    assert!(problem["detail"].as_str().unwrap().contains("`max_stream`"), "{problem}");
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(gate.upstream.saw(&request.id).is_some(), "the call has happened");
    assert_cut(&gate.envoy.record(&request.id), "max_stream", 403);
    gate.has_its_first_vms();
}

#[test]
fn without_it_a_permit_lifts_the_limit_of_a_cluster_as_documented() {
    let gate = gate(Limited::Cluster, None);
    let (token, from) = (token(&gate), since_1970());
    let stream = Live::begin(Kind::Http2, gate.envoy.address(), &token);
    // Without a token the limit holds, and is Envoy's.
    let unpermitted = get(format!("/v1/orders{TRICKLING}"));
    let _connection = gate.begin(&unpermitted);
    let record = until("Envoy to end it", || {
        let mut records = gate.envoy.records().into_iter();
        records.find(|record| record.request_id() == Some(&unpermitted.id))
    });
    assert!(record.audit().is_none());
    assert_eq!(record.details(), "upstream_max_stream_duration_reached");
    until("twice the limit", || (since_1970() > from + LIMIT * 2).then_some(()));
    stream.goes_on();
    gate.has_its_first_vms();
}

#[test]
fn the_limits_of_a_route_and_of_a_connection_manager_hold_under_a_permit() {
    for limited in [Limited::Route, Limited::Manager] {
        for max_stream in [None, Some("10m")] {
            let gate = gate(limited, max_stream);
            let (token, from) = (token(&gate), since_1970());
            let stream = Live::begin(Kind::Http2, gate.envoy.address(), &token);
            let (lasted, _) = lasted(&stream, from);
            let (least, most) = (LIMIT - EARLY, LIMIT + LATE * 2);
            assert!(lasted >= least && lasted <= most, "{limited:?}: {lasted:?}");
            // It is Envoy that ends it, and not we.
            let record = gate.envoy.record(&stream.id);
            assert_eq!(record.audit().unwrap().text_of("decision"), Some("allow"));
            assert_eq!(record.details(), "max_duration_timeout", "{limited:?}");
        }
    }
}

#[test]
fn of_two_scopes_of_a_token_the_one_that_was_judged_by_bounds() {
    let plan = Plan::standard().filter(|filter| {
        filter["scopes"][0]["max_stream"] = json!("2s");
        let long = json!({"name": "orders:long", "methods": ["GET"], "paths": ["/v1/orders/**"],
            "max_stream": "10m"});
        filter["scopes"].as_array_mut().unwrap().push(long);
    });
    let gate = plan.start();
    let begin = |scopes: &str| {
        let token = gate.mint().scope(scopes).sign();
        Live::begin(Kind::Http2, gate.envoy.address(), &token)
    };
    let (short, long) = (begin("orders:read orders:long"), begin("orders:long orders:read"));
    let _ = short.ended();
    assert_cut(&gate.envoy.record(&short.id), "max_stream", 200);
    long.goes_on();
}

#[test]
fn a_new_configuration_shortens_what_runs() {
    for delivery in [Delivery::Listener, Delivery::Extension] {
        let mut gate = Plan::standard().delivered_by(delivery).start();
        let (token, from) = (token(&gate), since_1970());
        let stream = Live::begin(Kind::Http2, gate.envoy.address(), &token);
        let mut next = standard(&[&gate.key]);
        bound(&mut next, Some("6s"));
        gate.envoy.update(&next.to_string());
        let (lasted, _) = lasted(&stream, from);
        // From its permit on, and not from the change on.
        assert!(lasted >= LIMIT * 3 && lasted <= LIMIT * 3 + LATE * 2, "{delivery:?}: {lasted:?}");
        assert_cut(&gate.envoy.record(&stream.id), "max_stream", 200);
        gate.has_its_first_vms();
    }
}
