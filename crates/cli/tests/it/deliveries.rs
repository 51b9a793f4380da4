//! The real service is killed while a sink is down: nothing is lost, and nothing is told under another id. And the verbs about
//! deliveries.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use breakglass_audit::text::misleads;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::alerts::HOSTILE;
use crate::process::{Ran, Server, breakglass, until};

fn start(directory: TempDir, receiver: &Receiver) -> Server {
    let secret = directory.path().join("secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let text = format!(
        "administrators = [\"dbas\"]\n{}[[sinks]]\nname = \"siem\"\ntype = \"webhook\"\nurl = \"{}\"\n\
         secret_files = [\"{}\"]\ntimeout = \"1s\"\n",
        config(&directory),
        receiver.url,
        secret.display()
    );
    Server::start_with(directory, &text)
}

/// The ids of all events, in their order.
fn events(server: &Server) -> Vec<String> {
    let page = server.get("grace", "/v1/audit/events");
    let ids = page["events"].as_array().unwrap().iter().map(|event| event["id"].clone());
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_service_that_is_killed_while_a_sink_is_down_tells_it_everything_once_it_is_back() {
    // Some attempts are answered by nothing, one of each event is taken although its answer never comes.
    let receiver = Receiver::answering(|number, _| match number % 3 {
        0 => Reply::Close,
        1 => Reply::Status(503, "", ""),
        _ => Reply::Hang(Duration::from_millis(200)),
    });
    let mut server = start(tempfile::tempdir().unwrap(), &receiver);
    // The sink is told of what happens from the first look on: of the first event that it is told, and of all after it.
    until(|| {
        server.pending();
        !receiver.calls().is_empty()
    });
    let told: BTreeSet<String> = receiver.calls().iter().map(|call| call.id()).collect();
    let before = events(&server).iter().position(|id| told.contains(id)).unwrap();
    for _ in 0..3 {
        let calls = receiver.calls().len();
        for _ in 0..3 {
            let id = server.pending();
            server.run("carol", &["approve", &id, "--yes"]).done();
        }
        until(|| receiver.calls().len() > calls);
        server = start(server.leave("KILL"), &receiver);
    }
    let happened: BTreeSet<String> = events(&server).into_iter().skip(before).collect();
    let count = happened.len();
    assert!(count > 18, "{count}");
    receiver.answers(|_, _| Reply::Status(200, "", "ok"));
    until(|| receiver.taken().len() >= count);
    assert_eq!(receiver.ids(), happened);
    // Of each request the submission came first.
    let mut seen = BTreeSet::new();
    for call in receiver.taken() {
        let event = call.json();
        let request = event["request"].as_str().unwrap().to_owned();
        assert_eq!(
            event["type"] == "breakglass.request.submitted",
            seen.insert(request),
            "{event}"
        );
    }
    // What failed before it was killed has the same ids.
    assert!(receiver.calls().iter().all(|call| happened.contains(&call.id())));

    // The verbs.
    until(|| {
        let listed =
            server.run("grace", &["events", "list", "--state", "waiting", "--json"]).json();
        listed["deliveries"] == json!([])
    });
    let listed = server.run("grace", &["events", "list", "--sink", "siem"]);
    assert_eq!(listed.stdout.lines().count(), count, "{listed:?}");
    assert!(listed.stderr.contains("sink siem (webhook), 0 waiting, 0 dead"), "{listed:?}");
    let event = listed.stdout.split(' ').next().unwrap().to_owned();
    assert_eq!(server.run("alice", &["events", "list"]).code, 2);
    assert_eq!(server.run("grace", &["events", "replay", &event]).code, 2);
    let replayed = server.run("dave", &["events", "replay", &event, "--sink", "siem"]).done();
    assert_eq!(replayed.trim(), "queued for siem");
    until(|| receiver.calls().iter().filter(|call| call.id() == event).count() >= 2);
    assert_eq!(server.run("dave", &["events", "replay", "evt_0"]).code, 3);
}

/// What a receiver answers is a text of another party too.
#[test]
fn the_list_shows_a_receivers_words_on_one_harmless_line() {
    let receiver = Receiver::answering(|_, _| Reply::Status(503, "", HOSTILE));
    let server = start(tempfile::tempdir().unwrap(), &receiver);
    until(|| {
        server.pending();
        !receiver.calls().is_empty()
    });
    let mut shown = String::new();
    until(|| {
        shown = server.run("grace", &["events", "list"]).done();
        shown.contains("got 503: ")
    });
    for line in shown.lines() {
        assert!(line.starts_with("evt_") && !line.chars().any(misleads), "{line:?}");
    }
    assert!(shown.contains("<b>"), "{shown}");
}

#[test]
fn a_preview_is_in_the_words_of_the_template_and_a_wrong_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (path, template) = (directory.path().join("config.toml"), directory.path().join("t.txt"));
    let sink = format!(
        "[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"/nonexistent\"\ntemplate_file = \"{}\"\n",
        template.display()
    );
    fs::write(&path, format!("{}{sink}", config(&directory))).unwrap();
    fs::write(&template, "{% if request %}{{ request.requester }} has {{ title }}{% endif %}")
        .unwrap();
    let run = |arguments: &[&str]| {
        let mut command = breakglass();
        Ran::from(command.args(arguments).arg("--config").arg(&path).output().unwrap())
    };
    let ending = ["events", "preview", "--sink", "s", "--type", "breakglass.grant.ending"];
    let shown = run(&ending).done();
    assert!(shown.contains("alice has 5 minutes left of the grant of alice"), "{shown}");
    assert_eq!(run(&["serve", "--check"]).code, 0);
    fs::write(&template, "one\n{{ request.reason }}").unwrap();
    for wrong in [&ending[..], &["serve", "--check"]] {
        let ran = run(wrong);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(
            ran.stderr.contains("sinks[0].template_file: ") && ran.stderr.contains("line 2: "),
            "{ran:?}"
        );
    }
}

#[test]
fn a_preview_shows_what_would_be_sent_without_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let sinks = [
        "type = \"webhook\"\nurl = \"https://siem.test/x\"\nsecret_files = [\"/nonexistent\"]",
        "type = \"slack\"\nurl_file = \"/nonexistent\"",
        "type = \"pagerduty\"\nrouting_key_file = \"/nonexistent\"",
        "type = \"otlp\"\nurl = \"https://otel.test/v1/logs\"\ntoken_file = \"/nonexistent\"",
        "type = \"mail\"\nhost = \"mail.test\"\nfrom = \"b@corp.example\"\nto = [\"o@corp.example\"]",
    ];
    let sinks: String = sinks
        .iter()
        .enumerate()
        .map(|(index, sink)| format!("[[sinks]]\nname = \"s{index}\"\n{sink}\n"))
        .collect();
    fs::write(&path, format!("{}{sinks}", config(&directory))).unwrap();
    let preview = |arguments: &[&str]| {
        let mut command = breakglass();
        command.args(["events", "preview", "--config"]).arg(&path).args(arguments);
        Ran::from(command.output().unwrap())
    };
    for (sink, expected) in [
        ("s0", "webhook-signature: v1,<signature>"),
        ("s1", "POST https://hooks.slack.com/.."),
        ("s2", "\"routing_key\": \"<routing key>\""),
        ("s3", "authorization: Bearer <token>"),
        ("s4", "Subject: [breakglass] alice asks for orders:write"),
    ] {
        let shown = preview(&["--sink", sink]).done();
        assert!(shown.contains(expected), "{sink}: {shown}");
        assert!(
            shown.contains("breakglass approve req_") || sink == "s0" || sink == "s3",
            "{shown}"
        );
        let json: Value = preview(&["--sink", sink, "--json"]).json();
        assert_eq!(json["sink"], sink);
    }
    let not_told = preview(&["--sink", "s2", "--type", "breakglass.session.began"]);
    assert!(not_told.code == 0 && not_told.stderr.contains("is not told"), "{not_told:?}");
    for wrong in [vec!["--sink", "s9"], vec!["--sink", "s0", "--type", "breakglass.x"]] {
        assert_eq!(preview(&wrong).code, 3, "{wrong:?}");
    }
}
