//! What the answers of others teach: keys, verdicts, revocations.

use crate::calls::{Answer, StreamId};
use crate::instant::Instant;
use crate::introspection::{Verdict, read_answer};
use crate::json::Json;
use crate::revocations::Learnt;
use crate::sharing::Board;
use crate::sources::{Failure, Source};
use crate::step::Step;
use crate::token::{KeySet, unusable_entries};

use super::{TICK, Worker};

/// What is expected of the feed.
const NO_NEWS: &str =
    "expected JSON with `epoch`, `revoked` and `reset` that goes on from what was asked for";

/// What is expected of introspection.
const NO_VERDICT: &str =
    "expected JSON with a boolean `active`, about the grant that was asked about";

impl Worker {
    /// Notes whether a source has answered, and else why not; `read` says whether a response with status 200 was an
    /// answer.
    fn note(&mut self, source: Source, answer: &Answer<'_>, read: Result<(), &str>, now: Instant) {
        let result = match Failure::of(answer, 200) {
            Some(failure) => Err(failure),
            None => read.map_err(Failure::no_answer),
        };
        self.sources.asked(source, result, now);
    }

    /// Asks the feed, if it is time and this VM's turn.
    pub(super) fn poll(&mut self, now: Instant) {
        if self.config.revocation.feed.is_none() {
            return;
        }
        let left_behind = || self.revocations.is_left_behind(&self.config, now);
        if self.revocations.is_due(now) && (self.leads || left_behind()) {
            let query = self.revocations.ask(&self.config, self.identity.node.as_deref(), now);
            self.calls.queue_feed(&query, now);
        }
    }

    /// Whether this VM is the one to poll, and no poll is under way: the sooner the next one, the less time in
    /// which nobody asks.
    pub(super) fn is_to_poll(&self) -> bool {
        self.leads && self.config.revocation.feed.is_some() && !self.revocations.is_asking()
    }

    /// What a worker without requests, which seldom looks, must know before it judges one.
    pub(super) fn catch_up(&mut self, board: &dyn Board, now: Instant) {
        let is_recent = |at: Instant| at <= now && now.since(at) < TICK;
        // Where others run, what is new can end them: that is for a tick, which then comes soon.
        if self.is_idle() && !self.looked_at.is_some_and(is_recent) {
            self.look_for_news(board, now);
            // What others share may not go on from what is known here.
            self.poll(now);
        }
    }

    /// Learns what the other VMs of this proxy know. Whether some grant is known to be revoked that was not.
    fn look_for_news(&mut self, board: &dyn Board, now: Instant) -> bool {
        let Some(sharing) = &mut self.sharing else { return false };
        self.looked_at = Some(now);
        let Some(window) = sharing.news(board) else { return false };
        let as_of = Instant::from_millis(window.as_of);
        self.knowledge.process_as_of(as_of, now);
        let is_new = self.revocations.follow(window, now);
        if self.revocations.position().is_some_and(|(.., known)| known == as_of) {
            self.knowledge.feed_as_of(as_of, now);
        }
        is_new
    }

    /// Shares what is known with the other VMs of this proxy, and learns what they know.
    pub(super) fn share(&mut self, board: &dyn Board, now: Instant) -> Vec<(StreamId, Step)> {
        let Some(sharing) = &self.sharing else { return Vec::new() };
        self.leads = sharing.leads(board, now);
        let is_new = self.look_for_news(board, now);
        let steps = if is_new { self.cut_revoked(now) } else { Vec::new() };
        if std::mem::take(&mut self.has_news)
            && let Some(sharing) = &mut self.sharing
            && let Some((position, feed, as_of)) = self.revocations.position()
        {
            sharing.publish(board, (position, feed), as_of, now);
        }
        steps
    }

    /// Learns what was revoked, and ends what runs under it.
    pub(super) fn learn_news(
        &mut self,
        answer: &Answer<'_>,
        now: Instant,
    ) -> Vec<(StreamId, Step)> {
        let learnt = match answer {
            Answer::Response { status: 200, body } => self.revocations.learn(body, now),
            Answer::Response { status: 400, .. } => {
                self.revocations.refused(now);
                None
            }
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                self.revocations.failed(now);
                None
            }
        };
        self.note(Source::Feed, answer, learnt.is_some().then_some(()).ok_or(NO_NEWS), now);
        self.counters.call("feed", if learnt.is_some() { "ok" } else { "failed" });
        self.poll(now);
        let Some(Learnt { is_new, recent }) = learnt else { return Vec::new() };
        if let Some((.., as_of)) = self.revocations.position() {
            self.knowledge.feed_as_of(as_of, now);
        }
        if let Some(sharing) = &mut self.sharing {
            self.has_news = true;
            sharing.learnt(recent, now);
        }
        if is_new { self.cut_revoked(now) } else { Vec::new() }
    }

    /// Whether the answer brought keys.
    pub(super) fn learn_keys(&mut self, issuer: usize, answer: &Answer<'_>, now: Instant) -> bool {
        let keys = match answer {
            Answer::Response { status: 200, body } => read_keys(body),
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                Err(String::new())
            }
        };
        self.counters.call("jwks", if keys.is_ok() { "ok" } else { "failed" });
        let why = keys.as_ref().map(|_| ()).map_err(String::as_str);
        self.note(Source::Keys(issuer), answer, why, now);
        let Ok(keys) = keys else {
            self.keys.fetch_failed(issuer, now);
            return false;
        };
        let unusable = keys.unusable();
        if self.keys.fetched(issuer, keys, now) {
            self.memory.forget_tokens();
            self.sources.published(issuer, unusable);
        }
        true
    }

    pub(super) fn learn_verdict(
        &mut self,
        (issuer, jti): (usize, &str),
        answer: &Answer<'_>,
        asked_at: Instant,
        now: Instant,
    ) -> Option<Verdict> {
        let verdict = match answer {
            Answer::Response { status, body } => read_answer(*status, body, jti),
            Answer::Failed | Answer::NotSent | Answer::TimedOut => None,
        };
        let found = verdict.map(|_| ()).ok_or(NO_VERDICT);
        self.note(Source::Introspection, answer, found, now);
        let result = match verdict {
            Some(Verdict::Active) => "ok",
            Some(Verdict::Inactive) => "inactive",
            None => "failed",
        };
        self.counters.call("introspection", result);
        if let (Some(verdict), Some(introspection)) =
            (verdict, &self.config.revocation.introspection)
        {
            self.memory.keep_verdict(issuer, jti, verdict, now, introspection.cache);
            self.knowledge.answered_as_of(issuer, asked_at, now);
        }
        verdict
    }
}

/// The key set that an issuer published, or why it is none.
fn read_keys(body: &[u8]) -> Result<KeySet, String> {
    let json = Json::parse(body).map_err(|_| "expected JSON, each name once".to_owned())?;
    KeySet::read_remote(&json).map_err(|error| {
        let unusable = unusable_entries(&json);
        let entries = unusable.iter().take(4).map(|entry| format!("; {entry}"));
        std::iter::once(error.to_string()).chain(entries).collect()
    })
}
