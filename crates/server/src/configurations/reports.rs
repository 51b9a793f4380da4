//! What came with one credential.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use breakglass_types::scope_rules::ScopeDigest;

use crate::clock::Moment;

/// The most configurations of one credential: more than a fleet that shares one has at a time, new ones beside old ones.
pub const MAX_CONFIGURATIONS: usize = 64;

/// The most reports that say something new that one credential makes in a minute.
pub const MAX_REPORTS: u32 = 128;

/// The most contents of one configuration: the first, and one that contradicts it.
const MAX_CONTENTS: usize = 2;

/// How long a report that was asked for is waited for before it is asked for again, in milliseconds.
const ASK_AGAIN_MS: i64 = 10_000;

/// The most polls of one configuration that are asked in that time.
const MAX_ASKED: u32 = 1024;

/// The time in which reports are counted, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// What a configuration defines.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) audiences: BTreeSet<String>,
    pub(super) scopes: BTreeMap<String, ScopeDigest>,
}

/// Contents, each held once.
#[derive(Debug, Default)]
pub(super) struct Contents(HashSet<Arc<Content>>);

impl Contents {
    pub(super) fn hold(&mut self, content: Content) -> Arc<Content> {
        if let Some(held) = self.0.get(&content) {
            return Arc::clone(held);
        }
        let content = Arc::new(content);
        self.0.insert(Arc::clone(&content));
        content
    }

    pub(super) fn forget_unused(&mut self) {
        self.0.retain(|content| Arc::strong_count(content) > 1);
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is known from now on.
    New,
    /// It was known.
    Known,
    /// It says something else than an earlier one did: both count.
    Contradicts,
    /// The credential has reported as many as it may in a minute.
    TooMany,
}

/// What a proxy says of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It defines it with this digest.
    Same,
    /// It defines it with another one.
    Other,
    /// It does not define it for this audience.
    Elsewhere,
    /// It has said nothing yet.
    Nothing,
}

/// What came with one credential.
#[derive(Debug, Default)]
pub(super) struct Reports {
    known: HashMap<Box<str>, Known>,
    asked: HashMap<Box<str>, Asked>,
    /// When the minute began in which so many reports came.
    minute: (i64, u32),
}

/// A configuration whose report is waited for. A filter of before reports were made names its configuration too, and
/// does not answer: so the next time twice as many polls are asked, until one comes from a filter that does.
#[derive(Debug)]
struct Asked {
    since: Moment,
    /// How many polls are asked this time.
    polls: u32,
    /// How many of them are still to come.
    left: u32,
}

impl Asked {
    /// Whether that time is over at `now`: also where the clock was set back.
    fn is_over(&self, now: Moment) -> bool {
        !(0..ASK_AGAIN_MS).contains(&now.millis().saturating_sub(self.since.millis()))
    }
}

#[derive(Debug)]
struct Known {
    contents: Vec<Arc<Content>>,
    used: Moment,
}

impl Reports {
    pub(super) fn is_wanted(&mut self, now: Moment, configuration: &str) -> bool {
        if let Some(known) = self.known.get_mut(configuration) {
            known.used = now;
            return false;
        }
        if let Some(asked) = self.asked.get_mut(configuration) {
            if asked.is_over(now) {
                let polls = asked.polls.saturating_mul(2).min(MAX_ASKED);
                *asked = Asked { since: now, polls, left: polls };
            }
            let is_one = asked.left > 0;
            asked.left = asked.left.saturating_sub(1);
            return is_one;
        }
        if self.asked.len() >= MAX_CONFIGURATIONS {
            self.asked.retain(|_, asked| !asked.is_over(now));
        }
        if self.asked.len() >= MAX_CONFIGURATIONS {
            return false;
        }
        self.asked.insert(configuration.into(), Asked { since: now, polls: 1, left: 0 });
        true
    }

    pub(super) fn take(
        &mut self,
        now: Moment,
        configuration: String,
        content: Arc<Content>,
    ) -> Taken {
        let known = self.known.get_mut(configuration.as_str());
        if known.as_ref().is_some_and(|known| known.contents.contains(&content)) {
            return Taken::Known;
        }
        let (began, count) = &mut self.minute;
        if !(0..MINUTE_MS).contains(&now.millis().saturating_sub(*began)) {
            (*began, *count) = (now.millis(), 0);
        }
        if *count >= MAX_REPORTS {
            return Taken::TooMany;
        }
        *count = count.saturating_add(1);
        self.asked.remove(configuration.as_str());
        if let Some(known) = known {
            // The first two say enough: they differ.
            if known.contents.len() < MAX_CONTENTS {
                known.contents.push(content);
            }
            return Taken::Contradicts;
        }
        if self.known.len() >= MAX_CONFIGURATIONS {
            let oldest =
                self.known.iter().min_by_key(|(_, known)| known.used).map(|(name, _)| name);
            if let Some(oldest) = oldest.cloned() {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(configuration.into(), Known { contents: vec![content], used: now });
        Taken::New
    }

    pub(super) fn says(
        &self,
        configuration: &str,
        audience: &str,
        scope: &str,
        digest: Option<ScopeDigest>,
    ) -> Says {
        let Some(known) = self.known.get(configuration) else { return Says::Nothing };
        let defined = known.contents.iter().filter(|content| content.audiences.contains(audience));
        let digests: Vec<ScopeDigest> =
            defined.filter_map(|content| content.scopes.get(scope).copied()).collect();
        if digests.is_empty() {
            return Says::Elsewhere;
        }
        // A content that does not define it contradicts one that does.
        let all_say_it = digests.len() == known.contents.len();
        if all_say_it && digests.iter().all(|one| Some(*one) == digest) {
            Says::Same
        } else {
            Says::Other
        }
    }
}
