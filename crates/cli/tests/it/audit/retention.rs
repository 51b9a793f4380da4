//! What the service's retention has removed says nothing: neither that a log is in order, nor that it is not.

use serde_json::{Value, json};

use super::carriers::{kinds, verify};
use breakglass_testing::log::{Folder, Vm, heads, wrapped};

/// The records are from 02:13.
fn judged(removed_before: Option<&str>) -> (i32, Vec<String>, String) {
    let folder = Folder::new();
    let (mut known, mut old) = (Vm::new('a'), Vm::new('b'));
    let lines: Vec<String> =
        known.ends(3).iter().chain(&old.ends(3)).map(|line| wrapped(line)).collect();
    let file = folder.lines("access.log", &lines);
    let mut heads = heads([&known]);
    heads["thinned_before"] = json!(removed_before);
    heads["removed_before"] = json!(removed_before);
    let ran = verify(&folder, std::slice::from_ref(&file), &heads, &[]);
    let summary = ran.json()["heads"]["removed_before"].clone();
    assert_eq!(summary, json!(removed_before));
    (ran.code, kinds(&ran), ran.stdout)
}

#[test]
fn a_chain_from_before_what_is_kept_is_neither_in_order_nor_unreported() {
    for (removed_before, kind) in [
        (None, "unreported_chain"),
        (Some("2026-11-22T02:12:00Z"), "unreported_chain"),
        (Some("2026-11-22T02:14:00Z"), "end_unknown"),
        (Some("2026-11-22T02:20:30Z"), "end_unknown"),
    ] {
        let (code, kinds, text) = judged(removed_before);
        assert_eq!(
            (code, kinds.as_slice()),
            (5, &[kind.to_owned()][..]),
            "{removed_before:?}: {text}"
        );
    }
}

#[test]
fn a_log_that_reaches_the_head_that_stayed_is_judged_as_by_all_of_them() {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let mut all = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..10 {
        lines.extend(vm.ends(5).iter().map(|line| wrapped(line)));
        all.push(vm.head());
    }
    let page =
        |heads: &[Value]| json!({ "as_of": "2026-11-22T02:21:00Z", "heads": heads, "next": null });
    let thinned = [all[0].clone(), all[9].clone()];
    let changed = |index: usize| {
        let mut lines = lines.clone();
        lines[index] = lines[index].replace("orders are stuck", "all is well");
        lines
    };
    let without = |from: usize, to: usize| [&lines[..from], &lines[to..]].concat();
    for (what, log) in [
        ("whole", lines.clone()),
        ("changed", changed(20)),
        ("a gap", without(20, 25)),
        ("cut off", without(30, 50)),
        ("the beginning is gone", without(0, 7)),
    ] {
        let file = folder.lines("access.log", &log);
        let verdicts = [&all[..], &thinned[..]].map(|heads| {
            let ran = verify(&folder, std::slice::from_ref(&file), &page(heads), &[]);
            (
                ran.code,
                ran.json()["integrity"]["counts"].clone(),
                ran.json()["completeness"]["counts"].clone(),
            )
        });
        assert_eq!(verdicts[0], verdicts[1], "{what}");
        assert_eq!(verdicts[0].0 == 0, what == "whole", "{what}");
    }
}
