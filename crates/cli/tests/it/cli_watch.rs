//! `breakglass watch`: what happens, as it happens.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use breakglass_audit::text::misleads;
use breakglass_testing::service::token_of;
use serde_json::{Value, json};

use crate::alerts::{HOSTILE, report};
use crate::process::{Server, breakglass};
use crate::stand_in::{Reply, StandIn};

/// How long a line may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A watch that runs, with the lines of its stdout.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(mut command: Command) -> Watch {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Watch { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Until the watch is at the service: what happens before is not told.
fn until_told(server: &Server, watch: &Watch) -> String {
    for _ in 0..100 {
        server.pending();
        if let Ok(line) = watch.lines.recv_timeout(Duration::from_millis(200)) {
            return line;
        }
    }
    panic!("the watch tells nothing");
}

#[test]
fn a_watch_tells_what_happens_through_a_restart_of_the_service() {
    let server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let arguments = ["watch", "--type", "breakglass.request.*", "--scope", "orders:read", "--json"];
    let json = Watch::start(server.command("carol", &arguments));
    let words = Watch::start(server.command("carol", &["watch", "--type", "breakglass.request.*"]));
    let first: Value = serde_json::from_str(&until_told(&server, &json)).unwrap();
    assert_eq!(first["type"], "breakglass.request.submitted", "{first}");
    until_told(&server, &words);

    // What happens while it is away is told when it is back, in its order.
    let directory = server.leave("TERM");
    let text = std::fs::read_to_string(directory.path().join("config.toml")).unwrap();
    let server = Server::start_at(breakglass(), directory, &text, &address);
    let id = server.pending();
    let (mut submitted, mut last) = (String::new(), Value::Null);
    while !submitted.contains(&id) {
        submitted = words.line();
    }
    assert!(submitted.contains("request.submitted") && submitted.contains("alice: orders:read"));
    assert!(submitted.contains("orders are stuck"), "{submitted}");
    while last["request"]["id"] != id.as_str() {
        last = serde_json::from_str(&json.line()).unwrap();
    }
    drop(json);
    server.run("carol", &["deny", &id, "--reason", "no"]).done();

    // A script goes on where it was.
    let after = last["after"].as_str().unwrap();
    let again = Watch::start(server.command("carol", &["watch", "--json", "--after", after]));
    let denied: Value = serde_json::from_str(&again.line()).unwrap();
    assert_eq!(
        (denied["type"].as_str(), denied["request"]["id"].as_str()),
        (Some("breakglass.request.denied"), Some(id.as_str()))
    );
}

#[test]
fn a_watch_that_never_began_ends() {
    let server = Server::start();
    for (arguments, words) in
        [(["watch", "--after", "1.evt_x"], "(event_unknown)"), (["watch", "--type", "No"], "type")]
    {
        let ran = server.run("carol", &arguments);
        assert!(ran.stderr.contains(words) && ran.stdout.is_empty(), "{ran:?}");
        assert_ne!(ran.code, 0, "{ran:?}");
    }
    let ran = server.run("mallory", &["watch"]);
    assert!(ran.stderr.contains("(credential_unknown)"), "{ran:?}");
    drop(server);
    let html = "content-type: text/html\r\n";
    for (reply, words) in [
        (Reply::Text(200, html, "<html>".to_owned()), "text/event-stream"),
        (Reply::Text(302, "location: https://elsewhere.test/\r\n", String::new()), "redirect"),
        (Reply::Json(200, serde_json::json!({})), "text/event-stream"),
    ] {
        let reply = std::sync::Arc::new(std::sync::Mutex::new(Some(reply)));
        let stand_in = StandIn::start(move |_, _| {
            reply.lock().unwrap().take().unwrap_or(Reply::Bytes(Vec::new()))
        });
        let mut command = breakglass();
        command.arg("watch").env("BREAKGLASS_URL", &stand_in.url);
        let ran = crate::process::Ran::from(
            command.env("BREAKGLASS_API_TOKEN", "token-carol").output().unwrap(),
        );
        assert!(ran.code == 1 && ran.stderr.contains(words), "{ran:?}");
    }
}

/// What clients and proxies write makes no line of its own, and steers, turns and hides nothing.
#[test]
fn a_watch_shows_text_of_others_on_one_harmless_line_each() {
    let server = Server::start();
    let watch = Watch::start(server.command("grace", &["watch"]));
    let first = until_told(&server, &watch);
    let at = "2026-11-22T02:13:00.123Z";
    let mut alert = json!({ "kind": "out_of_scope", "first": at, "last": at, "count": 1 });
    for member in ["reason", "method", "host", "path", "source_ip", "detail", "subject"] {
        alert[member] = json!(format!("Mk7{member}{HOSTILE}"));
    }
    alert["unverified"] = json!({ "kid": HOSTILE, "issuer": HOSTILE });
    report(&server, json!([alert]));
    // What the service takes as a reason: what steers a terminal it refuses.
    let ask = |reason: &str| {
        let request = ureq::post(format!("{}/v1/requests", server.url));
        let request = request.header("authorization", format!("Bearer {}", token_of("alice")));
        let body = json!({ "scopes": ["orders:read"], "reason": reason, "duration": "30m" });
        request.send_json(&body).is_ok()
    };
    assert!(!ask("Mk7 \u{1b}]0;title\u{7}") && !ask("Mk7 \u{202e}") && !ask("Mk7\nsecond line"));
    assert!(ask("Mk7reason \u{200b}\u{ad} *b* <!channel> {{7*7}} \u{1f600}"));
    let (mut lines, mut all) = (vec![first], String::new());
    while !(all.contains("Mk7path") && all.contains("Mk7reason \u{fffd}")) {
        lines.push(watch.line());
        all = lines.join("\n");
    }
    for line in &lines {
        assert!(line.starts_with("20") && !line.chars().any(misleads), "{line:?}");
    }
    assert!(
        all.contains("reported by envoy: Mk7method")
            && all.contains("<!channel> {{7*7}} \u{1f600}"),
        "{all}"
    );
}
