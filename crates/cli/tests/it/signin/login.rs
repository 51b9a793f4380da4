//! From signing in to signing out, and what is said where it comes to nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::json;

use super::{Home, SignInService, claims};
use crate::process::{Ran, until};
use crate::stand_in::{Reply, StandIn};

#[test]
fn a_person_signs_in_asks_and_signs_out() {
    let service = SignInService::start();
    let home = Home::new();
    let missing = service.run(&home, &["scopes"]);
    assert_eq!(missing.code, 3, "{missing:?}");
    assert!(missing.stderr.contains("breakglass login"), "{missing:?}");

    service.let_in("al-1", &["oncall"]);
    let ran = service.run(&home, &["login"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "corp:al-1\n"), "{ran:?}");
    let opened = fs::read_to_string(home.path("opened")).unwrap();
    assert!(ran.stderr.contains(opened.trim()), "the address is printed too: {ran:?}");
    assert!(ran.stderr.contains("at most 5m"), "{ran:?}");
    let page = fs::read_to_string(home.path("page")).unwrap();
    assert!(page.contains("Go back to your terminal") && !page.contains("<script"), "{page}");
    let (_, session) = home.session();
    for secret in ["access_token", "refresh_token"] {
        let secret = session[secret].as_str().unwrap();
        assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret), "{ran:?}");
    }

    let who = service.run(&home, &["whoami"]).done();
    for words in ["corp:al-1", "A. Person", "oncall", "where a scope names you", "ses_"] {
        assert!(who.contains(words), "{words}: {who}");
    }
    let json = service.run(&home, &["whoami", "--json"]).json();
    assert_eq!(json["groups"]["state"], "known", "{json}");
    let asked = ["request", "--scope", "orders:read", "--reason", "r"];
    assert!(service.run(&home, &asked).done().starts_with("req_"));

    // Its access token is over, and nothing is refreshed for it.
    home.age_session();
    let out = service.run(&home, &["logout"]);
    assert_eq!((out.code, out.stdout.as_str()), (0, "signed out\n"), "{out:?}");
    assert!(out.stderr.contains("/signin/corp/logout"), "{out:?}");
    until(|| fs::read_to_string(home.path("opened")).unwrap().contains("/signin/corp/logout"));
    assert_eq!(home.sessions().len(), 0);
    let token = session["access_token"].as_str().unwrap();
    let mut stolen = home.command(&["scopes"]);
    stolen.env("BREAKGLASS_URL", &service.server.url).env("BREAKGLASS_API_TOKEN", token);
    let refused = Ran::from(stolen.output().unwrap());
    assert!(refused.stderr.contains("(session_ended)"), "{refused:?}");
    // A second time there is nothing to do.
    assert_eq!(service.run(&home, &["logout"]).code, 0);
}

#[test]
fn sessions_are_listed_and_ended_and_a_new_one_ends_the_one_before() {
    let service = SignInService::start();
    let home = service.signed_in("al-1", &["admins"]);
    let (_, first) = home.session();
    service.run(&home, &["login"]).done();
    let listed = service.run(&home, &["sessions"]).done();
    let line = |id: &str| listed.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(line(first["session"].as_str().unwrap()).contains("ended"), "{listed}");
    let (_, second) = home.session();
    assert!(line(second["session"].as_str().unwrap()).ends_with("this one"), "{listed}");

    let other = service.signed_in("bo-2", &[]);
    let refused = service.run(&other, &["sessions", "--all"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let (_, session) = other.session();
    let id = session["session"].as_str().unwrap();
    service.let_in("al-1", &["admins"]);
    assert!(service.run(&home, &["sessions", "--all"]).done().contains(id));
    assert_eq!(service.run(&home, &["sessions", "end", id]).done(), "ended\n");
    let ended = service.run(&other, &["scopes"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (10, ""), "{ended:?}");
    assert!(ended.stderr.contains("`breakglass login`"), "{ended:?}");
    assert_eq!(other.sessions().len(), 0, "it is of no use any more");
}

#[test]
fn a_level_is_asked_for_by_hand() {
    let service = SignInService::start();
    let home = Home::new();
    service.let_in("al-1", &[]);
    service.run(&home, &["login", "--level", "mfa", "--max-age", "5m"]).done();
    let who = service.run(&home, &["whoami", "--json"]).json();
    assert_eq!(who["factor"]["level"], "mfa", "{who}");
    let mut weak = claims("al-1", &[]);
    weak["amr"] = json!(["pwd"]);
    service.provider.let_in(weak);
    let ran = service.run(&home, &["login", "--level", "mfa"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("second factor"), "{ran:?}");
    assert!(ran.stderr.contains("(unmet_authentication_requirements)"), "{ran:?}");
    let ran = service.run(&home, &["login", "--level", "none"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("has: mfa"), "{ran:?}");
    // What failed has ended no session.
    service.run(&home, &["whoami"]).done();
}

#[test]
fn each_refusal_says_what_happened_and_what_to_do() {
    let service = SignInService::start();
    let home = Home::new();
    for (error, code, reason, words) in [
        ("access_denied", 2, "access_denied", "declined"),
        ("authorization_declined", 2, "authorization_declined", "declined"),
        ("login_required", 2, "login_required", "has to ask you first"),
        ("unmet_authentication_requirements", 2, "unmet_authentication_requirements", "enrol"),
        ("temporarily_unavailable", 1, "temporarily_unavailable", "try again in a minute"),
        ("server_error", 1, "server_error", "try again in a minute"),
    ] {
        service.provider.refuse(error);
        let ran = service.run(&home, &["login"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{error}: {ran:?}");
        assert!(ran.stderr.contains(&format!("({reason})")), "{error}: {ran:?}");
        assert!(ran.stderr.contains(words), "{error}: {ran:?}");
        let json = service.run(&home, &["login", "--json"]).json();
        assert_eq!(json["reason"], reason, "{error}: {json}");
    }
    service.let_in("al-1", &[]);
    service.provider.fall_silent();
    let ran = service.run(&home, &["login"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("(temporarily_unavailable)"), "{ran:?}");
    assert_eq!(home.sessions().len(), 0);
}

/// No browser comes: the wait has its limit. Meanwhile any page and program can knock.
#[test]
fn a_wait_has_a_limit_and_no_stray_request_ends_it() {
    let service = SignInService::start();
    let home = Home::new();
    let ran = service.run(&home, &["login", "--no-browser", "--timeout", "1s"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("no answer came within 1s"), "{ran:?}");
    assert!(!home.path("opened").exists());

    // A browser that knocks at many doors before it comes by the right one.
    let script = "#!/bin/sh\nprintf '%s\\n' \"$1\" > \"$HOME/opened.new\"; mv \"$HOME/opened.new\" \"$HOME/opened\"\n";
    home.executable("browser", script);
    service.let_in("al-1", &[]);
    let mut command = home.command(&["login"]);
    command.env("BREAKGLASS_URL", &service.server.url).stderr(Stdio::piped());
    let login = command.spawn().unwrap();
    until(|| home.path("opened").exists());
    let page = fs::read_to_string(home.path("opened")).unwrap();
    let page = url::Url::parse(page.trim()).unwrap();
    let pairs: std::collections::BTreeMap<_, _> = page.query_pairs().into_owned().collect();
    let redirect = url::Url::parse(&pairs["redirect_uri"]).unwrap();
    let address = (redirect.host_str().unwrap().to_owned(), redirect.port().unwrap());
    assert_eq!((address.0.as_str(), redirect.path()), ("127.0.0.1", "/callback"));
    let state = &pairs["state"];
    let host = format!("{}:{}", address.0, address.1);
    let issuer = &service.server.url;
    // One says nothing, and stays.
    let _silent = TcpStream::connect(&address).unwrap();
    for (method, path, host) in [
        ("GET", "/favicon.ico".to_owned(), host.as_str()),
        ("GET", "/".to_owned(), &host),
        ("GET", "/callback".to_owned(), &host),
        ("GET", format!("/callback?code=c&state=x&iss={issuer}"), &host),
        ("GET", format!("/callback?code=c&state={state}&state={state}&iss={issuer}"), &host),
        ("GET", format!("/callback/?code=c&state={state}&iss={issuer}"), &host),
        ("HEAD", format!("/callback?code=c&state={state}&iss={issuer}"), &host),
        ("POST", format!("/callback?code=c&state={state}&iss={issuer}"), &host),
        ("GET", format!("/callback?code=c&state={state}&iss={issuer}"), "evil.test"),
    ] {
        let mut connection = TcpStream::connect(&address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 40"), "{method} {path} {host}: {answer}");
        assert!(!answer.contains(state.as_str()), "it repeats what was sent: {answer}");
    }
    let browser = ["--silent", "--location", "--cookie", "", page.as_str()];
    assert!(std::process::Command::new("curl").args(browser).output().unwrap().status.success());
    let ran = Ran::from(login.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "corp:al-1\n"), "{ran:?}");
}

/// The answer of another authorization server (RFC 9207), and one that is not the service that was named (RFC 8414).
#[test]
fn an_answer_of_another_service_counts_for_nothing() {
    let service = SignInService::start();
    let home = Home::new();
    // A browser that an attacker has come back by another server.
    let script = "#!/bin/sh\nstate=$(printf %s \"$1\" | sed 's/.*[?&]state=\\([^&]*\\).*/\\1/')\n\
         port=$(printf %s \"$1\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2Fcallback.*/\\1/')\n\
         curl --silent \"http://127.0.0.1:$port/callback?code=c&state=$state&iss=https://evil.test\"\n";
    home.executable("browser", script);
    let ran = service.run(&home, &["login"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("another service") && ran.stderr.contains("(other_issuer)"),
        "{ran:?}"
    );
    assert_eq!(service.provider.exchanges(), 0);

    let metadata =
        json!({ "issuer": service.server.url, "authorization_endpoint": "https://evil.test/x" });
    let liar = StandIn::start(move |_, _| Reply::Json(200, metadata.clone()));
    let ran = home.run(&liar.url, &["login"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("says that it is") && ran.stderr.contains("--url"), "{ran:?}");
    // A service without providers says so.
    let plain = crate::process::Server::start();
    let ran = home.run(&plain.url, &["login"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("(sign_in_not_configured)"), "{ran:?}");
}
