//! HTTP/2, with clients that others wrote: the `h2` library, and curl.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request};
use breakglass_testing::service::token_of;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connections::{AT_ONCE, Listening, PATIENCE, limits};
use crate::tls::{self, Files, NAME};

/// What a proxy waits for.
pub(crate) const POLL: &str = "/v1/revocations?after=0&wait=60s&node=n";

/// A connection.
pub(crate) struct Client {
    pub(crate) send: SendRequest<Bytes>,
    /// Ends when the connection does.
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
}

/// A request that was sent, or the begin of one.
pub(crate) struct Asked {
    pub(crate) response: ResponseFuture,
    pub(crate) body: SendStream<Bytes>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        Client::connect_with(address, &Builder::new()).await
    }

    pub(crate) async fn connect_with(address: SocketAddr, builder: &Builder) -> Client {
        Client::over(TcpStream::connect(address).await.unwrap(), builder).await
    }

    pub(crate) async fn over(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        builder: &Builder,
    ) -> Client {
        let (send, connection) = builder.handshake(io).await.unwrap();
        Client { send, driver: tokio::spawn(connection) }
    }

    /// Sends the head of a request; `ends` without a body.
    pub(crate) async fn begin(&mut self, who: &str, what: (&str, &str), ends: bool) -> Asked {
        let (method, path) = what;
        let mut send = self.send.clone().ready().await.unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{NAME}{path}"))
            .header("content-type", "application/json");
        let request = match who {
            "" => request,
            who => request.header("authorization", format!("Bearer {}", token_of(who))),
        };
        let (response, body) = send.send_request(request.body(()).unwrap(), ends).unwrap();
        Asked { response, body }
    }

    pub(crate) async fn get(&mut self, who: &str, path: &str) -> Asked {
        self.begin(who, ("GET", path), true).await
    }

    pub(crate) async fn post(&mut self, who: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut asked = self.begin(who, ("POST", path), false).await;
        asked.body.send_data(body.to_string().into(), true).unwrap();
        asked.answer().await.unwrap()
    }

    /// Waits until the service has closed the connection; why.
    pub(crate) async fn until_closed(self) -> Result<(), h2::Error> {
        // The connection ends by itself when no handle is left.
        let Client { send, driver } = self;
        let end = timeout(PATIENCE, driver).await.unwrap().unwrap();
        drop(send);
        end
    }
}

impl Asked {
    pub(crate) async fn answer(self) -> Result<(u16, Value), h2::Error> {
        let response = timeout(PATIENCE, self.response).await.unwrap()?;
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(part) = timeout(PATIENCE, body.data()).await.unwrap() {
            let part = part?;
            body.flow_control().release_capacity(part.len()).unwrap();
            bytes.extend_from_slice(&part);
        }
        Ok((parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    pub(crate) async fn headers(self) -> HeaderMap {
        timeout(PATIENCE, self.response).await.unwrap().unwrap().headers().clone()
    }
}

/// A revocation wakes the polls that hang on the same connection.
async fn works(client: &mut Client) {
    let mut polls = Vec::new();
    for _ in 0..5 {
        polls.push(client.get("envoy", POLL).await);
    }
    let ask = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    let (_, asked) = client.post("alice", "/v1/requests", &ask).await;
    let path = format!("/v1/requests/{}/approve", asked["id"].as_str().unwrap());
    let (_, view) = client.post("carol", &path, &json!({ "digest": asked["digest"] })).await;
    let path = format!("/v1/grants/{}/revoke", view["grant"]["id"].as_str().unwrap());
    let (status, revoked) = client.post("carol", &path, &json!({ "reason": "r" })).await;
    assert_eq!((status, &revoked["revoked"]["by"]), (200, &json!("carol")), "{revoked}");
    for poll in polls {
        let answer = timeout(AT_ONCE, poll.answer()).await.unwrap().unwrap();
        assert_eq!((answer.0, &answer.1["epoch"]), (200, &json!(1)), "{answer:?}");
    }
    assert_eq!(client.get("", "/v1/requests").await.answer().await.unwrap().0, 401);
    assert_eq!(client.get("carol", "/nowhere").await.answer().await.unwrap().0, 404);
    let headers = client.get("", "/healthz").await.headers().await;
    assert!(headers.contains_key("date") && !headers.contains_key("connection"), "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_connection_are_answered_beside_each_other() {
    let listening = Listening::start(limits(100)).await;
    works(&mut Client::connect(listening.address).await).await;
    let files = Files::new();
    let listening = tls::Listening::start("", &format!("[tls]\n{}", files.tls(""))).await;
    let mut config = files.client(None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = listening.connect(&config).await.unwrap();
    works(&mut Client::over(stream, &Builder::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_as_long_as_in_http_1() {
    let listening = Listening::start(limits(100)).await;
    let mut client = Client::connect(listening.address).await;
    for (length, status) in [(100, 201), (3_000_000, 413)] {
        let reason = "r".repeat(length);
        let ask = json!({ "scopes": ["orders:read"], "reason": reason, "duration": "30m" });
        let mut asked = client.begin("alice", ("POST", "/v1/requests"), false).await;
        // The service may take no more of it once it has answered.
        let _ = asked.body.send_data(ask.to_string().into(), true);
        let (got, body) = asked.answer().await.unwrap();
        let http1 = listening.service.post("alice", "/v1/requests", ask).await;
        assert_eq!(got, http1.status.as_u16(), "{body}");
        assert_eq!(got, status, "{body}");
    }
    // A head that is too long: RFC 6585, section 5.
    let mut send = client.send.clone().ready().await.unwrap();
    let mut request = Request::builder().uri(format!("http://{NAME}/healthz"));
    for number in 0..8 {
        request = request.header(format!("x-{number}"), "x".repeat(6000));
    }
    let (response, _) = send.send_request(request.body(()).unwrap(), true).unwrap();
    let response = Asked { response, body: client.get("", "/healthz").await.body };
    match response.answer().await {
        Ok((status, _)) => assert_eq!(status, 431),
        Err(error) => assert!(error.is_reset() || error.is_go_away(), "{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_answers_what_hangs_and_tells_the_client_that_no_request_is_lost() {
    let mut listening = Listening::start(limits(100)).await;
    let mut client = Client::connect(listening.address).await;
    let poll = client.get("envoy", POLL).await;
    let mut idle = Client::connect(listening.address).await;
    assert_eq!(idle.get("", "/healthz").await.answer().await.unwrap().0, 200);
    listening.until_hanging(1).await;
    let start = tokio::time::Instant::now();
    listening.stop.take().unwrap().send(()).unwrap();
    let (status, body) = poll.answer().await.unwrap();
    assert_eq!((status, &body["epoch"]), (200, &json!(0)));
    // GOAWAY with NO_ERROR (RFC 9113, section 6.8) is the regular end for the library.
    client.until_closed().await.unwrap();
    idle.until_closed().await.unwrap();
    listening.server.await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_taken_back_gives_its_place_back() {
    let listening = Listening::start(limits(100)).await;
    let mut client = Client::connect(listening.address).await;
    let mut polls = Vec::new();
    for _ in 0..10 {
        polls.push(client.get("envoy", POLL).await);
    }
    listening.until_hanging(10).await;
    for mut poll in polls {
        poll.body.send_reset(Reason::CANCEL);
    }
    listening.until_hanging(0).await;
    assert_eq!(client.get("", "/healthz").await.answer().await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_speaks_http_2() {
    let files = Files::new();
    files.write("ca.crt", &files.authority.pem());
    let listening = tls::Listening::start("", &format!("[tls]\n{}", files.tls(""))).await;
    let port = listening.address(0).port();
    let ca = files.path("ca.crt").display().to_string();
    let resolve = format!("{NAME}:{port}:127.0.0.1");
    let url = format!("https://{NAME}:{port}/healthz");
    let tls = async |version: &str| {
        curl(&[version, "--cacert", &ca, "--resolve", &resolve, &url]).await.unwrap()
    };
    assert_eq!(tls("--http2").await, "200 2");
    assert_eq!(tls("--http1.1").await, "200 1.1");
    let listening = Listening::start(limits(100)).await;
    let url = format!("http://{}/healthz", listening.address);
    assert_eq!(curl(&["--http2-prior-knowledge", &url]).await.unwrap(), "200 2");
    // It offers an upgrade, which the service does not take (RFC 9113, section 3.1).
    assert_eq!(curl(&["--http2", &url]).await.unwrap(), "200 1.1");
}

/// The status and the version of HTTP, or what curl says went wrong.
pub(crate) async fn curl(arguments: &[&str]) -> Result<String, String> {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let output = tokio::task::spawn_blocking(move || {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--output", "/dev/null"]);
        curl.args(["--noproxy", "*", "--write-out", "%{http_code} %{http_version}"]);
        curl.args(arguments).stdin(Stdio::null()).output().unwrap()
    });
    let output = output.await.unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
