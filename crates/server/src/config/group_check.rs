//! Groups that the lists of a configuration name, and that no person can come to be in, or not those that are meant: where
//! groups carry the name of their identity provider.

use breakglass_audit::folded::Folded;

use super::Config;

/// Every group that a list names, with repetitions.
pub(super) fn named(config: &Config) -> impl Iterator<Item = &String> {
    let of_scopes =
        config.scopes.iter().flat_map(|one| one.requesters.iter().chain(&one.approvers));
    let of_rules = config.approval_rules.iter().flat_map(|rule| {
        let requesters = rule.when.iter().flat_map(|when| &when.requester_in);
        rule.groups().chain(requesters)
    });
    of_scopes
        .chain(of_rules)
        .chain(&config.auditors)
        .chain(&config.administrators)
        .chain(config.responders.groups())
}

/// What is valid and yet will not work as it was meant.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut groups: Vec<&str> = named(config).map(String::as_str).collect();
    groups.sort_unstable();
    groups.dedup();
    let looks = groups.iter().filter_map(|group| looks_qualified(config, group));
    let sayable = groups.iter().filter_map(|group| not_sayable(config, group));
    looks.chain(sayable).chain(unnamed(config, &groups)).collect()
}

/// A group that a reader takes for one of a provider, and that no provider can say.
fn looks_qualified(config: &Config, group: &str) -> Option<String> {
    let (before, _) = group.split_once([':', '\u{ff1a}'])?;
    let folded = Folded::new(before);
    let provider = config.identity_providers.iter().find(|one| folded.is(&one.name))?;
    let begin = format!("{}:", provider.name);
    (!group.starts_with(&begin)).then(|| {
        format!(
            "the group `{group}` looks like one of the identity provider `{}`, and is none: names are compared byte for byte",
            provider.name
        )
    })
}

/// A group without the name of a provider, where all of them have `qualify_groups`.
fn not_sayable(config: &Config, group: &str) -> Option<String> {
    let providers = &config.identity_providers;
    let first = providers.first()?;
    let is_sayable = providers.iter().any(|one| {
        let names = config.group_names(&one.name);
        names.is_some_and(|names| names.at_provider(group).is_some())
    });
    if is_sayable || !config.people.in_group(group).is_empty() {
        return None;
    }
    Some(format!(
        "no person can be in the group `{group}`: all `identity_providers` have `qualify_groups`, so that their groups are \
         called as `{}:{group}`, and none of `people` is in it",
        first.name
    ))
}

/// Providers of whose groups no list names one.
fn unnamed(config: &Config, groups: &[&str]) -> impl Iterator<Item = String> {
    let providers = config.identity_providers.iter().enumerate();
    providers.filter(|(_, one)| one.qualify_groups).filter_map(|(index, one)| {
        let begin = format!("{}:", one.name);
        let is_named = groups.iter().any(|group| group.starts_with(&begin));
        (!is_named).then(|| {
            format!(
                "identity_providers[{index}] (`{}`): no list names a group of it, as `{begin}..`, so that its people may do \
                 nothing",
                one.name
            )
        })
    })
}
