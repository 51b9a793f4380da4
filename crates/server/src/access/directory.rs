//! Who is in which group, as far as it is known.
//!
//! Two questions with two kinds of answers. To allow something takes [`Membership::Yes`]. What is not known is a
//! refusal, and a refusal of another kind than "no": the answer may be another one later.

use std::collections::HashSet;

use crate::config::{Config, InGroup};

/// Whether a person is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// The person is: the only answer that allows anything.
    Yes,
    /// The person is not.
    No,
    /// It is not known now. It allows nothing, and does not mean that the person is not in the group.
    Unknown,
}

/// Who is in a group: names of people, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// These and no others: good for "no person may", too.
    Complete(Vec<String>),
    /// These, and perhaps others: good for showing whom to ask, never for "no other person may".
    Seen(Vec<String>),
    /// Not known now: good for nothing but saying so.
    Unknown,
}

/// Knows people and groups, by their names byte for byte.
pub trait Directory: Send + Sync {
    /// Whether the person called `person` is in `group`. A person or a group that the directory is sure not to
    /// have is [`Membership::No`].
    fn is_member(&self, person: &str, group: &str) -> Membership;

    /// The same by the last that was known, however old, where it is not known now: good for ending something, and for
    /// nothing else. It is [`Membership::Unknown`] where it never was known.
    fn was_member(&self, person: &str, group: &str) -> Membership {
        self.is_member(person, group)
    }

    /// Who is in `group`.
    fn members(&self, group: &str) -> Members;

    /// Whether the person called `person` can be an approver at all, whatever the groups say.
    fn may_approve(&self, _person: &str) -> bool {
        true
    }

    /// Whether people are in `group` for a while only, as for a shift: their answer counts for good.
    fn is_of_a_shift(&self, _group: &str) -> bool {
        false
    }

    /// Whether the people called so may be one human, by what is known besides their names: good for refusing alone.
    fn may_be_one(&self, _person: &str, _other: &str) -> bool {
        false
    }
}

/// Without identity providers the people that are listed are all there are, and nothing is unknown. With one, those who have
/// signed in are known besides, for as long as what their provider said counts; others can sign in at any time.
impl Directory for Config {
    fn is_member(&self, person: &str, group: &str) -> Membership {
        self.people.is_member(person, group).into()
    }

    fn was_member(&self, person: &str, group: &str) -> Membership {
        self.people.was_member(person, group).into()
    }

    fn members(&self, group: &str) -> Members {
        match self.people.members(group) {
            (names, true) => Members::Complete(names),
            (names, false) => Members::Seen(names),
        }
    }

    fn may_approve(&self, person: &str) -> bool {
        self.people.may_approve(person, !self.identity_providers.is_empty())
    }

    fn is_of_a_shift(&self, group: &str) -> bool {
        self.people.is_on_call_group(group)
    }

    fn may_be_one(&self, person: &str, other: &str) -> bool {
        self.people.share_mail(person, other)
    }
}

impl From<InGroup> for Membership {
    fn from(found: InGroup) -> Membership {
        match found {
            InGroup::Yes => Membership::Yes,
            InGroup::No => Membership::No,
            InGroup::Unknown => Membership::Unknown,
        }
    }
}

/// A directory by the last that was known: see [`Directory::was_member`].
pub(super) struct LastKnown<'a>(pub(super) &'a dyn Directory);

impl Directory for LastKnown<'_> {
    fn is_member(&self, person: &str, group: &str) -> Membership {
        self.0.was_member(person, group)
    }

    fn members(&self, group: &str) -> Members {
        self.0.members(group)
    }

    fn may_approve(&self, person: &str) -> bool {
        self.0.may_approve(person)
    }

    fn is_of_a_shift(&self, group: &str) -> bool {
        self.0.is_of_a_shift(group)
    }

    fn may_be_one(&self, person: &str, other: &str) -> bool {
        self.0.may_be_one(person, other)
    }
}

impl Membership {
    /// Whether it is [`Membership::Yes`].
    #[must_use]
    pub fn is_yes(self) -> bool {
        self == Membership::Yes
    }

    /// In one of two groups.
    #[must_use]
    pub fn or(self, other: Membership) -> Membership {
        match (self, other) {
            (Membership::Yes, _) | (_, Membership::Yes) => Membership::Yes,
            (Membership::Unknown, _) | (_, Membership::Unknown) => Membership::Unknown,
            (Membership::No, Membership::No) => Membership::No,
        }
    }

    /// In two groups.
    #[must_use]
    pub fn and(self, other: Membership) -> Membership {
        match (self, other) {
            (Membership::No, _) | (_, Membership::No) => Membership::No,
            (Membership::Unknown, _) | (_, Membership::Unknown) => Membership::Unknown,
            (Membership::Yes, Membership::Yes) => Membership::Yes,
        }
    }
}

/// Whether `person` is in one of `groups`.
#[must_use]
pub fn is_in_any(directory: &dyn Directory, person: &str, groups: &[String]) -> Membership {
    let mut found = Membership::No;
    for group in groups {
        found = found.or(directory.is_member(person, group));
        if found.is_yes() {
            break;
        }
    }
    found
}

/// Who is in one of `groups`: complete only where every group's answer is.
#[must_use]
pub fn in_any(directory: &dyn Directory, groups: &[String]) -> Members {
    let (mut names, mut is_complete, mut is_known) = (Vec::new(), true, groups.is_empty());
    for group in groups {
        match directory.members(group) {
            Members::Complete(members) => {
                is_known = true;
                names.extend(members);
            }
            Members::Seen(members) => {
                (is_complete, is_known) = (false, true);
                names.extend(members);
            }
            Members::Unknown => is_complete = false,
        }
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    match (is_complete, is_known) {
        (true, _) => Members::Complete(names),
        (false, true) => Members::Seen(names),
        (false, false) => Members::Unknown,
    }
}
