//! Rules 3 to 6: what the request itself is held against, by one configuration.

use std::rc::Rc;

use crate::config::Config;
use crate::instant::Instant;
use crate::policy::{PlainPath, Scope};
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::token::VerifiedToken;
use crate::trace::{Rule, Said, Steps};

use super::Denial;
use super::covering::{Covering, covering_scope};
use super::refusing::covering_one;

/// What to do about a CONNECT: this filter does not see what passes in its tunnel.
const TUNNEL_REMEDY: &str = "no grant covers CONNECT, because this proxy does not see what passes in its tunnel; send the requests \
    themselves to this proxy (a client that takes it for a forward proxy, by `HTTPS_PROXY` for example, is set up \
    wrongly), or, for a protocol such as WebSocket, ask by extended CONNECT or `Upgrade` under a scope that names it in \
    `upgrades`";

/// The scope by which a configuration covers a request, and the template of its path. `began` is when the
/// request was let through, or now.
pub(super) fn covered<'c>(
    config: &'c Config,
    token: &Rc<VerifiedToken>,
    facts: &Facts,
    is_sender: &dyn Fn(&Scope) -> bool,
    began: Instant,
    steps: &mut Steps,
) -> Result<(&'c Scope, String), Denial> {
    let paths = facts.second.paths(&facts.path);
    let mut hold = |rule, refused: Option<Denial>| match refused {
        None => {
            steps.passed(rule);
            Ok(())
        }
        Some(denial) => {
            steps.note(rule, Said::Refused(denial.reason));
            Err(denial)
        }
    };
    let refused = |reason| Denial::under(reason, token);
    let is_unread = paths.own.is_anything();
    hold(Rule::Readings, is_unread.then(|| refused(DenyReason::AmbiguousPath)))?;
    let ceiling = covering_one(&config.ceiling, facts, &paths);
    let ceiling =
        ceiling.map(|rule| Denial { rule: Some(rule.summary()), ..refused(DenyReason::Ceiling) });
    hold(Rule::Ceiling, ceiling)?;
    let overrides = !facts.overrides.is_empty();
    hold(Rule::MethodOverride, overrides.then(|| refused(DenyReason::MethodOverride)))?;
    let reserved = may_choose_route(config, token, facts);
    hold(Rule::ReservedHeader, reserved.then(|| refused(DenyReason::ReservedHeader)))?;
    let second = facts.second.refused().map(|second| Denial {
        remedy: Some(second.remedy()),
        ..refused(DenyReason::SecondResource)
    });
    hold(Rule::SecondResource, second)?;
    let tunnel = (facts.method == b"CONNECT").then(|| Denial {
        remedy: Some(TUNNEL_REMEDY.to_owned()),
        ..refused(DenyReason::OutOfScope)
    });
    hold(Rule::Tunnel, tunnel)?;
    let Ok(path) = PlainPath::parse(&facts.path) else {
        steps.note(Rule::PlainPath, Said::Refused(DenyReason::AmbiguousPath));
        return Err(refused(DenyReason::AmbiguousPath));
    };
    steps.passed(Rule::PlainPath);
    let covering = Covering { config, token, facts, path: &path, is_sender, began };
    let covered = covering_scope(&covering, facts.route.as_deref(), steps)?;
    // What Envoy did with a request that runs counts as well.
    if let Some(used) = facts.other_route() {
        covering_scope(&covering, used, steps)?;
    }
    Ok(covered)
}

/// Whether the client sent headers of ours, and some scope of its token names routes: Envoy chose the route with
/// these headers there, and they are removed after the route was judged.
fn may_choose_route(config: &Config, token: &VerifiedToken, facts: &Facts) -> bool {
    let mut granted = token.claims().scope.iter().filter_map(|name| config.scopes.get(name));
    facts.has_reserved && granted.any(|scope| scope.routes.is_some())
}
