//! Opens the sockets of the service: those that the configuration names, with their certificates.

use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::app::App;
use crate::config::{ListenAddress, Plain, ResolvedListener, Serves, Transport};
use crate::connections::Listener;
use crate::tls::{Endpoint, Now, TlsError};

/// Sockets that are listened on.
#[derive(Debug)]
pub struct Listeners(Vec<Open>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) listener: Listener,
    pub(crate) serves: Serves,
    url: String,
}

/// Why they could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Files of certificates and keys cannot be used: all that is wrong with them.
    #[error("{}", .0.iter().map(|(listener, error)| format!("{listener}: {error}")).collect::<Vec<_>>().join("\n"))]
    Tls(Vec<(String, TlsError)>),
    /// An address cannot be listened on.
    #[error("{0}: {1}")]
    Address(String, io::Error),
}

/// One listener of plain HTTP, for all callers.
impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Listeners {
        let url = listener.local_addr().map(|address| format!("http://{address}"));
        let url = url.unwrap_or_default();
        Listeners(vec![Open { listener: listener.into(), serves: Serves::ALL, url }])
    }
}

impl Listeners {
    /// Opens them, and says in the log which they are and which of them speak plain HTTP.
    ///
    /// # Errors
    /// [`ListenError`]; then none of them is open.
    pub async fn open(app: &App, wanted: Vec<ResolvedListener>) -> Result<Listeners, ListenError> {
        let clock = app.clone();
        let now = Now::new(move || clock.now());
        let (mut endpoints, mut errors) = (Vec::new(), Vec::new());
        for ResolvedListener { address, transport, .. } in &wanted {
            let endpoint = match transport {
                Transport::Plain(_) => None,
                Transport::Tls(tls) => {
                    match Endpoint::open(address.to_string(), tls.clone(), now.clone()) {
                        Ok(endpoint) => Some(Arc::new(endpoint)),
                        Err(found) => {
                            errors.extend(found.into_iter().map(|one| (address.to_string(), one)));
                            None
                        }
                    }
                }
            };
            endpoints.push(endpoint);
        }
        if !errors.is_empty() {
            return Err(ListenError::Tls(errors));
        }
        let mut open = Vec::new();
        for (ResolvedListener { address, serves, transport }, endpoint) in
            wanted.into_iter().zip(&endpoints)
        {
            let failed = |error| ListenError::Address(address.to_string(), error);
            let (listener, url) = bind(&address, endpoint.clone()).await.map_err(failed)?;
            say(&url, serves, &transport);
            open.push(Open { listener, serves, url });
        }
        app.listens_with(endpoints.into_iter().flatten().collect());
        Ok(Listeners(open))
    }

    /// Where people reach the service: the first listener that serves them.
    #[must_use]
    pub fn url(&self) -> &str {
        let people = self.0.iter().find(|open| open.serves.people);
        people.or(self.0.first()).map_or("", |open| &open.url)
    }

    /// Where each of them is.
    #[must_use]
    pub fn urls(&self) -> Vec<&str> {
        self.0.iter().map(|open| open.url.as_str()).collect()
    }

    pub(crate) fn into_open(self) -> Vec<Open> {
        self.0
    }
}

async fn bind(
    address: &ListenAddress,
    endpoint: Option<Arc<Endpoint>>,
) -> io::Result<(Listener, String)> {
    match (address, endpoint) {
        (ListenAddress::Tcp(address), endpoint) => {
            let listener = TcpListener::bind(address).await?;
            let scheme = if endpoint.is_some() { "https" } else { "http" };
            let url = format!("{scheme}://{}", listener.local_addr()?);
            let listener = match endpoint {
                Some(endpoint) => Listener::tls(listener, endpoint),
                None => listener.into(),
            };
            Ok((listener, url))
        }
        (ListenAddress::Unix(path), _) => {
            remove_stale(path).await?;
            let listener = UnixListener::bind(path)?;
            Ok((Listener::unix(listener, path.clone()), address.to_string()))
        }
    }
}

/// Removes the socket of a process that has ended.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("expected a socket or nothing there, got another file"));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::other("another process listens there")),
        Err(error) => Err(error),
    }
}

fn say(url: &str, serves: Serves, transport: &Transport) {
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(url, %serves, version, "listening");
    match transport {
        Transport::Tls(_) | Transport::Plain(Plain::Local) => {}
        Transport::Plain(Plain::Declared) => tracing::warn!(
            url,
            "insecure_http = true: API tokens and answers cross the network unencrypted here"
        ),
        Transport::Plain(Plain::Undeclared) => tracing::error!(
            url,
            "plain HTTP on an address that other machines can reach: API tokens and answers cross the network \
             unencrypted. Add [tls] to the configuration, or say insecure_http = true; a later version does not start \
             without"
        ),
    }
}
