//! `breakglass config`: a configuration is judged before the service takes it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Ran, Server, breakglass};
use breakglass_testing::credentials::without;
use breakglass_testing::service::config;

fn run(arguments: &[&str]) -> Ran {
    Ran::from(breakglass().arg("config").args(arguments).output().unwrap())
}

fn write(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn validate_names_every_error_with_its_file_and_field() {
    let directory = tempfile::tempdir().unwrap();
    let good = config(&directory);
    let path = write(&directory, "config.toml", &good);
    let ran = run(&["validate", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("valid\nscopes[4] (`lonely`): "), "{ran:?}");
    let valid = run(&["validate", "--json", &path]).json();
    assert_eq!((&valid["valid"], valid["warnings"].as_array().unwrap().len()), (&json!(true), 1));

    let (fields, lists) = good.split_at(good.find("[[").unwrap());
    write(&directory, "d/a.toml", &fields.replace("\"10m\"", "\"never\""));
    write(&directory, "d/b.toml", &lists.replace("\"30m\"", "\"2days\""));
    let folder = directory.path().join("d").display().to_string();
    let ran = run(&["validate", "--json", &folder]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let place = |error: &Value| {
        let file = Path::new(error["file"].as_str().unwrap()).file_name().unwrap().to_owned();
        (file.into_string().unwrap(), error["field"].as_str().unwrap().to_owned())
    };
    let places: Vec<_> = ran.json()["errors"].as_array().unwrap().iter().map(place).collect();
    let expected = [("a.toml", "pending_lifetime"), ("b.toml", "scopes[1].max_duration")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(places, expected);
    let ran = run(&["validate", &folder]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (3, "", 2), "{ran:?}");
}

#[test]
fn diff_says_what_a_new_one_grants_and_takes_away() {
    let directory = tempfile::tempdir().unwrap();
    let good = config(&directory);
    let old = write(&directory, "old.toml", &good);
    let changed = without(&good, "carol")
        .replacen("approvers = [\"commanders\"]", "approvers = [\"dbas\"]", 1)
        .replace("127.0.0.1:0", "127.0.0.1:1");
    let new = write(&directory, "new.toml", &changed);
    let ran = run(&["diff", &old, &new]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.stdout,
        "+ dave may approve orders:read\n\
         - bob may no longer approve orders:read\n\
         - carol is removed: grants and pending requests end\n\
         \u{20} listen has changed, which needs a restart\n"
    );
    let found = run(&["diff", "--json", &old, &new]).json();
    assert_eq!(found["need_restart"], json!(["listen"]));
    assert_eq!(
        found["changes"][0],
        json!({ "effect": "grants", "subject": "dave", "words": "dave may approve orders:read" })
    );
    assert_eq!(found.get("ends"), None);
    assert_eq!(run(&["diff", &old, &old]).done(), "no difference\n");
    // Both are told of, where both are wrong.
    let wrong = ["a.toml", "b.toml"].map(|name| write(&directory, name, "["));
    let ran = run(&["diff", &wrong[0], &wrong[1]]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
    assert!(wrong.iter().all(|name| ran.stderr.contains(name.as_str())), "{ran:?}");
}

/// While the service runs on it.
#[test]
fn diff_counts_the_grants_that_end() {
    let server = Server::start();
    let good = config(&server.directory);
    for _ in 0..2 {
        let id = server.pending();
        server.run("carol", &["approve", &id, "--yes"]).done();
    }
    let old = server.path("config.toml").display().to_string();
    let database = server.path("approvals.db").display().to_string();
    let diff = |text: &str| {
        let new = write(&server.directory, "new.toml", text);
        run(&["diff", "--database", &database, &old, &new]).done()
    };
    let gone = without(&good, "alice");
    let removed =
        "- alice is removed: grants and pending requests end\n- alice: 2 live grants end\n";
    assert_eq!(diff(&gone), removed);
    let kept = format!("keep_grants_of_leavers = true\n{gone}");
    assert!(!diff(&kept).contains("live grant"), "{}", diff(&kept));
    assert_eq!(
        diff(&without(&good, "erin")),
        "- erin is removed: grants and pending requests end\n"
    );
    let missing = run(&["diff", "--database", "/nowhere.db", &old, &old]);
    assert!(missing.code == 1 && missing.stderr.contains("/nowhere.db"), "{missing:?}");
}
