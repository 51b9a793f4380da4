//! Each metric of the service is in the table of docs/operations.md, each one there exists, and a test asks for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use breakglass_testing::service::Service;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names that a text has between these two characters.
fn names(text: &str, quote: char) -> BTreeSet<String> {
    let parts = text.split(quote).skip(1).step_by(2);
    let is_name = |part: &&str| {
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        part.starts_with("breakglass_") && part.chars().all(is_word)
    };
    parts.filter(is_name).map(str::to_owned).collect()
}

/// The service's metrics, as the table has them.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| service | "));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

fn files(at: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The metrics that the service's source defines.
fn defined() -> BTreeSet<String> {
    let mut sources = Vec::new();
    files(&root().join("crates/server/src"), &mut sources);
    let sources = sources.iter().filter(|path| path.to_str().unwrap().ends_with("metrics.rs"));
    sources.flat_map(|path| names(&fs::read_to_string(path).unwrap(), '"')).collect()
}

#[test]
fn the_table_has_what_the_service_defines() {
    assert!(defined().len() >= 40, "{:?}", defined());
    assert_eq!(documented(), defined());
}

#[tokio::test]
async fn what_is_served_is_in_the_table_with_its_type() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    service.token(&id).await;
    let text = service.get("nobody", "/metrics").await.ok();
    let table = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let types = text.as_str().unwrap().lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut count = 0;
    for line in types {
        let (name, kind) = line.split_once(' ').unwrap();
        let row = format!("| service | `{name}` | {kind} |");
        assert!(table.contains(&row), "not in docs/operations.md: {row}");
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn a_test_asks_for_each() {
    let (mut tests, own) = (Vec::new(), Path::new(file!()).file_name().unwrap());
    for at in ["crates/server/tests", "crates/cli/tests"] {
        files(&root().join(at), &mut tests);
    }
    tests.retain(|path| path.file_name() != Some(own));
    let texts: Vec<_> = tests.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for name in documented() {
        // Three are made of parts.
        let waits =
            name.strip_prefix("breakglass_request_").and_then(|rest| rest.strip_suffix("_seconds"));
        let sought = waits.map_or(name.clone(), |what| format!("\"{what}\""));
        assert!(texts.iter().any(|text| text.contains(&sought)), "no test asks for {name}");
    }
}
