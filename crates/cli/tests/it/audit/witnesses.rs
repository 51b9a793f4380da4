//! What proxies report is believed as far as they can know it: of their own chains, up to when they
//! reported them.

use breakglass_types::limits::CHAIN_SILENT_AFTER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::process::{Ran, breakglass};
use breakglass_testing::log::{Call, END, Folder, Vm};

/// The moment at which the heads were read.
const AS_OF: &str = "2026-11-22T02:21:00Z";

struct Case {
    folder: Folder,
    lines: Vec<String>,
    heads: Vec<Value>,
}

impl Case {
    fn new(lines: Vec<String>, heads: Vec<Value>) -> Case {
        Case { folder: Folder::new(), lines, heads }
    }

    fn run(&self, verb: &[&str]) -> Ran {
        let page = json!({ "as_of": AS_OF, "heads": self.heads, "next": null });
        let heads = self.folder.file("heads.json", page.to_string());
        let log = self.folder.lines("access.log", &self.lines);
        let mut command = breakglass();
        command.arg("audit").args(verb).arg("--heads").arg(heads).arg(log);
        Ran::from(command.output().unwrap())
    }

    /// The exit code, and what was found of each class.
    fn verify(&self, arguments: &[&str]) -> (i32, Value, Value, Value) {
        let ran = self.run(&[&["verify", "--json"], arguments].concat());
        let counts = |class: &str| ran.json()[class]["counts"].clone();
        (ran.code, counts("integrity"), counts("completeness"), counts("notes"))
    }
}

/// A record that was written so long before the heads were read.
fn written(vm: &mut Vm, ago_ms: u64) -> String {
    // The log's records are written from 02:13:00 on, 12 ms after their request came.
    let request = 8 * 60 * 1000 - 12 - ago_ms;
    vm.write(&Call { request: Some(request), ..END })
}

#[test]
fn what_no_head_vouches_for_is_a_finding_once_there_was_time_to_report_it() {
    let none = json!({});
    for (ago_ms, arguments, is_old) in [
        (480_000 - 13, &[][..], true),
        (10_001, &[], true),
        (10_000, &[], false),
        (0, &[], false),
        (5_000, &["--unvouched-after", "4s"], true),
        (60_000, &["--unvouched-after", "2m"], false),
        (1, &["--unvouched-after", "0s"], true),
    ] {
        let mut vm = Vm::new('a');
        let mut lines = vm.ends(5);
        let head = vm.head();
        lines.push(written(&mut vm, ago_ms));
        let case = Case::new(lines, vec![head]);
        let found = match is_old {
            true => (5, none.clone(), json!({ "unvouched": 1 }), none.clone()),
            false => (0, none.clone(), none.clone(), json!({ "not_yet_reported": 1 })),
        };
        assert_eq!(case.verify(arguments), found, "{ago_ms} {arguments:?}");
        // The same of a chain that nobody has reported at all.
        let case = Case::new(vec![written(&mut Vm::new('c'), ago_ms)], vec![]);
        let found = match is_old {
            true => (5, none.clone(), json!({ "unreported_chain": 1 }), none.clone()),
            false => (0, none.clone(), none.clone(), json!({ "not_yet_reported": 1 })),
        };
        assert_eq!(case.verify(arguments), found, "{ago_ms} {arguments:?}");
    }
}

#[test]
fn a_record_from_the_future_is_not_too_young_to_be_reported() {
    let mut vm = Vm::new('a');
    let mut lines = vm.ends(5);
    let head = vm.head();
    lines.push(vm.write(&END).replace("\"2026-11-22T02:13", "\"2999-11-22T02:13"));
    // Its hash as whoever writes such a line makes it.
    let (rest, _) = lines[5].split_once(",\"hash\"").unwrap();
    let hash = Sha256::digest(format!("{rest}}}"));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    lines[5] = format!("{rest},\"hash\":\"{hash}\"}}");
    let found = (5, json!({}), json!({ "unvouched": 1 }), json!({}));
    assert_eq!(Case::new(lines, vec![head]).verify(&[]), found);
}

#[test]
fn an_unvouched_tail_names_its_records_and_the_last_report() {
    let mut vm = Vm::new('a');
    let mut lines = vm.ends(5);
    let head = vm.head();
    lines.extend(vm.ends(3));
    let case = Case::new(lines, vec![head]);
    let found = &case.run(&["verify", "--json"]).json()["completeness"]["findings"][0];
    assert_eq!(
        (&found["seq"], &found["last_seq"], &found["line"]),
        (&json!(6), &json!(8), &json!(6))
    );
    let detail = found["detail"].as_str().unwrap();
    assert!(detail.contains("after record 5") && detail.contains("02:20:00Z"), "{detail}");
}

/// Two workers of one Envoy process: the second one's head was last seen so long before the first's.
fn silent(seconds: i64, change: impl Fn(&mut Value)) -> (i32, Value, Value, Value) {
    let (mut alive, mut silent) = (Vm::new('a'), Vm::new('b'));
    let mut lines = alive.ends(3);
    lines.extend(silent.ends(3));
    let mut heads = [alive.head(), silent.head()];
    for head in &mut heads {
        head["process"] = "f".repeat(32).into();
        head["proof"] = "proven".into();
    }
    heads[0]["seen_at"] = AS_OF.into();
    let minute = 20 - seconds / 60 - i64::from(seconds % 60 > 0);
    let second = (60 - seconds % 60) % 60;
    heads[1]["reported_at"] = "2026-11-22T02:10:00Z".into();
    heads[1]["seen_at"] = format!("2026-11-22T02:{:02}:{second:02}Z", minute + 1).into();
    change(&mut heads[1]);
    Case::new(lines, heads.to_vec()).verify(&[])
}

#[test]
fn a_chain_that_falls_silent_beside_others_of_its_envoy_is_stale() {
    let none = || json!({});
    let clean = (0, none(), none(), none());
    let stale = (5, none(), json!({ "head_stale": 1 }), none());
    assert_eq!(silent(0, |_| ()), clean);
    // Relies on INVARIANT (head-repeat): the verifier has a number of its own.
    let patience = CHAIN_SILENT_AFTER.as_secs().cast_signed();
    assert_eq!(silent(patience, |_| ()), clean, "two reports were lost, and no more");
    assert_eq!(silent(patience + 1, |_| ()), stale);
    assert_eq!(silent(600, |_| ()), stale);
    // One that has said that it is over, one of another process, one of which that is not known, and one
    // of another proxy that names the same process.
    assert_eq!(silent(600, |head| head["ended"] = true.into()), clean);
    assert_eq!(silent(600, |head| head["process"] = "e".repeat(32).into()), clean);
    assert_eq!(silent(600, |head| head["process"] = Value::Null), clean);
    assert_eq!(silent(600, |head| head["proxy"] = "another".into()), clean);
}

#[test]
fn the_age_of_the_newest_head_is_a_part_of_the_verdict_and_of_the_page() {
    let mut vm = Vm::new('a');
    let lines = vm.ends(3);
    let mut head = vm.head();
    head["seen_at"] = "2026-11-22T02:20:57Z".into();
    let case = Case::new(lines, vec![head]);
    let heads = &case.run(&["verify", "--json"]).json()["heads"];
    assert_eq!(heads["as_of"], AS_OF);
    assert_eq!(heads["newest"], "2026-11-22T02:20:57Z");
    assert!(heads["newest_age_s"].is_u64(), "{heads}");
    let text = case.run(&["verify"]).stdout;
    assert!(
        text.contains(
            "as of 2026-11-22T02:21:00Z; the newest was reported at 2026-11-22T02:20:57Z, "
        )
    );
    assert!(text.contains(" ago\n") || text.ends_with(" ago\n"), "{text}");
    let page = case.folder.file("page.html", "");
    let page_path = page.to_str().unwrap();
    case.run(&["report", "--log-only", "--incident", "INC-4711", "--html", page_path]);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("The newest report came at 2026-11-22T02:20:57Z, "), "{page}");
    assert!(page.contains("what was written later is not vouched for"), "{page}");
    assert!(!page.contains("Every record that was written"), "nobody can know that");
    assert!(page.contains("3 of the 3 calls below are proven"), "{page}");
}

/// The head of a record that this chain never had.
fn false_head(vm: &Vm, seq: u64, reporter: &str) -> Value {
    let mut head = vm.head();
    head["seq"] = seq.into();
    head["hash"] = "0".repeat(64).into();
    head["proxy"] = reporter.into();
    head
}

#[test]
fn what_another_proxy_reports_of_a_chain_never_breaks_it() {
    let mut vm = Vm::new('a');
    let lines = vm.ends(5);
    let none = || json!({});
    for seq in [1, 3, 5, 6, 1_000_000] {
        for ended in [false, true] {
            let mut own = vm.head();
            own["proof"] = "proven".into();
            let mut other = false_head(&vm, seq, "rogue");
            other["proof"] = "disputed".into();
            other["owner"] = "envoy".into();
            other["ended"] = ended.into();
            // Whoever came first.
            for heads in [vec![own.clone(), other.clone()], vec![other.clone(), own.clone()]] {
                let case = Case::new(lines.clone(), heads);
                let found = (0, none(), none(), json!({ "disputed_report": 1 }));
                assert_eq!(case.verify(&[]), found, "{seq} {ended}");
                let note = &case.run(&["verify", "--json"]).json()["notes"]["findings"][0];
                let detail = note["detail"].as_str().unwrap();
                assert!(detail.contains("rogue") && detail.contains("envoy"), "{detail}");
            }
        }
    }
}

#[test]
fn without_a_word_of_the_service_a_chain_belongs_to_who_reported_it_first() {
    // What an earlier version of the service told: no proof.
    let mut vm = Vm::new('a');
    let lines = vm.ends(5);
    let told = |mut head: Value| {
        head["proof"] = Value::Null;
        head
    };
    let heads = vec![told(vm.head()), told(false_head(&vm, 3, "rogue")), told(vm.head())];
    let found = (0, json!({}), json!({}), json!({ "disputed_report": 1 }));
    assert_eq!(Case::new(lines.clone(), heads).verify(&[]), found);
    // A proof counts over the first report.
    let mut own = vm.head();
    own["proof"] = "proven".into();
    let mut first = false_head(&vm, 3, "rogue");
    first["proof"] = "first_report".into();
    let case = Case::new(lines.clone(), vec![first.clone(), own]);
    assert_eq!(case.verify(&[]), found);
    // By the same proxy reports contradict each other, as before.
    let case = Case::new(lines, vec![told(vm.head()), told(false_head(&vm, 3, "envoy"))]);
    assert_eq!(case.verify(&[]), (4, json!({ "not_as_reported": 1 }), json!({}), json!({})));
}

#[test]
fn a_proxy_that_was_renamed_goes_on_with_its_chain() {
    let mut vm = Vm::new('a');
    let mut lines = vm.ends(3);
    let mut before = vm.head();
    before["proxy"] = "its former name".into();
    before["reported_at"] = "2026-11-22T02:12:00Z".into();
    lines.extend(vm.ends(2));
    for heads in [vec![before.clone(), vm.head()], vec![vm.head(), before]] {
        let case = Case::new(lines.clone(), heads.clone());
        assert_eq!(case.verify(&[]), (0, json!({}), json!({}), json!({})));
        // What was reported under the former name is still excused, and still vouched for.
        let case = Case::new(lines[3..].to_vec(), heads);
        let since = ["--since", "2026-11-22T02:12:30Z"];
        assert_eq!(case.verify(&since), (0, json!({}), json!({}), json!({})));
    }
}

#[test]
fn a_chain_that_only_another_proxy_reports_is_not_in_order() {
    let mut vm = Vm::new('a');
    let lines = vm.ends(5);
    let mut disputed = vm.head();
    disputed["proxy"] = "rogue".into();
    disputed["proof"] = "disputed".into();
    disputed["owner"] = "envoy".into();
    let case = Case::new(lines, vec![disputed.clone()]);
    let found = json!({ "disputed_head": 1, "unreported_chain": 1 });
    assert_eq!(case.verify(&[]), (5, json!({}), found, json!({})));
    let text = case.run(&["verify"]).stdout;
    assert!(text.contains("rogue reported it up to record 5, and it belongs to envoy"), "{text}");
    // Nor where the log has nothing of it.
    let mut other = Vm::new('b');
    let case = Case::new(other.ends(2), vec![other.head(), disputed]);
    assert_eq!(case.verify(&[]), (5, json!({}), json!({ "disputed_head": 1 }), json!({})));
}

#[test]
fn the_verdict_says_how_it_is_known_whose_a_chain_is() {
    let mut vm = Vm::new('a');
    let lines = vm.ends(2);
    for (proof, expected) in [
        (json!("proven"), "proven"),
        (json!("first_report"), "first_report"),
        (Value::Null, "first_report"),
    ] {
        let mut head = vm.head();
        head["proof"] = proof;
        let ran = Case::new(lines.clone(), vec![head]).run(&["verify", "--json"]);
        let head = &ran.json()["chains"][0]["head"];
        assert_eq!((&head["reporter"], &head["proof"]), (&json!("envoy"), &json!(expected)));
    }
}

#[test]
fn heads_that_are_none_are_refused() {
    let mut vm = Vm::new('a');
    let lines = vm.ends(1);
    for (member, value) in [
        ("reported_at", json!("yesterday")),
        ("seen_at", json!("")),
        ("seq", json!(-1)),
        ("hash", json!("x")),
        ("proof", json!("sworn")),
    ] {
        let mut head = vm.head();
        head[member] = value;
        let ran = Case::new(lines.clone(), vec![head]).run(&["verify"]);
        assert_eq!(ran.code, 3, "{member}: {ran:?}");
        assert!(ran.stderr.contains("these are not heads of audit chains"), "{ran:?}");
    }
    // One page of several: what the others say is not known.
    let folder = Folder::new();
    let log = folder.lines("access.log", &lines);
    let page = json!({ "as_of": AS_OF, "heads": [vm.head()], "next": 7 });
    let heads = folder.file("heads.json", page.to_string());
    let mut command = breakglass();
    command.args(["audit", "verify", "--heads"]).arg(heads).arg(log);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("the list goes on after this page"), "{ran:?}");
}
