//! The entries of `signing_keys.audiences`.

use breakglass_server::config::{Config, InvalidConfig, KeyRingSettings};
use breakglass_testing::service::config;
use tempfile::TempDir;

const ENTRY: &str = "[[signing_keys.audiences]]\naudience = \"staging\"\n";

fn text(directory: &TempDir, more: &str) -> String {
    config(directory) + more
}

#[test]
fn all_that_is_wrong_with_the_entries_is_said_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let at = keys.display();
    let long = "\u{e9}".repeat(100);
    let scope = format!(
        "[[scopes]]\nname = \"long\"\naudience = \"{long}\"\nrequesters = [\"oncall\"]\n\
         approvers = [\"commanders\"]\nmax_duration = \"1h\"\n"
    );
    let more = format!(
        "{scope}[signing_keys]\nrotate_every = \"90days\"\n\
         [[signing_keys.audiences]]\naudience = \"nowhere\"\n\
         {ENTRY}key_directory = \"{at}/b/../b\"\n\
         {ENTRY}\
         [[signing_keys.audiences]]\naudience = \"prod\"\nkey_directory = \"{at}/./b\"\nrotate_every = \"1h\"\n\
         [[signing_keys.audiences]]\naudience = \"{long}\"\n"
    );
    let errors = |more: &str| match Config::parse(&text(&directory, more)) {
        Err(InvalidConfig::Fields(errors)) => {
            errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    // What cannot be read is said before what does not fit.
    let unreadable = errors(&more);
    assert!(
        unreadable.len() == 1
            && unreadable[0].starts_with("signing_keys.audiences[3].rotate_every"),
        "{unreadable:?}"
    );
    let found = errors(&more.replace("rotate_every = \"1h\"\n", ""));
    let fields = [
        ("signing_keys.audiences[0].audience", "no entry of `scopes` has it"),
        ("signing_keys.audiences[2].audience", "signing_keys.audiences[1] is for `staging` too"),
        (
            "signing_keys.audiences[3].key_directory",
            "is the folder of signing_keys.audiences[1] too",
        ),
        ("signing_keys.audiences[4].key_directory", "at most 255"),
    ];
    assert_eq!(found.len(), fields.len(), "{found:#?}");
    for (error, (field, words)) in found.iter().zip(fields) {
        assert!(error.starts_with(field) && error.contains(words), "{error}");
    }
    let same = format!("{ENTRY}key_directory = \"{at}/x/..\"\n");
    assert!(errors(&same)[0].contains("is the folder of `key_directory` too"));
    let entry =
        "[signing_keys]\nrotate_every = \"90days\"\nwrapped_by = \"/w\"\n".to_owned() + ENTRY;
    let inherited = Config::parse(&text(&directory, &entry)).unwrap().key_rings().1.remove(0);
    let expected = KeyRingSettings {
        audience: Some("staging".to_owned()),
        key_directory: keys.join("audience-staging"),
        rotate_every: Some(90 * 24 * 60 * 60),
        wrapped_by: Some("/w".into()),
        signs: true,
    };
    assert_eq!(inherited, expected);
}
