//! What the pointers of a configuration found in an answer, as it is kept and shown: bounded, and without what misleads.

use breakglass_audit::text::misleads;
use serde::{Deserialize, Serialize};

/// The longest value, in bytes.
const MAX_BYTES: usize = 256;

/// The most values of one kind.
const MAX_VALUES: usize = 16;

/// What was found. It decides nothing: that is done by what came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The state.
    pub state: Option<String>,
    /// Whose incident it is: people and teams.
    pub owner: Vec<String>,
    /// Who opened it.
    pub opened_by: Vec<String>,
}

impl Found {
    pub(super) fn new(state: &str, owner: &[&str], opened_by: &[&str]) -> Found {
        let kept = |values: &[&str]| values.iter().take(MAX_VALUES).map(|one| kept(one)).collect();
        Found { state: Some(self::kept(state)), owner: kept(owner), opened_by: kept(opened_by) }
    }
}

fn kept(text: &str) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        let character = if misleads(character) { char::REPLACEMENT_CHARACTER } else { character };
        if kept.len().saturating_add(character.len_utf8()) > MAX_BYTES {
            break;
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_misleads_no_reader() {
        let long = "é".repeat(1000);
        let many = vec!["x"; 100];
        let found = Found::new("a\u{1b}[2J\u{202e}\nb", &many, &[&long]);
        assert_eq!(found.state.as_deref(), Some("a\u{fffd}[2J\u{fffd}\u{fffd}b"));
        assert_eq!((found.owner.len(), found.opened_by[0].len()), (16, 256));
    }
}
