//! docs/install/kubernetes.md from its first line: its commands as they stand, in their order, by somebody who has
//! nothing but a cluster.
//!
//! What stands in: the namespaces `payments` and `monitoring` are there, as anybody's would be; the test says of the
//! Deployment what its controller would say once the pod runs; `kubectl exec` takes a kubelet, so what it would run in
//! the pod runs here, beside a service with the files of the Secrets that the cluster has.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use breakglass_tests::artefacts::{binary, root};
use breakglass_tests::wait::{until, until_within};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::{Cluster, Ran};
use crate::definitions::define_all;

/// How long the API server may take to know a new policy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a block asks for.
struct Step {
    line: String,
    is_refused: bool,
}

/// The commands of the document that a test can run, one each.
fn steps() -> Vec<Step> {
    let text = fs::read_to_string(root().join("docs/install/kubernetes.md")).unwrap();
    let mut found = Vec::new();
    for block in text.split("\n```").skip(1).step_by(2) {
        let (mark, text) = block.split_once('\n').unwrap();
        let is_refused = mark == "sh kubernetes refused";
        if is_refused {
            found.push(Step { line: text.to_owned(), is_refused });
        } else if ["sh kubernetes", "sh run"].contains(&mark) {
            let lines = text.lines().map(|line| Step { line: line.to_owned(), is_refused });
            found.extend(lines);
        } else {
            let of_others = mark.starts_with("sh not run: ") || mark == "yaml cert-manager";
            assert!(of_others, "a block of the walk: {mark}");
        }
    }
    found
}

/// A place with what the documents name, where files can be left.
fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    symlink(root().join("envoy"), place.path().join("envoy")).unwrap();
    place
}

/// What the Deployment's controller says once its pods are there and ready.
fn rolled_out(cluster: &Cluster) {
    let get = ["-n", "breakglass", "get", "deployment", "approvals", "-o=json"];
    let generation = cluster.kubectl(&get).json()["metadata"]["generation"].take();
    let status = json!({"status": {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1,
        "readyReplicas": 1, "availableReplicas": 1}});
    let status = status.to_string();
    let patch = ["-n", "breakglass", "patch", "deployment", "approvals", "--subresource=status"];
    cluster.kubectl(&[&patch[..], &["--type=merge", "-p", &status]].concat()).done();
}

/// The service of the Deployment that the cluster has, on this machine: what its Secrets hold is in files below a folder.
/// Dropping it kills it.
struct Served {
    folder: TempDir,
    service: Child,
}

impl Served {
    fn start(cluster: &Cluster, target: &str) -> Served {
        let [kind, name] = target.split('/').collect::<Vec<_>>()[..] else { panic!("{target}") };
        let found = cluster.kubectl(&["-n", "breakglass", "get", kind, name, "-o=json"]).json();
        let template = &found["spec"]["template"]["spec"];
        let (container, folder) = (&template["containers"][0], TempDir::new().unwrap());
        fs::create_dir_all(folder.path().join("var/lib/breakglass")).unwrap();
        for mount in container["volumeMounts"].as_array().unwrap() {
            let volumes = template["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
            let Some(secret) = volume["secret"]["secretName"].as_str() else { continue };
            let at = here(&folder, mount["mountPath"].as_str().unwrap());
            fs::create_dir_all(&at).unwrap();
            let held = cluster.kubectl(&["-n", "breakglass", "get", "secret", secret, "-o=json"]);
            for (name, data) in held.json()["data"].as_object().unwrap() {
                let bytes = STANDARD.decode(data.as_str().unwrap()).unwrap();
                let file = Path::new(&at).join(name);
                match String::from_utf8(bytes) {
                    Ok(text) if name.ends_with(".toml") => fs::write(&file, here(&folder, &text)),
                    Ok(text) => fs::write(&file, text),
                    Err(error) => panic!("{name}: {error}"),
                }
                .unwrap();
                let mode = volume["secret"]["defaultMode"].as_u64().unwrap();
                let mode = Permissions::from_mode(u32::try_from(mode).unwrap());
                fs::set_permissions(&file, mode).unwrap();
            }
        }
        let arguments = container["args"].as_array().unwrap().iter();
        let arguments = arguments.map(|word| here(&folder, word.as_str().unwrap()));
        let (ready, log) = (folder.path().join("ready"), folder.path().join("log"));
        let mut command = Command::new(binary());
        command.args(arguments).arg("--ready-file").arg(&ready);
        command.stderr(fs::File::create(&log).unwrap());
        let mut served = Served { service: command.spawn().unwrap(), folder };
        until("the service", || {
            let ended = served.service.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap());
            ready.exists().then_some(())
        });
        served
    }

    /// Its URLs, by its log.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.service.kill().unwrap();
        self.service.wait().unwrap();
    }
}

/// A text with the pod's folders and addresses, with those of this machine.
fn here(folder: &TempDir, text: &str) -> String {
    let at = folder.path().display();
    let text = text.replace("/var/lib/breakglass", &format!("{at}/var/lib/breakglass"));
    let text = text.replace("/etc/breakglass", &format!("{at}/etc/breakglass"));
    ["8300", "8301", "8443"]
        .iter()
        .fold(text, |text, port| text.replace(&format!("0.0.0.0:{port}"), "127.0.0.1:0"))
}

/// What the container would do with these words, on this machine's files in place of the pod's.
fn in_the_pod(cluster: &Cluster, line: &str) {
    let (kubectl, command) = line.split_once(" -- ").unwrap();
    let (_, target) = kubectl.split_once(" exec ").unwrap();
    assert_eq!(kubectl, format!("kubectl --namespace breakglass exec {target}"));
    let served = Served::start(cluster, target);
    let words: Vec<String> = command.split(' ').map(|word| here(&served.folder, word)).collect();
    assert_eq!(words[0], "breakglass");
    let ran = Command::new(binary()).args(&words[1..]).output().unwrap();
    assert!(ran.status.success(), "{line}: {ran:?}");
    let files = String::from_utf8(ran.stdout).unwrap();
    assert!(files.contains("before-0.2.0/approvals.db"), "{files}");
}

fn run(cluster: &Cluster, place: &TempDir, step: &Step) -> Ran {
    cluster.shell(&format!("cd {}\n{}", place.path().display(), step.line))
}

#[test]
fn the_document_can_be_followed_from_its_first_line() {
    let cluster = Cluster::start();
    define_all(&cluster);
    ["payments", "monitoring"].iter().for_each(|name| cluster.namespace(name));
    let (place, steps) = (place(), steps());
    let (mut done, mut refused) = (0, 0);
    for step in &steps {
        println!("$ {}", step.line);
        if step.line.contains(" exec ") {
            in_the_pod(&cluster, &step.line);
        } else if step.is_refused {
            // A policy is known a moment after it was made.
            until_within(PATIENCE, "the policies", || {
                let ran = run(&cluster, &place, step);
                ran.stderr.contains("ValidatingAdmissionPolicy 'breakglass-").then_some(())
            });
            refused += 1;
        } else {
            if step.line.contains("rollout status") {
                rolled_out(&cluster);
                // It speaks TLS to all but Prometheus, by the Secret that the document has made.
                let log = Served::start(&cluster, "deployment/approvals").log();
                assert_eq!(log.matches("https://").count(), 2, "{log}");
            }
            let ran = run(&cluster, &place, step);
            let said = ["the token is in the file", "No resources found", "valid until "];
            let known = ran.stderr.lines().all(|line| said.iter().any(|text| line.contains(text)));
            assert!(ran.code == 0 && known, "{}: {ran:?}", step.line);
            println!("{}{}", ran.stdout, ran.stderr);
        }
        done += 1;
    }
    assert!(done >= 22 && refused == 2, "{done} commands, {refused} of them refused");
    the_secret_holds_the_token(&cluster, &place);
}

/// The filter's secret is the token byte for byte, and its digest is what the configuration takes.
fn the_secret_holds_the_token(cluster: &Cluster, place: &TempDir) {
    let get = ["-n", "payments", "get", "secret", "breakglass-proxy", "-o=json"];
    let secret: Value = cluster.kubectl(&get).json();
    let token = STANDARD.decode(secret["data"]["token"].as_str().unwrap()).unwrap();
    assert_eq!(token, fs::read(place.path().join("proxy.token")).unwrap());
    assert!(token.iter().all(u8::is_ascii_graphic), "no line end: {token:?}");
    let hex: String =
        digest(&SHA256, &token).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let text = fs::read_to_string(root().join("envoy/kubernetes/listeners.toml")).unwrap();
    let (before, rest) = text.split_once("token_sha256 = \"").unwrap();
    let ours = format!("{before}token_sha256 = \"{hex}{}", rest.get(64..).unwrap());
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("listeners.toml"), ours).unwrap();
    for name in ["config.toml", "definitions.json"] {
        let shipped = root().join("envoy/kubernetes").join(name);
        fs::copy(shipped, folder.path().join(name)).unwrap();
    }
    let mut check = Command::new(binary());
    let checked = check.args(["serve", "--check", "--config"]).arg(folder.path()).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
