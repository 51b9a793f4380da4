//! What the answers of others teach: keys, verdicts, revocations.

use std::collections::HashSet;

use crate::calls::{Answer, StreamId};
use crate::instant::Instant;
use crate::introspection::{Verdict, read_answer};
use crate::json::Json;
use crate::step::Step;
use crate::token::KeySet;

use super::Worker;

impl Worker {
    /// Asks the feed, if it is time.
    pub(super) fn poll(&mut self, now: Instant) {
        if self.config.revocation.feed.is_some() && self.revocations.is_due(now) {
            let query = self.revocations.ask(&self.config, self.node.as_deref(), now);
            self.calls.queue_feed(&query, now);
        }
    }

    /// Learns what was revoked, and ends what runs under it. The next poll is queued at once.
    pub(super) fn learn_news(
        &mut self,
        answer: &Answer<'_>,
        now: Instant,
    ) -> Vec<(StreamId, Step)> {
        let news = match answer {
            Answer::Response { status: 200, body } => self.revocations.learn(body, now),
            Answer::Response { .. } | Answer::Failed => {
                self.revocations.failed(now);
                None
            }
        };
        self.counters.call("feed", if news.is_some() { "ok" } else { "failed" });
        self.poll(now);
        let revoked: HashSet<Box<str>> = news.unwrap_or_default().into_iter().collect();
        if revoked.is_empty() { Vec::new() } else { self.cut_revoked(&revoked, now) }
    }

    /// Whether the answer brought keys.
    pub(super) fn learn_keys(&mut self, issuer: usize, answer: &Answer<'_>, now: Instant) -> bool {
        let keys = match answer {
            Answer::Response { status: 200, body } => {
                Json::parse(body).ok().and_then(|json| KeySet::read_remote(&json).ok())
            }
            Answer::Response { .. } | Answer::Failed => None,
        };
        self.counters.call("jwks", if keys.is_some() { "ok" } else { "failed" });
        let Some(keys) = keys else {
            self.keys.fetch_failed(issuer, now);
            return false;
        };
        if self.keys.fetched(issuer, keys, now) {
            self.memory.forget_tokens();
        }
        true
    }

    pub(super) fn learn_verdict(
        &mut self,
        issuer: usize,
        jti: &str,
        answer: &Answer<'_>,
        now: Instant,
    ) -> Option<Verdict> {
        let verdict = match answer {
            Answer::Response { status, body } => read_answer(*status, body, jti),
            Answer::Failed => None,
        };
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
        }
        verdict
    }
}
