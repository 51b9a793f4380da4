//! Connections that are slow, idle, or too many: each is closed in time, and a person gets in whatever they are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use breakglass_server::connections::{self, Limits, Times};
use breakglass_server::metrics::Metrics;
use breakglass_server::server::serve_within;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use breakglass_testing::service::{Service, token_of};

pub(crate) const HEAD: Duration = Duration::from_secs(2);
pub(crate) const BODY: Duration = Duration::from_secs(3);
pub(crate) const IDLE: Duration = Duration::from_secs(4);
pub(crate) const WRITE: Duration = Duration::from_secs(2);

/// What a person takes for "at once" on a machine that does something else as well.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(2);

/// Long enough for all of the limits above.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn limits(total: usize) -> Limits {
    let times = Times {
        handshake: HEAD,
        head: HEAD,
        body: BODY,
        idle: IDLE,
        write: WRITE,
        answer: Duration::from_secs(10),
        ping: Duration::from_secs(30),
        last_head: Duration::from_millis(500),
    };
    Limits { times, ..Limits::new(total, Some(total)) }
}

/// The service on a port of its own.
pub(crate) struct Listening {
    pub(crate) service: Service,
    pub(crate) address: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) server: JoinHandle<std::io::Result<()>>,
}

impl Listening {
    pub(crate) async fn start(limits: Limits) -> Listening {
        let service = Service::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let app = service.app.clone();
        let server = tokio::spawn(serve_within(limits, app, listener, async {
            let _ = stopped.await;
        }));
        Listening { service, address, stop: Some(stop), server }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// A request on a connection of its own, which has to be answered at once.
    pub(crate) async fn ask(&self, who: &str, method: &str, path: &str, body: &Value) -> Value {
        let start = Instant::now();
        let answer = timeout(AT_ONCE, async {
            let mut client = self.connect().await;
            client.send(&request(who, method, path, body)).await;
            client.answer().await.unwrap()
        });
        let (status, body) = answer.await.unwrap_or_else(|_| panic!("{path}: no answer at once"));
        assert!((200..300).contains(&status), "{path}: {status} {body} {:?}", start.elapsed());
        body
    }

    /// What a person does in an outage.
    pub(crate) async fn a_person_works(&self) {
        let ask = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
        let asked = self.ask("alice", "POST", "/v1/requests", &ask).await;
        let act = |verb: &str| format!("/v1/requests/{}/{verb}", asked["id"].as_str().unwrap());
        let approval = json!({ "digest": asked["digest"] });
        let view = self.ask("carol", "POST", &act("approve"), &approval).await;
        let path = format!("/v1/grants/{}/revoke", view["grant"]["id"].as_str().unwrap());
        let revoked = self.ask("carol", "POST", &path, &json!({ "reason": "r" })).await;
        assert_eq!(revoked["revoked"]["by"], "carol");
    }

    /// Waits until so many connections or requests were closed for this reason.
    pub(crate) async fn until_closed(&self, reason: &str, count: i64) {
        let start = Instant::now();
        while self.closed(reason).await < count {
            assert!(start.elapsed() < PATIENCE, "{reason}: {}", self.closed(reason).await);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until so many polls of the feed hang.
    pub(crate) async fn until_hanging(&self, count: i64) {
        let start = Instant::now();
        while self.service.counter("breakglass_feed_hanging_polls").await != count {
            assert!(start.elapsed() < PATIENCE);
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn closed(&self, reason: &str) -> i64 {
        let name = format!("breakglass_connections_closed_total{{reason=\"{reason}\"}}");
        self.service.counter(&name).await
    }
}

fn request(who: &str, method: &str, path: &str, body: &Value) -> String {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    format!("{}content-length: {}\r\n\r\n{body}", head(who, method, path), body.len())
}

/// A head without its end.
fn head(who: &str, method: &str, path: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: approvals.test\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n",
        token_of(who)
    )
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next answer: its status and its body; none where the connection is closed.
    async fn answer(&mut self) -> Option<(u16, Value)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Waits until the service closes the connection, and returns what came before that.
    async fn until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await;
        // Closed with or without bytes that were never read: both are closed.
        let _ = read.unwrap_or_else(|_| panic!("still open after {PATIENCE:?}"));
        bytes
    }
}

/// Sends one byte a second, which is no progress, or nothing, and returns what comes until the end.
async fn drip(silent: bool, mut client: Client) -> Vec<u8> {
    for _ in 0..2 {
        sleep(Duration::from_secs(1)).await;
        if !silent {
            // It may be closed by now.
            let _ = client.0.write_all(b"x").await;
        }
    }
    client.until_closed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_half_sent_requests_are_closed_in_time_and_keep_nobody_out() {
    let listening = Listening::start(limits(16_384)).await;
    let start = Instant::now();
    let mut clients = Vec::new();
    for number in 0..2000 {
        let mut client = listening.connect().await;
        match number % 3 {
            0 => {}
            1 => client.send("GET /v1/requests HTTP/1.1\r\nhost: a").await,
            _ => client.send(&head("carol", "POST", "/v1/requests")).await,
        }
        clients.push(client);
    }
    let opened = start.elapsed();
    listening.a_person_works().await;
    let ends =
        clients.into_iter().enumerate().map(|(number, client)| drip(number % 2 == 0, client));
    for left in join_all(ends).await {
        assert_eq!(left, b"");
    }
    assert!(start.elapsed() < opened + HEAD + Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(listening.closed("slow_head").await, 2000);
    listening.a_person_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_every_place_is_taken_the_oldest_without_a_head_gives_way() {
    let mut limits = limits(100);
    limits.times.head = PATIENCE * 2;
    let listening = Listening::start(limits).await;
    let mut person = listening.connect().await;
    person.send(&request("carol", "GET", "/v1/requests", &Value::Null)).await;
    assert_eq!(person.answer().await.unwrap().0, 200);
    let mut clients = Vec::new();
    for _ in 0..500 {
        let mut client = listening.connect().await;
        client.send("GET / HTTP/1.1\r\n").await;
        clients.push(client);
    }
    listening.a_person_works().await;
    // The first are gone, the last are there, and so is a person's connection that was idle all the time.
    for client in &mut clients[..400] {
        client.until_closed().await;
    }
    let last = clients.last_mut().unwrap();
    last.send("host: a\r\n\r\n").await;
    assert_eq!(last.answer().await.unwrap().0, 404);
    person.send(&request("carol", "GET", "/v1/requests", &Value::Null)).await;
    assert_eq!(person.answer().await.unwrap().0, 200);
    assert!(listening.closed("gave_way").await >= 400);
    assert!(listening.service.counter("breakglass_connections").await <= 100);
}

/// 5,000 proxies with two credentials, where there are places for fewer.
#[tokio::test(flavor = "multi_thread")]
async fn polls_that_hang_leave_places_for_people() {
    let listening = Listening::start(limits(2000)).await;
    let poll = |node: usize| {
        let path = format!("/v1/revocations?after=0&wait=60s&node=n{node}");
        request("envoy", "GET", &path, &Value::Null)
    };
    let mut clients = Vec::new();
    for node in 0..5000 {
        let mut client = listening.connect().await;
        client.send(&poll(node)).await;
        clients.push(client);
    }
    // Of 2000 places, two fifths are for one credential.
    let start = Instant::now();
    while listening.service.counter("breakglass_feed_hanging_polls").await < 800 {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
    listening.a_person_works().await;
    let mut news = 0;
    let mut refused = 0;
    for client in &mut clients {
        match timeout(PATIENCE, client.answer()).await.unwrap() {
            Some((200, body)) => {
                assert_eq!(body["epoch"], 1);
                news += 1;
            }
            Some((503, body)) => {
                assert_eq!(body["reason"], "too_many_connections");
                refused += 1;
            }
            // It gave way once it had its answer, or before.
            None => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(news >= 800, "{news}");
    assert!(refused > 0, "{refused}");
    assert!(listening.closed("no_place_for_proxy").await > 0);
    assert!(listening.service.counter("breakglass_connections").await <= 2000);
    // The places are free again.
    let mut client = listening.connect().await;
    let path = "/v1/revocations?after=0&node=n";
    client.send(&request("envoy", "GET", path, &Value::Null)).await;
    assert_eq!(client.answer().await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_its_answers_is_closed() {
    let listening = Listening::start(limits(100)).await;
    let mut client = listening.connect().await;
    let start = Instant::now();
    let asked = request("nobody", "GET", "/openapi.json", &Value::Null).repeat(100);
    let mut asks = 0;
    // The service takes no more requests once its answers are not taken.
    while let Ok(Ok(())) =
        timeout(Duration::from_secs(1), client.0.write_all(asked.as_bytes())).await
    {
        asks += 1;
        assert!(asks < 1000);
    }
    listening.a_person_works().await;
    while listening.closed("answer_not_read").await == 0 {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_one_byte_at_a_time_is_not_waited_for() {
    let listening = Listening::start(limits(100)).await;
    let start = Instant::now();
    for (who, path) in
        [("carol", "/v1/revocations"), ("alice", "/v1/requests"), ("envoy", "/v1/audit/heads")]
    {
        let mut client = listening.connect().await;
        let sent = format!("{}content-length: 1000\r\n\r\n", head(who, "POST", path));
        client.send(&sent).await;
        let (mut read, mut write) = client.0.split();
        let mut bytes = [0; 100];
        let end = tokio::select! {
            end = timeout(PATIENCE, read.read(&mut bytes)) => end.unwrap(),
            () = async { loop {
                sleep(Duration::from_millis(100)).await;
                if write.write_all(b" ").await.is_err() {
                    std::future::pending::<()>().await;
                }
            } } => unreachable!(),
        };
        assert!(matches!(end, Ok(0) | Err(_)), "{who}: {end:?}");
    }
    assert!(start.elapsed() < 3 * (BODY + Duration::from_secs(1)), "{:?}", start.elapsed());
    assert_eq!(listening.closed("slow_body").await, 3);
    // A stranger's body is not waited for at all.
    let mut client = listening.connect().await;
    client
        .send(&format!("{}content-length: 1000\r\n\r\n", head("x", "POST", "/v1/requests")))
        .await;
    assert_eq!(timeout(AT_ONCE, client.answer()).await.unwrap().unwrap().0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_one_segment_are_answered_in_their_order() {
    let listening = Listening::start(limits(100)).await;
    let mut client = listening.connect().await;
    let paths = ["/healthz", "/v1/requests", "/nowhere", "/readyz"];
    let all: String =
        paths.iter().map(|path| request("carol", "GET", path, &Value::Null)).collect();
    client.send(&all).await;
    for status in [200, 200, 404, 200] {
        assert_eq!(client.answer().await.unwrap().0, status);
    }
    // The rest of a request that came in part behind another one.
    let (first, rest) =
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /nowhere HT", "TP/1.1\r\nhost: a\r\n\r\n");
    client.send(first).await;
    assert_eq!(client.answer().await.unwrap().0, 200);
    client.send(rest).await;
    assert_eq!(client.answer().await.unwrap().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_for_a_while() {
    let listening = Listening::start(limits(100)).await;
    let mut client = listening.connect().await;
    let asked = request("carol", "GET", "/v1/requests", &Value::Null);
    let start = Instant::now();
    for _ in 0..3 {
        client.send(&asked).await;
        assert_eq!(client.answer().await.unwrap().0, 200);
        // Longer than a head may take.
        sleep(HEAD + Duration::from_millis(500)).await;
    }
    client.until_closed().await;
    assert!(start.elapsed() > 2 * HEAD + IDLE);
    assert_eq!(listening.closed("idle").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_only_a_part_of_the_places() {
    let mut limits = limits(100);
    limits.per_address = 10;
    limits.times.head = PATIENCE * 2;
    let listening = Listening::start(limits).await;
    let connect = async |last: u8| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0))).unwrap();
        Client(socket.connect(listening.address).await.unwrap())
    };
    let mut first = connect(2).await;
    first.send("GET /healthz HTTP/1.1\r\n").await;
    sleep(Duration::from_millis(100)).await;
    let mut many = Vec::new();
    for _ in 0..50 {
        many.push(connect(3).await);
    }
    for client in &mut many[..40] {
        client.until_closed().await;
    }
    first.send("host: a\r\n\r\n").await;
    assert_eq!(first.answer().await.unwrap().0, 200);
    // Where all of an address are at work, another one of it is refused.
    let mut waiting = Vec::new();
    let id = listening.service.pending().await;
    for _ in 0..10 {
        let mut client = connect(4).await;
        client
            .send(&request("alice", "GET", &format!("/v1/requests/{id}?wait=60s"), &Value::Null))
            .await;
        waiting.push(client);
    }
    while listening.service.app.waits().waiting() < 10 {
        sleep(Duration::from_millis(10)).await;
    }
    let (status, body) = connect(4).await.answer().await.unwrap();
    assert_eq!((status, &body["reason"]), (503, &json!("too_many_connections")));
    assert_eq!(listening.closed("no_place_for_address").await, 1);
    listening.a_person_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_answers_and_not_for_requests_that_do_not_come() {
    let mut listening = Listening::start(limits(3000)).await;
    let id = listening.service.pending().await;
    let mut waiting = listening.connect().await;
    let path = format!("/v1/requests/{id}?wait=60s");
    waiting.send(&request("alice", "GET", &path, &Value::Null)).await;
    let mut idle = listening.connect().await;
    idle.send(&request("alice", "GET", "/healthz", &Value::Null)).await;
    assert_eq!(idle.answer().await.unwrap().0, 200);
    let mut half = Vec::new();
    for _ in 0..1000 {
        let mut client = listening.connect().await;
        client.send("GET / HTTP/1.1\r\n").await;
        half.push(client);
    }
    while listening.service.app.waits().waiting() < 1 {
        sleep(Duration::from_millis(10)).await;
    }
    let start = Instant::now();
    listening.stop.take().unwrap().send(()).unwrap();
    assert_eq!(waiting.answer().await.unwrap().1["state"], "pending");
    idle.until_closed().await;
    listening.server.await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    for client in &mut half {
        assert_eq!(client.until_closed().await, b"");
    }
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test]
async fn an_endpoint_knows_the_address_of_its_caller() {
    let router = Router::new()
        .route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = Metrics::new().unwrap().connections();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(connections::serve(listener, router, limits(10), metrics, stopped));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let here = stream.local_addr().unwrap();
    assert_eq!(here.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&format!("\r\n\r\n{here}")), "{answer}");
}
