//! A TLS terminator in front of the service, as a mesh or an ingress is one, with a certificate of a CA of its own.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use breakglass_tests::client::get;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A TLS terminator. It ends with the tests.
pub(crate) struct Terminator {
    authority: String,
    port: u16,
}

impl Terminator {
    /// Starts one for a name.
    pub(crate) fn start(service: SocketAddr, name: &str) -> Terminator {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Arc::new(config);
        thread::spawn(move || {
            for connection in listener.incoming() {
                // A client that does not trust the certificate goes away.
                let _ = serve(connection.unwrap(), &config, service);
            }
        });
        Terminator { authority, port }
    }

    /// The CA's certificate, in PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// Hands on the GET requests of a connection.
fn serve(
    connection: TcpStream,
    config: &Arc<ServerConfig>,
    service: SocketAddr,
) -> std::io::Result<()> {
    let tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(tls, connection);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
        let own = ["host", "x-request-id", "connection"];
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.filter(|(name, _)| !own.contains(&&*name.to_lowercase()));
        let request =
            headers.fold(get(target), |request, (name, value)| request.header(name, value));
        let answer = request.send(service);
        let mut head = format!("HTTP/1.1 {} answer\r\n", answer.status);
        for (name, value) in &answer.headers {
            if !["content-length", "transfer-encoding"].contains(&&**name) {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
        }
        write!(head, "content-length: {}\r\n\r\n", answer.body.len()).unwrap();
        stream.write_all(&[head.as_bytes(), &answer.body].concat())?;
        stream.flush()?;
    }
}
