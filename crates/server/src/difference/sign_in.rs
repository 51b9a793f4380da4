//! What a scope requires of signing in, before and after.

use std::cmp::Ordering;

use super::effect::Effect;
use crate::config::{RequiredLevel, SignInFor, SignInRequirements};

/// The changes of a scope: what each does to rights, and in words that follow the scope's name.
pub(super) fn changes(
    old: &SignInRequirements,
    new: &SignInRequirements,
) -> impl Iterator<Item = (Effect, String)> {
    SignInFor::ALL.into_iter().filter_map(|what| {
        let (effect, words) = change(old.of(what), new.of(what))?;
        Some((effect, format!("{words} to {}", act(what))))
    })
}

const fn act(what: SignInFor) -> &'static str {
    match what {
        SignInFor::Request => "ask for it",
        SignInFor::Activation => "take a token",
        SignInFor::Approval => "approve it",
    }
}

fn change(old: Option<&RequiredLevel>, new: Option<&RequiredLevel>) -> Option<(Effect, String)> {
    match (old, new) {
        (None, None) => None,
        (None, Some(new)) => Some((Effect::TakesAway, format!("requires a sign-in at {new}"))),
        (Some(old), None) => {
            Some((Effect::Grants, format!("no longer requires a sign-in at {old}")))
        }
        (Some(old), Some(new)) => {
            let effect = effect(old, new)?;
            Some((effect, format!("requires a sign-in at {new}, before at {old},")))
        }
    }
}

/// Which of two levels says more about a person cannot be told.
fn effect(old: &RequiredLevel, new: &RequiredLevel) -> Option<Effect> {
    if old.level != new.level {
        return Some(Effect::Grants);
    }
    let age = |one: &RequiredLevel| one.max_age.unwrap_or(i64::MAX);
    match age(new).cmp(&age(old)) {
        Ordering::Equal => None,
        Ordering::Greater => Some(Effect::Grants),
        Ordering::Less => Some(Effect::TakesAway),
    }
}
