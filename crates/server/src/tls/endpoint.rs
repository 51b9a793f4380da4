//! The TLS of one listener.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use breakglass_api::health::{FileFailure, TlsHealth};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use tokio::time::Instant;

use super::certificate::Certificate;
use super::error::TlsError;
use super::material::{Clients, Served};
use super::now::Now;
use super::part::{Found, Part};
use super::recorder::Recorder;
use crate::clock::{Moment, rfc3339, written};
use crate::config::Tls;

/// How often a refused handshake is logged.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// The versions of HTTP that a client can choose (RFC 7301), the preferred one first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The TLS of one listener.
#[derive(Debug)]
pub struct Endpoint {
    listener: String,
    tls: Tls,
    now: Now,
    provider: Arc<CryptoProvider>,
    served: Part<Served>,
    clients: Option<Part<Clients>>,
    said: Mutex<(Option<Instant>, u64)>,
}

/// What one handshake is done with.
#[derive(Debug)]
pub struct Handshake {
    /// The certificate, the authorities and the versions of TLS.
    pub config: Arc<ServerConfig>,
    pub(super) generation: u64,
    recorder: Option<Arc<Recorder>>,
}

impl Endpoint {
    /// Reads the files of `tls` for the listener with this address.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn open(listener: String, tls: Tls, now: Now) -> Result<Endpoint, Vec<TlsError>> {
        let provider = Arc::new(ring::default_provider());
        let moment = now.moment();
        let files = vec![tls.certificate_file.clone(), tls.key_file.clone()];
        let served = Part::open(files, || Served::read(&tls, &provider, moment));
        let clients = tls.client_ca_file.as_ref().map(|path| {
            Part::open(vec![path.clone()], || Clients::read(path, &tls, &provider, moment))
        });
        let (served, clients) = match (served, clients.transpose()) {
            (Ok(served), Ok(clients)) => (served, clients),
            (served, clients) => {
                return Err(served.err().into_iter().chain(clients.err()).collect());
            }
        };
        let said = Mutex::new((None, 0));
        Ok(Endpoint { listener, tls, now, provider, served, clients, said })
    }

    /// Reads the files that have changed. It blocks.
    pub fn look(&self) {
        let now = self.now.moment();
        let found = self.served.look(now, || Served::read(&self.tls, &self.provider, now));
        let served = self.served.used().0;
        if found == Found::Taken {
            let (names, not_after) =
                (served.certificate.shown_names(), rfc3339(served.certificate.not_after.seconds()));
            tracing::info!(listener = self.listener, names, not_after, "certificate read again");
        }
        self.say_refused(found);
        if served.certificate.not_after < now && self.served.says_expiry() {
            tracing::error!(
                listener = self.listener,
                file = %self.tls.certificate_file.display(),
                not_after = rfc3339(served.certificate.not_after.seconds()),
                "the certificate in use has expired, and clients refuse it: renew it"
            );
        }
        let Some((clients, path)) = self.clients.as_ref().zip(self.tls.client_ca_file.as_ref())
        else {
            return;
        };
        let found = clients.look(now, || Clients::read(path, &self.tls, &self.provider, now));
        if found == Found::Taken {
            tracing::info!(listener = self.listener, file = %path.display(), "client certificate authorities read again");
        }
        self.say_refused(found);
        if clients.used().0.not_after < now && clients.says_expiry() {
            tracing::error!(
                listener = self.listener,
                file = %path.display(),
                "every client certificate authority in use has expired: renew them"
            );
        }
    }

    fn say_refused(&self, found: Found) {
        if let Found::Refused(error) = found {
            tracing::error!(
                listener = self.listener,
                error,
                "what was in use stays in use: the files have changed and cannot be used"
            );
        }
    }

    /// What the next handshake is done with.
    ///
    /// # Errors
    /// The library takes no such configuration.
    pub fn handshake(&self) -> Result<Handshake, rustls::Error> {
        let served = self.served.used().0;
        let clients = self.clients.as_ref().map(Part::used);
        let generation = clients.as_ref().map_or(0, |(_, generation)| *generation);
        let recorder = clients.map(|(clients, _)| Arc::new(Recorder::new(clients.verifier)));
        let builder = ServerConfig::builder_with_details(
            Arc::clone(&self.provider),
            Arc::new(self.now.clone()),
        );
        // TLS 1.2 and 1.3.
        let builder = builder.with_safe_default_protocol_versions()?;
        let builder = match &recorder {
            Some(recorder) => builder.with_client_cert_verifier(Arc::clone(recorder) as Arc<_>),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(served.key);
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        // A session that is resumed would bring a client certificate that nothing has checked since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Handshake { config: Arc::new(config), generation, recorder })
    }

    /// Says in the log that a handshake failed, at most once a second.
    pub fn failed(&self, peer: SocketAddr, handshake: &Handshake, cause: &io::Error) {
        let refused = handshake.recorder.as_ref().and_then(|recorder| recorder.refused());
        let without = matches!(
            cause.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()),
            Some(rustls::Error::NoCertificatesPresented)
        );
        if refused.is_none() && !without {
            // A scanner, a client of plain HTTP, one that went away.
            tracing::debug!(%peer, %cause, listener = self.listener, "no handshake");
            return;
        }
        let Some(unlogged) = self.may_say() else { return };
        match refused {
            Some(certificate) => tracing::warn!(
                %peer,
                %cause,
                listener = self.listener,
                names = certificate.shown_names(),
                sha256 = certificate.shown_sha256(),
                not_before = rfc3339(certificate.not_before.seconds()),
                not_after = rfc3339(certificate.not_after.seconds()),
                unlogged,
                "refused a client certificate: it has to be of an authority in client_ca_file, and valid now"
            ),
            None => tracing::warn!(
                %peer,
                listener = self.listener,
                unlogged,
                "refused a client without a certificate: this listener says client_certificates = \"required\""
            ),
        }
    }

    /// How many were not said since the last one, if the next one may be.
    fn may_say(&self) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if said.0.is_some_and(|last| now.saturating_duration_since(last) < LOG_EVERY) {
            said.1 = said.1.saturating_add(1);
            return None;
        }
        said.0 = Some(now);
        Some(std::mem::take(&mut said.1))
    }

    /// The time by which certificates are judged.
    pub(super) fn now(&self) -> &Now {
        &self.now
    }

    /// How often the client certificate authorities were replaced.
    pub(super) fn generation(&self) -> u64 {
        self.clients.as_ref().map_or(0, Part::generation)
    }

    /// Judges a chain, the client's own certificate first, by the authorities that hold now; their generation.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<u64, rustls::Error> {
        let (Some(clients), Some((own, between))) = (&self.clients, chain.split_first()) else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let (clients, generation) = clients.used();
        let now = self.now.unix().ok_or(rustls::Error::FailedToGetCurrentTime)?;
        clients.verifier.verify_client_cert(own, between, now)?;
        Ok(generation)
    }

    /// The certificate in use.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        self.served.used().0.certificate
    }

    /// When the last of the client certificate authorities in use expires; nothing where there are none.
    #[must_use]
    pub fn authorities_expire(&self) -> Option<Moment> {
        self.clients.as_ref().map(|clients| clients.used().0.not_after)
    }

    /// What an auditor is told.
    #[must_use]
    pub fn health(&self) -> TlsHealth {
        let certificate = self.certificate();
        let failures = [Some(self.served.failure()), self.clients.as_ref().map(Part::failure)];
        let failure = |(at, error)| FileFailure { at: written(at), error };
        TlsHealth {
            listener: self.listener.clone(),
            certificate_file: self.tls.certificate_file.display().to_string(),
            not_after: written(certificate.not_after),
            names: certificate.names,
            client_ca_file: self.tls.client_ca_file.as_ref().map(|path| path.display().to_string()),
            failures: failures.into_iter().flatten().flatten().map(failure).collect(),
        }
    }
}
