//! Alerts: what a person should hear of within a second. One VM decides which there are, and reports them to the approval
//! service (`POST /v1/alerts`), whose delivery is at least once.
//!
//! - `kind`: which decision causes which alert. `described`: what is in one.
//! - `first_use`: which grants this VM has seen in use. `rate`: what strangers can cause at will becomes an alert only
//!   above a rate. `trouble`: what lasts begins, and is over.
//! - `table`: the queue, bounded in bytes and entries, in which an alert stands for all of its kind and grant in a minute.
//! - `delivery`: when a report is made, and again. `answer`: what came of one.
//!
//! INVARIANT (alerts-counted): all that is caused is told: by an alert, by the count of one, or by the count of what was
//! dropped. What is queued when the VM itself goes is lost, and so is the count of it.
//!
//! None of this decides anything about a request, or lets one wait: a decision costs a look at the table, and for the
//! first of a kind and grant in a minute a few texts.

mod answer;
mod delivery;
mod described;
mod first_use;
mod kind;
mod rate;
mod table;
mod trouble;

use std::time::Duration;

use breakglass_types::alerts::{AlertKind, AlertsReport};

use crate::audit::Ruled;
use crate::calls::Answer;
use crate::config::Config;
use crate::instant::Instant;
use crate::reason::{DenyReason, Reason};
use crate::request::Facts;
use crate::token::VerifiedToken;

use delivery::{Delivery, Ended};
use described::{
    chain_restarted, configured_twice, decision, feed_trouble, is_emergency, key_trouble, stranger,
};
use first_use::FirstUses;
use rate::Rate;
use table::{Key, Table};
use trouble::Trouble;

pub(crate) use answer::Arrival;
pub(crate) use table::AlertCounts;

/// How long a worker that is at its end tries to report what is left: it is not freed before.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// The alerts of one VM under one configuration.
#[derive(Debug)]
pub(crate) struct Alerts {
    table: Table,
    delivery: Delivery,
    first_uses: FirstUses,
    signature_failures: Rate,
    unknown_keys: Rate,
    feed: Trouble,
    /// By the index of the issuer.
    keys: Vec<Trouble>,
    /// The time as it was last heard of, for what happens without a clock.
    now: Instant,
    ended_at: Option<Instant>,
}

/// What is known of the feed, to find trouble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeedState {
    /// How old the knowledge is; `None` if there is none.
    pub(crate) age: Option<Duration>,
    /// From where on it does not count.
    pub(crate) max_staleness: Duration,
}

impl Alerts {
    /// None, where the configuration names no place for them: then they cost nothing. `random` scatters the attempts of
    /// different VMs.
    pub(crate) fn new(config: &Config, random: [u8; 16], now: Instant) -> Option<Box<Alerts>> {
        config.alerts.as_ref()?;
        Some(Box::new(Alerts {
            table: Table::default(),
            delivery: Delivery::new(random),
            first_uses: FirstUses::new(),
            signature_failures: Rate::default(),
            unknown_keys: Rate::default(),
            feed: Trouble::default(),
            keys: config.issuers.iter().map(|_| Trouble::default()).collect(),
            now,
            ended_at: None,
        }))
    }

    /// Something was decided about a request, or about one that was decided before.
    pub(crate) fn decided(&mut self, ruled: &Ruled, config: &Config, now: Instant) {
        self.now = now;
        let Some(token) = ruled.token.as_deref() else { return };
        for kind in [self.of_use(ruled, token), kind::of(ruled)].into_iter().flatten() {
            let key = Key { kind, about: first_use::fingerprint(token) };
            self.table.cause(key, (1, now), now, |at| decision(at, kind, ruled, config));
        }
    }

    /// The same, of a request whose end is logged: without a clock.
    pub(crate) fn restated(&mut self, ruled: &Ruled, config: &Config) {
        self.decided(ruled, config, self.now);
    }

    /// The first use of a grant.
    fn of_use(&mut self, ruled: &Ruled, token: &VerifiedToken) -> Option<AlertKind> {
        let is_first =
            matches!(ruled.reason, Reason::Allowed(_)) && self.first_uses.is_first(token);
        is_first.then(|| match is_emergency(&token.claims().breakglass) {
            true => AlertKind::EmergencyUsed,
            false => AlertKind::FirstUse,
        })
    }

    /// A request is refused whose token is not verified. `token` is what the client sent.
    pub(crate) fn refused_unverified(
        &mut self,
        reason: DenyReason,
        token: &[u8],
        facts: &Facts,
        config: &Config,
        now: Instant,
    ) {
        self.now = now;
        let (kind, rate) = match reason {
            DenyReason::SignatureInvalid | DenyReason::AlgorithmNotAllowed => {
                (AlertKind::SignatureFailures, &mut self.signature_failures)
            }
            DenyReason::KeyUnknown | DenyReason::IssuerUnknown => {
                (AlertKind::UnknownKeys, &mut self.unknown_keys)
            }
            _ => return,
        };
        let Some((count, first)) = rate.note(now) else { return };
        let key = Key { kind, about: 0 };
        self.table
            .cause(key, (count, first), now, |at| stranger(at, kind, reason, token, facts, config));
    }

    /// An earlier instance of the filter, which is not known to be the same, has decided about a request.
    pub(crate) fn found_twice(
        &mut self,
        why: &str,
        listener: impl FnOnce() -> Option<String>,
        now: Instant,
    ) {
        self.now = now;
        let key = Key { kind: AlertKind::ConfiguredTwice, about: 0 };
        self.table.cause(key, (1, now), now, |at| configured_twice(at, why, listener().as_deref()));
    }

    /// This VM's chain of records begins long after `before`, when one of the same configuration began in the same Envoy
    /// process.
    pub(crate) fn restarted(&mut self, before: Instant, now: Instant) {
        let key = Key { kind: AlertKind::ChainRestarted, about: 0 };
        self.table.cause(key, (1, now), now, |at| chain_restarted(at, before));
    }

    /// Looks whether what is known of revocations is too old. Only the VM that polls for the others tells that trouble
    /// begins (`tells`): the others know what it knows.
    pub(crate) fn look_at_feed(&mut self, state: FeedState, tells: bool, now: Instant) {
        let FeedState { age, max_staleness } = state;
        let is_bad = age.is_none_or(|age| age > max_staleness);
        // An age is a proof. Without knowledge it takes as long as knowledge would count.
        let patience = if age.is_some() { Duration::ZERO } else { max_staleness };
        let Some(change) = self.feed.look(is_bad, patience, tells, now) else { return };
        let key = Key { kind: AlertKind::FeedTrouble, about: 0 };
        self.table.cause_state(key, now, |at| feed_trouble(at, change, age, max_staleness));
    }

    /// An issuer's keys were asked for: whether they came.
    pub(crate) fn keys_asked(&mut self, issuer: usize, came: bool, now: Instant) {
        if let Some(trouble) = self.keys.get_mut(issuer) {
            trouble.note(!came, now);
        }
    }

    /// Looks whether an issuer's keys cannot be fetched for longer than knowledge counts.
    pub(crate) fn look_at_keys(&mut self, config: &Config, tells: bool, now: Instant) {
        let patience = config.revocation.max_staleness;
        for (issuer, trouble) in self.keys.iter_mut().enumerate() {
            let Some(change) = trouble.tell(patience, tells, now) else { continue };
            let key =
                Key { kind: AlertKind::KeyTrouble, about: u64::try_from(issuer).unwrap_or(0) };
            let name = config.issuers.get(issuer).map_or("", |issuer| &issuer.issuer);
            self.table.cause_state(key, now, |at| key_trouble(at, change, name));
        }
    }

    /// The report that is to be made now, if there is one: it is under way then.
    pub(crate) fn begin(
        &mut self,
        node: Option<&str>,
        process: impl FnOnce() -> Option<String>,
        now: Instant,
    ) -> Option<String> {
        self.now = now;
        self.table.wake(self.ended_at.is_some(), now);
        let most = self.delivery.may_send(now)?;
        let report = match self.delivery.again() {
            Some(report) => report,
            None => {
                let batch = self.table.take(most);
                if batch.is_empty() {
                    return None;
                }
                self.delivery.report(batch, self.table.untold())
            }
        };
        let process = process();
        let alerts: Vec<_> = report.batch.iter().map(|(_, pending)| pending.alert()).collect();
        let body = serde_json::to_string(&AlertsReport {
            node: node.unwrap_or_default(),
            process: process.as_deref(),
            report: Some(self.delivery.id(&report)),
            dropped: report.dropped,
            alerts: &alerts,
        });
        match body.ok() {
            Some(body) => {
                self.delivery.began(report, now);
                Some(body)
            }
            // Nothing in ours can fail to be written.
            None => {
                self.table.given_up(&report.batch);
                None
            }
        }
    }

    /// The report that was under way was answered, or not.
    pub(crate) fn answered(&mut self, answer: &Answer<'_>, now: Instant) -> Arrival {
        self.now = now;
        let arrival = Arrival::of(answer);
        match self.delivery.ended(arrival, now) {
            Some(Ended::Arrived(report)) => self.table.arrived(report.batch, report.dropped, now),
            // Alone it is refused for what is in it: it would be refused again.
            Some(Ended::Refused(report)) if report.batch.len() > 1 => {
                self.table.refused(report.batch);
            }
            Some(Ended::Refused(report) | Ended::GivenUp(report)) => {
                self.table.given_up(&report.batch);
            }
            Some(Ended::Again) | None => {}
        }
        arrival
    }

    /// When a report is to be made next, as far as is known.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.delivery.is_under_way() {
            return None;
        }
        match self.delivery.repeats() || self.table.has_due() {
            true => Some(self.delivery.earliest()),
            false => self.table.next_wake(),
        }
    }

    /// No decision follows: what is left is told now. Whether there is nothing.
    pub(crate) fn end(&mut self, now: Instant) -> bool {
        self.ended_at = Some(now);
        self.is_over(now)
    }

    /// Whether no decision follows.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Whether one that is at its end has told all that it can.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        // A clock that was set back must not keep it.
        let in_time = |at: Instant| at <= now && now.since(at) < LAST_WORDS;
        let is_empty =
            !self.delivery.is_under_way() && !self.delivery.repeats() && self.table.is_told();
        is_empty || !self.ended_at.is_some_and(in_time)
    }

    /// Bytes of the alerts that wait, those under way included.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Hands over what was counted, and begins anew.
    pub(crate) fn take_counts(&mut self) -> AlertCounts {
        self.table.take_counts()
    }
}

#[cfg(test)]
mod tests;
