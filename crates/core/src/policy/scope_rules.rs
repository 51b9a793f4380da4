//! The rules of a scope in their canonical form (docs/scope-digests.md).

use std::time::Duration;

use breakglass_types::scope_rules::{
    BasisWord, CanonicalDuration, RequiredOfHolder, SameAuthority, ScopeRules, Texts,
};

use super::scope::{Redirects, Requirements, Scope};
use super::{HostPattern, PathTemplate};

impl Scope {
    /// What the scope opens, in the canonical form.
    #[must_use]
    pub fn rules(&self) -> ScopeRules {
        // Each field is named: a new one does not compile until it is in the form, or is left out on purpose.
        let Scope {
            name: _,
            hosts,
            routes,
            methods,
            paths,
            upgrades,
            require,
            same_digest: _,
            on_unavailable,
            cut: _,
            drain: _,
            max_stream,
            redirects,
            request_body: _,
            response_body: _,
        } = self;
        ScopeRules {
            hosts: hosts.as_ref().map(|hosts| hosts.iter().map(HostPattern::to_text).collect()),
            max_stream: duration(*max_stream),
            methods: methods.iter().cloned().collect(),
            on_unavailable: *on_unavailable,
            paths: paths.iter().map(PathTemplate::as_str).map(str::to_owned).collect(),
            redirects: match redirects {
                Redirects::Any => None,
                Redirects::SameAuthority => Some(SameAuthority::SameAuthority),
            },
            require: required(require),
            routes: texts(routes.as_ref()),
            upgrades: texts(upgrades.as_ref()),
        }
    }
}

fn required(require: &Requirements) -> RequiredOfHolder {
    let Requirements {
        roles,
        amr,
        acr,
        max_auth_age,
        source_cidrs,
        max_lifetime,
        sender_constrained,
        basis,
        approvals,
    } = require;
    let networks = |networks: &Vec<_>| networks.iter().map(ToString::to_string).collect();
    let bases = basis.as_ref().map(|bases| bases.iter().copied().map(BasisWord).collect());
    RequiredOfHolder {
        acr: texts(acr.as_ref()),
        amr: texts(amr.as_ref()),
        approvals: *approvals,
        // All of them is something else than none: a token that says nothing is refused.
        basis: bases,
        max_auth_age: duration(*max_auth_age),
        max_lifetime: duration(*max_lifetime),
        roles: texts(roles.as_ref()),
        sender_constrained: *sender_constrained,
        source_cidrs: source_cidrs.as_ref().map(networks),
    }
}

fn texts(list: Option<&Vec<String>>) -> Texts {
    list.map(|list| list.iter().cloned().collect())
}

fn duration(duration: Option<Duration>) -> Option<CanonicalDuration> {
    duration.map(CanonicalDuration)
}
