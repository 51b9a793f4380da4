//! A container engine of the tests' own: Debian's dockerd, in the namespaces that `namespace` makes. It has no registry:
//! the image comes from its file.

use std::env;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use breakglass_tests::wait::until_within;
use serde_json::Value;

/// In memory, and gone with the namespaces.
pub(crate) const PLACE: &str = "/mnt";

/// The address by which containers reach the tests: that of the engine's bridge.
pub(crate) const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 30, 0, 1));

/// What the engine calls the image.
pub(crate) const IMAGE: &str = "breakglass:tested";

/// How long the engine may take to start: a second where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The engine, with the image in it. It ends with the namespaces, which end with the tests.
static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::start);

/// A container engine.
pub(crate) struct Engine(());

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// What it printed, without the last line end.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout.trim_end().to_owned()
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// The image as a file: what `scripts/platforms image` names in `BREAKGLASS_IMAGE`.
pub(crate) fn file() -> PathBuf {
    let path = env::var_os("BREAKGLASS_IMAGE").map(PathBuf::from);
    path.filter(|path| path.is_file()).expect("BREAKGLASS_IMAGE: run scripts/platforms image")
}

/// The one engine.
pub(crate) fn engine() -> &'static Engine {
    &ENGINE
}

impl Engine {
    fn start() -> Engine {
        let place = Path::new(PLACE);
        let log = place.join("dockerd.log");
        let at = |name: &str| place.join(name).display().to_string();
        let output = File::create(&log).unwrap();
        let mut daemon = Command::new("/usr/sbin/dockerd")
            .args(["--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("docker.pid"), "--host", &socket()])
            .args(["--bip", &format!("{GATEWAY}/16")])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let engine = Engine(());
        until_within(PATIENCE, "dockerd", || {
            let ended = daemon.try_wait().unwrap();
            let log = || fs::read_to_string(&log).unwrap();
            assert!(ended.is_none(), "dockerd ended with {ended:?}:\n{}", log());
            (engine.docker(&["version"]).code == Some(0)).then_some(())
        });
        // Debian's engine loads docker's own form alone.
        let loadable = at("image.tar");
        let mut copy = Command::new("skopeo");
        copy.args(["--insecure-policy", "--tmpdir", &at("tmp"), "copy", "--quiet"]);
        copy.arg(format!("oci-archive:{}", file().display()));
        run(copy.arg(format!("docker-archive:{loadable}:{IMAGE}"))).done();
        engine.docker(&["load", "--quiet", "--input", &loadable]).done();
        engine
    }

    /// Runs docker to its end.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("/usr/bin/docker");
        run(command.env("DOCKER_HOST", socket()).env("HOME", PLACE).args(arguments))
    }

    /// Runs the image's program to its end, as a Kubernetes Job would that asks for nothing: not root, a root directory
    /// that cannot be written, no capability, no volume.
    pub(crate) fn program(&self, options: &[&str], arguments: &[&str]) -> Ran {
        let confined = [
            "run",
            "--rm",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
        ];
        self.docker(&[&confined[..], options, &[IMAGE], arguments].concat())
    }

    /// What the engine knows of a container or an image.
    pub(crate) fn inspect(&self, name: &str) -> Value {
        self.docker(&["inspect", name]).json()[0].take()
    }

    /// The address of a running container.
    pub(crate) fn address(&self, container: &str) -> IpAddr {
        let found = self.inspect(container);
        found["NetworkSettings"]["IPAddress"].as_str().unwrap().parse().unwrap()
    }
}

fn socket() -> String {
    format!("unix://{PLACE}/docker.sock")
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
