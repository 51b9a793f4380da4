//! Why a service cannot be reached, in words that say what to do; and by which way its API token goes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::process::{Ran, breakglass};
use crate::stand_in::{REQUEST, Reply, StandIn, good};

fn run(url: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = breakglass();
    command.args(arguments).envs(environment.iter().copied());
    command.env("BREAKGLASS_URL", url).env("BREAKGLASS_API_TOKEN", "token-secret");
    let ran = Ran::from(command.output().unwrap());
    assert!(!ran.stderr.contains("token-secret") && !ran.stdout.contains("token-secret"));
    ran
}

fn unused() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that answers whatever comes first as one of `http://` does.
fn plain() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    port
}

/// A server with a certificate of its own for `name`, valid until `year`; the certificate is in `file`.
fn tls(name: &str, year: i32, file: &Path) -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = parameters.self_signed(&key).unwrap();
    std::fs::write(file, certificate.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, connection.unwrap());
            let mut buffer = [0; 4096];
            // A client that does not trust the certificate goes away.
            if stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                let body = "{\"requests\":[]}";
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.flush();
            }
        }
    });
    port
}

#[test]
fn each_way_not_to_be_reached_says_what_to_do() {
    let closed = format!("http://127.0.0.1:{}", unused());
    let as_https = format!("https://127.0.0.1:{}", plain());
    for (url, words) in [
        (
            closed.as_str(),
            ["connection refused: nothing listens at 127.0.0.1:", "whether the service runs"],
        ),
        ("https://no-such-host.invalid", ["name of the host cannot be resolved", "VPN"]),
        (&as_https, ["no TLS connection", "`http://`"]),
    ] {
        let ran = run(url, &["status"], &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{url}: {ran:?}");
        assert!(ran.stderr.starts_with(&format!("breakglass: {url}/v1/requests: ")), "{ran:?}");
        for words in words {
            assert!(ran.stderr.contains(words), "{words}: {ran:?}");
        }
        assert!(!ran.stderr.contains("may have done it"), "nothing was asked for: {ran:?}");
    }
    // What a change has come to is not known, where its answer was lost.
    let gone = StandIn::start(|_, call| match call.method.as_str() {
        "POST" => Reply::Bytes(Vec::new()),
        _ => good(call),
    });
    for arguments in [vec!["cancel", REQUEST], vec!["approve", REQUEST, "--yes"]] {
        let ran = run(&gone.url, &arguments, &[]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("the service may have done it all the same"), "{ran:?}");
    }
    let ran = run(&closed, &["cancel", REQUEST], &[]);
    assert!(!ran.stderr.contains("may have done it"), "{ran:?}");
}

#[test]
fn a_certificate_that_is_not_trusted_says_why_and_what_to_do() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (own, other, old, named) = (file("own"), file("other"), file("old"), file("named"));
    let port = tls("localhost", 2090, &own);
    tls("localhost", 2090, &other);
    let expired = tls("localhost", 2001, &old);
    let elsewhere = tls("approvals.internal", 2090, &named);
    let ca = |path: &Path| ("BREAKGLASS_CA_FILE", path.to_str().unwrap().to_owned());
    for (port, ca_file, words) in [
        (port, None, "give the issuer's certificate in PEM with `--ca-file`"),
        (port, Some(ca(&other)), "not issued by a certificate in `"),
        (expired, Some(ca(&old)), "check this machine's clock"),
        (elsewhere, Some(ca(&named)), "it is for another name"),
    ] {
        let url = format!("https://localhost:{port}");
        let environment: Vec<(&str, &str)> =
            ca_file.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let ran = run(&url, &["status"], &environment);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(
            ran.stderr.contains("certificate is not trusted") && ran.stderr.contains(words),
            "{words}: {ran:?}"
        );
    }
    let url = format!("https://localhost:{port}");
    let ran = run(&url, &["status"], &[("BREAKGLASS_CA_FILE", own.to_str().unwrap())]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "no requests\n"), "{ran:?}");
}

/// A proxy that opens no tunnel. What it was sent.
fn proxy() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let sent = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&sent);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut buffer = [0; 4096];
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                match connection.read(&mut buffer) {
                    Ok(count) if count > 0 => {
                        request.push_str(&String::from_utf8_lossy(&buffer[..count]));
                    }
                    _ => break,
                }
            }
            seen.lock().unwrap().push_str(&request);
            let _ = connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (address, sent)
}

/// With `http://` a proxy would read the API token: it is refused, before anything is sent. With `https://` it sees
/// where the tunnel goes.
#[test]
fn a_proxy_never_sees_the_token() {
    for variable in
        ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]
    {
        let (address, sent) = proxy();
        let named = format!("http://user:hidden@{address}");
        let ran = run("http://approvals.internal", &["status"], &[(variable, &named)]);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{variable}: {ran:?}");
        for words in [variable, &address, "would see your API token", "NO_PROXY=approvals.internal"]
        {
            assert!(ran.stderr.contains(words), "{words}: {ran:?}");
        }
        assert!(!ran.stderr.contains("hidden"), "{ran:?}");
        assert_eq!(*sent.lock().unwrap(), "");

        let ran = run("https://approvals.internal", &["status"], &[(variable, &named)]);
        assert_eq!(ran.code, 1, "{variable}: {ran:?}");
        let words = format!("through the proxy {address} of {variable}");
        assert!(
            ran.stderr.contains(&words) && ran.stderr.contains("no tunnel"),
            "{words}: {ran:?}"
        );
        assert!(!ran.stderr.contains("hidden"), "{ran:?}");
        let sent = sent.lock().unwrap().clone();
        assert!(sent.starts_with("CONNECT approvals.internal:443 "), "{sent}");
        assert!(!sent.contains("token-secret"), "{sent}");
    }
}

#[test]
fn this_machine_and_no_proxy_are_reached_without_one() {
    let server = StandIn::start(|_, call| good(call));
    let (address, sent) = proxy();
    let proxy = format!("http://{address}");
    for url in [server.url.clone(), server.url.replace("127.0.0.1", "localhost")] {
        let ran = run(&url, &["status", REQUEST], &[("ALL_PROXY", &proxy)]);
        assert_eq!(ran.code, 0, "{url}: {ran:?}");
    }
    let exempt = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "no-such-host.invalid")];
    let ran = run("http://no-such-host.invalid", &["status"], &exempt);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("cannot be resolved") && !ran.stderr.contains("proxy"), "{ran:?}");
    // SOCKS is not supported: as before it is not used, and now that is said.
    let socks = [("ALL_PROXY", "socks5h://127.0.0.1:1080")];
    let ran = run("https://no-such-host.invalid", &["status"], &socks);
    assert!(ran.stderr.contains("without the proxy 127.0.0.1:1080 of ALL_PROXY"), "{ran:?}");
    assert_eq!(*sent.lock().unwrap(), "");
}
