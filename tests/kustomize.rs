//! What `kubectl kustomize` makes of the kustomizations in `envoy/` is what the end-to-end tests take
//! for it: `scripts/test kustomize`. It takes a kubectl, and no cluster.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breakglass_tests::artefacts::root;
use breakglass_tests::manifests::{files, kustomization, read};
use serde_json::{Value, json};

/// The objects by kind and name: kubectl has an order of its own.
type Objects = BTreeMap<(String, String), Value>;

fn by_name(objects: Vec<Value>) -> Objects {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let key = |object: &Value| (text(&object["kind"]), text(&object["metadata"]["name"]));
    let count = objects.len();
    let named: Objects = objects.into_iter().map(|object| (key(&object), object)).collect();
    assert_eq!(named.len(), count, "two objects have one name");
    named
}

fn kubectl(folder: &str) -> Objects {
    let program = std::env::var("BREAKGLASS_KUBECTL").unwrap_or("kubectl".to_owned());
    let output = Command::new(&program).arg("kustomize").arg(root().join(folder)).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program}: {error}: install kubectl, or name it in BREAKGLASS_KUBECTL")
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    by_name(read(&String::from_utf8(output.stdout).unwrap()).unwrap())
}

#[test]
fn kubectl_makes_of_every_kustomization_what_the_tests_drive() {
    let mut compared = 0;
    for file in files("envoy").iter().filter(|file| file.ends_with("kustomization.yaml")) {
        let folder = file.parent().unwrap().to_str().unwrap();
        // The service's is compared below: it makes a Secret as well, as in a mesh.
        if !["envoy/kubernetes", "envoy/kubernetes-mesh"].contains(&folder) {
            let ours = by_name(kustomization(folder));
            assert_eq!(kubectl(folder), ours, "{folder}");
            compared += ours.len();
        }
    }
    // Of base, sidecar and three gateways each an EnvoyFilter and three policies; with parameters for the
    // Gateway API's and the waypoint, which has a policy more, and by themselves; and the alternatives.
    let istio = 5 * 4 + 2 * 5 + 1 + 1 + 3;
    assert_eq!(
        compared,
        istio + 5 + 5 + 1,
        "with those of both admission policies and of monitoring"
    );
}

#[test]
fn kubectl_makes_the_secret_and_names_it_in_the_deployment() {
    let base = "envoy/kubernetes";
    for folder in [base, "envoy/kubernetes-mesh"] {
        makes_the_secret(
            folder,
            [("config.toml", base), ("listeners.toml", folder), ("definitions.json", base)],
        );
    }
}

/// The Secret of a kustomization is made of these files, each of its folder.
fn makes_the_secret(folder: &str, files: [(&str, &str); 3]) {
    let mut theirs = kubectl(folder);
    let secrets: Vec<_> = theirs.keys().filter(|(kind, _)| kind == "Secret").cloned().collect();
    let [secret] = &secrets[..] else { panic!("{secrets:?}") };
    let made = theirs.remove(secret).unwrap();
    assert_eq!(made["data"].as_object().unwrap().len(), 3);
    for (name, from) in files {
        let file = fs::read(root().join(from).join(name)).unwrap();
        // It stands in lines there, which decode as one.
        let data = made["data"][name].as_str().unwrap().replace('\n', "");
        assert_eq!(STANDARD.decode(data).unwrap(), file);
    }
    assert_eq!(made["metadata"]["namespace"], "breakglass");
    let hash = secret.1.strip_prefix("approvals-config-").unwrap();
    assert_eq!(hash.len(), 10, "{}", secret.1);
    let mut ours = by_name(kustomization(folder));
    let deployment = ours.get_mut(&("Deployment".to_owned(), "approvals".to_owned())).unwrap();
    let volumes = deployment.pointer_mut("/spec/template/spec/volumes").unwrap();
    let volume =
        volumes.as_array_mut().unwrap().iter_mut().find(|volume| volume["name"] == "config");
    volume.unwrap()["secret"]["secretName"] = json!(secret.1);
    assert_eq!(theirs, ours);
}
