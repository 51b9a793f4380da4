//! What a new configuration changes: by name, and by what it grants and takes away. Pure: two configurations in, the
//! changes out. The command line, the trail of a reload and the event of rights that grew have it from here.
//!
//! 1. Rights are compared for each person, through groups: a person who joins a group, and a group that joins a scope, are
//!    the same gain.
//! 2. What cannot be compared, such as two patterns of incidents, counts as granting: the event comes too often rather than
//!    too seldom.

mod approval_rules;
mod change;
mod changes;
mod effect;
mod emergency;
mod incidents;
mod on_call;
mod places;
mod review;
mod rights;
mod sign_in;

use serde_json::{Value, json};

use crate::config::Config;
use crate::definitions::Definitions;

pub use change::{Change, Right};
pub use changes::{Changes, Entries};
pub use effect::Effect;

/// How many changes the trail has of one reload.
const MAX_ON_TRAIL: usize = 100;

/// What a new configuration changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is different, by name.
    pub names: Changes,
    /// What it means: first what it grants, then what it takes away, then the rest.
    pub changes: Vec<Change>,
}

impl Difference {
    /// What is different between an old configuration and a new one.
    #[must_use]
    pub fn between(old: (&Config, &Definitions), new: (&Config, &Definitions)) -> Difference {
        let names = Changes::between(old, new);
        let mut changes = rights::changes(old.0, new.0, &names);
        changes.extend(change::entries(old.0, new.0, &names));
        changes.extend(approval_rules::entries(old.0, new.0, &names.approval_rules));
        changes.sort_by_key(Change::effect);
        Difference { names, changes }
    }

    /// How many of the changes have this effect.
    #[must_use]
    pub fn count(&self, effect: Effect) -> usize {
        self.changes.iter().filter(|change| change.effect() == effect).count()
    }

    /// How many changes there are of each effect, and the first of them.
    #[must_use]
    pub fn on_trail(&self) -> Value {
        let shown: Vec<Value> = self.changes.iter().take(MAX_ON_TRAIL).map(Change::json).collect();
        json!({
            "grants": self.count(Effect::Grants),
            "takes_away": self.count(Effect::TakesAway),
            "neutral": self.count(Effect::Neutral),
            "left_out": self.changes.len().saturating_sub(shown.len()),
            "entries": shown,
        })
    }

    /// What it grants, as the trail has it of the new configuration with this digest; nothing where no right grows.
    #[must_use]
    pub fn widened(&self, digest: &str) -> Option<Value> {
        let count = self.count(Effect::Grants);
        let grants = self.changes.iter().filter(|change| change.effect() == Effect::Grants);
        let shown: Vec<Value> = grants.take(MAX_ON_TRAIL).map(Change::json).collect();
        let left_out = count.saturating_sub(shown.len());
        (count > 0).then(
            || json!({ "digest": digest, "grants": count, "left_out": left_out, "entries": shown }),
        )
    }
}
