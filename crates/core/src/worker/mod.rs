//! One VM's worth of deciding: events in, steps out.
//!
//! The filter tells a [`Worker`] what happens (a request came, a call was answered, time passed, a
//! request was logged) and does what it is told. A worker never does anything by itself.

mod beside;
mod bounds;
mod cut;
mod ending;
mod heads;
mod issuer_mistakes;
mod learn;
mod probe;
mod routed;
mod ruling;
mod streams;
mod tick;
mod traces;
mod trailers;
mod twice;
mod unverified;
mod withdrawals;

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use crate::audit::{Chain, ChainKey, Decision, NODE, Pages, ReportLimit, beginning};
use crate::bodies::Traffic;
use crate::calls::{Answer, CallId, Calls, Ended, StreamId};
use crate::config::Config;
use crate::counters::Counters;
use crate::decision::{
    Answers, Configuration, Denial, Evaluation, Known, Moment, Request, Ruling, Successor, Token,
    evaluate,
};
use crate::headers::Headers;
use crate::instant::Instant;
use crate::knowledge::Knowledge;
use crate::memory::Memory;
use crate::question::Question;
use crate::reason::{DenyReason, Reason};
use crate::request::{Attributes, Facts, Presented, Seen};
use crate::revocations::Revocations;
use crate::sharing::{Board, Process, SharedHeads, Sharing};
use crate::sources::Sources;
use crate::step::{Pass, Step};
use crate::token::KeyRing;
use crate::untouched::NothingOfOurs;

use beside::Beside;
use issuer_mistakes::IssuerMistakes;
use probe::Probes;
use streams::{Past, Running, Stream, Streams, Waiting};
use traces::Traces;
use twice::Twice;
use withdrawals::Withdrawals;

pub use crate::caller::Identity;
pub use crate::decision::STREAM_DURATION_HEADER;
pub use crate::ticks::{IDLE_TICK, LEAD_TICK, SOON, TICK};
pub use breakglass_types::names::{GRANT_HEADER, SUBJECT_HEADER};
pub use tick::Tick;
pub use trailers::TrailersStep;

/// How much later than this filter Envoy ends a stream, so that what ended it is recorded by the
/// one who knows why; a quarter of a second is what a stream may outlive its token.
const BACKSTOP_DELAY: Duration = Duration::from_millis(150);

/// All that one VM knows under one configuration.
#[derive(Debug)]
pub struct Worker {
    config: Rc<Config>,
    identity: Identity,
    keys: KeyRing,
    memory: Memory,
    revocations: Revocations,
    knowledge: Knowledge,
    sources: Sources,
    /// `None` where every VM asks for itself.
    sharing: Option<Sharing>,
    chain: Chain,
    /// The head that is on its way to the approval service.
    pages: Option<Pages>,
    report_limit: ReportLimit,
    /// Whether a report was too large since the last tick.
    was_too_large: bool,
    /// `None` where every VM reports its head alone.
    heads: Option<SharedHeads>,
    /// `None` where the VMs of a process cannot agree on an id.
    process: Option<Process>,
    /// When this worker was at its end.
    ended_at: Option<Instant>,
    /// Whether it is this VM that polls the feed.
    leads: bool,
    /// Whether the last answer of the feed is still to be shared.
    has_news: bool,
    calls: Calls,
    counters: Counters,
    streams: Streams,
    /// The configuration that has come in place of this worker's.
    successor: Option<Successor>,
    /// When it was last looked at what the other VMs know.
    looked_at: Option<Instant>,
    traces: Traces,
    twice: Twice,
    withdrawals: Withdrawals,
    issuer_mistakes: IssuerMistakes,
    beside: Beside,
    probes: Probes,
}

impl Worker {
    /// A worker that knows nothing yet.
    #[must_use]
    pub fn new(config: Config, mut identity: Identity, now: Instant) -> Worker {
        // The records, the reports and the polls name one node.
        identity.node = identity.node.map(|node| beginning(&node, NODE).to_owned());
        let sharing = Sharing::new(&config, identity.id);
        Worker {
            keys: KeyRing::new(&config),
            chain: Chain::new(chain_id(&config, identity.id), now),
            pages: None,
            report_limit: ReportLimit::new(),
            was_too_large: false,
            heads: SharedHeads::new(&config, identity.id),
            process: Process::new(&config, identity.id),
            ended_at: None,
            streams: Streams::new(config.audit.start_after),
            traces: Traces::default(),
            withdrawals: Withdrawals::default(),
            twice: Twice::new(&config, &identity),
            probes: Probes::new(&config, identity.id),
            issuer_mistakes: IssuerMistakes::default(),
            knowledge: Knowledge::new(config.issuers.len(), now),
            sources: Sources::new(identity.digest),
            config: Rc::new(config),
            identity,
            memory: Memory::new(),
            revocations: Revocations::new(),
            leads: sharing.is_none(),
            sharing,
            has_news: false,
            successor: None,
            looked_at: None,
            beside: Beside::default(),
            calls: Calls::default(),
            counters: Counters::default(),
        }
    }

    /// What this worker decides by.
    #[must_use]
    pub fn config(&self) -> &Rc<Config> {
        &self.config
    }

    /// A request came, whose bodies will be counted in `traffic`. `board` is what the VMs of this proxy share.
    pub fn request(
        &mut self,
        stream: StreamId,
        headers: &Headers,
        attributes: &dyn Attributes,
        board: &dyn Board,
        traffic: &Rc<Traffic>,
        now: Instant,
    ) -> Step {
        let config = Rc::clone(&self.config);
        let mut seen = Seen::sort(headers, &config);
        if let Some(answer) = self.probe(&seen, board, now) {
            return Step::Probed(answer);
        }
        let (token, forwarded) = match seen.token(&config) {
            Presented::Nothing => (Token::Nothing, None),
            Presented::Refused(source, reason) => (Token::Refused(reason), Some(source)),
            Presented::Token(source, bytes) => (Token::Bytes(bytes.to_vec()), Some(source)),
        };
        let mut facts = Facts::of(&mut seen);
        let found = OnceCell::new();
        let look = || *found.get_or_init(|| self.twice.look(&facts, attributes));
        let moment = Moment::Arrives { earlier: &|| look().map(|found| found.earlier(attributes)) };
        let request = Request { facts: &facts, moment };
        let evaluation = evaluate(
            Configuration { own: &config, successor: self.successor.as_ref() },
            &request,
            &token,
            &mut Known {
                keys: &self.keys,
                revocations: &self.revocations,
                knowledge: &self.knowledge,
                memory: &mut self.memory,
            },
            now,
        );
        self.traces.note(stream, &evaluation.trace);
        if let Some(earlier) = found.into_inner().flatten() {
            let hidden = seen.hidden(&config, forwarded);
            return self.after_earlier(earlier, evaluation.ruling, facts, hidden, attributes);
        }
        if matches!(evaluation.ruling, Ruling::Pass) {
            self.counters.decision(Decision::Pass, Reason::NoToken);
            let nothing_of_ours = NothingOfOurs::of(&config, &token, &facts);
            return Step::Pass(Pass { remove: facts.remove, nothing_of_ours, ..Pass::default() });
        }
        self.catch_up(board, now);
        facts.ask(attributes);
        self.twice.identify(&mut facts, attributes);
        facts.keep(headers, &config);
        facts.remove.extend(seen.hidden(&config, forwarded));
        let waiting = Waiting {
            arrived: now,
            token,
            facts,
            certificate: None,
            answers: Answers::default(),
            traffic: Rc::clone(traffic),
            kept: headers.of(config.scopes.kept_headers()),
            void_at: None,
        };
        self.decide(stream, waiting, &|| attributes.client_certificate(), now)
    }

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
                self.learn_of_report(answer, now);
                Box::new(|_| {})
            }
            Question::SharedHeads => {
                self.learn_of_shared_report(answer, now);
                Box::new(|_| {})
            }
            Question::Probes => {
                self.learn_of_probes(answer, now);
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

    fn decide(
        &mut self,
        stream: StreamId,
        mut waiting: Waiting,
        certificate: &dyn Fn() -> Option<Vec<u8>>,
        now: Instant,
    ) -> Step {
        let config = Rc::clone(&self.config);
        self.knowledge.notice(now);
        let Waiting { token, facts, answers, .. } = &waiting;
        let Evaluation { ruling, trace } = evaluate(
            Configuration { own: &config, successor: self.successor.as_ref() },
            &Request { facts, moment: Moment::Judged { certificate, answers } },
            token,
            &mut Known {
                keys: &self.keys,
                revocations: &self.revocations,
                knowledge: &self.knowledge,
                memory: &mut self.memory,
            },
            now,
        );
        self.traces.note(stream, &trace);
        match ruling {
            Ruling::Allow(allowance) => self.permit(stream, waiting, allowance, now),
            Ruling::Deny(denial) => self.deny(stream, waiting, denial),
            Ruling::ShadowDeny(denial) => self.shadow_deny(stream, waiting, denial),
            // None of these is for a request that is ours to decide.
            Ruling::Pass | Ruling::StepAside | Ruling::Judge | Ruling::RunsOn(_) => {
                self.deny(stream, waiting, Denial::of(DenyReason::InternalError))
            }
            Ruling::Ask(question) => {
                let not_before = match question {
                    Question::Keys(issuer) => {
                        let at = self.keys.earliest_fetch(issuer, now);
                        self.keys.fetch_begins(issuer, at);
                        at
                    }
                    Question::Feed => {
                        self.poll(now);
                        now
                    }
                    Question::Standing { .. }
                    | Question::Head
                    | Question::SharedHeads
                    | Question::Probes => now,
                };
                let token = match &waiting.token {
                    Token::Bytes(bytes) => bytes.as_slice(),
                    Token::Nothing | Token::Refused(_) | Token::Verified(_) => &[],
                };
                self.calls.wait(stream, question, token, not_before);
                waiting.certificate = certificate();
                let known = self.memory.token(token, now, config.clock_skew);
                waiting.void_at = known.map(|known| known.void_at(config.clock_skew));
                self.streams.wait(stream, waiting);
                Step::Wait
            }
        }
    }
}

/// The id of a worker's chain: it commits to the credential, if there is one.
fn chain_id(config: &Config, random: [u8; 16]) -> [u8; 16] {
    match (&config.revocation.credential, random.first_chunk()) {
        (Some(credential), Some(random)) => {
            ChainKey::from_credential(credential.secret()).id(*random)
        }
        _ => random,
    }
}
