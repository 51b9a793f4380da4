//! Every verb against servers that are not our service, at every call that the verb makes.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Ran, breakglass};
use crate::stand_in::{
    Call, EVENT, GRANT, PARENT, PROXY, REQUEST, REVIEW, ROTATION, Reply, SESSION, StandIn, good,
    view,
};

/// Each verb that asks the service, with arguments that reach every call that it makes. `URL` is the server's, `LOG` an
/// empty log, `ENTRANCE` an entrance that answers a challenge, `EXPECTED` a file
/// with the name of a proxy.
const ASKING: &[(&str, &[&[&str]])] = &[
    ("scopes", &[&[], &["--for", "POST /v1/orders", "--host", "a.test"]]),
    (
        "request",
        &[
            &["--scope", "orders:read", "--reason", "r"],
            &["--scope", "orders:read", "--reason", "r", "--wait"],
        ],
    ),
    ("extend", &[&[PARENT, "--reason", "r"], &[PARENT, "--reason", "r", "--wait"]]),
    ("approve", &[&[REQUEST, "--yes"]]),
    ("question", &[&[REQUEST, "t"]]),
    ("answer", &[&[REQUEST, "t"]]),
    ("deny", &[&[REQUEST, "--reason", "r"]]),
    ("cancel", &[&[REQUEST]]),
    ("token", &[&[REQUEST]]),
    ("done", &[&[], &[GRANT]]),
    ("revoke", &[&[GRANT, "--reason", "r"], &["--all", "--reason", "r"]]),
    ("probe", &[&["ENTRANCE"]]),
    ("proxies", &[&[], &["--expect", "EXPECTED"]]),
    ("proxies forget", &[&[PROXY, "--reason", "r"]]),
    ("whoami", &[&[], &["--notify", "none"]]),
    ("sessions", &[&[], &["--all"]]),
    ("sessions end", &[&[SESSION]]),
    ("held-ends", &[&[]]),
    ("held-ends confirm", &[&["corp:sre"]]),
    ("review list", &[&[], &["--state", "owed"], &["--mine"]]),
    ("review show", &[&[REVIEW]]),
    ("review sign", &[&[REVIEW, "--yes"]]),
    ("review dispute", &[&[REVIEW, "--yes", "--note", "n"]]),
    ("uses", &[&[GRANT]]),
    ("scopes narrow", &[&["orders:read"]]),
    ("rotations list", &[&[], &["--state", "failed"]]),
    ("rotations done", &[&[ROTATION, "--note", "n"]]),
    ("rotations retry", &[&[ROTATION]]),
    ("status", &[&[], &[REQUEST], &["--state", "pending"], &["--all", "--mine"]]),
    (
        "audit verify",
        &[&["--heads", "URL", "--allow-empty", "LOG"], &["--service", "--trail-key", "LOG"]],
    ),
    ("audit report", &[&["--grant", GRANT, "LOG"]]),
    ("audit heads", &[&[]]),
    ("audit attempts", &[&[]]),
    ("audit alerts", &[&[], &["--kind", "cut", "--proxy", "envoy", "--grant", GRANT]]),
    ("events list", &[&[], &["--state", "dead"]]),
    ("events replay", &[&[EVENT]]),
];

/// Those that ask nothing.
const LOCAL: &[&str] = &[
    "audit tail",
    "audit export",
    "serve",
    "config validate",
    "config diff",
    "database check",
    "database backup",
    "database restore",
    "database new-feed",
    "database trail-key",
    "database drop-old-heads",
    "doctor",
    "events preview",
    // Without the credential that the others present: `signin` has them.
    "login",
    "logout",
    // It goes on until it is interrupted: `cli_watch` has it.
    "watch",
    "keygen api-token",
    "keygen signing",
    "keygen certificates",
    "keys list",
    "keys retire",
    "keys rotate",
    "scopes import",
    "help",
];

/// The verbs that `breakglass help` names.
fn verbs(below: &[&str]) -> BTreeSet<String> {
    let ran = Ran::from(breakglass().arg("help").args(below).output().unwrap());
    let help = ran.done();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    names
        .flat_map(|name| match name.as_str() {
            "audit" | "config" | "database" | "events" | "keygen" | "keys" | "review"
            | "rotations" => verbs(&[&name])
                .into_iter()
                .filter(|verb| verb != "help")
                .map(|verb| format!("{name} {verb}"))
                .collect(),
            "proxies" => vec![name, "proxies forget".to_owned()],
            "sessions" => vec![name, "sessions end".to_owned()],
            "held-ends" => vec![name, "held-ends confirm".to_owned()],
            "scopes" => vec![name, "scopes import".to_owned(), "scopes narrow".to_owned()],
            _ => vec![name],
        })
        .collect()
}

/// What is not an answer of ours: its name, what comes, and whether it may be another program's answer in passing,
/// so that it is asked again.
fn strange(elsewhere: &str) -> Vec<(&'static str, Reply, bool)> {
    let html = "<html><body>Sign in to approve. approved</body></html>".to_owned();
    let page = "content-type: text/html\r\nserver: nginx\r\n";
    let to = |path: &str| -> &'static str { format!("location: {elsewhere}{path}\r\n").leak() };
    let json = "content-type: application/json\r\n";
    let problem = "content-type: application/problem+json\r\n";
    vec![
        ("{}", Reply::Json(200, json!({})), false),
        ("[]", Reply::Json(200, json!([])), false),
        ("null", Reply::Json(200, json!(null)), false),
        ("a string", Reply::Json(200, json!("approved")), false),
        ("true", Reply::Json(201, json!(true)), false),
        ("another verb's", Reply::Json(200, json!({ "keys": [], "active": true })), false),
        ("members of other types", Reply::Json(200, odd()), false),
        ("HTML", Reply::Text(200, page, html.clone()), false),
        ("text", Reply::Text(200, "content-type: text/plain\r\n", "approved".to_owned()), false),
        ("HTML that says JSON", Reply::Text(200, json, html.clone()), false),
        ("nothing", Reply::Text(200, json, String::new()), false),
        ("no content", Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()), false),
        ("half a document", Reply::Text(200, json, "{\"id\":\"req_".to_owned()), false),
        ("301", Reply::Text(301, to("/a?token=secret"), String::new()), false),
        ("302", Reply::Text(302, to("/a?token=secret"), html.clone()), false),
        ("303", Reply::Text(303, to("/a"), String::new()), false),
        ("307", Reply::Text(307, to("/a"), String::new()), false),
        ("308", Reply::Text(308, to("/a"), String::new()), false),
        ("302 without a target", Reply::Text(302, "", String::new()), false),
        ("304", Reply::Bytes(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()), false),
        ("401 of a proxy", Reply::Text(401, page, html.clone()), false),
        ("403 of a proxy", Reply::Text(403, page, html.clone()), false),
        ("404 of another program", Reply::Text(404, page, html.clone()), false),
        ("404 of another API", Reply::Text(404, json, "{\"error\":\"not found\"}".into()), false),
        (
            "400 with a reason as JSON",
            Reply::Text(400, json, "{\"reason\":\"x\",\"detail\":\"y\"}".into()),
            false,
        ),
        (
            "a problem without a reason",
            Reply::Text(403, problem, "{\"detail\":\"y\"}".into()),
            false,
        ),
        (
            "a problem without a detail",
            Reply::Text(403, problem, "{\"reason\":\"x\"}".into()),
            false,
        ),
        (
            "a problem whose reason is no word",
            Reply::Text(
                403,
                problem,
                "{\"reason\":\"x)\\nrevoked 1 grant\",\"detail\":\"y\"}".into(),
            ),
            false,
        ),
        ("500 HTML", Reply::Text(500, page, html.clone()), false),
        ("502 HTML", Reply::Text(502, page, html), true),
        ("200 MB", Reply::Long(200_000_000), false),
        ("no end", Reply::Endless, false),
        (
            "an end that comes early",
            Reply::Bytes(
                format!("HTTP/1.1 200 X\r\n{json}content-length: 9000\r\n\r\n{{\"id\":")
                    .into_bytes(),
            ),
            true,
        ),
        ("no HTTP", Reply::Bytes(b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()), false),
    ]
}

/// Every member that any verb relies on, with another type.
fn odd() -> serde_json::Value {
    let mut odd = json!({});
    for name in [
        "id",
        "state",
        "requester",
        "audience",
        "scopes",
        "reason",
        "incident",
        "emergency",
        "duration",
        "submitted_at",
        "lapses_at",
        "grant",
        "requests",
        "token",
        "expires_at",
        "revoked",
        "epoch",
        "not_yours",
        "proxies",
        "heads",
        "as_of",
        "next",
        "grants",
    ] {
        odd[name] = json!({ "a": 1 });
    }
    odd
}

/// An entrance that answers every challenge, as far as the command line can tell.
fn entrance() -> &'static StandIn {
    static ENTRANCE: OnceLock<StandIn> = OnceLock::new();
    ENTRANCE.get_or_init(|| {
        let answer = "A".repeat(86);
        let reply = format!("HTTP/1.1 204 X\r\nx-breakglass-probe: {answer}\r\n\r\n").into_bytes();
        StandIn::start(move |_, _| Reply::Bytes(reply.clone()))
    })
}

/// A file with the name of the proxy that the good service lists.
fn expected() -> &'static str {
    static EXPECTED: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, path) = EXPECTED.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("expected");
        fs::write(&path, "envoy\n").unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    });
    path
}

/// A verb with its arguments.
fn words<'a>(verb: &'a str, arguments: &[&'a str], log: &'a str) -> Vec<&'a str> {
    let arguments = arguments.iter().map(|word| match *word {
        "LOG" => log,
        "ENTRANCE" => &entrance().url,
        "EXPECTED" => expected(),
        word => word,
    });
    verb.split(' ').chain(arguments).collect()
}

#[test]
fn the_matrix_has_every_verb() {
    let listed: BTreeSet<String> = ASKING
        .iter()
        .map(|(verb, _)| *verb)
        .chain(LOCAL.iter().copied())
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, verbs(&[]));
}

/// The answers of our own service, to every question that the command line asks.
fn ours() -> Vec<(&'static str, Value)> {
    let states =
        ["pending", "approved", "active", "denied", "cancelled", "lapsed", "expired", "revoked"];
    let others = [
        ("GET", "/v1/requests"),
        ("POST", "/v1/requests/token"),
        ("POST", "/v1/grants/revoke"),
        ("POST", "/v1/revocations"),
        ("GET", "/v1/proxies"),
        ("POST", "/v1/probes"),
        ("GET", "/v1/scopes"),
        ("GET", "/v1/whoami"),
        ("PUT", "/v1/whoami/notify"),
        ("GET", "/v1/sessions"),
        ("POST", "/v1/sessions/end"),
        ("GET", "/v1/directory/held-ends"),
        ("POST", "/v1/directory/held-ends/confirm"),
        ("GET", "/v1/audit/events"),
        ("GET", "/v1/audit/heads"),
        ("GET", "/v1/audit/requests"),
        ("GET", "/v1/audit/attempts"),
        ("GET", "/v1/audit/alerts"),
        ("GET", "/v1/deliveries"),
        ("POST", "/v1/deliveries/replay"),
        ("GET", "/v1/reviews"),
        ("GET", "/v1/reviews/one"),
        ("POST", "/v1/reviews/sign"),
        ("POST", "/v1/reviews/dispute"),
        ("GET", "/v1/grants/uses"),
        ("GET", "/v1/scopes/uses"),
        ("GET", "/v1/rotations"),
        ("POST", "/v1/rotations/done"),
        ("POST", "/v1/rotations/retry"),
    ];
    let others = others.into_iter().map(|(method, name)| {
        let path = match name {
            "/v1/requests/token" => format!("/v1/requests/{REQUEST}/token"),
            "/v1/sessions/end" => format!("/v1/sessions/{SESSION}/end"),
            "/v1/reviews/one" => format!("/v1/reviews/{REVIEW}"),
            "/v1/reviews/sign" => format!("/v1/reviews/{REVIEW}/sign"),
            "/v1/reviews/dispute" => format!("/v1/reviews/{REVIEW}/dispute"),
            "/v1/rotations/done" => format!("/v1/rotations/{ROTATION}/done"),
            "/v1/rotations/retry" => format!("/v1/rotations/{ROTATION}/retry"),
            "/v1/deliveries/replay" => format!("/v1/deliveries/{EVENT}/replay"),
            "/v1/grants/uses" => format!("/v1/grants/{GRANT}/uses"),
            "/v1/grants/revoke" => format!("/v1/grants/{GRANT}/revoke"),
            other => other.to_owned(),
        };
        let (method, headers, body) = (method.to_owned(), Vec::new(), String::new());
        match good(&Call { method, path, headers, body }) {
            Reply::Json(200, answer) => (name, answer),
            other => panic!("{name}: {other:?}"),
        }
    });
    states.into_iter().map(|state| (state, view(state))).chain(others).collect()
}

/// A cache or a proxy that mixes answers up: each call gets every answer that our service gives to another one.
#[test]
fn no_verb_believes_the_answer_to_another_question() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, "").unwrap();
    let log = log.to_str().unwrap();
    for (verb, several) in ASKING {
        for arguments in *several {
            let words = words(verb, arguments, log);
            let recorder = StandIn::start(|_, call| good(call));
            recorder.run(&words);
            for (bad, call) in recorder.calls().iter().enumerate() {
                for (name, answer) in ours() {
                    // The answer to the same question, and what any request can be seen to be.
                    let Reply::Json(_, own) = good(call) else { panic!("{call:?}") };
                    let members = |value: &Value| {
                        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
                    };
                    let looks = call.method == "GET" && call.path.contains(REQUEST);
                    // A submission that is sent again may have been decided meanwhile.
                    let submits = call.is("POST", "/v1/requests");
                    let is_request = answer.get("requester").is_some();
                    if members(&own) == members(&answer) || is_request && (looks || submits) {
                        continue;
                    }
                    let case = format!("{words:?}, call {bad}: {name}");
                    let server = StandIn::start(move |number, call| match number == bad {
                        true => Reply::Json(200, answer.clone()),
                        false => good(call),
                    });
                    let ran = server.run(&words);
                    assert_eq!(ran.code, 1, "{case}: {ran:?}");
                    assert!(
                        ran.stdout.is_empty() || *verb == "audit heads" && bad > 0,
                        "{case}: {ran:?}"
                    );
                }
            }
        }
    }
}

fn check(verbs: &[(&str, &[&[&str]])]) {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, "").unwrap();
    let log = log.to_str().unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let elsewhere_url = format!("http://{}", elsewhere.local_addr().unwrap());
    for (verb, several) in verbs {
        for arguments in *several {
            let words = words(verb, arguments, log);
            let ours = StandIn::start(|_, call| good(call));
            let ran = ours.run(&words);
            // 5 and 7 are verdicts: nothing proves the answers of the stand-in.
            assert!([0, 5, 7].contains(&ran.code), "{words:?}: {ran:?}");
            let calls = ours.calls();
            assert!(!calls.is_empty(), "{words:?}");
            for bad in 0..calls.len() {
                for (name, reply, passes) in strange(&elsewhere_url) {
                    let case = format!("{words:?}, call {bad} of {}, {name}", calls.len());
                    let server =
                        StandIn::start(
                            move |number, call| {
                                if number == bad { reply.clone() } else { good(call) }
                            },
                        );
                    let ran = server.run(&words);
                    // What is extended is looked at once.
                    let tries = ["request", "extend", "token", "revoke", "done"].contains(verb)
                        && (*verb, bad) != ("extend", 0);
                    if passes && tries {
                        assert_eq!(ran.code, 0, "{case}: {ran:?}");
                        continue;
                    }
                    assert_eq!(ran.code, 1, "{case}: {ran:?}");
                    if *verb != "audit heads" || bad == 0 {
                        assert_eq!(ran.stdout, "", "{case}");
                    }
                    let last = ran.stderr.lines().last().unwrap();
                    assert!(last.starts_with("breakglass: http://127.0.0.1:"), "{case}: {ran:?}");
                    assert!(!last.contains("secret"), "{case}: {ran:?}");
                    if !passes && name != "no HTTP" {
                        assert!(
                            last.contains("not an answer of the breakglass service"),
                            "{case}: {ran:?}"
                        );
                        assert!(last.contains("--url"), "{case}: {ran:?}");
                    }
                    if name.starts_with("30") && name.len() == 3 && name != "304" {
                        assert!(last.contains(&format!("{elsewhere_url}/a`")), "{case}: {ran:?}");
                    }
                }
            }
        }
    }
    assert!(elsewhere.accept().is_err(), "the credential went elsewhere");
}

/// Those verbs of the matrix whose turn it is: it takes long enough to be worth more than one thread.
fn part(number: usize) -> Vec<(&'static str, &'static [&'static [&'static str]])> {
    ASKING
        .iter()
        .enumerate()
        .filter(|(index, _)| index % 3 == number)
        .map(|(_, verb)| *verb)
        .collect()
}

#[test]
fn no_verb_believes_another_server_1() {
    check(&part(0));
}

#[test]
fn no_verb_believes_another_server_2() {
    check(&part(1));
}

#[test]
fn no_verb_believes_another_server_3() {
    check(&part(2));
}

/// With `--json` the failure is the one JSON value, with a word of its own.
#[test]
fn with_json_another_server_is_named_too() {
    for (verb, arguments) in
        [("status", vec![]), ("approve", vec![REQUEST, "--yes"]), ("token", vec![REQUEST])]
    {
        let server = StandIn::start(|_, _| Reply::Json(200, json!({})));
        let ran = server.run(&[&[verb][..], &arguments, &["--json"]].concat());
        assert_eq!((ran.code, &ran.json()["reason"]), (1, &"not_our_service".into()), "{ran:?}");
    }
}

/// A body that drips takes no longer than an answer may take.
#[test]
fn a_slow_body_is_not_waited_for() {
    use breakglass_cli::answer::{Requests, Whole};
    use breakglass_cli::client::{Client, Settings};
    let server = StandIn::start(|_, _| Reply::Slow);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "token-alice").unwrap();
    let url = Some(server.url.clone());
    let settings = Settings { url, api_token_file: Some(file), ..Settings::default() };
    let client = Client::new(&settings).unwrap();
    let failure =
        client.get_within::<Whole<Requests>>("/v1/requests", Duration::from_secs(1)).unwrap_err();
    assert!(failure.to_string().contains("no complete answer within 1 s"), "{failure}");
    assert_eq!(failure.exit(), breakglass_cli::exit::Exit::Fail);
}
