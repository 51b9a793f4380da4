//! A stand-in for the approval service that can fail in every way: it answers keys and
//! introspection as the test says, late, wrongly or not at all, and counts the calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use breakglass_types::configurations::WANTED_HEADER;
use breakglass_types::names::said;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::runtime::runtime;

/// Where the keys are.
pub const KEYS: &str = "/.well-known/jwks.json";
/// Where the feed of revocations is.
pub const FEED: &str = "/v1/revocations";
/// Where proxies say what their configuration opens.
pub const CONFIGURATIONS: &str = "/v1/proxies/configurations";
/// Where introspection is.
pub const INTROSPECTION: &str = "/oauth2/introspect";

/// What it does with a call.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with a status, a content type and a body, after a while.
    Answer {
        /// The status code.
        status: u16,
        /// The content type.
        content_type: &'static str,
        /// The body.
        body: Vec<u8>,
        /// How long it thinks first.
        after: Duration,
    },
    /// Writes these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Takes the call and never answers.
    Never,
}

impl Reply {
    /// 200 with JSON.
    #[must_use]
    pub fn json(body: &Value) -> Reply {
        Reply::status(200, body.to_string())
    }

    /// Any status, with a body that claims to be JSON.
    #[must_use]
    pub fn status(status: u16, body: impl AsRef<[u8]>) -> Reply {
        let body = body.as_ref().to_vec();
        Reply::Answer { status, content_type: "application/json", body, after: Duration::ZERO }
    }

    /// The same answer, later.
    #[must_use]
    pub fn late(self, late: Duration) -> Reply {
        match self {
            Reply::Answer { status, content_type, body, .. } => {
                Reply::Answer { status, content_type, body, after: late }
            }
            other => other,
        }
    }
}

/// A call as it came.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// When it had come.
    pub at: Instant,
}

impl Call {
    /// The path without its query.
    fn resource(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    replies: BTreeMap<String, Reply>,
    calls: Vec<Call>,
    /// Whether it asks what configurations open.
    wants_configurations: bool,
    connections: Vec<AbortHandle>,
}

impl State {
    /// The configuration that the answer to this call asks for: the one that a poll names, unless its content is known.
    fn wanted(&self, call: &Call) -> Option<String> {
        let digest = call.headers.get(said::CONFIG).filter(|_| self.wants_configurations)?;
        let is_known =
            |call: &Call| call.resource() == CONFIGURATIONS && call.body.contains(digest);
        let asks = call.resource() == FEED && !self.calls.iter().any(is_known);
        asks.then(|| digest.clone())
    }
}

/// A running stand-in.
pub struct FakeApprovals {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: Option<AbortHandle>,
}

impl FakeApprovals {
    /// Starts one on a free port; it knows no path until it is told what to do.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start() -> FakeApprovals {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let server = Some(runtime().spawn(serve(listener, Arc::clone(&state))).abort_handle());
        FakeApprovals { address, state, server }
    }

    /// Where it listens, or listened.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what it does from now on with calls of `path`.
    ///
    /// # Panics
    /// When a server task panicked.
    pub fn reply(&self, path: &str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(path.to_owned(), reply);
    }

    /// Asks from now on, with each answer of the feed, what the polling proxy's configuration opens, until it was told.
    ///
    /// # Panics
    /// When a server task panicked.
    pub fn wants_configurations(&self) {
        self.reply(CONFIGURATIONS, Reply::json(&serde_json::json!({})));
        self.state.lock().unwrap().wants_configurations = true;
    }

    /// Stops listening and drops its connections: from now on it refuses them.
    ///
    /// # Panics
    /// When a server task panicked.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
        for connection in self.state.lock().unwrap().connections.drain(..) {
            connection.abort();
        }
        // The port is free only when the task that owned the listener is gone.
        crate::wait::until("the approval service to stop", || {
            std::net::TcpStream::connect(self.address).is_err().then_some(())
        });
    }

    /// Listens again, where it did before.
    ///
    /// # Panics
    /// When the port was taken meanwhile.
    pub fn start_again(&mut self) {
        let listener = runtime().block_on(TcpListener::bind(self.address)).unwrap();
        let server = runtime().spawn(serve(listener, Arc::clone(&self.state)));
        self.server = Some(server.abort_handle());
    }

    /// The calls of `path` so far.
    ///
    /// # Panics
    /// When a server task panicked.
    #[must_use]
    pub fn calls(&self, path: &str) -> Vec<Call> {
        let state = self.state.lock().unwrap();
        let asked = |call: &&Call| call.path == path || call.resource() == path;
        state.calls.iter().filter(asked).cloned().collect()
    }
}

impl Drop for FakeApprovals {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let connection = tokio::spawn(converse(stream, Arc::clone(&state)));
        state.lock().unwrap().connections.push(connection.abort_handle());
    }
}

/// Answers call after call, until either side has had enough.
async fn converse(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    while let Some(call) = read_call(&mut stream, &mut buffer).await {
        let (reply, wanted) = {
            let mut state = state.lock().unwrap();
            let reply =
                state.replies.get(&call.path).or(state.replies.get(call.resource())).cloned();
            state.calls.push(call.clone());
            (reply.unwrap_or_else(|| Reply::status(404, "{}")), state.wanted(&call))
        };
        let bytes = match reply {
            Reply::Never => std::future::pending().await,
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::Answer { status, content_type, body, after } => {
                tokio::time::sleep(after).await;
                let length = body.len();
                let wanted = wanted.map(|digest| format!("{WANTED_HEADER}: {digest}\r\n"));
                let wanted = wanted.unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\n\
                     content-length: {length}\r\n{wanted}\r\n"
                );
                [head.as_bytes(), &body].concat()
            }
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Envoy sends its calls with a content length, so nothing else is understood.
async fn read_call(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Call> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap_or(0));
    let end = head_end + 4 + length;
    while buffer.len() < end {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&buffer[head_end + 4..end]).into_owned();
    buffer.drain(..end);
    Some(Call { method, path, headers, body, at: Instant::now() })
}
