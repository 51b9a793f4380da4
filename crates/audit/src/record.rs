//! One record: the members that the check needs, and whether its hash is that of its text.

use std::borrow::Cow;

use serde::Deserialize;

use super::digest::{ChainId, Digest};
use crate::moment::parse_rfc3339;

/// The version of the record's form that this program knows.
pub const VERSION: u32 = 1;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// What was decided, written before anything came of it; without a seal.
    Decision,
    /// A stream that lives long has begun.
    Start,
    /// The request is over.
    End,
}

/// Text of the line itself, where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The members that the check needs.
#[derive(Debug, Clone, Deserialize)]
pub struct Record<'a> {
    /// The version of the form.
    pub v: u32,
    /// When the request came, RFC 3339 in UTC.
    #[serde(borrow)]
    pub time: Text<'a>,
    /// The grant's id.
    #[serde(borrow)]
    pub grant: Option<Text<'a>>,
    /// The request's method.
    #[serde(borrow)]
    pub method: Text<'a>,
    /// The request's path.
    #[serde(borrow)]
    pub path: Text<'a>,
    /// Envoy's `x-request-id`.
    #[serde(borrow)]
    pub request_id: Option<Text<'a>>,
    /// What the record is about.
    pub phase: Phase,
    /// What was decided.
    #[serde(borrow)]
    pub decision: Text<'a>,
    /// From the beginning of the request to its log, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Envoy's number of the request in its VM.
    pub stream: Option<u64>,
    /// The record that the stream left when it began.
    pub start: Option<Start>,
    /// The record's number among those of its grant in its chain, from 1.
    pub grant_seq: Option<u64>,
    /// The chain.
    pub chain: ChainId,
    /// The record's number in its chain, from 1.
    pub seq: Option<u64>,
    /// The hash of the record before it; none at number 1.
    pub prev: Option<Digest>,
    /// Its own hash.
    pub hash: Option<Digest>,
}

/// How an end names the record of its stream's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Start {
    /// Its number.
    pub seq: u64,
    /// The hash of the record before it, where the filter says so.
    #[serde(default)]
    pub prev: Option<Digest>,
    /// Its hash.
    pub hash: Digest,
}

/// The seal of a record: what makes it a link of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// The number.
    pub seq: u64,
    /// The hash of the record before it; none at number 1.
    pub prev: Option<Digest>,
    /// The record's hash.
    pub hash: Digest,
}

/// Why a record is none that a filter writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It is of another version.
    #[error("it is of version {0}, and this program knows version {VERSION}")]
    Version(u32),
    /// Its phase and its seal do not fit.
    #[error("a record of phase {0:?} {1}")]
    Seal(Phase, &'static str),
}

impl Record<'_> {
    /// When the filter ended the request by an answer of its own, in milliseconds since 1970;
    /// nothing if it did not.
    #[must_use]
    pub fn ended_at(&self) -> Option<i64> {
        self.duration_ms.filter(|_| matches!(&*self.decision.0, "cut" | "deny"))?;
        self.written_at()
    }

    /// When it was written, in milliseconds since 1970, by the proxy's clock: at the end of the request, or,
    /// of a record that has no end, not before the request came.
    #[must_use]
    pub fn written_at(&self) -> Option<i64> {
        let began = parse_rfc3339(&self.time.0)?;
        let duration = i64::try_from(self.duration_ms.unwrap_or_default()).ok()?;
        began.millis().checked_add(duration)
    }

    /// The seal; nothing for the first record of a request, which has none.
    ///
    /// # Errors
    /// [`InvalidRecord`] where a filter would not have written this.
    pub fn seal(&self) -> Result<Option<Seal>, InvalidRecord> {
        if self.v != VERSION {
            return Err(InvalidRecord::Version(self.v));
        }
        match (self.phase, self.seq, self.hash) {
            (Phase::Decision, None, None) => Ok(None),
            (Phase::Decision, ..) => Err(InvalidRecord::Seal(self.phase, "has no number")),
            (_, Some(seq), Some(hash)) if seq > 0 => Ok(Some(Seal { seq, prev: self.prev, hash })),
            _ => Err(InvalidRecord::Seal(self.phase, "has a number from 1 and a hash")),
        }
    }
}

/// The hash of the record with this text: that of all but its last member, `hash`. Nothing where
/// the text does not end with one.
#[must_use]
pub fn digest(text: &str) -> Option<Digest> {
    const DIGITS: usize = 64;
    let without_end = text.strip_suffix("\"}")?;
    let at = without_end.len().checked_sub(DIGITS)?;
    let (rest, _) = without_end.split_at_checked(at)?;
    Some(Digest::of(&[rest.strip_suffix(",\"hash\":\"")?.as_bytes(), b"}"]))
}
