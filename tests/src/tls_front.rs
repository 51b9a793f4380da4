//! TLS in front of the stand-in for the approval service: its certificate, and only clients with one of its authority.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::runtime::runtime;

/// Listens until the tests end.
pub struct TlsFront;

impl TlsFront {
    /// Starts one on a free port of this machine, by `service.crt`, `service.key` and `ca.crt` in `files`, and says where.
    ///
    /// # Panics
    /// When the files are not such.
    #[must_use]
    pub fn start(to: SocketAddr, files: &Path) -> SocketAddr {
        let acceptor = TlsAcceptor::from(Arc::new(config(files)));
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut behind) = TcpStream::connect(to).await else { return };
                    // A connection that breaks is the business of those who use it.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut behind).await;
                });
            }
        });
        address
    }
}

fn config(files: &Path) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate =
        |name: &str| CertificateDer::from_pem_file(files.join(format!("{name}.crt"))).unwrap();
    let mut clients = RootCertStore::empty();
    clients.add(certificate("ca")).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(clients), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_file(files.join("service.key")).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate("service")], key)
        .unwrap()
}
