//! Command lines side by side share one session.

use serde_json::Value;

use super::{Home, SignInService};
use crate::process::Ran;

/// How many refreshes the service has seen of the sessions that are live.
fn refresh_token(home: &Home) -> String {
    home.session().1["refresh_token"].as_str().unwrap().to_owned()
}

#[test]
fn many_command_lines_refresh_once_and_none_is_signed_out() {
    let service = SignInService::start();
    let home = service.signed_in("al-1", &[]);
    let before = refresh_token(&home);
    home.age_session();
    let counted = || {
        let text = service.server.get("alice", "/metrics");
        let Value::String(text) = text else { panic!("{text}") };
        let of_token = |line: &&str| line.contains("oauth2/token");
        let counts = text.lines().filter(of_token).filter(|line| !line.starts_with('#'));
        counts
            .filter(|line| line.contains("_total"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>()
    };
    let exchanges = counted();
    assert!(exchanges > 0.0, "the sign-in is counted");
    let command = || {
        let mut command = home.command(&["whoami"]);
        command.env("BREAKGLASS_URL", &service.server.url);
        command.spawn().unwrap()
    };
    let running: Vec<_> = (0..20).map(|_| command()).collect();
    for child in running {
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert!(ran.done().contains("corp:al-1"));
    }
    assert_eq!(counted() - exchanges, 1.0, "one of them refreshed");
    assert_ne!(refresh_token(&home), before);
    let listed = service.run(&home, &["sessions", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "live", "{listed}");
}

/// The service takes the token for over before this machine does: its clock is right.
#[test]
fn a_token_that_the_service_refuses_is_refreshed_once() {
    let service = SignInService::start();
    let home = service.signed_in("al-1", &[]);
    let (path, mut session) = home.session();
    session["access_token"] = "breakglass_at_AAAA".into();
    std::fs::write(path, session.to_string()).unwrap();
    service.run(&home, &["whoami"]).done();
    let (_, session) = home.session();
    assert_ne!(session["access_token"], "breakglass_at_AAAA");
}

/// A refresh token that is used a second time, long after, ends the session: a copy of the file is no second session.
#[test]
fn a_session_that_has_ended_says_how_to_sign_in_again() {
    let service = SignInService::start();
    let home = service.signed_in("al-1", &[]);
    let id = home.session().1["session"].as_str().unwrap().to_owned();
    service.run(&home, &["sessions", "end", &id]).done();
    home.age_session();
    let ran = service.run(&home, &["scopes", "--json"]);
    assert_eq!((ran.code, &ran.json()["reason"]), (10, &"sign_in_needed".into()), "{ran:?}");
    assert!(
        ran.stderr.contains("it was ended") && ran.stderr.contains("breakglass login"),
        "{ran:?}"
    );
    let mut elsewhere = home.command(&["scopes", "--url", &service.server.url]);
    let ran = Ran::from(elsewhere.output().unwrap());
    assert_eq!(ran.code, 3, "it is not tried again: {ran:?}");
}
