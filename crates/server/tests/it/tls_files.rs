//! Certificates that are replaced while the service runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use breakglass_server::listeners::{ListenError, Listeners};
use breakglass_testing::service::{START, Service};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use breakglass_server::connections::{Limits, Times};

use crate::tls::{
    Answer, Authority, Files, Listening, NAME, PATIENCE, configuration, connect, exchange, feed,
    request,
};

fn begins_in(year: i32) -> impl Fn(&Value) -> bool {
    move |health| health["not_after"].as_str().unwrap().starts_with(&year.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_certificates_are_replaced() {
    let files = Files::new();
    let listening = Listening::start("", &format!("[tls]\n{}", files.tls(""))).await;
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (client, address) = (files.client(None), listening.address(0));
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (client, done, answered) =
                (client.clone(), Arc::clone(&done), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut kept = connect(address, &client).await.unwrap();
                while !done.load(Ordering::Relaxed) {
                    // One client keeps its connection; each of the others makes a new one every time.
                    if number > 0 {
                        kept = connect(address, &client).await.unwrap();
                    }
                    let answer = exchange(&mut kept, &feed(Some("envoy"))).await.unwrap();
                    assert_eq!(answer.0, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for year in [2050, 2051, 2052] {
        let before = answered.load(Ordering::Relaxed);
        files.serve(&files.authority.issue_for(NAME, 2020, year));
        listening.until(begins_in(year)).await;
        assert!(answered.load(Ordering::Relaxed) > before, "no request while it was replaced");
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_not_taken_and_is_told_to_auditors() {
    let files = Files::new();
    files.serve(&files.authority.issue_for(NAME, 2020, 2050));
    let listening = Listening::start("", &format!("[tls]\n{}", files.mutual(""))).await;
    let health = listening.health().await;
    assert_eq!((&health["names"], &health["failures"]), (&json!([NAME]), &json!([])), "{health}");
    let expired = files.authority.issue_for(NAME, 2020, 2021);
    let other = files.authority.issue(NAME);
    let first =
        |health: &Value| health["failures"][0]["error"].as_str().unwrap_or_default().to_owned();
    let wrong: [(&dyn Fn(), &str); 4] = [
        (&|| files.serve(&expired), "that expired at 2021-01-01T00:00:00Z: renew it"),
        (&|| files.write("tls.crt", &other.pem), "the private key of the certificate in"),
        (
            &|| files.write("tls.crt", "not a certificate"),
            "expected at least one certificate in PEM",
        ),
        (&|| files.write("tls.crt", &expired.key), "expected at least one certificate in PEM"),
    ];
    for (write, said) in wrong {
        write();
        let health = listening.until(|health| first(health).contains(said)).await;
        assert!(first(&health).contains(files.directory.path().to_str().unwrap()), "{health}");
        assert!(health["not_after"].as_str().unwrap().starts_with("2050"), "{health}");
        // The one that was in use serves on.
        let answer = listening.ask(&files.client(None), &feed(Some("envoy"))).await.unwrap();
        assert_eq!(answer.0, 200);
    }
    files.serve(&files.authority.issue_for(NAME, 2020, 2051));
    let health = listening.until(begins_in(2051)).await;
    assert_eq!(health["failures"], json!([]), "{health}");
    // The authorities are a part of their own: nothing there keeps a certificate from being replaced.
    files.write("clients.crt", "nothing");
    listening.until(|health| first(health).contains("clients.crt: ")).await;
    files.serve(&files.authority.issue_for(NAME, 2020, 2052));
    let health = listening.until(begins_in(2052)).await;
    assert!(first(&health).contains("clients.crt: "), "{health}");
}

#[tokio::test]
async fn a_service_does_not_start_with_files_that_cannot_be_used_and_says_all_that_is_wrong() {
    let files = Files::new();
    files.serve(&files.authority.issue_for(NAME, 2020, 2021));
    files.write("clients.crt", "");
    let directory = tempfile::tempdir().unwrap();
    let text = configuration(&directory, "", &format!("[tls]\n{}", files.mutual("")));
    let service = Service::start_with(directory, &text, START).await;
    let open = || Listeners::open(&service.app, service.app.config().resolved_listeners());
    let error = open().await.unwrap_err();
    assert!(matches!(error, ListenError::Tls(_)));
    let text = error.to_string();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("tls.crt: ") && text.contains("clients.crt: "), "{text}");
    // A key that others may read is none.
    files.serve(&files.authority.issue(NAME));
    files.trust(&files.authority);
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(files.path("tls.key"), std::fs::Permissions::from_mode(mode))
            .unwrap();
    };
    mode(0o644);
    assert!(open().await.unwrap_err().to_string().contains("chmod 600"));
    // As Kubernetes mounts it.
    mode(0o440);
    open().await.unwrap();
}

#[tokio::test]
async fn handshakes_that_do_not_end_hold_up_no_revocation() {
    const TOTAL: usize = 64;
    let files = Files::new();
    let limits = Limits::new(TOTAL, Some(TOTAL));
    let times = Times { handshake: Duration::from_secs(2), ..limits.times };
    let limits = Limits { times, ..limits };
    let listening = Listening::start_within(limits, "", &format!("[tls]\n{}", files.tls(""))).await;
    let (_, jti) = listening.service.approved().await;
    let mut silent = Vec::new();
    for number in 0..2 * TOTAL {
        let mut stream = TcpStream::connect(listening.address(0)).await.unwrap();
        if number % 2 == 0 {
            // The begin of a record that never comes whole.
            stream.write_all(&[22, 3, 1, 2, 0, 1, 0]).await.unwrap();
        }
        silent.push(stream);
    }
    let revoke = request(
        Some("carol"),
        "POST",
        &format!("/v1/grants/{jti}/revoke"),
        &json!({ "reason": "r" }),
    );
    let answer = timeout(PATIENCE, listening.ask(&files.client(None), &revoke)).await;
    let Answer(status, body) = answer.unwrap().unwrap();
    assert_eq!((status, &body["revoked"]["by"]), (200, &json!("carol")), "{body}");
    let closed = |reason| format!("breakglass_connections_closed_total{{reason=\"{reason}\"}}");
    assert!(listening.service.counter(&closed("gave_way")).await > 0);
    let start = tokio::time::Instant::now();
    while listening.service.counter(&closed("slow_handshake")).await < 32 {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_speaks_no_tls_or_no_http_gets_no_answer() {
    let files = Files::new();
    let listening = Listening::start("", &format!("[tls]\n{}", files.tls(""))).await;
    let mut plain = TcpStream::connect(listening.address(0)).await.unwrap();
    assert!(exchange(&mut plain, &feed(Some("envoy"))).await.is_err());
    let mut client = files.client(None);
    client.alpn_protocols = vec![b"spdy/3".to_vec()];
    assert!(listening.connect(&client).await.is_err());
    client.alpn_protocols.push(b"http/1.1".to_vec());
    let stream = listening.connect(&client).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    client.alpn_protocols.push(b"h2".to_vec());
    let stream = listening.connect(&client).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // The client is the one that does not trust: it tells nothing to a service of another authority.
    let other =
        Files { authority: Authority::new("another"), directory: tempfile::tempdir().unwrap() };
    assert!(listening.connect(&other.client(None)).await.is_err());
}
