//! The form is documented well enough for another implementation: docs/verify.py, in another
//! language and with nothing of ours, comes to the same verdict.

use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_testing::log::{Call, END, Folder, Vm, heads, wrapped};

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify.py")
}

/// Its exit code and output.
fn second_opinion(file: &Path) -> (i32, String) {
    let output = Command::new("python3").arg(program()).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("python3: {error}: install Python 3"));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn it_is_short_enough_to_be_read() {
    let text = std::fs::read_to_string(program()).unwrap();
    assert!(text.lines().count() <= 80);
}

#[test]
fn another_implementation_confirms_a_clean_log_and_finds_what_was_tampered_with() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let hostile = Call { path: "/\"\\\n\u{1}\u{7f}ü\u{2028}😀</script>", ..END };
    let mut lines = vm.ends(3);
    lines.push(vm.write(&hostile));
    lines.push(wrapped(&vm.write(&hostile)));
    lines.push(vm.write(&Call { phase: "decision", ..END }));
    let head = vm.hash.clone().unwrap();
    let said = second_opinion(&folder.lines("clean.log", &lines));
    let expected = format!(
        "chain {}: 5 records, the last is 5 {head}\nunproven: 1 records without a seal\n",
        vm.chain
    );
    assert_eq!(said, (0, expected));

    let mut changed = lines.clone();
    changed[1] = changed[1].replace("\"status\":200", "\"status\":500");
    let (code, text) = second_opinion(&folder.lines("changed.log", &changed));
    assert_eq!(code, 1);
    assert!(text.contains("changed.log:2: record 2 is not what was written"), "{text}");

    let mut deleted = lines.clone();
    deleted.remove(1);
    let (code, text) = second_opinion(&folder.lines("deleted.log", &deleted));
    assert_eq!(code, 1);
    assert!(text.contains("record 2 is missing"), "{text}");
}

/// What it does not check it says: nothing of it is ok.
#[test]
fn another_implementation_refuses_what_it_does_not_check() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let record = vm.write(&END);
    let decision = vm.write(&Call { phase: "decision", ..END });
    let sorted = serde_json::from_str::<serde_json::Value>(&record).unwrap().to_string();
    let zstd = zstd::encode_all(format!("{record}\n").as_bytes(), 3).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, format!("{record}\n").repeat(9).as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    for (name, content) in [
        ("empty.log", Vec::new()),
        ("others.log", b"{\"a\":1}\ntext\n".to_vec()),
        ("heads.json", heads([&vm]).to_string().into_bytes()),
        ("text.log", format!("a {record} b\n").into_bytes()),
        ("cri.log", format!("2026-11-22T02:13:00.1Z stdout F {record}\n").into_bytes()),
        ("cut.log", record.as_bytes()[..400].to_vec()),
        ("unsealed.log", decision.clone().into_bytes()),
        ("sorted.log", sorted.into_bytes()),
        ("log.zst", zstd),
        ("cut.gz", gzip[..gzip.len() - 9].to_vec()),
        ("deep.log", format!("{}grant_seq", "[".repeat(100_000)).into_bytes()),
        ("twice.log", record.replace("\"v\":1,", "\"v\":1,\"v\":1,").into_bytes()),
    ] {
        let (code, text) = second_opinion(&folder.file(name, content));
        assert_eq!(code, 2, "{name}: {text}");
        assert!(text.contains("not checked: "), "{name}: {text}");
    }
    // Beside a record that is right too.
    for other in [format!("a {record} b"), record[..400].to_owned(), heads([&vm]).to_string()] {
        let (code, text) = second_opinion(&folder.lines("both.log", &[record.clone(), other]));
        assert_eq!(code, 2, "{text}");
    }
    let (code, text) = second_opinion(&folder.lines("access.log", &[record, decision]));
    assert!(code == 0 && text.contains("unproven: 1 records"), "{text}");
    let (code, text) = second_opinion(Path::new("/nowhere"));
    assert!(code == 2 && text.contains("not checked: /nowhere"), "{text}");
}

/// A number of a record is the log's own claim.
#[test]
fn another_implementation_survives_any_number() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut lines = vm.ends(1);
    vm.seq = 1_000_000_000_000 - 1;
    lines.extend(vm.ends(1));
    let (code, text) = second_opinion(&folder.lines("access.log", &lines));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("record 2 is missing, with all before 1000000000000"), "{text}");
    for number in ["-1", "0", "1.5", "1e400", "\"1\"", "[1]", "true", "null"] {
        let changed = lines[0].replace("\"seq\":1,", &format!("\"seq\":{number},"));
        let (code, text) = second_opinion(&folder.lines("changed.log", &[changed]));
        assert_eq!(code, 1, "{number}: {text}");
    }
}
