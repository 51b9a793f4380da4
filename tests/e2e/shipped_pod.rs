//! The approval service with what the pods of envoy/kubernetes and envoy/kubernetes-mesh give it: the configuration, and the
//! Secret `approvals-tls` as a kubelet mounts it. Its probes are asked as the template says, and proxies and people where
//! they are served.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use breakglass_tests::artefacts::{binary, root};
use breakglass_tests::certificates::Authority;
use breakglass_tests::client::{Answer, Request, get};
use breakglass_tests::manifests::kustomization;
use breakglass_tests::ports::free_port;
use breakglass_tests::processes::Processes;
use breakglass_tests::wait::until;
use serde_json::Value;
use tempfile::TempDir;

/// The names of a certificate by which the service is reached: [`Authority::send`] asks for the first.
const NAMES: [&str; 3] = ["gate.internal", "approvals.breakglass.svc", "127.0.0.1"];

/// A running service. Dropping it kills it.
struct Pod {
    _service: Processes,
    folder: TempDir,
    template: Value,
    /// The ports of the template and those in their place.
    ports: Vec<(u16, u16)>,
}

impl Pod {
    /// Starts the pod of a kustomization with this Secret.
    fn start(kustomized: &str, authority: &Authority) -> Pod {
        let folder = TempDir::new().unwrap();
        let at = folder.path().display().to_string();
        let shipped = kustomization(kustomized);
        let deployment = shipped.into_iter().find(|object| object["kind"] == "Deployment");
        let mut deployment = deployment.unwrap();
        let template = deployment["spec"]["template"]["spec"].take();
        let container = &template["containers"][0];
        let ports = container["ports"].as_array().unwrap();
        let ports: Vec<(u16, u16)> = ports
            .iter()
            .map(|port| (port["containerPort"].as_u64().unwrap().try_into().unwrap(), free_port()))
            .collect();
        let here = |text: &str| {
            let text = ["/etc/breakglass", "/var/lib/breakglass"]
                .iter()
                .fold(text.to_owned(), |text, path| text.replace(path, &format!("{at}{path}")));
            ports.iter().fold(text, |text, (port, ours)| {
                text.replace(&format!("0.0.0.0:{port}"), &format!("127.0.0.1:{ours}"))
            })
        };
        for path in ["etc/breakglass", "etc/breakglass-tls", "var/lib/breakglass"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        let base = "envoy/kubernetes";
        let files =
            [(base, "config.toml"), (kustomized, "listeners.toml"), (base, "definitions.json")];
        for (from, name) in files {
            let text = fs::read_to_string(root().join(from).join(name)).unwrap();
            fs::write(folder.path().join("etc/breakglass").join(name), here(&text)).unwrap();
        }
        let mut service = Processes::new("the service", folder.path().join("log"));
        let mut command = Command::new(binary());
        command.args(
            container["args"].as_array().unwrap().iter().map(|word| here(word.as_str().unwrap())),
        );
        let pod = |service| Pod {
            _service: service,
            folder,
            template: template.clone(),
            ports: ports.clone(),
        };
        if mounts(&template, "approvals-tls") {
            mount(&Path::new(&at).join("etc/breakglass-tls"), authority, "1");
        }
        service.spawn(&mut command).unwrap();
        pod(service)
    }

    /// Where the port with this name of the template is.
    fn port(&self, name: &str) -> SocketAddr {
        let ports = self.template["containers"][0]["ports"].as_array().unwrap();
        let port =
            ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"].as_u64();
        let (_, ours) =
            self.ports.iter().find(|(port_of, _)| Some(u64::from(*port_of)) == port).unwrap();
        SocketAddr::from(([127, 0, 0, 1], *ours))
    }

    /// The status of a probe, asked with the scheme, port and path of the template.
    fn probe(&self, name: &str, authority: &Authority) -> u16 {
        let ask = &self.template["containers"][0][name]["httpGet"];
        let (request, to) =
            (get(ask["path"].as_str().unwrap()), self.port(ask["port"].as_str().unwrap()));
        match ask["scheme"].as_str() {
            Some("HTTPS") => authority.send(&request, to, None).status,
            None => request.send(to).status,
            Some(other) => panic!("{name}: {other}"),
        }
    }

    fn until_started(&self) {
        let port = self.port("api");
        until("the service", || std::net::TcpStream::connect(port).ok());
    }
}

/// Whether the template mounts this Secret.
fn mounts(template: &Value, secret: &str) -> bool {
    let volumes = template["volumes"].as_array().unwrap();
    let of = volumes.iter().find(|volume| volume["secret"]["secretName"] == secret);
    let mounts = template["containers"][0]["volumeMounts"].as_array().unwrap();
    of.is_some_and(|volume| mounts.iter().any(|mount| mount["name"] == volume["name"]))
}

/// Puts a new certificate of the authority there as a kubelet does: files in a folder of their own, to which one link leads
/// that is replaced.
fn mount(at: &Path, authority: &Authority, version: &str) {
    let (certificate, key) = authority.server(&NAMES).pem();
    let folder = at.join(format!("..{version}"));
    fs::create_dir(&folder).unwrap();
    for (name, text) in [("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.pem())] {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o440)).unwrap();
        if !at.join(name).is_symlink() {
            symlink(format!("..data/{name}"), at.join(name)).unwrap();
        }
    }
    symlink(folder.file_name().unwrap(), at.join("..data_tmp")).unwrap();
    fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
}

const PROBES: [(&str, &str); 3] =
    [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")];

#[test]
fn it_answers_its_probes_with_tls_and_behind_a_sidecar_without() {
    for (folder, scheme) in
        [("envoy/kubernetes", Value::from("HTTPS")), ("envoy/kubernetes-mesh", Value::Null)]
    {
        let authority = Authority::new();
        let pod = Pod::start(folder, &authority);
        pod.until_started();
        for (probe, path) in PROBES {
            let ask = &pod.template["containers"][0][probe]["httpGet"];
            assert_eq!((&ask["scheme"], &ask["path"]), (&scheme, &Value::from(path)), "{folder}");
            assert_eq!(pod.probe(probe, &authority), 200, "{folder}: {probe}");
        }
        // Prometheus has no credential, and asks for nothing else.
        assert_eq!(get("/metrics").send(pod.port("metrics")).status, 200, "{folder}");
    }
}

/// A poll of the feed, without an API token.
fn poll() -> Request {
    get("/v1/revocations?after=0")
}

#[test]
fn a_proxy_is_known_by_the_name_in_its_client_certificate() {
    let authority = Authority::new();
    let pod = Pod::start("envoy/kubernetes", &authority);
    pod.until_started();
    let (people, proxies) = (pod.port("api"), pod.port("proxies"));
    let send = |request: &Request, name: &str| -> Answer {
        authority.send(request, proxies, Some(&authority.identity(name)))
    };
    assert_eq!(send(&poll(), "payments").status, 200);
    assert_eq!(send(&poll(), "orders").status, 401);
    // Each caller is served at one of the two.
    let refused = [404, 405];
    assert!(refused.contains(&authority.send(&poll(), people, None).status));
    assert!(refused.contains(&send(&get("/v1/requests"), "payments").status));
    // Plain HTTP is understood at neither.
    for to in [people, proxies] {
        assert!(get("/healthz").try_send(to).is_err(), "{to}");
    }
}

#[test]
fn a_renewed_secret_is_served_without_a_restart() {
    let (before, after) = (Authority::new(), Authority::new());
    let pod = Pod::start("envoy/kubernetes", &before);
    pod.until_started();
    let trusted = |authority: &Authority| {
        let file = pod.folder.path().join("trusted.crt");
        fs::write(&file, authority.pem()).unwrap();
        let mut command = Command::new(binary());
        command.args(["scopes", "--ca-file"]).arg(&file).env("BREAKGLASS_API_TOKEN", "no-one's");
        command.env("BREAKGLASS_URL", format!("https://{}", pod.port("api")));
        let ran = command.output().unwrap();
        // The service is believed, and does not know the token.
        String::from_utf8_lossy(&ran.stderr).contains("credential_unknown")
    };
    assert!(trusted(&before) && !trusted(&after));
    mount(&pod.folder.path().join("etc/breakglass-tls"), &after, "2");
    until("the renewed certificate", || trusted(&after).then_some(()));
    assert!(!trusted(&before));
    // The authority of client certificates is of the same Secret.
    let payments = after.identity("payments");
    assert_eq!(after.send(&poll(), pod.port("proxies"), Some(&payments)).status, 200);
}
