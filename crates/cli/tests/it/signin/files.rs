//! The file of a session: who may read it, and what becomes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Home, SignInService};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_session_is_for_its_owner_alone() {
    let service = SignInService::start();
    let home = service.signed_in("al-1", &[]);
    let (path, _) = home.session();
    let folder = path.parent().unwrap().to_owned();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
    assert_eq!(mode(&folder), 0o700);
    home.age_session();
    service.run(&home, &["whoami"]).done();
    assert_eq!(mode(&path), 0o600, "after a refresh too");

    // Others could have read it: it is not used, and `logout` ends it.
    for wrong in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wrong)).unwrap();
        let ran = service.run(&home, &["whoami"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{wrong:o}: {ran:?}");
        assert!(ran.stderr.contains("others can") && ran.stderr.contains("logout"), "{ran:?}");
    }
    service.run(&home, &["logout", "--no-browser"]).done();
    assert_eq!(home.sessions().len(), 0);
    assert!(
        !home.path("opened").exists() || {
            !fs::read_to_string(home.path("opened")).unwrap().contains("/logout")
        }
    );

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = service.run(&home, &["login"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("chmod go="), "{ran:?}");
    // The session that cannot be kept is ended.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    service.run(&home, &["login"]).done();
    let listed = service.run(&home, &["sessions"]).done();
    assert_eq!(listed.matches("  live ").count(), 1, "{listed}");
}

#[test]
fn a_service_that_is_gone_keeps_the_session_until_it_is_removed_here() {
    let mut service = SignInService::start();
    let home = service.signed_in("al-1", &[]);
    service.server.stop("TERM");
    let ran = service.run(&home, &["logout"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("logout --local"), "{ran:?}");
    assert_eq!(home.sessions().len(), 1);
    home.age_session();
    let ran = service.run(&home, &["whoami"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(home.sessions().len(), 1, "no answer ends no session");
    service.run(&home, &["logout", "--local"]).done();
    assert_eq!(home.sessions().len(), 0);
}

#[test]
fn a_file_of_another_program_is_no_session() {
    let service = SignInService::start();
    let home = service.signed_in("al-1", &[]);
    let (path, _) = home.session();
    fs::write(&path, "{}").unwrap();
    let ran = service.run(&home, &["whoami"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("remove the file"), "{ran:?}");
    // Signing in anew puts it right.
    service.run(&home, &["login"]).done();
    service.run(&home, &["whoami"]).done();
    // Without a home nothing is kept.
    let mut command = Home::new().command(&["login"]);
    command.env_remove("HOME").env("BREAKGLASS_URL", &service.server.url);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("XDG_STATE_HOME"));
}
