//! What scopes open, as far as it is known.

use std::collections::HashMap;
use std::sync::Arc;

use breakglass_api::opens::ScopeOpens;
use breakglass_types::scope_rules::ScopeDigest;

use crate::app::App;
use crate::config::Proxy;
use crate::configurations::Polling;
use crate::store::Request;

/// The live proxies of the configuration, as they say which configuration they have themselves.
pub(super) fn live(app: &App) -> Vec<Polling> {
    let config = app.config();
    let proxies: HashMap<&str, &Arc<Proxy>> =
        config.proxies.iter().map(|proxy| (proxy.name.as_str(), proxy)).collect();
    let live = app.feed().nodes().live_configurations(app.now());
    live.into_iter()
        .filter_map(|((proxy, configuration), count)| {
            let proxy = Arc::clone(proxies.get(proxy.as_str())?);
            Some(Polling { proxy, configuration, count })
        })
        .collect()
}

/// An entry for each scope of the request.
pub(super) fn opens(app: &App, request: &Request) -> Vec<ScopeOpens> {
    let live = live(app);
    let frozen = |scope: &String| request.scope_digests.get(scope).copied();
    let scopes = request.scopes.iter();
    scopes.map(|scope| one(app, &live, &request.audience, scope, frozen(scope))).collect()
}

/// What a scope with this digest opens. The rules of a definition are there only where some proxy says that it has them:
/// what no proxy has opens nothing.
pub(super) fn one(
    app: &App,
    live: &[Polling],
    audience: &str,
    scope: &str,
    digest: Option<ScopeDigest>,
) -> ScopeOpens {
    let opens = ScopeOpens { scope: scope.to_owned(), ..ScopeOpens::default() };
    let Some(digest) = digest else { return opens };
    let proxies = app.configurations().defined_by(live, audience, scope, Some(digest));
    let opens = ScopeOpens { digest: Some(digest.to_string()), proxies: Some(proxies), ..opens };
    let definitions = app.definitions();
    // A definition that has changed since says nothing about what was asked for.
    let definition = definitions.get(audience, scope).filter(|known| known.digest == digest);
    match definition {
        Some(definition) if proxies.same > 0 => opens.with_rules(&definition.rules),
        _ => opens,
    }
}
