//! The TLS handshake of one connection.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::io::Watched;
use crate::tls::{ClientCertificate, Endpoint};

/// What is left of a handshake: the connection, and the certificate that the client has sent.
type Shaken = (TlsStream<Watched>, Option<Arc<ClientCertificate>>);

/// Takes a handshake. `None` if it failed, and then the log says so.
pub(super) async fn accept(
    endpoint: &Arc<Endpoint>,
    io: Watched,
    peer: SocketAddr,
) -> Option<Shaken> {
    let handshake = endpoint.handshake().inspect_err(|cause| {
        tracing::error!(%cause, "no TLS configuration");
    });
    let handshake = handshake.ok()?;
    let acceptor = TlsAcceptor::from(Arc::clone(&handshake.config));
    let stream = acceptor.accept(io).await.inspect_err(|cause| {
        endpoint.failed(peer, &handshake, cause);
    });
    let stream = stream.ok()?;
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = ClientCertificate::of(endpoint, &handshake, chain).inspect_err(|_| {
        tracing::warn!(%peer, "refused a client certificate that cannot be read");
    });
    let certificate = certificate.ok()?.map(Arc::new);
    Some((stream, certificate))
}
