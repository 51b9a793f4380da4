//! `breakglass probe` and `breakglass proxies --expect`, by the binary against the real service and entrances of all kinds.

use std::fs;
use std::sync::Arc;

use breakglass_core::probe::{Answering, Asked, PROBE_HEADER, ProbeKey};
use serde_json::{Value, json};

use crate::process::{Ran, Server};
use crate::stand_in::{Call, PROXY, Reply, StandIn, good, problem};
use breakglass_testing::service::token_of;

const DIGEST: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn answering() -> Answering<'static> {
    Answering { process: PROXY, version: "1.2.3", config: DIGEST }
}

/// The proxy `envoy` polls.
fn poll(server: &Server) {
    ureq::get(format!("{}/v1/revocations?after=0&node=gate", server.url))
        .header("authorization", format!("Bearer {}", token_of("envoy")))
        .header("breakglass-process", PROXY)
        .header("breakglass-version", "1.2.3")
        .header("breakglass-config", DIGEST)
        .call()
        .unwrap();
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    Reply::Bytes(
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )
}

/// The answer of a filter with this credential to this call, as if its authority was another one.
fn answer(call: &Call, credential: &str, authority: Option<&str>) -> String {
    let authority = authority.unwrap_or_else(|| call.header("host").unwrap());
    let challenge = call.header(PROBE_HEADER).unwrap();
    let asked = Asked { challenge, authority: authority.as_bytes() };
    ProbeKey::from_credential(credential).answer(&asked, &answering()).text()
}

/// An entrance with the filter.
fn guarded() -> StandIn {
    StandIn::start(|_, call| {
        reply(200, &[(PROBE_HEADER, &answer(call, &token_of("envoy"), None))], "")
    })
}

fn entrance(answer: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> StandIn {
    StandIn::start(move |_, call| answer(call))
}

fn results(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let entrances = json["entrances"].as_array().unwrap();
    entrances.iter().map(|one| one["result"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_guarded_entrance_names_its_proxy() {
    let server = Server::start();
    poll(&server);
    let gate = guarded();
    let ran = server.run("grace", &["probe", &gate.url]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let expected = format!(
        "{}/  guarded  envoy (gate)  version 1.2.3  config 44136fa355b3  feed 0 s old\n",
        gate.url
    );
    // The poll was a moment ago.
    assert_eq!(ran.stdout.replace("feed 1 s", "feed 0 s"), expected);
    assert_eq!(ran.stderr.lines().last(), Some("1 of 1 entrances are guarded"));
    let call = &gate.calls()[0];
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/"));
    assert_eq!(call.header("authorization"), None, "the API token is the service's alone");
    let ran = server.run("grace", &["probe", &gate.url, "--json"]);
    let json = ran.json();
    assert_eq!((ran.code, &json["all_guarded"]), (0, &json!(true)), "{ran:?}");
    let node = &json["entrances"][0]["node"];
    assert_eq!((&node["proxy"], &node["config"]), (&json!("envoy"), &json!(DIGEST)));
}

/// Whatever an entrance without the filter sends.
#[test]
fn no_other_answer_is_guarded() {
    let server = Server::start();
    poll(&server);
    let ours = json!({ "type": "urn:breakglass:reason:token_missing", "reason": "token_missing" });
    let ours = ours.to_string();
    let old = {
        let gate = guarded();
        server.run("grace", &["probe", &gate.url]).done();
        answer(&gate.calls()[0], &token_of("envoy"), None)
    };
    let refused = ours.clone();
    let cases: Vec<(&str, StandIn, &str, i32)> = vec![
        ("an application", entrance(|_| reply(200, &[], "hello")), "not_guarded", 2),
        (
            "one that repeats the header",
            entrance(|call| {
                let challenge = call.header(PROBE_HEADER).unwrap();
                reply(200, &[(PROBE_HEADER, challenge)], "")
            }),
            "not_guarded",
            2,
        ),
        (
            "one that repeats it in a refusal of ours",
            entrance(move |call| {
                let challenge = call.header(PROBE_HEADER).unwrap();
                reply(401, &[("x-echo", challenge)], &refused)
            }),
            "not_guarded",
            2,
        ),
        (
            "a redirect",
            entrance(|_| reply(301, &[("location", "http://127.0.0.1:1/")], "")),
            "not_guarded",
            2,
        ),
        ("a refusal in our form", entrance(move |_| reply(401, &[], &ours)), "refused", 1),
        (
            "an old answer",
            entrance(move |_| reply(204, &[(PROBE_HEADER, &old)], "")),
            "not_proven",
            1,
        ),
        (
            "another authority's",
            entrance(|call| {
                let other = answer(call, &token_of("envoy"), Some("other.internal"));
                reply(204, &[(PROBE_HEADER, &other)], "")
            }),
            "not_proven",
            1,
        ),
        (
            "another credential's",
            entrance(|call| reply(204, &[(PROBE_HEADER, &answer(call, "made up", None))], "")),
            "not_proven",
            1,
        ),
        (
            "two answers",
            entrance(|call| {
                let good = answer(call, &token_of("envoy"), None);
                reply(204, &[(PROBE_HEADER, &good), (PROBE_HEADER, &good)], "")
            }),
            "not_guarded",
            2,
        ),
        (
            "no HTTP",
            entrance(|_| Reply::Bytes(b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec())),
            "not_reached",
            1,
        ),
        ("nothing", entrance(|_| Reply::Bytes(Vec::new())), "not_reached", 1),
    ];
    for (name, entrance, expected, code) in cases {
        let ran = server.run("grace", &["probe", &entrance.url, "--json", "--timeout", "2s"]);
        assert_eq!((results(&ran), ran.code), (vec![expected.to_owned()], code), "{name}: {ran:?}");
        assert_eq!(ran.json()["all_guarded"], false, "{name}");
    }
}

#[test]
fn one_that_is_not_guarded_decides_and_all_are_asked_with_one_challenge() {
    let server = Server::start();
    poll(&server);
    let (gate, open) = (guarded(), entrance(|_| reply(200, &[], "hello")));
    // Nothing listens there, and the system gives this port to no socket that asks for any.
    let nowhere = "http://127.0.0.1:1/".to_owned();
    let ran = server.run("grace", &["probe", &gate.url, &nowhere, "--json"]);
    assert_eq!((results(&ran), ran.code), (vec!["guarded".into(), "not_reached".into()], 1));
    let file = server.path("entrances");
    fs::write(&file, format!("# all\n{}/a/b\n{nowhere} # away\n\n{}\n", gate.url, open.url))
        .unwrap();
    let file = file.to_str().unwrap();
    let ran = server.run("grace", &["probe", "--file", file, &gate.url, "--json"]);
    let expected = ["guarded", "guarded", "not_reached", "not_guarded"];
    assert_eq!((results(&ran), ran.code), (expected.map(str::to_owned).to_vec(), 2), "{ran:?}");
    let calls = gate.calls();
    let challenge = |number: usize| calls[number].header(PROBE_HEADER).unwrap().to_owned();
    assert_eq!(challenge(1), challenge(2));
    assert_ne!(challenge(0), challenge(1));
    assert!(calls[1..].iter().any(|call| call.path == "/a/b"));
    let trail = server.get("grace", "/v1/audit/service");
    let acts: Vec<&Value> =
        trail["acts"].as_array().unwrap().iter().map(|act| &act["action"]).collect();
    // The first is that the evidence database was made.
    assert_eq!(acts[1..], ["probe", "probe_verdict", "probe", "probe_verdict"]);
    let ran = server.run("grace", &["probe", "--file", file]);
    assert!(ran.stderr.contains("not guarded: put the filter on that gateway"), "{ran:?}");
    assert!(ran.stderr.contains("1 of 3 entrances are guarded"), "{ran:?}");
}

#[test]
fn nothing_asked_is_an_error() {
    let server = Server::start();
    let file = server.path("empty");
    fs::write(&file, "# nothing\n").unwrap();
    let empty = file.to_str().unwrap();
    for (arguments, words) in [
        (vec!["probe"], "nothing to ask"),
        (vec!["probe", "--file", empty], "nothing to ask"),
        (vec!["probe", "--file", "/nowhere"], "--file"),
        (vec!["probe", "orders.internal"], "expected a URL"),
        (vec!["probe", "http://a/", "--timeout", "0s"], "--timeout"),
        (vec!["probe", "http://a/", "--resolve", "a"], "--resolve"),
        (vec!["probe", "http://a/", "--connect-to", "a"], "--connect-to"),
        (vec!["probe", "http://a/", "--entrance-ca-file", empty], "--entrance-ca-file"),
        (vec!["proxies", "--expect", empty], "nothing is expected"),
        (vec!["proxies", "--expect", "/nowhere"], "--expect"),
        (vec!["proxies", "--expect", empty, "forget", "x", "--reason", "r"], "not for `forget`"),
    ] {
        let ran = server.run("grace", &arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {ran:?}");
    }
    let trail = server.get("grace", "/v1/audit/service");
    let acts = trail["acts"].as_array().unwrap().iter();
    assert_eq!(acts.filter(|act| act["actor"] != "service").count(), 0, "nothing was asked for");
}

/// The exit code 2 says that an entrance is not guarded, and nothing else.
#[test]
fn a_refusal_of_the_service_is_no_verdict() {
    let server = Server::start();
    let gate = guarded();
    for who in ["alice", "nobody"] {
        let ran = server.run(who, &["probe", &gate.url]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{who}: {ran:?}");
        let ran = server.run(who, &["probe", &gate.url, "--json"]);
        assert_eq!(ran.code, 1);
        assert!(ran.json()["reason"].is_string(), "{ran:?}");
    }
    assert!(gate.calls().is_empty(), "nothing was sent");
    // An older service.
    let older = StandIn::start(|_, _| problem(404, "not_found"));
    let ran = older.run(&["probe", &gate.url]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("takes a newer service"), "{ran:?}");
}

/// A service that mixes answers up.
#[test]
fn the_verdict_on_something_else_does_not_count() {
    let gate = guarded();
    for (name, value) in [
        ("id", json!("prb_other")),
        ("verdicts", json!([])),
        ("entrance", json!("http://other.internal/")),
        ("authority", json!("other.internal")),
        ("node", Value::Null),
        ("verdict", json!("fine")),
    ] {
        let change = move |mut answer: Value| {
            let whole = ["id", "verdicts"].contains(&name);
            let place = if whole { &mut answer } else { &mut answer["verdicts"][0] };
            place[name] = value.clone();
            answer
        };
        let change = Arc::new(change);
        let service = StandIn::start(move |_, call| match good(call) {
            Reply::Json(200, answer) if call.path.ends_with("/answers") => {
                Reply::Json(200, change(answer))
            }
            other => other,
        });
        let ran = service.run(&["probe", &gate.url]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{name}: {ran:?}");
    }
    let shadow = StandIn::start(|_, call| match good(call) {
        Reply::Json(200, mut answer) if call.path.ends_with("/answers") => {
            answer["verdicts"][0]["node"]["enforcement"] = json!("shadow");
            Reply::Json(200, answer)
        }
        other => other,
    });
    let ran = shadow.run(&["probe", &gate.url]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stdout.contains("in shadow mode, which refuses nothing"), "{ran:?}");
    let stale = StandIn::start(|_, call| match good(call) {
        Reply::Json(200, mut answer) if call.path.ends_with("/answers") => {
            let node = &mut answer["verdicts"][0]["node"];
            (node["stale_for_s"], node["alive"]) = (json!(95), json!(false));
            Reply::Json(200, answer)
        }
        other => other,
    });
    let ran = stale.run(&["probe", &gate.url]);
    assert_eq!(ran.code, 0, "it refuses by itself: {ran:?}");
    assert!(ran.stdout.contains("feed 95 s old, too old to be believed"), "{ran:?}");
    assert!(ran.stderr.contains("it gets no revocations"), "{ran:?}");
}

#[test]
fn connections_go_where_they_are_told_and_the_authority_stays() {
    let server = Server::start();
    poll(&server);
    let (one, two) = (guarded(), guarded());
    let at = |gate: &StandIn| gate.url.strip_prefix("http://").unwrap().to_owned();
    let port = |gate: &StandIn| at(gate).rsplit_once(':').unwrap().1.to_owned();
    let to = |gate: &StandIn| format!("orders.internal:80:127.0.0.1:{}", port(gate));
    let url = "http://orders.internal/v1/orders";
    let (first, second) = (to(&one), to(&two));
    let ran = server
        .run("grace", &["probe", url, "--connect-to", &first, "--connect-to", &second, "--json"]);
    assert_eq!((results(&ran), ran.code), (vec!["guarded".into(), "guarded".into()], 0), "{ran:?}");
    for gate in [&one, &two] {
        assert_eq!(gate.calls()[0].header("host"), Some("orders.internal"));
    }
    let file = server.path("entrances");
    fs::write(&file, format!("{url} {}\n", at(&one))).unwrap();
    let ran = server.run("grace", &["probe", "--file", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with(&format!("{url} at {}  guarded", at(&one))), "{ran:?}");
    let own = format!("http://orders.internal:{}/", port(&one));
    let resolve = format!("orders.internal:{}:127.0.0.1", port(&one));
    let ran = server.run("grace", &["probe", &own, "--resolve", &resolve]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn names_the_expected_proxies_that_are_missing() {
    let server = Server::start();
    poll(&server);
    let file = server.path("expected");
    let expect = |text: &str, json: bool| {
        fs::write(&file, text).unwrap();
        let mut arguments = vec!["proxies", "--expect", file.to_str().unwrap()];
        arguments.extend(json.then_some("--json"));
        server.run("alice", &arguments)
    };
    assert_eq!(
        expect("# names\nenvoy\ngate 1\n", false).done(),
        "all 2 expected proxies are there\n"
    );
    let ran = expect("envoy 2\nedge\n", false);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.stdout, "missing: edge: 0 of 1 there\nmissing: envoy: 1 of 2 there\n");
    assert!(ran.stderr.contains("may not know all yet"), "{ran:?}");
    let ran = expect("edge\n", true);
    let missing = json!([{ "name": "edge", "expected": 1, "alive": 0, "silent": [] }]);
    assert_eq!((ran.code, &ran.json()["missing"]), (1, &missing));
}
