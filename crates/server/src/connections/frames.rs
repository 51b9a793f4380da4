//! Where the frames of HTTP/2 begin and end (RFC 9113, section 4.1): when a head is under way on a connection that has
//! other requests at work, and how many frames come that are no part of one. What the frames say is the library's to judge.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::pace::{Count, Pace};
use super::places::Connection;
use crate::metrics::Closed;

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of a frame's head, in bytes.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// So many bytes of the preface have come.
    Preface(usize),
    /// So many bytes of a frame's head have come.
    Head([u8; HEAD], usize),
    /// So many bytes of a frame's payload are still to come.
    Payload { left: usize, data: bool },
    /// HTTP/1.
    Other,
}

/// Reads what comes, frame by frame.
#[derive(Debug)]
struct Scanner {
    at: At,
    /// A head goes on in the next frame.
    goes_on: bool,
}

/// What a scanner has found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// The preface came whole.
    preface: bool,
    /// A frame, or a head in several of them, came whole.
    whole: bool,
    /// Frames that are no part of a request.
    others: Count,
}

impl Scanner {
    fn new() -> Scanner {
        Scanner { at: At::Preface(0), goes_on: false }
    }

    /// Whether a frame that is not DATA, or a head in several frames, has come in part.
    fn is_within(&self) -> bool {
        match self.at {
            At::Head(_, 0) => self.goes_on,
            At::Head(..) => true,
            At::Payload { data, .. } => !data,
            At::Preface(_) | At::Other => false,
        }
    }

    fn read(&mut self, mut bytes: &[u8]) -> Found {
        let mut found = Found::default();
        while let Some((first, rest)) = bytes.split_first() {
            match self.at {
                At::Other => break,
                At::Preface(count) => {
                    let next = count.saturating_add(1);
                    self.at = match PREFACE.get(count) {
                        Some(byte) if byte == first && next == PREFACE.len() => {
                            found.preface = true;
                            At::Head([0; HEAD], 0)
                        }
                        Some(byte) if byte == first => At::Preface(next),
                        _ => At::Other,
                    };
                    bytes = rest;
                }
                At::Head(mut head, count) => {
                    if let Some(byte) = head.get_mut(count) {
                        *byte = *first;
                    }
                    let count = count.saturating_add(1);
                    self.at = At::Head(head, count);
                    if count == HEAD {
                        self.head(head, &mut found);
                    }
                    bytes = rest;
                }
                At::Payload { left, data } => {
                    let taken = left.min(bytes.len());
                    let left = left.saturating_sub(taken);
                    bytes = bytes.get(taken..).unwrap_or_default();
                    self.at = At::Payload { left, data };
                    self.end(&mut found);
                }
            }
        }
        found
    }

    fn head(&mut self, head: [u8; HEAD], found: &mut Found) {
        let [high, middle, low, kind, flags, ..] = head;
        let left =
            usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
        self.goes_on = matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS == 0;
        let others = &mut found.others;
        match kind {
            HEADERS => {}
            DATA if left > 0 => {}
            RST_STREAM | WINDOW_UPDATE => others.many = others.many.saturating_add(1),
            _ => others.few = others.few.saturating_add(1),
        }
        self.at = At::Payload { left, data: kind == DATA };
        self.end(found);
    }

    /// Goes on to the next frame, where this one has come whole.
    fn end(&mut self, found: &mut Found) {
        if let At::Payload { left: 0, .. } = self.at {
            self.at = At::Head([0; HEAD], 0);
            found.whole |= !self.goes_on;
        }
    }
}

/// A stream that tells its connection when a head is under way, if what comes is HTTP/2.
pub(super) struct Frames<S> {
    stream: S,
    connection: Arc<Connection>,
    scanner: Scanner,
    pace: Pace,
    within: bool,
}

impl<S> Frames<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>) -> Frames<S> {
        Frames { stream, connection, scanner: Scanner::new(), pace: Pace::new(), within: false }
    }

    /// Reads what came.
    ///
    /// # Errors
    /// Too many frames came that are no part of a request.
    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        let found = self.scanner.read(bytes);
        if found.preface {
            self.connection.speaks_http2();
        }
        let within = self.scanner.is_within();
        if within != self.within || (within && found.whole) {
            self.within = within;
            self.connection.frame(within);
        }
        if found.others != Count::default()
            && self.pace.is_exceeded_by(found.others, Instant::now())
        {
            self.connection.note(Closed::TooManyFrames);
            return Err(io::Error::other("too many frames that are no part of a request"));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Frames<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match buffer.filled().get(before..).map(|came| self.came(came)) {
            Some(Err(flood)) => Poll::Ready(Err(flood)),
            _ => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    /// Whether a head is under way after each byte, and after all of them.
    fn within(bytes: &[u8]) -> (Vec<bool>, bool) {
        let (mut scanner, mut whole) = (Scanner::new(), Scanner::new());
        let each = bytes.chunks(1).map(|byte| {
            scanner.read(byte);
            scanner.is_within()
        });
        let each = each.collect();
        whole.read(bytes);
        assert_eq!((whole.at, whole.goes_on), (scanner.at, scanner.goes_on));
        (each, whole.is_within())
    }

    #[test]
    fn a_head_is_under_way_from_its_first_byte_to_its_end() {
        let headers = frame(HEADERS, END_HEADERS, b"abc");
        let sent = [PREFACE, &frame(4, 0, b""), &headers].concat();
        let (each, _) = within(&sent);
        let expected: Vec<bool> = [(24, false), (8, true), (1, false), (11, true), (1, false)]
            .into_iter()
            .flat_map(|(count, within)| vec![within; count])
            .collect();
        assert_eq!(each, expected);
        assert!(within(&sent[..sent.len() - 1]).1);
    }

    #[test]
    fn a_head_in_several_frames_ends_with_the_last() {
        let first = [PREFACE, &frame(HEADERS, 0, b"abc")].concat();
        assert!(within(&first).1);
        let second = [&first[..], &frame(CONTINUATION, 0, b"")].concat();
        assert!(within(&second).1);
        let mut scanner = Scanner::new();
        assert!(!scanner.read(&second).whole);
        assert!(scanner.read(&frame(CONTINUATION, END_HEADERS, b"d")).whole);
        assert!(!scanner.is_within());
    }

    #[test]
    fn data_is_no_head_and_http_1_has_no_frames() {
        let data = frame(DATA, 0, b"abc");
        assert!(!within(&[PREFACE, &data[..data.len() - 1]].concat()).1);
        assert!(!within(b"PRI * HTTP/1.1\r\n\r\n\x00\x00\x05\x01").1);
        assert!(!within(b"GET / HTTP/1.1\r\n").1);
    }
}
