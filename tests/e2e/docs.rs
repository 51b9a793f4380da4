//! The documentation is true: its examples are configurations, its tables name what there is, and
//! nothing that there is is missing from them.

mod blocks;
mod booleans;
mod browsers;
mod commands;
mod examples;
mod paths;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

use breakglass_core::config::Config;
use breakglass_core::reason::DenyReason;
use breakglass_tests::artefacts::root;
use breakglass_tests::manifests;
use breakglass_tests::policy::PROXY_TOKEN;
use breakglass_tests::record::Audit;
use serde_json::{Value, json};

use blocks::block;

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every document, by its path from the root.
fn documents() -> Vec<PathBuf> {
    let in_folder = |folder: &str| {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect::<Vec<_>>()
    };
    let found = ["", "docs", "docs/install", "envoy"].iter().flat_map(|folder| in_folder(folder));
    found.map(|path| path.strip_prefix(root()).unwrap().to_owned()).collect()
}

/// The rows of the tables under a heading, each a list of cells, without heads.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let start = text.find(&format!("{heading}\n")).unwrap_or_else(|| panic!("`{heading}`"));
    let section = &text[start + heading.len()..];
    let level = heading.split(' ').next().unwrap();
    let next = |end: &usize| {
        let rest = &section[*end + 1..];
        rest.starts_with('#') && rest.split(' ').next().unwrap().len() <= level.len()
    };
    let end = section.match_indices('\n').map(|(at, _)| at).find(next).unwrap_or(section.len());
    let cells = |line: &str| -> Vec<String> {
        // A `|` inside a cell is escaped.
        let line = line.replace("\\|", "\u{0}");
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('\u{0}', "|")).collect()
    };
    let lines: Vec<&str> = section[..end].lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_head = lines.get(at + 1).is_some_and(|next| next.starts_with("|--"));
        if line.starts_with('|') && !line.starts_with("|--") && !is_head {
            found.push(cells(line));
        }
    }
    found
}

/// What stands between backticks.
fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// The YAML in the documents, each with its document.
pub(crate) fn yaml_blocks() -> Vec<(PathBuf, Value)> {
    let blocks = blocks::all().into_iter().filter(|block| block.mark.starts_with("yaml"));
    let objects = blocks.flat_map(|block| {
        let parts = block.text.split("\n---\n").map(yaml).collect::<Vec<Value>>();
        parts.into_iter().map(move |object| (block.document.clone(), object))
    });
    objects.collect()
}

/// What docs/configuration.schema.json has against a configuration of the filter.
fn schema_complaints(filter: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(&read("docs/configuration.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator
        .iter_errors(filter)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// The filter takes this configuration, and so does its schema.
fn accepted(what: &str, filter: &Value) {
    assert_eq!(schema_complaints(filter), Vec::<String>::new(), "{what}");
    let environment = |_: &str| Some(PROXY_TOKEN.to_owned());
    if let Err(errors) = Config::parse(filter.to_string().as_bytes(), &environment) {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        panic!("{what}: {}", errors.join("\n"));
    }
}

#[test]
fn every_configuration_in_envoy_is_one() {
    let mut found = 0;
    for file in manifests::files("envoy") {
        for filter in manifests::objects(&file).iter().flat_map(manifests::filters) {
            accepted(&file.display().to_string(), &filter);
            found += 1;
        }
    }
    assert!(found >= 5, "{found} files configure the filter");
}

#[test]
fn the_refusal_in_the_readme_has_the_members_of_a_refusal() {
    let problem: Value = serde_json::from_str(&block("README.md", "json").text).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let members = ["detail", "grant", "reason", "remedy", "request_id", "status", "title", "type"];
    let mut found = names(&problem);
    found.sort();
    assert_eq!(found, members);
    let reason = problem["reason"].as_str().unwrap();
    let known = DenyReason::ALL.iter().find(|known| known.code() == reason).unwrap();
    assert_eq!(problem["status"], known.status());
    assert_eq!(problem["type"], format!("urn:breakglass:reason:{reason}"));
}

#[test]
fn every_reason_has_one_row_with_its_status_and_every_row_is_a_reason() {
    let text = read("docs/reasons.md");
    let found: Vec<(String, String)> = rows(&text, "# Reason codes")
        .iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone()))
        .collect();
    let mut documented = found.clone();
    documented.sort();
    let mut known: Vec<_> = DenyReason::ALL
        .iter()
        .map(|reason| (reason.code().to_owned(), reason.status().to_string()))
        .collect();
    known.sort();
    assert_eq!(documented, known);
    for passing in ["permit", "permit_introspected", "permit_unverified", "no_token", "client_gone"]
    {
        assert!(text.contains(&format!("`{passing}`")), "{passing}");
    }
}

/// The names of fields that a table of the audit record has, in order.
fn documented_members() -> Vec<String> {
    let text = read("docs/audit.md");
    let (text, _) = text.split_once("\n## ").unwrap();
    let rows = rows(text, "# The audit record");
    let members = rows.iter().take_while(|row| !row[0].contains('.'));
    members
        .flat_map(|row| words(&row[0]).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_member_of_the_record_has_its_row_in_its_order_and_every_row_is_a_member() {
    assert_eq!(documented_members(), Audit::MEMBERS);
}

#[test]
fn every_relative_link_leads_to_a_file() {
    for path in documents() {
        let text = read(&path);
        let folder = root().join(path.parent().unwrap());
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if !target.contains("://") {
                let (file, section) = target.split_once('#').unwrap_or((target, ""));
                let file = if file.is_empty() { root().join(&path) } else { folder.join(file) };
                assert!(file.exists(), "{}: {target}", path.display());
                if !section.is_empty() {
                    let headings = fs::read_to_string(&file).unwrap();
                    assert!(
                        headings.lines().any(|line| anchor(line).as_deref() == Some(section)),
                        "{}: {target}",
                        path.display()
                    );
                }
            }
        }
    }
}

/// The name by which a heading is linked.
fn anchor(line: &str) -> Option<String> {
    let heading = line.starts_with('#').then(|| line.trim_start_matches('#').trim())?;
    let kept = |c: &char| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_';
    Some(heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
}

#[test]
fn every_script_that_is_named_exists() {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    for path in documents() {
        let text = read(&path);
        for (at, _) in text.match_indices("scripts/") {
            let rest = &text[at + "scripts/".len()..];
            let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
            let name = name.trim_end_matches('.');
            let exists = name.is_empty() || root().join("scripts").join(name).exists();
            assert!(exists, "{}: scripts/{name}", path.display());
        }
    }
}

#[test]
fn every_file_of_envoy_that_is_named_exists() {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    let mut named = 0;
    for path in documents() {
        let text = read(&path);
        for (at, _) in text.match_indices("envoy/") {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            let rest = text[at..].split(|c| !is_path(c)).next().unwrap();
            let name = rest.trim_end_matches(['.', '/']);
            if !is_path(before) {
                assert!(root().join(name).exists(), "{}: {name}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named} are named");
}

#[test]
fn the_schema_of_the_configuration_knows_what_is_missing_and_what_is_too_much() {
    let example = yaml(&block("docs/configuration.md", "yaml filter").text);
    let complaints = |pointer: &str, member: &str, value: Option<Value>| {
        let mut filter = example.clone();
        let object = filter.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => object.insert(member.to_owned(), value),
            None => object.remove(member),
        };
        schema_complaints(&filter)
    };
    assert_eq!(schema_complaints(&example), Vec::<String>::new());
    for (pointer, member, value) in [
        ("", "issuers", None),
        ("", "enforcment", Some(json!("enforce"))),
        ("", "enforcement", Some(json!("dry-run"))),
        ("", "max_token_bytes", Some(json!(100))),
        ("/scopes/0", "paths", Some(json!([]))),
        ("/scopes/0/require", "max_auth_age", Some(json!("soon"))),
        ("/scopes/1/request_body", "captured", Some(json!({}))),
        ("/revocation/feed", "cluster", None),
    ] {
        assert!(!complaints(pointer, member, value).is_empty(), "{pointer}/{member}");
    }
}

#[test]
fn every_reason_has_an_end_to_end_test() {
    let mut tests = String::new();
    let mut folders = vec![root().join("tests/e2e")];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() {
                folders.push(file);
            } else if file.file_name().is_some_and(|name| name != "docs.rs") {
                tests.push_str(&read(file));
            }
        }
    }
    for reason in DenyReason::ALL {
        let (status, code) = (reason.status(), reason.code());
        assert!(tests.contains(&format!("{status}, \"{code}\"")), "{status} {code}");
    }
}
