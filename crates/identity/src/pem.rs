//! Files with certificates and private keys.

use std::fs;
use std::path::Path;

use ureq::tls::{Certificate, PemItem, PrivateKey, parse_pem};

use crate::error::ProviderError;

fn failed(path: &Path, why: &dyn std::fmt::Display) -> ProviderError {
    ProviderError::Local(format!("{}: {why}", path.display()))
}

/// A secret or a token in a file, without the white space around it.
///
/// # Errors
/// Says which file cannot be used, and why; never what is in it.
pub fn text(path: &Path) -> Result<String, ProviderError> {
    let text = fs::read_to_string(path).map_err(|error| failed(path, &error))?;
    match text.trim() {
        "" => Err(failed(path, &"expected a secret or a token, got an empty file")),
        text => Ok(text.to_owned()),
    }
}

/// The certificates in a PEM file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, ProviderError> {
    let pem = fs::read(path).map_err(|error| failed(path, &error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(path, &error))? {
            certificates.push(certificate);
        }
    }
    match certificates.is_empty() {
        true => Err(failed(path, &"expected certificates in PEM")),
        false => Ok(certificates),
    }
}

/// The private key in a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKey<'static>, ProviderError> {
    let pem = fs::read(path).map_err(|error| failed(path, &error))?;
    // Its own error may quote what it read.
    PrivateKey::from_pem(&pem).map_err(|_| failed(path, &"expected a private key in PEM"))
}
