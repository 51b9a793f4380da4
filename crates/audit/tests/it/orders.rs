//! In whatever order records come, and however often: the same verdict.

use std::path::Path;

use breakglass_audit::finding::Class;
use breakglass_audit::heads::{Heads, Window};
use breakglass_audit::source::Source;
use breakglass_audit::verdict::Verdict;
use breakglass_audit::verify::Check;
use serde_json::Value;

use breakglass_testing::log::{Call, END, Folder, Vm, heads};

const ROUNDS: u64 = 200;

/// Numbers that look random and are the same each time (Knuth's MMIX constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

fn check(log: &Path, page: &Value) -> Verdict {
    let mut reported = Heads::new(Window::default());
    reported.add(page).unwrap();
    let check = Check { heads: Some(reported), ..Check::default() };
    check.run(vec![Source::File(log.to_owned())], &|_| (), &mut |_| ()).unwrap()
}

/// A chain with a long stream in it.
fn lines(vm: &mut Vm) -> Vec<String> {
    let mut lines = vm.ends(8);
    let long = Call { request: Some(500), ..END };
    lines.push(vm.write(&Call { phase: "start", ..long.clone() }));
    let start = Some((vm.seq, vm.hash.clone().unwrap()));
    lines.extend(vm.ends(8));
    lines.push(vm.write(&Call { start, ..long }));
    lines.extend(vm.ends(8));
    lines
}

#[test]
fn a_clean_log_is_clean_in_every_order_and_with_any_copies() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let clean = lines(&mut vm);
    let page = heads([&vm]);
    let mut numbers = Numbers(1);
    for round in 0..ROUNDS {
        let mut lines = clean.clone();
        for _ in 0..round % 10 {
            let copy = lines[numbers.below(lines.len())].clone();
            lines.push(copy);
        }
        numbers.shuffle(&mut lines);
        let verdict = check(&folder.lines("access.log", &lines), &page);
        assert!(verdict.is_clean(Class::Integrity), "{round}: {}", verdict.text());
        assert!(verdict.is_clean(Class::Completeness), "{round}: {}", verdict.text());
    }
}

#[test]
fn a_forged_record_is_the_one_that_is_named_in_every_order() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let clean = vm.ends(20);
    let page = heads([&vm]);
    let mut numbers = Numbers(2);
    for round in 0..ROUNDS {
        // One that links to the record before it, and one that does not.
        let seq = 1 + numbers.below(20);
        let mut forger = Vm::new('a');
        forger.ends(seq - 1);
        if round % 2 == 1 && seq > 1 {
            forger.hash = Some("0".repeat(64));
        }
        let forged = forger.write(&Call { subject: "mallory@example.com", ..END });
        let mut lines = clean.clone();
        lines.push(forged.clone());
        numbers.shuffle(&mut lines);
        let line = 1 + lines.iter().position(|line| *line == forged).unwrap() as u64;
        let verdict = check(&folder.lines("access.log", &lines), &page);
        let found = verdict.findings.of(Class::Integrity);
        assert_eq!(found.len(), 1, "{round}: {}", verdict.text());
        assert_eq!(found[0].kind.word(), "forged", "{round}: {}", verdict.text());
        assert_eq!(found[0].place.unwrap().line, line, "{round}: {}", verdict.text());
        assert!(verdict.is_clean(Class::Completeness), "{round}: {}", verdict.text());
    }
}

#[test]
fn a_record_that_is_not_there_is_missing_in_every_order() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let clean = vm.ends(20);
    let page = heads([&vm]);
    let mut numbers = Numbers(3);
    for round in 0..ROUNDS {
        let mut lines = clean.clone();
        let gone = 1 + numbers.below(19) as u64;
        lines.remove(usize::try_from(gone).unwrap() - 1);
        numbers.shuffle(&mut lines);
        let verdict = check(&folder.lines("access.log", &lines), &page);
        let found = verdict.findings.of(Class::Completeness);
        assert_eq!(found.len(), 1, "{round}: {}", verdict.text());
        assert_eq!((found[0].kind.word(), found[0].numbers), ("missing", Some((gone, gone))));
        assert!(verdict.is_clean(Class::Integrity), "{round}: {}", verdict.text());
    }
}
