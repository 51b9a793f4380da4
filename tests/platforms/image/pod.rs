//! The pod of envoy/kubernetes/deployment.yaml in a container engine: each member of its template becomes what a kubelet
//! would ask the engine for, and a member that is not known here fails the test. The volumes are made as a kubelet
//! leaves them.

use std::fs::{self, DirBuilder, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use breakglass_tests::artefacts::root;
use breakglass_tests::certificates::Authority;
use breakglass_tests::client::{Answer, Request, get};
use breakglass_tests::manifests::objects;
use breakglass_tests::wait::until_within;
use serde_json::Value;

use crate::engine::{Engine, IMAGE, PLACE, Ran, engine};

/// How long the service may take to start: a moment where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who asks, in envoy/kubernetes/config.toml.
pub(crate) const ALICE: &str = "alice@example.com";

/// Who approves there.
pub(crate) const BOB: &str = "bob@example.com";

/// Whose credential the proxies have there.
pub(crate) const PROXY: &str = "payments";

/// Who holds a token by envoy/kubernetes/config.toml, in its order.
const HOLDERS: [&str; 3] = [ALICE, BOB, PROXY];

/// What is in the Secret `approvals-config`.
const CONFIGURATION: [&str; 3] = ["config.toml", "listeners.toml", "definitions.json"];

/// What is in the Secret `approvals-tls`.
const CERTIFICATE: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

/// The names of the service's certificate: [`Authority::send`] asks for the first, the command line for the others.
const NAMES: [&str; 7] = [
    "gate.internal",
    "127.0.0.1",
    "approvals",
    "approvals.breakglass",
    "approvals.breakglass.svc",
    "approvals.breakglass.svc.cluster.local",
    "*.internal",
];

/// A running pod. Dropping it removes its container.
pub(crate) struct Pod {
    container: String,
    place: PathBuf,
    template: Value,
    tokens: Vec<String>,
    authority: Authority,
}

/// The pod's template.
pub(crate) fn template() -> Value {
    objects("envoy/kubernetes/deployment.yaml").remove(0)["spec"]["template"]["spec"].take()
}

impl Pod {
    /// Starts the shipped pod and waits until its startup probe is content.
    pub(crate) fn start() -> Pod {
        Pod::start_with(template())
    }

    /// The same with a template that was changed.
    pub(crate) fn start_with(template: Value) -> Pod {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let place = PathBuf::from(format!("{PLACE}/pod-{number}"));
        folder(&place, 0o755);
        let tokens = configure(&place);
        let authority = certify(&place);
        let options = options(&template, &place);
        let mut words = vec!["run".to_owned(), "--detach".to_owned()];
        words.extend(options);
        words.push(IMAGE.to_owned());
        words.extend(strings(&template["containers"][0]["args"]));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let container = engine().docker(&words).done();
        let pod = Pod { container, place, template, tokens, authority };
        until_within(PATIENCE, "the service", || {
            let state = pod.engine().inspect(&pod.container)["State"].take();
            assert_eq!(state["Running"], true, "it ended: {state}\n{}", pod.log());
            pod.probe("startupProbe").filter(|answer| answer.status == 200)
        });
        pod
    }

    fn engine(&self) -> &'static Engine {
        engine()
    }

    /// The container's id.
    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// The claimed volume, as the node sees it.
    pub(crate) fn volume(&self) -> PathBuf {
        self.place.join("data")
    }

    /// What the service logged.
    pub(crate) fn log(&self) -> String {
        self.engine().docker(&["logs", &self.container]).stderr
    }

    /// Where the pod's port with this name listens.
    pub(crate) fn port(&self, name: &str) -> SocketAddr {
        let ports = self.template["containers"][0]["ports"].as_array().unwrap();
        let port = ports.iter().find(|port| port["name"] == name).expect("a port with that name");
        let port = u16::try_from(port["containerPort"].as_u64().unwrap()).unwrap();
        SocketAddr::new(self.engine().address(&self.container), port)
    }

    /// The answer to one of the pod's probes, asked with TLS where a kubelet would; `None` where the port refuses the
    /// connection.
    pub(crate) fn probe(&self, name: &str) -> Option<Answer> {
        let ask = &self.template["containers"][0][name]["httpGet"];
        let request = get(ask["path"].as_str().unwrap());
        assert_eq!(ask["scheme"], "HTTPS");
        let to = self.port(ask["port"].as_str().unwrap());
        TcpStream::connect(to).ok()?;
        Some(self.authority.send(&request, to, None))
    }

    /// The credential of one of them.
    pub(crate) fn token(&self, holder: &str) -> &str {
        let index = HOLDERS.iter().position(|name| *name == holder).expect("one of the holders");
        &self.tokens[index]
    }

    /// A request of one of them to the service.
    pub(crate) fn send(&self, holder: &str, request: Request) -> Answer {
        let credential = format!("Bearer {}", self.token(holder));
        let request = request.header("authorization", credential);
        if holder == PROXY {
            let certificate = self.authority.identity(PROXY);
            return self.authority.send(&request, self.port("proxies"), Some(&certificate));
        }
        self.authority.send(&request, self.port("api"), None)
    }

    /// What a client is told of the service: its URL at this host, and the authority, in a file that is mounted.
    pub(crate) fn options(&self, host: &str) -> Vec<String> {
        let authority = self.place.join("authority").display().to_string();
        vec![
            format!("--env=BREAKGLASS_URL=https://{host}:{}", self.port("api").port()),
            "--env=BREAKGLASS_CA_FILE=/authority/ca.crt".to_owned(),
            format!("--volume={authority}:/authority:ro"),
        ]
    }

    /// Runs a program in the pod, as `kubectl exec` does.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Ran {
        self.engine().docker(&[&["exec", &self.container], arguments].concat())
    }

    /// The command line in the pod, as a person.
    pub(crate) fn exec_as(&self, person: &str, arguments: &[&str]) -> Ran {
        self.exec_with(person, &[], arguments)
    }

    /// The same, with more options of the engine.
    pub(crate) fn exec_with(&self, person: &str, more: &[&str], arguments: &[&str]) -> Ran {
        let url = format!("BREAKGLASS_URL=https://127.0.0.1:{}", self.port("api").port());
        let credential = format!("BREAKGLASS_API_TOKEN={}", self.token(person));
        let trusted = "BREAKGLASS_CA_FILE=/etc/breakglass-tls/ca.crt";
        let environment = ["--env", &url, "--env", &credential, "--env", trusted];
        let words = [&["exec"], &environment[..], more, &[&self.container, "breakglass"]].concat();
        self.engine().docker(&[&words[..], arguments].concat())
    }

    /// Ends it as a kubelet does (SIGTERM, and SIGKILL when the pod's grace period is over): its exit code.
    pub(crate) fn stop(&self) -> i64 {
        let grace = self.template["terminationGracePeriodSeconds"].to_string();
        self.engine().docker(&["stop", "--time", &grace, &self.container]).done();
        self.engine().inspect(&self.container)["State"]["ExitCode"].as_i64().unwrap()
    }

    /// Starts it on the same volumes, where it will not serve: its exit code.
    pub(crate) fn start_in_vain(&self) -> i64 {
        self.engine().docker(&["start", &self.container]).done();
        self.engine().docker(&["wait", &self.container]).done().parse().unwrap()
    }

    /// Starts it again on the same volumes.
    pub(crate) fn start_again(&self) {
        self.engine().docker(&["start", &self.container]).done();
        until_within(PATIENCE, "the service", || {
            self.probe("startupProbe").filter(|answer| answer.status == 200)
        });
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- the service's log ---\n{}", self.log());
        }
        self.engine().docker(&["rm", "--force", "--volumes", &self.container]);
    }
}

/// Makes the configuration of the shipped one, with tokens that the image's program makes: the tokens.
fn configure(place: &Path) -> Vec<String> {
    let mut tokens = Vec::new();
    for name in CONFIGURATION {
        let shipped = root().join("envoy/kubernetes").join(name);
        let mut text = fs::read_to_string(shipped).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for example in lines.iter().filter(|line| line.starts_with("token_sha256")) {
            let made = engine().program(&[], &["keygen", "api-token", "--json"]).json();
            let digest = made["token_sha256"].as_str().unwrap();
            text = text.replace(example, &format!("token_sha256 = \"{digest}\""));
            tokens.push(made["token"].as_str().unwrap().to_owned());
        }
        fs::write(place.join(name), text).unwrap();
    }
    assert_eq!(tokens.len(), HOLDERS.len());
    tokens
}

/// Makes what the Secret `approvals-tls` holds, and a folder with what its clients trust: the authority of both.
fn certify(place: &Path) -> Authority {
    let authority = Authority::new();
    let (certificate, key) = authority.server(&NAMES).pem();
    for (name, text) in CERTIFICATE.iter().zip([certificate, key, authority.pem()]) {
        fs::write(place.join(name), text).unwrap();
    }
    folder(&place.join("authority"), 0o755);
    fs::write(place.join("authority/ca.crt"), authority.pem()).unwrap();
    authority
}

/// Fails where an object has a member that is not listed here.
fn known(object: &Value, members: &[&str]) {
    for member in object.as_object().unwrap().keys() {
        assert!(members.contains(&&**member), "{member}: what would a kubelet do with it?");
    }
}

/// What the engine is asked for.
fn options(template: &Value, place: &Path) -> Vec<String> {
    known(
        template,
        &[
            "automountServiceAccountToken",
            "containers",
            "securityContext",
            "serviceAccountName",
            "terminationGracePeriodSeconds",
            "volumes",
        ],
    );
    let container = &template["containers"][0];
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
    let others = ["args", "image", "name", "ports", "resources", "securityContext", "volumeMounts"];
    known(container, &[&others[..], &probes].concat());
    let mut options = Vec::new();
    let mut add = |words: &[&str]| options.extend(words.iter().map(|word| (*word).to_owned()));
    let mut group = None;
    for (member, value) in template["securityContext"].as_object().unwrap() {
        match member.as_str() {
            "runAsUser" => {
                let user = &template["securityContext"]["runAsGroup"];
                add(&["--user", &format!("{value}:{user}")]);
            }
            "fsGroup" => {
                add(&["--group-add", &value.to_string()]);
                group = value.as_u64().map(|group| u32::try_from(group).unwrap());
            }
            "runAsNonRoot" => assert_ne!(template["securityContext"]["runAsUser"], 0),
            // The engine's own profile, unless it is asked for another.
            "seccompProfile" => assert_eq!(value["type"], "RuntimeDefault"),
            "runAsGroup" => {}
            "fsGroupChangePolicy" => assert_eq!(value, "OnRootMismatch"),
            other => panic!("securityContext.{other}: what would a kubelet do with it?"),
        }
    }
    for (member, value) in container["securityContext"].as_object().unwrap() {
        match member.as_str() {
            "allowPrivilegeEscalation" if *value == false => {
                add(&["--security-opt", "no-new-privileges"]);
            }
            "readOnlyRootFilesystem" if *value == true => add(&["--read-only"]),
            "readOnlyRootFilesystem" => {}
            "capabilities" => {
                strings(&value["drop"]).iter().for_each(|name| add(&["--cap-drop", name]))
            }
            other => panic!("a container's securityContext.{other}: {value}"),
        }
    }
    let limits = &container["resources"]["limits"];
    let memory = limits["memory"].as_str().unwrap().strip_suffix("Mi").unwrap();
    add(&["--memory", &format!("{memory}m"), "--cpus", limits["cpu"].as_str().unwrap()]);
    let group = group.expect("fsGroup");
    for mount in container["volumeMounts"].as_array().unwrap() {
        let (name, at) = (mount["name"].as_str().unwrap(), mount["mountPath"].as_str().unwrap());
        let volumes = template["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == name).unwrap();
        let here = place.join(name);
        if volume["emptyDir"]["medium"] == "Memory" {
            let size =
                volume["emptyDir"]["sizeLimit"].as_str().unwrap().strip_suffix("Mi").unwrap();
            add(&[
                "--tmpfs",
                &format!("{at}:rw,exec,nosuid,nodev,mode=2777,gid={group},size={size}m"),
            ]);
            continue;
        } else if volume["persistentVolumeClaim"].is_object() {
            claimed(&here, group);
        } else if volume["secret"].is_object() {
            let mode = u32::try_from(volume["secret"]["defaultMode"].as_u64().unwrap()).unwrap();
            let names = match volume["secret"]["secretName"].as_str() {
                Some("approvals-config") => CONFIGURATION,
                Some("approvals-tls") => CERTIFICATE,
                other => panic!("a Secret that is not known: {other:?}"),
            };
            secret(&here, place, &names, group, mode);
        } else {
            panic!("a volume that is not known: {volume}");
        }
        let access = if mount["readOnly"] == true { "ro" } else { "rw" };
        add(&["--volume", &format!("{}:{at}:{access}", here.display())]);
    }
    options
}

/// A new volume's ext4, after the kubelet has given it to the group.
fn claimed(at: &Path, group: u32) {
    folder(at, 0o2775);
    folder(&at.join("lost+found"), 0o2770);
    for path in [at, &at.join("lost+found")] {
        chown(path, Some(0), Some(group)).unwrap();
        // A change of the owner takes the bit from the mode.
        let mode = if path == at { 0o2775 } else { 0o2770 };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
}

/// A Secret as the kubelet writes it: links to a folder that it can replace in one step.
fn secret(at: &Path, from: &Path, names: &[&str], group: u32, mode: u32) {
    let folders = [at.to_owned(), at.join("..2026_11_26_00_00_00.1")];
    for path in &folders {
        folder(path, 0o2755);
        chown(path, Some(0), Some(group)).unwrap();
    }
    symlink("..2026_11_26_00_00_00.1", at.join("..data")).unwrap();
    for name in names {
        let file = folders[1].join(name);
        fs::copy(from.join(name), &file).unwrap();
        chown(&file, Some(0), Some(group)).unwrap();
        // A kubelet lets the group read the files of a read-only volume, whatever its `defaultMode`.
        fs::set_permissions(&file, Permissions::from_mode(mode | 0o440)).unwrap();
        symlink(format!("..data/{name}"), at.join(name)).unwrap();
    }
}

fn folder(at: &Path, mode: u32) {
    DirBuilder::new().mode(mode).create(at).unwrap();
    fs::set_permissions(at, Permissions::from_mode(mode)).unwrap();
}

/// A list of words.
fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}
