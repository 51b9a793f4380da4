//! The real binary: a server on a port of its own, and the command line against it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use breakglass_testing::service::{config, token_of};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The binary.
pub(crate) fn breakglass() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// A running `breakglass serve`.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) directory: TempDir,
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Server {
        let directory = tempfile::tempdir().unwrap();
        let text = config(&directory);
        Server::start_with(directory, &text)
    }

    pub(crate) fn start_with(directory: TempDir, config: &str) -> Server {
        Server::start_by(breakglass(), directory, config)
    }

    /// A server that this command starts.
    pub(crate) fn start_by(command: Command, directory: TempDir, config: &str) -> Server {
        Server::start_as(command, directory, config, &[])
    }

    /// A server that this command starts with these arguments beside the usual ones.
    pub(crate) fn start_as(
        command: Command,
        directory: TempDir,
        config: &str,
        arguments: &[&str],
    ) -> Server {
        let path = directory.path().join("config.toml");
        fs::write(&path, config).unwrap();
        Server::start_from(command, directory, &path.display().to_string(), arguments)
    }

    /// A server that this command starts at this address.
    pub(crate) fn start_at(
        command: Command,
        directory: TempDir,
        config: &str,
        address: &str,
    ) -> Server {
        let path = directory.path().join("config.toml");
        fs::write(&path, config).unwrap();
        Server::spawn(command, directory, &path.display().to_string(), &["--listen", address])
    }

    /// A server that this command starts with the configuration at this path.
    pub(crate) fn start_from(
        command: Command,
        directory: TempDir,
        config: &str,
        arguments: &[&str],
    ) -> Server {
        let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
        Server::spawn(command, directory, config, &arguments)
    }

    fn spawn(mut command: Command, directory: TempDir, config: &str, arguments: &[&str]) -> Server {
        let at = |name: &str| directory.path().join(name);
        let child = command
            .args(["serve", "--config", config])
            .arg("--ready-file")
            .arg(at("ready"))
            .args(arguments)
            .stderr(fs::File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        let ready = at("ready");
        until(|| ready.exists());
        Server { url: fs::read_to_string(ready).unwrap(), directory, child }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command of this person's, with this server and their API token in the environment.
    pub(crate) fn command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = breakglass();
        command.args(arguments).env("BREAKGLASS_URL", &self.url);
        command.env("BREAKGLASS_API_TOKEN", token_of(who));
        command
    }

    pub(crate) fn run(&self, who: &str, arguments: &[&str]) -> Ran {
        Ran::from(self.command(who, arguments).output().unwrap())
    }

    /// A new pending request of alice's.
    pub(crate) fn pending(&self) -> String {
        let arguments =
            ["request", "--scope", "orders:read", "--reason", "orders are stuck", "--again"];
        self.run("alice", &arguments).done().trim().to_owned()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop, and returns its exit code.
    pub(crate) fn stop(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        exit_code(&mut self.child)
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Stops it by this signal, and returns its directory for the next one.
    pub(crate) fn leave(mut self, signal: &str) -> TempDir {
        self.stop(signal);
        self.into_directory()
    }

    /// The directory of a server that has ended, for the next one.
    pub(crate) fn into_directory(mut self) -> TempDir {
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        fs::remove_file(directory.path().join("ready")).unwrap();
        directory
    }

    /// `GET` of this path as this person.
    pub(crate) fn get(&self, who: &str, path: &str) -> Value {
        let request = ureq::get(format!("{}{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", token_of(who)));
        let text = request.call().unwrap().into_body().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// What it printed, if it ended well.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// stdout, which must be one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Waits for the server to end by itself, and returns its exit code.
pub(crate) fn exit_code_of(server: &mut Server) -> Option<i32> {
    exit_code(&mut server.child)
}

/// Waits for the child, and returns its exit code.
pub(crate) fn exit_code(child: &mut Child) -> Option<i32> {
    let mut status = None;
    until(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap().code()
}

/// Waits until `condition` holds.
#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "out of patience");
        std::thread::sleep(Duration::from_millis(10));
    }
}
