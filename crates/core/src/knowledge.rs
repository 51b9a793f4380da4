//! When this worker last knew which grants were revoked, and what `on_unavailable: allow` may rest on.
//!
//! 1. Fresh knowledge is an answer of the feed, as of its question (for all issuers: also one that another VM of this
//!    process has learnt), or an answer of introspection about any grant of the same issuer, as of its question.
//! 2. `allow` counts for `unavailable_for` after that. Who cuts the path from the proxy to the service keeps a revoked
//!    token alive for so long, and no longer.
//! 3. A worker without any such knowledge counts from its own start: an Envoy that starts during an outage is what
//!    `allow` is for. Where the VMs share a board, a worker that comes later (another configuration, a VM that was
//!    loaded again) finds there when this process last knew something, so that only a new process begins anew.
//! 4. A token that was issued later than that, and an emergency, are never let through unverified: nothing that this
//!    worker knows can speak for them.
//! 5. A clock that is set back must not stretch any of this: all instants go back with it.

use std::time::Duration;

use crate::instant::{Instant, format_duration};
use crate::token::VerifiedToken;

/// When a worker last knew which grants were revoked.
#[derive(Debug)]
pub(crate) struct Knowledge {
    start: Instant,
    /// When this process last knew something, of which this worker need not have heard.
    process: Option<Instant>,
    feed: Option<Instant>,
    /// By the index of the issuer.
    answered: Vec<Option<Instant>>,
    last_now: Instant,
}

/// Why a grant that is not confirmed is not let through, although `on_unavailable` is `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotLetThrough {
    /// The last knowledge is too old: since then nothing is known.
    TooOld(Instant),
    /// It was issued after the last knowledge, which is of this instant.
    IssuedLater(Instant),
    /// It is an emergency.
    Emergency,
}

impl Knowledge {
    /// That of a worker that begins now, with so many issuers.
    pub(crate) fn new(issuers: usize, now: Instant) -> Knowledge {
        Knowledge {
            start: now,
            process: None,
            feed: None,
            answered: vec![None; issuers],
            last_now: now,
        }
    }

    /// Some VM of this process knew something then.
    pub(crate) fn process_as_of(&mut self, asked: Instant, now: Instant) {
        self.notice(now);
        self.process = self.process.max(Some(asked.min(now)));
    }

    /// The feed has answered a question that was asked then.
    pub(crate) fn feed_as_of(&mut self, asked: Instant, now: Instant) {
        self.notice(now);
        // What comes from a clock that was set back since says no more than the present.
        self.feed = self.feed.max(Some(asked.min(now)));
    }

    /// Introspection has answered a question about a grant of this issuer that was asked then.
    pub(crate) fn answered_as_of(&mut self, issuer: usize, asked: Instant, now: Instant) {
        self.notice(now);
        if let Some(answered) = self.answered.get_mut(issuer) {
            *answered = (*answered).max(Some(asked.min(now)));
        }
    }

    /// A clock that was set back takes everything back with it.
    pub(crate) fn notice(&mut self, now: Instant) {
        let set_back = self.last_now.since(now);
        self.last_now = now;
        if set_back.is_zero() {
            return;
        }
        self.start = self.start.before(set_back);
        for at in self.answered.iter_mut().chain([&mut self.feed, &mut self.process]).flatten() {
            *at = at.before(set_back);
        }
    }

    /// When something was last known of the grants of this issuer; where this worker never knew anything, when its
    /// process did, and else its start.
    pub(crate) fn last(&self, issuer: usize) -> Instant {
        let answered = self.answered.get(issuer).copied().flatten();
        self.feed.max(answered).or(self.process).unwrap_or(self.start)
    }

    /// Whether `on_unavailable: allow`, which counts for `counts_for`, lets a grant through that is not
    /// confirmed.
    pub(crate) fn lets_through(
        &self,
        token: &VerifiedToken,
        counts_for: Duration,
        now: Instant,
    ) -> Result<(), NotLetThrough> {
        let claims = token.claims();
        let last = self.last(token.issuer());
        if claims.breakglass.emergency {
            return Err(NotLetThrough::Emergency);
        }
        if now > last.after(counts_for) {
            return Err(NotLetThrough::TooOld(last));
        }
        if Instant::from_seconds(claims.iat) > last {
            return Err(NotLetThrough::IssuedLater(last));
        }
        Ok(())
    }
}

impl NotLetThrough {
    /// What happened, and what to do, for the holder.
    pub(crate) fn remedy(self, counts_for: Duration) -> String {
        let why = match self {
            NotLetThrough::TooOld(last) => format!(
                "this proxy has known nothing of revocations since {}, and lets grants through unverified for {} \
                 after that (`unavailable_for`)",
                last.rfc3339(),
                format_duration(counts_for)
            ),
            NotLetThrough::IssuedLater(last) => format!(
                "this proxy has known nothing of revocations since {}, and the token was issued later",
                last.rfc3339()
            ),
            NotLetThrough::Emergency => {
                "an emergency grant is never let through unverified".to_owned()
            }
        };
        format!(
            "whether the grant still stands could not be checked: {why}. Try again when this proxy reaches the approval \
             service: its log says since when it does not, and why"
        )
    }
}
