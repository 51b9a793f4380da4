//! `config.toml`: which service, where no flag and no variable says it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Home, SignInService};
use crate::process::{Ran, Server};
use breakglass_testing::service::token_of;

fn write(home: &Home, text: &str) -> std::path::PathBuf {
    let path = home.path(".config/breakglass/config.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

fn run(home: &Home, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = home.command(arguments);
    command.envs(environment.iter().copied());
    Ran::from(command.output().unwrap())
}

#[test]
fn a_flag_comes_before_the_environment_and_both_before_the_profile() {
    let (prod, lab) = (Server::start(), Server::start());
    let home = Home::new();
    fs::write(home.path("token"), token_of("alice")).unwrap();
    let token = home.path("token").display().to_string();
    let text = format!(
        "profile = \"prod\"\n\n[profiles.prod]\nurl = \"{}\"\napi_token_file = \"{token}\"\n\n\
         [profiles.lab]\nurl = \"{}\"\napi_token_file = \"{token}\"\nca_file = \"/nowhere\"\n\n\
         [profiles.gone]\nurl = \"http://127.0.0.1:1\"\napi_token_file = \"{token}\"\n",
        prod.url, lab.url
    );
    write(&home, &text);
    let asked = ["request", "--scope", "orders:read", "--reason", "r"];
    let id = run(&home, &[], &asked).done();
    assert!(prod.run("alice", &["status", id.trim()]).done().contains("pending"));
    assert_eq!(lab.run("alice", &["status", id.trim()]).code, 3);

    let lab_url = lab.url.as_str();
    for (environment, arguments, code, words) in [
        (vec![("BREAKGLASS_PROFILE", "gone")], vec!["status"], 1, "http://127.0.0.1:1"),
        (vec![("BREAKGLASS_PROFILE", "gone")], vec!["status", "--profile", "prod"], 0, "req_"),
        // What a profile says beside its URL is used where the profile was named, and not where another service was.
        (vec![], vec!["status", "--profile", "lab"], 3, "/nowhere"),
        (vec![("BREAKGLASS_URL", lab_url)], vec!["status"], 3, "not signed in"),
        (
            vec![("BREAKGLASS_URL", "http://127.0.0.1:1")],
            vec!["status", "--profile", "prod"],
            1,
            ":1",
        ),
        (vec![], vec!["status", "--profile", "none"], 3, "the profiles are: gone, lab, prod"),
        (vec![("BREAKGLASS_API_TOKEN", "x")], vec!["status"], 2, "(credential_unknown)"),
        (
            vec![("BREAKGLASS_API_TOKEN", "x")],
            vec!["status", "--api-token-file", token.as_str()],
            0,
            "req_",
        ),
    ] {
        let ran = run(&home, &environment, &arguments);
        assert_eq!(ran.code, code, "{environment:?} {arguments:?}: {ran:?}");
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains(words), "{environment:?} {arguments:?}: {ran:?}");
    }
}

#[test]
fn a_profile_is_enough_to_sign_in() {
    let service = SignInService::start();
    let home = Home::new();
    let url = &service.server.url;
    write(&home, &format!("profile = 'p'\n[profiles.p]\nurl = '{url}'\nprovider = 'corp'\n"));
    service.let_in("al-1", &[]);
    run(&home, &[], &["login"]).done();
    assert!(fs::read_to_string(home.path("opened")).unwrap().contains("provider=corp"));
    assert!(run(&home, &[], &["whoami"]).done().contains("corp:al-1"));
    // What is in the same file for another service is another session.
    let ran = run(&home, &[], &["whoami", "--url", "http://127.0.0.1:1"]);
    assert_eq!(ran.code, 3, "{ran:?}");
}

#[test]
fn a_file_that_is_wrong_or_that_others_can_change_is_refused() {
    let home = Home::new();
    let path = write(&home, "profile = 'p'\n[profiles.p]\nuri = 'https://a.test'\ncolour = 3\n");
    let ran = run(&home, &[], &["status"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    for words in ["config.toml", "profiles.p.uri", "profiles.p.colour", "url, provider"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    write(&home, "profile = 'p'\n[profiles.p]\nurl = 'a.test'\n");
    let ran = run(&home, &[], &["status"]);
    assert!(ran.stderr.contains("profiles.p.url") && ran.stderr.contains("no scheme"), "{ran:?}");
    for mode in [0o664, 0o646] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let ran = run(&home, &[], &["status"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stderr.contains("others can change it"), "{ran:?}");
    }
    // What asks no service reads no profile.
    run(&home, &[], &["keygen", "api-token"]).done();
    // With a URL the file is not needed.
    let ran =
        run(&home, &[("BREAKGLASS_API_TOKEN", "x")], &["status", "--url", "http://127.0.0.1:1"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}
