//! The API behind the gate: it answers with what it saw, and remembers it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Interval;

use crate::runtime::runtime;

/// A request whose path ends with this is never answered.
pub const HANGING: &str = "/hangs";

/// A path that ends so is answered by a body that never ends.
pub const TRICKLING: &str = "/trickles";

/// How often such a body goes on.
const TRICKLE_PERIOD: Duration = Duration::from_millis(20);

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
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = runtime().spawn(serve(listener, Arc::clone(&seen)));
        Upstream { address, seen, server }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
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
            let server = auto::Builder::new(TokioExecutor::new());
            // A connection that breaks is the other side's business.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fields = |map: &HeaderMap| {
        map.iter().map(|(k, v)| (k.to_string(), text(v.as_bytes()))).collect::<Vec<_>>()
    };
    let (body_bytes, trailers) = match body.collect().await {
        Ok(body) => {
            let trailers = body.trailers().map(fields).unwrap_or_default();
            (body.to_bytes().len(), trailers)
        }
        Err(_) => (0, Vec::new()),
    };
    let one = Seen {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: fields(&head.headers),
        body_bytes,
        trailers,
    };
    let hangs = one.path.ends_with(HANGING);
    let trickles = one.path.ends_with(TRICKLING);
    let is_grpc =
        one.header("content-type").is_some_and(|kind| kind.starts_with("application/grpc"));
    let content = Full::from(one.json().to_string());
    seen.lock().unwrap().push(one);
    if hangs {
        std::future::pending::<()>().await;
    }
    if trickles {
        let body = BoxBody::new(Trickle(tokio::time::interval(TRICKLE_PERIOD)));
        return Ok(Response::new(body));
    }
    let mut trailers = HeaderMap::new();
    let kind = if is_grpc { "application/grpc" } else { "application/json" };
    if is_grpc {
        trailers.insert("grpc-status", 0.into());
    }
    let content = content.with_trailers(async move { is_grpc.then_some(Ok(trailers)) });
    let content = BoxBody::new(content.map_frame(|frame: Frame<Bytes>| frame));
    Ok(Response::builder().header("content-type", kind).body(content).unwrap())
}

/// A body that never ends.
struct Trickle(Interval);

impl Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b"drop")))))
    }
}
