//! A gRPC-like client: HTTP/2 in the clear, a status in the trailers.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tokio::net::TcpStream;

use crate::runtime::runtime;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came back.
#[derive(Debug)]
pub struct GrpcAnswer {
    /// The HTTP status.
    pub http_status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The trailers; the headers are the trailers where nothing but a status came.
    pub trailers: HeaderMap,
}

impl GrpcAnswer {
    /// The gRPC status.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.text("grpc-status")
    }

    /// The gRPC message, still percent-encoded.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.text("grpc-message")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.trailers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Calls a method of a service, with headers.
///
/// # Panics
/// When no answer comes.
#[must_use]
pub fn call(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> GrpcAnswer {
    call_with_trailers(to, path, headers, &[])
}

/// The same, with trailers behind the message.
///
/// # Panics
/// When no answer comes.
#[must_use]
pub fn call_with_trailers(
    to: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    trailers: &[(&str, &str)],
) -> GrpcAnswer {
    let mut request = Request::builder()
        .method("POST")
        .uri(format!("http://orders.internal{path}"))
        .header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    let trailers: HeaderMap = trailers
        .iter()
        .map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        })
        .collect();
    let call = async { tokio::time::timeout(PATIENCE, exchange(to, request, trailers)).await };
    runtime().block_on(call).expect("an answer in time").expect("an answer")
}

async fn exchange(
    to: SocketAddr,
    request: Request<()>,
    trailers: HeaderMap,
) -> Result<GrpcAnswer, h2::Error> {
    let stream = TcpStream::connect(to).await.expect("a connection");
    let (mut client, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    let (response, mut body) = client.send_request(request, false)?;
    // One empty message: not compressed, of no length.
    // An answer may come, and end the stream, before the message is asked for.
    let _ = body.send_data(Bytes::from_static(&[0; 5]), trailers.is_empty());
    if !trailers.is_empty() {
        let _ = body.send_trailers(trailers);
    }
    let (head, mut body) = response.await?.into_parts();
    while let Some(chunk) = body.data().await {
        body.flow_control().release_capacity(chunk?.len())?;
    }
    let trailers = body.trailers().await?.unwrap_or_else(|| head.headers.clone());
    Ok(GrpcAnswer { http_status: head.status.as_u16(), headers: head.headers, trailers })
}
