//! What is to be done with a request: the only thing that the core hands back for one.

use crate::audit::Record;
use crate::probe::ProbeAnswer;
use crate::reason::DenyReason;

pub use crate::decision::Permit;
pub use crate::untouched::Pass;

/// The next step of one request. There is no default and no failure that goes on: whatever is not
/// a [`Step::Pass`] or a [`Step::Permit`] does not reach the upstream.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Not ours to decide: go on, the normal controls behind this filter decide.
    Pass(Pass),
    /// It may pass under its grant.
    Permit(Permit),
    /// Answer it here; the audit record goes with it.
    Refuse(Refusal, Record),
    /// Answer it here; the record that an earlier instance of this filter has written stays as it is.
    RefuseUnrecorded(Refusal),
    /// Answer it here: it asks whether the filter is there, and proves that it may know. There is no record.
    Probed(ProbeAnswer),
    /// It goes on as it does; this record of it is written meanwhile.
    Note(Record),
    /// Hold it: another step comes with an answer, or with a tick.
    Wait,
}

/// A request that is answered here.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub reason: DenyReason,
    /// The headers of the answer.
    pub headers: Vec<(&'static str, String)>,
    /// The body of the answer; the message, for gRPC.
    pub body: Vec<u8>,
    /// The gRPC status that gRPC clients get instead of the HTTP status.
    pub grpc_status: i32,
}
