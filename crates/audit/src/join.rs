//! Puts lines together that were split on their way.
//!
//! - A container runtime splits long lines and marks the parts: [`super::carrier`].
//! - Something else may split a line at a fixed length and mark nothing; a file may end in the middle
//!   of a line that the next one goes on with. Such parts are one line only if that makes records of
//!   them that are what was sealed: their hashes prove it.
//!
//! A text that waits for its rest takes at most [`MAX_LINE_BYTES`], all of them together at most
//! [`MAX_OPEN_BYTES`], and each byte is read a bounded number of times.

use std::collections::HashMap;

use super::carrier::{Carried, Stream, carried};
use super::finding::Place;
use super::line::Finder;
use super::parts::{MAX_PARTS, Parts};
use super::read::{MAX_LINE_BYTES, as_text};
use super::scan::{is_cut, is_object, is_whole_record};

/// What waits for its rest in all streams together.
const MAX_OPEN_BYTES: usize = 4 * MAX_LINE_BYTES;

/// Files whose last lines wait for their rests.
const MAX_TAILS: usize = 16;

/// The longest character of UTF-8 is longer by this than the shortest: a splitter that spares
/// characters may differ by that.
const CHARACTER: usize = 3;

/// A line, put together again.
#[derive(Debug)]
pub struct Line<'l> {
    /// Where it begins.
    pub place: Place,
    /// The last line that it is made of.
    pub last: Place,
    /// Its text: what is not UTF-8 is U+FFFD. Nothing where it is too long.
    pub text: Option<&'l str>,
    /// Whether its end is there.
    pub whole: bool,
    /// How many lines it is made of.
    pub parts: u64,
}

/// Takes lines, and gives them whole.
#[derive(Debug)]
pub struct Joiner<'f> {
    finder: &'f Finder,
    /// Lines whose parts are marked, one for each stream.
    open: Vec<Parts>,
    /// Lines that may be parts of one.
    held: Option<Parts>,
    /// What files ended with, and what may go on in another one.
    tails: Vec<Parts>,
    /// What is known of the streams of this file.
    streams: HashMap<Stream, Known>,
}

/// What is known of a stream in one file.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// A line of it was given.
    began: bool,
    /// Docker's lines keep their line breaks, as Docker writes them.
    keeps_breaks: bool,
    /// They have lost them, so that nothing marks a part.
    lost_breaks: bool,
}

/// Who gets the lines.
type Each<'e> = dyn FnMut(Line<'_>) + 'e;

impl<'f> Joiner<'f> {
    /// Nothing yet. What `finder` finds says whether unmarked parts are one line.
    #[must_use]
    pub fn new(finder: &'f Finder) -> Joiner<'f> {
        let streams = HashMap::new();
        Joiner { finder, open: Vec::new(), held: None, tails: Vec::new(), streams }
    }

    /// The next line of the file; `whole` is whether it ends with a line break.
    pub fn line(&mut self, place: Place, bytes: &[u8], whole: bool, each: &mut Each<'_>) {
        // What every line costs is looked at first: most are no part of anything.
        let began = self.tails.is_empty() || self.known(Stream::default()).began;
        if self.held.is_none() && began && whole && carried(bytes).is_none() {
            let text = as_text(bytes);
            if is_whole_record(&text) || !is_cut(&text) {
                return each(Line { place, last: place, text: Some(&text), whole, parts: 1 });
            }
        }
        self.take(Parts::new(Stream::default(), place, bytes, whole), each);
    }

    /// A line of the file that is too long.
    pub fn too_long(&mut self, place: Place, each: &mut Each<'_>) {
        self.release(each);
        let mut line = Parts::new(Stream::default(), place, b"", true);
        line.too_long = true;
        give(&line, each);
    }

    /// The file is over. What its last lines lack may be in the next one.
    pub fn end_of_file(&mut self, each: &mut Each<'_>) {
        match self.held.take() {
            // Each of them says something by itself.
            Some(held) if held.count > 1 && self.alone(&held) > 0 => {
                self.held = Some(held);
                self.release(each);
            }
            Some(held) => self.wait(held, each),
            None => (),
        }
        for mut open in std::mem::take(&mut self.open) {
            if open.stream.is_docker() && !self.known(open.stream).keeps_breaks {
                let apart = open.apart();
                if apart.iter().all(|part| !self.is_cut(part)) {
                    apart.iter().for_each(|part| give(part, each));
                    continue;
                }
            }
            open.whole = false;
            self.wait(open, each);
        }
        self.streams.clear();
    }

    /// The log is over.
    pub fn end(&mut self, each: &mut Each<'_>) {
        self.end_of_file(each);
        for tail in std::mem::take(&mut self.tails) {
            self.give_up(&tail, each);
        }
    }

    fn known(&mut self, stream: Stream) -> &mut Known {
        self.streams.entry(stream).or_default()
    }

    /// A text, perhaps carried by a container runtime.
    fn take(&mut self, line: Parts, each: &mut Each<'_>) {
        let part = if line.too_long { None } else { carried(&line.bytes) };
        let stream = part.as_ref().and_then(|part| line.stream.of(part.carrier));
        let (Some(part), Some(stream)) = (part, stream) else { return self.plain(line, each) };
        self.release(each);
        let ends = self.ends(stream, &part);
        let mut inner = Parts::new(stream, line.first, &part.content, ends);
        (inner.last, inner.count) = (line.last, line.count);
        let known = self.open.iter().position(|open| open.stream == stream);
        match known.map(|known| self.open.swap_remove(known)) {
            None if ends => self.take(inner, each),
            None => self.keep(inner),
            Some(open) if !ends && self.is_full(&open, &inner) => {
                self.known(stream).lost_breaks = true;
                for part in open.apart().into_iter().chain([inner]) {
                    self.take(part, each);
                }
            }
            Some(mut open) => {
                open.add(&inner);
                if ends { self.take(open, each) } else { self.keep(open) }
            }
        }
    }

    /// Waits for the rest.
    fn keep(&mut self, mut open: Parts) {
        let others = self.open.iter().map(|other| other.bytes.len());
        if others.fold(open.bytes.len(), usize::saturating_add) > MAX_OPEN_BYTES {
            open.forget();
        }
        self.open.push(open);
    }

    /// Whether a line ends with this part. One of Docker's format ends although nothing says so where
    /// a collector has taken the line breaks.
    fn ends(&mut self, stream: Stream, part: &Carried<'_>) -> bool {
        if part.ends || !stream.is_docker() {
            self.known(stream).keeps_breaks |= part.ends;
            return part.ends;
        }
        let goes_on = self.open.iter().any(|open| open.stream == stream);
        self.known(stream).lost_breaks || !goes_on && is_object(&as_text(&part.content))
    }

    /// Whether so much came of Docker's format without a line break that there are none.
    fn is_full(&mut self, open: &Parts, more: &Parts) -> bool {
        open.stream.is_docker()
            && !self.known(open.stream).keeps_breaks
            && (open.ends.len() >= MAX_PARTS || !open.has_room(more.bytes.len()))
    }

    /// A text that no container runtime carries any more.
    fn plain(&mut self, line: Parts, each: &mut Each<'_>) {
        if !line.stream.is_plain() {
            return self.whole(line, each);
        }
        if let Some(mut held) = self.held.take() {
            let length = held.ends.first().map_or(0, |(_, end)| *end);
            let may_follow = line.bytes.len() <= length.saturating_add(CHARACTER)
                && !line.too_long
                && held.ends.len() < MAX_PARTS
                && held.has_room(line.bytes.len());
            if may_follow && line.whole && line.bytes.len().abs_diff(length) <= CHARACTER {
                held.add(&line);
                self.held = Some(held);
                return;
            }
            if may_follow {
                let mut joined = held.clone();
                joined.add(&line);
                if self.is_one(&joined) {
                    return self.whole(joined, each);
                }
            }
            self.held = Some(held);
            self.release(each);
        }
        if line.whole && !line.too_long && is_cut(&line.text()) {
            // The file before may have ended with its beginning.
            match self.after_a_tail(&line) {
                Some(joined) => give(&joined, each),
                None => self.held = Some(line),
            }
            return;
        }
        self.whole(line, each);
    }

    /// What was held is no part of what comes.
    fn release(&mut self, each: &mut Each<'_>) {
        let Some(held) = self.held.take() else { return };
        if held.count > 1 && self.is_one(&held) {
            return self.whole(held, each);
        }
        for part in held.apart() {
            self.whole(part, each);
        }
    }

    /// A line that nothing of its file belongs to.
    fn whole(&mut self, line: Parts, each: &mut Each<'_>) {
        if let Some(joined) = self.after_a_tail(&line) {
            return give(&joined, each);
        }
        if !line.whole && self.is_cut(&line) {
            return self.wait(line, each);
        }
        give(&line, each);
    }

    /// The last line of a file, which may go on in another one.
    fn wait(&mut self, line: Parts, each: &mut Each<'_>) {
        if line.too_long || !self.is_cut(&line) {
            return self.give_up(&line, each);
        }
        self.tails.push(line);
        let bytes = |tails: &[Parts]| {
            tails.iter().fold(0, |sum: usize, tail| sum.saturating_add(tail.bytes.len()))
        };
        while self.tails.len() > MAX_TAILS || bytes(&self.tails) > MAX_LINE_BYTES {
            let tail = self.tails.remove(0);
            self.give_up(&tail, each);
        }
    }

    /// A text whose rest is nowhere: one line, where its parts were marked.
    fn give_up(&self, line: &Parts, each: &mut Each<'_>) {
        if line.stream.is_plain() && line.count > 1 && !self.is_one(line) {
            line.apart().iter().for_each(|part| give(part, each));
        } else {
            give(line, each);
        }
    }

    /// The first line of a stream in a file, with what it is the rest of.
    fn after_a_tail(&mut self, line: &Parts) -> Option<Parts> {
        let known = self.known(line.stream);
        if std::mem::replace(&mut known.began, true) || line.too_long {
            return None;
        }
        if self.tails.is_empty() || is_object(&line.text()) {
            return None;
        }
        for at in 0..self.tails.len() {
            let tail = self.tails.get(at).filter(|tail| {
                tail.stream == line.stream
                    && tail.first.file != line.first.file
                    && tail.has_room(line.bytes.len())
            });
            let Some(tail) = tail else { continue };
            let mut joined = tail.joint();
            joined.add(&line.joint());
            if self.is_one(&joined) {
                joined.count = tail.count.saturating_add(line.count);
                self.tails.remove(at);
                return Some(joined);
            }
        }
        None
    }

    /// Whether these parts are one line: together they have records, and have them intact, that
    /// they do not have one by one.
    fn is_one(&self, parts: &Parts) -> bool {
        let together = self.finder.summary(&parts.text());
        together.intact && together.records > 0 && together.records > self.alone(parts)
    }

    /// How many records the parts have one by one.
    fn alone(&self, parts: &Parts) -> usize {
        let apart = parts.apart();
        let records = apart.iter().map(|part| self.finder.summary(&part.text()).records);
        records.fold(0, usize::saturating_add)
    }

    /// Whether something was cut off of this.
    fn is_cut(&self, line: &Parts) -> bool {
        let text = line.text();
        is_cut(&text) || !self.finder.summary(&text).intact
    }
}

fn give(line: &Parts, each: &mut Each<'_>) {
    let text = (!line.too_long).then(|| line.text());
    each(Line {
        place: line.first,
        last: line.last,
        text: text.as_deref(),
        whole: line.whole,
        parts: line.count,
    });
}
