//! verdaccio, an npm registry, and npm as its client.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Application, ReservedPort};
use crate::artefacts;
use crate::client::request;

/// Everybody may read, publish and remove: what is refused, the gate refuses.
const CONFIGURATION: &str = "
storage: ./storage
auth: {htpasswd: {file: ./htpasswd}}
uplinks: {}
packages:
  '**': {access: $all, publish: $all, unpublish: $all}
log: {type: stdout, format: json, level: fatal}
";

/// Starts a registry without packages.
///
/// # Panics
/// When it does not start, or `scripts/fetch-applications` has not fetched it.
#[must_use]
pub fn start() -> Application {
    let directory = TempDir::new().unwrap();
    let configuration = directory.path().join("config.yaml");
    fs::write(&configuration, CONFIGURATION).unwrap();
    let port = ReservedPort::new();
    let mut command = Command::new("node");
    command.arg("--no-warnings").arg(artefacts::verdaccio()).arg("--config").arg(configuration);
    command.args(["--listen", &port.address().to_string()]);
    Application::start(command, directory, port, "/-/ping")
}

/// Publishes version 1.0.0 of a package whose description and README are `text`, and whose archive is `archive`.
///
/// # Panics
/// When the registry does not take it.
pub fn publish(registry: &Application, name: &str, text: &str, archive: &[u8]) {
    let file = format!("{name}-1.0.0.tgz");
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, archive);
    let sum: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let version = json!({"name": name, "version": "1.0.0", "description": text, "readme": text,
        "dist": {"shasum": sum, "tarball": format!("http://registry.internal/{name}/-/{file}")}});
    let package = json!({"_id": name, "name": name, "description": text, "readme": text,
        "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
        "_attachments": {file: {"content_type": "application/octet-stream",
            "data": BASE64_STANDARD.encode(archive), "length": archive.len()}}});
    let target = format!("/{}", name.replace('/', "%2f"));
    let put = request("PUT", target).header("content-type", "application/json");
    let answer = registry.send(&put.body(package.to_string()));
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// npm, with a home and a project of its own, and the registry at an address.
pub struct Npm {
    directory: TempDir,
    registry: SocketAddr,
}

impl Npm {
    /// npm as its users set it up: with the token in `.npmrc`.
    ///
    /// # Panics
    /// When there is no place for its files.
    #[must_use]
    pub fn new(registry: SocketAddr, token: Option<&str>) -> Npm {
        let directory = TempDir::new().unwrap();
        let mut settings = format!("registry=http://{registry}/\nfetch-retries=0\n");
        for quiet in ["audit", "fund", "update-notifier", "progress"] {
            settings.push_str(&format!("{quiet}=false\n"));
        }
        if let Some(token) = token {
            settings.push_str(&format!("//{registry}/:_authToken={token}\n"));
        }
        fs::write(directory.path().join(".npmrc"), settings).unwrap();
        fs::create_dir(directory.path().join("project")).unwrap();
        fs::write(directory.path().join("project/package.json"), "{}").unwrap();
        Npm { directory, registry }
    }

    /// Where its project is.
    #[must_use]
    pub fn project(&self) -> std::path::PathBuf {
        self.directory.path().join("project")
    }

    /// Runs npm in its project.
    ///
    /// # Panics
    /// When there is no npm.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("npm");
        command.args(arguments).current_dir(self.project()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.directory.path());
        command.output().unwrap_or_else(|error| panic!("npm runs: {error}"))
    }

    /// Runs npm and reads the JSON that it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert!(ran.status.success(), "npm {arguments:?} at {}: {ran:?}", self.registry);
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// Runs npm, which fails and says this.
    ///
    /// # Panics
    /// When it does not.
    pub fn fails(&self, arguments: &[&str], saying: &str) {
        let ran = self.run(arguments);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && said.contains(saying), "npm {arguments:?}: {ran:?}");
    }

    /// Packs a package of this name: the archive that `npm publish` would send.
    ///
    /// # Panics
    /// When npm fails.
    #[must_use]
    pub fn pack(&self, name: &str) -> Vec<u8> {
        let source = self.directory.path().join("source");
        fs::create_dir_all(&source).unwrap();
        let package = json!({"name": name, "version": "1.0.0", "main": "index.js"});
        fs::write(source.join("package.json"), package.to_string()).unwrap();
        fs::write(source.join("index.js"), "module.exports = 1;\n").unwrap();
        let packed = self.json(&["pack", "../source"]);
        let file = packed[0]["filename"].as_str().expect("a file");
        fs::read(self.project().join(Path::new(file))).unwrap()
    }
}
