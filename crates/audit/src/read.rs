//! Lines of a log: bounded, counted, and with what happened to the last one.

use std::borrow::Cow;
use std::io::{self, BufRead, ErrorKind};

use memchr::memchr;

/// The longest line that is looked at, in bytes: far above any record, and a bound where a file
/// has no lines at all.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// The text of a line: what is not UTF-8 is U+FFFD. Nearly all lines are UTF-8, and that is soon seen.
#[must_use]
pub fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// What came next. A hole at the beginning of a line (NUL) is no part of it.
#[derive(Debug)]
pub enum Read<'l> {
    /// A line.
    Line {
        /// Its number, from 1.
        number: u64,
        /// Its bytes. A part of a line need not be UTF-8.
        bytes: &'l [u8],
        /// Whether it ends with a line break.
        whole: bool,
    },
    /// One that is longer than any record.
    TooLong {
        /// Its number.
        number: u64,
    },
    /// A compressed file ends in its middle, after this many lines, or is damaged there.
    Broken {
        /// The number of the line that cannot be read.
        number: u64,
        /// Whether it only ends too early.
        cut: bool,
    },
    /// Nothing more.
    End,
}

/// The lines of one file.
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// The lines that `reader` has.
    pub fn new(reader: R) -> Lines<R> {
        Lines { reader, line: Vec::new(), number: 0, ended: false }
    }

    /// The next line.
    ///
    /// # Errors
    /// When the file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its buffer")]
    pub fn next(&mut self) -> io::Result<Read<'_>> {
        if self.ended {
            return Ok(Read::End);
        }
        self.line.clear();
        let mut too_long = false;
        let number = self.number.saturating_add(1);
        let whole = loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.ended = true;
                    return match error.kind() {
                        ErrorKind::UnexpectedEof => Ok(Read::Broken { number, cut: true }),
                        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                            Ok(Read::Broken { number, cut: false })
                        }
                        _ => Err(error),
                    };
                }
            };
            if chunk.is_empty() {
                self.ended = true;
                break false;
            }
            let end = memchr(b'\n', chunk);
            let mut part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            let used = part.len().saturating_add(usize::from(end.is_some()));
            // A file that is emptied in its place while the writer keeps its position has a hole.
            if self.line.is_empty() && !too_long {
                let hole = part.iter().take_while(|byte| **byte == 0).count();
                part = part.get(hole..).unwrap_or_default();
            }
            too_long |= self.line.len().saturating_add(part.len()) > MAX_LINE_BYTES;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            self.reader.consume(used);
            if end.is_some() {
                break true;
            }
        };
        if !whole && self.line.is_empty() && !too_long {
            return Ok(Read::End);
        }
        self.number = number;
        if too_long {
            return Ok(Read::TooLong { number });
        }
        let bytes = &self.line;
        Ok(Read::Line { number, bytes, whole })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<(u64, String, bool)> {
        let mut lines = Lines::new(Cursor::new(bytes.to_vec()));
        let mut found = Vec::new();
        loop {
            match lines.next().unwrap() {
                Read::Line { number, bytes, whole } => {
                    found.push((number, String::from_utf8_lossy(bytes).into_owned(), whole));
                }
                Read::TooLong { number } => found.push((number, "too long".to_owned(), true)),
                Read::Broken { .. } => panic!("it is not compressed"),
                Read::End => return found,
            }
        }
    }

    #[test]
    fn lines_have_numbers_and_the_last_one_may_be_cut() {
        let line = |number, text: &str, whole| (number, text.to_owned(), whole);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"a\n\nb"), [line(1, "a", true), line(2, "", true), line(3, "b", false)]);
        assert_eq!(all(b"\xff\n"), [line(1, "\u{fffd}", true)]);
    }

    #[test]
    fn a_hole_before_a_line_is_skipped() {
        assert_eq!(all(b"\0\0\0a\0b\n"), [(1, "a\0b".to_owned(), true)]);
        assert_eq!(all(b"a\n\0\0\0\0"), [(1, "a".to_owned(), true)]);
    }

    /// However long it is: a hole of gigabytes is read as nothing.
    #[test]
    fn a_hole_is_no_part_of_the_length_of_a_line() {
        let mut bytes = vec![0; MAX_LINE_BYTES + 1];
        bytes.extend_from_slice(b"after\n");
        assert_eq!(all(&bytes), [(1, "after".to_owned(), true)]);
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory_without_an_end() {
        let mut bytes = vec![b'x'; MAX_LINE_BYTES + 1];
        bytes.extend_from_slice(b"\nafter\n");
        let found = all(&bytes);
        assert_eq!(found[0].1, "too long");
        assert_eq!(found[1], (2, "after".to_owned(), true));
    }
}
