//! Faults of the configuration, the keys, the databases, the disk and the clock.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_server::clock::Moment;
use breakglass_server::issuer::KeyDirectory;
use breakglass_server::random::Randomness;

use super::{doctor, doctor_by, found, found_alone, healthy, server};
use crate::clock_process::{set_clock, with_clock};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The key files whose names begin like this.
fn keys(folder: &Path, begin: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("keys")).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begin)).collect()
}

fn signing_key(folder: &Path) -> PathBuf {
    keys(folder, "1").remove(0)
}

/// A fault, what is found, and what fixes it.
type Case = (fn(&Path), &'static str, &'static str);

/// Each of them alone, in a folder of its own that a service has left.
const FAULTS: &[Case] = &[
    (
        |folder| set_mode(&folder.join("approvals.db"), 0o644),
        "approvals.db has the mode 644",
        "chmod 600 ",
    ),
    (
        |folder| {
            let path = folder.join("config.toml");
            // The channel of all who approve, so that this is all there is to say.
            let sink = "[[sinks]]\nname = \"oncall\"\ntype = \"slack\"\nurl_file = \"/nonexistent\"\n\
                        approver_groups = [\"commanders\", \"dbas\"]\n";
            fs::write(&path, fs::read_to_string(&path).unwrap() + sink).unwrap();
        },
        "sinks (oncall): /nonexistent: ",
        "put what is expected into this file",
    ),
    (
        |folder| set_mode(&folder.join("approvals-evidence.db"), 0o640),
        "approvals-evidence.db has the mode 640",
        "chmod 600 ",
    ),
    (
        |folder| fs::remove_file(folder.join("approvals.db")).unwrap(),
        "approvals.db is not there",
        "breakglass database restore --config PATH --from DIR",
    ),
    (
        |folder| fs::remove_file(folder.join("approvals-evidence.db")).unwrap(),
        "approvals-evidence.db is not there",
        "start the service",
    ),
    (
        |folder| {
            fs::write(folder.join("approvals-evidence.db"), "SQLite, or what was it").unwrap();
        },
        "approvals-evidence.db is no SQLite database",
        "breakglass database restore --config PATH --from DIR",
    ),
    (
        // All but the page with the schema.
        |folder| {
            let file = fs::File::options().write(true).open(folder.join("approvals.db")).unwrap();
            let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
            file.write_all_at(&vec![0xa5; length - 4096], 4096).unwrap();
            // The journal of a service that ended on a busy machine can have the same pages.
            let _ = fs::remove_file(folder.join("approvals.db-wal"));
        },
        "malformed",
        "PRAGMA integrity_check",
    ),
    (
        |folder| set_mode(&signing_key(folder), 0o644),
        "others than its owner may read it",
        "chmod 600 ",
    ),
    (|folder| set_mode(&folder.join("keys"), 0o777), "any user can write to it", "chmod o-w "),
    (
        |folder| set_mode(&folder.join("keys"), 0o770),
        "members of the service's own group can take signing keys away",
        "chmod g-w",
    ),
    (
        // It signs since long ago, and has a successor that was made now.
        |folder| {
            let key = signing_key(folder);
            let name = key.file_name().unwrap().to_str().unwrap();
            let renamed = format!("1700000000-{}", name.split_once('-').unwrap().1);
            fs::rename(&key, key.with_file_name(renamed)).unwrap();
            let keys = KeyDirectory::new(&folder.join("keys"));
            keys.add(Moment::from_seconds(1_700_000_100), &Randomness::from_seed(1)).unwrap();
        },
        "no grant that this key signed holds any more",
        "breakglass keys retire ",
    ),
    (
        |folder| {
            let keys = KeyDirectory::new(&folder.join("keys"));
            let made = Moment::from_seconds(1_700_000_000);
            keys.add_from(made, 1_700_000_100, &Randomness::from_seed(1)).unwrap();
        },
        "it should sign since 2023-11-14T22:15:00Z, and waits for proxies",
        "breakglass keys rotate --force --key-dir ",
    ),
    (
        |folder| keys(folder, "trail-").iter().for_each(|path| fs::remove_file(path).unwrap()),
        "there is no key of the trail that can be used",
        "put `trail-*.pem` back",
    ),
];

#[test]
fn each_fault_of_a_file_is_found_alone_with_what_fixes_it() {
    let ended = server().leave("TERM");
    for (provoke, what, fix) in FAULTS {
        let copy = breakglass_testing::copies::copy(ended.path());
        fs::write(copy.path().join("config.toml"), healthy(&copy)).unwrap();
        assert_eq!(doctor(copy.path()).code, 0, "{:?}", doctor(copy.path()));
        provoke(copy.path());
        found_alone(&doctor(copy.path()), what, fix);
    }
}

#[test]
fn keys_that_cannot_be_used_are_found_and_so_is_that_there_are_none() {
    let folder = server().leave("TERM");
    let key = signing_key(folder.path());
    fs::write(&key, "no key").unwrap();
    found_alone(
        &doctor(folder.path()),
        "expected an ES256 private key",
        "from where the keys are kept",
    );
    fs::remove_file(&key).unwrap();
    found_alone(&doctor(folder.path()), "there is no signing key", "breakglass keygen signing");
    for trail in keys(folder.path(), "trail-") {
        fs::write(trail, "no key").unwrap();
    }
    found(
        &doctor(folder.path()),
        "expected an Ed25519 private key",
        "from where the keys are kept",
    );
}

#[test]
fn errors_and_warnings_of_the_configuration_are_found() {
    let folder = server().leave("TERM");
    let write = |text: &str| fs::write(folder.path().join("config.toml"), text).unwrap();
    let good = healthy(&folder);
    write(&good.replace("\"10m\"", "\"never\""));
    let ran = doctor(folder.path());
    found_alone(&ran, "pending_lifetime: expected a duration", "breakglass config validate");
    assert_eq!(ran.json()["not_checked"].as_array().unwrap().len(), 1, "{ran:?}");
    write(&breakglass_testing::service::config(&folder));
    found_alone(&doctor(folder.path()), "(`lonely`): ", "breakglass config validate");
    let reachable = good.replace("127.0.0.1:0", "0.0.0.0:8300");
    write(&reachable);
    found_alone(&doctor(folder.path()), "0.0.0.0:8300 is plain HTTP", "config validate");
    write(&format!("insecure_http = true\n{reachable}"));
    found_alone(&doctor(folder.path()), "insecure_http: 0.0.0.0:8300 is plain HTTP", "`[tls]`");
}

#[test]
fn a_clock_that_went_back_is_found() {
    let server = server();
    server.pending();
    let folder = server.leave("TERM");
    let ran = |how: &str| {
        set_clock(&folder, how);
        doctor_by(with_clock(&folder), folder.path(), &[])
    };
    assert_eq!(ran("+0").code, 0);
    let back = ran("-2h");
    found(&back, "the last event of the database is of", "--accept-clock");
    found(&back, "the signing key ", "timedatectl set-ntp true");
    // Nothing is known to be later.
    assert_eq!(ran("+2h").code, 0);
}

#[test]
fn keys_that_are_older_than_their_schedule_are_found() {
    let folder = server().leave("TERM");
    let text = format!("{}\n[signing_keys]\nrotate_every = \"90days\"\n", healthy(&folder));
    fs::write(folder.path().join("config.toml"), text).unwrap();
    assert_eq!(doctor(folder.path()).code, 0, "{:?}", doctor(folder.path()));
    let key = signing_key(folder.path());
    let name = key.file_name().unwrap().to_str().unwrap();
    let renamed = format!("1700000000-{}", name.split_once('-').unwrap().1);
    fs::rename(&key, key.with_file_name(renamed)).unwrap();
    found_alone(
        &doctor(folder.path()),
        "signs since 2023-11-14T22:13:20Z, which is longer than 90 days",
        "breakglass keys rotate --key-dir ",
    );
}

/// And fixed with the command that it names.
#[test]
fn keys_that_are_not_wrapped_are_found() {
    let folder = server().leave("TERM");
    let wrapping = folder.path().join("wrapping");
    let text =
        format!("{}\n[signing_keys]\nwrapped_by = \"{}\"\n", healthy(&folder), wrapping.display());
    fs::write(folder.path().join("config.toml"), text).unwrap();
    found(&doctor(folder.path()), "wrapping: No such file", "ls -ld ");
    fs::write(&wrapping, "short").unwrap();
    set_mode(&wrapping, 0o600);
    found(&doctor(folder.path()), "one line of 16 to 4096 bytes", "openssl rand -hex 32");
    fs::write(&wrapping, "0123456789abcdef0123456789abcdef").unwrap();
    let ran = doctor(folder.path());
    found_alone(&ran, "this signing key is not wrapped", "openssl pkcs8 -topk8");
    let fix = &super::findings(&ran)[0].1;
    assert!(Command::new("sh").args(["-ec", fix]).status().unwrap().success(), "{fix}");
    assert_eq!(doctor(folder.path()).code, 0, "{:?}", doctor(folder.path()));
    // A key that the command line makes is wrapped too, by the configuration or by the file.
    for arguments in [
        &["keys", "rotate", "--force", "--config", "config.toml"][..],
        &["keygen", "signing", "--key-dir", "keys", "--wrapped-by", "wrapping"],
    ] {
        let mut command = crate::process::breakglass();
        command.args(arguments).current_dir(folder.path());
        crate::process::Ran::from(command.output().unwrap()).done();
        assert_eq!(doctor(folder.path()).code, 0, "{:?}", doctor(folder.path()));
    }
    fs::write(&wrapping, "fedcba9876543210").unwrap();
    found(
        &doctor(folder.path()),
        "put back the one that wrapped it",
        "put the key that wrapped it back",
    );
    fs::write(folder.path().join("config.toml"), healthy(&folder)).unwrap();
    found(&doctor(folder.path()), "this key is wrapped", "add `wrapped_by`");
}

/// Where the tests are root: otherwise nothing can be mounted.
#[test]
fn a_full_disk_is_found() {
    let folder = server().leave("TERM");
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = |options: &str| {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&small);
        command.status().is_ok_and(|status| status.success())
    };
    if !mount("size=96m,nr_inodes=100") {
        return;
    }
    for name in ["approvals.db", "approvals-evidence.db"] {
        fs::copy(folder.path().join(name), small.join(name)).unwrap();
    }
    let text = healthy(&folder).replace("/approvals.db", "/small/approvals.db");
    fs::write(folder.path().join("config.toml"), text).unwrap();
    let ran = doctor(folder.path());
    assert!(Command::new("umount").arg("-l").arg(&small).status().unwrap().success());
    found(&ran, "expected at least 512 MiB free, got ", "df -h ");
    found(&ran, "expected at least 1000 free inodes, got ", "df -i ");
    assert_eq!(super::findings(&ran).len(), 2, "{ran:?}");
}
