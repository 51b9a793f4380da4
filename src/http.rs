//! One request.

use std::rc::Rc;

use breakglass_core::bodies::Traffic;
use breakglass_core::headers::Headers;
use breakglass_core::step::Step;
use breakglass_core::worker::TrailersStep;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::apply::{Flow, apply, fail};
use crate::host;
use crate::root::Shared;

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
}

impl Http {
    pub(crate) fn new(id: u32, shared: Rc<Shared>) -> Http {
        Http { id, shared, traffic: Rc::default(), unrecorded: None, is_recorded: false }
    }

    /// The step for this request; `None` when something is missing to decide on.
    fn decide(&mut self, end_of_stream: bool) -> Option<Step> {
        let (now, headers) = (host::now()?, host::request_headers()?);
        let mut worker = self.shared.worker.try_borrow_mut().ok()?;
        // Where requests run, the next tick is near, and ends what a new configuration does not cover.
        if worker.is_idle() {
            drop(self.shared.supersede(&mut worker, now));
        }
        let (current, board) = (&host::CurrentRequest, &host::SharedData);
        let step = worker.request(self.id, &headers, current, board, &self.traffic, now);
        drop(worker);
        self.shared.hurry(self.id, now);
        self.is_recorded = !matches!(&step, Step::Pass(pass) if pass.record.is_none());
        // Without a body no trailers follow.
        self.unrecorded = (!self.is_recorded && !end_of_stream).then_some(headers);
        Some(step)
    }

    /// The step for this request now that its response begins, if there is one. Where something is missing to decide
    /// on, the log makes up for it: failing here could be a second answer to a request that was refused.
    fn begin_response(&self) -> Option<Step> {
        let now = self.is_recorded.then(host::now)??;
        let mut worker = self.shared.worker.try_borrow_mut().ok()?;
        worker.response_begins(self.id, &host::CurrentRequest, now)
    }

    /// What is to be done with the trailers; `None` when something is missing to decide on.
    fn decide_trailers(&self) -> Option<TrailersStep> {
        let (now, trailers) = (host::now()?, host::request_trailers()?);
        let mut worker = self.shared.worker.try_borrow_mut().ok()?;
        let (current, unrecorded) = (&host::CurrentRequest, self.unrecorded.as_ref());
        Some(worker.request_trailers(self.id, &trailers, unrecorded, current, &self.traffic, now))
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
        let flow = match self.decide(end_of_stream) {
            None => fail(self.id, &self.shared.worker),
            Some(step) => apply(step, self.id, &self.shared.worker),
        };
        flow.into()
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
        let Some(TrailersStep { remove, step }) = self.decide_trailers() else {
            return fail(self.id, &self.shared.worker).into();
        };
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
