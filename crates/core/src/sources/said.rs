//! What the VMs of a process have said of a source, on the board that they share.

use sha2::{Digest as _, Sha256};

use std::time::Duration;

use crate::config::ConfigDigest;
use crate::hex;
use crate::instant::Instant;
use crate::sharing::{Board, Version, Written};

/// The shortest time between two lines about one source.
pub(crate) const FLOOR: Duration = Duration::from_secs(10);

/// What was said last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// When, and since when it is so.
    at: Instant,
    since: Instant,
    /// The word of the state.
    pub(super) word: String,
}

/// Whether a VM is to say something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Yes; since when what was said before is so.
    Mine(Option<Instant>),
    /// Another VM has said it; since when it is so.
    WasSaid(Instant),
    /// Not now.
    Later,
}

impl Said {
    fn read(value: &[u8]) -> Option<Said> {
        let mut parts = std::str::from_utf8(value).ok()?.splitn(3, ' ');
        let mut instant = || Some(Instant::from_millis(parts.next()?.parse().ok()?));
        Some(Said { at: instant()?, since: instant()?, word: parts.next()?.to_owned() })
    }

    fn write(&self) -> String {
        format!("{} {} {}", self.at.as_millis(), self.since.as_millis(), self.word)
    }
}

fn place(digest: ConfigDigest, name: &str) -> String {
    format!("breakglass.said.{}.{name}", digest.text())
}

fn read(board: &dyn Board, place: &str) -> (Option<Said>, Option<Version>) {
    match board.read(place) {
        Some((value, version)) => (Said::read(&value), Some(version)),
        None => (None, None),
    }
}

/// What was said of this last.
pub(super) fn last_said(
    board: &dyn Board,
    digest: Option<ConfigDigest>,
    name: &str,
) -> Option<Said> {
    read(board, &place(digest?, name)).0
}

/// Asks to say this of it.
pub(super) fn claim(
    board: &dyn Board,
    digest: Option<ConfigDigest>,
    name: &str,
    word: &str,
    since: Instant,
    now: Instant,
) -> Claim {
    let Some(digest) = digest else { return Claim::Mine(None) };
    let place = place(digest, name);
    let (said, version) = read(board, &place);
    if let Some(said) = &said {
        if said.word == word {
            return Claim::WasSaid(said.since);
        }
        // What was said later than now is from before the clock was set back, or forged.
        if said.at <= now && now.since(said.at) < FLOOR {
            return Claim::Later;
        }
    }
    let saying = Said { at: now, since, word: word.to_owned() };
    match board.write(&place, saying.write().as_bytes(), version) {
        Written::Done | Written::Unavailable => Claim::Mine(said.map(|said| said.since)),
        Written::Conflict => Claim::Later,
    }
}

/// A word for these texts.
pub(super) fn digest_of(texts: &[String]) -> String {
    let digest = Sha256::digest(texts.join("\n"));
    hex::lower(digest.first_chunk::<8>().unwrap_or(&[0; 8]))
}
