//! An API server and its etcd as child processes, and kubectl: what `scripts/platforms kubernetes` put into
//! `.cache/platforms`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use breakglass_tests::artefacts::{binary, root};
use breakglass_tests::ports::free_port;
use breakglass_tests::wait::until_within;
use rcgen::KeyPair;
use serde_json::Value;
use tempfile::TempDir;

/// How long it may take until the API server is ready: four seconds where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The credential of the administrator.
const ADMIN: &str = "admin-token";

/// A running API server. Dropping it kills it.
///
/// It is started by the thread that uses it: it ends when that does, however that is.
pub(crate) struct Cluster {
    processes: Vec<(&'static str, Child)>,
    directory: TempDir,
    /// Those that were made: two tests may ask for the same one.
    namespaces: Mutex<BTreeSet<String>>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// What it printed, where it is content and warned of nothing.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert!(
            self.code == 0 && self.stderr.is_empty(),
            "{} {}{}",
            self.code,
            self.stdout,
            self.stderr
        );
        self.stdout
    }

    /// The object or list that it printed.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.done()).unwrap()
    }

    /// What it said to people, where it was refused.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_ne!(self.code, 0, "it was not refused: {}{}", self.stdout, self.stderr);
        self.stderr
    }
}

impl Cluster {
    /// Starts one for several tests, in a `static`: it ends with the process, however that is, and its folder goes then.
    pub(crate) fn for_the_process() -> Cluster {
        let (give, take) = mpsc::channel();
        // A process dies with the thread that started it, and the thread of a test ends with the test.
        thread::spawn(move || {
            let _ = give.send(Cluster::start());
            loop {
                thread::park();
            }
        });
        let cluster = take.recv().expect("the API server did not start: see above");
        removed_at_the_end(cluster.directory.path());
        cluster
    }

    /// Starts one without definitions beside Kubernetes' own, and waits until it is ready.
    pub(crate) fn start() -> Cluster {
        let mut cluster = Cluster {
            processes: Vec::new(),
            directory: TempDir::new().unwrap(),
            namespaces: Mutex::default(),
        };
        let [client, peer, secure] = [(); 3].map(|()| free_port());
        let http = |port: u16| format!("http://127.0.0.1:{port}");
        let etcd = cached("kubernetes-etcd", "usr/bin/etcd");
        cluster.spawn(
            "etcd",
            &etcd,
            &[
                "--data-dir",
                &cluster.path("etcd"),
                "--listen-client-urls",
                &http(client),
                "--advertise-client-urls",
                &http(client),
                "--listen-peer-urls",
                &http(peer),
                "--initial-advertise-peer-urls",
                &http(peer),
                "--initial-cluster",
                &format!("default={}", http(peer)),
            ],
        );
        let pair = KeyPair::generate().unwrap();
        fs::write(cluster.path("service-accounts.key"), pair.serialize_pem()).unwrap();
        fs::write(cluster.path("service-accounts.pub"), pair.public_key_pem()).unwrap();
        fs::write(cluster.path("tokens"), format!("{ADMIN},admin,admin,system:masters\n")).unwrap();
        let (key, public) =
            (cluster.path("service-accounts.key"), cluster.path("service-accounts.pub"));
        let tokens = cluster.path("tokens");
        let apiserver = cached("kubernetes", "kube-apiserver");
        cluster.spawn(
            "kube-apiserver",
            &apiserver,
            &[
                &format!("--etcd-servers={}", http(client)),
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                &format!("--secure-port={secure}"),
                &format!("--cert-dir={}", cluster.path("certificates")),
                "--service-account-issuer=https://kubernetes.default.svc",
                &format!("--service-account-key-file={public}"),
                &format!("--service-account-signing-key-file={key}"),
                "--service-cluster-ip-range=10.96.0.0/16",
                &format!("--token-auth-file={tokens}"),
                "--authorization-mode=RBAC",
                "--endpoint-reconciler-type=none",
                "--anonymous-auth=false",
            ],
        );
        let certificate = cluster.path("certificates/apiserver.crt");
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: 'https://127.0.0.1:{secure}', \
             certificate-authority: '{certificate}'}}}}]\n\
             users: [{{name: admin, user: {{token: {ADMIN}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]\n"
        );
        fs::write(cluster.path("kubeconfig"), config).unwrap();
        until_within(PATIENCE, "the API server", || {
            for (name, process) in &mut cluster.processes {
                let ended = process.try_wait().unwrap();
                let log = cluster.directory.path().join(format!("{name}.log"));
                let log = || fs::read_to_string(&log).unwrap();
                assert!(
                    ended.is_none(),
                    "{name} ended with {ended:?}:
{}",
                    log()
                );
            }
            // kubectl costs more than a look.
            TcpStream::connect(("127.0.0.1", secure)).ok()?;
            let ready = cluster.kubectl(&["get", "--raw", "/readyz"]).stdout == "ok";
            // It makes these by itself, a moment after that.
            let there =
                || cluster.kubectl(&["get", "namespace", "kube-system", "default"]).code == 0;
            (ready && there()).then_some(())
        });
        cluster
    }

    /// A place in its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn spawn(&mut self, name: &'static str, program: &Path, arguments: &[&str]) {
        let log = File::create(self.path(&format!("{name}.log"))).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(arguments).env_clear();
        command.env("HOME", self.directory.path()).env("PATH", "/usr/bin:/bin");
        // A fifth of the processor for some memory, of which there is enough.
        command.env("GOGC", "400");
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        self.processes.push((name, child));
    }

    /// kubectl, in the root of the repository.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.kubectl_given(arguments, "")
    }

    /// The same, with an object or any text at its standard input.
    pub(crate) fn kubectl_given(&self, arguments: &[&str], input: impl AsRef<str>) -> Ran {
        let mut command = Command::new(kubectl());
        command.args(arguments);
        self.run(command, input.as_ref())
    }

    /// A line in a shell that has kubectl and breakglass, in the root of the repository.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let mut command = Command::new("/bin/bash");
        command.args(["-ec", line]);
        self.run(command, "")
    }

    fn run(&self, mut command: Command, input: &str) -> Ran {
        let tools = self.directory.path().join("bin");
        if fs::create_dir(&tools).is_ok() {
            for (name, program) in [("kubectl", kubectl()), ("breakglass", binary())] {
                std::os::unix::fs::symlink(program, tools.join(name)).unwrap();
            }
        }
        command.current_dir(root()).env_clear().env("HOME", self.directory.path());
        command.env("KUBECONFIG", self.path("kubeconfig"));
        // kubectl is gone before it has anything to collect.
        command.env("GOGC", "off");
        command.env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that reads nothing closes it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Makes a namespace, if it is not there.
    pub(crate) fn namespace(&self, name: &str) {
        // A test that failed leaves no name of a namespace that was not made.
        let mut made = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        if made.contains(name) {
            return;
        }
        // What is applied may have brought it.
        if self.kubectl(&["get", "namespace", name]).code != 0 {
            let namespace =
                format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
            self.kubectl_given(&["apply", "-f", "-"], namespace).done();
        }
        made.insert(name.to_owned());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, process) in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A file that `scripts/platforms kubernetes` fetched or built.
pub(crate) fn cached(part: &str, file: &str) -> PathBuf {
    let path = root().join(".cache/platforms").join(part).join(file);
    assert!(path.exists(), "{} is missing: run scripts/platforms kubernetes", path.display());
    path
}

fn kubectl() -> PathBuf {
    cached("kubernetes", "kubectl")
}

/// Removes a folder once this process has ended: what is in a `static` is not dropped.
fn removed_at_the_end(folder: &Path) {
    // `cat` goes on until this process has closed the pipe; then etcd may write for a moment more.
    let script = "cat; for try in 1 2 3 4 5; do rm -rf \"$1\" && exit; sleep 0.2; done";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(folder).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let child = command.spawn().expect("a shell");
    // Its pipe stays open.
    std::mem::forget(child);
}
