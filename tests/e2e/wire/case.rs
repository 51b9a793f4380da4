//! A request, and the answer that the upstream is to give.

use std::fmt;

use super::message::Field;

/// What carries a group of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One after the other, each sent before the answer to the last or only after it.
    Http1 { pipelined: bool },
    /// All at the same time.
    Http2,
}

/// Requests that share a connection.
pub(super) struct Group {
    pub(super) protocol: Protocol,
    pub(super) cases: Vec<Case>,
}

/// How the end of a content is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Absent,
    /// By `content-length`.
    Length,
    /// By the last chunk; of HTTP/2, without a length.
    Chunked,
    /// By the end of the connection; of HTTP/2, as `Chunked`.
    Connection,
}

/// What follows a head.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) framing: Framing,
    /// As they are sent.
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) trailers: Option<Vec<Field>>,
}

/// What the upstream answers.
#[derive(Clone)]
pub(super) struct Planned {
    pub(super) status: u16,
    pub(super) fields: Vec<Field>,
    pub(super) content: Content,
}

/// A request, and the answer to it.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) id: u32,
    pub(super) method: String,
    /// The target of HTTP/1.1; the path of HTTP/2.
    pub(super) target: Vec<u8>,
    pub(super) host: String,
    pub(super) fields: Vec<Field>,
    /// Whether it waits for `100 Continue`.
    pub(super) expects: bool,
    pub(super) content: Content,
    pub(super) answer: Planned,
}

impl Case {
    /// Whether the client sends a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
    }
}

impl Content {
    pub(super) fn length(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }
}

impl Content {
    pub(super) fn absent() -> Content {
        Content { framing: Framing::Absent, pieces: Vec::new(), trailers: None }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<_> = self.pieces.iter().map(Vec::len).collect();
        write!(f, "{:?} {lengths:?} bytes", self.framing)?;
        for (name, value) in self.trailers.iter().flatten() {
            write!(
                f,
                ", trailer {}:{:.100}",
                name.escape_ascii(),
                value.escape_ascii().to_string()
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "request {}: {} {} of {}",
            self.id,
            self.method,
            self.target.escape_ascii(),
            self.host
        )?;
        for (name, value) in &self.fields {
            writeln!(f, "  {}:{:.300}", name.escape_ascii(), value.escape_ascii().to_string())?;
        }
        writeln!(f, "  content: {:?}", self.content)?;
        write!(f, "  to be answered {}, {:?}", self.answer.status, self.answer.content)
    }
}
