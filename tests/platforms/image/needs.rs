//! What the service takes of a system, as docs/install/kubernetes.md says it: its volume and its configuration.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::engine::engine;
use crate::pod::{ALICE, BOB, Pod, template};
use crate::story::{grant, holds};

/// A backup, the story, and the kill switch, whose statement changes every grant there is.
fn everything(pod: &Pod) {
    let tokens = [grant(pod).1, grant(pod).1];
    assert!(tokens.iter().all(|token| holds(pod, token)));
    pod.exec_as(BOB, &["revoke", "--all", "--reason", "keys leaked"]).done();
    assert!(tokens.iter().all(|token| !holds(pod, token)));
    let to = "/var/lib/breakglass/copy";
    pod.exec(&["breakglass", "database", "backup", "--to", to]).done();
    assert_eq!(pod.probe("readinessProbe").unwrap().status, 200);
}

/// Takes `/tmp` from the pod.
fn without_tmp() -> Value {
    let mut template = template();
    let mounts = template["containers"][0]["volumeMounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["mountPath"] != "/tmp");
    template
}

#[test]
fn nothing_is_written_beside_the_volume() {
    let mut writable = without_tmp();
    writable["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = json!(false);
    let pod = Pod::start_with(writable);
    everything(&pod);
    let changed = engine().docker(&["diff", pod.container()]).done();
    // The engine makes what it mounts on.
    let mounted = ["C /etc", "A /etc/breakglass", "A /etc/breakglass-tls"];
    let changed: Vec<&str> = changed.lines().filter(|line| !mounted.contains(line)).collect();
    assert_eq!(changed, [] as [&str; 0]);
}

#[test]
fn it_needs_no_tmp() {
    let pod = Pod::start_with(without_tmp());
    everything(&pod);
}

/// Where a platform chooses the user, as OpenShift does, that user has neither a name nor a home directory.
#[test]
fn it_runs_as_any_user() {
    let mut template = template();
    for member in ["runAsUser", "fsGroup"] {
        template["securityContext"][member] = json!(1_000_680_000);
    }
    template["securityContext"]["runAsGroup"] = json!(0);
    let pod = Pod::start_with(template);
    everything(&pod);
}

/// Gives what is in a folder to its group, as a kubelet does: files get 0660 more.
fn open_to_the_group(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        if path.is_dir() {
            fs::set_permissions(&path, Permissions::from_mode(mode | 0o2770)).unwrap();
            open_to_the_group(&path);
        } else {
            fs::set_permissions(&path, Permissions::from_mode(mode | 0o660)).unwrap();
        }
    }
}

/// The modes of the signing keys.
fn keys(pod: &Pod) -> Vec<(PathBuf, u32)> {
    let files = fs::read_dir(pod.volume().join("keys")).unwrap();
    let files = files.map(|file| file.unwrap().path()).filter(|file| file.is_file());
    files.map(|file| (file.clone(), fs::metadata(&file).unwrap().mode() & 0o7777)).collect()
}

/// Why the shipped pod says `OnRootMismatch`, and what mends a volume that a kubelet has opened.
#[test]
fn keys_that_the_group_can_read_are_refused() {
    let pod = Pod::start();
    let private = keys(&pod);
    assert!(!private.is_empty() && private.iter().all(|(_, mode)| *mode == 0o600), "{private:?}");
    assert_eq!(pod.stop(), 0);
    open_to_the_group(&pod.volume());
    assert_ne!(pod.start_in_vain(), 0);
    let said = pod.log();
    assert!(said.contains("chmod 600") || said.contains("0600"), "{said}");
    for (file, _) in private {
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }
    pod.start_again();
    everything(&pod);
}

/// Times are UTC, whatever the variable says: no time zone data is in the image.
#[test]
fn it_needs_no_time_zones() {
    let pod = Pod::start();
    grant(&pod);
    let status = |zone: &str| {
        let zone = format!("TZ={zone}");
        pod.exec_with(ALICE, &["--env", &zone], &["--json", "status"]).json()
    };
    let utc = status("UTC");
    assert!(utc.to_string().contains(r#"Z""#), "{utc}");
    assert_eq!(utc, status("Asia/Tokyo"));
}

/// The public CAs are in the program, and a company's own is a file that is mounted.
#[test]
fn it_needs_no_ca_certificates() {
    let pod = Pod::start();
    let ask = |own: bool| {
        let host = format!("approvals.internal:{}", pod.port("api").ip());
        let credential = format!("BREAKGLASS_API_TOKEN={}", pod.token(ALICE));
        let mut options = pod.options("approvals.internal");
        if !own {
            options.retain(|word| !word.contains("BREAKGLASS_CA_FILE"));
        }
        options.extend(["--add-host", &host, "--env", &credential].map(str::to_owned));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        engine().program(&options, &["scopes"])
    };
    let scopes = ask(true).done();
    assert!(scopes.contains("orders:read"), "{scopes}");
    // With the program's own CAs the certificate is judged, and is not one of theirs.
    let refused = ask(false);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("UnknownIssuer"), "{}", refused.stderr);
}
