//! The feed: what was revoked is known without asking, and what runs under it ends.

use breakglass_core::calls::{Answer, Call};
use breakglass_core::config::ConfigDigest;
use breakglass_core::instant::Instant;
use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, asking_config, assert_permitted, assert_refused, claims,
    feeding_config, reason, test, with,
};

fn token(jti: &str) -> String {
    Key::new(1).sign(&with(claims(), json!({"jti": jti})))
}

/// The answer to a question for everything.
fn everything(epoch: u64, revoked: &[&str]) -> Value {
    with(news(epoch, revoked), json!({"reset": true}))
}

fn news(epoch: u64, revoked: &[&str]) -> Value {
    let revoked: Vec<_> = revoked.iter().map(|jti| json!({"jti": jti, "exp": NOW + 800})).collect();
    json!({"epoch": epoch, "revoked": revoked, "reset": false, "feed": "f1"})
}

/// How long after news the next poll is sent, in milliseconds: two ticks.
const SETTLE: u64 = 50;

/// A stage whose feed has answered once, [`SETTLE`] ago, and the poll that hangs.
fn fed(config: &Value) -> (Stage, Call) {
    let mut stage = Stage::new(config);
    let call = stage.call();
    assert!(stage.answer(&call, 200, &everything(7, &[])).is_empty());
    let call = next(&mut stage);
    (stage, call)
}

/// The poll after news.
fn next(stage: &mut Stage) -> Call {
    assert!(stage.tick().calls.is_empty(), "others must have learnt what this VM has");
    stage.wait_millis(SETTLE);
    stage.call()
}

fn path(call: &Call) -> &str {
    &call.headers.iter().find(|(name, _)| *name == ":path").unwrap().1
}

#[test]
fn asks_for_everything_first_and_then_for_what_is_new() {
    let mut stage = Stage::new(&feeding_config());
    let call = stage.call();
    assert_eq!(path(&call), "/v1/revocations?wait=4s&node=edge-1");
    assert!(call.headers.contains(&("authorization", "Bearer proxy-secret".into())));
    assert_eq!(call.timeout.as_secs(), 5, "a poll that hangs longer is lost");
    stage.answer(&call, 200, &everything(7, &[]));
    assert_eq!(path(&next(&mut stage)), "/v1/revocations?wait=4s&node=edge-1&after=7&feed=f1");
}

/// The service refuses a poll that asks for more, and then no revocation would ever be heard of.
#[test]
fn asks_for_no_longer_wait_than_the_service_gives() {
    for (wait, staleness, asked) in [
        ("5m", "1h", "1m"),
        ("61s", "1h", "1m"),
        ("60s", "1h", "1m"),
        ("59s", "1h", "59s"),
        ("59s", "10s", "4s"),
    ] {
        let mut config = feeding_config();
        config["revocation"]["feed"]["wait"] = wait.into();
        config["revocation"]["max_staleness"] = staleness.into();
        let call = Stage::new(&config).call();
        assert_eq!(path(&call), format!("/v1/revocations?wait={asked}&node=edge-1"), "{wait}");
    }
}

#[test]
fn a_grant_stands_while_the_feed_is_fresh_and_says_nothing_of_it() {
    let (mut stage, _call) = fed(&feeding_config());
    stage.wait_millis(10_000 - SETTLE);
    let step = stage.request(1, &Request::under(&token("grant-1")));
    assert_permitted(&step);
    assert_eq!(reason(&step), "permit");
    let record = stage.logged(1).unwrap();
    assert_eq!(record["revocation_source"], "feed");
    assert_eq!((&record["epoch"], &record["epoch_age_ms"]), (&json!(7), &json!(10_000)));
    stage.wait_millis(1);
    assert_refused(&stage.request(2, &Request::under(&token("grant-1"))), "revocation_unknown");
    assert_eq!(stage.logged(2).unwrap()["revocation_source"], "unavailable");
}

#[test]
fn knowledge_is_as_old_as_its_question() {
    let (mut stage, call) = fed(&feeding_config());
    stage.wait_millis(4_000);
    stage.answer(&call, 200, &news(7, &[]));
    assert_permitted(&stage.request(1, &Request::under(&token("grant-1"))));
    assert_eq!(stage.logged(1).unwrap()["epoch_age_ms"], 4_000);
}

#[test]
fn a_stale_feed_asks_the_service_and_a_revocation_stays_known() {
    let both = with(
        feeding_config()["revocation"].clone(),
        json!({"introspection": asking_config()["revocation"]["introspection"]}),
    );
    let (mut stage, call) = fed(&with(feeding_config(), json!({"revocation": both})));
    stage.answer(&call, 200, &news(8, &["grant-2"]));
    stage.wait_millis(10_001);
    assert!(matches!(stage.request(1, &Request::under(&token("grant-1"))), Step::Wait));
    assert_refused(&stage.request(2, &Request::under(&token("grant-2"))), "revoked");
    assert_eq!(stage.logged(2).unwrap()["revocation_source"], "feed");
}

#[test]
fn a_revocation_refuses_what_comes_and_cuts_what_runs_under_it_alone() {
    let (mut stage, call) = fed(&feeding_config());
    for (stream, jti) in [(1, "grant-1"), (2, "grant-2"), (3, "grant-1")] {
        assert_permitted(&stage.request(stream, &Request::under(&token(jti))));
    }
    let mut steps = stage.answer(&call, 200, &news(8, &["grant-1", "grant-9"]));
    steps.sort_by_key(|(stream, _)| *stream);
    assert_eq!(steps.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(), [1, 3]);
    for (stream, step) in &steps {
        assert_refused(step, "revoked");
        let record = stage.logged(*stream).unwrap();
        assert_eq!((&record["decision"], &record["epoch"]), (&json!("cut"), &json!(8)));
        assert_eq!(record["subject"], "alice");
    }
    assert_refused(&stage.request(4, &Request::under(&token("grant-1"))), "revoked");
    assert_permitted(&stage.request(5, &Request::under(&token("grant-2"))));
    assert_eq!(stage.logged(2).unwrap()["decision"], "allow");
}

#[test]
fn a_stream_is_cut_once() {
    let (mut stage, call) = fed(&feeding_config());
    assert_permitted(&stage.request(1, &Request::under(&token("grant-1"))));
    assert_eq!(stage.answer(&call, 200, &news(8, &["grant-1"])).len(), 1);
    let call = next(&mut stage);
    assert!(stage.answer(&call, 200, &news(9, &["grant-1"])).is_empty());
    stage.wait_millis(900_000);
    assert!(stage.ended().is_empty());
}

#[test]
fn what_runs_is_cut_when_its_token_is_void() {
    let (mut stage, _call) = fed(&feeding_config());
    assert_permitted(&stage.request(1, &Request::under(&token("grant-1"))));
    assert_permitted(&stage.request(2, &Request::under(&token("grant-2"))));
    stage.logged(2);
    stage.wait_millis(804_999 - SETTLE);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    let steps = stage.ended();
    let [(1, step)] = &steps[..] else { panic!("{steps:?}") };
    assert_refused(step, "token_expired");
    assert_eq!(stage.logged(1).unwrap()["decision"], "cut");
}

#[test]
fn shadow_mode_cuts_nothing() {
    let shadow = with(feeding_config(), json!({"enforcement": "shadow"}));
    let (mut stage, call) = fed(&shadow);
    assert_permitted(&stage.request(1, &Request::under(&token("grant-1"))));
    assert!(stage.answer(&call, 200, &news(8, &["grant-1"])).is_empty());
    stage.wait_millis(900_000);
    assert!(stage.ended().is_empty());
}

#[test]
fn a_request_that_waits_is_refused_when_its_grant_is_revoked() {
    let both = with(
        feeding_config()["revocation"].clone(),
        json!({"introspection": asking_config()["revocation"]["introspection"]}),
    );
    let mut stage = Stage::new(&with(feeding_config(), json!({"revocation": both})));
    assert!(matches!(stage.request(1, &Request::under(&token("grant-1"))), Step::Wait));
    let calls = stage.tick().calls;
    let feed = calls.iter().find(|call| path(call).starts_with("/v1/revocations")).unwrap();
    let steps = stage.answer(feed, 200, &everything(8, &["grant-1"]));
    let [(1, step)] = &steps[..] else { panic!("{steps:?}") };
    assert_refused(step, "revoked");
}

#[test]
fn what_was_refused_while_it_waited_is_recorded_once_and_whole() {
    let both = with(
        feeding_config()["revocation"].clone(),
        json!({"introspection": asking_config()["revocation"]["introspection"]}),
    );
    let mut stage = Stage::new(&with(feeding_config(), json!({"revocation": both})));
    assert!(matches!(stage.request(1, &Request::under(&token("grant-1"))), Step::Wait));
    let calls = stage.tick().calls;
    let is_feed = |call: &&Call| path(call).starts_with("/v1/revocations");
    let feed = calls.iter().find(is_feed).unwrap();
    let standing = calls.iter().find(|call| !is_feed(call)).unwrap();
    assert_eq!(stage.answer(feed, 200, &everything(8, &["grant-1"])).len(), 1);
    assert!(stage.answer(standing, 200, &json!({"active": true})).is_empty(), "it is decided");
    assert_eq!(stage.logged(1).unwrap()["reason"], "revoked");
}

#[test]
fn a_request_waits_for_the_first_answer_of_the_feed_and_for_no_other() {
    for (queued_first, revoked, wanted) in
        [(false, "grant-9", "permit"), (true, "grant-9", "permit"), (true, "grant-1", "revoked")]
    {
        let mut stage = Stage::new(&feeding_config());
        let call = queued_first.then(|| stage.call());
        assert!(matches!(stage.request(1, &Request::under(&token("grant-1"))), Step::Wait));
        let call = call.unwrap_or_else(|| stage.call());
        let steps = stage.answer(&call, 200, &everything(8, &[revoked]));
        assert_eq!(steps.len(), 1);
        assert_eq!(reason(&steps[0].1), wanted);
    }
    let mut stage = Stage::new(&feeding_config());
    assert!(matches!(stage.request(1, &Request::under(&token("grant-1"))), Step::Wait));
    let call = stage.call();
    assert_refused(&stage.fail(&call)[0].1, "revocation_unknown");
    assert_refused(&stage.request(2, &Request::under(&token("grant-1"))), "revocation_unknown");
    let (mut stage, _call) = fed(&feeding_config());
    stage.wait_millis(10_001);
    assert_refused(&stage.request(3, &Request::under(&token("grant-1"))), "revocation_unknown");
}

#[test]
fn no_answer_makes_a_revoked_grant_stand_again() {
    for answer in [
        json!({"epoch": 99, "revoked": [], "reset": true, "feed": "f1"}),
        json!({"epoch": 99, "revoked": [], "reset": true, "feed": "f2"}),
        json!({"epoch": 0, "revoked": [], "reset": false, "feed": "f1"}),
        json!({"epoch": 99, "revoked": [{"jti": "grant-1", "exp": 0}], "reset": true}),
    ] {
        let (mut stage, call) = fed(&feeding_config());
        stage.answer(&call, 200, &news(8, &["grant-1"]));
        let call = next(&mut stage);
        stage.answer(&call, 200, &answer);
        assert_refused(&stage.request(1, &Request::under(&token("grant-1"))), "revoked");
    }
}

#[test]
fn an_answer_that_does_not_continue_is_none_and_asks_for_everything() {
    for answer in [
        json!({"epoch": 6, "revoked": [], "reset": false, "feed": "f1"}),
        json!({"epoch": 8, "revoked": [], "reset": false, "feed": "f2"}),
    ] {
        let (mut stage, call) = fed(&feeding_config());
        stage.answer(&call, 200, &answer);
        stage.wait_millis(200);
        assert_eq!(path(&stage.call()), "/v1/revocations?wait=4s&node=edge-1");
    }
}

#[test]
fn a_part_is_no_answer_to_a_question_for_everything() {
    let mut stage = Stage::new(&feeding_config());
    let call = stage.call();
    stage.answer(&call, 200, &news(7, &[]));
    assert_refused(&stage.request(1, &Request::under(&token("grant-1"))), "revocation_unknown");
    stage.wait_millis(200);
    let call = stage.call();
    assert_eq!(path(&call), "/v1/revocations?wait=4s&node=edge-1");
    stage.answer(&call, 200, &everything(7, &[]));
    assert_permitted(&stage.request(2, &Request::under(&token("grant-1"))));
}

#[test]
fn garbage_teaches_nothing_and_is_asked_again_later_and_later() {
    let (mut stage, call) = fed(&feeding_config());
    for (status, body) in [(200, &b"{}"[..]), (200, b"\xff"), (503, b""), (200, b"[]")] {
        let answer = Answer::Response { status, body };
        let _ = (status, stage.worker.answer(call.id, &answer, stage.now));
    }
    assert!(stage.tick().calls.is_empty());
    for wait in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
        stage.wait_millis(wait - 1);
        assert!(stage.tick().calls.is_empty(), "{wait}");
        stage.wait_millis(1);
        let call = stage.call();
        stage.fail(&call);
    }
    stage.wait_millis(5_000);
    let call = stage.call();
    stage.answer(&call, 200, &news(7, &[]));
    assert_permitted(&stage.request(1, &Request::under(&token("grant-1"))));
}

#[test]
fn a_service_that_does_not_hang_is_not_asked_in_a_loop() {
    let (mut stage, call) = fed(&feeding_config());
    stage.answer(&call, 200, &news(7, &[]));
    stage.wait_millis(99);
    assert!(stage.tick().calls.is_empty());
    stage.wait_millis(1);
    let call = stage.call();
    stage.answer(&call, 200, &news(8, &["grant-9"]));
    next(&mut stage);
}

#[test]
fn a_clock_that_is_set_back_makes_knowledge_stale_and_the_feed_is_asked() {
    let (mut stage, call) = fed(&feeding_config());
    stage.fail(&call);
    stage.now = Instant::from_seconds(NOW - 60);
    assert_refused(&stage.request(1, &Request::under(&token("grant-1"))), "revocation_unknown");
    let call = stage.call();
    stage.answer(&call, 200, &news(7, &[]));
    assert_permitted(&stage.request(2, &Request::under(&token("grant-1"))));
}

#[test]
fn a_hundred_thousand_revocations_are_known() {
    let revoked: Vec<_> =
        (0..100_000).map(|n| json!({"jti": format!("grant_{n:026}"), "exp": NOW + 800})).collect();
    let mut stage = Stage::new(&feeding_config());
    let call = stage.call();
    stage.answer(&call, 200, &json!({"epoch": 100_000, "revoked": revoked, "reset": true}));
    let last = token("grant_00000000000000000000099999");
    assert_refused(&stage.request(1, &Request::under(&last)), "revoked");
    assert_permitted(&stage.request(2, &Request::under(&token("grant-1"))));
}

#[test]
fn an_earlier_end_does_not_make_a_revocation_be_forgotten() {
    let (mut stage, call) = fed(&feeding_config());
    stage.answer(&call, 200, &news(8, &["grant-1"]));
    let call = next(&mut stage);
    let ended = json!({"epoch": 9, "revoked": [{"jti": "grant-1", "exp": 1}], "reset": true,
        "feed": "f1"});
    stage.answer(&call, 200, &ended);
    stage.wait_millis(61_000);
    let call = stage.call();
    stage.answer(&call, 200, &news(9, &[]));
    assert_refused(&stage.request(1, &Request::under(&token("grant-1"))), "revoked");
}

#[test]
fn revocations_that_are_known_and_told_again_count_once() {
    let (mut stage, call) = fed(&feeding_config());
    let revoked: Vec<String> = (0..200_001)
        .map(|number| format!(r#"{{"jti":"g{number}","exp":{}}}"#, NOW + 800))
        .collect();
    let answer =
        format!(r#"{{"epoch":200001,"revoked":[{}],"reset":true,"feed":"f1"}}"#, revoked.join(","));
    let answer = Answer::Response { status: 200, body: answer.as_bytes() };
    stage.worker.answer(call.id, &answer, stage.now);
    stage.wait_millis(3_000);
    let call = stage.call();
    stage.worker.answer(call.id, &answer, stage.now);
    stage.wait_millis(9_000);
    assert_permitted(&stage.request(1, &Request::under(&token("grant-1"))));
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_the_feed_from_being_asked() {
    let hour_before = |now: Instant| Instant::from_millis(now.as_millis() - 3_600_000);
    // Before the first answer.
    let mut stage = Stage::new(&feeding_config());
    let call = stage.call();
    stage.fail(&call);
    stage.now = hour_before(stage.now);
    let call = stage.call();
    stage.answer(&call, 200, &everything(7, &[]));
    // After one that is older than the step back.
    let call = next(&mut stage);
    stage.fail(&call);
    stage.wait_millis(2 * 3_600_000);
    let call = stage.call();
    stage.fail(&call);
    stage.now = hour_before(stage.now);
    stage.call();
}

#[test]
fn an_epoch_that_no_service_can_be_asked_about_is_no_answer() {
    let mut stage = Stage::new(&feeding_config());
    let call = stage.call();
    stage.answer(&call, 200, &everything(u64::MAX, &[]));
    stage.wait_millis(200);
    let call = stage.call();
    assert!(!path(&call).contains("after="), "{}", path(&call));
    let (mut stage, call) = fed(&feeding_config());
    stage.answer(&call, 200, &news(1 << 63, &[]));
    stage.wait_millis(200);
    let call = stage.call();
    assert!(path(&call).contains("after=7"), "{}", path(&call));
}

#[test]
fn a_poll_says_which_process_asks_and_how_it_is_set_up() {
    let mut config = feeding_config();
    config["revocation"]["max_staleness"] = json!("90s");
    let mut stage = Stage::new(&config);
    let call = stage.call();
    let said = |call: &Call, name: &str| {
        let found = call.headers.iter().find(|(header, _)| *header == name);
        found.map(|(_, value)| value.clone())
    };
    let process = said(&call, "breakglass-process").unwrap();
    assert_eq!(process.len(), 32, "{process}");
    assert!(process.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{process}");
    assert_eq!(said(&call, "breakglass-version").as_deref(), Some("1.2.3"));
    assert_eq!(said(&call, "breakglass-max-staleness").as_deref(), Some("90s"));
    assert_eq!(said(&call, "breakglass-cache").as_deref(), Some("0ms"), "nobody is asked");
    assert_eq!(said(&call, "breakglass-on-unavailable").as_deref(), Some("deny"));
    assert_eq!(said(&call, "breakglass-clock-skew").as_deref(), Some("5s"));
    let digest = ConfigDigest::of(config.to_string().as_bytes()).map(ConfigDigest::text);
    assert_eq!(said(&call, "breakglass-config"), digest);
    stage.answer(&call, 200, &everything(7, &[]));
    assert_eq!(said(&next(&mut stage), "breakglass-process"), Some(process), "one process");

    config["scopes"][1]["on_unavailable"] = json!("allow");
    let call = Stage::new(&config).call();
    assert_eq!(said(&call, "breakglass-on-unavailable").as_deref(), Some("allow"), "one scope");
    config["scopes"][1]["on_unavailable"] = json!("deny");
    config["enforcement"] = json!("shadow");
    let call = Stage::new(&config).call();
    assert_eq!(said(&call, "breakglass-on-unavailable").as_deref(), Some("allow"), "shadow");
    config["revocation"]["introspection"] = asking_config()["revocation"]["introspection"].clone();
    let mut stage = Stage::new(&config);
    assert!(matches!(stage.request(1, &Request::under(&token("grant-1"))), Step::Wait));
    for call in stage.tick().calls {
        if path(&call).starts_with("/v1/revocations") {
            assert_eq!(said(&call, "breakglass-cache").as_deref(), Some("5500ms"));
        } else {
            assert!(said(&call, "breakglass-process").is_some(), "a sign of life");
        }
    }
    config["revocation"].as_object_mut().unwrap().remove("credential");
    let call = Stage::new(&config).call();
    assert_eq!(said(&call, "breakglass-process"), None);
    assert!(said(&call, "breakglass-max-staleness").is_some());
}

#[test]
fn digests_are_those_of_another_implementation_however_a_configuration_is_written() {
    let vectors: Value =
        serde_json::from_str(include_str!("../vectors/config_digests.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() > 10);
    for vector in vectors {
        let texts = vector["texts"].as_array().unwrap();
        for text in texts.iter().chain([&vector["canonical"]]) {
            let text = text.as_str().unwrap();
            let digest = ConfigDigest::of(text.as_bytes()).unwrap().text();
            assert_eq!(digest, vector["sha256"].as_str().unwrap(), "{text}");
        }
    }
    for text in ["", "{", "{\"a\":1,\"a\":1}", "{} {}"] {
        assert_eq!(ConfigDigest::of(text.as_bytes()), None, "{text}");
    }
}
