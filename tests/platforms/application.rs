//! Applications and clients as child processes: what `scripts/platforms` fetched into `.cache/platforms`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use breakglass_tests::artefacts::root;
use breakglass_tests::client::{Answer, get};
pub(crate) use breakglass_tests::ports::free_port;
use breakglass_tests::processes::Processes;
use breakglass_tests::wait::until_within;
use tempfile::TempDir;

/// How long an application may take to start: Erlang takes seven seconds where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long a client may take, in seconds; then it is ended, and counts as one that was not content.
const CLIENT_PATIENCE_S: u32 = 60;

/// A running application. Dropping it kills its processes.
pub(crate) struct Application {
    /// Dropped before the folder with their log.
    processes: Processes,
    directory: TempDir,
    address: SocketAddr,
}

/// How a client ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Whether it was content.
    pub(crate) success: bool,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it said to people.
    pub(crate) stderr: String,
}

impl Application {
    /// A place for one, on a free port, with a folder of its own; nothing runs yet.
    pub(crate) fn new() -> Application {
        let directory = TempDir::new().unwrap();
        Application {
            processes: Processes::new("the application", directory.path().join("log")),
            directory,
            address: format!("127.0.0.1:{}", free_port()).parse().unwrap(),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A place in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a program in its folder until the end, with nothing of the tests' environment.
    pub(crate) fn spawn(&mut self, program: impl AsRef<Path>, set_up: impl FnOnce(&mut Command)) {
        let mut command = clean(Path::new("setpriv"), self.directory.path());
        // It ends when the tests do, however that is, and its children with it.
        command.args(["--pdeathsig", "KILL"]).arg(program.as_ref());
        set_up(&mut command);
        let spawned = self.processes.spawn(&mut command);
        spawned.unwrap_or_else(|error| panic!("{}: {error}", program.as_ref().display()));
    }

    /// Waits until it answers this request well.
    pub(crate) fn until_ready(&mut self, path: &str, headers: &[(&str, &str)]) {
        until_within(PATIENCE, "the application", || {
            let ended = self.processes.ended();
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.log());
            let request =
                headers.iter().fold(get(path).host("127.0.0.1"), |request, (name, value)| {
                    request.header(name, value)
                });
            request.try_send(self.address).ok().filter(|answer| answer.status < 400)
        });
    }

    /// What its processes logged so far.
    pub(crate) fn log(&self) -> String {
        self.processes.log()
    }

    /// Asks it without the gate.
    pub(crate) fn ask(&self, request: &breakglass_tests::client::Request) -> Answer {
        request.send(self.address)
    }

    /// Runs a client to its end, in the application's folder.
    pub(crate) fn client(
        &self,
        program: impl AsRef<Path>,
        set_up: impl FnOnce(&mut Command),
    ) -> Ran {
        self.client_within(CLIENT_PATIENCE_S, program, set_up)
    }

    /// The same, for one that may take so many seconds.
    pub(crate) fn client_within(
        &self,
        patience_s: u32,
        program: impl AsRef<Path>,
        set_up: impl FnOnce(&mut Command),
    ) -> Ran {
        let mut command = clean(Path::new("timeout"), self.directory.path());
        command.arg(patience_s.to_string()).arg(program.as_ref());
        set_up(&mut command);
        let output = command.output();
        let output =
            output.unwrap_or_else(|error| panic!("{}: {error}", program.as_ref().display()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            success: output.status.success(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Runs one of the Python clients beside these tests.
    pub(crate) fn python_client(&self, script: &str, arguments: &[&str]) -> Ran {
        let script = root().join("tests/platforms/clients").join(script);
        self.client(python(), |command| {
            // No cache of compiled files beside the scripts.
            command.arg("-B").arg(script).args(arguments);
        })
    }
}

impl Ran {
    /// What it printed.
    pub(crate) fn done(self) -> String {
        assert!(self.success, "{self:?}");
        self.stdout
    }
}

/// A program with a folder for a home and the usual path, and nothing else of an environment.
fn clean(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("LANG", "C.UTF-8");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    // The suites of protocols do without Debian's packages, and may be there alone.
    command.env("LD_LIBRARY_PATH", cache().join("debian/usr/lib").join(libraries()));
    command.current_dir(home).stdin(Stdio::null());
    command
}

/// Where Debian has libraries on this machine.
fn libraries() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

/// A file of Debian's packages.
pub(crate) fn debian(path: &str) -> PathBuf {
    fetched(&format!("debian/{path}"))
}

/// The Python that has the packages of `tests/platforms/requirements.txt`.
pub(crate) fn python() -> PathBuf {
    fetched("python/bin/python")
}

/// One of the Go programs that `tests/platforms/protocols/go.mod` pins.
pub(crate) fn built(program: &str) -> PathBuf {
    fetched(&format!("go/{program}"))
}

/// The Python that has the packages of `tests/platforms/protocols/requirements.txt`.
pub(crate) fn protocols_python() -> PathBuf {
    fetched("protocols-python/bin/python")
}

/// The runner of Autobahn's cases.
pub(crate) fn kosoku() -> PathBuf {
    fetched("protocols-python/bin/kosoku")
}

fn cache() -> PathBuf {
    root().join(".cache/platforms")
}

fn fetched(path: &str) -> PathBuf {
    let path = cache().join(path);
    assert!(path.exists(), "{} is missing: run scripts/platforms", path.display());
    path
}
