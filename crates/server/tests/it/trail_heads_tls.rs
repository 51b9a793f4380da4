//! A head goes to a URL by TLS, and with its credential to no server but the one that `ca_file` vouches for.

use std::sync::{Arc, Mutex};

use breakglass_server::tasks::trail_heads::keep_telling;
use breakglass_testing::service::Service;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::tls::{Authority, Files, Identity};
use crate::trail_heads::{until_counted, untold, with};

/// What came in over TLS, as text.
type Came = Arc<Mutex<Vec<String>>>;

/// A server with this certificate that takes every head, and its port.
async fn place(identity: &Identity) -> (Came, u16) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Came::default();
    let keep = Arc::clone(&came);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not believe the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut read = Vec::new();
            while !is_whole(&read) && stream.read_buf(&mut read).await.is_ok_and(|read| read > 0) {}
            keep.lock().unwrap().push(String::from_utf8(read).unwrap());
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    (came, port)
}

fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.ends_with('}'))
}

/// A service that tells its heads to this port by TLS, with these certificates to trust.
async fn telling_to(port: u16, ca: Option<&str>) -> (Service, Files) {
    let files = Files::new();
    let url = format!("url = \"https://localhost:{port}/heads\"\ntoken_file = \"AT/token\"");
    let ca_file = ca.map(|pem| {
        files.write("heads-ca.crt", pem);
        format!("ca_file = \"{}\"", files.path("heads-ca.crt").display())
    });
    (with(&format!("{url}\n{}", ca_file.unwrap_or_default())).await, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_goes_to_a_server_that_the_named_authority_vouches_for() {
    let authority = Authority::new("an authority of heads");
    let (came, port) = place(&authority.issue("localhost")).await;
    // Beside another one, as while authorities are replaced.
    let both = format!("{}{}", Authority::new("another authority").pem(), authority.pem());
    let (service, _files) = telling_to(port, Some(&both)).await;
    service.pending().await;
    let telling = tokio::spawn(keep_telling(service.app.clone()));
    until_counted(&service, "url", "taken", 1).await;
    telling.abort();
    assert_eq!(untold(&service).await, Value::Null);
    let came = came.lock().unwrap().clone();
    let (head, body) = came[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("PUT /heads HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("\r\nauthorization: bearer secret"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let last = service.app.store().trail_head().await.unwrap();
    assert_eq!((body["seq"].as_i64(), body["hash"].as_str()), (Some(last.seq), Some(&*last.hash)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_certificate_gets_neither_the_head_nor_the_credential() {
    let authority = Authority::new("an authority of heads");
    let other = Authority::new("another authority");
    let trusted = authority.pem();
    for (what, identity, ca, expected) in [
        ("another authority", other.issue("localhost"), Some(&*trusted), "UnknownIssuer"),
        ("the public authorities", authority.issue("localhost"), None, "UnknownIssuer"),
        ("another name", authority.issue("other.test"), Some(&*trusted), "not valid for name"),
        ("another time", authority.issue_for("localhost", 2020, 2021), Some(&*trusted), "expired"),
        (
            "no certificate",
            authority.issue("localhost"),
            Some("no PEM"),
            "expected certificates in PEM",
        ),
    ] {
        let (came, port) = place(&identity).await;
        let (service, _files) = telling_to(port, ca).await;
        let telling = tokio::spawn(keep_telling(service.app.clone()));
        until_counted(&service, "url", "failed", 1).await;
        telling.abort();
        assert!(came.lock().unwrap().is_empty(), "{what}: {:?}", came.lock().unwrap());
        let health = untold(&service).await;
        let error = health[0]["error"].as_str().unwrap();
        assert!(error.contains(expected), "{what}: {error}");
    }
}
