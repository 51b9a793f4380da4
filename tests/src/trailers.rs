//! A client that ends its requests with trailers, empty ones too, as Rust's `h2` sends them: over HTTP/2 in the clear.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::new_id;
use crate::runtime::runtime;

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// How much of an answer without an end is read after the trailers.
pub(crate) const GOES_ON: usize = 200;

/// What a client sends.
#[derive(Debug, Clone)]
pub struct Sent<'a> {
    /// The method; with a protocol it is `CONNECT`.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// Headers besides the request's id.
    pub headers: &'a [(&'a str, &'a str)],
    /// The trailers.
    pub trailers: HeaderMap,
    /// When they are sent.
    pub when: When,
}

/// When a client sends its trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// With the body.
    AtOnce,
    /// When the answer, which has no end, has begun.
    Begun,
    /// The same, over a WebSocket by extended CONNECT (RFC 8441).
    Switched,
    /// Never: the request ends with its headers, and the answer is read to its end.
    Never,
}

impl When {
    /// Whether the request goes on after its headers.
    pub(crate) fn is_later(self) -> bool {
        matches!(self, When::Begun | When::Switched)
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Came {
    /// The request's id.
    pub id: String,
    /// The status.
    pub status: u16,
    /// The body; of an answer without an end, what came of it after the trailers.
    pub body: Vec<u8>,
    /// What ended the stream before its time.
    pub broken: Option<String>,
}

/// Sends a request and its trailers, and reads the answer.
///
/// # Panics
/// When there is none in time.
#[must_use]
pub fn send(to: SocketAddr, sent: &Sent<'_>) -> Came {
    let id = new_id();
    let exchange = async { timeout(PATIENCE, exchange(to, &id, sent)).await };
    let (status, body, broken) =
        runtime().block_on(exchange).expect("an answer in time").expect("an answer");
    Came { id, status, body, broken }
}

async fn exchange(
    to: SocketAddr,
    id: &str,
    sent: &Sent<'_>,
) -> Result<(u16, Vec<u8>, Option<String>), h2::Error> {
    let stream = TcpStream::connect(to).await.expect("a connection");
    let (client, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await?;
    let mut request = Request::builder()
        .method(sent.method)
        .uri(format!("http://orders.internal{}", sent.path))
        .header("x-request-id", id);
    for (name, value) in sent.headers {
        request = request.header(*name, *value);
    }
    if sent.when == When::Switched {
        while !client.is_extended_connect_protocol_enabled() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        request = request.method(Method::CONNECT).extension(Protocol::from("websocket"));
    }
    let (response, mut body) =
        client.send_request(request.body(()).unwrap(), sent.when == When::Never)?;
    if sent.when == When::AtOnce {
        // An answer may come, and end the stream, before the body is asked for.
        let _ = body.send_data(Bytes::from_static(b"hello"), false);
        let _ = body.send_trailers(sent.trailers.clone());
    }
    let (head, answer) = response.await?.into_parts();
    let (read, broken) = read(answer, body, sent).await;
    connection.abort();
    Ok((head.status.as_u16(), read, broken))
}

async fn read(
    mut answer: RecvStream,
    mut body: SendStream<Bytes>,
    sent: &Sent<'_>,
) -> (Vec<u8>, Option<String>) {
    let (mut read, mut is_sent) = (Vec::new(), !sent.when.is_later());
    while let Some(chunk) = answer.data().await {
        match chunk {
            Ok(chunk) => {
                let _ = answer.flow_control().release_capacity(chunk.len());
                read.extend(chunk);
            }
            Err(error) => return (read, Some(error.to_string())),
        }
        if !is_sent {
            body.send_trailers(sent.trailers.clone()).expect("a stream that is open");
            read.clear();
            is_sent = true;
        } else if sent.when.is_later() && read.len() > GOES_ON {
            break;
        }
    }
    (read, None)
}
