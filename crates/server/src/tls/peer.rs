//! The client certificate of a connection, as the endpoints see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::pki_types::CertificateDer;

use super::certificate::Certificate;
use super::endpoint::{Endpoint, Handshake};

/// A client certificate that was accepted in the handshake, and whose key the client has. Each request of its connection
/// has it as an extension.
#[derive(Debug)]
pub struct ClientCertificate {
    endpoint: Arc<Endpoint>,
    chain: Vec<CertificateDer<'static>>,
    certificate: Certificate,
    /// The generation of the authorities that have judged it last.
    judged: AtomicU64,
}

/// It does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distrusted;

impl ClientCertificate {
    /// That of a client that has sent this chain in `handshake`. `None` where it sent none.
    ///
    /// # Errors
    /// [`Distrusted`] if it cannot be read.
    pub fn of(
        endpoint: &Arc<Endpoint>,
        handshake: &Handshake,
        chain: Option<&[CertificateDer<'static>]>,
    ) -> Result<Option<ClientCertificate>, Distrusted> {
        let Some(own) = chain.and_then(<[_]>::first) else { return Ok(None) };
        let certificate = Certificate::parse(own).ok_or(Distrusted)?;
        Ok(Some(ClientCertificate {
            endpoint: Arc::clone(endpoint),
            chain: chain.unwrap_or_default().to_vec(),
            certificate,
            judged: AtomicU64::new(handshake.generation),
        }))
    }

    /// What it says of itself, if it is still valid and of an authority that is still in use.
    ///
    /// # Errors
    /// [`Distrusted`] if not.
    pub fn check(&self) -> Result<&Certificate, Distrusted> {
        if self.certificate.not_after < self.endpoint.now().moment() {
            return Err(Distrusted);
        }
        if self.judged.load(Ordering::Acquire) != self.endpoint.generation() {
            let generation = self.endpoint.judge(&self.chain).map_err(|_| Distrusted)?;
            self.judged.store(generation, Ordering::Release);
        }
        Ok(&self.certificate)
    }

    /// What it says of itself, for a log.
    #[must_use]
    pub fn shown(&self) -> &Certificate {
        &self.certificate
    }
}
