//! Why no answer came, in words that say what to do.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use ureq::{Error, Timeout};

/// Why no answer came.
#[derive(Debug)]
pub struct Cause {
    kind: Kind,
    /// How the service was to be reached.
    route: Route,
    /// Whether the call changes something, so that it matters if it arrived.
    changes: bool,
}

/// How the service was to be reached.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// Host and port.
    pub(super) authority: String,
    /// The proxy, in words.
    pub(super) proxy: Option<String>,
    /// The certificates that are trusted instead of the public ones.
    pub(super) ca_file: Option<PathBuf>,
    /// Within which time a connection must be there, and the answer.
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
}

#[derive(Debug)]
enum Kind {
    NoSuchHost,
    Refused,
    NoConnection,
    NoAnswer,
    Closed,
    Certificate(String),
    NoTls(String),
    NoHttp(String),
    Proxy(String),
    System(String),
    Other(String),
}

impl Cause {
    pub(super) fn new(error: &Error, route: Route, changes: bool) -> Cause {
        Cause { kind: Kind::from(error), route, changes }
    }

    /// Whether the same call may be answered a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match &self.kind {
            Kind::Refused
            | Kind::NoConnection
            | Kind::NoAnswer
            | Kind::Closed
            | Kind::Proxy(_)
            | Kind::System(_) => true,
            Kind::NoSuchHost
            | Kind::Certificate(_)
            | Kind::NoTls(_)
            | Kind::NoHttp(_)
            | Kind::Other(_) => false,
        }
    }

    /// Whether the name of the host could not be resolved: a network that is gone, if it could before.
    pub(crate) fn is_unresolved(&self) -> bool {
        matches!(self.kind, Kind::NoSuchHost)
    }

    /// Whether the call may have arrived.
    fn may_have_arrived(&self) -> bool {
        matches!(
            self.kind,
            Kind::NoAnswer | Kind::Closed | Kind::NoHttp(_) | Kind::System(_) | Kind::Other(_)
        )
    }
}

impl From<&Error> for Kind {
    fn from(error: &Error) -> Kind {
        let text = error.to_string();
        match error {
            Error::HostNotFound => Kind::NoSuchHost,
            // The standard library has no kind for it.
            Error::Io(_) if text.contains("failed to lookup address") => Kind::NoSuchHost,
            Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => Kind::Refused,
            Error::Io(error)
                if matches!(
                    error.kind(),
                    ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
                ) =>
            {
                Kind::NoConnection
            }
            Error::Io(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof
                        | ErrorKind::ConnectionReset
                        | ErrorKind::ConnectionAborted
                        | ErrorKind::BrokenPipe
                ) =>
            {
                Kind::Closed
            }
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => Kind::NoConnection,
            Error::Timeout(_) => Kind::NoAnswer,
            Error::ConnectProxyFailed(reason) => Kind::Proxy(reason.clone()),
            Error::Rustls(_) | Error::Io(_) if text.contains("peer certificate") => {
                Kind::Certificate(text)
            }
            Error::Rustls(_) | Error::Tls(_) => Kind::NoTls(text),
            // What rustls says of a handshake comes as invalid data.
            Error::Io(error) if error.kind() == ErrorKind::InvalidData => Kind::NoTls(text),
            Error::Protocol(_) | Error::LargeResponseHeader(..) | Error::BodyStalled => {
                Kind::NoHttp(text)
            }
            Error::Io(_) => Kind::System(text),
            _ => Kind::Other(text),
        }
    }
}

/// Why nothing came from an entrance, which is not our service: in a few words, without its name.
pub(crate) fn why_unreached(error: &Error, timeout: Duration) -> String {
    match Kind::from(error) {
        Kind::NoSuchHost => "the name of the host cannot be resolved".to_owned(),
        Kind::Refused => "connection refused: nothing listens there".to_owned(),
        Kind::NoConnection => "no connection: check the address, the network and firewalls".to_owned(),
        Kind::NoAnswer => format!("no complete answer within {} s", timeout.as_secs_f64()),
        Kind::Closed => {
            "the connection was closed before the answer was complete (`https://` where the port speaks TLS?)"
                .to_owned()
        }
        Kind::Certificate(text) => format!(
            "its certificate is not trusted ({text}): give its issuer's with `--entrance-ca-file`"
        ),
        Kind::NoTls(text) => format!("no TLS connection ({text})"),
        Kind::NoHttp(text) => format!("not an HTTP/1.1 answer ({text})"),
        Kind::Proxy(text) | Kind::System(text) | Kind::Other(text) => text,
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Route { authority, proxy, ca_file, connect_timeout, timeout } = &self.route;
        match &self.kind {
            Kind::NoSuchHost => write!(
                formatter,
                "the name of the host cannot be resolved: check `--url` or BREAKGLASS_URL, and whether this \
                 machine is in the right network (VPN)"
            ),
            Kind::Refused => write!(
                formatter,
                "connection refused: nothing listens at {authority}; check the port in `--url` or \
                 BREAKGLASS_URL, and whether the service runs"
            ),
            Kind::NoConnection => write!(
                formatter,
                "no connection within {} s: check the address in `--url` or BREAKGLASS_URL, the network (VPN) \
                 and firewalls, and with `https://` whether this port speaks TLS",
                connect_timeout.as_secs()
            ),
            Kind::NoAnswer => write!(
                formatter,
                "no complete answer within {} s: the service, or a proxy in between, is overloaded or hangs",
                timeout.as_secs_f64().ceil()
            ),
            Kind::Closed => write!(
                formatter,
                "the connection was closed before the answer was complete: the service, or a proxy in between, \
                 stopped or refuses this connection (`https://` where the port speaks TLS)"
            ),
            Kind::Certificate(text) => certificate(formatter, text, ca_file.as_ref()),
            Kind::NoTls(text) => write!(
                formatter,
                "no TLS connection ({text}): check whether this port speaks TLS, or is one for `http://`"
            ),
            Kind::NoHttp(text) => write!(
                formatter,
                "not an HTTP answer ({text}): check the port in `--url` or BREAKGLASS_URL, and whether it is one \
                 for `https://`"
            ),
            Kind::Proxy(text) => write!(formatter, "the proxy opened no tunnel: {text}"),
            Kind::System(text) | Kind::Other(text) => write!(formatter, "{text}"),
        }?;
        if let Some(proxy) = proxy {
            write!(formatter, " ({proxy})")?;
        }
        if self.changes && self.may_have_arrived() {
            write!(
                formatter,
                "; the service may have done it all the same: `breakglass status` shows it"
            )?;
        }
        Ok(())
    }
}

fn certificate(
    formatter: &mut fmt::Formatter<'_>,
    text: &str,
    ca_file: Option<&PathBuf>,
) -> fmt::Result {
    let has = |word: &str| text.contains(word);
    let advice = if has("UnknownIssuer") || has("BadSignature") || has("CaUsedAsEndEntity") {
        match ca_file {
            Some(path) => format!(
                "it was not issued by a certificate in `{}` (`--ca-file` or BREAKGLASS_CA_FILE): get the right \
                 file from those who run the service",
                path.display()
            ),
            None => "its issuer is not a public one: give the issuer's certificate in PEM with `--ca-file` or \
                     BREAKGLASS_CA_FILE"
                .to_owned(),
        }
    } else if has("Expired") || has("NotValidYet") || has("expired") || has("not valid yet") {
        "check this machine's clock; if it is right, those who run the service have to renew the certificate"
            .to_owned()
    } else if has("NotValidForName") || has("not valid for name") {
        "it is for another name: use the host that the certificate names in `--url` or BREAKGLASS_URL".to_owned()
    } else {
        "tell those who run the service".to_owned()
    };
    write!(formatter, "the server's certificate is not trusted ({text}): {advice}")
}
