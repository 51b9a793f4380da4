//! Why a certificate, its key or the client certificate authorities cannot be used.

use std::io;
use std::path::PathBuf;

use crate::clock::{Moment, rfc3339};
use crate::issuer::KeyError;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Io(PathBuf, io::Error),
    /// Others may read the private key.
    #[error(transparent)]
    Access(#[from] KeyError),
    /// It is not what it should be.
    #[error("{path}: expected {expected} in PEM, got {got}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
        /// What is.
        got: String,
    },
    /// The key is that of another certificate.
    #[error("{key}: expected the private key of the certificate in {certificate}, got another one: replace both files", key = .key.display(), certificate = .certificate.display())]
    OtherKey {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// It is not valid any more.
    #[error("{path}: expected a certificate that is valid now, got one that expired at {at}: renew it", path = .path.display(), at = rfc3339(.not_after.seconds()))]
    Expired {
        /// The file.
        path: PathBuf,
        /// Until when it was valid.
        not_after: Moment,
    },
    /// It is not valid yet.
    #[error("{path}: expected a certificate that is valid now, got one that begins at {at}: wait, or check the clock", path = .path.display(), at = rfc3339(.not_before.seconds()))]
    NotYet {
        /// The file.
        path: PathBuf,
        /// From when on it is valid.
        not_before: Moment,
    },
    /// There is no cryptography for it.
    #[error("{0}")]
    Library(rustls::Error),
}
