//! The audit record: one JSON object per request that carried a token or met a rule that refuses.
//!
//! A first record is written at the decision; the one that counts, when the request is logged. A
//! stream that lives long leaves one in between. What counts is sealed: a link of this VM's chain, in
//! which nothing can be changed or left out unseen.
//!
//! - `record`: what is in a record, and in which order.
//! - `bounded`: how long it can become.
//! - `chain`: what makes it a link.
//! - `chain_id`: whose chain an id names.
//! - `report`: what the approval service is told of chains.
//! - `pages`: how it is told, in reports of bounded size.
//! - `uses`: what grants are used for, which it is told too.

mod bounded;
mod chain;
mod chain_id;
mod object;
mod pages;
mod record;
mod report;
mod uses;

use std::rc::Rc;
use std::time::Duration;

pub(crate) use bounded::{NODE, beginning};
pub(crate) use chain::{Chain, Link, REPEAT_INTERVAL, RETRY_INTERVAL};
pub use chain_id::ChainKey;
pub use object::Record;
pub(crate) use pages::{Pages, ReportLimit, head_bytes};
pub use record::VERSION;
pub(crate) use record::{Decided, Phase};
pub(crate) use report::{Head, report};

use serde::Serialize;

use crate::bodies::Traffic;
use crate::instant::Instant;
use crate::reason::Reason;
use crate::request::Facts;
use crate::token::VerifiedToken;

/// The word for what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may pass under its grant.
    Allow,
    /// It was refused.
    Deny,
    /// It would have been refused, were the filter not in shadow mode.
    ShadowDeny,
    /// It passed without a token.
    Pass,
    /// It was allowed, and ended before its time was up.
    Cut,
}

impl Decision {
    /// The stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::ShadowDeny => "shadow_deny",
            Decision::Pass => "pass",
            Decision::Cut => "cut",
        }
    }
}

/// How it became known whether the grant still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RevocationSource {
    /// The feed: either the grant is known to be revoked, or the knowledge is fresh.
    Feed,
    /// The approval service was asked for this request.
    Introspection,
    /// An earlier answer of the approval service still counts.
    IntrospectionCache,
    /// The approval service gave no answer that counts.
    Unavailable,
    /// The configuration names nobody to ask.
    NotConfigured,
}

/// What was known about a grant when a request under it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) source: RevocationSource,
    /// The position in the feed.
    pub(crate) epoch: Option<u64>,
    /// How old the knowledge from the feed was.
    pub(crate) epoch_age: Option<Duration>,
}

/// How a request ended, as Envoy knows it when it logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The status that the client got; `None` if there was none.
    pub status: Option<u64>,
    /// Envoy's `response.flags`: a set of bits.
    pub response_flags: Option<u64>,
    /// The upstream's address.
    pub upstream: Option<Vec<u8>>,
}

/// The end of a request.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) traffic: &'a Traffic,
    /// The body bytes that had passed when its grant was known to be revoked.
    pub(crate) until_revoked: Option<u64>,
    pub(crate) logged: Instant,
}

/// What was decided about one request.
#[derive(Debug)]
pub(crate) struct Ruled {
    pub(crate) arrived: Instant,
    pub(crate) decision: Decision,
    pub(crate) reason: Reason,
    pub(crate) token: Option<Rc<VerifiedToken>>,
    pub(crate) scope: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) standing: Option<Standing>,
    pub(crate) facts: Facts,
}
