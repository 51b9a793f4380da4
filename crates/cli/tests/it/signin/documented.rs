//! docs/signing-in.md is true: what it has people type is run, its file is read, and its words are those that are said.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Home, SignInService};
use crate::process::Ran;

fn document() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/signing-in.md")).unwrap()
}

/// The block with this mark.
fn block(document: &str, mark: &str) -> String {
    let rest = document.split(&format!("```{mark}\n")).nth(1).unwrap();
    rest.split("```").next().unwrap().to_owned()
}

#[test]
fn what_people_type_runs() {
    let service = SignInService::start();
    let home = Home::new();
    service.let_in("al-1", &["oncall"]);
    symlink(env!("CARGO_BIN_EXE_breakglass"), home.path("breakglass")).unwrap();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-ec", &block(&document(), "sh signed in")]).env_clear();
    shell.env("PATH", format!("{}:/usr/bin:/bin", home.path("").display()));
    shell.env("HOME", home.path("")).env("BROWSER", home.path("browser"));
    let ran = Ran::from(shell.env("BREAKGLASS_URL", &service.server.url).output().unwrap());
    let printed = ran.done();
    for words in ["corp:al-1\n", "req_", "signed out\n"] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
}

#[test]
fn its_profiles_are_read() {
    let home = Home::new();
    let folder = home.path(".config/breakglass");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), block(&document(), "toml profile")).unwrap();
    let run = |arguments: &[&str]| Ran::from(home.command(arguments).output().unwrap());
    let ran = run(&["whoami"]);
    assert!(ran.stderr.contains("not signed in at https://approvals.internal:"), "{ran:?}");
    let ran = run(&["whoami", "--profile", "lab"]);
    assert!(ran.stderr.contains("/etc/lab/ca.pem"), "{ran:?}");
}

/// Each word that the source has is in the table, and with its exit code.
#[test]
fn each_word_of_a_refusal_is_in_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/signin/words.rs");
    let source = fs::read_to_string(path).unwrap();
    let document = document();
    let table = document.split("| word |").nth(1).unwrap().split("\n\n").next().unwrap();
    let words = source.split('"').skip(1).step_by(2);
    let is_word = |word: &&str| {
        word.contains('_') && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let of_rfc_6749 = ["invalid_", "unauthorized_client", "unsupported_"];
    let mut found = 0;
    for word in words.filter(is_word) {
        found += 1;
        let is_other = of_rfc_6749.iter().any(|start| word.starts_with(start));
        assert!(is_other || table.contains(&format!("`{word}`")), "{word}: {table}");
    }
    assert!(found > 15, "{found}");
}
