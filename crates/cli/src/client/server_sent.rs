//! Server-sent events as they come (WHATWG HTML, section 9.2.6).

use std::io::{self, BufRead, Read};

/// The longest event that is read, in bytes.
const MAX: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerSent {
    /// The last id that came, with this event or before it: what to come back with.
    pub(crate) id: String,
    /// Its data; empty for one that only says how far the reader is.
    pub(crate) data: String,
}

/// Reads events.
pub(super) struct ServerSentReader<R> {
    lines: R,
    id: String,
}

impl<R: BufRead> ServerSentReader<R> {
    /// Reads from here.
    pub(super) fn new(lines: R) -> ServerSentReader<R> {
        ServerSentReader { lines, id: String::new() }
    }

    /// The next event; nothing where the stream has ended. What comes before the end without a blank line is none.
    ///
    /// # Errors
    /// Where the connection fails, or what comes is no such stream.
    pub(super) fn next(&mut self) -> io::Result<Option<ServerSent>> {
        let (mut data, mut size) = (None::<String>, 0_usize);
        let mut is_new_id = false;
        loop {
            let left = MAX.saturating_sub(size);
            let Some(line) = self.line(left)? else { return Ok(None) };
            size = size.saturating_add(line.len()).saturating_add(1);
            if line.is_empty() {
                if data.is_some() || is_new_id {
                    let data = data.unwrap_or_default();
                    return Ok(Some(ServerSent { id: self.id.clone(), data }));
                }
                size = 0;
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => {
                    let data = data.get_or_insert_default();
                    if !data.is_empty() {
                        data.push('\n');
                    }
                    data.push_str(value);
                }
                "id" if !value.contains('\0') => {
                    self.id = value.to_owned();
                    is_new_id = true;
                }
                // A comment, `event` and `retry`, which the reader does not need, and what is not known.
                _ => {}
            }
        }
    }

    /// A line without its end.
    fn line(&mut self, left: usize) -> io::Result<Option<String>> {
        let invalid = |what: &'static str| io::Error::new(io::ErrorKind::InvalidInput, what);
        let mut line = Vec::new();
        let limit = u64::try_from(left).unwrap_or(u64::MAX);
        let read = self.lines.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 && left > 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            return match read < left {
                true => Ok(None),
                false => Err(invalid("an event of more than 1 MiB")),
            };
        }
        line.pop_if(|last| *last == b'\r');
        String::from_utf8(line).map(Some).map_err(|_| invalid("an event that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let mut reader = ServerSentReader::new(text.as_bytes());
        std::iter::from_fn(|| reader.next().unwrap()).map(|one| (one.id, one.data)).collect()
    }

    #[test]
    fn events_come_as_the_standard_says() {
        let event = |id: &str, data: &str| (id.to_owned(), data.to_owned());
        for (text, expected) in [
            ("", vec![]),
            (":\n\n: quiet\n\n", vec![]),
            ("retry: 1000\nid: 1.a\n\n", vec![event("1.a", "")]),
            ("id: 1.a\nevent: e\ndata: {}\n\n", vec![event("1.a", "{}")]),
            ("id: 1\r\ndata: a\r\n\r\ndata:  b\n\n", vec![event("1", "a"), event("1", " b")]),
            ("data: a\ndata: b\ndata\n\n", vec![event("", "a\nb\n")]),
            ("unknown: x\ndata:c\n\n", vec![event("", "c")]),
            // Cut off.
            ("id: 1\ndata: a\n", vec![]),
            ("id: 1\ndata: a\n\nid: 2\nda", vec![event("1", "a")]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_event_has_a_bound() {
        let long = format!("data: {}\n\n", "x".repeat(MAX));
        assert!(ServerSentReader::new(long.as_bytes()).next().is_err());
        let many = "data: x\n".repeat(MAX / 8 + 1);
        assert!(ServerSentReader::new(many.as_bytes()).next().is_err());
        assert!(ServerSentReader::new(b"data: \xff\n\n".as_slice()).next().is_err());
    }
}
