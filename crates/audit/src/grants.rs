//! How many records each grant has in a chain, against its own numbers.

use std::collections::{BTreeMap, HashMap};

/// The grants of one chain.
#[derive(Debug, Default)]
pub struct Grants(HashMap<Box<str>, Counted>);

#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    /// How many records there are with a number that must be there.
    found: u64,
    /// Up to which number records need not be there.
    excused: u64,
    highest: u64,
}

/// A grant of which records are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// The grant.
    pub grant: String,
    /// How many records the log has of those that it must have.
    pub found: u64,
    /// How many it must have, as far as is known.
    pub expected: u64,
}

impl Grants {
    /// The grants of a chain of which these many records need not be in the log.
    #[must_use]
    pub fn new(excused: &BTreeMap<String, u64>) -> Grants {
        let counted = |count| Counted { excused: count, highest: count, found: 0 };
        Grants(
            excused.iter().map(|(grant, count)| (grant.as_str().into(), counted(*count))).collect(),
        )
    }

    /// A record of this grant, with its number among them.
    pub fn found(&mut self, grant: &str, number: u64) {
        let counted = match self.0.get_mut(grant) {
            Some(counted) => counted,
            None => self.0.entry(grant.into()).or_default(),
        };
        if number > counted.excused {
            counted.found = counted.found.saturating_add(1);
        }
        counted.highest = counted.highest.max(number);
    }

    /// The proxy reported that there are at least this many.
    pub fn reported(&mut self, grant: &str, count: u64) {
        let counted = self.0.entry(grant.into()).or_default();
        counted.highest = counted.highest.max(count);
    }

    /// Those with fewer than there must be, by name.
    #[must_use]
    pub fn short(&self) -> Vec<Short> {
        let expected = |counted: &Counted| counted.highest.saturating_sub(counted.excused);
        let short = self.0.iter().filter(|(_, counted)| counted.found < expected(counted));
        let mut short: Vec<Short> = short
            .map(|(grant, counted)| Short {
                grant: grant.to_string(),
                found: counted.found,
                expected: expected(counted),
            })
            .collect();
        short.sort_by(|left, right| left.grant.cmp(&right.grant));
        short
    }
}
