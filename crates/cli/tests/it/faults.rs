//! Faults that no file system gives on demand: a library that is loaded before all others (`LD_PRELOAD`) makes
//! the storage of a real service fail, and then no more. Each fault is a 503 with its reason, and once it is over
//! everything works again without a restart.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use ureq::Agent;
use ureq::http::HeaderMap;

use crate::process::{Server, breakglass, until};
use breakglass_testing::service::{config, token_of};

const NONE: i64 = 0;
const WRITE_FAILS: i64 = 1;
const SYNC_FAILS: i64 = 2;
const READ_FAILS: i64 = 3;
const NO_MEMORY: i64 = 4;
const LISTS_HANG: i64 = 5;

/// More than any pool has connections.
const MANY: usize = 16;

struct Faulty {
    server: Server,
    agent: Agent,
}

type Answer = (u16, HeaderMap, Value);

impl Faulty {
    fn start() -> Faulty {
        let directory = tempfile::tempdir().unwrap();
        let text = config(&directory);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults.c");
        let library = directory.path().join("faults.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-fno-builtin-malloc", "-o"]);
        assert!(compiler.arg(&library).arg(source).status().unwrap().success());
        let fault = directory.path().join("fault");
        File::create(&fault).unwrap();
        set(directory.path(), NONE);
        let mut command = breakglass();
        command.env("LD_PRELOAD", library).env("FAULT", fault);
        let agent = Agent::config_builder().http_status_as_error(false).build().new_agent();
        Faulty { server: Server::start_by(command, directory, &text), agent }
    }

    fn fault(&self, fault: i64) {
        set(self.server.directory.path(), fault);
    }

    fn ask(&self, who: &str, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}{path}", self.server.url);
        let bearer = format!("Bearer {}", token_of(who));
        let answer = match body {
            None => self.agent.get(url).header("authorization", bearer).call(),
            Some(Value::String(form)) => self
                .agent
                .post(url)
                .header("authorization", bearer)
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form),
            Some(body) => self.agent.post(url).header("authorization", bearer).send_json(body),
        };
        let mut answer = answer.unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (answer.status().as_u16(), answer.headers().clone(), body)
    }

    fn ok(&self, who: &str, path: &str, body: Option<Value>) -> Value {
        let (status, _, body) = self.ask(who, path, body);
        assert!((200..300).contains(&status), "{path}: {status} {body} {}", self.server.log());
        body
    }

    fn submit(&self) -> Answer {
        let ask = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
        self.ask("alice", "/v1/requests", Some(ask))
    }

    /// A grant of alice's, and its token.
    fn granted(&self) -> (String, String) {
        let asked = self.submit().2;
        let id = asked["id"].as_str().unwrap();
        let act = |verb: &str| format!("/v1/requests/{id}/{verb}");
        let approval = json!({ "digest": asked["digest"] });
        let view = self.ok("carol", &act("approve"), Some(approval));
        let token = self.ok("alice", &act("token"), Some(json!({})));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&view["grant"]["id"]), text(&token["token"]))
    }

    fn revoke(&self, jti: &str) -> Answer {
        let path = format!("/v1/grants/{jti}/revoke");
        self.ask("carol", &path, Some(json!({ "reason": "r" })))
    }

    fn introspect(&self, token: &str) -> Value {
        self.ok("envoy", "/oauth2/introspect", Some(json!(format!("token={token}"))))
    }

    /// Many at once, as many as have connections of their own.
    fn at_once(&self, ask: impl Fn() -> Answer + Sync) -> Vec<Answer> {
        thread::scope(|scope| {
            let asked: Vec<_> = (0..MANY).map(|_| scope.spawn(&ask)).collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        })
    }

    /// No answer is anything else than done or refused for this; how many were refused.
    fn refused(&self, answers: &[Answer], reasons: &[&str]) -> usize {
        let mut refused = 0;
        for (status, headers, body) in answers {
            if (200..300).contains(status) {
                continue;
            }
            assert_eq!(*status, 503, "{body} {}", self.server.log());
            assert!(reasons.contains(&body["reason"].as_str().unwrap()), "{body}");
            let after: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=30).contains(&after));
            refused += 1;
        }
        refused
    }

    /// Everything works, on whatever connections are in the pools, and what was granted is as it was.
    fn works_again(&self, live: &[(String, String)]) {
        let start = Instant::now();
        for answer in self.at_once(|| self.submit()) {
            assert_eq!(answer.0, 201, "{answer:?}");
        }
        for _ in 0..MANY {
            self.ok("carol", "/v1/requests?limit=200", None);
        }
        for (jti, token) in live {
            assert_eq!(self.introspect(token)["active"], true);
            assert_eq!(self.revoke(jti).0, 200);
            assert_eq!(self.introspect(token)["active"], false);
        }
        let feed = self.ok("envoy", "/v1/revocations", None);
        assert_eq!(feed["revoked"].as_array().unwrap().len(), live.len());
        until(|| self.ask("nobody", "/readyz", None).0 == 200);
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    }
}

fn set(directory: &Path, fault: i64) {
    let file = File::options().write(true).open(directory.join("fault")).unwrap();
    file.write_all_at(&fault.to_ne_bytes(), 0).unwrap();
}

fn fails_and_works_again(fault: i64, reasons: &[&str]) {
    let faulty = Faulty::start();
    let live: Vec<_> = (0..MANY).map(|_| faulty.granted()).collect();
    faulty.fault(fault);
    let mut answers = faulty.at_once(|| faulty.submit());
    // The connection that writes has what it needs in its cache; others have to read what it wrote.
    answers.extend(faulty.at_once(|| faulty.ask("carol", "/v1/requests?limit=200", None)));
    assert!(faulty.refused(&answers, reasons) > 0, "{answers:?}");
    let done = faulty.revoke("grant_unknown");
    assert!([404, 503].contains(&done.0), "{done:?}");
    faulty.fault(NONE);
    faulty.works_again(&live);
}

#[test]
fn a_write_that_fails_is_refused_until_it_does_not() {
    fails_and_works_again(WRITE_FAILS, &["storage_io_error"]);
}

#[test]
fn a_sync_that_fails_is_refused_until_it_does_not() {
    fails_and_works_again(SYNC_FAILS, &["storage_io_error"]);
}

#[test]
fn a_read_that_fails_is_refused_until_it_does_not() {
    fails_and_works_again(READ_FAILS, &["storage_io_error"]);
}

#[test]
fn a_database_that_gets_no_memory_refuses_until_it_does() {
    let faulty = Faulty::start();
    let live: Vec<_> = (0..MANY).map(|_| faulty.granted()).collect();
    faulty.fault(NO_MEMORY);
    let mut refused = 0;
    for _ in 0..5 {
        let answers = faulty.at_once(|| faulty.submit());
        refused += faulty.refused(&answers, &["storage_out_of_memory"]);
        let answers = faulty.at_once(|| faulty.ask("carol", "/v1/requests?limit=200", None));
        refused += faulty.refused(&answers, &["storage_out_of_memory"]);
    }
    assert!(refused > 0);
    faulty.fault(NONE);
    faulty.works_again(&live);
}

/// Lists have connections of their own: those that hang are waited for by lists alone, and these are refused.
#[test]
fn lists_that_hang_hold_up_nothing_else() {
    let faulty = Faulty::start();
    let live: Vec<_> = (0..MANY).map(|_| faulty.granted()).collect();
    // Another connection's change, after which theirs have to read from the file again.
    faulty.fault(LISTS_HANG);
    thread::scope(|scope| {
        let lists: Vec<_> = (0..MANY)
            .map(|number| {
                let faulty = &faulty;
                scope.spawn(move || match number % 2 {
                    0 => faulty.ask("carol", "/v1/requests", None),
                    _ => faulty.ask("grace", "/v1/audit/requests?subject=alice", None),
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(500));
        let start = Instant::now();
        for (jti, token) in &live[..3] {
            assert_eq!(faulty.introspect(token)["active"], true);
            assert_eq!(faulty.revoke(jti).0, 200);
            assert_eq!(faulty.introspect(token)["active"], false);
        }
        faulty.granted();
        faulty.ok("envoy", "/v1/revocations", None);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        thread::sleep(Duration::from_secs(4));
        faulty.fault(NONE);
        let answers: Vec<Answer> = lists.into_iter().map(|list| list.join().unwrap()).collect();
        assert!(faulty.refused(&answers, &["storage_busy"]) >= MANY - 4, "{answers:?}");
    });
    faulty.ok("carol", "/v1/requests", None);
}
