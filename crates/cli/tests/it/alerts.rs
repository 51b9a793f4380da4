//! Alerts of proxies, as the command line shows them.

use breakglass_audit::text::misleads;
use breakglass_testing::service::token_of;
use serde_json::{Value, json};

use crate::process::Server;

/// Terminal escapes, a line of its own, HTML, and what turns a text or cannot be seen.
pub(crate) const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\r\n2026-11-22T02:13:00Z  cut  reported by envoy\u{2028}<b>\u{202e}\u{200b}\u{0}";

pub(crate) fn report(server: &Server, alerts: Value) {
    let body = json!({ "node": "edge-1", "alerts": alerts });
    let request = ureq::post(format!("{}/v1/alerts", server.url));
    let request = request.header("authorization", format!("Bearer {}", token_of("envoy")));
    request.send_json(&body).unwrap();
}

#[test]
fn the_command_line_shows_them_each_on_one_line_as_its_proxys_word() {
    let server = Server::start();
    let at = "2026-11-22T02:13:00.123Z";
    let mut alert = json!({ "kind": "out_of_scope", "first": at, "last": at, "count": 2 });
    for member in [
        "grant",
        "issuer",
        "subject",
        "incident",
        "scope",
        "rule",
        "reason",
        "method",
        "host",
        "path",
        "route",
        "source_ip",
        "request_id",
        "detail",
    ] {
        alert[member] = json!(format!("{member}{HOSTILE}"));
    }
    alert["unverified"] = json!({ "kid": HOSTILE, "issuer": HOSTILE });
    let cut = json!({ "kind": "cut", "first": at, "last": at, "count": 1, "grant": "grant_1", "audience": "prod" });
    report(&server, json!([alert, cut]));

    let shown = server.run("grace", &["audit", "alerts"]).done();
    assert!(shown.chars().all(|character| character == '\n' || !misleads(character)), "{shown:?}");
    let lines: Vec<&str> = shown.lines().collect();
    let [hostile, cut] = lines[..] else { panic!("{shown}") };
    assert!(
        hostile.contains("  out_of_scope x2  reported by envoy (node edge-1)  grant"),
        "{hostile}"
    );
    assert!(
        cut.ends_with("  cut  reported by envoy (node edge-1)  grant_1 (unknown here)  in prod"),
        "{cut}"
    );

    let ran = server.run("grace", &["--json", "audit", "alerts"]);
    let line = ran.stdout.trim_end();
    assert!(!line.chars().any(misleads), "{line:?}");
    let all = ran.json();
    assert_eq!(all["alerts"][0]["data"]["alert"]["path"], format!("path{HOSTILE}"));
    assert_eq!(all["next"], Value::Null);
    let place = all["alerts"][0]["place"].to_string();
    for (arguments, lines) in [
        (vec!["--kind", "cut"], vec![cut]),
        (vec!["--proxy", "envoy"], vec![hostile, cut]),
        (vec!["--proxy", "envoy", "--kind", "cut", "--grant", "grant_1"], vec![cut]),
        (vec!["--after", &place], vec![cut]),
        (vec!["--proxy", "a&kind=cut"], vec![]),
    ] {
        let arguments = [vec!["audit", "alerts"], arguments].concat();
        let shown = server.run("grace", &arguments).done();
        assert_eq!(shown.lines().collect::<Vec<_>>(), lines, "{arguments:?}");
    }
    assert_eq!(server.run("alice", &["audit", "alerts"]).code, 2);
}
