//! One request.

use std::rc::Rc;

use breakglass_core::bodies::Traffic;
use breakglass_core::headers::Headers;
use breakglass_core::instant::Instant;
use breakglass_core::step::{Pass, Step};
use breakglass_core::untouched::{Untouched, pass_without_worker};
use breakglass_core::worker::TrailersStep;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::apply::{Flow, apply, fail, pass_on};
use crate::failures::Failure;
use crate::host;
use crate::shared::Shared;

/// One request, of which the worker knows the rest by its id.
pub(crate) struct Http {
    id: u32,
    shared: Rc<Shared>,
    traffic: Rc<Traffic>,
    /// The headers of a request that has passed without a record: they cannot be read any more when its
    /// trailers come.
    unrecorded: Option<Headers>,
    /// Whether it has a record: the worker knows of no other request.
    is_recorded: bool,
    /// The proof that it carries nothing of ours: then nothing that fails refuses it.
    untouched: Option<Untouched>,
}

/// What is missing to decide on.
struct Missing {
    failure: Failure,
    trailers: Option<Headers>,
}

impl Http {
    pub(crate) fn new(id: u32, shared: Rc<Shared>) -> Http {
        Http {
            id,
            shared,
            traffic: Rc::default(),
            unrecorded: None,
            is_recorded: false,
            untouched: None,
        }
    }

    /// What is to become of this request, by its headers.
    fn begin(&mut self, end_of_stream: bool) -> Flow {
        let Some(headers) = host::request_headers() else {
            return fail(self.id, &self.shared.worker);
        };
        let (step, failure) = match self.decide(&headers) {
            Ok(step) => (step, None),
            Err(failure) => {
                let attributes = &host::CurrentRequest;
                let pass = pass_without_worker(&headers, &self.shared.config, attributes);
                let Some(pass) = pass else { return fail(self.id, &self.shared.worker) };
                (Step::Pass(pass), Some(failure))
            }
        };
        self.is_recorded =
            !matches!(&step, Step::Pass(Pass { record: None, .. }) | Step::Probed(_));
        // Without a body no trailers follow.
        self.unrecorded = (!self.is_recorded && !end_of_stream).then_some(headers);
        let Step::Pass(pass) = step else { return apply(step, self.id, &self.shared.worker) };
        let (flow, untouched) = pass_on(&pass, self.id, &self.shared.worker);
        self.untouched = untouched;
        match (&self.untouched, failure) {
            (Some(untouched), Some(failure)) => self.shared.failures.pass(untouched, failure),
            _ => flow,
        }
    }

    /// The step for this request.
    fn decide(&self, headers: &Headers) -> Result<Step, Failure> {
        let now = host::now().ok_or(Failure::Clock)?;
        let mut worker = self.shared.worker.try_borrow_mut().map_err(|_| Failure::Worker)?;
        // Where requests run, the next tick is near, and ends what a new configuration does not cover.
        if worker.is_idle() {
            drop(self.shared.supersede(&mut worker, now));
        }
        let (current, board) = (&host::CurrentRequest, &host::SharedData);
        let step = worker.request(self.id, headers, current, board, &self.traffic, now);
        Shared::say_steps(&mut worker);
        drop(worker);
        self.shared.hurry(self.id, now).map_err(|_| Failure::Context)?;
        Ok(step)
    }

    /// The step for this request now that its response begins, if there is one. Without a clock it is still compared
    /// with what was judged. The worker is in use only while it refuses a request, whose answer this is.
    fn begin_response(&self) -> Option<Step> {
        let now = self.is_recorded.then(host::now)?.unwrap_or(Instant::from_millis(0));
        let mut worker = self.shared.worker.try_borrow_mut().ok()?;
        worker.response_begins(self.id, &host::CurrentRequest, now)
    }

    /// What is to be done with the trailers.
    fn decide_trailers(&self) -> Result<TrailersStep, Missing> {
        let missing = |failure, trailers| Missing { failure, trailers };
        let trailers = host::request_trailers().ok_or_else(|| missing(Failure::Trailers, None))?;
        let Some(now) = host::now() else { return Err(missing(Failure::Clock, Some(trailers))) };
        let Ok(mut worker) = self.shared.worker.try_borrow_mut() else {
            return Err(missing(Failure::Worker, Some(trailers)));
        };
        let (current, unrecorded) = (&host::CurrentRequest, self.unrecorded.as_ref());
        Ok(worker.request_trailers(self.id, &trailers, unrecorded, current, &self.traffic, now))
    }

    /// Refuses this request because of what is missing, unless it carries nothing of ours: its trailers neither, where
    /// they can be read.
    fn fail_for(&self, missing: &Missing) -> Flow {
        let Missing { failure, trailers } = missing;
        let stays = |untouched: &&Untouched| {
            let with = |trailers| untouched.stays_with(trailers, &self.shared.config);
            trailers.as_ref().is_none_or(with)
        };
        match self.untouched.as_ref().filter(stays) {
            Some(untouched) => self.shared.failures.pass(untouched, *failure),
            None => fail(self.id, &self.shared.worker),
        }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        if let Ok(mut worker) = self.shared.worker.try_borrow_mut() {
            worker.forget(self.id);
        }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "panics-on-purpose")]
        crate::panics::at_request(self.id);
        #[cfg(feature = "panics-on-purpose")]
        if crate::forgery::at_request() {
            return Action::Continue;
        }
        if end_of_stream {
            self.traffic.received_all();
        }
        self.begin(end_of_stream).into()
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.traffic.add_received(size);
        if self.traffic.wants_received()
            && let Some(chunk) = host::request_chunk(size)
        {
            self.traffic.received_chunk(&chunk);
        }
        if end_of_stream {
            self.traffic.received_all();
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.traffic.received_all();
        let TrailersStep { remove, step } = match self.decide_trailers() {
            Ok(step) => step,
            Err(missing) => return self.fail_for(&missing).into(),
        };
        // Trailers of ours that stay are no longer nothing of ours.
        if remove.iter().any(|name| host::remove_request_trailer(name).is_err()) {
            return fail(self.id, &self.shared.worker).into();
        }
        step.map_or(Flow::Continue, |step| apply(step, self.id, &self.shared.worker)).into()
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        if let Some(step) = self.begin_response() {
            return apply(step, self.id, &self.shared.worker).into();
        }
        if self.traffic.wants_sent()
            && let Some(headers) = host::response_headers()
        {
            self.traffic.response_headers(&headers);
        }
        if end_of_stream {
            self.traffic.sent_all();
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.traffic.add_sent(size);
        if self.traffic.wants_sent()
            && let Some(chunk) = host::response_chunk(size)
        {
            self.traffic.sent_chunk(&chunk);
        }
        if end_of_stream {
            self.traffic.sent_all();
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.traffic.sent_all();
        Action::Continue
    }

    fn on_log(&mut self) {
        #[cfg(feature = "panics-on-purpose")]
        crate::panics::at_log(self.id);
        #[cfg(feature = "panics-on-purpose")]
        crate::forgery::at_log();
        let (Some(now), Ok(mut worker)) = (host::now(), self.shared.worker.try_borrow_mut()) else {
            return;
        };
        if self.is_recorded {
            worker.log_begins(self.id, &host::CurrentRequest);
        }
        if let Some(record) = worker.logged(self.id, host::outcome, now)
            && let Err(status) = host::publish_record(&record)
        {
            log::error!("breakglass: the final audit record could not be kept: {status:?}");
        }
    }
}
