//! No circle among the files of a crate: a file that is understood by itself is understood before those that use
//! it. What was there before this rule is listed, and the list may only shrink.

use std::collections::BTreeSet;
use std::path::Path;

use breakglass_layout::circles::{arrows, circles};
use breakglass_layout::manifest::packages;
use breakglass_layout::source::Source;

use crate::root;

/// Each with its files.
const KNOWN: &[&[&str]] = &[
    &["src/host/mod.rs", "src/host/stream.rs"],
    &["src/http.rs", "src/root.rs"],
    &["crates/core/src/audit/chain.rs", "crates/core/src/audit/record.rs"],
    &[
        "crates/core/src/sources/cause.rs",
        "crates/core/src/sources/mod.rs",
        "crates/core/src/sources/said.rs",
    ],
    &["crates/core/src/step.rs", "crates/core/src/untouched.rs"],
    &["crates/core/src/bodies/redact.rs", "crates/core/src/bodies/redact/reader.rs"],
    &[
        "crates/core/src/config/issuer.rs",
        "crates/core/src/config/mod.rs",
        "crates/core/src/probe/challenge.rs",
        "crates/core/src/token/keyring.rs",
    ],
    &["crates/core/src/policy/readings/mod.rs", "crates/core/src/policy/readings/search.rs"],
    &["crates/core/src/policy/second/forwarded.rs", "crates/core/src/policy/second/mod.rs"],
    &["crates/core/src/request.rs", "crates/core/src/route_used.rs"],
    &["tests/src/gate.rs", "tests/src/plan.rs"],
    &["tests/src/istio/authorization.rs", "tests/src/istio/mod.rs"],
];

#[test]
fn no_file_uses_itself_through_others() {
    let root = root();
    let mut known: Vec<BTreeSet<&str>> =
        KNOWN.iter().map(|files| files.iter().copied().collect()).collect();
    let mut wrong = Vec::new();
    for package in packages(&root).unwrap() {
        for start in package.roots() {
            let uses = Source::read(&start).unwrap().uses();
            for circle in circles(&uses) {
                let files: BTreeSet<String> = circle.iter().map(|file| name(&root, file)).collect();
                let listed = known
                    .iter_mut()
                    .find(|listed| files.iter().all(|file| listed.contains(file.as_str())));
                match listed {
                    Some(listed) => listed.retain(|file| !files.contains(*file)),
                    None => wrong.push(format!(
                        "{}: {} files use each other in a circle, let one of them end it:\n  {}",
                        package.name,
                        files.len(),
                        arrows(&uses, &circle)
                            .join("\n  ")
                            .replace(&format!("{}/", root.display()), "")
                    )),
                }
            }
        }
    }
    let gone: Vec<&str> = known.iter().flatten().copied().collect();
    if !gone.is_empty() {
        wrong.push(format!(
            "in no circle any more: strike them from KNOWN in {}: {gone:?}",
            file!()
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn name(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap().display().to_string()
}
