//! A network of its own for each test: the test runs again in namespaces of users, processes, mounts and networks,
//! in which it may do everything and touches nothing of the machine. It takes no root where the kernel lets users
//! make namespaces. Whatever is started there ends with the test.
//!
//! ```text
//!   the test, the control plane, the clients   10.1.0.1 on a bridge
//!     |-- pod payments-1 ..                    10.1.0.10: its processes, its /etc, inbound capture to 15006
//!     |-- pod gateway-1 ..                     10.1.1.1: the same without capture
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::{env, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Set in the process that runs inside: the name of the test.
const INSIDE: &str = "BREAKGLASS_ISTIO_INSIDE";

/// Set by people who want what is run where there are no namespaces.
const WITHOUT: &str = "BREAKGLASS_ISTIO_WITHOUT_NAMESPACES";

/// What a namespace of each kind takes.
const UNSHARE: [&str; 8] = [
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

/// Where the test, the control plane and the clients are.
pub(crate) const HERE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// Why there are no namespaces here, or `None` where there are.
pub(crate) fn missing() -> Option<&'static str> {
    static MISSING: LazyLock<Option<String>> = LazyLock::new(|| {
        if env::var_os(WITHOUT).is_some() {
            return Some(format!("{WITHOUT} is set"));
        }
        match Command::new("unshare").args(UNSHARE).arg("true").output() {
            Err(error) => Some(format!("unshare: {error}: apt-get install util-linux")),
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(format!(
                "{}: allow it (sysctl -w kernel.unprivileged_userns_clone=1, or run it as root outside of a \
                 container)",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    });
    MISSING.as_deref()
}

/// Runs the body of the test of this name in namespaces of its own; says what is not tested where there are none.
///
/// # Panics
/// When the body does, or when `test` is not the name of the test.
pub(crate) fn inside(test: &str, body: impl FnOnce()) {
    if env::var(INSIDE).is_ok_and(|inside| inside == test) {
        set_up();
        return body();
    }
    if let Some(missing) = missing() {
        // Not by `println!`, which a test that passes prints nothing of.
        let _ = writeln!(
            io::stderr(),
            "NOT TESTED: {test}: pilot-agent, its SDS, inbound capture and the network between proxies take \
             namespaces of users, and there are none: {missing}. `plain::` loads what istiod generates into a \
             plain Envoy."
        );
        return;
    }
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env(INSIDE, test);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    println!("{stdout}");
    assert!(
        output.status.success(),
        "{test} inside of its namespaces: {}\n{stderr}",
        output.status
    );
    assert!(stdout.contains("test result: ok. 1 passed"), "there is no test {test}");
}

/// The bridge that the pods are plugged into. Nothing outside is reached from here, no DNS either.
fn set_up() {
    let script = format!(
        "command -v ip >/dev/null || {{ echo 'ip is missing: apt-get install iproute2' >&2; exit 1; }}
         ip link set lo up
         ip link add br0 type bridge
         ip addr add {HERE}/16 dev br0
         ip link set br0 up"
    );
    shell(Command::new("sh"), &script);
}

/// Runs a script to its end.
///
/// # Panics
/// When one of its commands fails: the message is what it said.
pub(crate) fn shell(mut shell: Command, script: &str) {
    // Administrators' programs are not in everybody's path.
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output = shell.args(["-ec", script]).env("PATH", path).stdin(Stdio::null()).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{said}");
}

/// The namespaces of a pod, for as long as the test runs: what a kubelet's sandbox is.
pub(crate) struct Sandbox {
    /// The one that holds them.
    pub(crate) process: Child,
}

impl Sandbox {
    /// Makes one with an address on the bridge.
    pub(crate) fn new(ip: Ipv4Addr) -> Sandbox {
        let mut pause = Command::new("unshare");
        pause.args(["--net", "--mount", "sh", "-c", "echo; exec sleep infinity"]);
        let mut pause = pause.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(pause.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "a sandbox");
        let process = pause.id();
        let link = format!("pod{process}");
        let script = format!(
            "ip link add {link} type veth peer name eth0 netns {process}
             ip link set {link} master br0 up"
        );
        shell(Command::new("sh"), &script);
        let sandbox = Sandbox { process: pause };
        let script = format!(
            "ip link set lo up
             ip addr add {ip}/16 dev eth0
             ip link set eth0 up
             ip route add default via {HERE}"
        );
        shell(sandbox.command(Path::new("/"), "sh"), &script);
        sandbox
    }

    /// A command that will run in it, in a folder.
    pub(crate) fn command(&self, folder: &Path, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--mount", "--target", &self.process.id().to_string(), "--"]);
        // Whoever enters a namespace of mounts is in its root folder.
        command.args(["env", "--chdir"]).arg(folder).arg(program);
        command
    }

    /// Does something in its network: a socket that is made there stays there.
    pub(crate) fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.process.id())).unwrap();
        thread::scope(|scope| {
            // A thread of its own, which takes the namespace along when it ends.
            let inside = scope.spawn(move || {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(network.as_fd(), kind).unwrap();
                action()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Sockets of the test's keep the network, and its address must be free for the next pod.
        let unplug = format!("PATH=$PATH:/usr/sbin:/sbin ip link del pod{}", self.process.id());
        let _ = Command::new("sh").args(["-c", &unplug]).stderr(Stdio::null()).status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_pod_is_reached_over_the_bridge() {
    inside("driven::namespaces::a_pod_is_reached_over_the_bridge", || {
        let ip = Ipv4Addr::new(10, 1, 0, 77);
        let sandbox = Sandbox::new(ip);
        let listener = sandbox.within(|| std::net::TcpListener::bind(("0.0.0.0", 80)).unwrap());
        let _connection = std::net::TcpStream::connect((ip, 80)).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), HERE);
        assert!(std::net::TcpListener::bind((ip, 0)).is_err(), "its address is not ours");
    });
}
