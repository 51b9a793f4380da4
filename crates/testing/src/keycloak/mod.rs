//! A real Keycloak with the realm `corp` of `crates/identity/tests/examples/keycloak-realm-corp.json`: alice with a second
//! factor, bob without.

mod browser;
mod totp;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

pub use browser::{Browser, Page};
pub use totp::{ALICE, totp};

/// As scripts/fetch-keycloak pins it.
const VERSION: &str = "26.7.3";

/// How often it is asked whether it is ready, a tenth of a second apart.
const TRIES: u32 = 1800;

/// A running Keycloak. Dropping it kills it.
pub struct Keycloak {
    /// Where it is, without a slash at the end.
    pub url: String,
    child: Child,
    agent: Agent,
    home: TempDir,
}

impl Keycloak {
    /// Starts one, with a database of its own, at ports that are free.
    #[must_use]
    pub fn start() -> Keycloak {
        let installed =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/keycloak").join(VERSION);
        let is_whole = installed.join("made-of").exists();
        assert!(is_whole, "{} is missing: run scripts/fetch-keycloak", installed.display());
        let home = home(&installed.canonicalize().unwrap());
        let [port, management] = free_ports();
        let log = fs::File::create(home.path().join("log")).unwrap();
        let mut command = Command::new(home.path().join("bin/kc.sh"));
        command
            .args(["start", "--optimized", "--http-enabled=true", "--hostname-strict=false"])
            .args(["--http-host=127.0.0.1"])
            .arg(format!("--http-port={port}"))
            .arg(format!("--http-management-port={management}"))
            .env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        let agent = Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent = agent.timeout_global(Some(Duration::from_secs(30))).build().into();
        let url = format!("http://127.0.0.1:{port}");
        let mut keycloak = Keycloak { url, child, agent, home };
        keycloak.wait_until_ready(management);
        // One code may be used for several sign-ins of a test, which would have to wait half a minute for the next.
        let policy = json!({
            "otpPolicyType": "totp", "otpPolicyAlgorithm": "HmacSHA1", "otpPolicyDigits": 6, "otpPolicyPeriod": 30,
            "otpPolicyInitialCounter": 0, "otpPolicyLookAheadWindow": 1, "otpPolicyCodeReusable": true,
        });
        keycloak.admin("PUT", "/realms/corp", &policy);
        keycloak
    }

    fn wait_until_ready(&mut self, management: u16) {
        let health = format!("http://127.0.0.1:{management}/health/ready");
        for _ in 0..TRIES {
            if self.agent.get(&health).call().is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("Keycloak ended with {status}: {}", self.log());
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("Keycloak is not ready: {}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// A folder for files of a test, which goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// The issuer of a realm.
    #[must_use]
    pub fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.url)
    }

    /// Asks the interface of administrators: `path` follows `/admin`. `Null` where the answer has no body.
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/realms/master/protocol/openid-connect/token", self.url);
        let form = "grant_type=password&client_id=admin-cli&username=admin&password=admin";
        let form_type = "application/x-www-form-urlencoded";
        let request = self.agent.post(&url).header("content-type", form_type);
        let text = request.send(form).unwrap().body_mut().read_to_string().unwrap();
        let token: Value = serde_json::from_str(&text).unwrap();
        let token = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let url = format!("{}/admin{path}", self.url);
        let body = body.to_string();
        let with_body = |request: ureq::RequestBuilder<ureq::typestate::WithBody>| {
            let request = request.header("authorization", &token);
            request.header("content-type", "application/json").send(&body)
        };
        let answer = match method {
            "GET" => self.agent.get(&url).header("authorization", &token).call(),
            "DELETE" => self.agent.delete(&url).header("authorization", &token).call(),
            "PUT" => with_body(self.agent.put(&url)),
            "POST" => with_body(self.agent.post(&url)),
            other => panic!("{other}"),
        };
        let mut answer = answer.unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {} {text}", answer.status());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The id of a person of a realm.
    #[must_use]
    pub fn id_of(&self, realm: &str, username: &str) -> String {
        let path = format!("/realms/{realm}/users?exact=true&username={username}");
        self.admin("GET", &path, &Value::Null)[0]["id"].as_str().unwrap().to_owned()
    }

    /// Stops all its threads: connections are made, and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        let _ = kill_process_group(group, signal);
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A folder like the installed one, with data of its own. The script finds it by its own place, so that is a copy.
fn home(installed: &Path) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    for name in ["lib", "conf", "providers", "themes"] {
        symlink(installed.join(name), at(name)).unwrap();
    }
    copy(installed, home.path(), "bin", "kc.sh");
    copy(installed, home.path(), "data/h2", "keycloakdb.mv.db");
    home
}

fn copy(from: &Path, to: &Path, folder: &str, name: &str) {
    let target: PathBuf = to.join(folder);
    fs::create_dir_all(&target).unwrap();
    fs::copy(from.join(folder).join(name), target.join(name)).unwrap();
}

fn free_ports() -> [u16; 2] {
    // Both at a time, so that they differ.
    let sockets = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}
