//! The service asks for a stronger sign-in (RFC 9470): the command line signs in anew, and goes on where it was.

use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::Home;
use crate::process::Ran;
use crate::stand_in::{Call, Reply, StandIn, good};

/// A service that lets the person `corp:al-1` sign in at once, and that asks for a level as long as the session is not of
/// one. `back` is the account of the second sign-in.
pub(super) fn service(max_age: Value, back: &'static str) -> StandIn {
    let sign_ins = Mutex::new(0);
    StandIn::start(move |_, call| {
        let url = format!("http://{}", call.header("host").unwrap());
        if call.is("GET", "/.well-known/oauth-authorization-server") {
            let at = |path: &str| format!("{url}{path}");
            return Reply::Json(
                200,
                json!({ "issuer": url, "authorization_endpoint": at("/oauth2/authorize"),
                    "device_authorization_endpoint": at("/oauth2/device_authorization") }),
            );
        }
        if call.is("GET", "/oauth2/authorize") {
            let query = call.path.split_once('?').unwrap().1;
            let pairs: Vec<(String, String)> =
                url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let get = |name: &str| pairs.iter().find(|(one, _)| one == name).unwrap().1.clone();
            let (to, state) = (get("redirect_uri"), get("state"));
            let location = format!("location: {to}?code=c&state={state}&iss={url}\r\n");
            return Reply::Text(302, location.leak(), String::new());
        }
        if call.is("POST", "/oauth2/token") {
            let mut sign_ins = sign_ins.lock().unwrap();
            *sign_ins += 1;
            return tokens(*sign_ins, if *sign_ins == 1 { "corp:al-1" } else { back });
        }
        if call.is("POST", "/oauth2/revoke") {
            return Reply::Text(200, "", String::new());
        }
        if call.header("authorization") == Some("Bearer breakglass_at_1")
            && call.is("POST", "/v1/requests")
        {
            let mut problem = json!({ "type": "urn:x", "title": "t", "status": 401,
                "detail": "asking for `orders:read` takes the level `mfa`",
                "reason": "insufficient_user_authentication", "acr_values": "mfa" });
            if !max_age.is_null() {
                problem["max_age"] = max_age.clone();
            }
            return Reply::Json(401, problem);
        }
        good(call)
    })
}

/// The tokens of the session with this number.
pub(super) fn tokens(number: i32, account: &str) -> Reply {
    Reply::Json(
        200,
        json!({ "access_token": format!("breakglass_at_{number}"), "token_type": "Bearer",
            "expires_in": 600, "refresh_token": format!("breakglass_rt_{number}"), "account": account,
            "session": format!("ses_{number}"), "session_ends_at": "2096-11-22T02:44:00Z" }),
    )
}

const ASK: [&str; 5] = ["request", "--scope", "orders:read", "--reason", "r"];

/// The same command at a terminal of its own.
fn at_a_terminal(home: &Home, url: &str, arguments: &[&str]) -> Ran {
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_breakglass"), words.join(" "));
    let mut command = Command::new("script");
    // What the command prints, on stdout and on stderr alike, comes back by the terminal.
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env_clear();
    command.env("HOME", home.path("")).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("BROWSER", home.path("browser")).env("BREAKGLASS_URL", url);
    Ran::from(command.stdin(Stdio::null()).output().unwrap())
}

fn signed_in(service: &StandIn) -> Home {
    let home = Home::new();
    home.run(&service.url, &["login"]).done();
    home
}

fn calls(service: &StandIn, method: &str, path: &str) -> Vec<Call> {
    service.calls().into_iter().filter(|call| call.is(method, path)).collect()
}

#[test]
fn at_a_terminal_the_person_signs_in_and_the_command_goes_on() {
    for max_age in [json!(300), json!(null)] {
        let service = service(max_age.clone(), "corp:al-1");
        let home = signed_in(&service);
        let ran = at_a_terminal(&home, &service.url, &ASK);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("takes the level `mfa`"), "it says why: {ran:?}");
        assert!(ran.stdout.contains("req_"), "{ran:?}");
        let asked = &calls(&service, "GET", "/oauth2/authorize")[1].path;
        for words in ["level=mfa", "account=corp%3Aal-1", "provider=corp"] {
            assert!(asked.contains(words), "{words}: {asked}");
        }
        assert_eq!(asked.contains("max_age=300"), !max_age.is_null(), "{asked}");
        let submitted = calls(&service, "POST", "/v1/requests");
        assert_eq!(submitted.len(), 2, "the call is repeated once");
        assert_eq!(submitted[0].body, submitted[1].body);
        assert_eq!(submitted[0].header("idempotency-key"), submitted[1].header("idempotency-key"));
        let ended = calls(&service, "POST", "/oauth2/revoke");
        assert_eq!(ended.len(), 1);
        assert!(ended[0].body.contains("breakglass_rt_1"), "the session before is ended");
        assert_eq!(home.session().1["session"], "ses_2");
    }
}

#[test]
fn another_person_who_comes_back_ends_nothing_but_that_session() {
    let service = service(json!(300), "corp:bo-2");
    let home = signed_in(&service);
    let ran = at_a_terminal(&home, &service.url, &ASK);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stdout.contains("`corp:bo-2` signed in where `corp:al-1` was asked"), "{ran:?}");
    assert_eq!(calls(&service, "POST", "/v1/requests").len(), 1);
    assert_eq!(home.session().1["session"], "ses_1");
    let ended = calls(&service, "POST", "/oauth2/revoke");
    assert!(ended.len() == 1 && ended[0].body.contains("breakglass_rt_2"), "{ended:?}");
}

#[test]
fn without_a_terminal_the_command_to_run_is_printed() {
    let service = service(json!("3600"), "corp:al-1");
    let home = signed_in(&service);
    let before = service.calls().len();
    let ran = home.run(&service.url, &ASK);
    assert_eq!((ran.code, ran.stdout.as_str()), (10, ""), "{ran:?}");
    assert!(ran.stderr.contains("`breakglass login --level mfa --max-age 1h`"), "{ran:?}");
    let ran = home.run(&service.url, &[&ASK[..], &["--json"]].concat());
    assert_eq!(ran.json()["reason"], "sign_in_needed", "{ran:?}");
    // How the service was named by flags is a part of the command.
    let mut command = home.command(&[&ASK[..], &["--url", &service.url]].concat());
    let ran = Ran::from(command.output().unwrap());
    let words = format!("`breakglass login --level mfa --max-age 1h --url {}`", service.url);
    assert!(ran.stderr.contains(&words), "{ran:?}");
    let later = service.calls().split_off(before);
    assert!(later.iter().all(|call| !call.is("GET", "/oauth2/authorize")), "{later:?}");
}

/// With an API token there is no one to sign in: the refusal is told as it is.
#[test]
fn an_api_token_is_refused_as_it_is() {
    let service = StandIn::start(|_, _| {
        Reply::Json(
            401,
            json!({ "type": "urn:x", "title": "t", "status": 401, "detail": "d",
                "reason": "insufficient_user_authentication", "acr_values": "mfa" }),
        )
    });
    let ran = service.run(&["status"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("(insufficient_user_authentication)"), "{ran:?}");
    assert_eq!(service.calls().len(), 1);
}
