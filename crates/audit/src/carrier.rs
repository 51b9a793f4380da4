//! What a container runtime makes of a line: the CRI log format, and Docker's `json-file`. Both split
//! a long line, usually at 16 KiB, and say so.

use std::borrow::Cow;

use memchr::memchr;
use memchr::memmem::find;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Runtimes in runtimes: deeper is no carrier.
pub(super) const MAX_DEPTH: usize = 3;

/// A format, and the output of the container that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Carrier {
    /// `<time> stdout|stderr P|F <text>`
    Cri(Output),
    /// `{"log":"<text>","stream":"stdout","time":".."}`
    Docker(Output),
}

/// An output of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// The carriers of a line, from the outermost: lines of one stream are parts of one text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Stream([Option<Carrier>; MAX_DEPTH]);

/// A line of a container runtime.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Carried<'l> {
    pub(super) carrier: Carrier,
    /// What the container wrote, without the line break.
    pub(super) content: Cow<'l, [u8]>,
    /// Whether the container's line ends here.
    pub(super) ends: bool,
}

impl Stream {
    /// Whether no runtime carried it.
    pub(super) fn is_plain(self) -> bool {
        self == Stream::default()
    }

    /// The stream of a line that `carrier` carried in this one; nothing where that is too deep.
    pub(super) fn of(mut self, carrier: Carrier) -> Option<Stream> {
        *self.0.iter_mut().find(|level| level.is_none())? = Some(carrier);
        Some(self)
    }

    /// Whether Docker's format is the innermost.
    pub(super) fn is_docker(self) -> bool {
        matches!(self.0.iter().flatten().last(), Some(Carrier::Docker(_)))
    }
}

impl Output {
    fn named(name: &[u8]) -> Option<Output> {
        match name {
            b"stdout" => Some(Output::Stdout),
            b"stderr" => Some(Output::Stderr),
            _ => None,
        }
    }
}

/// What the line of a container runtime carries; nothing where it is another line.
pub(super) fn carried(line: &[u8]) -> Option<Carried<'_>> {
    match line.first()? {
        b'0'..=b'9' => cri(line),
        b'{' => docker(line),
        _ => None,
    }
}

/// `2026-11-22T02:13:00.123456789Z stdout P the text`. Further tags may follow the first: `P:tag`.
fn cri(line: &[u8]) -> Option<Carried<'_>> {
    let (time, rest) = word(line)?;
    let is_time = (20..=40).contains(&time.len())
        && time.get(4) == Some(&b'-')
        && time.get(10) == Some(&b'T')
        && time.get(13) == Some(&b':');
    if !is_time {
        return None;
    }
    let (output, rest) = word(rest)?;
    let output = Output::named(output)?;
    // An empty line may have lost its last space.
    let (tags, content) = word(rest).unwrap_or((rest, b""));
    let ends = match tags.split(|byte| *byte == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    Some(Carried { carrier: Carrier::Cri(output), content: Cow::Borrowed(content), ends })
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = text.split_at_checked(memchr(b' ', text)?)?;
    Some((word, rest.get(1..)?))
}

/// Docker's members and no others: a collector's line has more, and may have its records there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Docker<'l> {
    #[serde(borrow)]
    log: Cow<'l, str>,
    #[serde(borrow)]
    stream: Cow<'l, str>,
    #[serde(rename = "time")]
    _time: IgnoredAny,
    #[serde(default, rename = "attrs")]
    _attrs: IgnoredAny,
}

fn docker(line: &[u8]) -> Option<Carried<'_>> {
    find(line, b"\"log\"")?;
    find(line, b"\"stream\"")?;
    let parsed: Docker<'_> = serde_json::from_slice(line).ok()?;
    let output = Output::named(parsed.stream.as_bytes())?;
    let ends = parsed.log.ends_with('\n');
    let content = match parsed.log {
        // A text with a line break has an escape, and is not borrowed.
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(mut text) => {
            text.truncate(text.len().saturating_sub(usize::from(ends)));
            Cow::Owned(text.into_bytes())
        }
    };
    Some(Carried { carrier: Carrier::Docker(output), content, ends })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<(Carrier, String, bool)> {
        let carried = carried(line.as_bytes())?;
        let content = String::from_utf8(carried.content.into_owned()).unwrap();
        Some((carried.carrier, content, carried.ends))
    }

    #[test]
    fn knows_the_formats_of_container_runtimes() {
        let time = "2026-11-22T02:13:00.123456789Z";
        let cri =
            |output, content: &str, ends| Some((Carrier::Cri(output), content.to_owned(), ends));
        assert_eq!(of(&format!("{time} stdout F a b")), cri(Output::Stdout, "a b", true));
        assert_eq!(of(&format!("{time} stderr P  a")), cri(Output::Stderr, " a", false));
        assert_eq!(of(&format!("{time} stdout P:x:y a")), cri(Output::Stdout, "a", false));
        assert_eq!(of(&format!("{time} stdout F")), cri(Output::Stdout, "", true));
        let zone = "2026-11-22T02:13:00.1+01:00";
        assert_eq!(of(&format!("{zone} stdout F a")), cri(Output::Stdout, "a", true));
        let docker =
            |output, content: &str, ends| Some((Carrier::Docker(output), content.to_owned(), ends));
        assert_eq!(
            of(r#"{"log":"a\"b\n","stream":"stdout","time":"t"}"#),
            docker(Output::Stdout, "a\"b", true)
        );
        assert_eq!(
            of(r#"{"attrs":{},"log":"a","stream":"stderr","time":"t"}"#),
            docker(Output::Stderr, "a", false)
        );
    }

    #[test]
    fn takes_no_other_line_for_one_of_a_container_runtime() {
        for line in [
            "",
            "2026-11-22T02:13:00Z stdout X a",
            "2026-11-22T02:13:00Z stdin F a",
            "2026-11-22 02:13:00 stdout F a",
            "17 stdout F a",
            r#"{"log":"a\n","stream":"stdout"}"#,
            r#"{"log":"a\n","stream":"stdout","time":"t","more":1}"#,
            r#"{"log":{},"stream":"stdout","time":"t"}"#,
            r#"{"log":"a","stream":7,"time":"t"}"#,
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
