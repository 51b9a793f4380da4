//! Certificates: of clients, for tests of tokens that are bound to one (RFC 8705), and of workloads
//! in a mesh.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

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
        // Another name than rcgen's usual, which its certificates have too.
        params.distinguished_name.push(DnType::CommonName, "the tests' authority");
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
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
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
