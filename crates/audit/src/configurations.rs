//! Under which configurations chains are written, by the word of their proxies, for a person: one line, however many
//! chains there are.

use std::collections::{BTreeMap, BTreeSet};

use super::digest::Digest;

/// How many digits of a digest are shown: as in the other lists of configurations. JSON has them all.
const DIGITS: usize = 12;

/// How many configurations are named. A proxy can make them up.
const MAX_NAMED: usize = 8;

/// The line; nothing where no chain's head names a configuration. `chains` has what is named of each chain; a chain whose
/// proxy named two counts for both.
pub(super) fn line<'c>(chains: impl Iterator<Item = &'c BTreeSet<Digest>>) -> Option<String> {
    let (mut named, mut unnamed): (BTreeMap<Digest, u64>, u64) = (BTreeMap::new(), 0);
    for configurations in chains {
        if configurations.is_empty() {
            unnamed = unnamed.saturating_add(1);
        }
        for configuration in configurations {
            let chains = named.entry(*configuration).or_default();
            *chains = chains.saturating_add(1);
        }
    }
    if named.is_empty() {
        return None;
    }
    let others = named.len().saturating_sub(MAX_NAMED);
    let mut named: Vec<(Digest, u64)> = named.into_iter().collect();
    // Stable: those with as many chains stay in the order of their digests.
    named.sort_by_key(|(_, chains)| std::cmp::Reverse(*chains));
    let mut parts: Vec<String> = named
        .into_iter()
        .take(MAX_NAMED)
        .map(|(digest, chains)| {
            let digest: String = digest.to_string().chars().take(DIGITS).collect();
            format!("{} under {digest}", chains_of(chains))
        })
        .collect();
    if others > 0 {
        parts.push(format!("others under {others} more"));
    }
    if unnamed > 0 {
        parts.push(format!("{} under one that is not named", chains_of(unnamed)));
    }
    Some(format!("configuration {}", parts.join(", ")))
}

fn chains_of(count: u64) -> String {
    if count == 1 { "1 chain".to_owned() } else { format!("{count} chains") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(digits: &[char]) -> BTreeSet<Digest> {
        let digest = |digit: &char| Digest::parse(&digit.to_string().repeat(64)).unwrap();
        digits.iter().map(digest).collect()
    }

    #[test]
    fn chains_are_counted_by_the_configuration_that_their_proxies_named() {
        for (chains, expected) in [
            (vec![], None),
            (vec![of(&[]), of(&[])], None),
            (vec![of(&['a'])], Some("configuration 1 chain under aaaaaaaaaaaa")),
            (
                vec![of(&['a']), of(&['b']), of(&[]), of(&['b'])],
                Some(
                    "configuration 2 chains under bbbbbbbbbbbb, 1 chain under aaaaaaaaaaaa, 1 chain under one that is not \
                     named",
                ),
            ),
            // A proxy that contradicts itself.
            (
                vec![of(&['a', 'b'])],
                Some("configuration 1 chain under aaaaaaaaaaaa, 1 chain under bbbbbbbbbbbb"),
            ),
        ] {
            assert_eq!(line(chains.iter()).as_deref(), expected);
        }
        let many: Vec<_> = "0123456789ab".chars().map(|digit| of(&[digit])).collect();
        let line = line(many.iter()).unwrap();
        assert!(line.ends_with("1 chain under 777777777777, others under 4 more"), "{line}");
    }
}
