//! One VM's worth of deciding: events in, steps out.
//!
//! The filter tells a [`Worker`] what happens (a request came, a call was answered, time passed, a
//! request was logged) and does what it is told. A worker never does anything by itself.

mod after_earlier;
mod alerts;
mod answered;
mod beside;
mod bounds;
mod configuration_report;
mod configurations;
mod cut;
mod denial_log;
mod ending;
mod issuer_mistakes;
mod last_ticks;
mod learner;
mod measure;
mod measuring;
mod probe;
mod probes;
mod recorder;
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

use crate::alerts::Alerts;
use crate::audit::{Decision, NODE, beginning};
use crate::bodies::Traffic;
use crate::calls::{Calls, StreamId};
use crate::config::Config;
use crate::decision::{
    Answers, Configuration, Denial, Evaluation, Moment, Request, Ruling, Successor, Token, evaluate,
};
use crate::headers::Headers;
use crate::instant::Instant;
use crate::question::Question;
use crate::reason::{DenyReason, Reason};
use crate::request::{Attributes, Facts, Presented, Seen};
use crate::sharing::{Board, Process, ProcessId};
use crate::sources::Sources;
use crate::step::{Pass, Step};
use crate::trace::Trace;
use crate::untouched::NothingOfOurs;

use configuration_report::ConfigurationReport;
use denial_log::DenialLog;
use learner::Learner;
use measuring::Measuring;
use probes::Probes;
use recorder::Recorder;
use streams::{Past, Running, Stream, Streams, Waiting};
use traces::Traces;
use twice::Twice;

pub use crate::caller::Identity;
pub use crate::decision::STREAM_DURATION_HEADER;
pub use crate::ticks::{IDLE_TICK, LEAD_TICK, SOON, TICK};
pub use breakglass_types::names::{GRANT_HEADER, SUBJECT_HEADER};
pub use tick::Tick;
pub use trailers::TrailersStep;

/// How much later than this filter Envoy ends a stream, so that what ended it is recorded by the
/// one who knows why; a quarter of a second is what a stream may outlive its token.
const BACKSTOP_DELAY: Duration = Duration::from_millis(150);

/// One VM's worker under one configuration: it coordinates what runs, what is known and what is recorded.
#[derive(Debug)]
pub struct Worker {
    config: Rc<Config>,
    identity: Identity,
    /// What runs.
    streams: Streams,
    /// What is known.
    learner: Learner,
    /// What is recorded.
    recorder: Recorder,
    calls: Calls,
    /// The configuration that has come in place of this worker's.
    successor: Option<Successor>,
    /// `None` where the VMs of a process cannot agree on an id.
    process: Option<Process>,
    probes: Probes,
    configuration_report: ConfigurationReport,
    twice: Twice,
    sources: Sources,
    denial_log: DenialLog,
    /// `None` where the configuration names no place for them.
    alerts: Option<Box<Alerts>>,
    measuring: Measuring,
    traces: Traces,
}

impl Worker {
    /// A worker that knows nothing yet.
    #[must_use]
    pub fn new(config: Config, mut identity: Identity, now: Instant) -> Worker {
        // The records, the reports and the polls name one node.
        identity.node = identity.node.map(|node| beginning(&node, NODE).to_owned());
        let config = Rc::new(config);
        Worker {
            streams: Streams::new(config.audit.start_after),
            learner: Learner::new(&config, &identity, now),
            recorder: Recorder::new(&config, &identity, now),
            calls: Calls::default(),
            successor: None,
            process: Process::new(&config, identity.id),
            probes: Probes::new(&config, identity.id),
            configuration_report: ConfigurationReport::new(&config, identity.digest),
            twice: Twice::new(&config, &identity),
            sources: Sources::new(identity.digest),
            denial_log: DenialLog::default(),
            alerts: Alerts::new(&config, identity.id, now),
            measuring: Measuring::new(&config, identity.id),
            traces: Traces::default(),
            config,
            identity,
        }
    }

    /// What this worker decides by.
    #[must_use]
    pub fn config(&self) -> &Rc<Config> {
        &self.config
    }

    /// Keeps from now on by which steps requests are decided.
    pub fn keep_traces(&mut self) {
        self.traces.begin();
    }

    /// Hands over what was kept since the last time: beyond a thousand the last ones are left
    /// out.
    pub fn take_traces(&mut self) -> Vec<(StreamId, Trace)> {
        self.traces.take()
    }

    fn process_id(&mut self, board: &dyn Board) -> Option<ProcessId> {
        self.process.as_mut()?.id(board)
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
            &mut self.learner.known(),
            now,
        );
        self.traces.note(stream, &evaluation.trace);
        if let Some(earlier) = found.into_inner().flatten() {
            let hidden = seen.hidden(&config, forwarded);
            self.alert_of_earlier(earlier, attributes, now);
            return self.after_earlier(earlier, evaluation.ruling, facts, hidden, attributes);
        }
        if matches!(evaluation.ruling, Ruling::Pass) {
            self.recorder.count_decision(Decision::Pass, Reason::NoToken, None);
            let nothing_of_ours = NothingOfOurs::of(&config, &token, &facts);
            return Step::Pass(Pass { remove: facts.remove, nothing_of_ours, ..Pass::default() });
        }
        // Where others run, what is new can end them: that is for a tick, which then comes soon.
        if self.is_idle() {
            self.learner.catch_up(board, &mut self.calls, now);
        }
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

    fn decide(
        &mut self,
        stream: StreamId,
        mut waiting: Waiting,
        certificate: &dyn Fn() -> Option<Vec<u8>>,
        now: Instant,
    ) -> Step {
        let config = Rc::clone(&self.config);
        self.learner.notice(now);
        let Waiting { token, facts, answers, .. } = &waiting;
        let Evaluation { ruling, trace } = evaluate(
            Configuration { own: &config, successor: self.successor.as_ref() },
            &Request { facts, moment: Moment::Judged { certificate, answers } },
            token,
            &mut self.learner.known(),
            now,
        );
        self.traces.note(stream, &trace);
        match ruling {
            Ruling::Allow(allowance) => self.permit(stream, waiting, allowance, now),
            Ruling::Deny(denial) => self.deny(stream, waiting, denial, now),
            Ruling::ShadowDeny(denial) => self.shadow_deny(stream, waiting, denial, now),
            // None of these is for a request that is ours to decide.
            Ruling::Pass | Ruling::StepAside | Ruling::Judge | Ruling::RunsOn(_) => {
                self.deny(stream, waiting, Denial::of(DenyReason::InternalError), now)
            }
            Ruling::Ask(question) => {
                let not_before = match question {
                    Question::Keys(issuer) => self.learner.fetch_keys(issuer, now),
                    Question::Feed => {
                        self.learner.poll(&mut self.calls, now);
                        now
                    }
                    Question::Standing { .. }
                    | Question::Head
                    | Question::SharedHeads
                    | Question::Probes
                    | Question::Configuration
                    | Question::Alerts => now,
                };
                let token = match &waiting.token {
                    Token::Bytes(bytes) => bytes.as_slice(),
                    Token::Nothing | Token::Refused(_) | Token::Verified(_) => &[],
                };
                self.calls.wait(stream, question, token, not_before);
                waiting.certificate = certificate();
                let known = self.learner.token(token, now);
                waiting.void_at = known.map(|known| known.void_at(config.clock_skew));
                self.streams.wait(stream, waiting);
                Step::Wait
            }
        }
    }
}
