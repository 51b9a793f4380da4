//! An HTTP/2 connection as an attacker writes it (RFC 9113, section 4.1).

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connections::PATIENCE;

pub(crate) use breakglass_testing::http2::*;

/// A frame that came.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of GOAWAY and RST_STREAM.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A connection that says what its test says.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    /// With the preface and SETTINGS sent.
    pub(crate) async fn connect(address: SocketAddr) -> Raw {
        let mut raw = Raw(TcpStream::connect(address).await.unwrap());
        raw.send(&preface()).await;
        raw
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Sends this as often as it is taken, but not more often than `most`; how often it was.
    pub(crate) async fn flood(
        &mut self,
        most: usize,
        mut next: impl FnMut(usize) -> Vec<u8>,
    ) -> usize {
        for number in 0..most {
            match timeout(PATIENCE, self.0.write_all(&next(number))).await {
                Ok(Ok(())) => {}
                // Closed, or not read any more.
                Ok(Err(_)) | Err(_) => return number,
            }
        }
        most
    }

    /// The next frame; none where the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        let read = timeout(PATIENCE, self.0.read_exact(&mut head)).await;
        read.unwrap().ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        timeout(PATIENCE, self.0.read_exact(&mut payload)).await.unwrap().ok()?;
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// All that comes until the service closes the connection.
    pub(crate) async fn until_closed(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}
