//! Frames of HTTP/2 as an attacker writes them (RFC 9113, section 4.1; RFC 7541).

use std::net::SocketAddr;

use breakglass_testing::service::token_of;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connections::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;

/// The error codes of section 7.
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The block of a GET, in HPACK without a table and without Huffman.
pub(crate) fn get(who: &str, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    let mut literal = |name: &[u8], value: &str| {
        block.extend_from_slice(name);
        let length = value.len();
        match u8::try_from(length).unwrap() {
            short @ ..127 => block.push(short),
            long => block.extend_from_slice(&[127, long - 127]),
        }
        block.extend_from_slice(value.as_bytes());
    };
    literal(&[0x04], path);
    literal(&[0x01], "approvals.test");
    if !who.is_empty() {
        literal(&[0x0f, 8], &format!("Bearer {}", token_of(who)));
    }
    block
}

/// A whole request.
pub(crate) fn whole(stream: u32, who: &str, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(who, path))
}

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
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.send(&frame(SETTINGS, 0, 0, &[])).await;
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
