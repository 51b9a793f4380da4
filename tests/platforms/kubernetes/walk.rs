//! docs/install/kubernetes.md from its first line: its commands as they stand, in their order, by somebody who has
//! nothing but a cluster.
//!
//! What stands in: the namespaces `payments` and `monitoring` are there, as anybody's would be; the test says of the
//! Deployment what its controller would say once the pod runs; `kubectl exec` takes a kubelet, so what it would run in
//! the pod runs here, on the files of a service with the same configuration.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
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
            assert!(mark.starts_with("sh not run: "), "a block of the walk: {mark}");
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

/// Puts what the scopes open beside the service's configuration, as in the Secret.
fn definitions(place: &TempDir) {
    let shipped = root().join("envoy/kubernetes/definitions.json");
    fs::copy(shipped, place.path().join("definitions.json")).unwrap();
}

/// What the container would do with these words, on this machine's files in place of the pod's.
fn in_the_pod(cluster: &Cluster, line: &str) {
    let (kubectl, command) = line.split_once(" -- ").unwrap();
    let (_, target) = kubectl.split_once(" exec ").unwrap();
    assert_eq!(kubectl, format!("kubectl --namespace breakglass exec {target}"));
    let [kind, name] = target.split('/').collect::<Vec<_>>()[..] else { panic!("{target}") };
    let found = cluster.kubectl(&["-n", "breakglass", "get", kind, name, "-o=json"]).json();
    let container = &found["spec"]["template"]["spec"]["containers"][0];
    let volume = TempDir::new().unwrap();
    let here = |text: &str| text.replace("/var/lib/breakglass", volume.path().to_str().unwrap());
    let config = fs::read_to_string(root().join("envoy/kubernetes/config.toml")).unwrap();
    let config = here(&config).replace("0.0.0.0:8300", "127.0.0.1:0");
    let file = volume.path().join("config.toml");
    fs::write(&file, config).unwrap();
    definitions(&volume);
    let arguments = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let mounted = "/etc/breakglass/config.toml";
    let arguments = arguments.map(|word| {
        word.replace(mounted, file.to_str().unwrap()).replace("0.0.0.0:8301", "127.0.0.1:0")
    });
    let ready = volume.path().join("ready");
    let mut service = Command::new(binary());
    service.args(arguments).arg("--ready-file").arg(&ready).stderr(Stdio::null());
    let mut service = service.spawn().unwrap();
    until("the service", || ready.exists().then_some(()));
    // The pod has its configuration where the command looks for it by itself.
    let words: Vec<String> = command.split(' ').map(here).collect();
    assert_eq!(words[0], "breakglass");
    let ran = Command::new(binary()).args(&words[1..]).arg("--config").arg(&file).output().unwrap();
    service.kill().unwrap();
    service.wait().unwrap();
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
            }
            let ran = run(&cluster, &place, step);
            let said = ["the token is in the file", "No resources found"];
            let known = ran.stderr.lines().all(|line| said.iter().any(|text| line.contains(text)));
            assert!(ran.code == 0 && known, "{}: {ran:?}", step.line);
            println!("{}{}", ran.stdout, ran.stderr);
        }
        done += 1;
    }
    assert!(done >= 18 && refused == 2, "{done} commands, {refused} of them refused");
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
    let text = fs::read_to_string(root().join("envoy/kubernetes/config.toml")).unwrap();
    let (before, rest) = text.split_once("token_sha256 = \"").unwrap();
    let ours = format!("{before}token_sha256 = \"{hex}{}", rest.get(64..).unwrap());
    let file = place.path().join("config.toml");
    fs::write(&file, ours).unwrap();
    definitions(place);
    let checked =
        Command::new(binary()).args(["serve", "--check", "--config"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
