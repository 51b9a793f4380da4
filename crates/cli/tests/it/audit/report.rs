//! `breakglass audit report`: the evidence, from the real service and a log.

use serde_json::{Value, json};

use crate::process::{Ran, Server, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm, heads};

/// What somebody who attacks puts wherever a log has room.
const HOSTILE: &str = "</td><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>\u{202e}";

/// The digest of a configuration.
const CONFIGURATION: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn report(folder: &Folder, lines: &[String], heads: &Value, arguments: &[&str]) -> Ran {
    let log = folder.lines("access.log", lines);
    let heads = folder.file("heads.json", heads.to_string());
    let mut command = breakglass();
    command.args(["audit", "report", "--log-only"]).args(arguments);
    command.arg("--heads").arg(heads).arg(log);
    Ran::from(command.output().unwrap())
}

#[test]
fn has_the_request_the_approval_every_call_and_the_verdict() {
    let server = Server::start();
    let id = server.pending();
    let grant = server.run("carol", &["approve", &id, "--yes"]).done().trim().to_owned();
    server.run("alice", &["token", &id]).done();
    server.run("carol", &["revoke", &grant, "--reason", "seen enough"]).done();

    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let call = Call { grant: Some(&grant), subject: "alice", ..END };
    let mut lines = vec![vm.write(&call), vm.write(&END)];
    let start = Call { phase: "start", request: Some(9), ..call.clone() };
    lines.push(vm.write(&start));
    let cut = Call { decision: "cut", reason: "revoked", request: Some(9), ..call.clone() };
    let start = Some((vm.seq, vm.hash.clone().unwrap()));
    lines.push(vm.write(&Call { start, ..cut }));
    lines.push(vm.write(&Call { decision: "deny", reason: "revoked", ..call }));

    // The service knows where the chain is, as it does where a proxy reports it.
    let mut head = vm.head();
    for name in ["reported_at", "proxy", "node", "conflict"] {
        head.as_object_mut().unwrap().remove(name);
    }
    head["configuration"] = json!(CONFIGURATION);
    let body = json!({ "node": "gate-1", "heads": [head] });
    let answer = ureq::post(format!("{}/v1/audit/heads", server.url))
        .header("authorization", "Bearer token-envoy")
        .send_json(&body);
    assert_eq!(answer.unwrap().status(), 200);

    let log = folder.lines("access.log", &lines);
    let page = folder.file("page.html", "");
    let ran = server.run(
        "grace",
        &[
            "audit",
            "report",
            "--grant",
            &grant,
            "--json",
            "--heads",
            &server.url,
            "--html",
            page.to_str().unwrap(),
            log.to_str().unwrap(),
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    assert_eq!(report["about"], json!({ "grant": grant }));
    let request = &report["requests"][0];
    assert_eq!(request["request"]["grant"]["approved_by"], "carol");
    assert_eq!(request["request"]["grant"]["revoked"]["reason"], "seen enough");
    assert_eq!(request["trail"].as_array().unwrap().len(), 4);
    let calls = report["calls"].as_array().unwrap();
    let said: Vec<_> = calls
        .iter()
        .map(|call| (call["line"].clone(), call["record"]["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [(json!(1), "allow"), (json!(5), "deny"), (json!(4), "cut")]);
    assert_eq!(report["summary"]["decisions"], json!({ "allow": 1, "cut": 1, "deny": 1 }));
    assert_eq!(report["check"]["integrity"]["verdict"], "ok");
    assert_eq!(report["check"]["completeness"]["verdict"], "ok");
    // This service has no definition of the scope: its trail says nothing of rules.
    assert_eq!(
        report["trail_comparison"],
        json!({ "compared": 0, "not_compared": { "no_approved_digest": 2 }, "findings": [] })
    );
    assert_eq!(report["check"]["chains"][0]["head"]["configurations"], json!([CONFIGURATION]));
    let page = std::fs::read_to_string(page).unwrap();
    for shown in
        [&grant, "seen enough", "orders are stuck", "Integrity: ok", "/v1/orders/17", CONFIGURATION]
    {
        assert!(page.contains(shown), "{shown}");
    }
    // Who may not audit gets no report.
    let log = log.to_str().unwrap();
    let refused = server.run("carol", &["audit", "report", "--grant", &grant, log]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn finds_by_incident_and_by_person_and_nothing_else() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let lines = [
        vm.write(&END),
        vm.write(&Call { incident: "INC-2", ..END }),
        vm.write(&Call { subject: "INC-2", path: "/INC-2", ..END }),
    ];
    let heads = heads([&vm]);
    for (arguments, line) in [(["--incident", "INC-2"], 2), (["--subject", "INC-2"], 3)] {
        let ran = report(&folder, &lines, &heads, &[&arguments[..], &["--json"]].concat());
        let report = ran.json();
        assert_eq!(report["requests"], Value::Null);
        let lines: Vec<_> =
            report["calls"].as_array().unwrap().iter().map(|call| call["line"].clone()).collect();
        assert_eq!(lines, [json!(line)], "{arguments:?}");
    }
    let text = report(&folder, &lines, &heads, &["--incident", "INC-2"]).done();
    assert!(text.contains("calls         1 (1 allow)"), "{text}");
}

#[test]
fn finds_every_spelling_and_says_which() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let spellings = ["INC-2", "inc-2", "\u{406}NC-2 ", "INC\u{2010}\u{200b}2"];
    let mut lines: Vec<String> =
        spellings.iter().map(|incident| vm.write(&Call { incident, ..END })).collect();
    lines.push(vm.write(&Call { incident: "INC-22", subject: "INC-2", path: "/INC-2", ..END }));
    let page = folder.file("page.html", "");
    let arguments = ["--incident", "Inc-2", "--json", "--html", page.to_str().unwrap()];
    let ran = report(&folder, &lines, &heads([&vm]), &arguments);
    let found = ran.json();
    assert_eq!(found["calls"].as_array().unwrap().len(), 4);
    let mut sorted = spellings;
    sorted.sort_unstable();
    let expected = sorted.map(|name| json!({ "name": name, "calls": 1, "requests": 0 }));
    assert_eq!(found["look_alikes"], json!(expected));
    assert!(std::fs::read_to_string(page).unwrap().contains("Other spellings of the name"));
    let text = report(&folder, &lines, &heads([&vm]), &["--incident", "INC-2"]).done();
    let line = text.lines().find(|line| line.starts_with("also spelled")).unwrap();
    assert_eq!(line, "also spelled  \"INC\u{2010}\\u200b2\", \"inc-2\", \"\u{406}NC-2 \"");
    let none = report(&folder, &lines, &heads([&vm]), &["--subject", "inc-2", "--json"]).json();
    assert_eq!(none["look_alikes"], json!([{ "name": "INC-2", "calls": 1, "requests": 0 }]));
}

#[test]
fn says_that_the_log_cannot_be_believed_where_it_cannot() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut lines = vm.ends(3);
    lines[1] = lines[1].replace("\"bytes_sent\":345", "\"bytes_sent\":5");
    let page = folder.file("page.html", "");
    let arguments = ["--incident", "INC-4711", "--json", "--html", page.to_str().unwrap()];
    let ran = report(&folder, &lines, &heads([&vm]), &arguments);
    assert_eq!(ran.code, 4);
    assert_eq!(ran.json()["calls"][1]["intact"], false);
    assert_eq!(ran.json()["summary"]["not_intact"], 1);
    assert!(std::fs::read_to_string(page).unwrap().contains("Integrity: broken"));
}

#[test]
fn nothing_in_a_log_gets_into_the_page_as_markup() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let call = Call {
        decision: "allow",
        grant: Some(HOSTILE),
        subject: HOSTILE,
        incident: HOSTILE,
        path: HOSTILE,
        ..END
    };
    let mut lines = vec![vm.write(&call)];
    lines.push(lines[0].replace("\"allow\"", "\"x' onclick='y\""));
    let page = folder.file("page.html", "");
    let arguments = ["--subject", HOSTILE, "--json", "--html", page.to_str().unwrap()];
    let ran = report(&folder, &lines, &heads([&vm]), &arguments);
    assert_eq!(ran.json()["calls"].as_array().unwrap().len(), 2);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(!page.contains('\u{202e}'), "what turns text is not there as such");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("\u{27e8}U+202E\u{27e9}"), "what turns text is shown");
    assert!(page.contains("default-src 'none'"), "nothing runs, nothing is loaded");
    assert_only_our_tags(&page);
}

/// Nothing but the template's own elements, and none that does anything.
fn assert_only_our_tags(page: &str) {
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.split_whitespace().next().unwrap_or_default().trim_start_matches('/');
        let known = [
            "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div",
            "b", "section", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd",
        ];
        assert!(known.contains(&name), "{tag}");
        assert!(!tag.contains("onclick") && !tag.contains("onerror"), "{tag}");
    }
}

#[test]
fn nothing_that_the_service_says_gets_into_the_page_as_markup() {
    let server = Server::start();
    // The service refuses what turns text, and nothing else.
    let hostile = HOSTILE.trim_end_matches('\u{202e}');
    let incident: String = hostile.chars().filter(char::is_ascii_graphic).collect();
    let incident = incident.as_str();
    let request =
        ["request", "--scope", "orders:read", "--reason", hostile, "--incident", incident];
    let id = server.run("alice", &request).done().trim().to_owned();
    server.run("carol", &["deny", &id, "--reason", hostile]).done();
    let folder = Folder::new();
    let log = folder.lines("access.log", &Vm::new('a').ends(1));
    let page = folder.file("page.html", "");
    let (page_name, log) = (page.to_str().unwrap(), log.to_str().unwrap());
    let arguments = ["audit", "report", "--incident", incident, "--html", page_name, log];
    let ran = server.run("grace", &arguments);
    assert_eq!(ran.code, 5, "{ran:?}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.matches("&lt;script&gt;alert(1)").count() > 3, "{page}");
    assert_only_our_tags(&page);
}

#[test]
fn names_what_was_used_under_other_rules_than_were_approved() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let (approved, wider) = ("a".repeat(64), "b".repeat(64));
    let other = Call { rules: Some((&wider, &approved)), ..END };
    let lines = [
        vm.write(&END),
        vm.write(&Call { rules: Some((&approved, &approved)), ..END }),
        vm.write(&other),
        vm.write(&Call { decision: "cut", reason: "revoked", ..other.clone() }),
        vm.write(&Call { decision: "deny", reason: "scope_changed", ..other.clone() }),
    ];
    let page = folder.file("page.html", "");
    let arguments = ["--incident", "INC-4711", "--html", page.to_str().unwrap()];
    let text = report(&folder, &lines, &heads([&vm]), &arguments).done();
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("other rules ")).collect();
    assert_eq!(found.len(), 1, "{text}");
    for said in
        ["used under other rules than were approved", "2 requests", "gate-1", &approved, &wider]
    {
        assert!(found[0].contains(said), "{said}: {text}");
    }
    let page = std::fs::read_to_string(page).unwrap();
    for shown in ["Used under other rules than were approved", &approved, &wider] {
        assert!(page.contains(shown), "{shown}");
    }
    let ran = report(&folder, &lines, &heads([&vm]), &["--incident", "INC-4711", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = ran.json();
    assert_eq!(
        found["other_rules"],
        json!([{ "grant": END.grant, "scope": "orders:read", "approved_digest": approved,
            "scope_digest": wider, "requests": 2, "first": found["calls"][2]["record"]["time"],
            "last": found["calls"][3]["record"]["time"], "nodes": ["gate-1"] }])
    );
    // Records of filters of before, and of now, are one log that verifies.
    assert_eq!(found["check"]["integrity"]["verdict"], "ok");
    assert_eq!(found["check"]["completeness"]["verdict"], "ok");
    // Where nothing of the kind is found, nothing is said.
    let mut vm = Vm::new('b');
    let lines = [vm.write(&END), vm.write(&Call { rules: Some((&wider, &wider)), ..END })];
    let page = folder.file("page.html", "");
    let arguments = ["--incident", "INC-4711", "--html", page.to_str().unwrap()];
    let text = report(&folder, &lines, &heads([&vm]), &arguments).done();
    assert!(!text.contains("other rules"), "{text}");
    assert!(!std::fs::read_to_string(page).unwrap().contains("other rules"));
}
