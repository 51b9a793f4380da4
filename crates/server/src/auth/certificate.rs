//! Which proxy a client certificate is of. It never makes a person.
//!
//! A request that presents a certificate and an API token has to be of one caller by both: a token that was taken from
//! one proxy is of no use to another, where certificates are in use.

use std::sync::Arc;

use crate::config::{Config, Proxy};
use crate::problem::{Problem, Reason};
use crate::tls::{Certificate, ClientCertificate};

/// Whose a client certificate is.
pub(super) struct Owner<'a> {
    proxy: Option<Arc<Proxy>>,
    certificate: &'a Certificate,
}

impl<'a> Owner<'a> {
    /// The owner of this certificate.
    ///
    /// # Errors
    /// The certificate does not hold any more, or is that of several proxies.
    pub(super) fn of(
        certificate: &'a ClientCertificate,
        config: &Config,
    ) -> Result<Owner<'a>, Problem> {
        let certificate = certificate.check().map_err(|_| {
            unknown(
                certificate.shown(),
                "has expired, or its authority is not in client_ca_file any more: renew it",
            )
        })?;
        let is_of = |proxy: &&Arc<Proxy>| {
            proxy.has_this_certificate(&certificate.names, &certificate.sha256)
        };
        let mut proxies = config.proxies.iter().filter(is_of);
        match (proxies.next(), proxies.next()) {
            (proxy, None) => Ok(Owner { proxy: proxy.cloned(), certificate }),
            (_, Some(_)) => {
                Err(unknown(certificate, "is that of several proxies: give each its own"))
            }
        }
    }

    /// The proxy that calls with the certificate alone.
    ///
    /// # Errors
    /// No proxy has it.
    pub(super) fn into_proxy(self) -> Result<Arc<Proxy>, Problem> {
        let certificate = self.certificate;
        self.proxy.ok_or_else(|| {
            unknown(
                certificate,
                "is that of no proxy: list one of its names as `certificate_san`, or its SHA-256 as \
                 `certificate_sha256`, under `proxies`; or send an API token",
            )
        })
    }

    /// A person calls, by the API token.
    ///
    /// # Errors
    /// The certificate is that of a proxy.
    pub(super) fn check_person(&self) -> Result<(), Problem> {
        match &self.proxy {
            None => Ok(()),
            Some(_) => Err(unknown(
                self.certificate,
                "is that of a proxy, and the API token is a person's: send one of them",
            )),
        }
    }

    /// This proxy calls, by the API token.
    ///
    /// # Errors
    /// The certificate is not its own, and it has one, or another proxy has this one.
    pub(super) fn check_proxy(&self, caller: &Proxy) -> Result<(), Problem> {
        match &self.proxy {
            Some(owner) if owner.name == caller.name => Ok(()),
            // Where a mesh gives every workload a certificate, one that no proxy lists says nothing.
            None if !caller.has_certificate() => Ok(()),
            _ => Err(unknown(
                self.certificate,
                "is not that of the proxy whose API token was sent: use both of one proxy",
            )),
        }
    }
}

fn unknown(certificate: &Certificate, what: &str) -> Problem {
    Problem::new(
        Reason::CredentialUnknown,
        format!(
            "the client certificate (names: {}; SHA-256: {}) {what}",
            certificate.shown_names(),
            certificate.shown_sha256()
        ),
    )
}
