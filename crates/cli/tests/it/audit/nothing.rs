//! Where nothing was read, nothing is in order: whatever emptied the log.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{END, Folder, Vm, heads, wrapped};

const NO_HEADS: &str = r#"{"as_of": "2026-11-22T02:21:00Z", "heads": [], "next": null}"#;

fn run(arguments: &[&str]) -> Ran {
    let mut command = breakglass();
    command.args(["audit", "verify", "--json"]).args(arguments);
    Ran::from(command.output().unwrap())
}

fn words(json: &Value) -> [&str; 3] {
    let word = |value: &'_ Value| -> &'static str {
        match value.as_str().unwrap() {
            "ok" => "ok",
            "nothing_checked" => "nothing_checked",
            "incomplete" => "incomplete",
            other => panic!("{other}"),
        }
    };
    [
        word(&json["verdict"]),
        word(&json["integrity"]["verdict"]),
        word(&json["completeness"]["verdict"]),
    ]
}

#[test]
fn a_log_without_a_record_is_not_in_order_whatever_emptied_it() {
    let folder = Folder::new();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"GET / 200\n").unwrap();
    let logs: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("other lines", b"GET /health 200\n{\"path\":\"/\",\"breakglass\":null}\n-\n".to_vec()),
        ("no line", b"\n\n\n".to_vec()),
        ("gzip of other lines", gzip.finish().unwrap()),
        ("gzip of nothing", GzEncoder::new(Vec::new(), Compression::default()).finish().unwrap()),
        ("binary", (0..=255).cycle().take(100_000).collect()),
    ];
    let empty = folder.file("heads.json", NO_HEADS);
    let empty = empty.to_str().unwrap();
    for (what, content) in logs {
        let log = folder.file("access.log", content);
        let log = log.to_str().unwrap();
        for arguments in [&[log][..], &[log, "--heads", empty], &[log, log], &[log, "--strict"]] {
            let ran = run(arguments);
            assert_eq!(ran.code, 7, "{what} {arguments:?}: {ran:?}");
            assert_eq!(words(&ran.json()), ["nothing_checked"; 3], "{what}");
            assert_eq!(ran.json()["checked"], 0);
            assert_eq!(run(&[arguments, &["--allow-empty"]].concat()).code, 0, "{what}");
        }
        let text = breakglass().args(["audit", "verify", log]).output().unwrap();
        let text = Ran::from(text).stdout;
        assert!(text.starts_with("integrity     nothing_checked\ncompleteness  nothing_checked\n"));
        assert!(text.contains("nothing was checked"), "{text}");
    }
}

#[test]
fn a_filter_that_lets_no_record_through_empties_a_log() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let lines: Vec<String> = vm.ends(3).iter().map(|line| wrapped(line)).collect();
    let log = folder.lines("access.log", &lines);
    let log = log.to_str().unwrap();
    let ran = run(&[log, "--key", "no_such_member"]);
    assert_eq!((ran.code, words(&ran.json())), (7, ["nothing_checked"; 3]));
    assert_eq!(run(&[log, "--key", "no_such_member", "--allow-empty"]).code, 0);
    // The same where the time is later than every report.
    let heads = folder.file("heads.json", heads([&vm]).to_string());
    let empty = folder.file("empty.log", "");
    let (heads, empty) = (heads.to_str().unwrap(), empty.to_str().unwrap());
    assert_eq!(run(&[empty, "--heads", heads, "--since", "2026-11-23T00:00:00Z"]).code, 7);
}

#[test]
fn where_heads_ask_for_records_an_empty_log_is_incomplete() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    vm.ends(3);
    let heads = folder.file("heads.json", heads([&vm]).to_string());
    let heads = heads.to_str().unwrap();
    let log = folder.file("access.log", "GET / 200\n");
    let log = log.to_str().unwrap();
    for arguments in [&[log, "--heads", heads][..], &[log, "--heads", heads, "--allow-empty"]] {
        let ran = run(arguments);
        assert_eq!((ran.code, &ran.json()["verdict"]), (5, &json!("incomplete")), "{arguments:?}");
        assert_eq!(ran.json()["completeness"]["counts"], json!({ "absent_chain": 1 }));
    }
}

#[test]
fn what_was_found_beside_nothing_is_not_allowed_away() {
    let folder = Folder::new();
    // The file ends in the middle of what may be a record.
    let log = folder.file("access.log", "{\"v\":1,\"time\":\"2026-");
    let log = log.to_str().unwrap();
    assert_eq!(run(&[log]).code, 7);
    assert_eq!(run(&[log, "--allow-empty"]).code, 5);
    let damaged = folder.lines("damaged.log", &[Vm::new('a').write(&END).replace("\"end\"", "7")]);
    assert_eq!(run(&[damaged.to_str().unwrap()]).code, 4, "a record was there, and is broken");
}

#[test]
fn a_report_about_nothing_says_so() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let log = folder.lines("access.log", &vm.ends(3));
    let heads = folder.file("heads.json", heads([&vm]).to_string());
    let report = |arguments: &[&str]| {
        let mut command = breakglass();
        command.args(["audit", "report", "--log-only", "--heads"]).arg(&heads).arg(&log);
        Ran::from(command.args(arguments).output().unwrap())
    };
    for spelling in ["INC-4711", "inc-4711", "INC-4711 "] {
        assert_eq!(report(&["--incident", spelling]).code, 0, "{spelling:?}");
    }
    for typo in ["INC-4712", "INC-47111", "INC 4711", ""] {
        let page = folder.file("page.html", "");
        let page = page.to_str().unwrap();
        let ran = report(&["--incident", typo, "--json", "--html", page]);
        assert_eq!((ran.code, &ran.json()["nothing_found"]), (8, &json!(true)), "{typo:?}");
        assert!(std::fs::read_to_string(page).unwrap().contains("Nothing was found"));
        assert!(report(&["--incident", typo]).stdout.contains("nothing_found"), "{typo:?}");
        assert_eq!(report(&["--incident", typo, "--allow-empty"]).code, 0);
    }
    assert_eq!(report(&["--grant", "grant_x"]).code, 8);
    assert_eq!(report(&["--subject", "mallory"]).code, 8);
}
