//! The filter twice in one chain, as two EnvoyFilters that overlap put it there: with one configuration the second
//! instance steps aside, and with two it refuses every permit; the log has one whole record of each request either way.

use std::thread;
use std::time::Duration;

use breakglass_tests::artefacts;
use breakglass_tests::client::{Request, connect, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::grpc::call;
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::record::Record;
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use crate::carriers::manager;
use crate::cuts::{SCOPES, assert_cut, one_of_each};
use crate::trail;

/// Which VM the other instance is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vm {
    /// That of the first: Envoy tells them by `vm_id`, code and VM configuration.
    Same,
    /// One of its own.
    Other,
}

const VMS: [Vm; 2] = [Vm::Same, Vm::Other];

/// The filters of the generated chain, the first of which is breakglass.
fn filters(bootstrap: &mut Value) -> &mut Vec<Value> {
    manager(bootstrap)["http_filters"].as_array_mut().unwrap()
}

/// Changes the configuration of a filter.
fn configure(filter: &mut Value, change: impl FnOnce(&mut Value)) {
    let text = &mut filter["typed_config"]["config"]["configuration"]["value"];
    let mut configuration = serde_json::from_str(text.as_str().unwrap()).unwrap();
    change(&mut configuration);
    *text = json!(configuration.to_string());
}

fn set_vm(filter: &mut Value, vm: Vm) {
    if vm == Vm::Other {
        filter["typed_config"]["config"]["vm_config"]["vm_id"] = json!("breakglass-tests-5b02");
    }
}

/// A gate with a second instance directly behind the first, with another configuration where `change` makes one.
fn twice(plan: Plan, vm: Vm, change: impl FnOnce(&mut Value)) -> Gate {
    chain(plan, |filters| {
        let mut second = filters[0].clone();
        second["name"] = json!("breakglass-2");
        set_vm(&mut second, vm);
        configure(&mut second, change);
        filters.insert(1, second);
    })
}

/// A gate with another chain.
fn chain(plan: Plan, change: impl FnOnce(&mut Vec<Value>)) -> Gate {
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        change(filters(&mut bootstrap));
        bootstrap.to_string()
    })
}

fn same(_: &mut Value) {}

/// Another digest, and the same decisions.
fn another(configuration: &mut Value) {
    configuration["clock_skew"] = json!("6s");
}

/// The log says once that the filter is there twice, and why that matters here.
fn assert_said_once(gate: &Gate, wanted: &str) {
    let said = || {
        let log = gate.envoy.log();
        let lines = log.lines().filter(|line| line.contains("has this filter twice"));
        lines.filter(|line| line.contains(wanted)).map(str::to_owned).collect::<Vec<_>>()
    };
    until("the log to say it", || (!said().is_empty()).then_some(()));
    let lines = said();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("EnvoyFilter"), "{line}");
    assert!(line.contains(&format!("at {}", gate.envoy.address())), "{line}");
}

/// The request is refused by the second instance, and the record is the first one's.
fn refuses_unrecorded(gate: &Gate, request: &Request, status: u16, reason: &str) -> Record {
    let answer = gate.send(request);
    assert_eq!((answer.status, &answer.json()["reason"]), (status, &json!(reason)), "{answer:?}");
    assert!(gate.upstream.saw(&request.id).is_none());
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.details(), format!("breakglass_{reason}"));
    record
}

/// It refuses a permit; the record has the permit of the first instance, and the status of the second.
fn refuses_permit(gate: &Gate, request: &Request) {
    let record = refuses_unrecorded(gate, request, 500, "configured_twice");
    let audit = record.audit().unwrap();
    assert!(audit.is_complete(), "{}", audit.text);
    assert_eq!((audit.text_of("decision"), audit.text_of("phase")), (Some("allow"), Some("end")));
    assert_eq!(audit.of("status"), 500);
}

#[test]
fn the_second_of_two_with_one_configuration_steps_aside() {
    for vm in VMS {
        println!("{vm:?}");
        let gate = twice(Plan::standard(), vm, same);
        let mint = || gate.mint();
        let spoofed = get("/v1/orders").token(mint().sign()).header("x-breakglass-grant", "forged");
        gate.allows(&get("/v1/orders").token(mint().sign()));
        gate.allows(&spoofed);
        // Where the path is protected: the second does not ask for the token that the first took away.
        gate.allows(&get("/admin/users").token(mint().scope("admin:read").sign()));
        // What a later filter sees.
        gate.allows(&get("/guarded/x").token(mint().scope("guarded:read").sign()));
        gate.refuses(&get("/admin/users"), 401, "token_missing");
        gate.refuses(&get("/v1/invoices").token(mint().sign()), 403, "out_of_scope");
        gate.refuses(&get("/v1/orders").token("no.token.this"), 401, "token_malformed");
        gate.passes(&get("/v1/invoices"));
        gate.passes(&get("/v1/orders").header("x-breakglass-grant", "forged"));
        gate.counts("allow", "permit", 4);
        gate.counts("deny", "token_missing", 1);
        gate.counts("deny", "configured_twice", 0);
        assert_said_once(&gate, "with the same configuration, and this instance steps aside");
        gate.still_serves();
    }
}

#[test]
fn a_forwarded_token_is_judged_once() {
    let forward = json!([{"header": "x-breakglass-token", "forward": true}]);
    for vm in VMS {
        let gate = twice(Plan::standard().set("/token_sources", forward.clone()), vm, same);
        let token = gate.mint().sign();
        let allowed = gate.allows(&get("/v1/orders").token(&token));
        assert_eq!(allowed.seen.header("x-breakglass-token"), Some(&*token));
        gate.refuses(&get("/v1/invoices").token(&token), 403, "out_of_scope");
        gate.counts("allow", "permit", 1);
        gate.still_serves();
    }
}

#[test]
fn in_shadow_mode_the_record_is_the_first_one_s_too() {
    let plan = Plan::standard().set("/enforcement", json!("shadow"));
    let gate = twice(plan, Vm::Other, same);
    let token = gate.mint().sign();
    for (request, reason) in [
        (get("/v1/invoices").token(&token), "out_of_scope"),
        (get("/admin/users").token(&token), "out_of_scope"),
        (get("/admin/users"), "token_missing"),
    ] {
        assert_eq!(gate.send(&request).status, 200);
        let record = gate.envoy.record(&request.id);
        let audit = record.audit().unwrap();
        assert_eq!(audit.text_of("decision"), Some("shadow_deny"), "{}", audit.text);
        assert_eq!(audit.text_of("reason"), Some(reason), "{}", audit.text);
    }
    gate.counts("shadow_deny", "token_missing", 1);
    gate.allows(&get("/v1/orders").token(&token));
}

/// A gate that follows the real feed, reports its heads, and knows the feed.
fn following(service: &Service, vm: Vm) -> Gate {
    let gate = twice(trail::plan(service).set("/clock_skew", json!("0s")), vm, same);
    let (_, token) = service.grant(&SCOPES, "10m");
    until("the feed to be known", || {
        (gate.send(&get("/v1/orders").token(&token)).status == 200).then_some(())
    });
    gate
}

fn assert_all_cut(gate: &Gate, streams: &[Live], reason: &str) {
    for stream in streams {
        let _ = stream.ended();
        let status = if stream.kind == Kind::WebSocket { 101 } else { 200 };
        assert_cut(&gate.envoy.record(&stream.id), reason, status);
    }
}

#[test]
fn streams_are_cut_once_and_no_record_is_lost() {
    for vm in VMS {
        println!("{vm:?}");
        let service = Service::start();
        let gate = following(&service, vm);
        let (grant, token) = service.grant(&SCOPES, "10m");
        let (other_grant, other) = service.grant(&SCOPES, "10m");
        let (_, short) = service.grant(&SCOPES, "6s");
        let expiring = one_of_each(&gate, &short);
        let streams: Vec<Live> = (0..4).flat_map(|_| one_of_each(&gate, &token)).collect();
        let others = one_of_each(&gate, &other);
        // Long enough to leave records of their starts.
        thread::sleep(Duration::from_millis(1_500));
        streams.iter().chain(&others).for_each(Live::goes_on);
        service.revoke(&grant);
        assert_all_cut(&gate, &streams, "revoked");
        assert_all_cut(&gate, &expiring, "token_expired");
        others.iter().for_each(Live::goes_on);
        gate.refuses(&get("/v1/orders").token(&token), 401, "revoked");
        gate.refuses(&get("/admin/users"), 401, "token_missing");
        gate.allows(&get("/v1/orders").token(&other));
        // What still runs has left a record that no log has yet.
        service.revoke(&other_grant);
        assert_all_cut(&gate, &others, "revoked");
        gate.has_its_first_vms();
        let verdict = trail::until_reported(&service, &gate.envoy.access_log());
        assert_eq!(verdict["completeness"]["counts"], json!({}), "{verdict}");
        assert_eq!(verdict["integrity"]["counts"], json!({}), "{verdict}");
    }
}

#[test]
fn with_two_configurations_every_permit_is_refused_and_the_records_are_whole() {
    for vm in VMS {
        for first_is_other in [false, true] {
            println!("{vm:?} {first_is_other}");
            let service = Service::start();
            let gate = chain(trail::plan(&service), |filters| {
                let mut second = filters[0].clone();
                second["name"] = json!("breakglass-2");
                set_vm(&mut second, vm);
                let changed = if first_is_other { &mut filters[0] } else { &mut second };
                configure(changed, another);
                filters.insert(1, second);
            });
            let (_, token) = service.grant(&SCOPES, "10m");
            // Until the feed is known the first one refuses.
            until("the feed to be known", || {
                (gate.send(&get("/v1/orders").token(&token)).status == 500).then_some(())
            });
            refuses_permit(&gate, &get("/v1/orders").token(&token));
            gate.refuses(&get("/v1/invoices").token(&token), 403, "out_of_scope");
            gate.refuses(&get("/admin/users"), 401, "token_missing");
            gate.passes(&get("/v1/orders"));
            gate.passes(&get("/v1/orders").header("x-breakglass-grant", "forged"));
            let answer = call(
                gate.envoy.address(),
                "/test.Orders/List",
                &[("x-request-id", "grpc-twice"), ("x-breakglass-token", &token)],
            );
            assert_eq!((answer.http_status, answer.status()), (200, Some("13")), "{answer:?}");
            assert!(answer.message().unwrap().starts_with("configured_twice: "), "{answer:?}");
            assert_said_once(&gate, "the first one has another configuration");
            gate.has_its_first_vms();
            let verdict = trail::until_reported(&service, &gate.envoy.access_log());
            assert_eq!(verdict["completeness"]["counts"], json!({}), "{verdict}");
        }
    }
}

#[test]
fn the_second_keeps_its_own_rules() {
    let gate = twice(Plan::standard(), Vm::Other, |second| {
        second["protected"] = json!([{"paths": ["/private/**"]}]);
        second["ceiling"] = json!([{"paths": ["/v1/orders/7"]}]);
    });
    // The first one has no record of it, so the second one's is the only one.
    gate.refuses(&get("/private/x"), 401, "token_missing");
    let token = gate.mint().sign();
    let record = refuses_unrecorded(&gate, &get("/v1/orders/7").token(&token), 403, "ceiling");
    assert_eq!(record.audit().unwrap().text_of("decision"), Some("allow"));
    refuses_permit(&gate, &get("/v1/orders/8").token(&token));
    gate.passes(&get("/v1/orders/7"));
    gate.has_its_first_vms();
}

#[test]
fn without_a_credential_two_of_one_configuration_count_as_two() {
    for vm in VMS {
        let bare = |filter: &mut Value| {
            filter["revocation"].as_object_mut().unwrap().remove("credential");
        };
        let gate = twice(Plan::standard().filter(bare), vm, same);
        refuses_permit(&gate, &get("/v1/orders").token(gate.mint().sign()));
        gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
        gate.passes(&get("/v1/orders"));
        assert_said_once(&gate, "without revocation.credential");
    }
}

#[test]
fn a_path_that_is_changed_in_between_was_not_judged_by_the_first() {
    let gate = chain(Plan::standard(), |filters| {
        let second = filters[0].clone();
        let script = "function envoy_on_request(handle)
            local headers = handle:headers()
            if headers:get('x-rewrite') then headers:replace(':path', headers:get('x-rewrite')) end
        end";
        let lua = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua";
        filters.insert(
            1,
            json!({"name": "lua", "typed_config": {"@type": lua,
            "default_source_code": {"inline_string": script}}}),
        );
        filters.insert(2, second);
    });
    let token = gate.mint().sign();
    gate.allows(&get("/v1/orders").token(&token));
    let rewritten = get("/v1/orders").token(&token).header("x-rewrite", "/admin/users");
    refuses_permit(&gate, &rewritten);
    refuses_permit(&gate, &get("/v1/orders").token(&token).header("x-rewrite", "/v1/orders?a"));
    assert_said_once(&gate, "a filter in between changed the method, host or path");
}

/// A plugin in front that writes filter state: the mark of the request before on the same connection, and garbage.
#[test]
fn a_mark_that_another_plugin_writes_opens_nothing() {
    let gate = chain(Plan::standard(), |filters| {
        let mut forger = filters[0].clone();
        forger["name"] = json!("forger");
        let vm = &mut forger["typed_config"]["config"]["vm_config"];
        vm["vm_id"] = json!("another-plugin-0c4d");
        vm["code"]["local"]["filename"] = json!(artefacts::panicking_filter());
        filters.insert(0, forger);
    });
    let forging = |path: &str, what: &str| get(path).header("x-forge-on-purpose", what);
    let token = gate.mint().scope("admin:read").sign();
    let mut connection = connect(gate.envoy.address());
    for (what, status, reason) in [
        ("replay", 401, "token_missing"),
        ("garbage", 401, "token_missing"),
        ("replay a permit", 500, "configured_twice"),
        ("garbage and a permit", 500, "configured_twice"),
    ] {
        println!("{what}");
        let honest = forging("/admin/users", "nothing").token(&token);
        assert_eq!(honest.send_over(&mut connection).status, 200);
        assert_eq!(gate.envoy.record(&honest.id).decision(), Some("allow"));
        let forged = forging("/admin/users", what);
        let answer = forged.send_over(&mut connection);
        assert_eq!((answer.status, &answer.json()["reason"]), (status, &json!(reason)));
        assert!(gate.upstream.saw(&forged.id).is_none());
        // A holder is refused too: nothing passes that is not recorded.
        let held = forging("/admin/users", what).token(&token);
        let answer = held.send(gate.envoy.address());
        assert_eq!((answer.status, &answer.json()["reason"]), (500, &json!("configured_twice")));
        connection = connect(gate.envoy.address());
    }
    gate.has_its_first_vms();
}
