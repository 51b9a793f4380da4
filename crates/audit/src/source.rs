//! The files of a log: plain, gzip or zstd, in any order, or stdin.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::finding::Place;
use super::join::{Joiner, Line};
use super::line::{Finder, Found};
use super::read::{Lines, Read as Next};

/// Large reads, so that the kernel is asked seldom.
const BUFFER_BYTES: usize = 1024 * 1024;

/// How gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How a frame of zstd begins (RFC 8878).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How a frame of zstd that is to be skipped begins, but for the lowest four bits.
const ZSTD_SKIPPED: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// The largest window of zstd, as a power of two: 128 MiB, as the zstd program reads without being
/// told to. A file says how much memory it wants, and this is what it gets.
const ZSTD_WINDOW_LOG: u32 = 27;

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
        let start = begin(&mut raw)?;
        let raw = Cursor::new(start.clone()).chain(raw);
        let plain: Box<dyn Read + 'p> = if start.starts_with(&GZIP) {
            Box::new(MultiGzDecoder::new(raw))
        } else if is_zstd(&start) {
            Box::new(Zstd::new(raw)?)
        } else {
            return Ok(Lines::new(Box::new(raw)));
        };
        Ok(Lines::new(Box::new(BufReader::with_capacity(BUFFER_BYTES, plain))))
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
        let mut joiner = Joiner::new(finder);
        let mut each = |line: Line<'_>| {
            finder.records(line.text.unwrap_or_default(), &mut |found| {
                if let Found::Record { record, .. } = found {
                    records = records.saturating_add(1);
                    latest = latest.take().max(Some(record.time.0.clone().into_owned()));
                }
            });
            records
        };
        for _ in 0..PEEK_LINES {
            let Next::Line { number, bytes, whole } = lines.next()? else { break };
            let mut records = 0;
            let place = Place { file: 0, line: number };
            joiner.line(place, bytes, whole, &mut |line| records = each(line));
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

/// The first bytes, as many as tell how a file is compressed; a pipe may give them one by one.
fn begin(raw: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    raw.take(4).read_to_end(&mut start)?;
    Ok(start)
}

fn is_zstd(start: &[u8]) -> bool {
    let [first, rest @ ..] = start else { return false };
    let [skipped, skipped_rest @ ..] = ZSTD_SKIPPED;
    start == ZSTD || (first & 0xf0 == skipped && rest == skipped_rest)
}

/// What zstd holds; its errors as those of gzip are.
struct Zstd<R: Read>(zstd::Decoder<'static, BufReader<R>>);

impl<R: Read> Zstd<R> {
    fn new(raw: R) -> io::Result<Zstd<R>> {
        let mut decoder = zstd::Decoder::new(raw)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Ok(Zstd(decoder))
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            // The library names its own errors only by their texts.
            ErrorKind::Other if error.to_string().contains("too much memory") => {
                let text = "its zstd window is larger than 128 MiB: decompress it first";
                io::Error::new(ErrorKind::Unsupported, text)
            }
            ErrorKind::Other if error.to_string().contains("ictionary") => {
                let text = "it is zstd with a dictionary: decompress it first";
                io::Error::new(ErrorKind::Unsupported, text)
            }
            ErrorKind::Other => io::Error::new(ErrorKind::InvalidData, error),
            _ => error,
        })
    }
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
