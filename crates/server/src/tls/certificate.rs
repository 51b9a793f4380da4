//! What a certificate says of itself.

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::clock::Moment;
use crate::config::Digest;

/// The most names of one certificate that are written to a log or an answer.
const MAX_NAMES: usize = 8;

/// The most characters of one of them.
const MAX_NAME: usize = 128;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The SHA-256 of its DER.
    pub sha256: Digest,
    /// Its subject alternative names that are DNS names or URIs.
    pub names: Vec<String>,
    /// From when on it is valid.
    pub not_before: Moment,
    /// Until when.
    pub not_after: Moment,
}

impl Certificate {
    /// Reads it. `None` if it cannot be read whole.
    #[must_use]
    pub fn parse(der: &CertificateDer<'_>) -> Option<Certificate> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let alternatives = certificate.subject_alternative_name().ok()?;
        let names = alternatives.map(|found| &found.value.general_names);
        let name = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
            _ => None,
        };
        let validity = certificate.validity();
        Some(Certificate {
            sha256: Sha256::digest(der).into(),
            names: names.into_iter().flatten().filter_map(name).collect(),
            not_before: Moment::from_seconds(validity.not_before.timestamp()),
            not_after: Moment::from_seconds(validity.not_after.timestamp()),
        })
    }

    /// Its names for a log or an answer, bounded and escaped: an attacker can make a certificate with any names.
    #[must_use]
    pub fn shown_names(&self) -> String {
        let shown = |name: &String| {
            name.chars().take(MAX_NAME).flat_map(char::escape_debug).collect::<String>()
        };
        let names: Vec<String> = self.names.iter().take(MAX_NAMES).map(shown).collect();
        match self.names.len().saturating_sub(MAX_NAMES) {
            0 if names.is_empty() => "no names".to_owned(),
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }

    /// Its SHA-256 in hexadecimal digits.
    #[must_use]
    pub fn shown_sha256(&self) -> String {
        breakglass_types::hex::lower(&self.sha256)
    }
}
