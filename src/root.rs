//! One worker thread under one configuration: configures, ticks, makes calls and hears the answers.
//!
//! All calls are made from the tick, so they belong to the root context and outlive the requests
//! that wait for them; a request that begins to wait brings the next tick forward. (Envoy drops the
//! answer to a stream's call when the stream is gone, and a call that is made inside the callback
//! of another one crashes Envoy when it shuts down.)

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use breakglass_core::calls::{Answer, CallId, StreamId};
use breakglass_core::config::{Config, ConfigDigest};
use breakglass_core::instant::Instant;
use breakglass_core::sharing::is_first_to_warn;
use breakglass_core::step::Step;
use breakglass_core::worker::{Identity, SOON, TICK, Worker};
use breakglass_types::feed::MAX_ANSWER_BYTES;
use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};

use crate::apply::{Flow, apply};
use crate::host::{self, Metrics};
use crate::http::Http;
use crate::shared::Shared;

/// The most requests that are ended, or go on, in one callback. Envoy does each of these when the
/// callback is over, calls the VM for it (to log the request, for one), and does the next one when
/// that callback is over, inside of it: the calls nest, and about five hundred of them are more than
/// the VM's stack holds.
const MAX_STEPS: usize = 64;

/// The root context.
pub(crate) struct Root {
    id: u32,
    /// `None` until a configuration was accepted.
    shared: Option<Rc<Shared>>,
    calls: HashMap<u32, CallId>,
    metrics: Metrics,
    /// Steps that wait for a callback of their own, in the order in which they were decided.
    steps: VecDeque<(StreamId, Step)>,
    /// Whether it is at its end, and has asked Envoy for the time to say so.
    ends: bool,
}

impl Root {
    pub(crate) fn new(id: u32) -> Root {
        Root {
            id,
            shared: None,
            calls: HashMap::new(),
            metrics: Metrics::default(),
            steps: VecDeque::new(),
            ends: false,
        }
    }

    /// Carries out the steps of requests that have waited, as many as one callback may; the others
    /// are for the next tick.
    fn apply(&mut self, steps: Vec<(StreamId, Step)>, shared: &Shared) {
        // An end counts over what else was decided: a request must not go on and be ended in one
        // callback.
        let ends = |step: &Step| matches!(step, Step::Refuse(..) | Step::RefuseUnrecorded(_));
        let ended: HashSet<StreamId> =
            steps.iter().filter(|(_, step)| ends(step)).map(|(stream, _)| *stream).collect();
        self.steps.retain(|(earlier, _)| !ended.contains(earlier));
        let counts = |(stream, step): &(StreamId, Step)| ends(step) || !ended.contains(stream);
        self.steps.extend(steps.into_iter().filter(counts));
        for _ in 0..MAX_STEPS {
            let Some((stream, step)) = self.steps.pop_front() else { break };
            // A stream that is gone has nothing left to do.
            if host::enter(stream).is_err() {
                continue;
            }
            match apply(step, stream, &shared.worker) {
                Flow::Hold => {}
                Flow::Continue => {
                    if let Err(status) = host::continue_request() {
                        error!("breakglass: a request could not go on: {status:?}");
                    }
                }
            }
        }
        if let Err(status) = host::enter(self.id) {
            error!("breakglass: the root context is gone: {status:?}");
        }
    }
}

impl Context for Root {
    fn on_http_call_response(
        &mut self,
        token: u32,
        header_count: usize,
        body_size: usize,
        _trailer_count: usize,
    ) {
        let (Some(call), Some(shared)) = (self.calls.remove(&token), self.shared.clone()) else {
            return;
        };
        let response = match header_count {
            0 => None,
            _ => host::call_response(body_size, MAX_ANSWER_BYTES),
        };
        let answer = match &response {
            Some((status, body)) => Answer::Response { status: *status, body },
            None => Answer::Failed,
        };
        let Some(now) = host::now() else { return };
        let steps = match shared.worker.try_borrow_mut() {
            Ok(mut worker) => {
                // Where no answer came there are no headers to look into.
                let header = |name: &str| match &response {
                    Some(_) => host::call_response_header(name),
                    None => None,
                };
                worker.polled(call, header);
                let steps = worker.answer(call, &answer, now);
                Shared::say_steps(&mut worker);
                steps
            }
            Err(_) => return,
        };
        self.apply(steps, &shared);
        self.keep_time(&shared, now);
    }

    /// A new configuration has come in place of this one's, and its last request is over; or Envoy
    /// ends, and then no tick follows. Where the VM itself was replaced, none follows either.
    fn on_done(&mut self) -> bool {
        let (Some(shared), Some(now)) = (self.shared.clone(), host::now()) else { return true };
        let Ok(mut worker) = shared.worker.try_borrow_mut() else { return true };
        self.ends = !worker.end(&host::SharedData, now);
        !self.ends
    }
}

impl Root {
    /// Sets the time of the next tick: an answer can raise the next question, first the keys, then the grant.
    fn keep_time(&self, shared: &Shared, now: Instant) {
        let period = if self.steps.is_empty() { shared.wanted(now) } else { SOON };
        if let Err(status) = shared.tick_every(period) {
            warn!("breakglass: the time of the next tick cannot be set: {status:?}");
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let text = match host::configuration(size) {
            Ok(text) => text,
            Err(status) => {
                error!("breakglass: the configuration cannot be read: {status:?}");
                return false;
            }
        };
        let config = match Config::parse(&text, &|name| std::env::var(name).ok()) {
            Ok(config) => config,
            Err(errors) => {
                for error in &errors {
                    error!("breakglass: configuration: {error}");
                }
                error!("breakglass: the configuration is refused ({} errors)", errors.len());
                return false;
            }
        };
        if let Err(status) = host::tick_every(TICK) {
            error!("breakglass: the host does not tick: {status:?}");
            return false;
        }
        info!(
            "breakglass {} configured: {} issuers, {} scopes, {:?}",
            env!("CARGO_PKG_VERSION"),
            config.issuers.len(),
            config.scopes.iter().count(),
            config.enforcement,
        );
        let digest = ConfigDigest::of(&text);
        let warnings = config.warnings();
        if !warnings.is_empty() && is_first_to_warn(&host::SharedData, digest) {
            for warning in warnings {
                warn!("breakglass: configuration: {warning}");
            }
        }
        let Some(id) = host::random() else {
            error!("breakglass: the host has no random numbers");
            return false;
        };
        let identity =
            Identity { node: host::node_id(), id, version: env!("CARGO_PKG_VERSION"), digest };
        // Without a clock nothing is decided, and there is no record to chain.
        let now = host::now().unwrap_or(Instant::from_millis(0));
        let mut worker = Worker::new(config, identity, now);
        if host::logs_debug() {
            proxy_wasm::set_log_level(LogLevel::Debug);
            worker.keep_traces();
        }
        let plugin = host::plugin();
        self.shared = Some(Rc::new(Shared::new(self.id, plugin, worker)));
        true
    }

    fn on_tick(&mut self) {
        #[cfg(feature = "panics-on-purpose")]
        crate::panics::at_tick();
        let Some(shared) = self.shared.clone() else { return };
        self.metrics.count(shared.failures.take());
        let Some(now) = host::now() else { return };
        let Ok((mut tick, withdrawn)) = shared.worker.try_borrow_mut().map(|mut worker| {
            let outcome = (worker.tick(&host::SharedData, now), shared.supersede(&mut worker, now));
            Shared::say_steps(&mut worker);
            outcome
        }) else {
            return;
        };
        self.metrics.take(&mut tick);
        let mut steps = tick.steps;
        steps.extend(withdrawn);
        for call in &tick.calls {
            match host::dispatch(call) {
                Some(token) => {
                    self.calls.insert(token, call.id);
                }
                // The worker says so in the log, once.
                None => {
                    if let Ok(mut worker) = shared.worker.try_borrow_mut() {
                        steps.extend(worker.answer(call.id, &Answer::NotSent, now));
                    }
                }
            }
        }
        for warning in tick.warnings {
            warn!("breakglass: {warning}");
        }
        for notice in tick.notices {
            info!("breakglass: {notice}");
        }
        self.apply(steps, &shared);
        self.keep_time(&shared, now);
        let is_over = || shared.worker.try_borrow().is_ok_and(|worker| worker.is_over(now));
        // Not from the answer to a call: Envoy ends the context when this callback is over.
        if self.ends && is_over() {
            self.ends = false;
            if let Err(status) = host::done() {
                error!("breakglass: a context that is over could not be ended: {status:?}");
            }
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        // Without a configuration there is no request: Envoy does not serve with one that was
        // refused. `None` makes the SDK end the VM, which fails closed.
        let shared = self.shared.clone()?;
        Some(Box::new(Http::new(id, shared)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
