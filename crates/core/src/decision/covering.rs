//! Rules 5 and 6: the scope that covers a request, and what its holder must bring.

use std::rc::Rc;

use crate::config::Config;
use crate::instant::Instant;
use crate::policy::{Holder, PlainPath, RequestedUpgrades, Scope};
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::token::VerifiedToken;
use crate::trace::{Rule, Said, Steps};

use super::Denial;
use super::ask_for::AskFor;

/// What rules 5 and 6 look at.
pub(super) struct Covering<'c, 'r> {
    pub(super) config: &'c Config,
    pub(super) token: &'r Rc<VerifiedToken>,
    pub(super) facts: &'r Facts,
    pub(super) path: &'r PlainPath<'r>,
    /// Whether the client has the certificate that the token or the scope asks for.
    pub(super) is_sender: &'r dyn Fn(&Scope) -> bool,
    /// When the request was let through, or now: how long ago somebody signed in is judged by that.
    pub(super) began: Instant,
}

/// Rules 5 and 6, for a request on this route.
pub(super) fn covering_scope<'c>(
    covering: &Covering<'c, '_>,
    route: Option<&str>,
    steps: &mut Steps,
) -> Result<(&'c Scope, String), Denial> {
    let Covering { config, token, facts, path, is_sender, began } = *covering;
    let method = std::str::from_utf8(&facts.method).unwrap_or_default();
    let covers_with = |scope: &'c Scope, upgrades: &RequestedUpgrades| {
        let host = facts.host.as_ref();
        Some((scope, scope.covers(host, route, method, path, upgrades)?))
    };
    let covers = |scope: &'c Scope| covers_with(scope, &facts.upgrades);
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
        match config.scopes.check(scope, &holder, began) {
            Ok(()) if is_sender(scope) => {
                for rule in [Rule::Scope, Rule::Requirements, Rule::Sender] {
                    steps.passed(rule);
                }
                return Ok((scope, rule));
            }
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
    let denial = denial.unwrap_or_else(|| {
        let ask_for = AskFor::of(config.scopes.iter().filter_map(covers), &holder, began);
        let none = RequestedUpgrades::default();
        let is_upgrade = !facts.upgrades.is_empty();
        // The holder may not know that what is sent asks for another protocol.
        let only_upgrade =
            is_upgrade && granted.clone().any(|scope| covers_with(scope, &none).is_some());
        let remedy = Some(ask_for.remedy(only_upgrade));
        Denial { ask_for: ask_for.scope(), remedy, ..Denial::under(DenyReason::OutOfScope, token) }
    });
    note_refused(denial.reason, steps);
    Err(denial)
}

fn note_refused(reason: DenyReason, steps: &mut Steps) {
    let last = match reason {
        DenyReason::OutOfScope => Rule::Scope,
        DenyReason::SenderMismatch => Rule::Sender,
        _ => Rule::Requirements,
    };
    for rule in [Rule::Scope, Rule::Requirements].into_iter().take_while(|rule| *rule != last) {
        steps.passed(rule);
    }
    steps.note(last, Said::Refused(reason));
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
