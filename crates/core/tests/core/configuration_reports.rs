//! What the approval service is told of a configuration: the digests of its scopes, once, where its answer to a poll asks
//! for them; and the digest of the configuration with a chain's first head.

use std::rc::Rc;
use std::time::Duration;

use breakglass_core::calls::{Answer, Call};
use breakglass_core::config::ConfigDigest;
use breakglass_types::configurations::{MAX_CONFIGURATION_BYTES, WANTED_HEADER};
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Shelf, Stage, assert_permitted, claims, feeding_config, parse, reporting_config,
    test, with,
};

const REPORTS: &str = "/v1/proxies/configurations";

fn digest(config: &Value) -> String {
    ConfigDigest::of(config.to_string().as_bytes()).unwrap().text()
}

fn path(call: &Call) -> &str {
    call.headers.iter().find(|(name, _)| *name == ":path").map(|(_, value)| value).unwrap()
}

fn is_poll(call: &Call) -> bool {
    path(call).starts_with("/v1/revocations?")
}

/// Answers a poll, which asks for the configuration that is named.
fn answer_poll(stage: &mut Stage, call: &Call, wanted: Option<&str>) {
    assert!(is_poll(call), "{call:?}");
    stage.worker.polled(call.id, |name| {
        assert_eq!(name, WANTED_HEADER);
        wanted.map(|digest| digest.as_bytes().to_vec())
    });
    let news = json!({"feed": "f", "epoch": 0, "revoked": [], "reset": true});
    stage.answer(call, 200, &news);
}

/// The reports, and the poll, that the next ticks send.
fn tick(stage: &mut Stage) -> (Vec<Call>, Option<Call>) {
    let (mut reports, mut polls) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (poll, report): (Vec<_>, Vec<_>) = stage.tick().calls.into_iter().partition(is_poll);
        reports.extend(report);
        polls.extend(poll);
        stage.wait_millis(25);
    }
    (reports, polls.pop())
}

/// A worker whose first poll was answered, with the digest that was asked for.
fn asked(config: &Value, wanted: &str) -> (Stage, Vec<Call>, Option<Call>) {
    let mut stage = Stage::new(config);
    let call = stage.call();
    answer_poll(&mut stage, &call, Some(wanted));
    let (reports, poll) = tick(&mut stage);
    (stage, reports, poll)
}

#[test]
fn the_configuration_is_reported_once_where_it_is_asked_for() {
    let config = feeding_config();
    let (mut stage, reports, poll) = asked(&config, &digest(&config));
    let [report] = &reports[..] else { panic!("{reports:?}") };
    let header = |wanted: &str| {
        report.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
    };
    assert_eq!(
        [":method", ":path", ":authority", "content-type", "authorization"].map(header),
        [
            Some("POST"),
            Some(REPORTS),
            Some("approvals.internal"),
            Some("application/json"),
            Some("Bearer proxy-secret")
        ]
    );
    assert_eq!((report.cluster.as_str(), report.timeout), ("approvals", Duration::from_secs(3)));
    let body: Value = serde_json::from_slice(&report.body).unwrap();
    let scopes = parse(&config).unwrap();
    let scopes = scopes.scopes.digests();
    assert_eq!(
        body,
        json!({"configuration": digest(&config), "audiences": ["payments-prod"],
            "scopes": {"orders:read": scopes["orders:read"].text(),
                "orders:write": scopes["orders:write"].text()}})
    );
    stage.answer(report, 200, &json!({}));
    // The poll that was sent before the report arrived may still ask for it.
    stage.wait_millis(60_000);
    answer_poll(&mut stage, &poll.unwrap(), Some(&digest(&config)));
    let (reports, poll) = tick(&mut stage);
    assert!(reports.is_empty(), "{reports:?}");
    // Later ones do not; where one asks again, it is told again.
    stage.wait_millis(1_000);
    answer_poll(&mut stage, &poll.unwrap(), None);
    let (reports, poll) = tick(&mut stage);
    assert!(reports.is_empty(), "{reports:?}");
    stage.wait_millis(1_000);
    answer_poll(&mut stage, &poll.unwrap(), Some(&digest(&config)));
    assert_eq!(tick(&mut stage).0.len(), 1);
}

#[test]
fn all_environments_of_a_configuration_are_in_its_report() {
    let mut config = feeding_config();
    let other = with(
        config["issuers"][0].clone(),
        json!({"issuer": "https://other.example", "audiences": ["b", "payments-prod", "a"],
            "jwks": {"inline": {"keys": [Key::new(2).jwk()]}}}),
    );
    config["issuers"].as_array_mut().unwrap().push(other);
    let (_, reports, _) = asked(&config, &digest(&config));
    let body: Value = serde_json::from_slice(&reports[0].body).unwrap();
    assert_eq!(body["audiences"], json!(["a", "b", "payments-prod"]));
}

#[test]
fn nothing_is_reported_where_nothing_or_something_else_is_asked_for() {
    let config = feeding_config();
    for wanted in ["", "x", &"0".repeat(64), &digest(&config).to_uppercase()] {
        let (_, reports, _) = asked(&config, wanted);
        assert!(reports.is_empty(), "{wanted}: {reports:?}");
    }
    // A header of a call that is no poll, or of one that is over, is not even read.
    let mut stage = Stage::new(&config);
    let call = stage.call();
    stage.fail(&call);
    stage.worker.polled(call.id, |_| panic!("this call is over"));
    // A feed that is published elsewhere has nothing beside it.
    for path in ["/feed", "/v1/revocations?x=1", "/v1/revocations/"] {
        let mut config = feeding_config();
        config["revocation"]["feed"]["path"] = json!(path);
        let mut stage = Stage::new(&config);
        let call = stage.call();
        stage.worker.polled(call.id, |_| Some(digest(&config).into_bytes()));
        stage.answer(&call, 200, &json!({"epoch": 0, "revoked": [], "reset": true}));
        let calls = stage.tick().calls;
        assert!(calls.iter().all(|call| call.body.is_empty()), "{path}: {calls:?}");
    }
    let mut config = feeding_config();
    config["revocation"]["feed"]["path"] = json!("/approvals/v1/revocations");
    let mut stage = Stage::new(&config);
    let call = stage.call();
    stage.worker.polled(call.id, |_| Some(digest(&config).into_bytes()));
    stage.answer(&call, 200, &json!({"epoch": 0, "revoked": [], "reset": true}));
    let calls = stage.tick().calls;
    assert!(calls.iter().any(|call| path(call) == "/approvals/v1/proxies/configurations"));
}

#[test]
fn a_report_that_gets_lost_is_made_again_while_it_is_asked_for_and_said_once() {
    let config = feeding_config();
    let wanted = digest(&config);
    let (mut stage, mut reports, mut poll) = asked(&config, &wanted);
    let mut warnings = Vec::new();
    let mut sent = Vec::new();
    let start = stage.now;
    for round in 0..40 {
        for report in reports.drain(..) {
            sent.push(stage.now.since(start).as_secs());
            match round % 3 {
                0 => drop(stage.worker.answer(report.id, &Answer::NotSent, stage.now)),
                1 => drop(stage.answer(&report, 500, &json!({}))),
                _ => drop(stage.fail(&report)),
            }
        }
        stage.wait_millis(10_000);
        if let Some(poll) = poll.take() {
            answer_poll(&mut stage, &poll, Some(&wanted));
        }
        let tick = stage.tick();
        warnings.extend(tick.warnings.into_iter().filter(|line| line.contains(REPORTS)));
        let (polls, mine): (Vec<_>, Vec<_>) = tick.calls.into_iter().partition(is_poll);
        (poll, reports) = (polls.into_iter().next(), mine);
    }
    assert_eq!(
        sent,
        (0..14).map(|number| number * 30).take_while(|at| *at < 400).collect::<Vec<u64>>()
    );
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    // Neither the feed nor a decision has suffered.
    assert_permitted(&stage.request(1, &Request::under(&Key::new(1).sign(&claims()))));
}

#[test]
fn a_configuration_that_is_too_large_is_not_reported_and_the_log_says_so_once() {
    let mut config = feeding_config();
    let scope = |number: usize| json!({"name": format!("{number:0>120}"), "methods": ["GET"], "paths": ["/v1/orders"]});
    config["scopes"] = (0..1_000).map(scope).collect();
    let (_, reports, _) = asked(&config, &digest(&config));
    assert_eq!(reports.len(), 1, "a thousand scopes with long names fit");
    config["scopes"] = (0..1_500).map(scope).collect();
    let (mut stage, reports, poll) = asked(&config, &digest(&config));
    assert!(reports.is_empty());
    stage.wait_millis(60_000);
    answer_poll(&mut stage, &poll.unwrap(), Some(&digest(&config)));
    let tick = stage.tick();
    assert!(tick.calls.iter().all(is_poll));
    let said = |warnings: &[String]| {
        warnings.iter().filter(|line| line.contains(&MAX_CONFIGURATION_BYTES.to_string())).count()
    };
    assert_eq!(said(&tick.warnings), 0, "it was said with the first tick");
    let mut stage = Stage::new(&config);
    let call = stage.call();
    answer_poll(&mut stage, &call, Some(&digest(&config)));
    assert_eq!(said(&stage.tick().warnings), 1);
}

#[test]
fn one_vm_of_a_process_reports_each_of_its_configurations() {
    for credential in [true, false] {
        let mut config = feeding_config();
        if !credential {
            let revocation = config["revocation"].as_object_mut().unwrap();
            revocation.remove("credential");
        }
        let next = with(config.clone(), json!({"clock_skew": "3s"}));
        let board: Rc<Shelf> = Rc::default();
        let mut reported = Vec::new();
        // Each polls once by itself, whichever polls for all, and is asked about its own configuration.
        let asked: Vec<Stage> = [(&config, 1), (&config, 2), (&next, 3), (&next, 4)]
            .map(|(config, number)| {
                let mut vm = Stage::beside(config, number, &board);
                let call = vm.call();
                answer_poll(&mut vm, &call, Some(&digest(config)));
                let (reports, _) = tick(&mut vm);
                for report in &reports {
                    let body: Value = serde_json::from_slice(&report.body).unwrap();
                    reported.push(body["configuration"].as_str().unwrap().to_owned());
                }
                vm
            })
            .into();
        assert_eq!(reported, [digest(&config), digest(&next)], "{credential}");
        drop(asked);
    }
}

#[test]
fn what_another_plugin_puts_up_delays_a_report_and_keeps_none_back_for_longer() {
    let config = feeding_config();
    let place = format!("breakglass.told.{}", digest(&config));
    for value in [&b""[..], b"x", &[0xff; 8], &[0; 64]] {
        let board: Rc<Shelf> = Rc::default();
        board.put(&place, value);
        let mut vm = Stage::beside(&config, 1, &board);
        let call = vm.call();
        answer_poll(&mut vm, &call, Some(&digest(&config)));
        assert_eq!(tick(&mut vm).0.len(), 1, "{value:?}");
    }
}

#[test]
fn a_chain_names_its_configuration_until_its_first_head_has_arrived() {
    let config = reporting_config();
    let mut stage = Stage::new(&config);
    let request = Request::under(&Key::new(1).sign(&claims()));
    let mut heads = Vec::new();
    for (stream, taken) in [(1, false), (2, true), (3, true)] {
        assert_permitted(&stage.request(stream, &request));
        stage.logged(stream);
        stage.wait_millis(5_000);
        let call = stage.call();
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        heads.push(body["heads"][0].get("configuration").cloned());
        stage.answer(&call, if taken { 200 } else { 503 }, &json!({}));
    }
    let named = Some(json!(digest(&config)));
    assert_eq!(heads, [named.clone(), named, None]);
}
