//! Who may approve several scopes for a requester, as far as the directory knows.

use std::collections::HashSet;

use super::directory::{self, Directory, Members, Membership};
use crate::config::Config;
use breakglass_audit::folded::Folded;

/// The people who may approve, by name, each once; never the requester in any spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approvers {
    /// These and no others. Where it is empty, no person may approve.
    Complete(Vec<String>),
    /// These, and perhaps others; at least one.
    Seen(Vec<String>),
    /// It is not known whether any person may.
    Unknown,
}

impl Approvers {
    /// Those who are known by name.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Approvers::Complete(names) | Approvers::Seen(names) => names,
            Approvers::Unknown => &[],
        }
    }

    /// The same, to keep; nothing where no name is known and there may be approvers all the same.
    #[must_use]
    pub fn into_names(self) -> Option<Vec<String>> {
        match self {
            Approvers::Complete(names) | Approvers::Seen(names) => Some(names),
            Approvers::Unknown => None,
        }
    }

    /// Whether it is certain that no person may approve.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Approvers::Complete(names) if names.is_empty())
    }
}

/// Those who may approve every one of `scopes` for `requester`. A scope that is not in the configuration has no
/// approver, and neither has a request without scopes.
#[must_use]
pub(super) fn of(
    config: &Config,
    directory: &dyn Directory,
    requester: &str,
    scopes: &[String],
) -> Approvers {
    let mut groups: Vec<&[String]> = Vec::with_capacity(scopes.len());
    for name in scopes {
        match config.scope(name) {
            Some(scope) => groups.push(&scope.approvers),
            None => return Approvers::Complete(Vec::new()),
        }
    }
    // Scopes with the same approvers are one question.
    groups.sort_unstable();
    groups.dedup();
    let lists: Vec<(&[String], Members)> =
        groups.into_iter().map(|groups| (groups, directory::in_any(directory, groups))).collect();
    let folded = Folded::new(requester);
    let other = |name: &&String| {
        !folded.is(name) && directory.may_approve(name) && !directory.may_be_one(requester, name)
    };
    match candidates(&lists) {
        Candidates::All(names) => certain(directory, &lists, names.into_iter().filter(other)),
        Candidates::Some(names) if names.is_empty() => Approvers::Unknown,
        Candidates::Some(names) => {
            let names: Vec<String> = names.into_iter().filter(other).cloned().collect();
            if names.is_empty() { Approvers::Unknown } else { Approvers::Seen(names) }
        }
    }
}

/// Who can be an approver of all scopes.
enum Candidates<'a> {
    /// No person who is not among these.
    All(Vec<&'a String>),
    /// These were seen to be in a group of each scope; there may be others.
    Some(Vec<&'a String>),
}

/// Those who are on every complete list; without a complete list those who are on every list.
fn candidates<'a>(lists: &'a [(&[String], Members)]) -> Candidates<'a> {
    let complete = lists.iter().filter_map(|(_, members)| match members {
        Members::Complete(names) => Some(names.as_slice()),
        Members::Seen(_) | Members::Unknown => None,
    });
    let mut complete: Vec<&[String]> = complete.collect();
    if !complete.is_empty() {
        return Candidates::All(on_all(&mut complete));
    }
    let seen = lists.iter().map(|(_, members)| match members {
        Members::Complete(names) | Members::Seen(names) => names.as_slice(),
        Members::Unknown => &[],
    });
    let mut seen: Vec<&[String]> = seen.collect();
    match seen.is_empty() {
        // There is no scope.
        true => Candidates::All(Vec::new()),
        false => Candidates::Some(on_all(&mut seen)),
    }
}

/// Those who are on all of these lists, in the order of the first.
fn on_all<'a>(lists: &mut Vec<&'a [String]>) -> Vec<&'a String> {
    if lists.is_empty() {
        return Vec::new();
    }
    let first = lists.remove(0);
    let others: Vec<HashSet<&String>> = lists.iter().map(|names| names.iter().collect()).collect();
    first.iter().filter(|name| others.iter().all(|other| other.contains(name))).collect()
}

/// Asks about each candidate for the lists that are not complete.
fn certain<'a>(
    directory: &dyn Directory,
    lists: &[(&[String], Members)],
    candidates: impl Iterator<Item = &'a String>,
) -> Approvers {
    let (mut names, mut is_complete) = (Vec::new(), true);
    for name in candidates {
        let mut approves = Membership::Yes;
        for (groups, members) in lists {
            if !matches!(members, Members::Complete(_)) {
                approves = approves.and(directory::is_in_any(directory, name, groups));
            }
        }
        match approves {
            Membership::Yes => names.push(name.clone()),
            Membership::Unknown => is_complete = false,
            Membership::No => {}
        }
    }
    match (is_complete, names.is_empty()) {
        (true, _) => Approvers::Complete(names),
        (false, false) => Approvers::Seen(names),
        (false, true) => Approvers::Unknown,
    }
}
