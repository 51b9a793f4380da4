//! How one request is decided. The rules, in their order ([`crate::trace::Rule`] names each):
//!
//! 1. no token: a `protected` rule or `unauthenticated: deny` refuses, else it is not ours
//!    ([`needs_token`]); an earlier instance of this filter that has decided already ([`Earlier`]);
//! 2. the token: structure, issuer, `typ`, algorithm, key, claims, signature, audience, lifetime
//!    ([`crate::token`]), then its time;
//! 3. a path with too many readings to tell: refused; the `ceiling`, by every reading of the request;
//! 4. headers that override the method, headers and parameters that name a second resource, headers of ours where
//!    routes count, and ambiguous paths: refused, never guessed;
//! 5. some scope of the token covers host, route, method and path, and the protocol to switch to;
//! 6. all requirements of one covering scope, the client's certificate and the approval among them: which rules it was
//!    for (`same_digest`), and whose it was;
//! 7. the grant still stands: from the feed while its knowledge is fresh (a revocation that is known
//!    counts for ever), else from an answer that still counts, else by asking, else
//!    `on_unavailable`, and `allow` only for a while ([`Knowledge`]);
//! 8. where another configuration has come in place of the one that the request came under: rules 2 to 6 by
//!    that one too, for what comes, waits and runs ([`Successor`]).
//!
//! In shadow mode what would be refused goes on, and the ruling says so.
//!
//! [`evaluate`] is the only function that decides. It has no side effect but on the caches. When an answer from outside
//! is needed, the ruling is a [`Question`]; with the answer the whole decision is made again, so nothing that was checked
//! before a wait is taken on trust after it. Each question is asked at most once for one request.

mod ask_for;
mod covering;
mod evaluate;
mod refusing;
mod rules;
mod standing;
mod successor;
mod token;

use std::rc::Rc;

use crate::audit::Standing;
use crate::instant::Instant;
use crate::introspection::Verdict;
use crate::knowledge::Knowledge;
use crate::memory::Memory;
use crate::question::Question;
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::revocations::Revocations;
use crate::token::{KeyRing, VerifiedToken};
use crate::trace::Trace;

pub(crate) use evaluate::{Allowance, Terms, evaluate};
pub use evaluate::{Permit, STREAM_DURATION_HEADER};
pub(crate) use refusing::needs_token;
pub(crate) use successor::{Configuration, Successor};

/// What is decided about a request, and by which steps.
#[derive(Debug)]
pub(crate) struct Evaluation {
    pub(crate) ruling: Ruling,
    pub(crate) trace: Trace,
}

/// What is decided about a request.
#[derive(Debug)]
pub(crate) enum Ruling {
    /// It has no token and needs none.
    Pass,
    /// An earlier instance of the filter, with the same configuration, has decided.
    StepAside,
    /// It is ours to decide, and more has to be known of it than its headers: evaluate it as [`Moment::Judged`].
    Judge,
    /// It may pass under its grant.
    Allow(Allowance),
    /// It was let through, and goes on. The scope by which the configuration that has come in place of its own
    /// covers it.
    RunsOn(Option<String>),
    /// It may not: it is refused, or ended.
    Deny(Denial),
    /// It may not, but nothing is refused or ended in shadow mode.
    ShadowDeny(Denial),
    /// An answer from outside is needed first.
    Ask(Question),
}

/// A request that is decided about.
pub(crate) struct Request<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) moment: Moment<'a>,
}

/// Where in its life a request is.
#[derive(Clone, Copy)]
pub(crate) enum Moment<'a> {
    /// Its headers have come, and nothing else is known of it. `earlier` looks for an earlier instance of the filter.
    Arrives { earlier: &'a dyn Fn() -> Option<Earlier> },
    /// It is ours, and all of it is known. `certificate` reads the digest of the client's certificate.
    Judged { certificate: &'a dyn Fn() -> Option<Vec<u8>>, answers: &'a Answers },
    /// It was let through then, and runs.
    Runs { permitted: Instant },
}

/// An instance of the filter that comes earlier in the chain, and has decided about the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// It has the same configuration and version.
    Same,
    /// Nothing shows that it has.
    Other {
        /// Whether it has given a permit.
        is_permitted: bool,
    },
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
    /// Why the configuration refuses it that has come in place of its own: of [`DenyReason::ScopeWithdrawn`], and of
    /// [`DenyReason::ScopeChanged`] where that configuration changed the scope.
    pub(crate) because: Option<Box<Denial>>,
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
    /// The one under which the request was let through.
    Verified(Rc<VerifiedToken>),
}

/// What a decision is made from, besides configuration, request, token and time.
pub(crate) struct Known<'a> {
    pub(crate) keys: &'a KeyRing,
    pub(crate) revocations: &'a Revocations,
    pub(crate) knowledge: &'a Knowledge,
    pub(crate) memory: &'a mut Memory,
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
            because: None,
        }
    }

    pub(crate) fn under(reason: DenyReason, token: &Rc<VerifiedToken>) -> Denial {
        Denial { token: Some(Rc::clone(token)), ..Denial::of(reason) }
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
