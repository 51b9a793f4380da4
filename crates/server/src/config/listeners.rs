//! Where the service listens, for which callers, and by which files it proves who it is.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use breakglass_config_schema::{
    Object, Place, Reader as _, boolean, list, object, one_of, optional, or, parsed, required,
};

use super::read::path;

/// The words of `serves`.
const SERVICES: &[(&str, Service)] =
    &[("people", Service::People), ("proxies", Service::Proxies), ("metrics", Service::Metrics)];

/// The words of `client_certificates`.
const CLIENT_CERTIFICATES: &[(&str, ClientCertificates)] =
    &[("optional", ClientCertificates::Optional), ("required", ClientCertificates::Required)];

object! {
    /// The certificate of the service, and which client certificates it takes. The files are read again when they
    /// change, within two seconds.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Tls {
        /// The certificate of the service and those between it and its root, in PEM, in this order.
        pub certificate_file: PathBuf = required(parsed("path", path)),
        /// The private key of the certificate, in PEM; mode 0600, as the signing keys.
        pub key_file: PathBuf = required(parsed("path", path)),
        /// The certificate authorities of client certificates, in PEM. A client certificate is then asked for, and
        /// must be of one of them.
        pub client_ca_file: Option<PathBuf> = optional("no client certificate is asked for", parsed("path", path)),
        /// Whether a client may do without a certificate: `required` refuses the handshake of one that has none.
        pub client_certificates: ClientCertificates = or("optional", one_of(CLIENT_CERTIFICATES)),
    }
}

impl Object for Tls {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.client_certificates == ClientCertificates::Optional || self.client_ca_file.is_some()
        {
            return Some(());
        }
        place.field("client_certificates").error(
            "`required` needs `client_ca_file`: the certificate authorities of client certificates",
        )
    }
}

object! {
    /// One socket of the service.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Listener {
        /// Where it listens: `host:port` with an IP address as the host, or `unix:/path` for a Unix socket.
        pub address: ListenAddress = required(parsed("address", listen_address)),
        /// Which callers it serves. An endpoint of other callers is 404 there; health and keys are at every listener.
        pub serves: Serves = or(all(), list(one_of(SERVICES)).and_then(serves)),
        /// Its own certificate and client certificate authorities.
        pub tls: Option<Tls> = optional("the top-level `tls`", object()),
        /// Whether it speaks plain HTTP, although its address is not a loopback one or there is a top-level `tls`. It is
        /// said in the log at each start. A Unix socket is always plain HTTP.
        pub insecure_http: bool = or(false, boolean()),
    }
}

impl Object for Listener {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let unix = matches!(self.address, ListenAddress::Unix(_));
        if unix && self.tls.is_some() {
            return place.field("tls").error("a Unix socket is plain HTTP: leave `tls` out");
        }
        if self.insecure_http && self.tls.is_some() {
            return place
                .field("insecure_http")
                .error("this listener has `tls`: leave out one of the two");
        }
        Some(())
    }
}

/// Whether a client may do without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// It may.
    Optional,
    /// It may not.
    Required,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => write!(formatter, "{address}"),
            ListenAddress::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// A kind of callers that a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    People,
    Proxies,
    Metrics,
}

/// The callers that a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serves {
    /// People.
    pub people: bool,
    /// Proxies.
    pub proxies: bool,
    /// Prometheus.
    pub metrics: bool,
}

impl Serves {
    /// All of them.
    pub const ALL: Serves = Serves { people: true, proxies: true, metrics: true };
}

impl fmt::Display for Serves {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = SERVICES.iter().filter(|(_, service)| match service {
            Service::People => self.people,
            Service::Proxies => self.proxies,
            Service::Metrics => self.metrics,
        });
        let words: Vec<&str> = words.map(|(word, _)| *word).collect();
        formatter.write_str(&words.join(", "))
    }
}

/// A listener as it is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedListener {
    /// Where it listens.
    pub address: ListenAddress,
    /// The kinds of callers that it serves.
    pub serves: Serves,
    /// How it speaks.
    pub transport: Transport,
}

/// How a listener speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// TLS, with these files.
    Tls(Tls),
    /// Plain HTTP.
    Plain(Plain),
}

/// Why a listener may speak plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// No other machine can connect to it: its address is a loopback one, or it is a Unix socket.
    Local,
    /// The configuration says `insecure_http = true`.
    Declared,
    /// The configuration is of a version that had no TLS. A later version refuses it.
    Undeclared,
}

fn all() -> breakglass_types::json::Json {
    breakglass_types::json::Json::Array(SERVICES.iter().map(|(word, _)| (*word).into()).collect())
}

fn serves(services: Vec<Service>, place: &Place<'_>) -> Option<Serves> {
    let is = |service| services.contains(&service);
    for (index, service) in services.iter().enumerate() {
        if services.iter().take(index).any(|earlier| earlier == service) {
            return place.item(index).error("named twice");
        }
    }
    Some(Serves {
        people: is(Service::People),
        proxies: is(Service::Proxies),
        metrics: is(Service::Metrics),
    })
}

fn listen_address(text: &str) -> Result<ListenAddress, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        if !path.starts_with('/') {
            return Err(format!("expected an absolute path after `unix:`, got `{path}`"));
        }
        return Ok(ListenAddress::Unix(path.into()));
    }
    text.parse().map(ListenAddress::Tcp).map_err(|_| {
        format!("expected an address such as `127.0.0.1:8300` or `unix:/run/breakglass/api.sock`, got `{text}`")
    })
}
