//! Laws of the log reader, over made-up logs: what was written is found, what was changed is noticed, and nothing
//! panics.

use breakglass_audit::heads::{Heads, Window};
use breakglass_audit::line::{Finder, Found};
use breakglass_audit::source::Source;
use breakglass_audit::verdict::Conclusion;
use breakglass_audit::verify::Check;
use proptest::collection::vec;
use proptest::prelude::*;

use breakglass_testing::log::{Call, END, Folder, Vm};

/// Texts that a client or a person chooses: what JSON escapes is among them.
fn text() -> impl Strategy<Value = String> {
    "[^\\pC]{0,20}|[\"\\\\/{}:,a\n\t ]{0,20}|\\{\"v\":1,\"time\":\""
}

fn record(path: &str, subject: &str, incident: &str) -> String {
    Vm::new('a').write(&Call { path, subject, incident, ..END })
}

/// How a record stands in a line.
#[derive(Debug, Clone)]
enum Carrier {
    /// As it was written, between other texts.
    Text,
    /// As a member of an object.
    Object,
    /// As the text of a member, so many times: of Envoy's format, then of what carries the line on.
    Member(u8),
}

fn carrier() -> impl Strategy<Value = Carrier> {
    prop_oneof![Just(Carrier::Text), Just(Carrier::Object), (1..4_u8).prop_map(Carrier::Member)]
}

fn carried(record: &str, carrier: &Carrier) -> String {
    match carrier {
        Carrier::Text => format!("[2026-11-22] {record} \"-\""),
        Carrier::Object => format!(r#"{{"start_time":"x","breakglass":{record}}}"#),
        Carrier::Member(times) => (0..*times).fold(record.to_owned(), |text, time| {
            let member = if time == 0 { "breakglass" } else { "message" };
            serde_json::json!({ "a": "b", member: text }).to_string()
        }),
    }
}

/// What `breakglass audit verify` says of a log in these files, whose chains these VMs have reported.
fn verdict(files: &[Vec<String>], vms: &[Vm]) -> Conclusion {
    let folder = Folder::new();
    let named = files.iter().enumerate();
    let paths = named.map(|(index, lines)| folder.lines(&format!("{index}.log"), lines));
    let sources = paths.map(|path| Source::named(&path)).collect();
    let mut heads = Heads::new(Window::default());
    heads.add(&breakglass_testing::log::heads(vms)).unwrap();
    let check = Check { heads: Some(heads), ..Check::default() };
    check.run(sources, &|_| (), &mut |_| ()).unwrap().conclusion()
}

proptest! {
    #[test]
    fn a_record_is_found_as_it_was_written(
        path in text(), subject in text(), incident in text(), carrier in carrier(),
    ) {
        let record = record(&path, &subject, &incident);
        let line = carried(&record, &carrier);
        let mut found = Vec::new();
        let count = Finder::default().records(&line, &mut |one| match one {
            Found::Record { text, record, intact } => {
                found.push((text.to_owned(), record.path.0.clone().into_owned(), intact));
            }
            Found::Damaged(why) => panic!("{line}: {why}"),
        });
        prop_assert_eq!((count, found), (1, vec![(record, path, true)]), "{}", line);
    }

    /// Another character in place of any of a record's.
    #[test]
    fn a_changed_record_is_noticed(
        path in text(),
        at: prop::sample::Index,
        other in prop_oneof![any::<char>(), proptest::char::range(' ', '~')],
    ) {
        let mut vm = Vm::new('a');
        let record = vm.write(&Call { path: &path, ..END });
        let places: Vec<(usize, char)> = record.char_indices().collect();
        let (place, character) = *at.get(&places);
        let mut changed = record.clone();
        changed.replace_range(place..place + character.len_utf8(), other.encode_utf8(&mut [0; 4]));
        let is_whole = verdict(&[vec![changed.clone()]], &[vm]) == Conclusion::Ok;
        prop_assert_eq!(is_whole, character == other, "{}", changed);
    }

    #[test]
    fn nothing_panics_on_parts_of_records(
        cuts in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..5), between in text(),
        carrier in carrier(), junk in ".{0,100}",
    ) {
        let line = carried(&record("/v1", "alice", &between), &carrier);
        let part = |(from, to): &(prop::sample::Index, prop::sample::Index)| {
            let (from, to) = (from.index(line.len()), to.index(line.len()));
            line.get(from.min(to)..from.max(to)).unwrap_or_default().to_owned()
        };
        let mangled = cuts.iter().map(part).collect::<Vec<_>>().join(&between);
        for line in [mangled.as_str(), &junk, &format!("{junk}{line}")] {
            for key in [None, Some("breakglass".to_owned())] {
                let finder = Finder { key };
                let _ = finder.summary(line);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a log is delivered, it is whole; and it is not whole without any of its records.
    #[test]
    fn the_order_of_delivery_changes_no_verdict(
        counts in vec(2..8_usize, 1..3), order in any::<u64>(), files in 1..4_usize, twice: prop::sample::Index,
        lost: prop::sample::Index,
    ) {
        let digits = ['a', 'b', 'c'];
        let mut vms: Vec<Vm> = digits.into_iter().take(counts.len()).map(Vm::new).collect();
        let chains: Vec<Vec<String>> =
            vms.iter_mut().zip(&counts).map(|(vm, count)| vm.ends(*count)).collect();
        let mut lines: Vec<String> = chains.concat();
        lines.push(twice.get(&lines).clone());
        let deliver = |lines: &[String]| {
            let mut order = fastrand(order);
            let mut parts = vec![Vec::new(); files];
            let mut left = lines.to_vec();
            while !left.is_empty() {
                let line = left.swap_remove(order(left.len()));
                parts[order(files)].push(line);
            }
            verdict(&parts, &vms)
        };
        prop_assert_eq!(deliver(&lines), Conclusion::Ok);
        let lost = lost.get(&chains.concat()).clone();
        lines.retain(|line| *line != lost);
        prop_assert_ne!(deliver(&lines), Conclusion::Ok);
    }
}

/// Numbers below a bound, the same for the same seed.
fn fastrand(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}
