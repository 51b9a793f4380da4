//! What is wrong with what rules let requesters take alone, and what they will not take alone: between rules, scopes and identity
//! providers.

use breakglass_config_schema::Place;

use super::sign_in_check::wrong_level;
use super::{ApprovalRule, Config, EmergencyRule, Scope, SignInFor};

/// Each level can be reached, and is the one that the scopes ask for as well: a session is of one level.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    for (index, rule, emergency) in emergencies(config) {
        let place = place.field("approval_rules").item(index).field("emergency");
        let place = place.field("sign_in").field("level");
        let level = &emergency.sign_in.level;
        if let Some(error) = wrong_level(&config.identity_providers, SignInFor::Request, level) {
            clean = place.error(error);
        } else if let Some((scope, other)) = other_level(config, rule, level) {
            clean = place.error(format!(
                "expected `{other}`, which the scope `{scope}` asks for in its `sign_in`, got `{level}`: one sign-in reaches \
                 one level"
            ));
        }
    }
    clean
}

/// A scope of the rule that takes another level to ask for it, or to take a token.
fn other_level<'a>(
    config: &'a Config,
    rule: &'a ApprovalRule,
    level: &str,
) -> Option<(&'a str, &'a str)> {
    scopes(config, rule).find_map(|scope| {
        let uses = [SignInFor::Request, SignInFor::Activation];
        let mut levels = uses.into_iter().filter_map(|what| scope.sign_in.of(what));
        let other = levels.find(|required| required.level != level)?;
        Some((scope.name.as_str(), other.level.as_str()))
    })
}

/// The scopes that no requester takes alone although a rule says so.
pub(super) fn warnings(config: &Config) -> impl Iterator<Item = String> {
    emergencies(config).flat_map(move |(index, rule, _)| {
        scopes(config, rule).filter_map(move |scope| {
            let why = why_never_alone(config, scope)?;
            Some(format!(
                "approval_rules[{index}].emergency (`{}`): `{}` is never taken alone: {why}",
                rule.name, scope.name
            ))
        })
    })
}

fn why_never_alone(config: &Config, scope: &Scope) -> Option<String> {
    if !scope.approvers.is_empty() {
        return Some("its `approvers` have to approve it always".to_owned());
    }
    let mut always = config.rules_of(&scope.name).filter(|rule| rule.when.is_none());
    let rule = always.find(|rule| rule.emergency.is_none())?;
    Some(format!("the rule `{}` matches always, and has no `emergency`", rule.name))
}

fn emergencies(config: &Config) -> impl Iterator<Item = (usize, &ApprovalRule, &EmergencyRule)> {
    let rules = config.approval_rules.iter().enumerate();
    rules.filter_map(|(index, rule)| Some((index, rule, rule.emergency.as_ref()?)))
}

fn scopes<'a>(config: &'a Config, rule: &'a ApprovalRule) -> impl Iterator<Item = &'a Scope> {
    config.scopes.iter().filter(|scope| rule.is_for(&scope.name))
}
