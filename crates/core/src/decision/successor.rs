//! Rule 8: a configuration that has come in place of the one that a request came under.
//!
//! It is held against the request by the same rules as its own ([`verified_again`], [`covered`]). What comes and waits
//! must pass both. What runs was judged when it was let through, and is judged anew:
//!
//! - *as of its beginning*, where a rule is about the beginning. How long ago somebody had signed in
//!   (`max_auth_age`) was so when the request was let through; it does not end a stream that the same
//!   requirement has let in. The client's certificate, address and route, and the headers, are those of the beginning
//!   too. How large a token may be, and in which header it may stand, is about reading what a client sends: that was
//!   read, and is not judged again.
//! - *as of now*, where a rule is about now: `exp` with this configuration's `clock_skew`, and what is known to be
//!   revoked. Knowledge that has grown old ends nothing that runs, whichever configuration says how old it may be;
//!   what was let through without any (`permit_unverified`) ends where this configuration would not have
//!   (`worker/unverified.rs`).
//! - *keys*: by what the configuration says. A key that it names no more, for an issuer without a remote source, was taken
//!   out by an operator, and what it signed ends: with inline keys alone that is the only way to stop a stolen key.
//!   With a remote source the key is unknown at most, also where the keys were inline before: what runs goes on.
//!   An issuer rotates its keys by itself, without an operator's word, and tokens under the old key are good until
//!   they end: a rotation must not cut streams, nor may a push of an equal configuration after one. Who gains is
//!   the holder of a token that a stolen key has signed, and only on a stream that runs already: until that token ends,
//!   `max_lifetime` at most, or a configuration ends it by another rule. New requests are refused as soon as the keys
//!   are fetched.
//! - *shadow*: a configuration in shadow mode refuses nothing, so it ends nothing either.
//!
//! Whatever it is that no longer fits, the reason is `scope_withdrawn`, because that tells an operator that a
//! configuration did it; the words beside it say which rule ([`Denial::because`]). Only `scope_changed` stands for
//! itself: it says so too, and that to ask again helps.

use std::rc::Rc;

use crate::config::{Config, Enforcement};
use crate::instant::Instant;
use crate::policy::Scope;
use crate::reason::DenyReason;
use crate::request::Facts;
use crate::token::{KeyRing, VerifiedToken};
use crate::trace::Steps;

use super::Denial;
use super::rules::covered;
use super::token::verified_again;

/// The configuration that a request came under, and the one that has come in its place.
#[derive(Clone, Copy)]
pub(crate) struct Configuration<'a> {
    pub(crate) own: &'a Config,
    pub(crate) successor: Option<&'a Successor>,
}

/// A configuration that has come in place of another one.
#[derive(Debug)]
pub(crate) struct Successor {
    config: Rc<Config>,
    /// The keys that it names itself: what its sources publish is not known here.
    keys: KeyRing,
}

impl Successor {
    pub(crate) fn new(config: Rc<Config>) -> Successor {
        Successor { keys: KeyRing::new(&config), config }
    }

    /// The configuration, unless it is in shadow mode.
    pub(crate) fn enforcing(&self) -> Option<&Config> {
        Some(&*self.config).filter(|config| config.enforcement == Enforcement::Enforce)
    }

    /// The scope by which it covers a request that its own configuration lets through, or has let through when it
    /// `began`; `None` in shadow mode.
    pub(super) fn covers(
        &self,
        token: &Rc<VerifiedToken>,
        facts: &Facts,
        began: Instant,
        now: Instant,
        steps: &mut Steps,
    ) -> Result<Option<&Scope>, Denial> {
        let Some(config) = self.enforcing() else { return Ok(None) };
        // A token that is bound was let through with its certificate only.
        let is_bound = token.claims().cnf.is_some();
        let is_sender = |scope: &Scope| is_bound || !scope.require.sender_constrained;
        // Which headers and parameters count is for this configuration to say.
        let facts = facts.under(config);
        verified_again(token, config, &self.keys, now, steps)
            .and_then(|()| covered(config, token, &facts, &is_sender, began, steps))
            .map(|(scope, _)| Some(scope))
            .map_err(|denial| {
                let (reason, remedy) = match denial.reason {
                    DenyReason::ScopeChanged => (DenyReason::ScopeChanged, denial.remedy.clone()),
                    _ => (DenyReason::ScopeWithdrawn, None),
                };
                let because = Some(Box::new(denial));
                Denial { because, remedy, ..Denial::under(reason, token) }
            })
    }
}
