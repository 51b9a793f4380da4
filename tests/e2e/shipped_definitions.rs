//! What is shipped to be followed ends where an approver reads rules: the services' configurations name definitions, and
//! these are what `breakglass scopes import` makes of the filters' configurations beside them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use breakglass_tests::artefacts::{binary, root};
use breakglass_tests::manifests::{files, filters, objects};
use serde_json::Value;
use tempfile::TempDir;

const KUBERNETES: &str = "envoy/kubernetes";
const DEFINITIONS: &str = "envoy/kubernetes/definitions.json";

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// What the command line makes of a file.
fn imported(file: &Path) -> String {
    let ran = Command::new(binary()).args(["scopes", "import"]).arg(root().join(file)).output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}: {ran:?}", file.display());
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn the_definitions_for_kubernetes_are_what_every_shipped_filter_opens() {
    let definitions = read(DEFINITIONS);
    let mut compared = BTreeSet::new();
    for file in files("envoy") {
        if objects(&file).iter().any(|object| !filters(object).is_empty()) {
            assert_eq!(
                imported(&file),
                definitions,
                "breakglass scopes import {} >{DEFINITIONS}",
                file.display()
            );
            compared.insert(file);
        }
    }
    let followed =
        ["envoy.yaml", "gateway/envoyextensionpolicy.yaml", "istio/base/envoyfilter.yaml"];
    for file in followed.map(|name| Path::new("envoy").join(name)) {
        assert!(compared.contains(&file), "{}: {compared:?}", file.display());
    }
}

/// The service takes the configuration, which is this file or folder, with its definitions, and each scope that can be asked
/// for has one.
fn all_defined(config: &Path) {
    let mut service = Command::new(binary());
    let checked =
        service.args(["serve", "--check", "--json", "--config"]).arg(config).output().unwrap();
    assert!(checked.status.success(), "{}: {checked:?}", config.display());
    let said =
        String::from_utf8(checked.stdout).unwrap() + &String::from_utf8(checked.stderr).unwrap();
    assert!(!said.contains("definition"), "{}: {said}", config.display());
    let config = if config.is_dir() { config.join("config.toml") } else { config.to_owned() };
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("\ndefinitions = [\"definitions.json\"]\n"), "{}", config.display());
    let definitions = fs::read(config.with_file_name("definitions.json")).unwrap();
    let definitions: Value = serde_json::from_slice(&definitions).unwrap();
    let scopes: Vec<&str> = text
        .split("[[scopes]]\nname = \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let defined: Vec<&str> =
        definitions["scopes"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(scopes.iter().copied().collect::<BTreeSet<_>>(), defined.into_iter().collect());
}

#[test]
fn the_configuration_for_kubernetes_defines_each_of_its_scopes() {
    all_defined(&root().join(KUBERNETES));
}

/// The compose stack's first container, here: its folders are below a folder of the test's.
struct Prepare(TempDir);

impl Prepare {
    fn new() -> Prepare {
        let place = TempDir::new().unwrap();
        for folder in ["bin", "etc/breakglass"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        for volume in ["authority", "config", "people", "proxy"] {
            let folder = format!("var/lib/breakglass-{volume}");
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        symlink(binary(), place.path().join("bin/breakglass")).unwrap();
        Prepare(place)
    }

    /// Runs it with this configuration of the gate.
    fn run(&self, envoy: &str) {
        let place = self.0.path().display().to_string();
        fs::write(self.0.path().join("etc/breakglass/envoy.yaml"), envoy).unwrap();
        let script = read("envoy/compose/prepare.sh");
        // What the service is told is as it will be there.
        let script = script
            .replace("/var/lib/breakglass-", &format!("{place}/var/lib/breakglass-"))
            .replace(" /etc/", &format!(" {place}/etc/"));
        let mut shell = Command::new("/bin/bash");
        let ran = shell
            .args(["-c", &script])
            .env("PATH", format!("{place}/bin:/usr/bin:/bin"))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("var/lib/breakglass-config").join(name)
    }
}

#[test]
fn the_compose_stack_defines_what_its_gate_opens_at_each_start() {
    let shipped = read("envoy/envoy.yaml");
    let prepare = Prepare::new();
    prepare.run(&shipped);
    all_defined(&prepare.file("config.toml"));
    let definitions = || fs::read_to_string(prepare.file("definitions.json")).unwrap();
    assert_eq!(definitions(), read(DEFINITIONS));
    // The tokens stay, and what the scopes open is that of the gate's configuration now.
    let config = fs::read_to_string(prepare.file("config.toml")).unwrap();
    prepare.run(&shipped.replace("\"/v1/orders/{id}\"", "\"/v1/orders/{id}/notes\""));
    assert!(definitions().contains("/v1/orders/{id}/notes"), "{}", definitions());
    assert_eq!(fs::read_to_string(prepare.file("config.toml")).unwrap(), config);
    // A stack that was made before there were definitions has them from its next start on.
    let before = config.replace("definitions = [\"definitions.json\"]\n", "");
    fs::write(prepare.file("config.toml"), &before).unwrap();
    prepare.run(&shipped);
    let after = fs::read_to_string(prepare.file("config.toml")).unwrap();
    assert_eq!(after, format!("definitions = [\"definitions.json\"]\n{before}"));
    // One that was made before there was TLS too, and its people and proxies keep their tokens.
    let (plain, _) = config.split_once("\n[tls]\n").unwrap();
    let plain = plain.replace("certificate_san = \"gate-1\"\n", "");
    fs::write(prepare.file("config.toml"), format!("listen = \"0.0.0.0:8300\"\n{plain}")).unwrap();
    let certificate = || fs::read_to_string(prepare.file("tls/service.crt")).unwrap();
    let earlier = certificate();
    prepare.run(&shipped);
    assert_eq!(fs::read_to_string(prepare.file("config.toml")).unwrap(), config);
    assert_ne!(certificate(), earlier, "a start signs anew");
    all_defined(&prepare.file("config.toml"));
    // What the containers beside it see of the authority is its certificate alone.
    for volume in ["config/tls", "people", "proxy/tls"] {
        let folder = prepare.0.path().join(format!("var/lib/breakglass-{volume}"));
        assert!(folder.join("ca.crt").exists() && !folder.join("ca.key").exists(), "{volume}");
    }

    // The gate has the file of which they are made, and the service reads the folder in which they are.
    let stack = objects("envoy/docker-compose.yaml").remove(0);
    let mounts = |service: &str| stack["services"][service]["volumes"].clone();
    let has = |service: &str, mount: &str| {
        assert!(mounts(service).as_array().unwrap().iter().any(|one| one == mount), "{service}");
    };
    ["prepare", "gate"].iter().for_each(|service| {
        has(service, "./envoy.yaml:/etc/breakglass/envoy.yaml:ro");
    });
    has("prepare", "config:/var/lib/breakglass-config");
    has("approvals", "config:/var/lib/breakglass-config:ro");
}
