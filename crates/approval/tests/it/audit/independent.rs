//! The form is documented well enough for another implementation: docs/verify.py, in another
//! language and with nothing of ours, comes to the same verdict.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::log::{Call, END, Folder, Vm, wrapped};

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
    assert!(text.lines().count() <= 60);
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
    let expected = format!("chain {}: 5 records, the last is 5 {head}\n", vm.chain);
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
