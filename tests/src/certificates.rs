//! Certificates: of clients, for tests of tokens that are bound to one (RFC 8705), and of workloads
//! in a mesh.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use ring::digest::{SHA256, digest};
use rustls::client::WantsClientCert;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned};

use crate::client::{Answer, Request, connect};
use crate::keys::base64url;

/// The name that the gate's certificate has.
pub(crate) const GATE: &str = "gate.internal";

/// An authority that certifies the gate and its clients.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    /// Makes one.
    ///
    /// # Panics
    /// Never: the parameters are constant.
    #[must_use]
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Another name than rcgen's usual, which its certificates have too, and than any other authority's: BoringSSL
        // takes the first of two with one name.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("the tests' authority {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    /// Certifies a name.
    ///
    /// # Panics
    /// When `name` is not a DNS name.
    #[must_use]
    pub fn identity(&self, name: &str) -> Identity {
        self.server(&[name])
    }

    /// Certifies several names and addresses.
    ///
    /// # Panics
    /// When one is neither a DNS name nor an IP address.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }

    /// Certifies a workload by its SPIFFE id, as a mesh's authority does.
    ///
    /// # Panics
    /// When `id` is not a URI.
    #[must_use]
    pub fn workload(&self, id: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(SanType::URI(id.try_into().unwrap()));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }

    /// Certifies a name, until the begin of a year.
    ///
    /// # Panics
    /// When `name` is not a DNS name.
    #[must_use]
    pub fn identity_until(&self, name: &str, year: i32) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }

    /// Its own certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Writes what an Envoy listener needs: `ca.pem`, `gate.pem`, `gate.key`.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn write(&self, directory: &Path) {
        let gate = self.identity(GATE);
        fs::write(directory.join("ca.pem"), self.certificate.pem()).unwrap();
        fs::write(directory.join("gate.pem"), gate.certificate.pem()).unwrap();
        fs::write(directory.join("gate.key"), gate.key.serialize_pem()).unwrap();
    }

    fn trusted(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }

    /// How a client without a certificate trusts what it certified.
    pub(crate) fn trusting(&self) -> ClientConfig {
        self.trusted().with_no_client_auth()
    }

    /// Sends a request over TLS, with a client certificate if there is one.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn send(&self, request: &Request, to: SocketAddr, client: Option<&Identity>) -> Answer {
        let config = self.trusted();
        let config = match client {
            Some(identity) => config.with_client_auth_cert(vec![identity.der()], identity.pkcs8()),
            None => Ok(config.with_no_client_auth()),
        };
        let name = ServerName::try_from(GATE).unwrap();
        let connection = ClientConnection::new(Arc::new(config.unwrap()), name).unwrap();
        request.send_over(&mut StreamOwned::new(connection, connect(to)))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// `x5t#S256`: base64url of the SHA-256 of the certificate's DER (RFC 8705 section 3.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        base64url(digest(&SHA256, self.certificate.der()).as_ref())
    }

    /// Puts `NAME.key` and `NAME.crt` into a directory, each whole, as what replaces certificates in use has to.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn write(&self, directory: &Path, name: &str) {
        let (certificate, key) = self.pem();
        replace(&directory.join(format!("{name}.key")), &key);
        replace(&directory.join(format!("{name}.crt")), &certificate);
    }

    /// The SHA-256 of the certificate's DER, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> String {
        let digest = digest(&SHA256, self.certificate.der());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The certificate and the key, as PEM.
    #[must_use]
    pub fn pem(&self) -> (String, String) {
        (self.certificate.pem(), self.key.serialize_pem())
    }

    fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    fn pkcs8(&self) -> rustls::pki_types::PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// Puts a text into the place of a file, which its owner alone may read.
///
/// # Panics
/// When the directory cannot be written.
pub fn replace(path: &Path, text: &str) {
    let part = path.with_extension("part");
    fs::write(&part, text).unwrap();
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(part, path).unwrap();
}
