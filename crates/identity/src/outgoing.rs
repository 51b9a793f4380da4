//! How this service calls another one: over TLS that trusts what the configuration says, by the proxy that it names and none
//! of the environment's, bounded in time, and without following redirects, because secrets go to the place that was named
//! and to no other.

use std::path::Path;
use std::time::Duration;

use ureq::tls::{ClientCert, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};
use url::Url;

use crate::error::ProviderError;
use crate::pem;

/// What the configuration says of calls to one place.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// A PEM file with the certificates to trust for it, instead of the public ones.
    pub ca_file: Option<&'a Path>,
    /// The HTTP proxy by which it is reached.
    pub proxy: Option<&'a Url>,
    /// How long one call may take.
    pub timeout: Duration,
    /// The client certificate and its private key, in PEM files.
    pub certificate: Option<(&'a Path, &'a Path)>,
}

impl Outgoing<'_> {
    /// An agent for one call, so that files which were replaced count at once. An answer with any status is an answer.
    ///
    /// # Errors
    /// Says which file cannot be used, and why.
    pub fn agent(&self) -> Result<Agent, ProviderError> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = self.ca_file {
            tls = tls.root_certs(RootCerts::from(pem::certificates(path)?));
        }
        if let Some((file, key_file)) = self.certificate {
            let chain = pem::certificates(file)?;
            let certificate = ClientCert::new_with_certs(&chain, pem::private_key(key_file)?);
            tls = tls.client_cert(Some(certificate));
        }
        let proxy = self.proxy.map(|url| Proxy::new(url.as_str()));
        let proxy =
            proxy.transpose().map_err(|error| ProviderError::Local(format!("proxy: {error}")))?;
        let config = Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy)
            .tls_config(tls.build());
        Ok(config.build().into())
    }
}
