//! `breakglass database check` beside the heads that `trail_heads` told a file.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::process::Ran;
use crate::restore::{before, database, restore, verify};

fn check(directory: &Path) -> Ran {
    database(directory, &["check"])
}

fn told(directory: &Path, lines: &str) {
    fs::write(directory.join("heads.jsonl"), lines).unwrap();
}

fn counts(ran: &Ran) -> [u64; 3] {
    let said = ran.json();
    ["heads", "lost_heads", "unreadable_heads"].map(|name| said["checked"][name].as_u64().unwrap())
}

fn finding(ran: &Ran) -> String {
    let said = ran.json();
    let findings = said["findings"].as_array().unwrap();
    assert_eq!((ran.code, findings.len()), (2, 1), "{ran:?}");
    assert_eq!(findings[0]["part"], "heads", "{ran:?}");
    findings[0]["what"].as_str().unwrap().to_owned()
}

#[test]
fn a_trail_that_does_not_have_a_head_of_the_file_is_found_and_what_a_restore_lost_is_none() {
    let (directory, ..) = before();
    let directory = directory.path();
    let path = directory.join("config.toml");
    let heads = directory.join("heads.jsonl");
    let config = fs::read_to_string(&path).unwrap();
    let config = format!("{config}\n[trail_heads]\nfile = \"{}\"\n", heads.display());
    fs::write(&path, config).unwrap();
    assert!(finding(&check(directory)).contains("heads.jsonl cannot be read: No such file"));

    let head: Value = verify(directory, None).json()["head"].take();
    // Told at two starts; then a line that a full disk cut off.
    told(directory, &format!("{head}\n\n{head}\n{{\"seq\": 7, \"ha\n"));
    let ran = check(directory);
    assert_eq!((ran.code, counts(&ran)), (0, [1, 0, 1]), "{ran:?}");
    // Of an event that is another one, and of one that is not there.
    let seq = head["seq"].as_i64().unwrap();
    told(directory, &json!({ "seq": 2, "hash": "1".repeat(64) }).to_string());
    assert!(finding(&check(directory)).contains("at place 2, which is another one there"));

    // The owner puts an older copy in its place, which is whole by itself.
    told(directory, &format!("{head}\n"));
    let database = directory.join("approvals.db");
    fs::copy(&database, directory.join("kept")).unwrap();
    fs::copy(directory.join("backup/approvals.db"), &database).unwrap();
    let found = finding(&check(directory));
    assert!(
        found.contains(&format!("at place {seq}, and the last one that is there is")),
        "{found}"
    );
    assert!(found.contains("the end of the trail is missing"), "{found}");

    // A restore says on the trail what it lost.
    fs::copy(directory.join("kept"), &database).unwrap();
    let done = restore(directory, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let ran = check(directory);
    assert_eq!((ran.code, counts(&ran)), (0, [0, 1, 0]), "{ran:?}");
    // A head of before the backup would not be lost.
    told(directory, &json!({ "seq": 1, "hash": "1".repeat(64) }).to_string());
    assert!(finding(&check(directory)).contains("at place 1, "));
}

#[test]
fn a_file_that_cannot_be_read_again_is_not_waited_for() {
    let (directory, ..) = before();
    let directory = directory.path();
    let pipe = directory.join("heads.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = directory.join("config.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{config}\n[trail_heads]\nfile = \"{}\"\n", pipe.display())).unwrap();
    let ran = check(directory);
    assert_eq!((ran.code, counts(&ran)), (0, [0, 0, 0]), "{ran:?}");
}
