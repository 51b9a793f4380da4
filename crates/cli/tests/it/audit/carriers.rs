//! The shapes in which a log comes: what carries the records, and how the files lie there.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, GRANT, Vm, heads, wrapped};

pub(super) fn verify(folder: &Folder, files: &[PathBuf], heads: &Value, arguments: &[&str]) -> Ran {
    let heads = folder.file("heads.json", heads.to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "--json", "--heads"]).arg(heads).args(arguments).args(files);
    Ran::from(command.output().unwrap())
}

fn clean(folder: &Folder, files: &[PathBuf], heads: &Value, records: u64) {
    let ran = verify(folder, files, heads, &[]);
    assert_eq!(ran.code, 0, "{:#}", ran.json());
    assert_eq!(ran.json()["records"], records);
}

fn gzip(lines: &[String]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn kinds(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let of = |class: &str| json[class]["findings"].as_array().unwrap().clone();
    let found = of("integrity").into_iter().chain(of("completeness"));
    found.map(|found| found["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_record_is_found_in_whatever_carries_it() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let hostile = Call { path: "/\"{\\\"v\\\":1,\\n\u{1}ü\u{2028}😀", ..END };
    let mut record = || vm.write(&hostile);
    let value = |record: &str| serde_json::from_str::<Value>(record).unwrap();
    let body = |record: &str| json!({ "body": { "stringValue": record } });
    let lines = [
        // The record alone, and among text.
        record(),
        format!("[2026-11-22T02:13:00Z] \"GET /v1/orders\" 200 {} 12", record()),
        format!("2026-11-22T02:13:00.1Z stdout F {}", record()),
        // A string in JSON, an object in JSON, deep in JSON, in another order, with white space.
        wrapped(&record()),
        format!("{{\"a\":[{{\"b\":{{\"c\":{}}}}}]}}", record()),
        json!({ "z": [{ "deep": value(&record()) }] }).to_string(),
        format!("{{ \"breakglass\" : {} }}", record().replace(",\"", ", \"")),
        serde_json::to_string(&value(&record())).unwrap(),
        // What a container runtime makes of it.
        json!({ "log": record() + "\n", "stream": "stdout" }).to_string(),
        json!({ "log": wrapped(&record()) + "\n", "stream": "stdout" }).to_string(),
        json!({ "log": json!({ "log": wrapped(&record()) }).to_string() }).to_string(),
        // A batch, as a collector writes it.
        json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
            body(&record()), body(&record()), body(&record()),
        ] }] }] })
        .to_string(),
        // Neither of these is ours.
        "{\"v\":1,\"other\":true}".to_owned(),
        "-".to_owned(),
        String::new(),
        "GET / HTTP/1.1 \u{1b}[31m".to_owned(),
    ];
    let file = folder.lines("access.log", &lines);
    clean(&folder, &[file], &heads([&vm]), 14);
}

#[test]
fn files_are_read_in_the_order_of_their_records_however_they_are_named() {
    let folder = Folder::new();
    let mut vms = [Vm::new('a'), Vm::new('b')];
    let mut parts = Vec::new();
    for part in 0..4 {
        let mut lines = Vec::new();
        for _ in 0..50 {
            lines.extend(vms.iter_mut().map(|vm| vm.write(&END)));
        }
        parts.push(match part % 2 {
            0 => folder.lines(&format!("access.log.{part}"), &lines),
            _ => folder.file(&format!("access.log.{part}.gz"), gzip(&lines)),
        });
    }
    let heads = heads(&vms);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let files: Vec<_> = order.iter().map(|index| parts[*index].clone()).collect();
        clean(&folder, &files, &heads, 400);
    }
    // A part that is not there is missing, in both chains.
    let ran = verify(&folder, &[parts[3].clone(), parts[0].clone(), parts[2].clone()], &heads, &[]);
    assert_eq!(ran.code, 5);
    assert_eq!(kinds(&ran), ["missing", "missing"]);
    let found = &ran.json()["completeness"]["findings"][0];
    assert_eq!((&found["seq"], &found["last_seq"]), (&json!(51), &json!(100)));
}

#[test]
fn the_same_file_twice_is_not_twice_the_evidence() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let lines = vm.ends(3);
    let files = [folder.lines("a", &lines), folder.file("a.gz", gzip(&lines))];
    let ran = verify(&folder, &files, &heads([&vm]), &[]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.json()["notes"]["counts"], json!({ "duplicated": 3 }));
    let ran = verify(&folder, &files, &heads([&vm]), &["--strict"]);
    assert_eq!(ran.code, 4);
    assert_eq!(kinds(&ran), ["duplicated"; 3]);
}

#[test]
fn compressed_data_that_ends_early_or_is_damaged_is_said_to_be() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let compressed = gzip(&vm.ends(300));
    let cut = folder.file("cut.gz", &compressed[..compressed.len() / 2]);
    let ran = verify(&folder, &[cut], &heads([&vm]), &[]);
    assert_eq!(ran.code, 5);
    assert_eq!(kinds(&ran), ["cut_tail", "truncated"]);
    let mut damaged = compressed.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    let damaged = folder.file("damaged.gz", damaged);
    let ran = verify(&folder, &[damaged], &heads([&vm]), &[]);
    assert_eq!(kinds(&ran)[0], "damaged", "{:#}", ran.json());
}

#[test]
fn stdin_is_a_file_too() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let lines = vm.ends(3);
    let heads = folder.file("heads.json", heads([&vm]).to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "-", "--heads"]).arg(heads);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&gzip(&lines)).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let integrity = ran.stdout.lines().next().unwrap();
    assert_eq!(integrity, "integrity     ok");
    assert!(ran.stdout.contains("3 records in 3 lines, 0 without a record, 1 chain"), "{ran:?}");
    assert_eq!(ran.stderr, "", "no progress where nobody looks");
}

#[test]
fn with_a_key_only_what_is_under_it_counts() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut client = Vm::new('f');
    let lines: Vec<String> = (0..3)
        .map(|_| {
            let forged = client.write(&END);
            json!({ "agent": forged, "breakglass": vm.write(&END) }).to_string()
        })
        .collect();
    let file = folder.lines("access.log", &lines);
    let heads = heads([&vm]);
    let ran = verify(&folder, std::slice::from_ref(&file), &heads, &[]);
    assert_eq!(kinds(&ran), ["unreported_chain"], "a client can write what looks like a record");
    let ran = verify(&folder, &[file], &heads, &["--key", "breakglass"]);
    assert_eq!((ran.code, ran.json()["records"].as_u64()), (0, Some(3)));
}

#[test]
fn with_a_key_a_client_that_writes_the_key_too_is_not_read() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut client = Vm::new('f');
    let mut forged = || client.write(&END);
    let lines = [
        wrapped(&vm.write(&END)),
        json!({ "agent": format!("\"breakglass\":{}", forged()), "breakglass": null }).to_string(),
        json!({ "agent": wrapped(&forged()), "breakglass": null }).to_string(),
        json!({ "agent": wrapped(&forged()), "breakglass": vm.write(&END) }).to_string(),
        json!({ "agent": "grant_seq", "breakglass": "-" }).to_string(),
        json!({ "agent": forged().replace("\"end\"", "7"), "breakglass": null }).to_string(),
        json!({ "log": wrapped(&vm.write(&END)) + "\n", "stream": "stdout" }).to_string(),
        json!({ "log": json!({ "agent": wrapped(&forged()), "breakglass": null }).to_string() })
            .to_string(),
    ];
    let file = folder.lines("access.log", &lines);
    let ran = verify(&folder, &[file], &heads([&vm]), &["--key", "breakglass"]);
    assert_eq!((ran.code, ran.json()["records"].as_u64()), (0, Some(3)), "{:#}", ran.json());
}

#[test]
fn a_stream_leaves_its_start_once_often_or_only_in_its_end() {
    let start = Call { phase: "start", request: Some(1), ..END };
    let mut vm = Vm::new('a');
    let mut lines = vm.ends(2);
    let began = vm.write(&start);
    let vouched = Some((vm.seq, vm.hash.clone().unwrap()));
    lines.extend(vm.ends(2));
    let alive = vm.clone();
    let end = vm.write(&Call { start: vouched.clone(), request: Some(1), ..END });
    let folder = Folder::new();
    let heads = heads([&vm]);
    let with = |at: &[usize]| {
        let mut lines = lines.clone();
        at.iter().rev().for_each(|at| lines.insert(*at, began.clone()));
        lines.push(end.clone());
        folder.lines("access.log", &lines)
    };
    // At once; late; often; not at all.
    for (at, records) in [(&[2][..], 6), (&[4], 6), (&[2, 3, 4], 8), (&[], 5)] {
        clean(&folder, &[with(at)], &heads, records);
    }
    // After its end, as it can be where files are not in order.
    let late = folder.lines("late.log", std::slice::from_ref(&began));
    clean(&folder, &[with(&[]), late], &heads, 6);
    // Without its end the stream is not over.
    let mut open = lines.clone();
    open.push(began.clone());
    let ran = verify(
        &folder,
        &[folder.lines("open.log", &open)],
        &breakglass_testing::log::heads([&alive]),
        &[],
    );
    assert_eq!((ran.code, kinds(&ran)), (5, vec!["no_end".to_owned()]), "{:#}", ran.json());
    // Neither start nor end.
    let ran = verify(
        &folder,
        &[folder.lines("lost.log", &lines)],
        &breakglass_testing::log::heads([&alive]),
        &[],
    );
    assert_eq!((ran.code, kinds(&ran)), (5, vec!["missing".to_owned()]));
    // Another start than the end names.
    let mut forger = Vm::new('a');
    forger.ends(2);
    let mut forged = lines.clone();
    forged.insert(2, forger.write(&Call { subject: "mallory", ..start }));
    forged.push(end.clone());
    let ran = verify(&folder, &[folder.lines("forged.log", &forged)], &heads, &[]);
    assert_eq!(ran.code, 4);
    assert!(kinds(&ran).contains(&"forged".to_owned()), "{:#}", ran.json());
}

#[test]
fn a_decision_whose_end_is_there_is_no_finding_and_one_without_is() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let decision = Call { phase: "decision", request: Some(7), ..END };
    let mut lines = vec![vm.write(&decision), vm.write(&decision)];
    lines.extend(vm.ends(2));
    let died = folder.lines("died.log", &lines);
    let ran = verify(&folder, &[died], &heads([&vm]), &[]);
    assert_eq!((ran.code, kinds(&ran)), (5, vec!["no_end".to_owned()]));
    let found = &ran.json()["completeness"]["findings"][0];
    assert_eq!(found["line"], 1);
    assert!(found["detail"].as_str().unwrap().contains("aaaa-000007"), "{found}");
    lines.push(vm.write(&Call { request: Some(7), ..END }));
    clean(&folder, &[folder.lines("ended.log", &lines)], &heads([&vm]), 5);
}

#[test]
fn a_grant_whose_own_numbers_do_not_add_up_is_short() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let file = folder.lines("access.log", &vm.ends(3));
    let mut reported = heads([&vm]);
    reported["heads"][0]["grants"] = json!({ GRANT: 4 });
    let ran = verify(&folder, &[file], &reported, &[]);
    assert_eq!((ran.code, kinds(&ran)), (5, vec!["grant_short".to_owned()]));
}

#[test]
fn what_is_no_log_and_no_heads_is_invalid_input() {
    let folder = Folder::new();
    let log = folder.lines("access.log", &Vm::new('a').ends(1));
    let run = |arguments: &[&str]| {
        let mut command = breakglass();
        command.args(["audit", "verify"]).args(arguments);
        Ran::from(command.output().unwrap())
    };
    let log = log.to_str().unwrap();
    for arguments in [
        &[][..],
        &["/nowhere/access.log"],
        &[log, "--heads", log],
        &[log, "--heads", "/nowhere"],
        &[log, "--since", "yesterday"],
        &[log, "--node", "gate-1"],
    ] {
        assert_eq!(run(arguments).code, 3, "{arguments:?}");
    }
}
