//! What filters require of a sign-in, against what the service has people sign in for: a token says how its holder signed in
//! where `sign_in.activation` of its scope asks for a level.

use breakglass_types::instant::format_duration;
use breakglass_types::scope_rules::RequiredOfHolder;

use crate::config::{Config, RequiredLevel, Scope};

/// Why tokens of this scope will not meet what a filter requires, in words for the operator.
pub(super) fn unmet(config: &Config, scope: &Scope, require: &RequiredOfHolder) -> Vec<String> {
    let RequiredOfHolder { acr, amr, max_auth_age, .. } = require;
    let fields =
        [("acr", acr.is_some()), ("amr", amr.is_some()), ("max_auth_age", max_auth_age.is_some())];
    let fields: Vec<&str> =
        fields.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
    if fields.is_empty() {
        return Vec::new();
    }
    let fields = fields.join("`, `");
    let Some(level) = &scope.sign_in.activation else {
        return vec![format!(
            "filters require `{fields}`, which a token has where the scope's `sign_in.activation` asks for a level: \
             without it people get tokens that filters refuse (`step_up_required`)"
        )];
    };
    other_acr(config, level, require).into_iter().chain(too_old(level, require)).collect()
}

/// Where the level counts an `acr`, the token has one of those.
fn other_acr(config: &Config, level: &RequiredLevel, require: &RequiredOfHolder) -> Option<String> {
    let wanted = require.acr.as_ref()?;
    let entries = config.identity_providers.iter().filter_map(|one| one.levels.get(&level.level));
    let mut counted = entries.map(|entry| &entry.counts.acr).peekable();
    counted.peek()?;
    let never = counted.all(|acr| !acr.is_empty() && acr.iter().all(|one| !wanted.contains(one)));
    never.then(|| {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        format!(
            "filters require one of `{}` as `acr`, and the level `{}` of `sign_in.activation` counts none of them: they \
             refuse every token (`step_up_required`)",
            wanted.join("`, `"),
            level.level
        )
    })
}

/// A token that is taken with an old sign-in is refused sooner than its holder expects, or at once.
fn too_old(level: &RequiredLevel, require: &RequiredOfHolder) -> Option<String> {
    let longest = require.max_auth_age?.0;
    let taken = level.max_age.and_then(|seconds| u64::try_from(seconds).ok());
    if taken.is_some_and(|seconds| seconds <= longest.as_secs()) {
        return None;
    }
    Some(format!(
        "filters require a sign-in at most {} ago (`max_auth_age`), and `sign_in.activation` takes an older one: give it \
         a shorter `max_age`, or a token can be refused as soon as it is taken",
        format_duration(longest)
    ))
}
