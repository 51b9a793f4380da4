//! A client of HTTP/3 that ends its requests with trailers, empty ones too, as Rust's `h3` sends them.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::client::RequestStream;
use h3_quinn::BidiStream;
use http::Request;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use tokio::time::timeout;

use crate::certificates::{Authority, GATE};
use crate::client::new_id;
use crate::runtime::runtime;
use crate::trailers::{Came, GOES_ON, PATIENCE, Sent, When};

/// Sends a request and its trailers over QUIC, and reads the answer.
///
/// # Panics
/// When there is none in time, and for [`When::Switched`], which HTTP/3 does otherwise (RFC 9220).
#[must_use]
pub fn send(to: SocketAddr, authority: &Authority, sent: &Sent<'_>) -> Came {
    assert!(sent.when != When::Switched, "not over HTTP/3");
    let id = new_id();
    let mut tls = authority.trusting();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let tls = QuicClientConfig::try_from(tls).expect("TLS 1.3");
    let exchange = async {
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).expect("a UDP socket");
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(tls)));
        timeout(PATIENCE, exchange(&endpoint, to, &id, sent)).await
    };
    let (status, body, broken) = runtime().block_on(exchange).expect("an answer in time");
    Came { id, status, body, broken }
}

async fn exchange(
    endpoint: &Endpoint,
    to: SocketAddr,
    id: &str,
    sent: &Sent<'_>,
) -> (u16, Vec<u8>, Option<String>) {
    let connection = endpoint.connect(to, GATE).expect("an endpoint").await.expect("a connection");
    let connection = h3_quinn::Connection::new(connection);
    let (mut driver, mut client) = h3::client::new(connection).await.expect("HTTP/3");
    let driver = tokio::spawn(async move { driver.wait_idle().await });
    let mut request = Request::builder()
        .method(sent.method)
        .uri(format!("https://orders.internal{}", sent.path))
        .header("x-request-id", id);
    for (name, value) in sent.headers {
        request = request.header(*name, *value);
    }
    let mut stream = client.send_request(request.body(()).unwrap()).await.expect("a stream");
    if sent.when == When::AtOnce {
        // An answer may come, and end the stream, before the body is asked for.
        let _ = stream.send_data(Bytes::from_static(b"hello")).await;
        let _ = stream.send_trailers(sent.trailers.clone()).await;
    }
    if !sent.when.is_later() {
        let _ = stream.finish().await;
    }
    let status = stream.recv_response().await.expect("an answer").status().as_u16();
    let (body, broken) = read(&mut stream, sent).await;
    driver.abort();
    (status, body, broken)
}

async fn read(
    stream: &mut RequestStream<BidiStream<Bytes>, Bytes>,
    sent: &Sent<'_>,
) -> (Vec<u8>, Option<String>) {
    let (mut read, mut is_sent) = (Vec::new(), !sent.when.is_later());
    loop {
        match stream.recv_data().await {
            Ok(Some(mut chunk)) => read.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining())),
            Ok(None) => return (read, None),
            Err(error) => return (read, Some(error.to_string())),
        }
        if !is_sent {
            stream.send_trailers(sent.trailers.clone()).await.expect("a stream that is open");
            stream.finish().await.expect("a stream that is open");
            read.clear();
            is_sent = true;
        } else if sent.when.is_later() && read.len() > GOES_ON {
            return (read, None);
        }
    }
}
