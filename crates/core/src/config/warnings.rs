//! What a configuration may say and hardly means to.

use super::{Config, OnUnavailable, Revocation};
use crate::instant::format_duration;
use crate::policy::{PathTemplate, Scope};

impl Config {
    /// What this configuration may say and hardly means to: each names its field, what is found there, and what to
    /// write. Whether there are any changes no decision.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let scopes = self.scopes.iter();
        let of_scopes =
            scopes.flat_map(|scope| routes_alone(scope).into_iter().chain(tunnel(scope)));
        of_scopes.chain(allow_never_counts(self)).collect()
    }
}

/// INVARIANT (routes-narrow): `routes` narrows and never stands alone. Which route a request takes is decided by the
/// whole of Envoy's configuration, and by what other filters do after this one has looked.
fn routes_alone(scope: &Scope) -> Option<String> {
    let path = scope.paths.iter().find(|template| template.names_no_segment())?;
    (scope.routes.is_some() && scope.hosts.is_none()).then(|| alone(scope, path))
}

/// Where `on_unavailable: allow` ends before it can begin.
fn allow_never_counts(config: &Config) -> Option<String> {
    let Revocation { feed, on_unavailable, max_staleness, unavailable_for, .. } =
        &config.revocation;
    let of_scopes = config.scopes.iter().filter_map(|scope| scope.on_unavailable);
    let allows = of_scopes.chain([*on_unavailable]).any(|one| one == OnUnavailable::Allow);
    (allows && feed.is_some() && unavailable_for <= max_staleness).then(|| {
        format!(
            "revocation.unavailable_for: expected more than max_staleness ({}), got {}: `on_unavailable: allow` begins \
             when what the feed said is older than max_staleness, and has ended by then; lengthen unavailable_for, or \
             say `deny`",
            format_duration(*max_staleness),
            format_duration(*unavailable_for)
        )
    })
}

/// A `CONNECT` in `methods` opens nothing: its target is no path, and this filter does not see what its tunnel
/// carries.
fn tunnel(scope: &Scope) -> Option<String> {
    scope.methods.iter().any(|method| method == "CONNECT").then(|| {
        format!(
            "scopes (`{}`): `methods` names `CONNECT`, which no grant covers: expected the methods of requests, got that \
             of a tunnel; take it out, and name the protocol in `upgrades` for what asks by extended CONNECT (a \
             WebSocket over HTTP/2, CONNECT-UDP), which is judged as a `GET`",
            scope.name
        )
    })
}

fn alone(scope: &Scope, path: &PathTemplate) -> String {
    format!(
        "scopes (`{}`): `routes` alone says what this scope opens, for it has no `hosts` and its `paths` have `{}`; \
         name the hosts, or the paths that these routes serve",
        scope.name,
        path.as_str()
    )
}
