//! The service's image is what the Deployment asks for: the user, the program and its folders. `scripts/platforms image`
//! starts it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use breakglass_tests::artefacts::{binary, root};
use breakglass_tests::manifests::objects;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Makes the image and returns its configuration, and of each file in it what `tar` says: mode, owner, name.
fn image() -> (Value, BTreeMap<String, String>) {
    let folder = TempDir::new().unwrap();
    let make = |name: &str| {
        let out = folder.path().join(name);
        let mut script = Command::new(root().join("scripts/oci-layout"));
        script.arg("--service").arg(binary()).arg(&out).arg("0.1.0").env("SOURCE_DATE_EPOCH", "1");
        let ran = script.output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        fs::read(out).unwrap()
    };
    assert!(make("one.tar") == make("two.tar"), "the same bytes from the same file");
    let unpack =
        Command::new("tar").args(["-xf", "one.tar"]).current_dir(&folder).status().unwrap();
    assert!(unpack.success());
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
        folder.path().join("blobs").join(digest)
    };
    let read = |path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let index = read(folder.path().join("index.json"));
    let manifest = read(blob(&index["manifests"][0]));
    let list =
        Command::new("tar").args(["-tvzf"]).arg(blob(&manifest["layers"][0])).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let files = list.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[5].trim_end_matches('/').to_owned(), format!("{} {}", words[0], words[1]))
    });
    (read(blob(&manifest["config"])), files.collect())
}

#[test]
fn the_image_is_what_the_deployment_asks_for() {
    let (config, files) = image();
    let template = objects("envoy/kubernetes/deployment.yaml").remove(0)["spec"]["template"].take();
    let pod = &template["spec"];
    let security = &pod["securityContext"];
    let user = format!("{}:{}", security["runAsUser"], security["runAsGroup"]);
    assert_eq!(config["config"]["User"], json!(user));
    let container = &pod["containers"][0];
    // The arguments are those of the image's program.
    assert!(container["command"].is_null());
    let entrypoint = config["config"]["Entrypoint"][0].as_str().unwrap();
    let program = entrypoint.trim_start_matches('/');
    assert_eq!(files[program], "-rwxr-xr-x 0/0");
    // `kubectl exec deployment/approvals -- breakglass ..` finds it.
    assert_eq!(
        config["config"]["Env"],
        json!([format!("PATH={}", entrypoint.trim_end_matches("/breakglass"))])
    );
    let ports = container["ports"].as_array().unwrap();
    let ports = ports.iter().map(|port| (format!("{}/tcp", port["containerPort"]), json!({})));
    assert_eq!(config["config"]["ExposedPorts"], Value::Object(ports.collect()));
    assert_eq!(files["tmp"], "drwxrwxrwt 0/0");
    assert_eq!(files["var/lib/breakglass"], "drwx------ 65532/65532");
    let writable: Vec<&str> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mount| mount["readOnly"] != true)
        .map(|mount| mount["mountPath"].as_str().unwrap())
        .collect();
    assert_eq!(writable, ["/var/lib/breakglass", "/tmp"]);
    // No shell, no library, nothing that is not named here.
    let names: Vec<&str> =
        files.keys().map(String::as_str).filter(|name| files[*name].starts_with('-')).collect();
    assert_eq!(names, ["etc/group", "etc/passwd", "usr/local/bin/breakglass"]);
}
