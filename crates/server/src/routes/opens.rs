//! What scopes open, as far as it is known.

use std::collections::HashMap;
use std::sync::Arc;

use breakglass_api::opens::ScopeOpens;
use breakglass_types::scope_rules::ScopeDigest;

use crate::app::App;
use crate::config::Proxy;
use crate::configurations::Polling;
use crate::definitions::Definition;
use crate::store::{Request, State, StoreError};

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
pub(super) async fn opens(app: &App, request: &Request) -> Result<Vec<ScopeOpens>, StoreError> {
    let live = live(app);
    let definitions = app.definitions();
    let current = definitions.of(&request.audience, &request.scopes);
    let changed = request.scope_digests.iter().filter(|(scope, digest)| {
        current.get(*scope).is_none_or(|definition| definition.digest != **digest)
    });
    // What a definition said when the request was submitted.
    let kept = app.store().scope_rules(changed.map(|(_, digest)| *digest)).await?;
    let opens = request.scopes.iter().map(|scope| {
        let digest = request.scope_digests.get(scope).copied();
        let current = current.get(scope).filter(|known| Some(known.digest) == digest);
        let rules = current
            .map(|definition| &definition.rules)
            .or_else(|| digest.and_then(|digest| kept.get(&digest)));
        let opens = one(app, &live, &request.audience, scope, digest);
        let has_them = opens.proxies.is_some_and(|proxies| proxies.same > 0);
        // What no proxy has opens nothing, and is not what is decided on. Afterwards it says what was.
        let shown = rules.filter(|_| has_them || request.state != State::Pending);
        shown.map_or(opens.clone(), |rules| opens.with_rules(rules))
    });
    Ok(opens.collect())
}

/// What a scope that is defined opens, for who may still ask for it.
pub(super) fn defined(
    app: &App,
    live: &[Polling],
    audience: &str,
    scope: &str,
    definition: &Definition,
) -> ScopeOpens {
    let opens = one(app, live, audience, scope, Some(definition.digest));
    match opens.proxies {
        Some(proxies) if proxies.same > 0 => opens.with_rules(&definition.rules),
        _ => opens,
    }
}

/// A scope with this digest without its rules: which proxies have them, as they say.
fn one(
    app: &App,
    live: &[Polling],
    audience: &str,
    scope: &str,
    digest: Option<ScopeDigest>,
) -> ScopeOpens {
    let opens = ScopeOpens { scope: scope.to_owned(), ..ScopeOpens::default() };
    let Some(digest) = digest else { return opens };
    let proxies = app.configurations().defined_by(live, audience, scope, Some(digest));
    ScopeOpens { digest: Some(digest.to_string()), proxies: Some(proxies), ..opens }
}
