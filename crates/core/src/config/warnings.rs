//! What a configuration may say and hardly means to.

use super::Config;
use crate::policy::{PathTemplate, Scope};

impl Config {
    /// What this configuration may say and hardly means to: each names its field, what is found there, and what to
    /// write. Whether there are any changes no decision.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let scopes = self.scopes.iter();
        scopes.flat_map(|scope| routes_alone(scope).into_iter().chain(tunnel(scope))).collect()
    }
}

/// INVARIANT (routes-narrow): `routes` narrows and never stands alone. Which route a request takes is decided by the
/// whole of Envoy's configuration, and by what other filters do after this one has looked.
fn routes_alone(scope: &Scope) -> Option<String> {
    let path = scope.paths.iter().find(|template| template.names_no_segment())?;
    (scope.routes.is_some() && scope.hosts.is_none()).then(|| alone(scope, path))
}

/// A `CONNECT` in `methods` opens nothing: its target is no path, and nobody can judge what its tunnel carries.
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
