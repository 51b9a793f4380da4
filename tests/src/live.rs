//! Clients of what does not end: a download and events over HTTP/1.1, a stream over HTTP/2, a
//! WebSocket, a gRPC call that goes both ways. Each is read by a library's client until somebody
//! ends it, and tells when that was and what it saw.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::new_id;
use crate::runtime::runtime;
use crate::tokens::since_1970;
use crate::wait::until;

/// A path that ends so is answered by a body that never ends.
pub const TRICKLING: &str = "/trickles";
/// .. by events that never end.
pub const EVENTS: &str = "/events";
/// .. by headers, and nothing behind them.
pub const SILENT: &str = "/silent";
/// .. as a WebSocket.
pub const SOCKET: &str = "/socket";
/// .. with the messages that come.
pub const WATCH: &str = "/Watch";

/// How often something comes.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);

/// How long a client waits for the end: far longer than any test lets a stream live.
const PATIENCE: Duration = Duration::from_secs(30);

type Body = BoxBody<Bytes, Infallible>;

/// A stream that is being read.
pub struct Live {
    /// The id that Envoy, the upstream and the audit record know it by.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    received: Arc<AtomicU64>,
    end: Receiver<End>,
    task: AbortHandle,
}

/// How a stream ended, as its client saw it.
#[derive(Debug, Clone)]
pub struct End {
    /// When, since 1970.
    pub at: Duration,
    /// In the words of the client's library; "the end" where it saw nothing wrong.
    pub how: String,
}

/// What a stream can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A body over HTTP/1.1.
    Download,
    /// Server-sent events over HTTP/1.1.
    Events,
    /// A body over HTTP/2.
    Http2,
    /// Headers over HTTP/2, with nothing behind them: a stream that costs nobody anything.
    Quiet,
    /// A WebSocket.
    WebSocket,
    /// A gRPC call that goes both ways.
    Grpc,
}

impl Kind {
    /// All that something comes of.
    pub const ALL: [Kind; 5] =
        [Kind::Download, Kind::Events, Kind::Http2, Kind::WebSocket, Kind::Grpc];
}

/// An HTTP/2 connection that many streams share.
#[derive(Clone)]
pub struct Connection(http2::SendRequest<Body>);

impl Connection {
    /// Opens one.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn open(to: SocketAddr) -> Connection {
        runtime().block_on(Connection::connect(to)).expect("a connection")
    }

    async fn connect(to: SocketAddr) -> Result<Connection, Box<dyn Error + Send + Sync>> {
        let stream = TokioIo::new(TcpStream::connect(to).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        Ok(Connection(sender))
    }
}

impl Connection {
    /// Asks for `/v1/orders` with each of these tokens, all at once: the statuses.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn ask(&self, tokens: &[String]) -> Vec<u16> {
        let ask = |token: &String| {
            let builder = Request::builder().uri("http://orders.internal/v1/orders");
            let head = builder.header("x-breakglass-token", token).body(nothing()).unwrap();
            let answer = self.0.clone().send_request(head);
            async move { answer.await.expect("an answer").status().as_u16() }
        };
        runtime().block_on(futures_util::future::join_all(tokens.iter().map(ask)))
    }
}

impl Connection {
    /// Sends a request: its status.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn send(&self, id: &str, path: &str, token: &str) -> u16 {
        let builder = Request::builder().uri(format!("http://orders.internal{path}"));
        let builder = builder.header("x-request-id", id).header("x-breakglass-token", token);
        let answer = self.0.clone().send_request(builder.body(nothing()).unwrap());
        runtime().block_on(async {
            let answer = answer.await.expect("an answer");
            let status = answer.status().as_u16();
            answer.into_body().collect().await.expect("a body");
            status
        })
    }
}

impl Live {
    /// Opens a stream under a token and waits until it has begun.
    ///
    /// # Panics
    /// When it does not begin.
    #[must_use]
    pub fn begin(kind: Kind, to: SocketAddr, token: &str) -> Live {
        let (id, token) = (new_id(), token.to_owned());
        let known = id.clone();
        Live::started(kind, id, |received| async move {
            let head = request(kind, &known, &token);
            match kind {
                Kind::Download | Kind::Events => {
                    let stream = TokioIo::new(TcpStream::connect(to).await?);
                    let (mut sender, connection) = http1::handshake(stream).await?;
                    tokio::spawn(connection);
                    let request = head.body(nothing())?;
                    read(sender.send_request(request).await?, &received).await
                }
                Kind::Http2 | Kind::Quiet => {
                    over(Connection::connect(to).await?, head, &received).await
                }
                Kind::Grpc => {
                    let (messages, body) = Channel::new(1);
                    tokio::spawn(send_messages(messages));
                    let mut connection = Connection::connect(to).await?.0;
                    let request = head.body(BoxBody::new(body))?;
                    read(connection.send_request(request).await?, &received).await
                }
                Kind::WebSocket => listen(to, head.body(())?, &received).await,
            }
        })
        .begun()
    }

    /// Opens a stream of `kind`, [`Kind::Http2`] or [`Kind::Quiet`], on a connection that others use
    /// too; it may not have begun yet.
    #[must_use]
    pub fn share(connection: &Connection, kind: Kind, token: &str) -> Live {
        let (id, connection) = (new_id(), connection.clone());
        let head = request(kind, &id, token);
        Live::started(kind, id, |received| async move { over(connection, head, &received).await })
    }

    fn started<F>(kind: Kind, id: String, run: impl FnOnce(Arc<AtomicU64>) -> F) -> Live
    where
        F: Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let (ended, end) = channel();
        let received = Arc::new(AtomicU64::new(0));
        let stream = run(Arc::clone(&received));
        let task = runtime().spawn(async move {
            let how = match stream.await {
                Ok(()) => "the end".to_owned(),
                Err(error) => in_full(&*error),
            };
            let _ = ended.send(End { at: since_1970(), how });
        });
        Live { id, kind, received, end, task: task.abort_handle() }
    }

    /// Waits until it has begun.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn begun(self) -> Live {
        until("a stream to begin", || {
            let over = self.end.try_recv();
            assert!(over.is_err(), "{:?} ended before it began: {over:?}", self.kind);
            (self.received() > 0).then_some(())
        });
        self
    }

    /// How much came so far: its headers count as one byte.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn ended(&self) -> End {
        let end = self.end.recv_timeout(PATIENCE);
        end.unwrap_or_else(|_| panic!("{:?} {} goes on", self.kind, self.id))
    }

    /// Whether it still goes on: something more comes now.
    pub fn goes_on(&self) {
        let before = self.received();
        until("a stream to go on", || (self.received() > before).then_some(()));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request(kind: Kind, id: &str, token: &str) -> http::request::Builder {
    let (method, path) = match kind {
        Kind::Download | Kind::Http2 => ("GET", format!("/v1/orders{TRICKLING}")),
        Kind::Events => ("GET", format!("/v1/orders{EVENTS}")),
        Kind::Quiet => ("GET", format!("/v1/orders{SILENT}")),
        Kind::WebSocket => ("GET", format!("/v1/orders{SOCKET}")),
        Kind::Grpc => ("POST", format!("/test.Orders{WATCH}")),
    };
    let host = "orders.internal";
    // HTTP/1.1 wants the path and a host, HTTP/2 the whole.
    let builder = Request::builder().method(method);
    let builder = match kind {
        Kind::Download | Kind::Events => builder.uri(path).header("host", host),
        Kind::WebSocket => builder.uri(format!("ws://{host}{path}")),
        Kind::Http2 | Kind::Quiet => builder.uri(format!("http://{host}{path}")),
        Kind::Grpc => builder
            .uri(format!("http://{host}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers"),
    };
    builder.header("x-request-id", id).header("x-breakglass-token", token)
}

fn nothing() -> Body {
    BoxBody::new(Empty::new())
}

async fn over(
    mut connection: Connection,
    head: http::request::Builder,
    received: &AtomicU64,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let response = connection.0.send_request(head.body(nothing())?).await?;
    read(response, received).await
}

async fn read(
    response: http::Response<Incoming>,
    received: &AtomicU64,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    if response.status() != 200 {
        return Err(format!("answered with {}", response.status()).into());
    }
    received.fetch_add(1, Ordering::Relaxed);
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let length = frame?.data_ref().map_or(0, Bytes::len);
        received.fetch_add(length as u64, Ordering::Relaxed);
    }
    Ok(())
}

async fn send_messages(mut messages: http_body_util::channel::Sender<Bytes, Infallible>) {
    // An empty message: not compressed, of no length.
    while messages.send_data(Bytes::from_static(&[0; 5])).await.is_ok() {
        tokio::time::sleep(PERIOD).await;
    }
}

async fn listen(
    to: SocketAddr,
    head: Request<()>,
    received: &AtomicU64,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut request = head.uri().into_client_request()?;
    request.headers_mut().extend(head.headers().clone());
    let stream = TcpStream::connect(to).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    received.fetch_add(1, Ordering::Relaxed);
    while let Some(message) = socket.next().await {
        received.fetch_add(message?.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// An error with its causes.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
