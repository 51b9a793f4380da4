//! What the scopes of a request open, as far as it is known.

use breakglass_api::opens::ScopeOpens;

use crate::app::App;
use crate::store::Request;

/// An entry for each scope of the request.
pub(super) fn opens(app: &App, request: &Request) -> Vec<ScopeOpens> {
    let definitions = app.definitions();
    let opens = |scope: &String| {
        let frozen = request.scope_digests.get(scope);
        let opens = ScopeOpens {
            scope: scope.clone(),
            digest: frozen.map(ToString::to_string),
            ..ScopeOpens::default()
        };
        // A definition that has changed since says nothing about what was asked for.
        let definition = definitions
            .get(&request.audience, scope)
            .filter(|definition| frozen == Some(&definition.digest));
        match definition {
            Some(definition) => opens.with_rules(&definition.rules),
            None => opens,
        }
    };
    request.scopes.iter().map(opens).collect()
}
