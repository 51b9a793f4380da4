//! A proxy, as far as the feed knows: it polls over one connection, and notes what it learnt when.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use breakglass_tests::approvals::FEED;
use breakglass_tests::policy::PROXY_TOKEN;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long a poll asks to hang.
const WAIT: &str = "25s";

/// An answer that brought news.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    /// What it knew before, and what it knows now.
    pub(crate) after: u64,
    pub(crate) epoch: u64,
    /// How many revocations the answer listed.
    pub(crate) listed: usize,
}

/// What a poller does, and how far it has come.
pub(crate) struct Poller {
    pub(crate) service: SocketAddr,
    pub(crate) node: String,
    /// How long it waits after news before it asks again.
    pub(crate) pause: Duration,
    pub(crate) epoch: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct News {
    epoch: u64,
    revoked: Vec<IgnoredAny>,
    feed: String,
}

impl Poller {
    /// Polls until it knows the epoch `last`; what it heard after its first answer.
    ///
    /// # Panics
    /// When an answer is not one, or the connection ends.
    pub(crate) async fn poll_until(self, last: u64) -> Vec<Heard> {
        let stream = TcpStream::connect(self.service).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut stream = BufReader::with_capacity(1024, stream);
        let News { mut epoch, feed, .. } = self.ask(&mut stream, "").await;
        let mut heard = Vec::new();
        while epoch < last {
            let news = self.ask(&mut stream, &format!("&after={epoch}&feed={feed}")).await;
            if news.epoch == epoch {
                continue;
            }
            let (at, listed) = (Instant::now(), news.revoked.len());
            heard.push(Heard { at, after: epoch, epoch: news.epoch, listed });
            epoch = news.epoch;
            self.epoch.store(epoch, Ordering::Relaxed);
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
        }
        heard
    }

    async fn ask(&self, stream: &mut BufReader<TcpStream>, after: &str) -> News {
        let request = format!(
            "GET {FEED}?wait={WAIT}&node={}{after} HTTP/1.1\r\nhost: approvals.internal\r\n\
             authorization: Bearer {PROXY_TOKEN}\r\n\r\n",
            self.node
        );
        stream.get_mut().write_all(request.as_bytes()).await.unwrap();
        let mut line = String::new();
        let mut length = 0;
        let mut status = None;
        loop {
            line.clear();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "{}: closed", self.node);
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            status.get_or_insert_with(|| text.to_owned());
            if let Some(value) = text.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let ok = status.as_deref() == Some("HTTP/1.1 200 OK");
        assert!(ok, "{status:?} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }
}
