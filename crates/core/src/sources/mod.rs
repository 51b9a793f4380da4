//! Whether what this worker asks outside answers, and what the log says of it: a change of state is one line, with the
//! cause and what to do.
//!
//! 1. A line is written when a source begins to fail, when the cause changes, and when it answers again.
//! 2. The first failure of a source counts, but for what a restart of the service, a proxy between, or a cluster that
//!    Envoy does not know yet can do to one call: there the second in a row. Another cause counts when it comes twice in
//!    a row.
//! 3. There is at most one line in [`FLOOR`] for a source; what happens meanwhile is told then, if it is still so.
//! 4. All VMs of a process ask the same sources: the first one to see a change writes the line. That is agreed on the
//!    board, without a proof, as that of [`crate::sharing::is_first_to_warn`]: no decision depends on it, and another
//!    plugin with the same `vm_id` can at worst keep lines from the log. Without a board, or without a digest of the
//!    configuration, each VM writes its own.
//! 5. No token, no secret and no body is ever in a line.

mod cause;
mod described;
mod said;
mod source;

use std::collections::BTreeMap;

use crate::config::{Config, ConfigDigest};
use crate::instant::Instant;
use crate::sharing::Board;

pub(crate) use cause::{Cause, Failure};
pub(crate) use said::FLOOR;
use said::{Claim, claim, last_said};
pub(crate) use source::Source;

/// The word for a source that answers.
const WELL: &str = "ok";

/// What is to be logged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) warnings: Vec<String>,
    pub(crate) notices: Vec<String>,
}

/// All sources of a worker.
#[derive(Debug)]
pub(crate) struct Sources {
    digest: Option<ConfigDigest>,
    known: BTreeMap<Source, Known>,
    /// What of the published keys of an issuer cannot be used, by its index, and what was said of that.
    unusable: BTreeMap<usize, Unusable>,
}

/// What is known of a source.
#[derive(Debug)]
struct Known {
    state: State,
    /// What the log says: a word of a cause, or [`WELL`]. Nothing at first.
    said: Option<String>,
    /// When the log said that, and since when it is so.
    said_at: Option<Instant>,
    said_since: Instant,
}

#[derive(Debug)]
enum State {
    Answers {
        since: Instant,
    },
    Fails {
        since: Instant,
        failure: Failure,
        /// How many failures in a row, and how many of them with this cause.
        failures: u32,
        alike: u32,
    },
}

#[derive(Debug, Default)]
struct Unusable {
    entries: Vec<String>,
    is_new: bool,
}

impl Sources {
    pub(crate) fn new(digest: Option<ConfigDigest>) -> Sources {
        Sources { digest, known: BTreeMap::new(), unusable: BTreeMap::new() }
    }

    /// A source was asked: whether it answered.
    pub(crate) fn asked(&mut self, source: Source, result: Result<(), Failure>, now: Instant) {
        let answers = State::Answers { since: now };
        let known = self.known.entry(source).or_insert_with(|| Known {
            state: State::Answers { since: now },
            said: None,
            said_at: None,
            said_since: now,
        });
        let before = std::mem::replace(&mut known.state, answers);
        known.state = match (before, result) {
            (State::Answers { since }, Ok(())) => State::Answers { since },
            (State::Fails { .. }, Ok(())) => State::Answers { since: now },
            (State::Answers { .. }, Err(failure)) => {
                State::Fails { since: now, failure, failures: 1, alike: 1 }
            }
            (State::Fails { since, failure: before, failures, alike }, Err(failure)) => {
                let alike = if before.cause == failure.cause { alike.saturating_add(1) } else { 1 };
                State::Fails { since, failure, failures: failures.saturating_add(1), alike }
            }
        };
    }

    /// An issuer has published other keys, of which these cannot be used.
    pub(crate) fn published(&mut self, issuer: usize, entries: Vec<String>) {
        self.unusable.insert(issuer, Unusable { entries, is_new: true });
    }

    /// What is to be logged now.
    pub(crate) fn lines(&mut self, config: &Config, board: &dyn Board, now: Instant) -> Lines {
        let mut lines = Lines::default();
        for (source, known) in &mut self.known {
            known.say(*source, config, (board, self.digest), now, &mut lines);
        }
        for (issuer, unusable) in &mut self.unusable {
            unusable.say(*issuer, config, (board, self.digest), now, &mut lines);
        }
        lines
    }
}

impl Known {
    fn say(
        &mut self,
        source: Source,
        config: &Config,
        (board, digest): (&dyn Board, Option<ConfigDigest>),
        now: Instant,
        lines: &mut Lines,
    ) {
        let (word, since) = match &self.state {
            State::Answers { since } => (WELL.to_owned(), *since),
            State::Fails { .. } if !self.is_sure(source) => return,
            State::Fails { since, failure, .. } => (failure.cause.word(), *since),
        };
        if self.said.as_ref() == Some(&word) || self.is_too_soon(now) {
            return;
        }
        let name = source.name();
        if word == WELL && self.said.is_none() {
            // Another VM may have said that it fails, and may be gone.
            let said = last_said(board, digest, &name);
            if said.is_none_or(|said| said.word == WELL) {
                self.said = Some(word);
                return;
            }
        }
        match claim(board, digest, &name, &word, since, now) {
            Claim::Later => return,
            Claim::WasSaid(said_since) => self.said_since = said_since,
            Claim::Mine(before) => {
                let began = before.unwrap_or(self.said_since);
                match &self.state {
                    State::Answers { since: well_since } => {
                        lines.notices.push(source.well(config, well_since.since(began)));
                    }
                    State::Fails { failure, .. } => {
                        lines.warnings.push(source.fails(config, failure, since));
                    }
                }
                self.said_since = since;
                self.said_at = Some(now);
            }
        }
        self.said = Some(word);
    }

    /// Whether the failures so far are more than a passing one.
    fn is_sure(&self, source: Source) -> bool {
        let State::Fails { failure, failures, alike, .. } = &self.state else { return true };
        let is_said = self.said.as_deref().is_some_and(|said| said != WELL);
        if is_said && self.said.as_deref() != Some(&failure.cause.word()) {
            return *alike >= 2;
        }
        *failures >= 2 || !failure.cause.may_pass(source)
    }

    fn is_too_soon(&self, now: Instant) -> bool {
        // A clock that was set back must not keep the log silent.
        self.said_at.is_some_and(|at| at <= now && now.since(at) < FLOOR)
    }
}

impl Unusable {
    fn say(
        &mut self,
        issuer: usize,
        config: &Config,
        (board, digest): (&dyn Board, Option<ConfigDigest>),
        now: Instant,
        lines: &mut Lines,
    ) {
        if !self.is_new {
            return;
        }
        let name = format!("unusable.{issuer}");
        let word = match self.entries.is_empty() {
            true => WELL.to_owned(),
            false => said::digest_of(&self.entries),
        };
        let said = last_said(board, digest, &name);
        if word == WELL && said.is_none() {
            self.is_new = false;
            return;
        }
        match claim(board, digest, &name, &word, now, now) {
            Claim::Later => {}
            Claim::WasSaid(_) => self.is_new = false,
            Claim::Mine(_) => {
                self.is_new = false;
                if word != WELL {
                    let source = Source::Keys(issuer);
                    lines.warnings.push(source.has_unusable(config, &self.entries));
                }
            }
        }
    }
}
