//! Places outside that are told of something: each entry with what its change does to rights, and words for it.

use super::changes::Entries;
use super::effect::Effect;

/// A sink is told who asks for what, and why, so that a new place counts as a right that is granted.
pub(super) fn sinks(entries: &Entries) -> impl Iterator<Item = (String, Effect, &'static str)> {
    let words = [
        "is a new sink: it is told of events from now on",
        "is a sink no longer: it is told of nothing",
        "is told of other events, or in another way",
    ];
    changed("sinks", entries, words)
}

/// A hook is told who held which grant, and what it rotates locks out whom it does not know.
pub(super) fn rotations(entries: &Entries) -> impl Iterator<Item = (String, Effect, &'static str)> {
    let words = [
        "is a new hook: it is told of used grants that have ended",
        "is a hook no longer: what is owed to it stays owed, and it is not called",
        "is called at another place, or in another way",
    ];
    changed("rotations", entries, words)
}

fn changed<'a>(
    list: &'a str,
    Entries { added, removed, changed }: &'a Entries,
    [comes, goes, changes]: [&'static str; 3],
) -> impl Iterator<Item = (String, Effect, &'static str)> + 'a {
    let added = added.iter().map(move |name| (name, Effect::Grants, comes));
    let removed = removed.iter().map(move |name| (name, Effect::TakesAway, goes));
    let changed = changed.iter().map(move |name| (name, Effect::Grants, changes));
    let all = added.chain(removed).chain(changed);
    all.map(move |(name, effect, words)| (format!("{list} ({name})"), effect, words))
}
