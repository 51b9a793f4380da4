//! `breakglass audit export`: the classes' required members are there, with the values that their
//! schemas allow.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, GRANT, Vm, wrapped};

fn export(format: &str, lines: &[String]) -> Vec<Value> {
    let folder = Folder::new();
    let log = folder.lines("access.log", lines);
    let mut command = breakglass();
    let ran =
        Ran::from(command.args(["audit", "export", "--format", format]).arg(log).output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn lines() -> Vec<String> {
    let mut vm = Vm::new('a');
    vec![
        vm.write(&END),
        vm.write(&Call { decision: "deny", reason: "out_of_scope", ..END }),
        vm.write(&Call { decision: "cut", reason: "revoked", ..END }),
        vm.write(&Call { decision: "deny", reason: "token_missing", grant: None, ..END })
            .replace("\"subject\":\"alice@example.com\"", "\"subject\":null"),
    ]
}

/// The members that OCSF 1.3.0 requires of API Activity, and of the objects that are in it.
const OCSF_REQUIRED: [&str; 14] = [
    "/activity_id",
    "/actor",
    "/api/operation",
    "/api/service/name",
    "/category_uid",
    "/class_uid",
    "/http_response/code",
    "/metadata/product/vendor_name",
    "/metadata/version",
    "/severity_id",
    "/src_endpoint/ip",
    "/time",
    "/type_uid",
    "/http_request/url/path",
];

#[test]
fn ocsf_has_what_api_activity_requires() {
    let mut lines = lines();
    // That one was changed by the test, and an export says so.
    lines.pop();
    let events = export("ocsf", &lines);
    assert_eq!(events.len(), 3);
    for event in &events {
        for pointer in OCSF_REQUIRED {
            assert!(event.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}");
        }
        assert_eq!(event["class_uid"], 6003);
        assert_eq!(event["category_uid"], 6);
        let activity = event["activity_id"].as_u64().unwrap();
        assert_eq!(event["type_uid"], 600_300 + activity);
    }
    let event = &events[0];
    assert_eq!(event["time"], 1_795_313_580_001_i64, "milliseconds");
    assert_eq!((&event["activity_name"], &event["status_id"]), (&json!("Read"), &json!(1)));
    assert_eq!(event["actor"]["user"]["name"], "alice@example.com");
    assert_eq!(event["actor"]["session"]["uid"], GRANT);
    assert_eq!(event["dst_endpoint"], json!({ "ip": "10.1.0.2", "port": 8080 }));
    assert_eq!(event["metadata"]["sequence"], 1);
    assert_eq!(event["raw_data"], lines[0]);
    assert_eq!(event["unmapped"]["approvers"], json!(["carol@example.com"]));
    let dispositions: Vec<_> = events
        .iter()
        .map(|event| (event["action_id"].clone(), event["disposition_id"].clone()))
        .collect();
    assert_eq!(dispositions, [(json!(1), json!(1)), (json!(2), json!(2)), (json!(2), json!(6))]);
}

/// What ECS asks of every document and of an event in the category `api`.
const ECS_REQUIRED: [&str; 12] = [
    "/@timestamp",
    "/ecs/version",
    "/event/kind",
    "/event/category",
    "/event/type",
    "/event/outcome",
    "/event/dataset",
    "/http/request/method",
    "/http/response/status_code",
    "/url/path",
    "/source/ip",
    "/user/name",
];

#[test]
fn ecs_has_its_categories_and_fields() {
    let mut lines = lines();
    lines.pop();
    let events = export("ecs", &lines);
    for event in &events {
        for pointer in ECS_REQUIRED {
            assert!(event.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}");
        }
        assert_eq!(event["event"]["kind"], "event");
        assert_eq!(event["event"]["category"], json!(["api"]));
        assert_eq!(event["event"]["duration"], 12_000_000, "nanoseconds");
    }
    let types: Vec<_> = events.iter().map(|event| event["event"]["type"][1].clone()).collect();
    assert_eq!(types, ["allowed", "denied", "denied"]);
    assert_eq!(events[0]["event"]["outcome"], "success");
    assert_eq!(events[0]["event"]["original"], lines[0]);
    assert_eq!(events[0]["breakglass"]["grant"], GRANT);
    assert_eq!(events[2]["event"]["action"], "cut");
}

fn exported(format: &str, arguments: &[&str], log: &Path) -> (Ran, Vec<Value>) {
    let mut command = breakglass();
    command.args(["audit", "export", "--format", format]).args(arguments).arg(log);
    let ran = Ran::from(command.output().unwrap());
    let events = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (ran, events)
}

/// Where a format says what an event proves.
const FORMATS: [(&str, &str, &str); 2] = [
    ("ocsf", "/unmapped/breakglass_proof", "/raw_data"),
    ("ecs", "/breakglass/proof", "/event/original"),
];

#[test]
fn a_request_without_a_grant_is_exported_and_a_changed_record_is_marked() {
    let folder = Folder::new();
    let log = folder.lines("access.log", &lines());
    for (format, who) in [("ocsf", "/actor/user"), ("ecs", "/user")] {
        let (ran, events) = exported(format, &[], &log);
        assert_eq!(ran.code, 4);
        assert_eq!(events[3].pointer(who), None);
        assert!(ran.stderr.contains("exported: 1 changed, 3 sealed"), "{ran:?}");
    }
}

#[test]
fn every_event_says_what_proves_it_and_what_is_damaged_is_one_too() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let lines = [
        vm.write(&END),
        vm.write(&Call { phase: "decision", ..END }),
        "no record".to_owned(),
        vm.write(&END).replace("\"GET\"", "\"PUT\""),
        vm.write(&END).replace("\"status\":200,", "\"status\":,"),
        vm.write(&Call { phase: "decision", ..END }).replace("\"seq\":null", "\"seq\":7"),
    ];
    let log = folder.lines("access.log", &lines);
    for (format, proof, raw) in FORMATS {
        let (ran, events) = exported(format, &[], &log);
        assert_eq!(ran.code, 4, "{ran:?}");
        let said = "exported: 1 changed, 2 damaged, 1 sealed, 1 unproven";
        assert!(ran.stderr.contains(said), "{ran:?}");
        let words: Vec<_> = events.iter().map(|event| event.pointer(proof).unwrap()).collect();
        assert_eq!(words, ["sealed", "unproven", "changed", "damaged", "damaged"]);
        let originals: Vec<_> = events.iter().map(|event| event.pointer(raw).unwrap()).collect();
        assert_eq!(originals, [&lines[0], &lines[1], &lines[3], &lines[4], &lines[5]]);
    }
    let (_, events) = exported("ocsf", &[], &log);
    let damaged = &events[3];
    // What the Base Event of OCSF 1.3.0 requires.
    for member in ["activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid"] {
        assert!(damaged[member].is_number(), "{member}: {damaged:#}");
    }
    assert_eq!((&damaged["class_uid"], &damaged["type_uid"]), (&json!(0), &json!(99)));
    assert_eq!(damaged["metadata"]["product"]["vendor_name"], "breakglass");
    assert_eq!(damaged["time"], events[2]["time"], "that of the record before");
    let own = &damaged["unmapped"];
    assert_eq!(
        (&own["breakglass_line"], &own["breakglass_finding"]),
        (&json!(5), &json!("damaged"))
    );
    assert!(own["breakglass_file"].as_str().unwrap().ends_with("access.log"));
    assert!(damaged["status_detail"].as_str().unwrap().contains("expected value"), "{damaged:#}");
    let (_, events) = exported("ecs", &[], &log);
    let damaged = &events[3];
    assert_eq!(damaged["event"]["kind"], "pipeline_error");
    assert_eq!(damaged["@timestamp"], events[2]["@timestamp"]);
    assert_eq!(damaged["breakglass"]["line"], 5);
    assert!(damaged["error"]["message"].as_str().unwrap().contains("expected value"));
}

#[test]
fn what_is_cut_or_too_long_is_an_event_and_incomplete() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let [first, second] = vm.ends(2).try_into().unwrap();
    let long = second.replace("\"end\"", &format!("\"{}\"", "é".repeat(20_000)));
    let cut = folder.file("cut.log", format!("{first}\n{}", &long[..30_000]));
    let too_long = format!("{first}\n{}\n", "x".repeat(17 * 1024 * 1024));
    let too_long = folder.file("long.log", too_long);
    for (format, proof, raw) in FORMATS {
        for (log, finding) in [(&cut, "truncated"), (&too_long, "too_long")] {
            let (ran, events) = exported(format, &[], log);
            assert_eq!((ran.code, events.len()), (5, 2), "{ran:?}");
            assert!(ran.stderr.contains(&format!("1 {finding}")), "{ran:?}");
            assert_eq!(events[1].pointer(proof).unwrap(), "damaged");
            let raw = events[1].pointer(raw).unwrap().as_str().unwrap();
            assert!(raw.len() <= 8192 && second.starts_with(&raw[..raw.len().min(300)]), "{raw}");
        }
    }
}

#[test]
fn a_log_without_records_is_not_exported_unless_that_is_expected() {
    let folder = Folder::new();
    for log in ["", "{\"a\":1}\n-\n"] {
        let log = folder.file("access.log", log);
        for format in ["ocsf", "ecs"] {
            let (ran, _) = exported(format, &[], &log);
            assert_eq!((ran.code, ran.stdout.as_str()), (7, ""));
            assert!(ran.stderr.contains("no records were found"), "{ran:?}");
            assert_eq!(exported(format, &["--allow-empty"], &log).0.code, 0);
        }
    }
    let log = folder.lines("access.log", &[wrapped(&Vm::new('a').write(&END))]);
    assert_eq!(exported("ecs", &["--key", "breakglas"], &log).0.code, 7);
}

/// Characters that steer a terminal or hide something.
pub(super) const HOSTILE: &str = "/\u{7f}\u{85}\u{9b}2J\u{202e}\u{2066}\u{200b}\u{feff}\u{1b}é";

pub(super) fn is_harmless(text: &str) -> bool {
    let hostile = |c: char| HOSTILE.contains(c) && c > ' ' && !c.is_ascii_graphic() && c != 'é';
    !text.contains(hostile)
}

#[test]
fn events_have_no_character_that_misleads_and_the_same_value() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let record = vm.write(&Call { path: HOSTILE, ..END });
    let log = folder.lines("access.log", std::slice::from_ref(&record));
    for (format, path, raw) in
        [("ocsf", "/http_request/url/path", "/raw_data"), ("ecs", "/url/path", "/event/original")]
    {
        let (ran, events) = exported(format, &[], &log);
        assert!(is_harmless(&ran.stdout), "{ran:?}");
        assert_eq!(events[0].pointer(path).unwrap(), HOSTILE);
        assert_eq!(events[0].pointer(raw).unwrap(), &record);
    }
}
