//! A message as it came, of either version of HTTP.

use std::fmt;
use std::io::{BufRead, Error, ErrorKind, Result};

use http::HeaderMap;

/// A name and a value. Of HTTP/1.1 they are all that is before and after the colon, as it was on the wire.
pub(super) type Field = (Vec<u8>, Vec<u8>);

/// A request or an answer.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The line that it begins with; of HTTP/2, what stands for it.
    pub(super) start: Vec<u8>,
    /// In the order in which they came.
    pub(super) fields: Vec<Field>,
    /// Whether it was known with the head that nothing follows.
    pub(super) ends_with_head: bool,
    /// The content, without what frames it.
    pub(super) content: Vec<u8>,
    /// The trailers; there may be a block of none.
    pub(super) trailers: Option<Vec<Field>>,
}

/// How the end of a message of HTTP/1.1 is known where its head does not say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// It has no content: a request, or an answer to HEAD.
    Nothing,
    /// It ends with the connection.
    Connection,
}

impl Message {
    /// One that never came, and why.
    pub(super) fn broken(why: impl fmt::Display) -> Message {
        Message { start: format!("broken: {why}").into_bytes(), ..Message::default() }
    }

    /// The first value of this name, without the space around it.
    pub(super) fn field(&self, name: &str) -> Option<&[u8]> {
        let is = |field: &&Field| field.0.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().find(is).map(|(_, value)| value.trim_ascii())
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> Option<u16> {
        let text = self.start.split(|byte| *byte == b' ').nth(1)?;
        str::from_utf8(text).ok()?.parse().ok()
    }

    /// Reads the head of a message of HTTP/1.1.
    pub(super) fn read_head(from: &mut impl BufRead) -> Result<Message> {
        let start = line(from)?;
        Ok(Message { start, fields: fields(from)?, ..Message::default() })
    }

    /// Reads what follows the head.
    pub(super) fn read_content(
        &mut self,
        from: &mut impl BufRead,
        otherwise: Otherwise,
    ) -> Result<()> {
        let length = self.field("content-length").map(<[u8]>::to_vec);
        if self.field("transfer-encoding") == Some(b"chunked") {
            loop {
                let line = line(from)?;
                let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = str::from_utf8(size)
                    .ok()
                    .and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
                let size =
                    size.ok_or_else(|| Error::other(format!("no size of a chunk: {line:?}")))?;
                if size == 0 {
                    break;
                }
                let mut chunk = vec![0; size + 2];
                from.read_exact(&mut chunk)?;
                chunk.truncate(size);
                self.content.append(&mut chunk);
            }
            self.trailers = Some(fields(from)?).filter(|trailers| !trailers.is_empty());
        } else if let Some(length) = length {
            let length = str::from_utf8(&length).ok().and_then(|length| length.parse().ok());
            self.content.resize(length.ok_or_else(|| Error::other("no length"))?, 0);
            from.read_exact(&mut self.content)?;
        } else if otherwise == Otherwise::Connection {
            from.read_to_end(&mut self.content)?;
        } else {
            self.ends_with_head = true;
        }
        Ok(())
    }
}

fn fields(from: &mut impl BufRead) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    loop {
        let line = line(from)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let colon = colon.ok_or_else(|| Error::other(format!("no field: {line:?}")))?;
        fields.push((line[..colon].to_vec(), line[colon + 1..].to_vec()));
    }
}

/// A line without its end, which is CR and LF.
fn line(from: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\r\n") {
        return Err(Error::new(ErrorKind::UnexpectedEof, format!("the end after {line:?}")));
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

/// The fields of HTTP/2.
pub(super) fn fields_of(map: &HeaderMap) -> Vec<Field> {
    map.iter().map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec())).collect()
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        writeln!(f, "{}", text(&self.start))?;
        for (name, value) in &self.fields {
            writeln!(f, "  {}:{:.300}", text(name), text(value))?;
        }
        let (length, end) = (self.content.len(), self.ends_with_head);
        write!(f, "  {length} bytes: {:.60}; ends with its head: {end}", text(&self.content))?;
        for (name, value) in self.trailers.iter().flatten() {
            write!(f, "\n  trailer {}:{:.300}", text(name), text(value))?;
        }
        Ok(())
    }
}
