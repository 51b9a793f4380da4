//! Signing keys that are wrapped by a key from another file: PKCS#8 `ENCRYPTED PRIVATE KEY` (RFC 5958 section 3) by PBES2
//! (RFC 8018 section 6.2) of scrypt (RFC 7914) and AES-256-CBC, which `openssl pkey -passin file:FILE` reads too.
//!
//! Whether what is unwrapped is the key that was wrapped, the thumbprint in the file's name says.

use std::fs;
use std::path::{Path, PathBuf};

use pkcs8::der::pem::PemLabel as _;
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::pkcs5::scrypt;
use pkcs8::{EncryptedPrivateKeyInfoOwned, LineEnding, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::access::check_shared_file;
use super::error::KeyError;
use crate::random::Randomness;

/// scrypt's cost: 2^14 blocks of 8, as OpenSSL takes by default, which refuses to read much more than that (32 MiB).
const LOG_N: u8 = 14;
const R: u32 = 8;
const P: u32 = 1;

/// The shortest wrapping key, in bytes.
const MIN_BYTES: usize = 16;

/// The longest file with a wrapping key, in bytes.
const MAX_BYTES: u64 = 4096;

/// The file with the key that wraps. It is read at each use: nothing of it stays in memory.
#[derive(Debug, Clone)]
pub(super) struct Wrapping(PathBuf);

impl Wrapping {
    pub(super) fn new(path: &Path) -> Wrapping {
        Wrapping(path.to_owned())
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// [`KeyError`] says why not.
    pub(super) fn check(&self) -> Result<(), KeyError> {
        self.key().map(drop)
    }

    /// The key without the end of its line, as OpenSSL reads it.
    fn key(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let failed = |error| KeyError::Io(self.0.clone(), error);
        let length = fs::metadata(&self.0).map_err(failed)?.len();
        check_shared_file(&self.0)?;
        if length > MAX_BYTES {
            return Err(KeyError::Wrapping(self.0.clone()));
        }
        let mut key = Zeroizing::new(fs::read(&self.0).map_err(failed)?);
        while key.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            key.pop();
        }
        if key.len() < MIN_BYTES || key.contains(&b'\n') {
            return Err(KeyError::Wrapping(self.0.clone()));
        }
        Ok(key)
    }

    /// Wraps a private key in PEM, which is for the file at `path`.
    ///
    /// # Errors
    /// [`KeyError`] if the wrapping key cannot be used.
    pub(super) fn wrap(
        &self,
        pem: &str,
        path: &Path,
        randomness: &Randomness,
    ) -> Result<Zeroizing<String>, KeyError> {
        let key = self.key()?;
        let wrap = || {
            let (_, plain) = SecretDocument::from_pem(pem).ok()?;
            let plain = PrivateKeyInfoRef::try_from(plain.as_bytes()).ok()?;
            let cost = scrypt::Params::new(LOG_N, R, P).ok()?;
            let (salt, iv) = (randomness.bytes::<16>(), randomness.bytes::<16>());
            let parameters = Parameters::generate_scrypt_aes256cbc(cost, &salt, iv).ok()?;
            let wrapped = plain.encrypt_with_params(parameters, &*key).ok()?;
            wrapped.to_pem(EncryptedPrivateKeyInfoOwned::PEM_LABEL, LineEnding::LF).ok()
        };
        wrap().ok_or_else(|| KeyError::Invalid(path.to_owned()))
    }

    /// The private key in PEM that was wrapped as this one, of the file at `path`.
    ///
    /// # Errors
    /// [`KeyError`] if the wrapping key cannot be used, or is another one.
    pub(super) fn unwrap(&self, pem: &str, path: &Path) -> Result<Zeroizing<String>, KeyError> {
        let key = self.key()?;
        let unwrap = || {
            let (_, wrapped) = SecretDocument::from_pem(pem).ok()?;
            let wrapped = EncryptedPrivateKeyInfoOwned::try_from(wrapped.as_bytes()).ok()?;
            let plain = wrapped.decrypt(&*key).ok()?;
            plain.to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF).ok()
        };
        unwrap().ok_or_else(|| KeyError::OtherWrapping {
            path: path.to_owned(),
            wrapping: self.0.clone(),
        })
    }
}

/// Whether this PEM is of a key that is wrapped.
pub(super) fn is_wrapped(pem: &str) -> bool {
    pem.trim_start().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}
