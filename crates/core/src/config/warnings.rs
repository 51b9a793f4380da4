//! What a configuration may say and hardly means to.

use super::Config;
use crate::policy::{PathTemplate, Scope};

impl Config {
    /// What this configuration may say and hardly means to: each names its field, what is found there, and what to
    /// write. Whether there are any changes no decision.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.scopes.iter().filter_map(routes_alone).collect()
    }
}

/// INVARIANT (routes-narrow): `routes` narrows and never stands alone. Which route a request takes is decided by the
/// whole of Envoy's configuration, and by what other filters do after this one has looked.
fn routes_alone(scope: &Scope) -> Option<String> {
    let path = scope.paths.iter().find(|template| template.names_no_segment())?;
    (scope.routes.is_some() && scope.hosts.is_none()).then(|| alone(scope, path))
}

fn alone(scope: &Scope, path: &PathTemplate) -> String {
    format!(
        "scopes (`{}`): `routes` alone says what this scope opens, for it has no `hosts` and its `paths` have `{}`; \
         name the hosts, or the paths that these routes serve",
        scope.name,
        path.as_str()
    )
}
