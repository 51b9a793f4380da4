//! What pipelines do to a log on its way: lines that are split, files that are compressed, holes.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use breakglass_audit::finding::Class;
use breakglass_audit::source::Source;
use breakglass_audit::verify::Check;
use serde_json::{Value, json};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm, heads, wrapped};

const TIME: &str = "2026-11-22T02:13:00.123456789Z";

fn verify(folder: &Folder, files: &[PathBuf], vm: &Vm, arguments: &[&str]) -> Ran {
    let heads = folder.file("heads.json", heads([vm]).to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "--json", "--heads"]).arg(heads).args(arguments).args(files);
    Ran::from(command.output().unwrap())
}

/// The counts of all kinds that judge the log.
fn counts(ran: &Ran) -> Value {
    let json = ran.json();
    let mut counts = json["integrity"]["counts"].clone();
    for (kind, count) in json["completeness"]["counts"].as_object().unwrap() {
        counts[kind] = count.clone();
    }
    counts
}

fn clean(folder: &Folder, files: &[PathBuf], vm: &Vm, arguments: &[&str], records: u64) {
    let ran = verify(folder, files, vm, arguments);
    assert_eq!((ran.code, counts(&ran)), (0, json!({})), "{:#}", ran.json());
    assert_eq!(ran.json()["records"], records);
}

/// Parts of at most `size` bytes.
fn parts(line: &str, size: usize) -> Vec<&[u8]> {
    line.as_bytes().chunks(size).collect()
}

/// A line as containerd writes it.
fn cri(line: &str, output: &str, size: usize) -> Vec<Vec<u8>> {
    let parts = parts(line, size);
    let count = parts.len();
    let line = |(index, part): (usize, &[u8])| {
        let tag = if index + 1 == count { "F" } else { "P" };
        [format!("{TIME} {output} {tag} ").as_bytes(), part].concat()
    };
    parts.into_iter().enumerate().map(line).collect()
}

/// A line as Docker writes it: what is not UTF-8 in a part is lost.
fn docker(line: &str, output: &str, size: usize) -> Vec<Vec<u8>> {
    let line = format!("{line}\n");
    let parts = parts(&line, size).into_iter().map(String::from_utf8_lossy);
    let parts = parts.map(|part| json!({ "log": part, "stream": output, "time": TIME }));
    parts.map(|part| part.to_string().into_bytes()).collect()
}

fn file(folder: &Folder, name: &str, lines: &[Vec<u8>]) -> PathBuf {
    folder.file(name, [lines.join(&b'\n'), b"\n".to_vec()].concat())
}

fn text(lines: Vec<Vec<u8>>) -> Vec<String> {
    lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

/// Records that only just fit, with characters of several bytes, quotes and backslashes all over.
fn long(vm: &mut Vm, count: usize) -> Vec<String> {
    let path = "/ü😀\"\\\n€".repeat(60);
    (0..count).map(|_| vm.write(&Call { path: &path, ..END })).collect()
}

#[test]
fn the_parts_of_a_line_that_containerd_split_are_one_line() {
    let folder = Folder::new();
    for size in [16_384, 700, 61, 7] {
        let mut vm = Vm::new('a');
        let mut lines = Vec::new();
        for record in long(&mut vm, 3) {
            let ours = cri(&wrapped(&record), "stdout", size);
            let other = cri(&format!("{{\"v\":{}", "x".repeat(900)), "stderr", 80);
            // Two outputs of a container, one line each in turn.
            let mut other = other.into_iter();
            for part in ours {
                lines.push(part);
                lines.extend(other.next());
            }
            lines.extend(other);
        }
        let log = [file(&folder, "access.log", &lines)];
        for arguments in [&[][..], &["--key", "breakglass"]] {
            clean(&folder, &log, &vm, arguments, 3);
        }
    }
}

/// Whoever judges is told of each join, and of nothing else.
#[test]
fn a_join_is_a_note() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let other = "no record ".repeat(90);
    let lines = [cri(&vm.write(&END), "stdout", 400), cri(&vm.write(&END), "stdout", 9000)];
    let lines = [lines.concat(), docker(&vm.write(&END), "stdout", 400), cri(&other, "stderr", 80)];
    let log = file(&folder, "access.log", &lines.concat());
    let check = Check::default();
    let verdict = check.run(vec![Source::named(&log)], &|_| (), &mut |_| ()).unwrap();
    assert_eq!(verdict.findings.counts(Class::Note), [("joined", 2)].into());
    let notes = verdict.findings.of(Class::Note);
    let places = notes.iter().map(|note| (note.place.unwrap().line, note.other.unwrap().line));
    assert_eq!(places.collect::<Vec<_>>(), [(1, 3), (5, 7)]);
    // Not where the log must be as its proxies wrote it.
    let check = Check { strict: true, ..Check::default() };
    let verdict = check.run(vec![Source::named(&log)], &|_| (), &mut |_| ()).unwrap();
    assert_eq!(verdict.findings.counts(Class::Integrity), [("joined", 2)].into());
}

#[test]
fn tags_after_the_first_and_empty_parts_change_nothing() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let [first, second] = vm.ends(2).try_into().unwrap();
    let (begin, rest) = first.split_at(400);
    let lines = [
        format!("{TIME} stdout P:a:b {begin}"),
        format!("{TIME} stdout P "),
        format!("2026-11-22T03:13:00.1+01:00 stdout P {rest}"),
        format!("{TIME} stdout F"),
        format!("{TIME} stdout F:c {second}"),
    ];
    let log = [folder.lines("access.log", &lines)];
    clean(&folder, &log, &vm, &[], 2);
}

#[test]
fn the_parts_of_a_line_that_docker_split_are_one_line() {
    let folder = Folder::new();
    for size in [16_384, 700, 61] {
        let mut vm = Vm::new('a');
        let mut lines = Vec::new();
        for record in vm.ends(4) {
            let mut other = docker(&"no record ".repeat(60), "stderr", 80).into_iter();
            for part in docker(&wrapped(&record), "stdout", size) {
                lines.push(part);
                lines.extend(other.next());
            }
            lines.extend(other);
        }
        let log = [file(&folder, "access.log", &lines)];
        for arguments in [&[][..], &["--key", "breakglass"]] {
            clean(&folder, &log, &vm, arguments, 4);
        }
    }
}

#[test]
fn a_character_that_docker_split_makes_a_record_another_one() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let record = vm.write(&Call { path: "/é", ..END });
    let at = record.find('é').unwrap() + 1;
    let log = [file(&folder, "access.log", &docker(&record, "stdout", at))];
    let ran = verify(&folder, &log, &vm, &[]);
    assert_eq!((ran.code & 4, &counts(&ran)["changed"]), (4, &json!(1)), "{:#}", ran.json());
}

#[test]
fn a_runtime_in_a_runtime_and_lines_of_several_kinds_in_one_file() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut lines = Vec::new();
    for record in vm.ends(2) {
        let inner = text(docker(&wrapped(&record), "stdout", 300));
        lines.extend(inner.iter().flat_map(|line| cri(line, "stdout", 90)));
    }
    for record in vm.ends(2) {
        let inner = text(cri(&wrapped(&record), "stdout", 300));
        lines.extend(inner.iter().flat_map(|line| docker(line, "stdout", 90)));
    }
    for record in vm.ends(3) {
        lines.push(record.clone().into_bytes());
    }
    lines.extend(vm.ends(2).iter().map(|record| format!("text {record} text").into_bytes()));
    let log = [file(&folder, "access.log", &lines)];
    clean(&folder, &log, &vm, &[], 9);
}

/// A collector takes the line breaks from Docker's lines: nothing marks a part then.
#[test]
fn docker_lines_that_have_lost_their_line_breaks_are_lines() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let line = |text: &str| json!({ "log": text, "stream": "stdout", "time": TIME }).to_string();
    let mut lines = vec![line("starting"), line("started")];
    for record in vm.ends(3) {
        lines.extend([line(&wrapped(&record)), line("no record"), line("{\"a\":1}")]);
    }
    let log = [folder.lines("access.log", &lines)];
    clean(&folder, &log, &vm, &[], 3);
    clean(&folder, &log, &vm, &["--key", "breakglass"], 3);
}

/// How a record stands in its line.
const SHAPES: [fn(&str) -> String; 3] =
    [|record| record.to_owned(), wrapped, |record| format!("a {record} b")];

#[test]
fn a_line_that_was_split_unmarked_is_one_line_where_its_hash_says_so() {
    let folder = Folder::new();
    for size in [700, 333, 61] {
        for shape in SHAPES {
            let mut vm = Vm::new('a');
            let mut lines = Vec::new();
            for record in long(&mut vm, 3) {
                lines.extend(parts(&shape(&record), size).into_iter().map(<[u8]>::to_vec));
                lines.push(b"no record".to_vec());
            }
            // The first part of a text line must have the record's beginning.
            if size == 61 && lines[0].starts_with(b"a ") {
                continue;
            }
            let log = [file(&folder, "access.log", &lines)];
            clean(&folder, &log, &vm, &[], 3);
        }
    }
}

#[test]
fn what_its_hash_does_not_join_is_not_joined() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let records = vm.ends(4);
    let (begin, rest) = records[1].split_at(600);
    let rest = rest.replace("\"grant_seq\":2", "\"grant_seq\":3");
    let lines =
        [records[0].clone(), begin.to_owned(), rest, records[2].clone(), records[3].clone()];
    let ran = verify(&folder, &[folder.lines("access.log", &lines)], &vm, &[]);
    assert_eq!((ran.code, ran.json()["records"].as_u64()), (6, Some(3)), "{:#}", ran.json());
    let found = counts(&ran);
    assert_eq!(
        (&found["missing"], found["damaged"].as_u64() > Some(0)),
        (&json!(1), true),
        "{found}"
    );
    assert!(!records.contains(&format!("{}{}", lines[1], lines[2])));
    // A cut line before a whole one hides nothing, and is not hidden.
    let lines = [records[0].clone(), begin.to_owned(), records[2].clone(), records[3].clone()];
    let ran = verify(&folder, &[folder.lines("access.log", &lines)], &vm, &[]);
    assert_eq!((ran.code, ran.json()["records"].as_u64()), (6, Some(3)), "{:#}", ran.json());
    assert_eq!(ran.json()["integrity"]["findings"][0]["line"], 2);
}

#[test]
fn the_rest_of_a_line_may_be_in_the_next_file() {
    type Split = fn(&str) -> Vec<Vec<u8>>;
    let shapes: [Split; 4] = [
        |record| cri(record, "stdout", 500),
        |record| docker(record, "stdout", 500),
        |record| parts(record, 800).into_iter().map(<[u8]>::to_vec).collect(),
        |record| cri(&text(docker(record, "stdout", 4000)).remove(0), "stdout", 900),
    ];
    for shape in shapes {
        for line in &SHAPES[..2] {
            let folder = Folder::new();
            let mut vm = Vm::new('a');
            let records: Vec<_> = vm.ends(5).iter().map(|record| line(record)).collect();
            let lines: Vec<_> = records.iter().map(|record| shape(record)).collect();
            let mut one: Vec<_> = lines[..2].concat();
            one.push(lines[2][0].clone());
            let two = [lines[2][1..].to_vec(), lines[3..].concat()].concat();
            let other = [b"{\"a\":1}".to_vec(), b"no record".to_vec()];
            let files = [
                file(&folder, "access.log", &two),
                file(&folder, "access.log.1", &one),
                file(&folder, "other.log", &other),
            ];
            clean(&folder, &files, &vm, &[], 5);
            // Without the rest the line is cut, and its record is missing.
            let gone = file(&folder, "access.log", &lines[3..].concat());
            let ran = verify(&folder, &[files[1].clone(), gone], &vm, &[]);
            assert_eq!(ran.json()["records"], 4);
            assert_eq!(counts(&ran)["missing"], 1, "{:#}", ran.json());
            assert!([5, 6].contains(&ran.code), "{:#}", ran.json());
        }
    }
}

/// Files that were cut at a length and not at a line.
#[test]
fn files_that_end_in_the_middle_of_a_line_are_read_as_one() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let log = vm.ends(20).join("\n") + "\n";
    let files: Vec<_> = log
        .as_bytes()
        .chunks(log.len() / 4 + 100)
        .enumerate()
        .map(|(index, part)| folder.file(&format!("log.{index}"), part))
        .collect();
    clean(&folder, &files, &vm, &[], 20);
}

#[test]
fn a_join_that_never_ends_is_truncated() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let records = vm.ends(3);
    for shape in [cri, docker] {
        let mut lines: Vec<_> =
            records.iter().flat_map(|record| shape(record, "stdout", 500)).collect();
        lines.pop();
        let ran = verify(&folder, &[file(&folder, "access.log", &lines)], &vm, &[]);
        assert_eq!(
            (ran.code, counts(&ran)),
            (5, json!({ "truncated": 1, "cut_tail": 1 })),
            "{:#}",
            ran.json()
        );
        let found = ran.json()["completeness"]["findings"].clone();
        let place = 2 * shape(&records[0], "stdout", 500).len() + 1;
        assert!(found.as_array().unwrap().iter().any(|found| found["line"] == place), "{found:#}");
    }
}

#[test]
fn a_line_that_is_too_long_is_a_finding_however_it_comes() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let records = vm.ends(2);
    let long = format!("{{\"breakglass\":\"{}\"}}", "x".repeat(17 * 1024 * 1024));
    let plain = vec![long.clone().into_bytes()];
    for lines in [plain, cri(&long, "stdout", 1 << 20), docker(&long, "stdout", 1 << 20)] {
        let lines =
            [docker(&records[0], "stdout", 16_384), lines, docker(&records[1], "stdout", 16_384)]
                .concat();
        let ran = verify(&folder, &[file(&folder, "access.log", &lines)], &vm, &[]);
        assert_eq!((ran.code, counts(&ran)), (5, json!({ "too_long": 1 })), "{:#}", ran.json());
        assert_eq!(ran.json()["completeness"]["findings"][0]["line"], 2);
    }
}

#[test]
fn a_hole_before_a_line_is_no_part_of_it() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let log = [vec![0; 5000], (vm.ends(2).join("\n") + "\n").into_bytes()].concat();
    clean(&folder, &[folder.file("access.log", &log)], &vm, &[], 2);
    let cri = cri(&vm.write(&END), "stdout", 500);
    let log = [log, vec![0; 300], cri.join(&b'\n'), b"\n".to_vec()].concat();
    clean(&folder, &[folder.file("access.log", &log)], &vm, &[], 3);
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn zstd_is_read_by_its_content() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut part = || (vm.ends(30).join("\n") + "\n").into_bytes();
    let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let two = [zstd(&part()), skipped.clone(), zstd(&part())].concat();
    let files =
        [folder.file("log.3", two), folder.file("log.2", [skipped, zstd(&part())].concat())];
    clean(&folder, &files, &vm, &[], 90);
    let empty = folder.file("empty.zst", zstd(b""));
    let others = folder.file("others.zst", zstd(b"a\n{\"b\":1}\n"));
    let [one, two] = files;
    let ran = verify(&folder, &[one, two, empty, others], &vm, &[]);
    assert_eq!((ran.code, &ran.json()["other_lines"]), (0, &json!(2)), "{:#}", ran.json());
}

#[test]
fn zstd_that_ends_early_is_truncated_and_one_that_was_changed_is_damaged() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let compressed = zstd(&(vm.ends(3000).join("\n") + "\n").into_bytes());
    let cut = folder.file("cut.zst", &compressed[..compressed.len() / 2]);
    let ran = verify(&folder, &[cut], &vm, &[]);
    assert_eq!((ran.code, counts(&ran)["truncated"].as_u64()), (5, Some(1)), "{:#}", ran.json());
    let mut damaged = compressed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for damaged in [damaged, [compressed, b"more".to_vec()].concat()] {
        let ran = verify(&folder, &[folder.file("damaged.zst", damaged)], &vm, &[]);
        assert_eq!(counts(&ran)["damaged"], 1, "{:#}", ran.json());
        assert_eq!(ran.code & 4, 4);
    }
}

/// A frame says how large its window is: a file of a few bytes could take gigabytes.
#[test]
fn zstd_with_a_window_of_gigabytes_is_not_read() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    vm.ends(1);
    // A frame with a window of 2 GiB, and a block without compression.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 9, 0, 0, b'x'];
    let ran = verify(&folder, &[folder.file("large.zst", frame)], &vm, &[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("larger than 128 MiB"), "{ran:?}");
}

/// A pipe may give one byte at a time: the format is known all the same.
#[test]
fn compressed_data_from_a_pipe_is_known_byte_by_byte() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let compressed = zstd(&(vm.ends(2).join("\n") + "\n").into_bytes());
    let heads = folder.file("heads.json", heads([&vm]).to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "-", "--heads"]).arg(heads);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for byte in compressed {
        pipe.write_all(&[byte]).unwrap();
        pipe.flush().unwrap();
    }
    drop(pipe);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("2 records in 2 lines"), "{ran:?}");
}
