//! Signing in at another device (RFC 8628).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::Home;
use super::step_up::tokens;
use crate::stand_in::{Reply, StandIn};

/// A service whose token endpoint gives these answers, one after the other, and the last one for ever.
fn service(answers: &'static [&'static str], begun: Value) -> StandIn {
    let asked = Arc::new(AtomicUsize::new(0));
    StandIn::start(move |_, call| {
        let url = format!("http://{}", call.header("host").unwrap());
        if call.is("GET", "/.well-known/oauth-authorization-server") {
            let device = format!("{url}/oauth2/device_authorization");
            let authorize = format!("{url}/oauth2/authorize");
            return Reply::Json(
                200,
                json!({ "issuer": url, "authorization_endpoint": authorize,
                    "device_authorization_endpoint": device }),
            );
        }
        if call.is("POST", "/oauth2/device_authorization") {
            return Reply::Json(200, begun.clone());
        }
        assert!(call.is("POST", "/oauth2/token"), "{call:?}");
        assert!(
            call.body.contains("device_code=dev") && call.body.contains("device_code&"),
            "{call:?}"
        );
        let number = asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        match answers[number] {
            "tokens" => tokens(1, "corp:al-1"),
            "silence" => Reply::Bytes(Vec::new()),
            error => {
                let json = "content-type: application/json\r\n";
                Reply::Text(400, json, json!({ "error": error }).to_string())
            }
        }
    })
}

fn begun(expires_in: u64) -> Value {
    json!({ "device_code": "dev", "user_code": "WDJB-MJHT", "verification_uri": "https://a.test/device",
        "verification_uri_complete": "https://a.test/device?user_code=WDJB-MJHT", "interval": 1,
        "expires_in": expires_in })
}

#[test]
fn the_code_is_shown_and_the_answer_is_asked_for_until_it_comes() {
    let service = service(&["authorization_pending", "silence", "tokens"], begun(60));
    let home = Home::new();
    let ran =
        home.run(&service.url, &["login", "--device", "--provider", "corp", "--level", "mfa"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "corp:al-1\n"), "{ran:?}");
    for words in ["https://a.test/device", "WDJB-MJHT", "user_code=WDJB-MJHT", "at most 1m"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    let begun = service.calls().into_iter().find(|call| call.path.contains("device_auth")).unwrap();
    for words in ["client_id=breakglass-cli", "provider=corp", "level=mfa"] {
        assert!(begun.body.contains(words), "{words}: {begun:?}");
    }
    assert!(!home.path("opened").exists(), "the browser is elsewhere");
    assert_eq!(home.session().1["session"], "ses_1");
}

#[test]
fn each_refusal_says_what_happened_and_what_to_do() {
    for (error, code, words) in [
        ("access_denied", 2, "declined"),
        ("authorization_declined", 2, "declined at the other device"),
        ("expired_token", 1, "the time to enter the code is over"),
        ("invalid_grant", 1, "start again"),
        ("something_new", 1, "does not know"),
    ] {
        let answers: &'static [&'static str] = vec![error].leak();
        let service = service(answers, begun(60));
        let ran = Home::new().run(&service.url, &["login", "--device"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{error}: {ran:?}");
        assert!(ran.stderr.contains(words), "{error}: {ran:?}");
        assert!(ran.stderr.contains(&format!("({error})")), "{error}: {ran:?}");
    }
}

/// `slow_down` asks for five seconds more, and there are not as many left.
#[test]
fn a_wait_has_the_limit_of_the_code() {
    for (answer, expires_in) in [("authorization_pending", 2), ("slow_down", 5)] {
        let answers: &'static [&'static str] = vec![answer].leak();
        let service = service(answers, begun(expires_in));
        let ran = Home::new().run(&service.url, &["login", "--device"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let words = format!("no answer came within {expires_in}s");
        assert!(ran.stderr.contains(&words), "{ran:?}");
        let asked = service.calls().iter().filter(|call| call.is("POST", "/oauth2/token")).count();
        assert!(asked >= 1 && (answer != "slow_down" || asked == 1), "{answer}: {asked}");
    }
}

#[test]
fn a_service_without_the_device_grant_says_so() {
    let service = StandIn::start(|_, call| {
        let url = format!("http://{}", call.header("host").unwrap());
        let endpoint = format!("{url}/oauth2/authorize");
        Reply::Json(200, json!({ "issuer": url, "authorization_endpoint": endpoint }))
    });
    let ran = Home::new().run(&service.url, &["login", "--device"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("`--device`"), "{ran:?}");
}
