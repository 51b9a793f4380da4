//! What a client may have written into a line of the log. What such a line costs is counted in
//! `audit::line::tests`.

use serde_json::json;

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm, heads, wrapped};

/// Texts that begin as a record does, over and over, and are none.
const HOSTILE: [&str; 6] =
    ["{\"v\":", "\"{\\\"v\\\":", "{\"v\":[1,", "{\"v\":0}", "\\\"{\"v\":\\\\\"", "\"{\"v\":{\""];

fn verify(lines: &[String], vm: &Vm, arguments: &[&str]) -> (i32, u64, String) {
    let folder = Folder::new();
    let log = folder.lines("access.log", lines);
    let heads = folder.file("heads.json", heads([vm]).to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "--json", "--heads"]).arg(heads).args(arguments).arg(log);
    let ran = Ran::from(command.output().unwrap());
    let json = ran.json();
    let counts = json!([json["integrity"]["counts"], json["completeness"]["counts"]]);
    (ran.code, json["records"].as_u64().unwrap(), counts.to_string())
}

#[test]
fn a_client_that_writes_openings_hides_no_record_in_json() {
    for text in HOSTILE {
        let agent = text.repeat(64 * 1024 / text.len());
        let mut vm = Vm::new('a');
        let mut line = || json!({ "agent": agent, "breakglass": vm.write(&END) }).to_string();
        let lines = [line(), json!({ "agent": agent, "breakglass": null }).to_string(), line()];
        for arguments in [&[][..], &["--key", "breakglass"]] {
            let expected = (0, 2, "[{},{}]".to_owned());
            assert_eq!(verify(&lines, &vm, arguments), expected, "{text}");
        }
    }
}

/// In a text format nobody can tell what the client wrote: its line may be damaged, but it hides no
/// record.
#[test]
fn a_client_that_writes_openings_hides_no_record_in_text() {
    for text in HOSTILE {
        let agent = text.repeat(64 * 1024 / text.len());
        let mut vm = Vm::new('a');
        let lines = [
            format!("\"{agent}\" {}", vm.write(&END)),
            format!("{} \"{agent}\"", vm.write(&END)),
            format!("\"{agent}\" -"),
            format!("\"{agent}\" {} \"{agent}\"", vm.write(&END)),
        ];
        let (code, records, counts) = verify(&lines, &vm, &[]);
        assert_eq!(records, 3, "{text}: {counts}");
        assert!([0, 4].contains(&code) && !counts.contains("missing"), "{text}: {counts}");
    }
}

/// Whoever asks for a grant names the incident. What a sealed record quotes is no record, and no damaged one.
#[test]
fn a_record_that_quotes_an_opening_is_whole_in_any_format() {
    for incident in HOSTILE.into_iter().chain(["{\"v\":1,\"time\":\""]) {
        let mut vm = Vm::new('a');
        let mut record = || vm.write(&Call { incident, subject: incident, ..END });
        let lines = [
            format!("[2026-11-22] {} \"-\"", record()),
            record(),
            wrapped(&record()),
            format!("{} {}", record(), record()),
        ];
        assert_eq!(verify(&lines, &vm, &[]), (0, 5, "[{},{}]".to_owned()), "{incident}");
    }
}
