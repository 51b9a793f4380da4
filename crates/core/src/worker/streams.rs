//! What runs: the requests that are not over, and when something is to be done about each of them.
//!
//! INVARIANT (deadlines): a stream has one deadline at most, and it is the one that its state names. Only this module
//! touches both.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use crate::audit::{Decided, Link};
use crate::bodies::Traffic;
use crate::calls::StreamId;
use crate::decision::{Answers, Token};
use crate::headers::Headers;
use crate::instant::Instant;
use crate::reason::DenyReason;
use crate::request::Facts;

/// The requests of one worker that are not over.
#[derive(Debug)]
pub(super) struct Streams {
    kept: HashMap<StreamId, Stream>,
    /// When permitted requests end, and when the tokens of waiting ones are void, soonest first.
    deadlines: BTreeSet<(Instant, StreamId)>,
    /// When permitted requests have run long enough to leave a record, soonest first.
    starts: BTreeSet<(Instant, StreamId)>,
    /// How long that is.
    start_after: Duration,
}

/// A request that is not over.
#[derive(Debug)]
pub(super) enum Stream {
    Waiting(Box<Waiting>),
    Decided(Box<Running>),
}

/// A request that waits for an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) arrived: Instant,
    pub(super) token: Token,
    pub(super) facts: Facts,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) answers: Answers,
    pub(super) traffic: Rc<Traffic>,
    /// The headers that the record of a body may need.
    pub(super) kept: Headers,
    /// When its token is void, once that is known.
    pub(super) void_at: Option<Instant>,
}

/// A request that was decided.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) decided: Decided,
    /// When it is to end, and why, if it was permitted.
    pub(super) end: Option<(Instant, DenyReason)>,
    pub(super) traffic: Rc<Traffic>,
    pub(super) past: Past,
}

/// What has happened to a request since it was permitted.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// When that was.
    pub(super) permitted: Option<Instant>,
    /// The scope by which the configuration covers it that has come in place of its own.
    pub(super) next_scope: Option<String>,
    /// The body bytes that had passed when its grant was known to be revoked.
    pub(super) until_revoked: Option<u64>,
    /// The record that it left while it ran.
    pub(super) start: Option<Link>,
}

impl Streams {
    /// No request. A permitted one leaves a record after it has run for this long.
    pub(super) fn new(start_after: Duration) -> Streams {
        Streams {
            kept: HashMap::new(),
            deadlines: BTreeSet::new(),
            starts: BTreeSet::new(),
            start_after,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many are to be ended at a time that is known, unless they are over before.
    pub(super) fn with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    pub(super) fn contains(&self, stream: StreamId) -> bool {
        self.kept.contains_key(&stream)
    }

    pub(super) fn get(&self, stream: StreamId) -> Option<&Stream> {
        self.kept.get(&stream)
    }

    /// A request that was decided.
    pub(super) fn running(&self, stream: StreamId) -> Option<&Running> {
        match self.kept.get(&stream)? {
            Stream::Decided(running) => Some(running),
            Stream::Waiting(_) => None,
        }
    }

    /// The same, to change what is known of it; its end is changed by [`Streams::end_at`].
    pub(super) fn running_mut(&mut self, stream: StreamId) -> Option<&mut Running> {
        match self.kept.get_mut(&stream)? {
            Stream::Decided(running) => Some(running),
            Stream::Waiting(_) => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (StreamId, &Stream)> {
        self.kept.iter().map(|(stream, kept)| (*stream, kept))
    }

    /// All that were decided.
    pub(super) fn all_running_mut(&mut self) -> impl Iterator<Item = (StreamId, &mut Running)> {
        self.kept.iter_mut().filter_map(|(stream, kept)| match kept {
            Stream::Decided(running) => Some((*stream, &mut **running)),
            Stream::Waiting(_) => None,
        })
    }

    /// Keeps a request that waits, until its token is void.
    pub(super) fn wait(&mut self, stream: StreamId, waiting: Waiting) {
        drop(self.take(stream));
        self.deadlines.extend(waiting.void_at.map(|at| (at, stream)));
        self.kept.insert(stream, Stream::Waiting(Box::new(waiting)));
    }

    /// Keeps a request that was decided; one that is to end leaves a record when it has run for a while.
    pub(super) fn run(&mut self, stream: StreamId, running: Running) {
        drop(self.take(stream));
        if let Some((end, _)) = running.end {
            self.deadlines.insert((end, stream));
            self.starts.insert((self.start_of(&running), stream));
        }
        self.kept.insert(stream, Stream::Decided(Box::new(running)));
    }

    /// Takes a request out of all that is kept of requests.
    pub(super) fn take(&mut self, stream: StreamId) -> Option<Stream> {
        let taken = self.kept.remove(&stream)?;
        let end = match &taken {
            Stream::Decided(running) => {
                self.starts.remove(&(self.start_of(running), stream));
                running.end.map(|(end, _)| end)
            }
            Stream::Waiting(waiting) => waiting.void_at,
        };
        if let Some(end) = end {
            self.deadlines.remove(&(end, stream));
        }
        Some(taken)
    }

    /// Takes a request that waits, and only such a one: what was decided meanwhile stays.
    pub(super) fn take_waiting(&mut self, stream: StreamId) -> Option<Box<Waiting>> {
        if self.running(stream).is_some() {
            return None;
        }
        match self.take(stream)? {
            Stream::Waiting(waiting) => Some(waiting),
            Stream::Decided(_) => None,
        }
    }

    /// Takes a request that was permitted and has not been ended, and only such a one.
    pub(super) fn take_permitted(&mut self, stream: StreamId) -> Option<Running> {
        self.running(stream)?.end?;
        match self.take(stream)? {
            Stream::Decided(running) => Some(*running),
            Stream::Waiting(_) => None,
        }
    }

    /// A permitted request is to end then, for this reason. Nothing for any other one: what was ended has no end.
    pub(super) fn end_at(&mut self, stream: StreamId, end: (Instant, DenyReason)) {
        let running = self.running_mut(stream);
        let Some(kept) = running.and_then(|running| running.end.as_mut()) else { return };
        let (before, _) = std::mem::replace(kept, end);
        self.deadlines.remove(&(before, stream));
        self.deadlines.insert((end.0, stream));
    }

    /// What was decided about a request is said in another way from now on. Its end stays.
    pub(super) fn restate(&mut self, stream: StreamId, restate: impl FnOnce(Decided) -> Decided) {
        match self.kept.remove(&stream) {
            Some(Stream::Decided(mut running)) => {
                let Running { decided, end, traffic, past } = *running;
                *running = Running { decided: restate(decided), end, traffic, past };
                self.kept.insert(stream, Stream::Decided(running));
            }
            Some(waiting @ Stream::Waiting(_)) => drop(self.kept.insert(stream, waiting)),
            None => {}
        }
    }

    /// A stream whose deadline has come, each once.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<StreamId> {
        pop(&mut self.deadlines, now)
    }

    /// A stream that has run long enough to leave a record, each once.
    pub(super) fn pop_start(&mut self, now: Instant) -> Option<StreamId> {
        pop(&mut self.starts, now)
    }

    fn start_of(&self, running: &Running) -> Instant {
        running.decided.ruled.arrived.after(self.start_after)
    }
}

fn pop(times: &mut BTreeSet<(Instant, StreamId)>, now: Instant) -> Option<StreamId> {
    let (at, stream) = times.first().copied()?;
    if at > now {
        return None;
    }
    times.pop_first();
    Some(stream)
}

#[cfg(test)]
mod tests;
