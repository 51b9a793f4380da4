//! `breakglass serve` with TLS: what it says at the start, and what its log says of clients that it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use breakglass_testing::service::config;

use crate::process::{Ran, Server, breakglass, until};

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a DNS name, until the begin of a year, and its key; both in PEM.
pub(crate) fn issue(authority: &Authority, name: &str, until: i32) -> (String, String) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    (parameters.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

pub(crate) fn write(
    directory: &Path,
    authority: &Authority,
    (certificate, key): (String, String),
) -> String {
    let at = |name: &str| directory.join(name);
    fs::write(at("tls.crt"), certificate).unwrap();
    fs::write(at("tls.key"), key).unwrap();
    fs::set_permissions(at("tls.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(at("ca.crt"), authority.pem()).unwrap();
    format!(
        "[tls]\ncertificate_file = \"{at}/tls.crt\"\nkey_file = \"{at}/tls.key\"\nclient_ca_file = \"{at}/ca.crt\"\n",
        at = directory.display()
    )
}

/// Asks for the feed with this certificate; what comes back, if anything.
fn ask(server: &Server, authority: &Authority, identity: (String, String)) -> String {
    feed(server, &authority.pem(), identity)
}

/// The same, for an authority in PEM.
pub(crate) fn feed(
    server: &Server,
    authority: &str,
    (certificate, key): (String, String),
) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let client =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
    let name = ServerName::try_from("approvals.test").unwrap();
    let connection = ClientConnection::new(Arc::new(client), name).unwrap();
    let stream = TcpStream::connect(server.url.strip_prefix("https://").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let mut answer = Vec::new();
    // A refused handshake ends in either of them.
    let _ =
        stream.write_all(b"GET /v1/revocations HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_log_names_the_certificates_that_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, other) = (authority(), authority());
    let tls = write(directory.path(), &ours, issue(&ours, "approvals.test", 2090));
    let proxy = "[[proxies]]\nname = \"edge\"\ncertificate_san = \"edge.test\"\n";
    let text = format!("{}\n{proxy}{tls}", config(&directory));
    let server = Server::start_with(directory, &text);
    assert!(ask(&server, &ours, issue(&ours, "edge.test", 2090)).starts_with("HTTP/1.1 200"));
    let log = || fs::read_to_string(server.path("log")).unwrap();
    // At most one a second of the handshakes: each is asked for until it is there.
    for (identity, name, what) in [
        (issue(&other, "other.test", 2090), "other.test", "refused a client certificate"),
        (issue(&ours, "expired.test", 2021), "expired.test", "refused a client certificate"),
        (
            issue(&ours, "stranger.test", 2090),
            "stranger.test",
            "refused a proxy by its client certificate",
        ),
    ] {
        until(|| {
            let answer = ask(&server, &ours, identity.clone());
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 401"), "{answer}");
            log().lines().any(|line| line.contains(name) && line.contains(what))
        });
    }
    let log = log();
    assert!(
        log.lines().any(|line| line.contains("listening") && line.contains("https://")),
        "{log}"
    );
    assert!(!log.contains("plain HTTP"), "{log}");
}

#[test]
fn plain_http_that_others_can_reach_is_an_error_in_the_log_or_a_warning_where_it_is_declared() {
    for (head, level, what) in [
        ("", "ERROR", "a later version does not start without"),
        ("insecure_http = true\n", "WARN", "insecure_http = true: API tokens"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let text = config(&directory).replace("127.0.0.1:0", "0.0.0.0:0");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("config.toml"), format!("{head}{text}")).unwrap();
        let mut command = breakglass();
        command.args(["serve", "--config"]).arg(at("config.toml"));
        command.arg("--ready-file").arg(at("ready"));
        command.stderr(fs::File::create(at("log")).unwrap());
        let mut service = command.spawn().unwrap();
        until(|| at("ready").exists());
        service.kill().unwrap();
        service.wait().unwrap();
        let log = fs::read_to_string(at("log")).unwrap();
        let said = log.lines().filter(|line| line.contains(level) && line.contains(what)).count();
        assert_eq!(said, 1, "{log}");
    }
}

#[test]
fn a_wrong_certificate_keeps_the_service_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let ours = authority();
    let tls = write(directory.path(), &ours, issue(&ours, "approvals.test", 2021));
    let file = directory.path().join("config.toml");
    fs::write(&file, format!("{}\n{tls}", config(&directory))).unwrap();
    let ran = Ran::from(breakglass().args(["serve", "--config"]).arg(&file).output().unwrap());
    assert!(
        ran.stderr.contains("tls.crt: expected a certificate that is valid now"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("expired at 2021-01-01T00:00:00Z"), "{}", ran.stderr);
    // Several listeners are not moved by an argument.
    let listeners = "[[listeners]]\naddress = \"127.0.0.1:0\"\n";
    let text = config(&directory).replace("listen = \"127.0.0.1:0\"\n", "");
    fs::write(&file, format!("{text}\n{listeners}")).unwrap();
    let mut command = breakglass();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
    let ran = Ran::from(command.output().unwrap());
    assert!(ran.stderr.contains("--listen: "), "{}", ran.stderr);
}
