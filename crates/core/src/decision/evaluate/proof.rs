//! What only a decision can make: the proof that a request may pass, and the permit that is made of it.

use std::rc::Rc;
use std::time::Duration;

use breakglass_types::names::{GRANT_HEADER, SUBJECT_HEADER};
use breakglass_types::percent::header_value;

use crate::audit::{Decision, Record, Ruled, Standing};
use crate::instant::{Instant, millis};
use crate::reason::{AllowReason, Reason};
use crate::request::Facts;
use crate::token::VerifiedToken;

/// The header by which Envoy's router ends a stream after so many milliseconds, whatever has become
/// of this filter; the router takes it away.
pub const STREAM_DURATION_HEADER: &str = "x-envoy-upstream-stream-duration-ms";

/// The proof that every rule lets a request pass. Only [`super::evaluate`] makes one, as its last rule: the
/// constructor is not visible anywhere else, and no field is.
///
/// INVARIANT (closed by type): a [`Permit`], and the record that says `allow`, are made of one of these.
#[derive(Debug)]
pub(crate) struct Allowance {
    reason: AllowReason,
    token: Rc<VerifiedToken>,
    scope: String,
    rule: String,
    standing: Standing,
    /// The scope by which the configuration covers it that has come in place of its own.
    next_scope: Option<String>,
}

/// A request that may pass under its grant: only an [`Allowance`] becomes one.
///
/// ```compile_fail,E0451
/// let forged = breakglass_core::step::Permit {
///     remove: Vec::new(),
///     set: Vec::new(),
///     record: String::new(),
///     mark: None,
/// };
/// ```
#[derive(Debug)]
pub struct Permit {
    remove: Vec<String>,
    set: Vec<(&'static str, String)>,
    record: Record,
    mark: Option<Vec<u8>>,
}

/// What a request that may pass is sent on with, besides its grant.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) arrived: Instant,
    pub(crate) facts: Facts,
    pub(crate) remove: Vec<String>,
    pub(crate) set: Vec<(&'static str, String)>,
    pub(crate) mark: Option<Vec<u8>>,
}

impl Allowance {
    pub(super) fn new(
        reason: AllowReason,
        token: Rc<VerifiedToken>,
        scope: String,
        rule: String,
        standing: Standing,
        next_scope: Option<String>,
    ) -> Allowance {
        Allowance { reason, token, scope, rule, standing, next_scope }
    }

    /// The name of the scope that covers the request.
    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }

    /// The name of the scope by which the configuration covers it that has come in place of its own.
    pub(crate) fn take_next_scope(&mut self) -> Option<String> {
        self.next_scope.take()
    }

    /// The permit. `keep` counts and keeps what was decided, and hands back its record, and how long Envoy
    /// lets the stream run at most.
    pub(crate) fn permit(
        self,
        terms: Terms,
        keep: impl FnOnce(Ruled) -> (Record, Duration),
    ) -> Permit {
        let Terms { arrived, facts, remove, set: more, mark } = terms;
        let Allowance { reason, token, scope, rule, standing, .. } = self;
        let (record, longest) = keep(Ruled {
            arrived,
            decision: Decision::Allow,
            reason: Reason::Allowed(reason),
            token: Some(Rc::clone(&token)),
            scope: Some(scope),
            rule: Some(rule),
            standing: Some(standing),
            facts,
        });
        let claims = token.claims();
        let mut set = vec![
            (GRANT_HEADER, claims.jti.clone()),
            (SUBJECT_HEADER, header_value(&claims.sub)),
            (STREAM_DURATION_HEADER, millis(longest).max(1).to_string()),
        ];
        set.extend(more);
        Permit { remove, set, record, mark }
    }
}

impl Permit {
    /// The headers to remove, before others are set.
    #[must_use]
    pub fn remove(&self) -> &[String] {
        &self.remove
    }

    /// The headers to set, in place of any that are there.
    #[must_use]
    pub fn set(&self) -> &[(&'static str, String)] {
        &self.set
    }

    /// The audit record.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What is left for another instance of this filter in the same chain.
    #[must_use]
    pub fn mark(&self) -> Option<&[u8]> {
        self.mark.as_deref()
    }
}
