//! Every way in which a log may be delivered, with everything that may have been done to it: the verdict
//! and the exit code of each pair are derived from the two tables that docs/audit.md prints.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm};

/// How many records each of the eight chains has.
const RECORDS: u64 = 130;

/// The record that is cut out or changed: far from the ends, and after what `--since` excuses.
const VICTIM: u64 = 100;

/// The records up to this one were reported before [`SINCE`].
const EARLY: u64 = 40;
const SINCE: &str = "2026-11-22T02:12:30Z";

/// How long the parts are that a container runtime makes of a line, in bytes.
const PART_BYTES: usize = 16 * 1024;

/// Two proxies with two workers each, under two configurations, one after the other.
#[derive(Clone)]
struct Log {
    /// The lines of each proxy's file.
    proxies: [Vec<String>; 2],
    heads: Vec<Value>,
}

impl Log {
    fn new() -> Log {
        let mut log = Log { proxies: [Vec::new(), Vec::new()], heads: Vec::new() };
        for (proxy, configuration) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let digits = &"12345678"[4 * proxy + 2 * configuration..];
            let mut workers: Vec<Vm> = digits.chars().take(2).map(Vm::new).collect();
            let mut began: [Option<(u64, String)>; 2] = [None, None];
            for step in 1..=RECORDS {
                for (vm, began) in workers.iter_mut().zip(&mut began) {
                    let long = Call { request: Some(900), ..END };
                    let line = match step {
                        10 => vm.write(&Call { phase: "start", ..long }),
                        60 => vm.write(&Call { start: began.take(), ..long }),
                        _ => vm.write(&Call { request: Some(step), ..END }),
                    };
                    if step == 10 {
                        *began = Some((vm.seq, vm.hash.clone().unwrap()));
                    }
                    let decided = Call { phase: "decision", request: Some(step), ..END };
                    let decided = (step == 70).then(|| vm.write(&decided));
                    log.proxies[proxy].extend(decided.into_iter().chain([line]));
                    if [EARLY, 80, VICTIM, RECORDS].contains(&step) {
                        log.heads.push(head(vm, proxy, configuration));
                    }
                }
            }
        }
        log
    }

    /// The line of a record of the first proxy.
    fn position(&self, chain: char, seq: u64) -> usize {
        let mark = format!("\"chain\":\"{}\",\"seq\":{seq},", chain.to_string().repeat(32));
        self.proxies[0].iter().position(|line| line.contains(&mark)).unwrap()
    }
}

fn head(vm: &Vm, proxy: usize, configuration: usize) -> Value {
    let mut head = vm.head();
    head["proxy"] = format!("envoy-{proxy}").into();
    head["node"] = format!("gate-{proxy}").into();
    head["process"] = proxy.to_string().repeat(32).into();
    head["proof"] = "proven".into();
    head["ended"] = (configuration == 0 && vm.seq == RECORDS).into();
    head["seen_at"] = "2026-11-22T02:20:59Z".into();
    if vm.seq == EARLY {
        head["reported_at"] = "2026-11-22T02:12:00Z".into();
    }
    head
}

/// What is done to a log.
fn tamper(what: &str, log: &mut Log) {
    match what {
        "nothing" => {}
        "one line cut out" => drop(log.proxies[0].remove(log.position('1', VICTIM))),
        "one line changed" => {
            let line = log.position('1', VICTIM);
            log.proxies[0][line] = log.proxies[0][line].replace("\"GET\"", "\"PUT\"");
        }
        "one line put in" => {
            let line = log.position('1', VICTIM);
            let mut vm = Vm::new('1');
            let decision = Call { phase: "decision", request: Some(VICTIM), ..END };
            let decision = vm.write(&Call { path: "/v1/ledger", ..decision });
            log.proxies[0].insert(line + 1, decision);
        }
        "the tail cut off" => log.proxies[0].truncate(log.proxies[0].len() - 20),
        "heads stopped" => log
            .heads
            .retain(|head| head["chain"] != "3".repeat(32) || head["seq"].as_u64() <= Some(80)),
        other => panic!("nobody knows how: {other}"),
    }
}

/// Files, and how they are to be read.
struct Delivered {
    files: Vec<(String, Vec<u8>)>,
    arguments: &'static [&'static str],
}

/// How a log is delivered.
fn deliver(how: &str, log: &Log) -> Delivered {
    let [first, second] = &log.proxies;
    let both = || [first.as_slice(), second].concat();
    let text = |lines: &[String]| (lines.join("\n") + "\n").into_bytes();
    let plain = |files: Vec<Vec<String>>| {
        let files = files.iter().enumerate();
        files.map(|(index, lines)| (format!("{index}.log"), text(lines))).collect()
    };
    let files = match how {
        "sorted by time" => {
            let mut lines = both();
            lines.sort();
            plain(vec![lines])
        }
        "delivered twice" => plain(vec![both(), both()]),
        "copied and truncated while it was written" => {
            let at = first.len() / 2;
            let mut rest = text(&first[at - 20..]);
            // The writer goes on where it was, and what is before is a hole in the file.
            rest.splice(0..0, [0; 5000]);
            let mut files: Vec<(String, Vec<u8>)> =
                plain(vec![first[..at].to_vec(), second.clone()]);
            files.push(("rest.log".to_owned(), rest));
            files
        }
        "split into many files" => {
            let mut parts: Vec<Vec<String>> = first.chunks(25).map(<[_]>::to_vec).collect();
            parts.extend(second.chunks(31).map(<[_]>::to_vec));
            parts.reverse();
            plain(parts)
        }
        "by a CRI runtime" => vec![("cri.log".to_owned(), both().iter().flat_map(cri).collect())],
        "by Docker's JSON lines" => {
            vec![("docker.log".to_owned(), both().iter().flat_map(docker).collect())]
        }
        "rotated, with gzip and zstd" => {
            let lines = both();
            let (oldest, rest) = lines.split_at(400);
            let (older, newest) = rest.split_at(300);
            vec![
                ("access.log".to_owned(), text(newest)),
                ("access.log.1.gz".to_owned(), gzip(&text(older))),
                ("access.log.2.zst".to_owned(), zstd(&text(oldest))),
            ]
        }
        "newest first" => plain(vec![both().into_iter().rev().collect()]),
        "all nodes in one file" => {
            let mut lines = Vec::new();
            for index in 0..first.len().max(second.len()) {
                lines.extend(first.get(index).cloned());
                lines.extend(second.get(index).cloned());
            }
            plain(vec![lines])
        }
        "from a moment on, with `--since`" => {
            let is_late = |line: &&String| {
                let record: Value = serde_json::from_str(line).unwrap();
                record["seq"].as_u64().is_none_or(|seq| seq > EARLY)
            };
            plain(vec![both().iter().filter(is_late).cloned().collect()])
        }
        "as a member of JSON, with `--key`" => {
            let mut client = Vm::new('f');
            let mut wrap = |record: &String| {
                json!({ "agent": client.write(&END), "breakglass": record }).to_string()
            };
            plain(vec![both().iter().map(&mut wrap).collect()])
        }
        "the file of one proxy missing" => plain(vec![first.clone()]),
        other => panic!("nobody knows how: {other}"),
    };
    let arguments: &[&str] = match how {
        "from a moment on, with `--since`" => &["--since", SINCE],
        "as a member of JSON, with `--key`" => &["--key", "breakglass"],
        _ => &[],
    };
    Delivered { files, arguments }
}

/// A line of Envoy's JSON format, which is longer than a part where the client's words are long.
fn long(record: &String) -> String {
    let seventh = record.contains("7,\"prev\"");
    let agent = "a".repeat(if seventh { 2 * PART_BYTES } else { 10 });
    json!({ "agent": agent, "breakglass": record }).to_string()
}

fn cri(record: &String) -> Vec<u8> {
    let line = long(record);
    let parts: Vec<&[u8]> = line.as_bytes().chunks(PART_BYTES).collect();
    let mut written = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let tag = if index + 1 == parts.len() { 'F' } else { 'P' };
        write!(written, "2026-11-22T02:13:00.123456789Z stdout {tag} ").unwrap();
        written.extend_from_slice(part);
        written.push(b'\n');
    }
    written
}

fn docker(record: &String) -> Vec<u8> {
    let line = long(record) + "\n";
    let mut written = Vec::new();
    for part in line.as_bytes().chunks(PART_BYTES) {
        let log = std::str::from_utf8(part).unwrap();
        let line = json!({ "log": log, "stream": "stdout", "time": "2026-11-22T02:13:00.1Z" });
        writeln!(written, "{line}").unwrap();
    }
    written
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A row of a table: what it is about, the two verdicts, and the word of what is found.
#[derive(Debug)]
struct Row {
    what: String,
    broken: bool,
    incomplete: bool,
    word: Option<String>,
}

/// The rows of the table with this head, from the document.
fn rows(head: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit.md");
    let text = fs::read_to_string(path).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with(&format!("| {head} |")));
    let table = table.skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let word = cells[3].trim_matches('`');
        Row {
            what: cells[0].to_owned(),
            broken: cells[1] != "ok",
            incomplete: cells[2] != "ok",
            word: (!word.is_empty()).then(|| word.to_owned()),
        }
    };
    table.map(row).collect()
}

#[test]
fn each_verdict_is_that_of_what_was_done_and_not_of_how_it_was_delivered() {
    let log = Log::new();
    assert!(log.proxies.iter().map(Vec::len).sum::<usize>() >= 1000);
    let (done, delivered) = (rows("what was done to the log"), rows("how it was delivered"));
    assert_eq!((done.len(), delivered.len()), (6, 12));
    let mut wrong = Vec::new();
    for done in &done {
        for how in &delivered {
            let mut log = log.clone();
            tamper(&done.what, &mut log);
            if let Err(error) = check(done, how, &log) {
                wrong.push(format!("{} | {}: {error}", done.what, how.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of 72:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(done: &Row, how: &Row, log: &Log) -> Result<(), String> {
    let folder = Folder::new();
    let page = json!({ "as_of": "2026-11-22T02:21:00Z", "heads": log.heads, "next": null });
    let heads = folder.file("heads.json", page.to_string());
    let Delivered { files, arguments } = deliver(&how.what, log);
    let mut command = breakglass();
    command.args(["audit", "verify", "--json", "--heads"]).arg(heads).args(arguments);
    for (name, content) in &files {
        command.arg(folder.file(name, content));
    }
    let ran = Ran::from(command.output().unwrap());
    let json = ran.json();
    let kinds = |class: &str| -> BTreeSet<String> {
        json[class]["counts"].as_object().unwrap().keys().cloned().collect()
    };
    let broken = done.broken || how.broken;
    let incomplete = done.incomplete || how.incomplete;
    let word = |is: bool, word: &'static str| if is { word } else { "ok" };
    let expected = (
        i32::from(broken || incomplete) * (3 + i32::from(broken) + 2 * i32::from(incomplete)),
        word(broken, "broken"),
        word(incomplete, "incomplete"),
    );
    let verdict = |class: &str| json[class]["verdict"].as_str().unwrap();
    let found = (ran.code, verdict("integrity"), verdict("completeness"));
    if found != expected {
        return Err(format!("expected {expected:?}, got {found:?}: {:#}", counts(&json)));
    }
    let findings: BTreeSet<String> = &kinds("integrity") | &kinds("completeness");
    let of_both = [done, how].into_iter().filter(|row| row.broken || row.incomplete);
    let wanted: BTreeSet<String> = of_both.filter_map(|row| row.word.clone()).collect();
    if findings != wanted {
        return Err(format!("expected {wanted:?}, found {findings:?}"));
    }
    let note = how.word.as_ref().filter(|_| !how.broken && !how.incomplete);
    if note.is_some_and(|note| !kinds("notes").contains(note)) {
        return Err(format!("expected the note {note:?}, noted {:?}", kinds("notes")));
    }
    Ok(())
}

fn counts(json: &Value) -> Value {
    json!([json["integrity"]["counts"], json["completeness"]["counts"], json["notes"]["counts"]])
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}
