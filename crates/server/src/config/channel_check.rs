//! Whether each group of approvers is told of the requests that its members may approve.

use std::collections::BTreeSet;

use breakglass_api::events::EventType;

use super::{Config, Scope, Sink};

/// What is valid and yet tells no approver. Without a sink no person is told of anything, which is meant.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    if config.sinks.is_empty() {
        return Vec::new();
    }
    let mut untold = BTreeSet::new();
    for scope in &config.scopes {
        let is_told =
            |group: &&String| config.sinks.iter().any(|sink| tells(config, sink, scope, group));
        untold.extend(config.approver_groups(scope).filter(|group| !is_told(group)));
    }
    let untold = untold.into_iter().map(|group| {
        format!(
            "sinks: no approver in the group `{group}` is told of a request: name the group in `approver_groups` of a sink, or \
             let a mail sink have `to_people` and its members addresses"
        )
    });
    untold.chain(config.sinks.iter().flat_map(|sink| idle(config, sink))).collect()
}

/// Whether members of the group are told of a request for the scope.
fn tells(config: &Config, sink: &Sink, scope: &Scope, group: &String) -> bool {
    let filter = &sink.filter;
    let submitted = EventType::Submitted;
    let hears = submitted.severity() >= filter.severity
        && filter.takes_type(submitted.word())
        && (filter.audiences.is_empty() || filter.audiences.contains(&scope.audience))
        && (filter.scopes.is_empty() || filter.scopes.contains(&scope.name))
        && (filter.approver_groups.is_empty() || filter.approver_groups.contains(group));
    hears && (sink.is_channel() || sink.writes_to_people() && may_have_address(config, group))
}

/// Whether a member of the group has an address, or may come to have one by signing in.
fn may_have_address(config: &Config, group: &str) -> bool {
    let members = config.people.in_group(group);
    !config.identity_providers.is_empty()
        || members.iter().any(|name| config.people.address(name).is_some())
}

/// The groups of a channel that approve nothing.
fn idle(config: &Config, sink: &Sink) -> impl Iterator<Item = String> {
    let approves = |group: &&String| {
        let mut scopes = config.scopes.iter();
        scopes.any(|scope| config.approver_groups(scope).any(|one| one == *group))
    };
    let idle = sink.filter.approver_groups.iter().filter(move |group| !approves(group));
    idle.map(|group| {
        format!(
            "sinks (`{}`): approver_groups: the group `{group}` approves no scope: expected one that `approvers` of a scope or `approval_rules` name",
            sink.name
        )
    })
}
