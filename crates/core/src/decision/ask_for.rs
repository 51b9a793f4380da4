//! What to ask for where a grant does not cover a request.

use std::cmp::Reverse;

use crate::instant::Instant;
use crate::policy::{Holder, PathTemplate, Scope};
use crate::reason::DenyReason;

/// The most roles that one answer names.
const MAX_ROLES: usize = 8;

/// What the holder of a grant can do about a request that it does not cover.
pub(super) enum AskFor<'a> {
    /// Ask for this scope: the narrowest of those that cover the request.
    Scope(&'a str),
    /// One of these roles is needed for each scope that covers the request, and the token holds none.
    Role(Vec<&'a str>),
    /// No scope covers the request.
    Nothing,
}

impl<'a> AskFor<'a> {
    /// From the scopes that cover the request, each by a template of its paths. One that is not for the network that
    /// the holder comes from is the last choice; what a new grant or a new sign-in mends does not count.
    pub(super) fn of(
        covering: impl Iterator<Item = (&'a Scope, &'a PathTemplate)>,
        holder: &Holder<'_>,
        now: Instant,
    ) -> AskFor<'a> {
        let mut narrowest = None;
        let mut roles = Vec::new();
        for (scope, template) in covering {
            let unmet = scope.require.check(holder, now).err().map(|unmet| unmet.reason);
            if unmet == Some(DenyReason::RoleMissing) {
                roles.extend(scope.require.roles.iter().flatten().map(String::as_str));
                continue;
            }
            let width = (unmet == Some(DenyReason::SourceNotAllowed), width(scope, template));
            if narrowest.as_ref().is_none_or(|(known, _)| width < *known) {
                narrowest = Some((width, scope.name.as_str()));
            }
        }
        match narrowest {
            Some((_, scope)) => AskFor::Scope(scope),
            None if roles.is_empty() => AskFor::Nothing,
            None => {
                roles.sort_unstable();
                roles.dedup();
                roles.truncate(MAX_ROLES);
                AskFor::Role(roles)
            }
        }
    }

    /// The scope's name.
    pub(super) fn scope(&self) -> Option<String> {
        match self {
            AskFor::Scope(scope) => Some((*scope).to_owned()),
            AskFor::Role(_) | AskFor::Nothing => None,
        }
    }

    /// In words. `only_upgrade`: the grant covers the request, but not the protocol that it asks to switch to.
    pub(super) fn remedy(&self, only_upgrade: bool) -> String {
        let what = if only_upgrade {
            "the grant covers this request, but not the protocol that its `Upgrade` asks for"
        } else {
            "the grant does not cover this request"
        };
        match self {
            AskFor::Scope(_) => format!("{what}; ask for the scope that does"),
            AskFor::Role(roles) => {
                let roles = roles.iter().map(|role| format!("`{}`", role.escape_debug()));
                let roles: Vec<String> = roles.collect();
                format!(
                    "{what}; a scope that does is for who has the role {}, which the token does not say",
                    roles.join(" or ")
                )
            }
            AskFor::Nothing if only_upgrade => {
                format!("{what}; no scope does, until one names the protocol in `upgrades`")
            }
            AskFor::Nothing => format!("{what}, and no scope does"),
        }
    }
}

/// How much a scope opens: its methods, how much of the path its template leaves open, and how many templates it
/// has besides.
fn width<'s>(
    scope: &'s Scope,
    template: &PathTemplate,
) -> (usize, Reverse<usize>, bool, usize, &'s str) {
    let literal = template.as_str().find(['{', '*']).unwrap_or(template.as_str().len());
    let (methods, paths) = (scope.methods.len(), scope.paths.len());
    (methods, Reverse(literal), template.has_rest(), paths, &scope.name)
}
