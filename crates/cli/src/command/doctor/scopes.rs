//! Scopes that proxies define otherwise than the files of the service's configuration.

use breakglass_server::definitions::Definition;
use breakglass_server::doctor::{Finding, Report};
use breakglass_server::reload::ConfigFile;

use crate::answer::{Scopes, Whole, brief};
use crate::client::{Client, query_value};

pub(super) fn look(client: &Client, file: &ConfigFile, report: &mut Report) {
    for (audience, name, definition) in file.definitions.iter() {
        // One that no person can ask for is a warning of the configuration.
        if file.config.scope(name).is_none_or(|scope| scope.audience != audience) {
            continue;
        }
        let what = format!("which proxies define the scope `{name}` of `{audience}` otherwise");
        let Some(query) = covered(definition) else {
            report.not_checked(what, "its definition has no path");
            continue;
        };
        let answer: Whole<Scopes> = match client.get(&format!("/v1/scopes{query}")) {
            Ok(answer) => answer,
            Err(failure) => {
                report.not_checked(what, failure.to_string());
                continue;
            }
        };
        let scope =
            answer.body.scopes.iter().find(|one| one.name == name && one.audience == audience);
        let proxies = scope.and_then(|scope| scope.rules.as_ref()).and_then(|rules| rules.proxies);
        let Some(proxies) = proxies else {
            report.not_checked(
                what,
                "the service does not show it to this API token: take an auditor's",
            );
            continue;
        };
        report.checked((proxies.other > 0).then(|| {
            Finding::new(
                format!(
                    "{} of the live proxies for `{}` define the scope `{}` otherwise than the service's file: what an \
                     approver is shown is not what they open",
                    proxies.other,
                    brief(audience),
                    brief(name)
                ),
                "import what they have: `breakglass scopes import`, and reload the service; or give them the \
                 configuration that was imported",
            )
        }));
    }
}

/// The query for a request that the definition covers.
fn covered(definition: &Definition) -> Option<String> {
    let rules = &definition.rules;
    let method = rules.methods.iter().next()?;
    let path = rules.paths.iter().next()?;
    let segments = path.split('/').map(|segment| match segment {
        "**" => "x",
        segment if segment.starts_with('{') => "x",
        segment => segment,
    });
    let path = segments.collect::<Vec<_>>().join("/");
    let mut query = format!("?for={}", query_value(&format!("{method} {path}")));
    if let Some(host) = rules.hosts.as_ref().and_then(|hosts| hosts.iter().next()) {
        query.push_str(&format!("&host={}", query_value(&host.replacen('*', "x", 1))));
    }
    Some(query)
}
