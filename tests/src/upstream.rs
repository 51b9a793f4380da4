//! The API behind the gate: it answers with what it saw, and remembers it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::endless::{Body, Endless, boxed};
use crate::runtime::runtime;

/// A request whose path ends with this is never answered.
pub const HANGING: &str = "/hangs";

/// A request whose path ends with this is answered by the end of the connection.
pub const RESETTING: &str = "/resets";

/// A request as the upstream saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, in order; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// How many bytes of body came.
    pub body_bytes: usize,
    /// The trailers, in order.
    pub trailers: Vec<(String, String)>,
}

impl Seen {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        json!({"method": self.method, "path": self.path, "headers": self.headers,
            "body_bytes": self.body_bytes})
    }
}

/// A running upstream, for HTTP/1.1 and HTTP/2 in the clear.
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start() -> Upstream {
        Upstream::on(std::net::TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Starts one that takes what comes in at a socket, which may be in another network.
    ///
    /// # Panics
    /// When the socket cannot be used.
    #[must_use]
    pub fn on(listener: std::net::TcpListener) -> Upstream {
        let seen = Arc::new(Mutex::new(Vec::new()));
        listener.set_nonblocking(true).unwrap();
        let listener = {
            let _runtime = runtime().enter();
            TcpListener::from_std(listener).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let server = runtime().spawn(serve(listener, Arc::clone(&seen)));
        Upstream { address, seen, server }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it saw of the request with this header, if that request ever came: for requests whose id a
    /// proxy in front replaces.
    ///
    /// # Panics
    /// When a server task panicked.
    #[must_use]
    pub fn saw_header(&self, name: &str, value: &str) -> Option<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().find(|one| one.header(name) == Some(value)).cloned()
    }

    /// What it saw of the request with this id, if that request ever came.
    ///
    /// # Panics
    /// When it came twice.
    #[must_use]
    pub fn saw(&self, request_id: &str) -> Option<Seen> {
        let seen = self.seen.lock().unwrap();
        let with_id = |one: &&Seen| one.header("x-request-id") == Some(request_id);
        let mut found = seen.iter().filter(with_id);
        let first = found.next().cloned();
        assert!(found.next().is_none(), "{request_id} reached the upstream twice");
        first
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            // Envoy opens streams before it has heard how many there may be.
            server.http2().max_concurrent_streams(None);
            // A connection that breaks is the other side's business.
            let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Body>, &'static str> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fields = |map: &HeaderMap| {
        map.iter().map(|(k, v)| (k.to_string(), text(v.as_bytes()))).collect::<Vec<_>>()
    };
    let mut one = Seen {
        method: request.method().to_string(),
        path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        headers: fields(request.headers()),
        body_bytes: 0,
        trailers: Vec::new(),
    };
    if let Some(endless) = Endless::of(request.uri().path()) {
        seen.lock().unwrap().push(one);
        return Ok(endless.answer(request));
    }
    if let Ok(body) = request.into_body().collect().await {
        one.trailers = body.trailers().map(fields).unwrap_or_default();
        one.body_bytes = body.to_bytes().len();
    }
    let hangs = one.path.ends_with(HANGING);
    let resets = one.path.ends_with(RESETTING);
    let is_grpc =
        one.header("content-type").is_some_and(|kind| kind.starts_with("application/grpc"));
    let content = Full::from(one.json().to_string());
    seen.lock().unwrap().push(one);
    if resets {
        return Err("the upstream breaks the connection");
    }
    if hangs {
        std::future::pending::<()>().await;
    }
    let mut trailers = HeaderMap::new();
    let kind = if is_grpc { "application/grpc" } else { "application/json" };
    if is_grpc {
        trailers.insert("grpc-status", 0.into());
    }
    let content = content.with_trailers(async move { is_grpc.then_some(Ok(trailers)) });
    let content = boxed(content.map_frame(|frame: Frame<Bytes>| frame));
    Ok(Response::builder().header("content-type", kind).body(content).unwrap())
}
