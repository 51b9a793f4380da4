//! The one place where a step becomes an action.

use std::cell::RefCell;

use breakglass_core::calls::StreamId;
use breakglass_core::step::{Pass, Permit, Refusal, Step};
use breakglass_core::untouched::Untouched;
use breakglass_core::worker::Worker;
use log::error;
use proxy_wasm::types::Action;

use crate::host::{self, HostError};

/// What is to become of the current request now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Flow {
    /// It goes on to the next filter.
    Continue,
    /// It stays as it is: it was answered, waits, or went on before.
    Hold,
}

impl From<Flow> for Action {
    fn from(flow: Flow) -> Action {
        match flow {
            Flow::Continue => Action::Continue,
            Flow::Hold => Action::Pause,
        }
    }
}

/// Does to the current request what `step` says. What cannot be done ends in a refusal: a request
/// whose spoofed headers could not be removed, or whose permit could not be written down, stays.
pub(crate) fn apply(step: Step, stream: StreamId, worker: &RefCell<Worker>) -> Flow {
    let done = match step {
        Step::Pass(pass) => return pass_on(&pass, stream, worker).0,
        Step::Permit(permit) => grant(&permit).map(|()| Flow::Continue),
        Step::Refuse(refusal, record) => return refuse(&refusal, &record),
        Step::RefuseUnrecorded(refusal) => return answer(&refusal),
        Step::Note(record) => {
            if let Err(status) = host::publish_record(&record) {
                error!("breakglass: a record of a running stream could not be kept: {status:?}");
            }
            return Flow::Hold;
        }
        Step::Probed(answer) => {
            if let Err(status) = host::answer_probe(&answer) {
                error!("breakglass: a challenge could not be answered: {status:?}");
            }
            return Flow::Hold;
        }
        Step::Wait => return Flow::Hold,
    };
    done.unwrap_or_else(|status| not_done(status, stream, worker))
}

/// Lets the current request go on without a permit, and says whether it is untouched now.
pub(crate) fn pass_on(
    pass: &Pass,
    stream: StreamId,
    worker: &RefCell<Worker>,
) -> (Flow, Option<Untouched>) {
    let record = || pass.record.as_deref().map_or(Ok(()), host::publish_record);
    match pass.clean(host::remove_request_header).and_then(|clean| record().map(|()| clean)) {
        Ok(untouched) => {
            leave(pass.mark.as_deref());
            (Flow::Continue, untouched)
        }
        Err(status) => (not_done(status, stream, worker), None),
    }
}

fn not_done(status: HostError, stream: StreamId, worker: &RefCell<Worker>) -> Flow {
    error!("breakglass: the host refused a change to a request: {status:?}");
    fail(stream, worker)
}

/// Refuses the current request because the filter itself failed.
pub(crate) fn fail(stream: StreamId, worker: &RefCell<Worker>) -> Flow {
    match (host::now(), worker.try_borrow_mut()) {
        // An earlier instance has decided, and this one does not know the request: that record stays.
        (Some(_), Ok(worker)) if !worker.holds(stream) && host::has_record() => refuse_unrecorded(),
        (Some(now), Ok(mut worker)) => {
            let (refusal, record) = worker.fail(stream, now);
            refuse(&refusal, &record)
        }
        // Without a clock, or with the worker in use, there is no record to write.
        _ => refuse_unrecorded(),
    }
}

fn refuse_unrecorded() -> Flow {
    if let Err(status) = host::refuse_unrecorded() {
        error!("breakglass: a refusal could not be sent: {status:?}");
    }
    Flow::Hold
}

/// Leaves a mark, if there is one. Without it another instance in the chain refuses the permit, and where there is
/// none, nothing is missing.
fn leave(mark: Option<&[u8]>) {
    if let Some(mark) = mark
        && let Err(status) = host::publish_mark(mark)
    {
        error!("breakglass: the mark of a decision could not be left: {status:?}");
    }
}

/// Carries out a permit. Headers are removed before any is set, and the permit is published last.
fn grant(permit: &Permit) -> Result<(), HostError> {
    for name in permit.remove() {
        host::remove_request_header(name)?;
    }
    for (name, value) in permit.set() {
        host::set_request_header(name, value)?;
    }
    host::publish_record(permit.record())?;
    leave(permit.mark());
    host::publish_permit()
}

fn refuse(refusal: &Refusal, record: &str) -> Flow {
    if let Err(status) = host::publish_record(record) {
        error!("breakglass: the audit record of a refusal could not be kept: {status:?}");
    }
    answer(refusal)
}

fn answer(refusal: &Refusal) -> Flow {
    if let Err(status) = host::refuse(refusal) {
        error!("breakglass: a refusal could not be sent: {status:?}");
    }
    Flow::Hold
}
