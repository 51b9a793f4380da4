//! What the log says of sources that fail: changes of state, once, with the cause and what to do.

use std::rc::Rc;

use breakglass_core::calls::{Answer, Call};
use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Shelf, Stage, asking_config, claims, feeding_config, fetching_config,
    reporting_config, test, with,
};

/// What a VM says, and the calls that it makes, from one tick.
struct Said {
    warnings: Vec<String>,
    notices: Vec<String>,
    calls: Vec<Call>,
}

fn tick(stage: &mut Stage) -> Said {
    let tick = stage.tick();
    Said { warnings: tick.warnings, notices: tick.notices, calls: tick.calls }
}

/// Answers each call of a stage for so many seconds, tick by tick, and says what was logged.
fn run(stage: &mut Stage, seconds: u64, answer: &dyn Fn() -> Reply) -> Said {
    let mut all = Said { warnings: Vec::new(), notices: Vec::new(), calls: Vec::new() };
    for _ in 0..seconds.saturating_mul(10) {
        stage.wait_millis(100);
        let said = tick(stage);
        all.warnings.extend(said.warnings);
        all.notices.extend(said.notices);
        for call in said.calls {
            reply(stage, &call, &answer());
            all.calls.push(call);
        }
    }
    all
}

/// What becomes of a call.
#[derive(Clone)]
enum Reply {
    Is(u16, String),
    Failed,
    NotSent,
    Hangs,
}

fn status(status: u16) -> Reply {
    Reply::Is(status, String::new())
}

fn problem(status: u16, reason: &str) -> Reply {
    Reply::Is(
        status,
        json!({"status": status, "reason": reason, "detail": "proxy-secret"}).to_string(),
    )
}

fn unreachable() -> Reply {
    let text = "upstream connect error or disconnect/reset before headers. reset reason: connection failure";
    Reply::Is(503, text.into())
}

fn reply(stage: &mut Stage, call: &Call, reply: &Reply) -> Vec<(u32, Step)> {
    let answer = match reply {
        Reply::Is(status, body) => Answer::Response { status: *status, body: body.as_bytes() },
        Reply::Failed => Answer::Failed,
        Reply::NotSent => Answer::NotSent,
        Reply::Hangs => return Vec::new(),
    };
    stage.worker.answer(call.id, &answer, stage.now)
}

fn news() -> Reply {
    Reply::Is(200, json!({"epoch": 7, "revoked": [], "reset": true, "feed": "f1"}).to_string())
}

fn keys(keys: &[Value]) -> Reply {
    Reply::Is(200, json!({ "keys": keys }).to_string())
}

#[track_caller]
fn one(lines: &[String]) -> &str {
    let [line] = lines else { panic!("{lines:?}") };
    line
}

#[track_caller]
fn none(said: &Said) {
    assert_eq!((&said.warnings, &said.notices), (&Vec::new(), &Vec::new()));
}

#[test]
fn a_wrong_credential_is_one_line_that_says_what_to_compare_and_never_the_secret() {
    let mut stage = Stage::new(&feeding_config());
    let said = run(&mut stage, 120, &|| problem(401, "credential_unknown"));
    let line = one(&said.warnings);
    for part in [
        "the feed of revocations (cluster approvals, approvals.internal/v1/revocations)",
        "failing since 2027-01-15T08:00:00",
        "401 (credential_unknown)",
        "does not know this proxy's credential",
        "token_sha256 of [[proxies]]",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("proxy-secret") && said.notices.is_empty(), "{line}");
    let said = run(&mut stage, 20, &news);
    let line = one(&said.notices);
    assert!(line.contains("the feed of revocations") && line.contains("well again"), "{line}");
    assert!(line.contains("after 1"), "about two minutes: {line}");
    assert!(said.warnings.is_empty());
    none(&run(&mut stage, 60, &news));
}

#[test]
fn a_service_that_restarts_is_one_line_each() {
    let mut stage = Stage::new(&feeding_config());
    none(&run(&mut stage, 5, &news));
    // Its connections are ended, it refuses others, is there and not ready, and is back.
    none(&run(&mut stage, 1, &|| Reply::Hangs));
    let gone = run(&mut stage, 8, &unreachable);
    assert!(one(&gone.warnings).contains("cannot be reached"), "{:?}", gone.warnings);
    assert!(gone.warnings[0].contains("reset reason: connection failure"), "{:?}", gone.warnings);
    let mut starting = 0;
    for _ in 0..60 {
        stage.wait_millis(100);
        for call in tick(&mut stage).calls {
            let not_ready = starting == 0;
            starting += 1;
            let answer = if not_ready { problem(503, "not_ready") } else { news() };
            reply(&mut stage, &call, &answer);
        }
    }
    let back = run(&mut stage, 20, &news);
    assert!(back.warnings.is_empty(), "{:?}", back.warnings);
}

#[test]
fn a_poll_that_something_between_has_ended_is_nothing_to_say() {
    for passing in [Reply::Failed, status(502), status(504), unreachable(), Reply::NotSent] {
        let mut stage = Stage::new(&feeding_config());
        none(&run(&mut stage, 5, &news));
        for _ in 0..5 {
            let call = stage.tick().calls.pop();
            stage.wait_millis(500);
            let Some(call) = call else { continue };
            reply(&mut stage, &call, &passing);
            none(&run(&mut stage, 12, &news));
        }
    }
}

#[test]
fn each_cause_says_what_to_do() {
    for (answer, parts) in [
        (Reply::NotSent, ["takes no call", "a cluster with exactly this name"]),
        (Reply::Failed, ["cannot be reached", "is the service running"]),
        (
            Reply::Is(503, "no healthy upstream".into()),
            ["cannot be reached", "no healthy upstream"],
        ),
        (Reply::Is(504, "upstream request timeout".into()), ["no answer in time", "slow or drops"]),
        (Reply::Hangs, ["no answer in time", "slow or drops"]),
        (status(404), ["404", "check path and authority"]),
        (problem(403, "proxies_only"), ["403 (proxies_only)", "is a person's"]),
        (status(403), ["403", "in front of it, refuses"]),
        (problem(500, "internal_error"), ["500 (internal_error)", "see its log"]),
        (problem(429, "evidence_quota"), ["429 (evidence_quota)", "its log says more"]),
        (status(301), ["301", "something else answer there"]),
        (Reply::Is(200, "<html>".into()), ["the answer is none", "something else answer there"]),
        (Reply::Is(200, "{}".into()), ["`epoch`, `revoked` and `reset`", "something else"]),
    ] {
        let mut stage = Stage::new(&feeding_config());
        let said = run(&mut stage, 25, &|| answer.clone());
        let line = one(&said.warnings);
        for part in parts {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(line.contains("what is known counts for 10s, then on_unavailable"), "{line}");
    }
    let mut bare = feeding_config();
    bare["revocation"].as_object_mut().unwrap().remove("credential");
    let said = run(&mut Stage::new(&bare), 20, &|| status(401));
    assert!(one(&said.warnings).contains("sends no credential"), "{:?}", said.warnings);
}

#[test]
fn another_cause_is_another_line_and_flapping_is_at_most_one_in_ten_seconds() {
    let mut stage = Stage::new(&feeding_config());
    assert_eq!(run(&mut stage, 30, &|| status(404)).warnings.len(), 1);
    let said = run(&mut stage, 30, &|| status(401));
    assert!(one(&said.warnings).contains("401"), "{:?}", said.warnings);
    assert!(said.notices.is_empty());
    let turn = std::cell::Cell::new(0);
    let flaps = || {
        turn.set(turn.get() + 1);
        if turn.get() % 2 == 0 { status(401) } else { news() }
    };
    let said = run(&mut stage, 100, &flaps);
    let lines = said.warnings.len() + said.notices.len();
    assert!((1..=11).contains(&lines), "{lines} in 100 s: {:?}", said.notices);
    assert!(said.calls.len() > 50, "it has flapped {} times", said.calls.len());
}

#[test]
fn the_vms_of_a_process_say_it_once() {
    let config = with(feeding_config(), json!({"issuers": fetching_config()["issuers"]}));
    let board = Rc::<Shelf>::default();
    let mut vms: Vec<_> = (1..=17).map(|number| Stage::beside(&config, number, &board)).collect();
    let mut both = |seconds: u64, answer: &dyn Fn(&Call) -> Reply| {
        let (mut warnings, mut notices) = (Vec::new(), Vec::new());
        for _ in 0..seconds.saturating_mul(10) {
            for vm in &mut vms {
                vm.wait_millis(100);
                let said = tick(vm);
                warnings.extend(said.warnings);
                notices.extend(said.notices);
                for call in said.calls {
                    reply(vm, &call, &answer(&call));
                }
            }
        }
        warnings.sort();
        (warnings, notices)
    };
    let (warnings, notices) = both(60, &|_| unreachable());
    let [feed, keys_line] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(feed.contains("the feed of revocations"), "{feed}");
    assert!(
        keys_line.contains("the key set of the issuer \"https://issuer.example\""),
        "{keys_line}"
    );
    assert_eq!(notices, [""; 0]);
    let answers = |call: &Call| {
        let is_feed = call.headers.iter().any(|(_, value)| value.starts_with("/v1/revocations"));
        if is_feed { news() } else { keys(&[Key::new(1).jwk()]) }
    };
    let (warnings, mut notices) = both(120, &answers);
    notices.sort();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(notices.len(), 2, "{notices:?}");
    // Another configuration is another one's business.
    let mut other = config.clone();
    other["clock_skew"] = json!("4s");
    let said = run(&mut Stage::beside(&other, 99, &board), 20, &unreachable);
    assert_eq!(said.warnings.len(), 2, "{:?}", said.warnings);
}

#[test]
fn a_vm_that_is_gone_leaves_no_state_behind() {
    let board = Rc::<Shelf>::default();
    let mut first = Stage::beside(&feeding_config(), 1, &board);
    assert_eq!(run(&mut first, 20, &unreachable).warnings.len(), 1);
    let mut second = Stage::beside(&feeding_config(), 2, &board);
    second.now = first.now;
    drop(first);
    let said = run(&mut second, 20, &news);
    assert!(one(&said.notices).contains("well again"), "{:?}", said.notices);
    assert_eq!(run(&mut second, 20, &unreachable).warnings.len(), 1, "and it is said again");
}

#[test]
fn introspection_that_fails_is_said_at_the_first_request() {
    let mut stage = Stage::new(&asking_config());
    let token = Key::new(1).sign(&claims());
    for stream in 0..3 {
        assert!(matches!(stage.request(stream, &Request::under(&token)), Step::Wait));
        let call = stage.call();
        reply(&mut stage, &call, &status(404));
        let said = tick(&mut stage);
        assert_eq!(said.warnings.len(), usize::from(stream == 0), "{:?}", said.warnings);
        stage.wait_millis(6_000);
    }
    assert!(matches!(stage.request(9, &Request::under(&token)), Step::Wait));
    let call = stage.call();
    let active = Reply::Is(200, json!({"active": true}).to_string());
    reply(&mut stage, &call, &active);
    let said = tick(&mut stage);
    assert!(one(&said.notices).contains("introspection (cluster approvals"), "{:?}", said.notices);
    assert!(!said.notices[0].contains(&token));
}

#[test]
fn reports_of_heads_that_fail_are_said() {
    let mut stage = Stage::new(&reporting_config());
    let token = Key::new(1).sign(&claims());
    let _ = stage.request(1, &Request::under(&token));
    stage.logged(1);
    let said = run(&mut stage, 200, &|| problem(503, "evidence_unavailable"));
    let line = one(&said.warnings);
    assert!(line.contains("audit heads") && line.contains("evidence_unavailable"), "{line}");
    assert!(line.contains("cut off unseen"), "{line}");
    let said = run(&mut stage, 200, &|| status(200));
    assert!(one(&said.notices).contains("audit heads"), "{:?}", said.notices);
}

#[test]
fn entries_of_a_key_set_that_are_left_out_are_named_once_per_set() {
    let mut stage = Stage::new(&fetching_config());
    let good = Key::new(1).jwk();
    let twice = with(Key::new(2).jwk(), json!({"kid": "tw\nice"}));
    let encryption = with(Key::new(3).jwk(), json!({"use": "enc"}));
    let set = [good.clone(), twice.clone(), twice, encryption];
    let said = run(&mut stage, 900, &|| keys(&set));
    let line = one(&said.warnings);
    assert!(line.contains("keys[3]: expected `use` to be \"sig\""), "{line}");
    assert!(line.contains(r#"2 keys have the kid "tw\nice""#) && !line.contains('\n'), "{line}");
    none(&run(&mut stage, 400, &|| keys(std::slice::from_ref(&good))));
    assert_eq!(run(&mut stage, 400, &|| keys(&set)).warnings.len(), 1, "it is so again");
    // A set without a key that can be used is no answer.
    let said = run(&mut stage, 700, &|| keys(&set[3..]));
    let line = one(&said.warnings);
    assert!(line.contains("no usable key") && line.contains("keys[0]: expected `use`"), "{line}");
}
