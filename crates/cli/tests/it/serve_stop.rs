//! How `breakglass serve` ends on SIGTERM: what is under way is answered, within 10 s, and a client that asks the next
//! process again loses nothing.

#![expect(clippy::disallowed_methods, reason = "how long the process takes is real time")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use breakglass_testing::service::{config, token_of};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::Runtime;

use crate::process::{Server, exit_code_of, until};

/// What "at once" may take on a machine that does something else as well.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection of HTTP/1.1.
struct Client(TcpStream);

impl Client {
    fn connect(server: &Server) -> Client {
        let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }

    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Sends a head, and returns when the endpoint waits for its body (RFC 9110, section 10.1.1).
    fn begin(&mut self, head: &str) {
        self.send(&head.replace("\r\nhost", "\r\nexpect: 100-continue\r\nhost"));
        let mut go_on = [0; 25];
        self.0.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// The answer, after which the connection is closed: its status and its body.
    fn answer(mut self) -> (u16, Value) {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }
}

fn head(who: &str, method: &str, path: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n",
        token_of(who)
    )
}

fn get(who: &str, path: &str) -> String {
    format!("{}\r\n", head(who, "GET", path))
}

/// A request for access: its head, and its body.
fn submission(key: &str) -> (String, String) {
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" }).to_string();
    let head = format!(
        "{}idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n",
        head("alice", "POST", "/v1/requests"),
        body.len()
    );
    (head, body)
}

fn counter(server: &Server, name: &str) -> i64 {
    let metrics = server.get("alice", "/metrics");
    let line = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

/// The database's write lock, as another process would have it.
struct Lock(Runtime, SqliteConnection);

impl Lock {
    fn take(server: &Server) -> Lock {
        let runtime = Runtime::new().unwrap();
        let options = SqliteConnectOptions::new().filename(server.path("approvals.db"));
        let connection = runtime.block_on(async {
            let mut connection = options.connect().await.unwrap();
            sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
            connection
        });
        Lock(runtime, connection)
    }

    fn release(self) {
        let Lock(runtime, connection) = self;
        runtime.block_on(connection.close()).unwrap();
    }
}

fn own(server: &Server) -> Vec<String> {
    let list = server.get("alice", "/v1/requests?mine=true");
    let requests = list["requests"].as_array().unwrap();
    requests.iter().map(|request| request["id"].as_str().unwrap().to_owned()).collect()
}

/// The next process, on the same database.
fn next(server: Server) -> Server {
    let directory = server.into_directory();
    let text = config(&directory);
    Server::start_with(directory, &text)
}

fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[test]
fn what_hangs_is_answered_at_once_and_no_connection_is_taken() {
    let mut server = Server::start();
    let id = server.pending();
    let mut poll = Client::connect(&server);
    poll.send(&get("envoy", "/v1/revocations?after=0&wait=60s&node=n"));
    let mut wait = Client::connect(&server);
    wait.send(&get("alice", &format!("/v1/requests/{id}?wait=60s")));
    let idle = Client::connect(&server);
    // A client of HTTP/2, without a request so far.
    let mut http2 = Client::connect(&server);
    http2.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    until(|| counter(&server, "breakglass_feed_hanging_polls") == 1);
    until(|| counter(&server, "breakglass_waiting_requests") == 1);
    let start = Instant::now();
    server.signal("TERM");
    let (status, news) = poll.answer();
    assert_eq!((status, &news["revoked"]), (200, &json!([])));
    let (status, request) = wait.answer();
    assert_eq!((status, &request["state"]), (200, &json!("pending")));
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert!(TcpStream::connect(server.url.strip_prefix("http://").unwrap()).is_err());
    assert_eq!(exit_code_of(&mut server), Some(0), "{}", server.log());
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    let mut frames = Vec::new();
    http2.0.read_to_end(&mut frames).unwrap();
    // GOAWAY of 8 bytes with NO_ERROR (RFC 9113, section 6.8).
    let goaway = [&b"\0\0\x08\x07\0\0\0\0\0"[..], b"\x7f\xff\xff\xff\0\0\0\0"].concat();
    assert!(frames.windows(goaway.len()).any(|part| part == goaway), "{frames:?}");
    drop(idle);
}

#[test]
fn a_body_under_way_has_its_time_and_no_more_than_ten_seconds() {
    let mut server = Server::start();
    let (head, body) = submission("whole");
    let (mut whole, mut never) = (Client::connect(&server), Client::connect(&server));
    for client in [&mut whole, &mut never] {
        client.begin(&head);
        client.send(&body[..10]);
    }
    let start = Instant::now();
    server.signal("TERM");
    pause(Duration::from_secs(2));
    whole.send(&body[10..]);
    let (status, request) = whole.answer();
    assert_eq!((status, &request["state"]), (201, &json!("pending")), "{request}");
    assert_eq!(exit_code_of(&mut server), Some(0), "{}", server.log());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(never);
    let server = next(server);
    assert_eq!(own(&server), [request["id"].as_str().unwrap()]);
}

#[test]
fn a_write_under_way_is_committed_and_answered() {
    let mut server = Server::start();
    let lock = Lock::take(&server);
    let (head, body) = submission("a");
    let mut client = Client::connect(&server);
    client.begin(&head);
    client.send(&body);
    let start = Instant::now();
    server.signal("TERM");
    pause(Duration::from_millis(500));
    lock.release();
    let (status, request) = client.answer();
    assert_eq!((status, &request["state"]), (201, &json!("pending")), "{request}");
    assert_eq!(exit_code_of(&mut server), Some(0), "{}", server.log());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let server = next(server);
    assert_eq!(own(&server), [request["id"].as_str().unwrap()]);
}

/// Whether its first try was written or not: the next process has it once.
#[test]
fn a_client_that_lost_its_answer_asks_the_next_process_again() {
    let mut server = Server::start();
    let mut sent = Client::connect(&server);
    let (head, body) = submission("answered");
    sent.send(&(head + &body));
    until(|| own(&server).len() == 1);
    let answered = own(&server);
    // The answer is there, and is never read.
    drop(sent);
    let lock = Lock::take(&server);
    let mut lost = Client::connect(&server);
    let (head, body) = submission("lost");
    lost.begin(&head);
    lost.send(&body);
    server.signal("TERM");
    drop(lost);
    lock.release();
    assert_eq!(exit_code_of(&mut server), Some(0), "{}", server.log());
    let server = next(server);
    let mut ids = Vec::new();
    for key in ["answered", "lost", "lost"] {
        let (head, body) = submission(key);
        let mut client = Client::connect(&server);
        client.send(&head.replace("\r\nhost", "\r\nconnection: close\r\nhost"));
        client.send(&body);
        let (status, request) = client.answer();
        assert!(matches!(status, 200 | 201), "{status} {request}");
        ids.push(request["id"].as_str().unwrap().to_owned());
    }
    assert_eq!((&ids[..1], &ids[1]), (&answered[..], &ids[2]));
    assert_eq!(own(&server).len(), 2);
}
