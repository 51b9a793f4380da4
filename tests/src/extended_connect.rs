//! A client that asks for another protocol by extended CONNECT over HTTP/2 (RFC 8441).

use std::net::SocketAddr;
use std::time::Duration;

use h2::ext::Protocol;
use http::{Method, Request};
use tokio::net::TcpStream;

use crate::client::new_id;
use crate::runtime::runtime;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks for `protocol` at `path`, and ends the stream once it is answered: the request's id and the status.
///
/// # Panics
/// When no answer comes, or the server does not take extended CONNECT.
#[must_use]
pub fn ask(to: SocketAddr, protocol: &str, path: &str, token: Option<&str>) -> (String, u16) {
    let id = new_id();
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://orders.internal{path}"))
        .header("x-request-id", &id)
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .extension(Protocol::from(protocol));
    if let Some(token) = token {
        request = request.header("x-breakglass-token", token);
    }
    let request = request.body(()).unwrap();
    let call = async { tokio::time::timeout(PATIENCE, exchange(to, request)).await };
    let status = runtime().block_on(call).expect("an answer in time").expect("an answer");
    (id, status)
}

async fn exchange(to: SocketAddr, request: Request<()>) -> Result<u16, h2::Error> {
    let stream = TcpStream::connect(to).await.expect("a connection");
    let (client, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await?;
    // The server says in its settings that it takes extended CONNECT.
    while !client.is_extended_connect_protocol_enabled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (response, _body) = client.send_request(request, false)?;
    let status = response.await?.status().as_u16();
    connection.abort();
    Ok(status)
}
