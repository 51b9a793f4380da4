//! What the upstream answers without ever coming to an end: a download, events, silence, a
//! WebSocket, and a gRPC call that goes both ways.

use std::error::Error;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::interval;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::live::{EVENTS, PERIOD, SILENT, SOCKET, TRICKLING, WATCH};

/// Any body.
pub(crate) type Body = BoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Makes a body any body.
pub(crate) fn boxed<B>(body: B) -> Body
where
    B: hyper::body::Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    BoxBody::new(body.map_err(Into::into))
}

/// What never ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Endless {
    Download,
    Events,
    Silence,
    Socket,
    Echo,
}

impl Endless {
    /// What a path stands for, if it is something endless.
    pub(crate) fn of(path: &str) -> Option<Endless> {
        [
            (TRICKLING, Endless::Download),
            (EVENTS, Endless::Events),
            (SILENT, Endless::Silence),
            (SOCKET, Endless::Socket),
            (WATCH, Endless::Echo),
        ]
        .into_iter()
        .find(|(end, _)| path.ends_with(end))
        .map(|(_, endless)| endless)
    }

    /// The answer to a request for it.
    pub(crate) fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let of = |kind, body| Response::builder().header("content-type", kind).body(body).unwrap();
        match self {
            Endless::Download => of("application/octet-stream", again("drop")),
            Endless::Events => of("text/event-stream", again("data: drop\n\n")),
            Endless::Silence => of("application/octet-stream", silence()),
            Endless::Socket => socket(request),
            // What comes goes back: both ways are open until one side ends.
            Endless::Echo => of("application/grpc", boxed(request.into_body())),
        }
    }
}

/// The same words for ever.
fn again(words: &'static str) -> Body {
    let frames = stream::unfold(interval(PERIOD), move |mut interval| async move {
        interval.tick().await;
        Some((Ok(Frame::data(Bytes::from_static(words.as_bytes()))), interval))
    });
    BoxBody::new(StreamBody::new(frames))
}

fn silence() -> Body {
    BoxBody::new(StreamBody::new(stream::pending()))
}

/// A WebSocket on which a message is sent now and then.
fn socket(mut request: Request<Incoming>) -> Response<Body> {
    let upgraded = hyper::upgrade::on(&mut request);
    let answer =
        create_response_with_body(&request, || BoxBody::new(StreamBody::new(stream::empty())));
    tokio::spawn(async move {
        let stream = TokioIo::new(upgraded.await.expect("an upgrade"));
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while socket.send(Message::text("drop")).await.is_ok() {
            // Whoever is not read from cannot be told that the client is gone.
            let _ = tokio::time::timeout(PERIOD, socket.next()).await;
        }
    });
    answer.expect("a WebSocket's handshake")
}
