//! The files of a log: plain or gzip, in any order, or stdin.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::line::{Finder, Found};
use super::read::{Lines, Read as Next};

/// Large reads, so that the kernel is asked seldom.
const BUFFER_BYTES: usize = 1024 * 1024;

/// How gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How much of a file is looked at to learn its time.
const PEEK_LINES: usize = 2000;

/// How many of its records.
const PEEK_RECORDS: usize = 64;

/// A file of a log, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// stdin.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// The source of this name: `-` is stdin.
    #[must_use]
    pub fn named(name: &Path) -> Source {
        if name.as_os_str() == "-" { Source::Stdin } else { Source::File(name.to_owned()) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Source::Stdin => "-".to_owned(),
            Source::File(path) => path.display().to_string(),
        }
    }

    /// Its size as it lies there, in bytes, where that is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self {
            Source::Stdin => None,
            Source::File(path) => path.metadata().ok().map(|file| file.len()),
        }
    }

    /// Its lines. `progress` is told how many bytes were read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn lines<'p>(
        &self,
        progress: impl Fn(u64) + 'p,
    ) -> io::Result<Lines<Box<dyn BufRead + 'p>>> {
        let raw: Box<dyn Read> = match self {
            Source::Stdin => Box::new(io::stdin().lock()),
            Source::File(path) => Box::new(File::open(path)?),
        };
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, Counted { raw, progress });
        if raw.fill_buf()?.starts_with(&GZIP) {
            let plain = MultiGzDecoder::new(raw);
            return Ok(Lines::new(Box::new(BufReader::with_capacity(BUFFER_BYTES, plain))));
        }
        Ok(Lines::new(Box::new(raw)))
    }

    /// The latest time in the first records: what a file is sorted by. Nothing where there is no
    /// record, or it can be read only once.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn time(&self, finder: &Finder) -> io::Result<Option<String>> {
        if *self == Source::Stdin {
            return Ok(None);
        }
        let mut lines = self.lines(|_| ())?;
        let mut latest: Option<String> = None;
        let mut records: usize = 0;
        for _ in 0..PEEK_LINES {
            let Next::Line { text, .. } = lines.next()? else { break };
            finder.records(text, &mut |found| {
                if let Found::Record { record, .. } = found {
                    records = records.saturating_add(1);
                    latest = latest.take().max(Some(record.time.0.clone().into_owned()));
                }
            });
            if records >= PEEK_RECORDS {
                break;
            }
        }
        Ok(latest)
    }
}

/// Sorts files by the time of their records, so that in whatever order they were named, what came
/// first is read first.
///
/// # Errors
/// Which file cannot be read, and why.
pub fn in_order(sources: Vec<Source>, finder: &Finder) -> Result<Vec<Source>, (String, io::Error)> {
    if sources.len() < 2 {
        return Ok(sources);
    }
    let mut timed = Vec::with_capacity(sources.len());
    for source in sources {
        let time = source.time(finder).map_err(|error| (source.name(), error))?;
        timed.push((time, source));
    }
    timed.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(timed.into_iter().map(|(_, source)| source).collect())
}

/// Tells how much was read.
struct Counted<R, P> {
    raw: R,
    progress: P,
}

impl<R: Read, P: Fn(u64)> Read for Counted<R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        (self.progress)(u64::try_from(count).unwrap_or_default());
        Ok(count)
    }
}
