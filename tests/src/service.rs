//! The real approval service and the real command line: `dist/breakglass serve` as a child process,
//! and what people type.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use ring::digest::{SHA256, digest};
use serde_json::Value;
use tempfile::TempDir;

use crate::artefacts;
use crate::client::{Answer, get, request};
use crate::keys::Key;
use crate::policy::{APPROVER, AUDIENCE, ISSUER, PROXY_TOKEN, SUBJECT};
use crate::wait::until;

mod metrics;
mod ran;
mod restore;
mod sinks;
mod tls;

pub use ran::Ran;

/// Somebody who may ask for access, and approve nothing.
pub const COLLEAGUE: &str = "carol@example.com";

/// Somebody who may audit, and nothing else.
pub const AUDITOR: &str = "erin@example.com";

/// What can be asked for: the name, and the longest grant.
const SCOPES: [(&str, &str); 6] = [
    ("orders:read", "1h"),
    ("orders:write", "30m"),
    ("ledger:all", "1h"),
    ("guarded:read", "1h"),
    ("admin:read", "1h"),
    ("grpc:call", "1h"),
];

/// A running approval service, with people who know it. Dropping it kills it.
pub struct Service {
    directory: TempDir,
    address: SocketAddr,
    credentials: BTreeMap<&'static str, String>,
    /// Whose certificates its clients trust, where it speaks TLS.
    ca_file: Option<PathBuf>,
    child: Option<Child>,
}

impl Service {
    /// Starts one on a free port, with a new database and a new signing key.
    ///
    /// [`SUBJECT`] and [`COLLEAGUE`] may ask for every scope, [`APPROVER`] may approve every one,
    /// and may ask too. The filter's credential is [`PROXY_TOKEN`].
    ///
    /// # Panics
    /// When it does not start: the message is its log.
    #[must_use]
    pub fn start() -> Service {
        Service::offering(&SCOPES)
    }

    /// The same, where these scopes can be asked for: the name, and the longest grant.
    ///
    /// # Panics
    /// When it does not start: the message is its log.
    #[must_use]
    pub fn offering(scopes: &[(&str, &str)]) -> Service {
        let directory = TempDir::new().unwrap();
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(artefacts::binary(), bin.join("breakglass")).unwrap();
        let free = "127.0.0.1:0".parse().unwrap();
        let credentials = BTreeMap::new();
        let mut service =
            Service { directory, address: free, credentials, ca_file: None, child: None };
        let mut configuration = String::new();
        for (person, groups) in [
            (SUBJECT, r#"["oncall"]"#),
            (APPROVER, r#"["oncall", "commanders"]"#),
            (COLLEAGUE, r#"["oncall"]"#),
            (AUDITOR, r#"["security"]"#),
        ] {
            let made = service.command(&["keygen", "api-token", "--json"]).output().unwrap();
            let made = Ran::from(made).json();
            let sha256 = made["token_sha256"].as_str().unwrap();
            configuration.push_str(&format!(
                "[[people]]\nname = \"{person}\"\ntoken_sha256 = \"{sha256}\"\ngroups = {groups}\n"
            ));
            service.credentials.insert(person, made["token"].as_str().unwrap().to_owned());
        }
        service.configure(&configuration, scopes);
        service.start_again();
        service
    }

    fn configure(&self, people: &str, scopes: &[(&str, &str)]) {
        let sha256 = proxy_token_sha256();
        let scope = |(name, longest): &(&str, &str)| {
            format!(
                "[[scopes]]\nname = \"{name}\"\naudience = \"{AUDIENCE}\"\n\
                 requesters = [\"oncall\"]\napprovers = [\"commanders\"]\n\
                 max_duration = \"{longest}\"\n"
            )
        };
        let scopes: String = scopes.iter().map(scope).collect();
        let text = format!(
            "listen = \"127.0.0.1:0\"\nissuer = \"{ISSUER}\"\ndatabase = \"approvals.db\"\n\
             key_directory = \"keys\"\nauditors = [\"security\"]\n{people}[[proxies]]\nname = \"gate-test\"\n\
             token_sha256 = \"{sha256}\"\n{scopes}"
        );
        fs::write(self.path("config.toml"), text).unwrap();
    }

    /// From the next start on [`APPROVER`] approves by API token beside identity providers, too.
    ///
    /// # Panics
    /// When the configuration is not there.
    pub fn let_token_approve(&self) {
        let path = self.path("config.toml");
        let text = fs::read_to_string(&path).expect("the configuration is there");
        let name = format!("name = \"{APPROVER}\"\n");
        let text = text.replacen(&name, &format!("{name}may_approve_by_token = true\n"), 1);
        fs::write(path, text).expect("the configuration can be written");
    }

    /// Starts it again with these lines more in its configuration.
    ///
    /// # Panics
    /// When it does not start: the message is its log.
    pub fn add(&mut self, configuration: &str) {
        let path = self.path("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}{configuration}")).unwrap();
        self.kill();
        self.start_again();
    }

    /// Starts it again with definitions that the command line makes of this configuration of a filter.
    ///
    /// # Panics
    /// When there are none, or it does not start: the message is its log.
    pub fn define(&mut self, filter: &Value) {
        fs::write(self.path("filter.json"), filter.to_string()).unwrap();
        let definitions = self.command(&["scopes", "import", "filter.json"]).output().unwrap();
        let definitions = Ran::from(definitions);
        assert_eq!(definitions.code, 0, "{definitions:?}");
        fs::write(self.path("definitions.json"), definitions.stdout).unwrap();
        let path = self.path("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("definitions = [\"definitions.json\"]\n{text}")).unwrap();
        self.kill();
        self.start_again();
    }

    /// Where it listens, also while it does not.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it as an outage would: without a chance to put anything in order.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running service");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again where it was, on the same database and keys.
    ///
    /// # Panics
    /// When it does not start: the message is its log.
    pub fn start_again(&mut self) {
        let ready = self.path("ready");
        let _ = fs::remove_file(&ready);
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let listen = self.address.to_string();
        let mut command = self.command(&["serve", "--config", "config.toml"]);
        command.args(["--ready-file", "ready"]);
        if self.ca_file.is_none() {
            command.args(["--listen", &listen]);
        }
        let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let url = until("the approval service", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the service ended with {ended:?}:\n{}", self.log());
            fs::read_to_string(&ready).ok()
        });
        self.address = url.rsplit('/').next().unwrap().parse().unwrap();
        self.child = Some(child);
    }

    /// Makes a new signing key, and returns its id: what an operator does to rotate.
    ///
    /// # Panics
    /// When none is made.
    #[must_use]
    pub fn rotate_keys(&self) -> String {
        let output = self.command(&["keygen", "signing", "--key-dir", "keys"]).output().unwrap();
        Ran::from(output).done()
    }

    /// Runs `breakglass keys` on its signing keys.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn keys(&self, arguments: &[&str]) -> Ran {
        let arguments = [&["keys", "--key-dir", "keys"], arguments].concat();
        Ran::from(self.command(&arguments).output().unwrap())
    }

    /// The newest of its signing keys: what an attacker has who reads its files.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn stolen_key(&self) -> Key {
        let files = fs::read_dir(self.path("keys")).unwrap().map(|file| file.unwrap().path());
        // That of the trail signs no token.
        let signs = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(".pem") && !name.starts_with("trail-")
        };
        let newest = files.filter(signs).max();
        let newest = newest.unwrap();
        let (_, kid) = newest.file_stem().unwrap().to_str().unwrap().split_once('-').unwrap();
        Key::of_pem(kid, &fs::read_to_string(&newest).unwrap())
    }

    /// Runs the command line as a person, by its real arguments.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run(&self, person: &str, arguments: &[&str]) -> Ran {
        Ran::from(self.as_person(self.command(arguments), person).output().unwrap())
    }

    /// Runs a line in a shell as a person, who has `breakglass` in the path: what was printed
    /// somewhere, pasted.
    ///
    /// # Panics
    /// When there is no shell.
    #[must_use]
    pub fn paste(&self, person: &str, line: &str) -> Ran {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line]).env_clear().env("PATH", self.path("bin"));
        Ran::from(self.as_person(shell, person).output().unwrap())
    }

    /// [`SUBJECT`] asks for scopes and [`APPROVER`] approves: the grant and its token.
    ///
    /// # Panics
    /// When any of it is refused.
    #[must_use]
    pub fn grant(&self, scopes: &[&str], duration: &str) -> (String, String) {
        let mut arguments = vec!["request", "--reason", "orders are stuck", "--incident", "INC-42"];
        // Tests ask for the same at the same time.
        arguments.extend(["--duration", duration, "--again"]);
        arguments.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
        let request = self.run(SUBJECT, &arguments).done();
        let grant = self.run(APPROVER, &["approve", &request, "--yes"]).done();
        (grant, self.run(SUBJECT, &["token", &request]).done())
    }

    /// [`APPROVER`] revokes a grant, by a request of its own: without the time that the command line
    /// takes to start.
    ///
    /// # Panics
    /// When it is refused.
    pub fn revoke(&self, grant: &str) {
        let credential = &self.credentials[APPROVER];
        let answer = request("POST", format!("/v1/grants/{grant}/revoke"))
            .header("authorization", format!("Bearer {credential}"))
            .header("content-type", "application/json")
            .body(r#"{"reason": "a drill"}"#)
            .send(self.address);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The API token of one of the people.
    ///
    /// # Panics
    /// When nobody is called so.
    #[must_use]
    pub fn credential(&self, person: &str) -> &str {
        self.credentials.get(person).expect("one of the people")
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.as_ref().expect("a running service").id()
    }

    /// Its database, for whoever wants to bring it into a state that takes long to reach.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path("approvals.db")
    }

    /// Fetches a page of the service's.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        get(path).host("approvals.internal").send(self.address)
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The binary, with nothing of the tests' environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(artefacts::binary());
        command.args(arguments).env_clear().current_dir(self.directory.path());
        command.stdin(Stdio::null());
        command
    }

    fn as_person(&self, mut command: Command, person: &str) -> Command {
        let scheme = if self.ca_file.is_some() { "https" } else { "http" };
        command.env("BREAKGLASS_URL", format!("{scheme}://{}", self.address));
        command.envs(self.ca_file.iter().map(|path| ("BREAKGLASS_CA_FILE", path)));
        command.env("BREAKGLASS_API_TOKEN", self.credential(person)).stdin(Stdio::null());
        command
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = self.log();
        if thread::panicking() {
            println!("--- the approval service's log ---\n{log}");
        } else {
            assert!(!log.contains("panicked at"), "the service's log says:\n{log}");
        }
    }
}

/// The digest of [`PROXY_TOKEN`] for a configuration.
#[must_use]
pub fn proxy_token_sha256() -> String {
    token_sha256(PROXY_TOKEN)
}

/// The digest of an API token for a configuration.
#[must_use]
pub fn token_sha256(token: &str) -> String {
    let hex = |byte: &u8| format!("{byte:02x}");
    digest(&SHA256, token.as_bytes()).as_ref().iter().map(hex).collect()
}
