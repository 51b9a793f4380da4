//! What is wrong with the sign-in that scopes require, and what will not work: between scopes and identity providers.

use breakglass_config_schema::Place;
use breakglass_identity::{IdentityProvider, Level};

use super::sign_in::SignInFor;
use super::{Config, Scope};

/// Each level is one that the people who have to reach it can reach.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let providers = &config.identity_providers;
    let mut clean = Some(());
    for (index, scope) in config.scopes.iter().enumerate() {
        for what in SignInFor::ALL {
            let Some(required) = scope.sign_in.of(what) else { continue };
            let place = place.field("scopes").item(index).field("sign_in").field(what.field());
            if let Some(error) = wrong_level(providers, what, &required.level) {
                clean = place.field("level").error(error);
            }
        }
    }
    clean
}

pub(super) fn wrong_level(
    providers: &[IdentityProvider],
    what: SignInFor,
    level: &str,
) -> Option<String> {
    if providers.is_empty() {
        return Some(format!(
            "expected a level of one of `identity_providers`, and there is none: people who are known by API tokens \
             reach no level, got `{level}`"
        ));
    }
    if !providers.iter().any(|one| one.levels.contains_key(level)) {
        let mut names: Vec<&str> =
            providers.iter().flat_map(|one| one.levels.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let names =
            if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) };
        return Some(format!(
            "expected a level of one of `identity_providers` ({names}), got `{level}`"
        ));
    }
    if what != SignInFor::Approval {
        return None;
    }
    match providers.iter().find(|one| one.may_approve) {
        Some(approving) if approving.levels.contains_key(level) => None,
        Some(approving) => Some(format!(
            "expected a level of the identity provider `{}`, whose people may approve: it has no `{level}`, so that no \
             person could approve this scope",
            approving.name
        )),
        None => Some(format!(
            "expected `may_approve = true` in the entry of an identity provider with the level `{level}`: without it no \
             person could approve this scope"
        )),
    }
}

/// What is valid and yet will not work as it was meant.
pub(super) fn warnings(config: &Config) -> impl Iterator<Item = String> {
    let scopes = config.scopes.iter().enumerate().flat_map(|(index, scope)| {
        let lacking = lacking(&config.identity_providers, scope);
        lacking.map(move |text| format!("scopes[{index}].sign_in (`{}`): {text}", scope.name))
    });
    let providers = config.identity_providers.iter().enumerate();
    let levels = providers.flat_map(|(index, entry)| {
        entry.levels.iter().flat_map(move |(name, level)| {
            level_warnings(entry, level)
                .map(move |text| format!("identity_providers[{index}].levels.{name}: {text}"))
        })
    });
    scopes.chain(levels)
}

/// People of a provider without the level have no way to what it is for.
fn lacking(providers: &[IdentityProvider], scope: &Scope) -> impl Iterator<Item = String> {
    [SignInFor::Request, SignInFor::Activation].into_iter().flat_map(move |what| {
        let level = scope.sign_in.of(what).map(|required| &required.level);
        let without = providers
            .iter()
            .filter(move |one| level.is_some_and(|level| !one.levels.contains_key(level)));
        without.map(move |one| {
            format!(
                "{}.level: the identity provider `{}` has no such level, so that none of its people can use this scope",
                what.field(),
                one.name
            )
        })
    })
}

fn level_warnings<'a>(
    entry: &'a IdentityProvider,
    level: &'a Level,
) -> impl Iterator<Item = &'static str> + use<'a> {
    let counts = &level.counts;
    // Entra says no `amr`, and its `acrs` are of this very sign-in.
    let no_amr = (counts.amr.is_empty() && counts.acrs.is_empty()).then_some(
        "counts.amr: expected the methods that count, such as `otp` or `hwk`: by `acr` alone a level counts that was \
         reached long ago, where the provider asked for the password only",
    );
    let is_keycloak = entry.issuer.contains("/realms/");
    let no_prompt = (is_keycloak && !level.acr_values.is_empty() && level.prompt.is_none()).then_some(
        "prompt: expected `login`: without it Keycloak does not ask for a second factor that its flow still counts, and \
         people are refused until that has expired",
    );
    no_amr.into_iter().chain(no_prompt)
}
