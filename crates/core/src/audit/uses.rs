//! What a grant is used for: its records in this chain, counted by scope, method, rule and outcome.
//!
//! The client chooses none of the texts: scopes and rules are those of the configuration, and a method that is neither
//! registered nor named by the scope counts as `other`. So a client cannot make up kinds. There is a bound for each grant
//! and for a chain all the same; a record beyond it is in the grant's count alone.

use std::collections::HashSet;
use std::rc::Rc;

use breakglass_types::uses::{
    self, MAX_KINDS, MAX_USE_METHOD_BYTES, MAX_USE_RULE_BYTES, MAX_USE_SCOPE_BYTES, OTHER_METHOD,
};

use super::bounded::{self, beginning};
use super::{Decision, Ruled};
use crate::policy::is_registered;

/// The most different kinds in a chain: with the longest texts of a configuration 4 MiB, usually 100 KiB.
const MAX_CHAIN_KINDS: usize = 2048;

/// The most counts in a chain, of all its grants: 24 bytes each, 3 MiB where their lists have just grown.
const MAX_CHAIN_COUNTS: usize = 65_536;

// A text that fits a record fits a use.
const _: () = assert!(bounded::NAME <= MAX_USE_SCOPE_BYTES);
const _: () = assert!(bounded::METHOD <= MAX_USE_METHOD_BYTES);
const _: () = assert!(bounded::RULE <= MAX_USE_RULE_BYTES);

/// What one record is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used<'a> {
    pub(super) scope: Option<&'a str>,
    pub(super) rule: Option<&'a str>,
    pub(super) method: &'a [u8],
    pub(super) outcome: Decision,
}

impl<'a> Used<'a> {
    pub(super) fn of(ruled: &'a Ruled) -> Used<'a> {
        let method = ruled.facts.method.as_slice();
        // What passed was compared with the methods of a scope.
        let passed = matches!(ruled.decision, Decision::Allow | Decision::Cut);
        let is_known = passed || is_registered(method);
        Used {
            scope: ruled.scope.as_deref(),
            rule: ruled.rule.as_deref(),
            method: if is_known { method } else { OTHER_METHOD.as_bytes() },
            outcome: ruled.decision,
        }
    }
}

/// A kind of use. Its texts are whole: they are cut where they are reported.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    outcome: Decision,
    method: Box<[u8]>,
    rule: Option<Box<str>>,
    scope: Option<Box<str>>,
}

impl Kind {
    fn of(used: Used<'_>) -> Kind {
        Kind {
            outcome: used.outcome,
            method: used.method.into(),
            rule: used.rule.map(|rule| beginning(rule, bounded::RULE).into()),
            scope: used.scope.map(|scope| beginning(scope, bounded::NAME).into()),
        }
    }

    fn is(&self, used: Used<'_>) -> bool {
        self.outcome == used.outcome
            && *self.method == *used.method
            && is_beginning(self.rule.as_deref(), used.rule, bounded::RULE)
            && is_beginning(self.scope.as_deref(), used.scope, bounded::NAME)
    }
}

/// Whether `kept` is what is kept of `text`.
fn is_beginning(kept: Option<&str>, text: Option<&str>, limit: usize) -> bool {
    match (kept, text) {
        (Some(kept), Some(text)) => {
            kept == text || (text.starts_with(kept) && kept == beginning(text, limit))
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// How many records of one kind a grant has.
#[derive(Debug)]
struct Count {
    kind: Rc<Kind>,
    records: u64,
    /// The latest one in the chain.
    latest: u64,
}

/// The uses of one grant.
#[derive(Debug, Default)]
pub(super) struct Uses(Vec<Count>);

impl Uses {
    /// Counts a record, which has this number in the chain.
    pub(super) fn count(&mut self, used: Used<'_>, seq: u64, kinds: &mut Kinds) {
        if let Some(at) = self.0.iter().position(|count| count.kind.is(used)) {
            // Calls of one kind come together: the next look finds it first.
            self.0.swap(0, at);
            if let Some(count) = self.0.first_mut() {
                count.records = count.records.saturating_add(1);
                count.latest = seq;
            }
        } else if self.0.len() < MAX_KINDS
            && let Some(kind) = kinds.take(used)
        {
            self.0.push(Count { kind, records: 1, latest: seq });
        }
    }

    /// The kinds with records after this one.
    pub(super) fn since(&self, seq: u64) -> Vec<uses::Use<u64>> {
        let new = self.0.iter().filter(|count| count.latest > seq);
        new.map(|Count { kind, records, .. }| uses::Use {
            scope: kind.scope.as_deref().map(str::to_owned),
            method: bounded::lossy(&kind.method, bounded::METHOD).into_owned(),
            rule: kind.rule.as_deref().map(str::to_owned),
            outcome: kind.outcome.word().to_owned(),
            records: *records,
        })
        .collect()
    }
}

/// The kinds of a chain, each kept once for all grants.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    kinds: HashSet<Rc<Kind>>,
    /// How many counts there are.
    counts: usize,
}

impl Kinds {
    /// The kind, for one more count; `None` where there are too many.
    fn take(&mut self, used: Used<'_>) -> Option<Rc<Kind>> {
        if self.counts >= MAX_CHAIN_COUNTS {
            return None;
        }
        let kind = Kind::of(used);
        let kind = match self.kinds.get(&kind) {
            Some(known) => Rc::clone(known),
            None if self.kinds.len() < MAX_CHAIN_KINDS => {
                let kind = Rc::new(kind);
                self.kinds.insert(Rc::clone(&kind));
                kind
            }
            None => return None,
        };
        self.counts = self.counts.saturating_add(1);
        Some(kind)
    }

    /// Forgets what no grant counts any more; those that are left are given.
    pub(super) fn forget<'a>(&mut self, left: impl Iterator<Item = &'a Uses>) {
        self.counts = left.map(|uses| uses.0.len()).fold(0, usize::saturating_add);
        self.kinds.retain(|kind| Rc::strong_count(kind) > 1);
    }
}
