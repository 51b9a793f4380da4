//! Signing in at another device, with the real service and its page.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;

use serde_json::json;

use super::{Home, SignInService, claims};
use crate::device_page::DevicePage;
use crate::process::Ran;

/// `breakglass login --device`, up to where it waits: with the code that it shows, and what it said until then.
struct Waiting {
    login: Child,
    code: String,
    said: String,
}

impl Waiting {
    fn start(service: &SignInService, home: &Home, arguments: &[&str]) -> Waiting {
        let mut command = home.command(&[&["login", "--device"], arguments].concat());
        let mut login = command.env("BREAKGLASS_URL", &service.server.url).spawn().unwrap();
        let mut said = String::new();
        let mut stderr = BufReader::new(login.stderr.as_mut().unwrap());
        while !said.contains("waiting for") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
        }
        let after = said.split_once("enter the code  ").unwrap().1;
        let code = after.split_whitespace().next().unwrap().to_owned();
        Waiting { login, code, said }
    }

    /// How it ended, with all that it said.
    fn end(mut self) -> Ran {
        self.login.stderr.as_mut().unwrap().read_to_string(&mut self.said).unwrap();
        let ran = Ran::from(self.login.wait_with_output().unwrap());
        Ran { stderr: self.said, ..ran }
    }
}

#[test]
fn a_person_signs_in_for_this_machine_in_a_browser_elsewhere() {
    let service = SignInService::start();
    let home = Home::new();
    let waiting = Waiting::start(&service, &home, &["--level", "mfa", "--max-age", "5m", "--json"]);
    let page = format!("{}/device", service.server.url);
    assert!(waiting.said.contains(&page), "{}", waiting.said);
    assert!(!waiting.said.contains("user_code="), "it is typed by hand: {}", waiting.said);
    let mut browser = DevicePage::open(&service.server.url);
    browser.go_on(&waiting.code, "corp");
    let done = browser.sign_in(&service.provider, claims("al-1", &["oncall"]));
    assert!(done.contains("Signed in") && done.contains("corp:al-1"), "{done}");
    let ran = waiting.end();
    assert_eq!((ran.code, &ran.json()["account"]), (0, &json!("corp:al-1")), "{ran:?}");
    assert!(!home.path("opened").exists(), "the browser is elsewhere");

    let who = service.run(&home, &["whoami", "--json"]).json();
    assert_eq!((&who["name"], &who["factor"]["level"]), (&json!("corp:al-1"), &json!("mfa")));
    let both = json!({ "source": "127.0.0.1", "browser": "127.0.0.1" });
    assert_eq!(who["session"]["device"], both, "{who}");
    let asked = ["request", "--scope", "orders:read", "--reason", "r"];
    assert!(service.run(&home, &asked).done().starts_with("req_"));
    // A level that did not come back is no session, and leaves the one before.
    let waiting = Waiting::start(&service, &home, &["--level", "mfa"]);
    let mut browser = DevicePage::open(&service.server.url);
    browser.go_on(&waiting.code, "corp");
    let mut weak = claims("al-1", &["oncall"]);
    weak["amr"] = json!(["pwd"]);
    browser.sign_in(&service.provider, weak);
    let ran = waiting.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    service.run(&home, &["whoami"]).done();
}

#[test]
fn an_approver_is_told_to_sign_in_with_a_browser_here() {
    let service = SignInService::start();
    let home = Home::new();
    let waiting = Waiting::start(&service, &home, &[]);
    let mut browser = DevicePage::open(&service.server.url);
    browser.go_on(&waiting.code, "corp");
    let page = browser.sign_in(&service.provider, claims("ca-3", &["commanders"]));
    assert!(page.contains("approvers do not sign in by a code"), "{page}");
    let ran = waiting.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    let told = ran.stderr.contains("(access_denied)") && ran.stderr.contains("`breakglass login`");
    assert!(told || ran.stderr.contains("'breakglass login'"), "{ran:?}");
    assert_eq!(home.sessions().len(), 0);
}
