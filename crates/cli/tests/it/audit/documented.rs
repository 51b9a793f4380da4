//! docs/audit.md is true: its commands run as they stand there, and the form that it describes is
//! the one that is read.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_audit::canonical::MEMBERS;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::process::{Ran, Server, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm, wrapped};
use breakglass_testing::service::token_of;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").canonicalize().unwrap()
}

fn text() -> String {
    fs::read_to_string(docs().join("audit.md")).unwrap()
}

/// The code blocks that are marked like this.
fn blocks(mark: &str) -> Vec<String> {
    let text = text();
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(marked) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            if marked == mark {
                found.push(block.join("\n"));
            }
        }
    }
    found
}

/// The words in backticks in the first cells of a table's rows.
fn first_cells(heading: &str) -> Vec<String> {
    let text = text();
    let section = text.split(&format!("{heading}\n")).nth(1).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|--")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap().to_owned());
    let words = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    words.collect()
}

#[test]
fn the_members_are_those_of_the_documented_form_in_its_order() {
    assert_eq!(first_cells("# The audit record"), MEMBERS);
}

#[test]
fn every_finding_has_its_row() {
    let source = include_str!("../../../../audit/src/finding.rs");
    let words: Vec<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Kind::")?.split_once(" => \""))
        .map(|(_, rest)| rest.split('"').next().unwrap())
        .collect();
    assert!(words.len() > 10);
    let mut documented = first_cells("Findings decide the verdict:\n");
    documented.extend(first_cells("Notes do not:\n"));
    documented.sort();
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    words.sort();
    assert_eq!(documented, words);
}

#[test]
fn the_commands_run_as_they_stand_there() {
    let server = Server::start();
    let request =
        ["request", "--scope", "orders:read", "--reason", "stuck", "--incident", "INC-4711"];
    let id = server.run("alice", &request).done().trim().to_owned();
    let grant = server.run("carol", &["approve", &id, "--yes"]).done().trim().to_owned();

    // A log of two files, and what its proxy would have reported.
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let call = Call { grant: Some(&grant), subject: "alice", ..END };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    for _ in 0..3 {
        writeln!(gzip, "{}", wrapped(&vm.write(&call))).unwrap();
    }
    let old = folder.file("access.log.1.gz", gzip.finish().unwrap());
    folder.lines("access.log", &[wrapped(&vm.write(&call)), "{\"path\":\"/health\"}".to_owned()]);
    let folder = old.parent().unwrap();
    let body = json!({ "node": "gate-1", "heads": [{
        "chain": vm.chain, "seq": vm.seq, "hash": vm.hash, "began": "2026-11-22T02:13:00Z",
        "grants": { grant: 4 },
    }] });
    ureq::post(format!("{}/v1/audit/heads", server.url))
        .header("authorization", "Bearer token-envoy")
        .send_json(&body)
        .unwrap();

    symlink(docs(), folder.join("docs")).unwrap();
    let binaries = Path::new(breakglass().get_program()).parent().unwrap().to_owned();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let commands = blocks("sh audit");
    assert!(!commands.is_empty());
    for commands in commands {
        let output = Command::new("sh")
            .args(["-euc", &commands])
            .current_dir(folder)
            .env("PATH", &path)
            .env("BREAKGLASS_URL", &server.url)
            .env("BREAKGLASS_API_TOKEN", token_of("grace"))
            .output();
        let ran = Ran::from(output.unwrap());
        assert_eq!(ran.code, 0, "{commands}: {ran:?}");
    }
    let page = fs::read_to_string(folder.join("evidence.html")).unwrap();
    assert!(page.contains("INC-4711") && page.contains("Completeness: ok"), "{page}");
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("evidence.json")).unwrap()).unwrap();
    let examples = blocks("json audit");
    let documented: Value = serde_json::from_str(&examples[0]).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&documented), names(&report["check"]), "the form of a verdict");
    let documented: Value = serde_json::from_str(&examples[1]).unwrap();
    assert_eq!(names(&documented), names(&report), "the form of a report");
    assert_eq!(names(&documented["summary"]), names(&report["summary"]));
}
