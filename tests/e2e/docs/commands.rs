//! The commands in the documents run as they stand there; those in a sentence have the verbs and
//! flags that there are.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use breakglass_tests::artefacts::{self, root};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::manifests::objects;
use breakglass_tests::policy::{APPROVER, SUBJECT};
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::wait::until;
use serde_json::json;
use tempfile::TempDir;

use super::blocks::{Block, commands, marked};
use super::{documents, read};

/// A folder with `breakglass` and `envoy`, and a path that has no more than a system has.
fn tools() -> (TempDir, String) {
    let tools = TempDir::new().unwrap();
    for (name, tool) in [("breakglass", artefacts::binary()), ("envoy", artefacts::envoy())] {
        symlink(tool, tools.path().join(name)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", tools.path().display());
    (tools, path)
}

fn assert_ran(block: &Block, ran: &Output) {
    assert!(ran.status.success(), "{}: {}\n{ran:?}", block.document.display(), block.text);
}

#[test]
fn every_command_that_needs_no_more_than_breakglass_and_envoy_runs() {
    let (_tools, path) = tools();
    let blocks = marked("sh run");
    assert!(blocks.len() >= 3, "{blocks:?}");
    for block in &blocks {
        // The checkout, as far as they read it: what they write must not be left there.
        let checkout = TempDir::new().unwrap();
        for name in ["crates", "dist", "docs", "envoy"] {
            symlink(root().join(name), checkout.path().join(name)).unwrap();
        }
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", &block.text]).current_dir(checkout.path());
        assert_ran(block, &shell.env_clear().env("PATH", &path).output().unwrap());
    }
}

/// A service, an Envoy that follows it, and its log with the calls of one grant in it.
struct Place {
    service: Service,
    gate: Gate,
    folder: TempDir,
    path: String,
    _tools: TempDir,
}

impl Place {
    fn start() -> Place {
        let service = Service::start();
        let heads = json!({"cluster": "approvals", "authority": "approvals.internal",
            "path": "/v1/audit/heads"});
        let gate =
            Plan::following(&service, "10s").set("/audit", json!({"heads": heads})).alone().start();
        let folder = TempDir::new().unwrap();
        symlink(gate.envoy.access_log(), folder.path().join("access.log")).unwrap();
        let (tools, path) = tools();
        Place { service, gate, folder, path, _tools: tools }
    }

    /// A new grant, which was used and refused once.
    fn grant(&self) -> String {
        let (grant, token) = self.service.grant(&["orders:read"], "10m");
        let allowed = || self.gate.send(&get("/v1/orders").token(&token)).status == 200;
        until("the grant to be known", || allowed().then_some(()));
        self.gate.refuses(&get("/v1/invoices").token(&token), 403, "out_of_scope");
        grant
    }

    /// What only an installation has, as it is here.
    fn here(&self, text: &str) -> String {
        let home = self.service.database().parent().unwrap().display().to_string();
        text.replace("https://orders.internal", &format!("http://{}", self.gate.envoy.address()))
            .replace("127.0.0.1:9901", &self.gate.envoy.admin_address().to_string())
            .replace("/var/lib/breakglass", &home)
    }

    /// Runs a block as a person with a grant's id in `GRANT`; a request that it makes is approved.
    fn run(&self, block: &Block, person: &str) -> Output {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", &self.here(&block.text)]).current_dir(self.folder.path()).env_clear();
        shell.env("PATH", &self.path).env("GRANT", self.grant());
        shell.env("BREAKGLASS_URL", format!("http://{}", self.service.address()));
        shell.env("BREAKGLASS_API_TOKEN", self.service.credential(person));
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    self.approve_what_is_asked();
                    thread::sleep(Duration::from_millis(50));
                }
            });
            let ran = shell.output();
            ended.store(true, Ordering::Relaxed);
            ran.unwrap()
        })
    }

    fn approve_what_is_asked(&self) {
        let listed = self.service.run(APPROVER, &["status", "--state", "pending", "--json"]).json();
        for request in listed["requests"].as_array().unwrap() {
            let id = request["id"].as_str().unwrap();
            let approved = self.service.run(APPROVER, &["approve", id, "--yes"]);
            assert_eq!(approved.code, 0, "{approved:?}");
        }
    }
}

#[test]
fn every_command_that_needs_a_service_and_an_envoy_runs() {
    let place = Place::start();
    for (mark, person, least) in [
        ("sh as requester", SUBJECT, 1),
        ("sh as approver", APPROVER, 5),
        ("sh as auditor", AUDITOR, 2),
    ] {
        let blocks = marked(mark);
        assert!(blocks.len() >= least, "{mark}: {blocks:?}");
        for block in &blocks {
            let ran = place.run(block, person);
            assert_ran(block, &ran);
            println!("{}: {}", block.document.display(), block.text);
            println!("{}", String::from_utf8_lossy(&ran.stdout));
        }
    }
}

/// What `--help` says of a verb, or nothing if there is no such verb.
fn help(verb: &[&str]) -> Option<String> {
    let mut breakglass = Command::new(artefacts::binary());
    let ran = breakglass.args(verb).arg("--help").output().unwrap();
    ran.status.success().then(|| String::from_utf8(ran.stdout).unwrap())
}

/// The verb of a command, such as `keygen signing`.
fn verb<'c>(words: &[&'c str]) -> Vec<&'c str> {
    let has_verbs =
        ["audit", "config", "database", "events", "keygen", "keys", "review", "rotations"]
            .contains(&words[0])
            || matches!(words.get(1), Some(&("end" | "forget" | "import" | "narrow")));
    let depth = if has_verbs { 2 } else { 1 };
    words.iter().take(depth).copied().collect()
}

/// What a command has that the help of its verb does not know.
fn complaint(command: &str, helps: &mut BTreeMap<String, Option<String>>) -> Option<String> {
    // In a form, `[--x X]` is optional, and a reason is in quotes.
    let plain = command.split('\'').step_by(2).collect::<String>().replace(['[', ']'], " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    let verb = verb(words.get(1..).filter(|rest| !rest.is_empty())?);
    let known = helps.entry(verb.join(" ")).or_insert_with(|| help(&verb));
    let Some(known) = known else { return Some(format!("no verb `{}`", verb.join(" "))) };
    let flags = words.iter().filter(|word| word.starts_with("--"));
    let mut unknown = flags.filter(|flag| !known.contains(&format!("{flag} ")));
    unknown.next().map(|flag| format!("no flag `{flag}` in `{}`", verb.join(" ")))
}

#[test]
fn every_breakglass_command_in_a_sentence_has_the_verb_and_the_flags_that_there_are() {
    let mut helps = BTreeMap::new();
    assert_eq!(complaint("breakglass revoke --all --reason 'x --y' --wait", &mut helps), None);
    assert!(complaint("breakglass rewoke --all", &mut helps).is_some());
    assert!(complaint("breakglass revoke --al", &mut helps).is_some());
    let mut found = 0;
    for document in documents() {
        for line in read(&document).lines() {
            for command in line.split('`').skip(1).step_by(2) {
                if command.starts_with("breakglass ") {
                    let wrong = complaint(command, &mut helps);
                    assert_eq!(wrong, None, "{}: {command}", document.display());
                    found += 1;
                }
            }
        }
    }
    println!("documents: {found} commands of breakglass in sentences");
    assert!(found > 40, "{found} commands");
}

#[test]
fn every_compose_command_names_services_and_profiles_that_there_are() {
    let stack = objects("envoy/docker-compose.yaml").remove(0);
    let services = stack["services"].as_object().unwrap();
    let has_profile = |name: &str| {
        let named = |service: &serde_json::Value| {
            service["profiles"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
        };
        services.values().any(named)
    };
    let mut found = 0;
    for block in super::blocks::all().iter().filter(|block| block.mark.starts_with("sh ")) {
        for command in
            commands(block).iter().filter(|command| command.starts_with("docker compose"))
        {
            let words: Vec<&str> = command.split_whitespace().collect();
            let after = |word: &str| {
                let at = words.iter().position(|one| *one == word)?;
                words[at + 1..].iter().find(|word| !word.starts_with('-')).copied()
            };
            for service in [after("run"), after("exec")].into_iter().flatten() {
                assert!(services.contains_key(service), "{command}: `{service}`");
            }
            if let Some(profile) = after("--profile") {
                assert!(has_profile(profile), "{command}: `{profile}`");
            }
            let file = after("--file").unwrap_or_else(|| panic!("{command}: --file"));
            assert!(fs::exists(root().join(Path::new(file))).unwrap(), "{command}: {file}");
            found += 1;
        }
    }
    assert!(found >= 5, "{found} commands");
}
