//! Rules 5 and 6: the scope that covers a request, and what its holder must bring.

use std::rc::Rc;

use crate::config::Config;
use crate::instant::Instant;
use crate::policy::{Holder, PlainPath, RequestedUpgrades, Scope};
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::token::VerifiedToken;

use super::Denial;
use super::ask_for::AskFor;

/// Rules 5 and 6. `is_sender` says whether the client has the certificate that the token or the scope asks for.
pub(super) fn covering_scope<'a>(
    config: &'a Config,
    token: &Rc<VerifiedToken>,
    facts: &Facts,
    route: Option<&str>,
    path: &PlainPath<'_>,
    is_sender: &dyn Fn(&Scope) -> bool,
    now: Instant,
) -> Result<(&'a Scope, String), Denial> {
    let method = std::str::from_utf8(&facts.method).unwrap_or_default();
    let covers_with = |scope: &'a Scope, upgrades: &RequestedUpgrades| {
        let host = facts.host.as_ref();
        Some((scope, scope.covers(host, route, method, path, upgrades)?))
    };
    let covers = |scope: &'a Scope| covers_with(scope, &facts.upgrades);
    let holder = Holder {
        claims: token.claims(),
        lifetime: token.lifetime(),
        source: facts.source,
        skew: config.clock_skew,
    };
    let granted = token.claims().scope.iter().filter_map(|name| config.scopes.get(name));
    let mut denial = None;
    for (scope, rule) in granted.clone().filter_map(covers) {
        let rule = rule.as_str().to_owned();
        match scope.require.check(&holder, now) {
            Ok(()) if is_sender(scope) => return Ok((scope, rule)),
            Ok(()) => {
                denial.get_or_insert_with(|| Denial {
                    scope: Some(scope.name.clone()),
                    ..Denial::under(DenyReason::SenderMismatch, token)
                });
            }
            Err(unmet) => {
                denial.get_or_insert_with(|| Denial {
                    scope: Some(scope.name.clone()),
                    rule: Some(rule),
                    remedy: Some(unmet.remedy),
                    ..Denial::under(unmet.reason, token)
                });
            }
        }
    }
    Err(denial.unwrap_or_else(|| {
        let ask_for = AskFor::of(config.scopes.iter().filter_map(covers), &holder, now);
        let none = RequestedUpgrades::default();
        let is_upgrade = !facts.upgrades.is_empty();
        // The holder may not know that what is sent asks for another protocol.
        let only_upgrade =
            is_upgrade && granted.clone().any(|scope| covers_with(scope, &none).is_some());
        let remedy = Some(ask_for.remedy(only_upgrade));
        Denial { ask_for: ask_for.scope(), remedy, ..Denial::under(DenyReason::OutOfScope, token) }
    }))
}

/// A token that is bound to a certificate counts with this certificate only, whatever the scope
/// says; a scope that asks for a bound token takes no other (RFC 8705 section 3).
pub(super) fn is_sender(
    scope: &Scope,
    token: &VerifiedToken,
    certificate: &dyn Fn() -> Option<Vec<u8>>,
) -> bool {
    match &token.claims().cnf {
        Some(cnf) => certificate().is_some_and(|digest| cnf.is_of_certificate(&digest)),
        None => !scope.require.sender_constrained,
    }
}
