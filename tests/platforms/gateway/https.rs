//! HTTPS servers: the approval service's front, and the registry.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use breakglass_tests::certificates::{Authority, Identity};
use breakglass_tests::client::Answer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A request that came.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The head as it came, with the empty line.
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// Serves HTTP/1.1 over TLS, as `identity`, for as long as the process lives; with `clients`, to those alone that show a
/// certificate of this authority.
pub(crate) fn serve(
    address: &str,
    identity: &Identity,
    clients: Option<&Authority>,
    answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) {
    let (certificate, key) = identity.pem();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => config.with_no_client_auth(),
    };
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    let (config, answer) = (Arc::new(config), Arc::new(answer));
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let answer = Arc::clone(&answer);
            // A connection that breaks is the other side's business.
            thread::spawn(move || {
                let _ = converse(StreamOwned::new(connection, stream), &*answer);
            });
        }
    });
}

fn converse(
    stream: StreamOwned<ServerConnection, TcpStream>,
    answer: &(impl Fn(&Asked) -> Answer + ?Sized),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream)? {
        let answer = answer(&asked);
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", answer.status, "From-The-Tests");
        for (name, value) in &answer.headers {
            if !["content-length", "transfer-encoding", "connection"].contains(&&**name) {
                bytes.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        bytes.push_str(&format!("content-length: {}\r\n\r\n", answer.body.len()));
        stream.get_mut().write_all(bytes.as_bytes())?;
        if asked.method != "HEAD" {
            stream.get_mut().write_all(&answer.body)?;
        }
        stream.get_mut().flush()?;
    }
    Ok(())
}

fn read(from: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let start = head.len();
        if from.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&head[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let line = String::from_utf8_lossy(&head).into_owned();
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, path) = (word(), word());
    Ok(Some(Asked { method, path, head, body }))
}
