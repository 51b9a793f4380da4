//! A configuration in a folder of files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use breakglass_server::reload::ConfigFile;
use tempfile::TempDir;

use breakglass_testing::service::config;

/// The configuration of all tests in three files: the fields, the people and proxies, the scopes.
fn parts(directory: &TempDir) -> [(&'static str, String); 3] {
    let text = config(directory);
    let (fields, rest) = text.split_at(text.find("[[people]]").unwrap());
    let (people, scopes) = rest.split_at(rest.find("[[scopes]]").unwrap());
    [
        ("10-service.toml", fields.to_owned()),
        ("20-people.toml", people.to_owned()),
        ("30-scopes.toml", scopes.to_owned()),
    ]
}

fn write(folder: &Path, parts: &[(&str, String)]) {
    fs::create_dir_all(folder).unwrap();
    for (name, text) in parts {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn read(path: &Path) -> Result<ConfigFile, Vec<String>> {
    let at = format!("{}/", path.display());
    ConfigFile::read(path, &[])
        .result
        .map_err(|wrong| wrong.0.iter().map(|error| error.to_string().replace(&at, "")).collect())
}

fn errors(path: &Path) -> Vec<String> {
    read(path).unwrap_err()
}

#[test]
fn the_files_of_a_folder_are_one_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("config");
    write(&folder, &parts(&directory));
    let more = "[[scopes]]\nname = \"later\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
                approvers = [\"dbas\"]\nmax_duration = \"1h\"\n";
    write(&folder, &[("40-more.toml", more.to_owned())]);
    // None of these is a file of it.
    write(&folder, &[(".hidden.toml", "[".into()), ("notes.txt", "[".into())]);
    fs::create_dir(folder.join("old.toml")).unwrap();
    let file = read(&folder).unwrap();
    assert_eq!(file.config.people.len(), 7);
    assert_eq!(file.config.scopes.len(), 6);
    assert_eq!(file.config.scopes.last().unwrap().name, "later");
    assert!(
        file.warnings()
            .iter()
            .any(|text| text.starts_with("scopes[4] in 30-scopes.toml (`lonely`)")),
        "{:?}",
        file.warnings()
    );
}

/// Which is what an operator can make of it.
#[test]
fn the_digest_of_a_folder_is_that_of_sha256sum() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("config");
    write(&folder, &parts(&directory));
    let printed = std::process::Command::new("sh")
        .args(["-c", "LC_ALL=C sha256sum *.toml | sha256sum"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let digest = read(&folder).unwrap().digest;
    assert_eq!(printed.split(' ').next().unwrap(), digest);
    // Names count as well.
    fs::rename(folder.join("30-scopes.toml"), folder.join("31-scopes.toml")).unwrap();
    assert_ne!(read(&folder).unwrap().digest, digest);
}

#[test]
fn every_error_has_its_file_and_field() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("config");
    let mut files = parts(&directory).to_vec();
    files[0].1 = files[0].1.replace("issuer =", "colour =");
    files[2].1 = files[2].1.replacen("max_duration = \"30m\"", "max_duration = \"never\"", 1);
    let digest = breakglass_testing::credentials::hex("erin");
    let twice = format!(
        "auditors = [\"others\"]\nactivate_within = \"soon\"\n\
         [[people]]\nname = \"zoe\"\ntoken_sha256 = \"{}\"\n\
         [[people]]\nname = \"erin\"\ntoken_sha256 = \"{digest}\"\n",
        breakglass_testing::credentials::hex("zoe")
    );
    files.push(("40-more.toml", twice.clone()));
    write(&folder, &files);
    let found = errors(&folder);
    for expected in [
        "40-more.toml: auditors: stands in 10-service.toml too: keep it in one of the files",
        "10-service.toml: colour: unknown field",
        "40-more.toml: activate_within: ",
        "30-scopes.toml: scopes[1].max_duration: ",
    ] {
        assert!(found.iter().any(|error| error.starts_with(expected)), "{expected}: {found:#?}");
    }
    let of_none = format!("{}: issuer: ", folder.display());
    assert!(found.iter().any(|error| error.starts_with(&of_none)), "{found:#?}");

    // What is wrong between entries of two files names both.
    let mut files = parts(&directory).to_vec();
    files.push(("40-more.toml", twice.split_once("soon\"\n").unwrap().1.to_owned()));
    write(&folder, &files);
    let found = errors(&folder);
    assert!(
        found.contains(
            &"40-more.toml: people[1].name: `erin` is also the name of people[4] in 20-people.toml"
                .to_owned()
        ),
        "{found:#?}"
    );
}

#[test]
fn a_list_of_tables_and_another_thing_under_one_name_are_not_merged() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("config");
    write(&folder, &parts(&directory));
    for other in ["people = []", "people = [\"x\"]", "people = \"x\""] {
        write(&folder, &[("40-more.toml", other.to_owned())]);
        assert_eq!(
            errors(&folder),
            ["40-more.toml: people: stands in 20-people.toml too: keep it in one of the files"],
            "{other}"
        );
    }
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("config");
    fs::create_dir(&folder).unwrap();
    let empty = format!("{}: expected at least one file `*.toml` in this folder", folder.display());
    assert_eq!(errors(&folder), [empty]);
    fs::write(folder.join("a.toml"), [0xff]).unwrap();
    symlink("/nowhere", folder.join("b.toml")).unwrap();
    let named =
        |found: Vec<String>| found[0].starts_with("a.toml: ") && found[1].starts_with("b.toml: ");
    assert!(named(errors(&folder)), "{:?}", errors(&folder));
    fs::remove_file(folder.join("b.toml")).unwrap();
    write(&folder, &[("a.toml", "[".into()), ("b.toml", "x".into())]);
    assert!(named(errors(&folder)), "{:?}", errors(&folder));
}

/// Such as a pod's, which `serve --config /etc/breakglass` reads, for a command that looks for the usual file in it.
#[test]
fn a_file_that_is_not_there_beside_files_of_a_folder_is_answered_with_what_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for nowhere in [&path, &folder.path().join("none/config.toml")] {
        let [error] = &errors(nowhere)[..] else { panic!() };
        assert!(!error.contains("--config"), "{error}");
    }
    write(folder.path(), &parts(&folder));
    let [error] = &errors(&path)[..] else { panic!() };
    let shown = folder.path().display();
    assert!(error.contains("No such file"), "{error}");
    assert!(error.ends_with(&format!("give `--config {shown}`")), "{error}");
    assert!(ConfigFile::read(folder.path(), &[]).result.is_ok());
}

/// How Kubernetes mounts a ConfigMap: the files lead through a link that is replaced as a whole.
#[test]
fn a_folder_of_links_is_read_through_them() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("config");
    fs::create_dir(&folder).unwrap();
    let parts = parts(&directory);
    write(&folder.join("..2026_11_27"), &parts);
    symlink("..2026_11_27", folder.join("..data")).unwrap();
    for (name, _) in &parts {
        symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
    }
    let attempt = ConfigFile::read(&folder, &[]);
    assert_eq!(attempt.result.unwrap().config.people.len(), 7);
    assert_eq!(attempt.look.again(), attempt.look);
    write(&folder.join("..2026_11_28"), &parts);
    symlink("..2026_11_28", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    assert_ne!(attempt.look.again(), attempt.look);
}
