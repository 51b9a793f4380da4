//! The hooks for rotations beside the scopes that name them.

use std::collections::BTreeSet;

use breakglass_config_schema::Place;

use super::Config;

/// The most hooks.
const MAX_ROTATIONS: usize = 32;

/// Each hook has a name of its own, and each scope names one that is there.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    let mut names = BTreeSet::new();
    for (index, hook) in config.rotations.iter().enumerate() {
        if !names.insert(hook.name.as_str()) {
            let message = format!("`{}` is also the name of another hook", hook.name);
            clean = place.field("rotations").item(index).field("name").error(message);
        }
    }
    if config.rotations.len() > MAX_ROTATIONS {
        let count = config.rotations.len();
        let message = format!("expected at most {MAX_ROTATIONS} hooks, got {count}");
        clean = place.field("rotations").error(message);
    }
    for (index, scope) in config.scopes.iter().enumerate() {
        if let Some(hook) = scope.rotation.as_deref().filter(|hook| !names.contains(hook)) {
            let message = format!(
                "expected the name of an entry of `rotations`, got `{hook}`: add the entry, or leave `rotation` out"
            );
            clean = place.field("scopes").item(index).field("rotation").error(message);
        }
    }
    clean
}

/// Hooks that are never called.
pub(super) fn warnings(config: &Config) -> impl Iterator<Item = String> {
    let is_named =
        |name: &str| config.scopes.iter().any(|one| one.rotation.as_deref() == Some(name));
    let hooks = config.rotations.iter().enumerate();
    hooks.filter(move |(_, hook)| !is_named(&hook.name)).map(|(index, hook)| {
        format!(
            "rotations[{index}] (`{}`): no scope names it as its `rotation`, so that it is called for no grant that is used from \
             now on",
            hook.name
        )
    })
}
