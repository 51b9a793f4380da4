//! Reads all the files of a log, and says of each line what can be said without a chain.

use std::io;

use super::finding::Place;
use super::join::{Joiner, Line};
use super::line::Finder;
use super::read::Read;
use super::source::Source;

/// What is said of a line that its file ends in.
pub const CUT: &str = "the file ends in the middle of this line";

/// What is said of a line that is too long.
pub const TOO_LONG: &str = "it is longer than 16 MiB: what is in it is not known";

/// What comes next in a log.
#[derive(Debug)]
pub enum Next<'l> {
    /// A line.
    Line(Line<'l>),
    /// A compressed file that is not read any further.
    Broken {
        /// The line that cannot be read.
        place: Place,
        /// Whether the file only ends too early.
        cut: bool,
    },
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {error}")]
pub struct Unreadable {
    /// Its name.
    pub name: String,
    /// Why.
    pub error: io::Error,
}

/// What is said of something that was a record.
#[must_use]
pub fn damaged(error: &str) -> String {
    format!("it cannot be read as a record any more: {error}")
}

/// What is said of a compressed file.
#[must_use]
pub fn broken(cut: bool) -> &'static str {
    match cut {
        true => "the compressed data ends in its middle",
        false => "the compressed data is damaged: the rest is not read",
    }
}

/// Reads these files, in this order. `progress` is told how many bytes were read. Returns how many
/// lines each has.
///
/// # Errors
/// Which file cannot be read, and why.
pub fn read(
    sources: &[Source],
    finder: &Finder,
    progress: &dyn Fn(u64),
    each: &mut dyn FnMut(Next<'_>),
) -> Result<Vec<u64>, Unreadable> {
    let mut joiner = Joiner::new(finder);
    let mut counts = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        let file = u32::try_from(index).unwrap_or(u32::MAX);
        let lines = one(file, source, &mut joiner, progress, each)
            .map_err(|error| Unreadable { name: source.name(), error })?;
        counts.push(lines);
    }
    joiner.end(&mut |line| each(Next::Line(line)));
    Ok(counts)
}

fn one(
    file: u32,
    source: &Source,
    joiner: &mut Joiner<'_>,
    progress: &dyn Fn(u64),
    each: &mut dyn FnMut(Next<'_>),
) -> io::Result<u64> {
    let mut lines = source.lines(progress)?;
    let mut count = 0;
    let mut broken = None;
    loop {
        match lines.next()? {
            Read::Line { number, bytes, whole } => {
                count = number;
                let place = Place { file, line: number };
                joiner.line(place, bytes, whole, &mut |line| each(Next::Line(line)));
            }
            Read::TooLong { number } => {
                count = number;
                let place = Place { file, line: number };
                joiner.too_long(place, &mut |line| each(Next::Line(line)));
            }
            Read::Broken { number, cut } => {
                broken = Some(Next::Broken { place: Place { file, line: number }, cut });
                break;
            }
            Read::End => break,
        }
    }
    joiner.end_of_file(&mut |line| each(Next::Line(line)));
    broken.into_iter().for_each(each);
    Ok(count)
}
