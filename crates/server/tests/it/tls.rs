//! A service that speaks TLS, authorities for it, and clients: what the tests of TLS share.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use breakglass_server::connections::Limits;
use breakglass_server::listeners::Listeners;
use breakglass_server::server::serve_within;
use breakglass_testing::service::{START, Service, config, token_of};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name of the service in its certificates.
pub(crate) const NAME: &str = "approvals.test";

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An authority of certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pem: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.issue_for(name, 2020, 2090)
    }

    /// A certificate for a DNS name or URI, valid from the begin of a year to that of another.
    pub(crate) fn issue_for(&self, name: &str, from: i32, to: i32) -> Identity {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.subject_alt_names = vec![san(name.try_into().unwrap())];
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Identity {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

fn san(name: rcgen::string::Ia5String) -> SanType {
    if name.as_str().contains("://") { SanType::URI(name) } else { SanType::DnsName(name) }
}

impl Identity {
    pub(crate) fn sha256(&self) -> String {
        Sha256::digest(&self.certificate).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The files of a service, and who made them.
pub(crate) struct Files {
    pub(crate) directory: TempDir,
    pub(crate) authority: Authority,
}

impl Files {
    pub(crate) fn new() -> Files {
        let files = Files {
            directory: tempfile::tempdir().unwrap(),
            authority: Authority::new("an authority"),
        };
        files.serve(&files.authority.issue(NAME));
        files.trust(&files.authority);
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The certificate of the service is this one from now on.
    pub(crate) fn serve(&self, identity: &Identity) {
        self.write("tls.crt", &identity.pem);
        self.write("tls.key", &identity.key);
    }

    /// Clients are certified by this authority from now on.
    pub(crate) fn trust(&self, authority: &Authority) {
        self.write("clients.crt", &authority.pem());
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        // Whole, as certificates are replaced.
        let part = self.path("part");
        fs::write(&part, text).unwrap();
        fs::set_permissions(&part, Permissions::from_mode(0o600)).unwrap();
        fs::rename(part, self.path(name)).unwrap();
    }

    /// The fields of `tls`, with these after them.
    pub(crate) fn tls(&self, more: &str) -> String {
        format!(
            "certificate_file = \"{at}/tls.crt\"\nkey_file = \"{at}/tls.key\"\n{more}\n",
            at = self.directory.path().display()
        )
    }

    /// Those with client certificates.
    pub(crate) fn mutual(&self, more: &str) -> String {
        self.tls(&format!(
            "client_ca_file = \"{}/clients.crt\"\n{more}",
            self.directory.path().display()
        ))
    }

    /// A client that trusts the authority.
    pub(crate) fn client(&self, identity: Option<&Identity>) -> ClientConfig {
        self.client_of(identity, rustls::ALL_VERSIONS)
    }

    pub(crate) fn client_of(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![identity.certificate.clone()], key).unwrap()
            }
        }
    }
}

/// The service on sockets of its own.
pub(crate) struct Listening {
    pub(crate) service: Service,
    pub(crate) urls: Vec<String>,
    _stop: oneshot::Sender<()>,
    _server: JoinHandle<std::io::Result<()>>,
}

impl Listening {
    /// With `head` before the tables of the configuration that all tests share, and `tail` after them.
    pub(crate) async fn start(head: &str, tail: &str) -> Listening {
        Listening::start_within(Limits::new(1000, None), head, tail).await
    }

    pub(crate) async fn start_within(limits: Limits, head: &str, tail: &str) -> Listening {
        let directory = tempfile::tempdir().unwrap();
        let text = configuration(&directory, head, tail);
        let service = Service::start_with(directory, &text, START).await;
        let listeners = service.app.config().resolved_listeners();
        let listeners = Listeners::open(&service.app, listeners).await.unwrap();
        let urls = listeners.urls().into_iter().map(str::to_owned).collect();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve_within(limits, service.app.clone(), listeners, async {
            let _ = stopped.await;
        }));
        Listening { service, urls, _stop: stop, _server: server }
    }

    pub(crate) fn address(&self, listener: usize) -> SocketAddr {
        let (_, address) = self.urls[listener].split_once("://").unwrap();
        address.parse().unwrap()
    }

    /// A handshake with a listener, and then what the client asks.
    pub(crate) async fn ask(
        &self,
        client: &ClientConfig,
        request: &str,
    ) -> std::io::Result<Answer> {
        let mut stream = self.connect(client).await?;
        exchange(&mut stream, request).await
    }

    pub(crate) async fn connect(
        &self,
        client: &ClientConfig,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.address(0), client).await
    }

    /// What an auditor is told of the first listener's TLS.
    pub(crate) async fn health(&self) -> Value {
        self.service.get("grace", "/healthz?detail=1").await.ok()["tls"][0].clone()
    }

    /// The same, once it is so.
    pub(crate) async fn until(&self, what: impl Fn(&Value) -> bool) -> Value {
        let start = tokio::time::Instant::now();
        loop {
            let health = self.health().await;
            if what(&health) {
                return health;
            }
            assert!(start.elapsed() < PATIENCE, "{health}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

pub(crate) fn configuration(directory: &TempDir, head: &str, tail: &str) -> String {
    let text = config(directory);
    // A table must not come before the fields of the whole.
    let text = if head.contains("listeners = ") || tail.contains("[[listeners]]") {
        text.replace("listen = \"127.0.0.1:0\"\n", "")
    } else {
        text
    };
    format!("{head}\n{text}\n{tail}")
}

pub(crate) async fn connect(
    address: SocketAddr,
    client: &ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(client.clone())).connect(name, stream).await
}

/// A status, and the body.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) u16, pub(crate) Value);

/// A request of `who`, or of no one.
pub(crate) fn request(who: Option<&str>, method: &str, path: &str, body: &Value) -> String {
    let credential =
        who.map(|who| format!("authorization: Bearer {}\r\n", token_of(who))).unwrap_or_default();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {NAME}\r\n{credential}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What a proxy asks most.
pub(crate) fn feed(who: Option<&str>) -> String {
    request(who, "GET", "/v1/revocations", &Value::Null)
}

/// Sends a request, and reads its answer by its length: the connection stays open.
pub(crate) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
) -> std::io::Result<Answer> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut read = Vec::new();
    loop {
        if let Some(answer) = answer(&read) {
            return Ok(answer);
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            length => read.extend_from_slice(&part[..length]),
        }
    }
}

fn answer(read: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(read).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    if body.len() < length.parse().unwrap() {
        return None;
    }
    let status = head.split(' ').nth(1)?.parse().unwrap();
    Some(Answer(status, serde_json::from_str(body).unwrap_or(json!(body))))
}
