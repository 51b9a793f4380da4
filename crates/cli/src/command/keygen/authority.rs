//! A certificate authority of its own, for trying out and for small set-ups: its certificate, and those that it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use time::{Duration, OffsetDateTime};

use breakglass_server::clock::{Moment, rfc3339};
use breakglass_server::random::Randomness;
use breakglass_server::tls::Certificate;

/// How long an authority is valid, in days. Every client has its certificate, so it outlives those that it signs.
pub(super) const AUTHORITY_DAYS: i64 = 3650;

/// How far the clock of a client may be behind.
const BACKDATED: Duration = Duration::hours(1);

/// An authority with its private key.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    not_after: Moment,
    /// Its certificate, in PEM.
    pub(super) certificate: String,
    /// Its private key, in PEM.
    pub(super) key: String,
}

/// A certificate that an authority has signed.
pub(super) struct Signed {
    /// In PEM.
    pub(super) certificate: String,
    /// Its private key, in PEM.
    pub(super) key: String,
    /// The SHA-256 of its DER, in hexadecimal digits.
    pub(super) sha256: String,
}

/// What a certificate is for. One for servers is of no use to a client, and the other way round.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Server,
    Client,
}

impl Authority {
    /// Makes one, under a name that no other has: its successor must not be taken for it.
    pub(super) fn new(now: Moment, randomness: &Randomness) -> Result<Authority, String> {
        let id = breakglass_types::hex::lower(&randomness.bytes::<4>());
        let (mut parameters, not_after) =
            parameters(now, Duration::days(AUTHORITY_DAYS), &format!("breakglass authority {id}"))?;
        // It signs no other authority.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(said)?;
        let certificate = parameters.self_signed(&key).map_err(said)?.pem();
        let pem = key.serialize_pem();
        Ok(Authority { issuer: Issuer::new(parameters, key), not_after, certificate, key: pem })
    }

    /// One that was made before, from its certificate and its private key in PEM.
    pub(super) fn read(certificate: String, key: String) -> Result<Authority, String> {
        let pair = KeyPair::from_pem(&key).map_err(said)?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes());
        let der = der.map_err(|error| error.to_string())?;
        let read = Certificate::parse(&der).ok_or("the certificate cannot be read")?;
        let issuer = Issuer::from_ca_cert_der(&der, pair).map_err(said)?;
        Ok(Authority { issuer, not_after: read.not_after, certificate, key })
    }

    /// Signs a new certificate with a new key.
    pub(super) fn sign(
        &self,
        purpose: Purpose,
        subject: &str,
        names: &[SanType],
        (now, valid_for): (Moment, i64),
    ) -> Result<Signed, String> {
        let (mut parameters, not_after) = parameters(now, Duration::seconds(valid_for), subject)?;
        if self.not_after < not_after {
            return Err(format!(
                "--valid-for: the authority itself ends at {}: choose a shorter time, or make a new authority in \
                 another directory",
                rfc3339(self.not_after.seconds())
            ));
        }
        parameters.subject_alt_names = names.to_vec();
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(said)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(said)?;
        let read = Certificate::parse(certificate.der()).ok_or("the new certificate is not one")?;
        Ok(Signed {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            sha256: read.shown_sha256(),
        })
    }
}

/// Valid from now on, and until when.
fn parameters(
    now: Moment,
    valid_for: Duration,
    subject: &str,
) -> Result<(CertificateParams, Moment), String> {
    let now = OffsetDateTime::from_unix_timestamp(now.seconds())
        .map_err(|error| format!("the clock: {error}"))?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, subject);
    parameters.not_before = now.saturating_sub(BACKDATED);
    parameters.not_after = now.saturating_add(valid_for);
    let not_after = Moment::from_seconds(parameters.not_after.unix_timestamp());
    Ok((parameters, not_after))
}

fn said(error: rcgen::Error) -> String {
    error.to_string()
}
