//! Every way of tampering with a log is found, with the right verdict and in its place; and a log
//! that nobody tampered with has no finding.

use std::path::Path;

use breakglass_audit::finding::{Class, Kind, Place};
use breakglass_audit::heads::Heads;
use breakglass_audit::source::Source;
use breakglass_audit::verdict::Verdict;
use breakglass_audit::verify::Check;
use serde_json::Value;

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm, heads, wrapped};

/// Two workers' records, interleaved: in line `2 n` the record `n` of the first one, in line
/// `2 n + 1` the record `n` of the second one. The first line is not ours.
struct Log {
    folder: Folder,
    lines: Vec<String>,
    heads: Value,
    vms: [Vm; 2],
}

const RECORDS: usize = 20;

impl Log {
    fn new() -> Log {
        let mut vms = [Vm::new('a'), Vm::new('b')];
        let mut lines = vec![r#"{"path": "/health", "breakglass": null}"#.to_owned()];
        for _ in 0..RECORDS {
            lines.extend(vms.iter_mut().map(|vm| vm.write(&END)));
        }
        let heads = heads(&vms);
        Log { folder: Folder::new(), lines, heads, vms }
    }

    fn verify(&self) -> Verified {
        self.verify_with(&[])
    }

    /// As the log must be that its proxies wrote, without any pipeline.
    fn verify_strict(&self) -> Verified {
        self.verify_with(&["--strict"])
    }

    fn verify_with(&self, arguments: &[&str]) -> Verified {
        let path = self.folder.lines("access.log", &self.lines);
        verify(&self.folder, &path, &self.heads, arguments)
    }
}

/// What `audit verify --json` says.
struct Verified {
    code: i32,
    json: Value,
}

fn verify(folder: &Folder, log: &Path, heads: &Value, arguments: &[&str]) -> Verified {
    let heads = folder.file("heads.json", heads.to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "--json", "--heads"]).arg(heads).args(arguments).arg(log);
    let ran = Ran::from(command.output().unwrap());
    Verified { code: ran.code, json: ran.json() }
}

impl Verified {
    /// The kinds, lines, chains' first digits and numbers of what was found.
    fn found(&self, class: &str) -> Vec<(String, u64, String, u64)> {
        let findings = self.json[class]["findings"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        findings
            .map(|found| {
                let chain = text(&found["chain"]);
                let kind = text(&found["kind"]);
                (kind, number(&found["line"]), chain[..1].to_owned(), number(&found["seq"]))
            })
            .collect()
    }

    /// A clean verdict with these notes.
    fn is_clean_with(&self, notes: &[Found<'_>]) {
        self.is(0, &[], &[]);
        self.has("notes", notes);
    }

    fn has(&self, class: &str, found: &[Found<'_>]) {
        let found = found.iter();
        let found: Vec<_> = found
            .map(|(kind, line, chain, seq)| (kind.to_string(), *line, chain.to_string(), *seq))
            .collect();
        assert_eq!(self.found(class), found, "{:#}", self.json);
    }

    fn is(&self, code: i32, integrity: &[Found<'_>], completeness: &[Found<'_>]) {
        self.has("integrity", integrity);
        self.has("completeness", completeness);
        assert_eq!(self.code, code);
        let word = |clean: bool, word: &'static str| if clean { "ok" } else { word };
        let verdict = |class: &str| self.json[class]["verdict"].as_str().unwrap().to_owned();
        assert_eq!(verdict("integrity"), word(integrity.is_empty(), "broken"));
        assert_eq!(verdict("completeness"), word(completeness.is_empty(), "incomplete"));
    }
}

type Found<'a> = (&'a str, u64, &'a str, u64);

#[test]
fn a_clean_log_has_no_finding() {
    let log = Log::new();
    let verified = log.verify();
    verified.is(0, &[], &[]);
    assert_eq!(verified.json["records"], 40);
    assert_eq!(verified.json["lines"], 41);
    assert_eq!(verified.json["other_lines"], 1);
    assert_eq!(verified.json["chains"].as_array().unwrap().len(), 2);
}

#[test]
fn without_heads_nobody_knows_where_a_chain_ends() {
    let log = Log::new();
    let path = log.folder.lines("access.log", &log.lines);
    let mut command = breakglass();
    command.args(["audit", "verify", "--json"]).arg(path);
    let ran = Ran::from(command.output().unwrap());
    let verified = Verified { code: ran.code, json: ran.json() };
    verified.is(5, &[], &[("end_unknown", 40, "a", 0), ("end_unknown", 41, "b", 0)]);
}

/// The same in this process, for many logs.
fn check(log: &Path, heads: &Value) -> Verdict {
    let mut reported = Heads::default();
    reported.add(heads).unwrap();
    let check = Check { heads: Some(reported), ..Check::default() };
    check.run(vec![Source::File(log.to_owned())], &|_| (), &mut |_| ()).unwrap()
}

#[test]
fn an_edited_byte_is_found_wherever_it_is() {
    let mut log = Log::new();
    let line = log.lines[10].clone();
    for at in 0..line.len() {
        let mut bytes = line.clone().into_bytes();
        // Into one that looks as innocent as it can.
        bytes[at] = match bytes[at] {
            digit @ b'0'..=b'8' => digit + 1,
            letter @ (b'a'..=b'y' | b'A'..=b'Y') => letter + 1,
            b'"' => b'\'',
            _ => b'x',
        };
        let edited = String::from_utf8(bytes).unwrap();
        for edited in [wrapped(&edited), edited] {
            log.lines[10] = edited;
            let verdict = check(&log.folder.lines("access.log", &log.lines), &log.heads);
            let found = verdict.findings.of(Class::Integrity);
            assert_eq!(found.len(), 1, "byte {at}: {}", verdict.text());
            assert_eq!(found[0].place, Some(Place { file: 0, line: 11 }), "byte {at}");
            assert!([Kind::Changed, Kind::Damaged].contains(&found[0].kind), "byte {at}");
        }
    }
}

#[test]
fn a_changed_field_is_found_even_if_the_line_is_valid_json() {
    for (from, to) in [
        ("\"/v1/orders/17\"", "\"/v1/orders/18\""),
        ("\"status\":200", "\"status\":403"),
        ("alice@example.com", "mallory@example.com"),
        ("\"decision\":\"allow\"", "\"decision\":\"deny\""),
        ("\"emergency\":false", "\"emergency\":true"),
    ] {
        let mut log = Log::new();
        let tampered = log.lines[10].replace(from, to);
        assert_ne!(tampered, log.lines[10]);
        serde_json::from_str::<Value>(&tampered).unwrap();
        log.lines[10] = tampered;
        // The record is there: nothing is missing.
        log.verify().is(4, &[("changed", 11, "b", 5)], &[]);
    }
}

#[test]
fn a_changed_number_leaves_its_place_empty() {
    let mut log = Log::new();
    log.lines[10] = log.lines[10].replace("\"seq\":5,", "\"seq\":99,");
    log.verify().is(6, &[("changed", 11, "b", 99)], &[("missing", 13, "b", 5)]);
}

#[test]
fn a_record_that_was_changed_and_sealed_anew_breaks_the_chain() {
    let mut log = Log::new();
    let mut vm = Vm::new('b');
    vm.ends(3);
    let mut forger = vm.clone();
    forger.write(&END);
    let forged = forger.write(&Call { path: "/v1/orders/18", ..END });
    assert_ne!(forged, log.lines[10]);
    log.lines[10] = forged;
    log.verify().is(4, &[("broken_link", 13, "b", 6)], &[]);
}

#[test]
fn a_chain_that_was_written_anew_is_not_the_one_that_was_reported() {
    let mut log = Log::new();
    let mut forger = Vm::new('b');
    for index in 0..RECORDS {
        let path = if index == 4 { "/v1/orders/18" } else { END.path };
        log.lines[2 + 2 * index] = forger.write(&Call { path, ..END });
    }
    log.verify().is(4, &[("not_as_reported", 41, "b", 20)], &[]);
    // An earlier report says from where on.
    let mut early = Vm::new('b');
    early.ends(4);
    let mut later = early.clone();
    later.ends(2);
    let reported = log.heads["heads"].as_array_mut().unwrap();
    reported.push(early.head());
    reported.push(later.head());
    let verified = log.verify();
    verified.is(4, &[("not_as_reported", 13, "b", 6)], &[]);
    let detail = verified.json["integrity"]["findings"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("up to record 4"), "{detail}");
}

#[test]
fn a_deleted_line_is_missing() {
    let mut log = Log::new();
    log.lines.remove(10);
    let verified = log.verify();
    verified.is(5, &[], &[("missing", 12, "b", 5)]);
    let found = &verified.json["completeness"]["findings"][0];
    assert_eq!(found["other"]["line"], 9, "between record 4 and record 6");
    assert_eq!(verified.json["short_grants"][0]["found"], 19);
    assert_eq!(verified.json["short_grants"][0]["expected"], 20);
}

#[test]
fn the_first_lines_are_missing_where_they_were_deleted() {
    let mut log = Log::new();
    log.lines.drain(1..5);
    let verified = log.verify();
    verified.is(5, &[], &[("missing", 2, "a", 1), ("missing", 3, "b", 1)]);
    assert_eq!(verified.json["completeness"]["findings"][0]["last_seq"], 2);
}

#[test]
fn a_deleted_tail_is_cut() {
    let mut log = Log::new();
    log.lines.truncate(31);
    let verified = log.verify();
    verified.is(5, &[], &[("cut_tail", 30, "a", 16), ("cut_tail", 31, "b", 16)]);
    assert_eq!(verified.json["completeness"]["findings"][0]["last_seq"], 20);
}

#[test]
fn a_deleted_chain_is_absent() {
    let mut log = Log::new();
    log.lines.retain(|line| !line.contains(&log.vms[1].chain));
    let verified = log.verify();
    verified.is(5, &[], &[("absent_chain", 0, "b", 1)]);
    assert_eq!(verified.json["completeness"]["findings"][0]["last_seq"], 20);
}

#[test]
fn swapped_lines_are_noted_and_break_a_log_that_must_be_as_it_was_written() {
    let mut log = Log::new();
    log.lines.swap(10, 12);
    log.verify_strict().is(4, &[("reordered", 13, "b", 5)], &[]);
    log.verify().is_clean_with(&[("reordered", 13, "b", 5)]);
    // Far apart: where it goes back to its place, and where the other one comes late.
    let mut log = Log::new();
    log.lines.swap(10, 20);
    let reordered = [("reordered", 13, "b", 6), ("reordered", 21, "b", 5)];
    log.verify_strict().is(4, &reordered, &[]);
    log.verify().is_clean_with(&reordered);
}

#[test]
fn what_was_cut_in_one_callback_comes_backwards_and_nothing_else_may() {
    for (decision, reason, code) in
        [("cut", "revoked", 0), ("deny", "revoked", 0), ("allow", "permit", 4)]
    {
        let mut log = Log::new();
        let ended = Call { decision, reason, ..END };
        let mut block: Vec<String> = (0..5).map(|_| log.vms[0].write(&ended)).collect();
        block.reverse();
        log.lines.extend(block);
        log.lines.extend(log.vms[0].ends(2));
        log.heads = heads(&log.vms);
        assert_eq!(log.verify_strict().code, code, "{decision}");
    }
    let mut log = Log::new();
    let mut block: Vec<String> =
        (0..3).map(|_| log.vms[0].write(&Call { decision: "cut", ..END })).collect();
    block.swap(0, 2);
    block.swap(0, 1);
    log.lines.extend(block);
    log.heads = heads(&log.vms);
    assert_eq!(log.verify_strict().code, 4, "neither forwards nor backwards");
}

#[test]
fn a_copy_of_a_line_is_noted_near_and_far_and_breaks_a_log_that_must_be_as_it_was_written() {
    let mut log = Log::new();
    log.lines.insert(12, log.lines[10].clone());
    log.verify().is_clean_with(&[("duplicated", 13, "b", 5)]);
    let verified = log.verify_strict();
    verified.is(4, &[("duplicated", 13, "b", 5)], &[]);
    assert_eq!(verified.json["integrity"]["findings"][0]["other"]["line"], 11);
    let mut log = Log::new();
    let more = log.vms[1].ends(1000);
    log.heads = heads(&log.vms);
    log.lines.extend(more);
    log.lines.push(log.lines[10].clone());
    log.verify().is_clean_with(&[("duplicated", 1042, "b", 5)]);
    log.verify_strict().is(4, &[("duplicated", 1042, "b", 5)], &[]);
    // What only has the number of a record far back is no copy of it.
    let mut forger = Vm::new('b');
    forger.ends(4);
    *log.lines.last_mut().unwrap() = forger.write(&Call { subject: "mallory", ..END });
    log.verify().is(4, &[("forged", 1042, "b", 5)], &[]);
}

#[test]
fn a_forged_record_is_found_whether_it_links_or_not() {
    // One that names the record before it, put in front of the true one.
    let mut log = Log::new();
    let mut forger = Vm::new('b');
    forger.ends(4);
    let forged = forger.write(&Call { subject: "mallory@example.com", ..END });
    log.lines.insert(10, forged.clone());
    let verified = log.verify();
    verified.is(4, &[("forged", 11, "b", 5)], &[]);
    assert_eq!(verified.json["integrity"]["findings"][0]["other"]["line"], 12);
    // Behind it.
    let mut log = Log::new();
    log.lines.insert(11, forged.clone());
    log.verify().is(4, &[("forged", 12, "b", 5)], &[]);
    // Much later.
    let mut log = Log::new();
    log.lines.push(forged);
    log.verify().is(4, &[("forged", 42, "b", 5)], &[]);
    // One that names another record before it.
    let mut log = Log::new();
    forger.hash = Some("0".repeat(64));
    forger.seq = 4;
    log.lines.insert(10, forger.write(&END));
    log.verify().is(4, &[("forged", 11, "b", 5)], &[]);
}

#[test]
fn a_forged_tail_is_told_from_the_reported_one_and_after_the_last_report_it_is_said() {
    // In place of the last record.
    let mut log = Log::new();
    let mut forger = Vm::new('b');
    forger.ends(19);
    log.lines.pop();
    log.lines.push(forger.write(&Call { subject: "mallory", ..END }));
    log.verify().is(4, &[("not_as_reported", 41, "b", 20)], &[]);
    // Beside it.
    let mut log = Log::new();
    let mut forger = Vm::new('b');
    forger.ends(19);
    log.lines.insert(39, forger.write(&Call { subject: "mallory", ..END }));
    log.verify().is(4, &[("forged", 40, "b", 20)], &[]);
    // After it: nothing speaks against it, but it should have been reported.
    let mut log = Log::new();
    let more = log.vms[1].ends(1);
    log.lines.extend(more);
    let verified = log.verify();
    verified.is(5, &[], &[("unvouched", 42, "b", 21)]);
    assert_eq!(verified.json["chains"][1]["after_head"], 1);
    // After the end that the proxy reported.
    log.heads["heads"][1]["ended"] = true.into();
    log.verify().is(6, &[("after_end", 42, "b", 21)], &[("unvouched", 42, "b", 21)]);
}

#[test]
fn a_forged_chain_is_one_that_nobody_reported() {
    let mut log = Log::new();
    log.lines.extend(Vm::new('c').ends(3));
    log.verify().is(5, &[], &[("unreported_chain", 44, "c", 0)]);
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_line_is_truncated() {
    let log = Log::new();
    let text = log.lines.join("\n") + "\n";
    let last = log.lines[40].len();
    for cut in [2, 100, last / 2, last - 20, last] {
        let path = log.folder.file("access.log", &text[..text.len() - cut]);
        let verified = verify(&log.folder, &path, &log.heads, &[]);
        verified.is(5, &[], &[("cut_tail", 39, "b", 20), ("truncated", 41, "-", 0)]);
    }
    // A copy of a log that is being written may end in front of a line break.
    let path = log.folder.file("access.log", &text[..text.len() - 1]);
    verify(&log.folder, &path, &log.heads, &[]).is(0, &[], &[]);
}

#[test]
fn reports_that_contradict_each_other_are_found_whichever_the_log_has() {
    let mut log = Log::new();
    let mut other = log.heads["heads"][1].clone();
    other["hash"] = "0".repeat(64).into();
    log.heads["heads"].as_array_mut().unwrap().push(other);
    log.verify().is(4, &[("not_as_reported", 41, "b", 20)], &[]);
    // A late report that the log confirms contradicts nothing.
    let mut log = Log::new();
    let mut late = Vm::new('b');
    late.ends(7);
    log.heads["heads"].as_array_mut().unwrap().push(late.head());
    log.verify().is(0, &[], &[]);
}

#[test]
fn a_null_that_became_a_fraction_is_a_change() {
    for number in ["0.5", "-0", "1e9"] {
        let mut log = Log::new();
        let null = "\"bytes_after_revocation\":null";
        assert!(log.lines[10].contains(null));
        let number = format!("\"bytes_after_revocation\":{number}");
        log.lines[10] = log.lines[10].replace(null, &number);
        let verified = log.verify();
        assert_eq!(verified.code & 4, 4, "{number}: {:#}", verified.json);
    }
}

#[test]
fn an_end_that_nobody_reported_does_not_stand_for_a_record_that_was_deleted() {
    let mut log = Log::new();
    let deleted = log.lines.remove(10);
    let deleted: Value = serde_json::from_str(&deleted).unwrap();
    let start = Some((5, deleted["hash"].as_str().unwrap().to_owned()));
    let mut forger = log.vms[1].clone();
    log.lines.push(forger.write(&Call { start, ..END }));
    log.verify().is(5, &[], &[("missing", 41, "b", 5), ("unvouched", 41, "b", 21)]);
    // Once it is reported, the chain that the proxy reported says so.
    log.vms[1] = forger;
    log.heads = heads(&log.vms);
    log.verify().is(0, &[], &[]);
}
