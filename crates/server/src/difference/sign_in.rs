//! Signing in, before and after: who does it where, and what scopes require of it.

use std::cmp::Ordering;

use breakglass_identity::IdentityProvider;

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

/// What another list of providers does to rights, and in words. Which of two entries lets in more, or takes less for a level,
/// cannot be told.
pub(super) fn providers(
    old: &[IdentityProvider],
    new: &[IdentityProvider],
) -> (Effect, &'static str) {
    let is_known = |entry: &IdentityProvider| old.iter().any(|before| decides_alike(before, entry));
    if !new.iter().all(is_known) {
        let words = "has changed: who can sign in, in which groups they are, who of them may approve, and what reaches a level";
        return (Effect::Grants, words);
    }
    match old.len() > new.len() {
        true => (Effect::TakesAway, "has lost an entry: its people sign in no longer"),
        false => (Effect::Neutral, "has changed, and says the same of people"),
    }
}

/// Whether both say the same of people: they may differ in how the provider is reached.
fn decides_alike(before: &IdentityProvider, after: &IdentityProvider) -> bool {
    let reached_alike = IdentityProvider {
        client_authentication: after.client_authentication.clone(),
        proxy: after.proxy.clone(),
        timeout: after.timeout,
        ..before.clone()
    };
    reached_alike == *after
}
