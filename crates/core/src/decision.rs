//! How one request is decided. The rules, in their order:
//!
//! 1. no token: a `protected` rule or `unauthenticated: deny` refuses, else it is not ours
//!    ([`needs_token`]);
//! 2. the token: structure, issuer, `typ`, algorithm, key, claims, signature, audience, lifetime
//!    ([`crate::token`]), then its time;
//! 3. a path with too many readings to tell: refused; the `ceiling`, by every reading of the request;
//! 4. headers that override the method, headers and parameters that name a second resource, headers of ours where
//!    routes count, and ambiguous paths: refused, never guessed;
//! 5. some scope of the token covers host, route, method and path, and the protocol to switch to;
//! 6. all requirements of one covering scope, the client's certificate among them;
//! 7. the grant still stands: from the feed while its knowledge is fresh (a revocation that is known
//!    counts for ever), else from an answer that still counts, else by asking, else
//!    `on_unavailable`, and `allow` only for a while ([`Knowledge`]).
//!
//! Deciding has no side effect but on the caches. When an answer from outside is needed, the ruling
//! is a [`Question`]; with the answer the whole decision is made again, so nothing that was checked
//! before a wait is taken on trust after it. Each question is asked at most once for one request.

mod ask_for;
mod covering;
mod refusing;
mod standing;
mod token;

use std::rc::Rc;

use crate::audit::{RevocationSource, Standing};
use crate::config::{Config, Issuer, OnUnavailable};
use crate::instant::Instant;
use crate::introspection::Verdict;
use crate::knowledge::Knowledge;
use crate::memory::Memory;
use crate::policy::{PlainPath, Scope};
use crate::reason::{AllowReason, DenyReason};
use crate::request::Facts;
use crate::revocations::Revocations;
use crate::token::{KeyRing, VerifiedToken};

use covering::{covering_scope, is_sender};
use refusing::{covering_one, protected_by};
pub(crate) use refusing::{covering_rule, needs_token};
use standing::{may_go_unverified, standing};
use token::verified;

/// What is decided about a request.
#[derive(Debug)]
pub(crate) enum Ruling {
    /// It may pass under its grant.
    Allow(Allowance),
    /// It may not.
    Deny(Denial),
    /// An answer from outside is needed first.
    Ask(Question),
}

/// Why a request may pass. Only [`decide`] makes one, as its last rule.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) reason: AllowReason,
    pub(crate) token: Rc<VerifiedToken>,
    pub(crate) scope: String,
    pub(crate) rule: String,
    pub(crate) standing: Standing,
}

/// Why a request may not pass.
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) reason: DenyReason,
    /// The token, once it is verified.
    pub(crate) token: Option<Rc<VerifiedToken>>,
    /// The scope whose requirement is not met.
    pub(crate) scope: Option<String>,
    /// The rule or path template that decided.
    pub(crate) rule: Option<String>,
    /// What the holder can do, where the reason alone does not say.
    pub(crate) remedy: Option<String>,
    /// The scope to ask for.
    pub(crate) ask_for: Option<String>,
    /// What was known about the grant, if the decision got that far.
    pub(crate) standing: Option<Standing>,
}

/// What must be asked outside before a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// The keys of the issuer with this index.
    Keys(usize),
    /// The news of the feed.
    Feed,
    /// Whether the head of this VM's audit chain has arrived. No decision needs it.
    Head,
    /// Whether the heads of several VMs' chains have arrived. No decision needs it.
    SharedHeads,
    /// Whether the report of an answered challenge has arrived. No decision needs it.
    Probes,
    /// Whether a grant still stands.
    Standing {
        /// The index of the issuer.
        issuer: usize,
        /// The grant's id.
        jti: String,
    },
}

/// The answers that one request has waited for.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Whether the issuer's source answered with keys.
    pub(crate) keys: Option<bool>,
    /// Whether the feed was waited for.
    pub(crate) feed: bool,
    /// What the approval service said; `None` inside when it gave no answer that counts.
    pub(crate) standing: Option<Option<Verdict>>,
}

/// The token of a request, on its way through the rules.
#[derive(Debug)]
pub(crate) enum Token {
    /// None of ours.
    Nothing,
    /// Not one token in the form that its source asks for.
    Refused(DenyReason),
    /// One, as the client sent it.
    Bytes(Vec<u8>),
}

/// What a decision is made from.
pub(crate) struct Bench<'a> {
    pub(crate) config: &'a Config,
    pub(crate) keys: &'a KeyRing,
    pub(crate) revocations: &'a Revocations,
    pub(crate) knowledge: &'a Knowledge,
    pub(crate) memory: &'a mut Memory,
    pub(crate) now: Instant,
}

impl Denial {
    pub(crate) fn of(reason: DenyReason) -> Denial {
        Denial {
            reason,
            token: None,
            scope: None,
            rule: None,
            remedy: None,
            ask_for: None,
            standing: None,
        }
    }

    pub(crate) fn under(reason: DenyReason, token: &Rc<VerifiedToken>) -> Denial {
        Denial { token: Some(Rc::clone(token)), ..Denial::of(reason) }
    }
}

/// Decides one request that has a token, or [needs one](needs_token). `certificate` reads the digest of the client's certificate.
pub(crate) fn decide(
    bench: &mut Bench<'_>,
    token: &Token,
    facts: &Facts,
    certificate: &dyn Fn() -> Option<Vec<u8>>,
    answers: &Answers,
) -> Ruling {
    let ruling = match token {
        Token::Nothing => Err(Stop::Deny(Denial {
            rule: protected_by(bench.config, facts).map(str::to_owned),
            ..Denial::of(DenyReason::TokenMissing)
        })),
        Token::Refused(reason) => Err(Stop::Deny(Denial::of(*reason))),
        Token::Bytes(bytes) => decide_with_token(bench, bytes, facts, certificate, answers),
    };
    match ruling {
        Ok(allowance) => Ruling::Allow(allowance),
        Err(Stop::Deny(denial)) => Ruling::Deny(denial),
        Err(Stop::Ask(question)) => Ruling::Ask(question),
    }
}

/// What ends a decision before its last rule.
enum Stop {
    Deny(Denial),
    Ask(Question),
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Stop {
        Stop::Deny(denial)
    }
}

/// What to do about a CONNECT: this filter does not see what passes in its tunnel.
const TUNNEL_REMEDY: &str = "no grant covers CONNECT, because this proxy does not see what passes in its tunnel; send the requests \
    themselves to this proxy (a client that takes it for a forward proxy, by `HTTPS_PROXY` for example, is set up \
    wrongly), or, for a protocol such as WebSocket, ask by extended CONNECT or `Upgrade` under a scope that names it in \
    `upgrades`";

fn decide_with_token(
    bench: &mut Bench<'_>,
    bytes: &[u8],
    facts: &Facts,
    certificate: &dyn Fn() -> Option<Vec<u8>>,
    answers: &Answers,
) -> Result<Allowance, Stop> {
    let (config, now) = (bench.config, bench.now);
    let token = verified(bench, bytes, answers)?;
    let paths = facts.second.paths(&facts.path);
    if paths.own.is_anything() {
        return Err(Denial::under(DenyReason::AmbiguousPath, &token).into());
    }
    if let Some(rule) = covering_one(&config.ceiling, facts, &paths) {
        let rule = Some(rule.summary());
        return Err(Denial { rule, ..Denial::under(DenyReason::Ceiling, &token) }.into());
    }
    if !facts.overrides.is_empty() {
        return Err(Denial::under(DenyReason::MethodOverride, &token).into());
    }
    if may_choose_route(config, &token, facts) {
        return Err(Denial::under(DenyReason::ReservedHeader, &token).into());
    }
    if let Some(refused) = facts.second.refused() {
        let remedy = Some(refused.remedy());
        return Err(Denial { remedy, ..Denial::under(DenyReason::SecondResource, &token) }.into());
    }
    if facts.method == b"CONNECT" {
        let remedy = Some(TUNNEL_REMEDY.to_owned());
        return Err(Denial { remedy, ..Denial::under(DenyReason::OutOfScope, &token) }.into());
    }
    let path = PlainPath::parse(&facts.path)
        .map_err(|_| Denial::under(DenyReason::AmbiguousPath, &token))?;
    let is_sender = |scope: &Scope| is_sender(scope, &token, certificate);
    let route = facts.route.as_deref();
    let (scope, rule) = covering_scope(config, &token, facts, route, &path, &is_sender, now)?;
    let (verdict, standing) = standing(bench, &token, answers)?;
    let unavailable = scope.on_unavailable.unwrap_or(config.revocation.on_unavailable);
    let reason = match (verdict, unavailable) {
        (Some(Verdict::Active), _) => match standing.source {
            RevocationSource::Introspection | RevocationSource::IntrospectionCache
                if config.revocation.feed.is_some() =>
            {
                AllowReason::PermitIntrospected
            }
            _ => AllowReason::Permit,
        },
        (None, OnUnavailable::Allow) => {
            may_go_unverified(bench, &token, standing)?;
            AllowReason::PermitUnverified
        }
        (Some(Verdict::Inactive), _) => {
            // Within the skew the service's clock may be past the end already.
            let ended = Instant::from_seconds(token.claims().exp) <= now;
            let known = bench.revocations.is_revoked(&token.claims().jti);
            let reason =
                if ended && !known { DenyReason::TokenExpired } else { DenyReason::Revoked };
            let denial = Denial::under(reason, &token);
            return Err(Denial { standing: Some(standing), ..denial }.into());
        }
        (None, OnUnavailable::Deny) => {
            let denial = Denial::under(DenyReason::RevocationUnknown, &token);
            return Err(Denial { standing: Some(standing), ..denial }.into());
        }
    };
    Ok(Allowance { reason, token, scope: scope.name.clone(), rule, standing })
}

/// Whether a configuration would let a request through that another one has let through: its
/// issuer still counts for such a token, no ceiling is above it, no header or parameter is refused in it, and a
/// scope of its token covers it (rules 3 to 6). The algorithm and the key of the token are not judged again: a
/// key that must no longer count is taken out with `revoke`.
pub(crate) fn still_covers<'c>(
    config: &'c Config,
    issuer: &str,
    token: &Rc<VerifiedToken>,
    facts: &Facts,
    now: Instant,
) -> Option<&'c Scope> {
    // A token that is bound was let through with its certificate only.
    let bound = token.claims().cnf.is_some();
    let is_sender = |scope: &Scope| bound || !scope.require.sender_constrained;
    let takes_token = |issuer: &Issuer| {
        let audiences = &token.claims().aud;
        token.lifetime() <= issuer.max_lifetime
            && audiences.iter().any(|audience| issuer.audiences.contains(audience))
    };
    // Which headers and parameters count is for this configuration to say.
    let facts = &facts.under(config);
    let is_left = config.issuers.iter().any(|known| known.issuer == issuer && takes_token(known))
        && covering_rule(&config.ceiling, facts).is_none()
        && facts.overrides.is_empty()
        && !may_choose_route(config, token, facts)
        && facts.second.refused().is_none();
    let path = PlainPath::parse(&facts.path).ok().filter(|_| is_left)?;
    let covers = |route: Option<&str>| {
        let covering = covering_scope(config, token, facts, route, &path, &is_sender, now);
        covering.map(|(scope, _)| scope).ok()
    };
    let scope = covers(facts.route.as_deref())?;
    facts.other_route().is_none_or(|used| covers(used).is_some()).then_some(scope)
}

/// Whether the client sent headers of ours, and some scope of its token names routes: Envoy chose the route with
/// these headers there, and they are removed after the route was judged.
fn may_choose_route(config: &Config, token: &VerifiedToken, facts: &Facts) -> bool {
    let mut granted = token.claims().scope.iter().filter_map(|name| config.scopes.get(name));
    facts.has_reserved && granted.any(|scope| scope.routes.is_some())
}
