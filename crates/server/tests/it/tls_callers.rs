//! Client certificates: which proxy calls by them, and which are refused.

use std::fmt::Write as _;

use h2::client::Builder;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};

use crate::http2::{Client, POLL, curl};
use crate::tls::{Answer, Authority, Files, Identity, Listening, NAME, feed, request};

const EDGE: &str = "spiffe://cluster.local/ns/edge/sa/envoy";

/// `pinned` by its thumbprint, `edge` by a URI, `strict` by a name and a thumbprint, `envoy` by its token alone, and
/// `both` by a name and `token-both`.
fn proxies(pinned: &Identity, strict: &Identity) -> String {
    let mut text = String::new();
    let token: String = breakglass_server::auth::identity::digest("token-both")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for (name, by) in [
        ("edge", format!("certificate_san = \"{EDGE}\"")),
        (
            "pinned",
            format!("certificate_sha256 = [\"{}\", \"{}\"]", "0".repeat(64), pinned.sha256()),
        ),
        (
            "strict",
            format!(
                "certificate_san = \"strict.test\"\ncertificate_sha256 = \"{}\"",
                strict.sha256()
            ),
        ),
        ("both", format!("certificate_san = \"both.test\"\ntoken_sha256 = \"{token}\"")),
    ] {
        writeln!(text, "[[proxies]]\nname = \"{name}\"\naudiences = [\"prod\"]\n{by}").unwrap();
    }
    text
}

#[tokio::test]
async fn a_proxy_is_known_by_its_certificate_and_a_person_never() {
    let files = Files::new();
    let issue = |name| files.authority.issue(name);
    let (edge, pinned, strict, both) =
        (issue(EDGE), issue("any.test"), issue("strict.test"), issue("both.test"));
    // The right name, and another thumbprint.
    let (copy, stranger) = (issue("strict.test"), issue("stranger.test"));
    let tail = format!("{}[tls]\n{}", proxies(&pinned, &strict), files.mutual(""));
    let listening = Listening::start("", &tail).await;
    let known = [(200, None)];
    let unknown = (401, Some("credential_unknown"));
    let missing = (401, Some("credential_missing"));
    let rows = [
        (Some(&edge), None, known[0]),
        (Some(&pinned), None, known[0]),
        (Some(&strict), None, known[0]),
        (Some(&copy), None, unknown),
        (Some(&stranger), None, unknown),
        (None, None, missing),
        // Either is enough.
        (Some(&both), None, known[0]),
        (None, Some("both"), known[0]),
        (Some(&both), Some("both"), known[0]),
        // Both have to be of one proxy.
        (Some(&edge), Some("both"), unknown),
        (Some(&stranger), Some("both"), unknown),
        (Some(&edge), Some("envoy"), unknown),
        (Some(&both), Some("not a token of anyone"), unknown),
        // A certificate that says nothing is no obstacle to a proxy without one.
        (Some(&stranger), Some("envoy"), known[0]),
    ];
    for (identity, token, expected) in rows {
        let answer = listening.ask(&files.client(identity), &feed(token)).await.unwrap();
        let names = identity.map(Identity::sha256);
        assert_eq!(
            (answer.0, answer.1["reason"].as_str()),
            expected,
            "{names:?} {token:?} {answer:?}"
        );
    }
    let list = request(None, "GET", "/v1/requests", &Value::Null);
    let Answer(status, body) = listening.ask(&files.client(Some(&edge)), &list).await.unwrap();
    assert_eq!((status, &body["reason"]), (403, &json!("people_only")), "{body}");
    let list = request(Some("alice"), "GET", "/v1/requests", &Value::Null);
    for (identity, status) in [(Some(&edge), 401), (Some(&stranger), 200), (None, 200)] {
        let answer = listening.ask(&files.client(identity), &list).await.unwrap();
        assert_eq!(answer.0, status, "{answer:?}");
    }
    // The name of the proxy is that of its entry.
    let seen = listening.service.get("alice", "/v1/proxies").await.ok().to_string();
    assert!(seen.contains("\"edge\"") && seen.contains("\"pinned\""), "{seen}");
}

/// The certificate is that of the connection: each HTTP/2 stream of it has it, also those that are open at once.
#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_an_http_2_connection_has_the_certificate_of_the_connection() {
    let files = Files::new();
    let (edge, stranger) = (files.authority.issue(EDGE), files.authority.issue("stranger.test"));
    let tail = format!(
        "[[proxies]]\nname = \"edge\"\naudiences = [\"prod\"]\ncertificate_san = \"{EDGE}\"\n[tls]\n{}",
        files.mutual("")
    );
    let listening = Listening::start("", &tail).await;
    let connect = async |identity| {
        let mut config = files.client(identity);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Client::over(listening.connect(&config).await.unwrap(), &Builder::new()).await
    };
    let (feed, list) = ("/v1/revocations", "/v1/requests");
    let rows = [
        (feed, "", [(200, ""), (401, "credential_unknown"), (401, "credential_missing")]),
        // Both have to be of one proxy.
        (feed, "envoy", [(401, "credential_unknown"), (200, ""), (200, "")]),
        (
            list,
            "",
            [(403, "people_only"), (401, "credential_unknown"), (401, "credential_missing")],
        ),
        (list, "alice", [(401, "credential_unknown"), (200, ""), (200, "")]),
    ];
    for (column, identity) in [Some(&edge), Some(&stranger), None].into_iter().enumerate() {
        let mut client = connect(identity).await;
        let mut asked = Vec::new();
        for (path, who, expected) in rows.iter().chain(&rows) {
            asked.push((client.get(who, path).await, (path, who, expected[column])));
        }
        for (one, (path, who, (status, reason))) in asked {
            let (got, body) = one.answer().await.unwrap();
            let said = (got, body["reason"].as_str().unwrap_or_default());
            assert_eq!(said, (status, reason), "{column} {path} {who}: {body}");
        }
    }
    // A poll that hangs on a connection is answered, and what is asked after its authority is gone is not.
    let mut client = connect(Some(&edge)).await;
    let poll = client.get("", POLL).await;
    assert_eq!(client.get("", feed).await.answer().await.unwrap().0, 200);
    let (_, jti) = listening.service.approved().await;
    listening.service.revoke("carol", &jti).await.ok();
    assert_eq!(poll.answer().await.unwrap().0, 200);
    files.trust(&Authority::new("another authority"));
    let start = tokio::time::Instant::now();
    while client.get("", feed).await.answer().await.unwrap().0 != 401 {
        assert!(start.elapsed() < crate::tls::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Without a certificate of the authority there is no HTTP/2 at all where one is required.
#[tokio::test(flavor = "multi_thread")]
async fn curl_speaks_http_2_with_a_client_certificate_that_is_required() {
    let files = Files::new();
    let edge = files.authority.issue(EDGE);
    let other = Authority::new("another authority").issue(EDGE);
    for (name, identity) in [("edge", &edge), ("other", &other)] {
        files.write(&format!("{name}.crt"), &identity.pem);
        files.write(&format!("{name}.key"), &identity.key);
    }
    files.write("ca.crt", &files.authority.pem());
    let tail = format!(
        "[[proxies]]\nname = \"edge\"\naudiences = [\"prod\"]\ncertificate_san = \"{EDGE}\"\n[tls]\n{}",
        files.mutual("client_certificates = \"required\"")
    );
    let listening = Listening::start("", &tail).await;
    let port = listening.address(0).port();
    let at = |name: &str| files.path(name).display().to_string();
    let (ca, resolve) = (at("ca.crt"), format!("{NAME}:{port}:127.0.0.1"));
    let url = format!("https://{NAME}:{port}/v1/revocations");
    let common = ["--http2", "--cacert", &ca, "--resolve", &resolve, &url];
    let with = async |name: &str| {
        let (certificate, key) = (at(&format!("{name}.crt")), at(&format!("{name}.key")));
        curl(&[&common[..], &["--cert", &certificate, "--key", &key]].concat()).await
    };
    assert_eq!(with("edge").await.unwrap(), "200 2");
    // In TLS 1.3 the alert comes after the client has begun to send, so what curl says of it differs.
    with("other").await.unwrap_err();
    curl(&common).await.unwrap_err();
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_of_another_time_is_refused_in_the_handshake() {
    let files = Files::new();
    let good = files.authority.issue(EDGE);
    let other = Authority::new("another authority").issue(EDGE);
    let expired = files.authority.issue_for(EDGE, 2020, 2021);
    let future = files.authority.issue_for(EDGE, 2080, 2090);
    let tail = format!(
        "[[proxies]]\nname = \"edge\"\ncertificate_san = \"{EDGE}\"\n[tls]\n{}",
        files.mutual("client_certificates = \"required\"")
    );
    let listening = Listening::start("", &tail).await;
    for version in [&TLS12, &TLS13] {
        let client = |identity| files.client_of(identity, &[version]);
        assert_eq!(listening.ask(&client(Some(&good)), &feed(None)).await.unwrap().0, 200);
        for refused in [None, Some(&other), Some(&expired), Some(&future)] {
            let answer = listening.ask(&client(refused), &feed(Some("envoy"))).await;
            assert!(answer.is_err(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_was_accepted_holds_no_longer_than_its_authority_and_its_time() {
    let files = Files::new();
    let edge = files.authority.issue_for(EDGE, 2020, 2027);
    let tail = format!(
        "[[proxies]]\nname = \"edge\"\ncertificate_san = \"{EDGE}\"\n[tls]\n{}",
        files.mutual("")
    );
    let listening = Listening::start("", &tail).await;
    let mut first = listening.connect(&files.client(Some(&edge))).await.unwrap();
    let mut second = listening.connect(&files.client(Some(&edge))).await.unwrap();
    for stream in [&mut first, &mut second] {
        assert_eq!(crate::tls::exchange(stream, &feed(None)).await.unwrap().0, 200);
    }
    let other = Authority::new("another authority");
    // It is one of two, and then it is gone.
    files.write("clients.crt", &format!("{}{}", other.pem(), files.authority.pem()));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(crate::tls::exchange(&mut first, &feed(None)).await.unwrap().0, 200);
    files.trust(&other);
    let start = tokio::time::Instant::now();
    while crate::tls::exchange(&mut first, &feed(None)).await.unwrap().0 != 401 {
        assert!(start.elapsed() < crate::tls::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    files.trust(&files.authority);
    let start = tokio::time::Instant::now();
    while crate::tls::exchange(&mut second, &feed(None)).await.unwrap().0 != 200 {
        assert!(start.elapsed() < crate::tls::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // To the year 2027 and after.
    listening.service.advance(60 * 86_400);
    let Answer(status, body) = crate::tls::exchange(&mut second, &feed(None)).await.unwrap();
    assert_eq!(status, 401, "{body}");
    assert!(body["detail"].as_str().unwrap().contains(EDGE), "{body}");
}
