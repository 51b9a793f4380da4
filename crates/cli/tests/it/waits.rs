//! What a wait for a decision costs a running process.

use std::fmt::Write as _;
use std::time::Duration;

use breakglass_server::auth::identity::digest;
use breakglass_testing::service::{config, token_of};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Server, breakglass};

/// People who wait, each for ten requests.
const PEOPLE: usize = 500;
const EACH: usize = 10;
const APPROVALS: usize = 100;

/// Requests of every person's, as a service of this version has them.
async fn requests(database: &SqlitePool) {
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
         INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes,
             reason, emergency, duration_s, submitted_at, lapses_at)
         SELECT 'req_' || i, 'person-' || (i % ?2), '[]', '[\"oncall\"]', 'prod',
             '[\"orders:read\"]', 'r', 0, 1800, unixepoch(), unixepoch() + 600 FROM n",
    )
    .bind((PEOPLE * EACH) as i64)
    .bind(PEOPLE as i64)
    .execute(database)
    .await
    .unwrap();
}

async fn send(address: &str, who: &str, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        token_of(who),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn body(mut stream: TcpStream) -> Value {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// How often single requests were read, by the log of every statement.
fn reads(server: &Server) -> usize {
    server.log().matches("WHERE id = ?2\\n").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_costs_one_reading_for_each_who_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = config(&directory);
    for person in 0..PEOPLE {
        let name = format!("person-{person}");
        let sha256: String =
            digest(&token_of(&name)).iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(
            text,
            "[[people]]\nname = \"{name}\"\ntoken_sha256 = \"{sha256}\"\ngroups = [\"oncall\"]"
        )
        .unwrap();
    }
    // Tables of an array may be in any order, and all but these come first.
    breakglass_testing::store::open(&directory.path().join("approvals.db"))
        .await
        .unwrap()
        .close()
        .await;
    let path = format!("sqlite://{}/approvals.db", directory.path().display());
    requests(&SqlitePool::connect(&path).await.unwrap()).await;
    let mut command = breakglass();
    command.env("BREAKGLASS_LOG", "debug");
    let server = Server::start_by(command, directory, &text);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();

    let mut digests = Vec::new();
    for number in 0..APPROVALS {
        let path = format!("/v1/requests/req_{number}");
        let shown = body(send(&address, "carol", "GET", &path, "").await).await;
        digests.push(json!({ "digest": shown["digest"] }).to_string());
    }
    // The first look at the events wakes all who wait then: it is over.
    sleep(Duration::from_millis(1500)).await;
    let shown = reads(&server);

    let mut waits = Vec::new();
    for number in 0..PEOPLE * EACH {
        let who = format!("person-{}", number % PEOPLE);
        let path = format!("/v1/requests/req_{number}?wait=60s");
        waits.push(send(&address, &who, "GET", &path, "").await);
    }
    let start = Instant::now();
    loop {
        let mut metrics = String::new();
        let mut stream = send(&address, "nobody", "GET", "/metrics", "").await;
        stream.read_to_string(&mut metrics).await.unwrap();
        if metrics.contains(&format!("\nbreakglass_waiting_requests {}\n", PEOPLE * EACH)) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{metrics}");
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_millis(500)).await;
    let begun = reads(&server);
    assert_eq!(begun - shown, PEOPLE * EACH);
    // Nobody looks while nothing happens.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(reads(&server), begun);

    let start = Instant::now();
    for (number, digest) in digests.iter().enumerate() {
        let path = format!("/v1/requests/req_{number}/approve");
        let approved = body(send(&address, "carol", "POST", &path, digest).await).await;
        assert_eq!(approved["state"], "approved", "{approved}");
    }
    let mut waits = waits.into_iter();
    for wait in waits.by_ref().take(APPROVALS) {
        let answer = timeout(Duration::from_secs(5), body(wait)).await.unwrap();
        assert_eq!(answer["state"], "approved");
    }
    let took = start.elapsed();
    // The trail is looked at once more.
    sleep(Duration::from_millis(1500)).await;
    // An approval reads its request before and after itself, and under the lock to compare it with what was shown.
    assert_eq!(reads(&server) - begun, 4 * APPROVALS, "{took:?}");
    // The others wait on.
    assert_eq!(waits.len(), PEOPLE * EACH - APPROVALS);
}
