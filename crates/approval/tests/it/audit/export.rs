//! `breakglass audit export`: the classes' required members are there, with the values that their
//! schemas allow.

use serde_json::{Value, json};

use super::log::{Call, END, Folder, GRANT, Vm};
use crate::process::{Ran, breakglass};

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

#[test]
fn a_request_without_a_grant_is_exported_and_a_changed_record_is_noted() {
    let folder = Folder::new();
    let log = folder.lines("access.log", &lines());
    for (format, who) in [("ocsf", "/actor/user"), ("ecs", "/user")] {
        let mut command = breakglass();
        command.args(["audit", "export", "--format", format]).arg(&log);
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, 0);
        let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(last.pointer(who), None);
        assert!(ran.stderr.contains("1 of the records are not what was written"), "{ran:?}");
    }
}
