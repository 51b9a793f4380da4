//! What the files hold: the service's certificate with its key, and the certificate authorities of clients.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore};
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::error::TlsError;
use crate::clock::Moment;
use crate::config::{ClientCertificates, Tls};
use crate::issuer::check_shared_file;

/// More than any chain or bundle of authorities that is meant.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The service's certificate with its key.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) key: Arc<SingleCertAndKey>,
    pub(super) certificate: Certificate,
}

/// By what a client certificate is judged.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// When the last of the authorities expires.
    pub(super) not_after: Moment,
}

impl Served {
    pub(super) fn read(
        tls: &Tls,
        provider: &CryptoProvider,
        now: Moment,
    ) -> Result<Served, TlsError> {
        let (path, key_path) = (&tls.certificate_file, &tls.key_file);
        let chain = certificates(path)?;
        // A certificate of an authority between that cannot be read would fail at each client instead.
        let parsed = chain.iter().map(|der| parse(path, der)).collect::<Result<Vec<_>, _>>()?;
        let certificate = parsed.into_iter().next().ok_or_else(|| none(path))?;
        check_validity(path, &certificate, now)?;
        check_shared_file(key_path)?;
        let key =
            PrivateKeyDer::from_pem_slice(&Zeroizing::new(read(key_path)?)).map_err(|error| {
                // The error's words are of the form of the file, never of what is in it.
                TlsError::Content {
                    path: key_path.clone(),
                    expected: "a private key",
                    got: error.to_string(),
                }
            })?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::OtherKey { key: key_path.clone(), certificate: path.clone() }
            }
            error => TlsError::Content {
                path: key_path.clone(),
                expected: "an ECDSA, Ed25519 or RSA private key",
                got: error.to_string(),
            },
        })?;
        Ok(Served { key: Arc::new(SingleCertAndKey::from(key)), certificate })
    }
}

impl Clients {
    /// The authorities in `path`.
    pub(super) fn read(
        path: &Path,
        tls: &Tls,
        provider: &Arc<CryptoProvider>,
        now: Moment,
    ) -> Result<Clients, TlsError> {
        let mut roots = RootCertStore::empty();
        let mut last: Option<Moment> = None;
        for der in certificates(path)? {
            let not_after = parse(path, &der)?.not_after;
            last = last.max(Some(not_after));
            // The library does not look at the end of an authority's own certificate.
            if not_after < now {
                continue;
            }
            roots.add(der).map_err(|error| TlsError::Content {
                path: path.to_owned(),
                expected: "certificates of authorities",
                got: error.to_string(),
            })?;
        }
        let not_after = last.ok_or_else(|| none(path))?;
        if roots.is_empty() {
            return Err(TlsError::Expired { path: path.to_owned(), not_after });
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = match tls.client_certificates {
            ClientCertificates::Required => builder,
            ClientCertificates::Optional => builder.allow_unauthenticated(),
        };
        let verifier = builder
            .build()
            .map_err(|error| TlsError::Library(Error::General(error.to_string())))?;
        Ok(Clients { verifier, not_after })
    }
}

fn check_validity(path: &Path, certificate: &Certificate, now: Moment) -> Result<(), TlsError> {
    let Certificate { not_before, not_after, .. } = *certificate;
    if not_after < now {
        return Err(TlsError::Expired { path: path.to_owned(), not_after });
    }
    if now < not_before {
        return Err(TlsError::NotYet { path: path.to_owned(), not_before });
    }
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = found.map_err(|error| TlsError::Content {
        path: path.to_owned(),
        expected: "certificates",
        got: error.to_string(),
    })?;
    if found.is_empty() { Err(none(path)) } else { Ok(found) }
}

fn none(path: &Path) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        expected: "at least one certificate",
        got: "none".to_owned(),
    }
}

fn parse(path: &Path, der: &CertificateDer<'_>) -> Result<Certificate, TlsError> {
    Certificate::parse(der).ok_or_else(|| TlsError::Content {
        path: path.to_owned(),
        expected: "X.509 certificates",
        got: "one that cannot be read".to_owned(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |error| TlsError::Io(path.to_owned(), error);
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MAX_BYTES {
        return Err(TlsError::Content {
            path: path.to_owned(),
            expected: "at most 4 MiB",
            got: format!("{length} bytes"),
        });
    }
    fs::read(path).map_err(failed)
}
