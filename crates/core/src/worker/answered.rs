//! What comes of a call: the learner or the recorder hears of it, it is counted, and the log says when a source begins
//! to fail.

use crate::calls::{Answer, CallId, Ended, StreamId};
use crate::decision::Answers;
use crate::instant::Instant;
use crate::introspection::Verdict;
use crate::question::Question;
use crate::sources::{Failure, Source};
use crate::step::Step;

use super::Worker;
use super::recorder::Arrival;

/// What is expected of the feed.
const NO_NEWS: &str =
    "expected JSON with `epoch`, `revoked` and `reset` that goes on from what was asked for";

/// What is expected of introspection.
const NO_VERDICT: &str =
    "expected JSON with a boolean `active`, about the grant that was asked about";

impl Worker {
    /// A call was answered. A call that was ended before, or that is not ours, is no news.
    pub fn answer(
        &mut self,
        call: CallId,
        answer: &Answer<'_>,
        now: Instant,
    ) -> Vec<(StreamId, Step)> {
        let Some(Ended { question, waiting, asked_at }) = self.calls.end(call) else {
            return Vec::new();
        };
        // What Envoy did not take has taken no time.
        if !matches!(answer, Answer::NotSent) {
            self.recorder.measures().took(question.purpose(), now.since(asked_at));
        }
        let mut steps = Vec::new();
        let learn: Box<dyn Fn(&mut Answers)> = match question {
            Question::Keys(issuer) => {
                let fetched = self.learn_keys(issuer, answer, now);
                Box::new(move |answers| answers.keys = Some(fetched))
            }
            Question::Feed => {
                steps = self.learn_news(answer, now);
                Box::new(|answers| answers.feed = true)
            }
            Question::Head => {
                let arrival = self.recorder.learn_of_report(answer, &mut self.calls, now);
                self.note_report(arrival, answer, now);
                Box::new(|_| {})
            }
            Question::SharedHeads => {
                let arrival = self.recorder.learn_of_shared_report(answer);
                self.note_report(arrival, answer, now);
                Box::new(|_| {})
            }
            Question::Probes => {
                self.learn_of_probes(answer, now);
                Box::new(|_| {})
            }
            Question::Configuration => {
                self.learn_of_configuration(answer, now);
                Box::new(|_| {})
            }
            Question::Alerts => {
                self.learn_of_alerts(answer, now);
                Box::new(|_| {})
            }
            Question::Standing { issuer, jti } => {
                let verdict = self.learn_verdict((issuer, &jti), answer, asked_at, now);
                Box::new(move |answers| answers.standing = Some(verdict))
            }
        };
        for stream in waiting {
            // A client that went away meanwhile has left nothing to decide.
            let Some(mut waiting) = self.streams.take_waiting(stream) else { continue };
            learn(&mut waiting.answers);
            let certificate = waiting.certificate.clone();
            steps.push((stream, self.decide(stream, *waiting, &|| certificate.clone(), now)));
        }
        steps
    }

    /// Notes whether a source has answered, and else why not; `read` says whether a response with status 200 was an
    /// answer.
    pub(super) fn note(
        &mut self,
        source: Source,
        answer: &Answer<'_>,
        read: Result<(), &str>,
        now: Instant,
    ) {
        let result = match Failure::of(answer, 200) {
            Some(failure) => Err(failure),
            None => read.map_err(Failure::no_answer),
        };
        self.sources.asked(source, result, now);
    }

    fn note_report(&mut self, arrival: Arrival, answer: &Answer<'_>, now: Instant) {
        // One that is too large has a line of its own.
        if arrival != Arrival::TooLarge {
            self.note(Source::Heads, answer, Ok(()), now);
        }
    }

    /// Whether the answer brought keys.
    fn learn_keys(&mut self, issuer: usize, answer: &Answer<'_>, now: Instant) -> bool {
        let learnt = self.learner.learn_keys(issuer, answer, now);
        self.recorder.count_call("jwks", if learnt.is_ok() { "ok" } else { "failed" });
        self.measure_keys();
        let why = learnt.as_ref().map(|_| ()).map_err(String::as_str);
        self.note(Source::Keys(issuer), answer, why, now);
        let fetched = learnt.is_ok();
        if let Some(alerts) = &mut self.alerts {
            alerts.keys_asked(issuer, fetched, now);
        }
        if let Ok(Some(unusable)) = learnt {
            self.sources.published(issuer, unusable);
        }
        fetched
    }

    /// Learns what was revoked, and ends what runs under it.
    fn learn_news(&mut self, answer: &Answer<'_>, now: Instant) -> Vec<(StreamId, Step)> {
        let learnt = self.learner.learn_news(answer, &mut self.calls, now);
        self.note(Source::Feed, answer, learnt.map(|_| ()).ok_or(NO_NEWS), now);
        self.recorder.count_call("feed", if learnt.is_some() { "ok" } else { "failed" });
        if learnt.is_some() {
            self.measure_feed();
        }
        if learnt == Some(true) { self.cut_revoked(now) } else { Vec::new() }
    }

    fn learn_verdict(
        &mut self,
        grant: (usize, &str),
        answer: &Answer<'_>,
        asked_at: Instant,
        now: Instant,
    ) -> Option<Verdict> {
        let verdict = self.learner.learn_verdict(grant, answer, asked_at, now);
        self.note(Source::Introspection, answer, verdict.map(|_| ()).ok_or(NO_VERDICT), now);
        let result = match verdict {
            Some(Verdict::Active) => "ok",
            Some(Verdict::Inactive) => "inactive",
            None => "failed",
        };
        self.recorder.count_call("introspection", result);
        verdict
    }
}
