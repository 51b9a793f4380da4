//! Ending what was allowed: when its grant is revoked, and when its token is void.

use std::collections::HashSet;

use crate::audit::{Decision, RevocationSource, Ruled, Standing};
use crate::calls::StreamId;
use crate::config::Enforcement;
use crate::decision::{Denial, Token};
use crate::instant::Instant;
use crate::reason::DenyReason;
use crate::refusal::refuse;
use crate::step::Step;

use super::{Stream, Worker};

impl Worker {
    /// Ends the requests under grants that are revoked, those that still wait among them.
    pub(super) fn cut_revoked(
        &mut self,
        revoked: &HashSet<Box<str>>,
        now: Instant,
    ) -> Vec<(StreamId, Step)> {
        let skew = self.config.clock_skew;
        let (mut running, mut waiting) = (Vec::new(), Vec::new());
        for (id, stream) in &self.streams {
            let token = match stream {
                Stream::Decided(decided) => decided.ruled.token.clone(),
                Stream::Waiting(waiting) => match &waiting.token {
                    Token::Bytes(bytes) => self.memory.token(bytes, now, skew),
                    Token::Nothing | Token::Duplicated => None,
                },
            };
            if !token.is_some_and(|token| revoked.contains(token.claims().jti.as_str())) {
                continue;
            }
            match stream {
                Stream::Decided(_) => running.push(*id),
                Stream::Waiting(_) => waiting.push(*id),
            }
        }
        let mut steps: Vec<_> = running
            .into_iter()
            .filter_map(|id| Some((id, self.cut(id, DenyReason::Revoked, now)?)))
            .collect();
        for id in waiting {
            let Some(waiting) = self.take_waiting(id) else { continue };
            let certificate = waiting.certificate.clone();
            steps.push((id, self.decide(id, *waiting, &|| certificate.clone(), now)));
        }
        steps
    }

    /// Ends the requests whose tokens are void.
    pub(super) fn cut_void(&mut self, now: Instant) -> Vec<(StreamId, Step)> {
        let mut steps = Vec::new();
        while let Some((void_at, stream)) = self.deadlines.first().copied()
            && void_at <= now
        {
            self.deadlines.pop_first();
            steps
                .extend(self.cut(stream, DenyReason::TokenExpired, now).map(|step| (stream, step)));
        }
        steps
    }

    /// Ends a request that was allowed; nothing if it was not, or was cut before: a second answer to
    /// a stream that has begun to answer crashes Envoy.
    ///
    /// INVARIANT (one-cut): a stream is cut at most once, because what is cut is no longer `Allow`.
    fn cut(&mut self, stream: StreamId, reason: DenyReason, now: Instant) -> Option<Step> {
        let allowed = matches!(
            self.streams.get(&stream)?,
            Stream::Decided(decided) if decided.ruled.decision == Decision::Allow
        );
        if !allowed || self.config.enforcement == Enforcement::Shadow {
            return None;
        }
        let Stream::Decided(decided) = self.take(stream)? else { return None };
        let ruled = decided.ruled;
        let token = ruled.token.clone();
        let refusal = refuse(&Denial { token, ..Denial::of(reason) }, &ruled.facts, &self.config);
        // What ended the stream is known from the feed; an expiry is known without it.
        let standing = match reason {
            DenyReason::Revoked => Some(Standing {
                source: RevocationSource::Feed,
                epoch: self.revocations.epoch(),
                epoch_age: self.revocations.age(now),
            }),
            _ => ruled.standing,
        };
        let ruled = Ruled { decision: Decision::Cut, reason: reason.code(), standing, ..ruled };
        let record = self.keep(stream, ruled);
        Some(Step::Refuse(refusal, record))
    }
}
