//! The world of the tests: names, the CA that the system trusts, a registry, and the way to the approval service.

use std::fs;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};

use breakglass_tests::artefacts::{self, root};
use breakglass_tests::certificates::Authority;
use breakglass_tests::client::Answer;
use breakglass_tests::manifests::objects;
use breakglass_tests::service::Service;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::https::{Asked, serve};

/// The approval service's name.
pub(crate) const APPROVALS: &str = "approvals.breakglass.svc.cluster.local";

/// Where the approval service is, while there is one.
static SERVICE: Mutex<Option<SocketAddr>> = Mutex::new(None);

static WORLD: LazyLock<World> = LazyLock::new(World::make);

/// What all tests share.
pub(crate) struct World {
    directory: TempDir,
    pub(crate) authority: Authority,
    /// The digest of the filter's image, without `sha256:`.
    pub(crate) digest: String,
}

pub(crate) fn world() -> &'static World {
    &WORLD
}

/// The names, with `wasm` as the address of the server that hands out modules.
pub(crate) fn name_hosts(wasm: &str) {
    let hosts = format!(
        "127.0.0.1 localhost\n{wasm} envoy-gateway.envoy-gateway-system.svc.cluster.local\n\
         127.0.0.2 {APPROVALS}\n\
         127.0.0.3 registry.internal\n127.0.0.4 modules.internal\n"
    );
    fs::write("/etc/hosts", hosts).unwrap();
}

/// From now on [`APPROVALS`] is this service.
pub(crate) fn route_to(service: &Service) {
    *SERVICE.lock().unwrap() = Some(service.address());
}

/// The server, as `scripts/platforms gateway` built it.
pub(crate) fn envoy_gateway() -> PathBuf {
    let path = root().join(".cache/platforms/gateway-go/envoy-gateway");
    assert!(path.is_file(), "{} is missing: run scripts/platforms gateway", path.display());
    path
}

impl World {
    fn make() -> World {
        assert!(Path::new("/certs").is_dir(), "no namespaces: run scripts/platforms gateway");
        let directory = TempDir::new().unwrap();
        let authority = Authority::new();
        fs::write("/etc/ssl/certs/ca-certificates.crt", authority.pem()).unwrap();
        name_hosts("127.0.0.1");
        // As its pods serve proxies: by client certificates of an authority that the system does not know.
        let private = Authority::new();
        serve("127.0.0.2:8443", &private.identity(APPROVALS), Some(&private), forward);
        mount(&private);
        let layout = layout(directory.path());
        let index: Value =
            serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
        let manifest = digest.clone();
        serve("127.0.0.3:443", &authority.identity("registry.internal"), None, move |asked| {
            registry(&layout, &manifest, asked)
        });
        let versions =
            directory.path().join("data/envoy-versions").join(artefacts::envoy_version());
        fs::create_dir_all(versions.join("bin")).unwrap();
        std::os::unix::fs::symlink(artefacts::envoy(), versions.join("bin/envoy")).unwrap();
        let world = World {
            directory,
            authority,
            digest: digest.strip_prefix("sha256:").unwrap().to_owned(),
        };
        let made = Command::new(envoy_gateway())
            .args(["certgen", "--local", "--config-home"])
            .arg(world.config_home())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        for file in ["ca.crt", "tls.crt", "tls.key"] {
            fs::copy(world.certificates().join(file), Path::new("/certs").join(file)).unwrap();
        }
        world
    }

    /// Where Envoy Gateway's certificates are.
    pub(crate) fn config_home(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    /// Where it finds Envoy, in place of a download.
    pub(crate) fn data_home(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The certificates of its proxies.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.config_home().join("certs/envoy")
    }
}

/// What a kubelet mounts into the proxies' pods: the Secret of the client certificate, and what is shipped beside it.
fn mount(authority: &Authority) {
    let (certificate, key) = authority.identity("payments").pem();
    for (name, text) in [("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.pem())] {
        fs::write(Path::new("/breakglass/tls").join(name), text).unwrap();
    }
    let shipped = objects("envoy/gateway/tls.yaml").remove(0);
    for (name, text) in shipped["data"].as_object().unwrap() {
        fs::write(Path::new("/breakglass/sds").join(name), text.as_str().unwrap()).unwrap();
    }
}

/// The filter's image as `scripts/oci-layout` makes it, unpacked.
fn layout(directory: &Path) -> PathBuf {
    let (tar, layout) = (directory.join("image.tar"), directory.join("layout"));
    fs::create_dir(&layout).unwrap();
    let made = Command::new(root().join("scripts/oci-layout"))
        .arg(artefacts::filter())
        .arg(&tar)
        .arg("0.1.0")
        .env("SOURCE_DATE_EPOCH", "0")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let unpacked = Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(&layout).status().unwrap();
    assert!(unpacked.success());
    layout
}

/// What a registry answers that has one image, `breakglass-filter`, tagged `0.1.0`.
fn registry(layout: &Path, digest: &str, asked: &Asked) -> Answer {
    let rest = asked.path.trim_end_matches('/').strip_prefix("/v2").unwrap_or("/nowhere");
    if rest.is_empty() {
        return found("application/json", "", b"{}".to_vec());
    }
    let reference = match rest.strip_prefix("/breakglass-filter/manifests/") {
        Some("0.1.0") => Some(digest),
        Some(other) => Some(other),
        None => rest.strip_prefix("/breakglass-filter/blobs/"),
    };
    let blob = reference.and_then(|digest| {
        let hash = digest.strip_prefix("sha256:")?;
        Some((digest, fs::read(layout.join("blobs/sha256").join(hash)).ok()?))
    });
    match blob {
        Some((digest, bytes)) if rest.contains("/manifests/") => {
            let manifest: Value = serde_json::from_slice(&bytes).unwrap();
            found(manifest["mediaType"].as_str().unwrap(), digest, bytes)
        }
        Some((digest, bytes)) => found("application/octet-stream", digest, bytes),
        None => Answer { status: 404, ..found("application/json", "", b"{}".to_vec()) },
    }
}

fn found(kind: &str, digest: &str, body: Vec<u8>) -> Answer {
    let headers = [("content-type", kind), ("docker-content-digest", digest)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Answer { status: 200, headers: headers.into(), body }
}

/// Asks the approval service.
fn forward(asked: &Asked) -> Answer {
    let ask = || -> std::io::Result<Answer> {
        let service = SERVICE.lock().unwrap().ok_or_else(|| std::io::Error::other("none"))?;
        let mut stream = TcpStream::connect(service)?;
        stream.write_all(&asked.head)?;
        stream.write_all(&asked.body)?;
        Answer::read(&mut BufReader::new(stream), &asked.method)
    };
    ask().unwrap_or_else(|_| Answer { status: 502, headers: Vec::new(), body: Vec::new() })
}

/// The Secret of a TLS key pair.
pub(crate) fn secret(namespace: &str, name: &str, files: &[(&str, Vec<u8>)]) -> Value {
    use base64::Engine;
    let encode = |bytes: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    let data: serde_json::Map<String, Value> =
        files.iter().map(|(name, bytes)| ((*name).to_owned(), json!(encode(bytes)))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"namespace": namespace, "name": name}, "data": data})
}
