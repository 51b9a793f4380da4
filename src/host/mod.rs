//! The host, as this filter needs it. The only code that names it: here and in the dispatch of a
//! call, which the SDK must know of.

mod ffi;
mod map;
mod metrics;
mod properties;
mod stream;

use std::time::Duration;

use breakglass_core::Attributes;
use breakglass_core::audit::Outcome;
use breakglass_core::calls::Call;
use breakglass_core::headers::Headers;
use breakglass_core::instant::Instant;
use breakglass_core::probe::{PROBE_HEADER, ProbeAnswer};
use breakglass_core::reason::DenyReason;
use breakglass_core::sharing::{Board, Version, Written};
use breakglass_core::step::Refusal;
use proxy_wasm::hostcalls;

pub(crate) use ffi::HostError;
pub(crate) use metrics::Metrics;
pub(crate) use properties::CurrentRequest;
use properties::{DECISION_STATE, RECORD_STATE, number, property};
#[cfg(feature = "panics-on-purpose")]
pub(crate) use stream::record;
pub(crate) use stream::{has_record, publish_mark};

const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_BODY: u32 = 4;
const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const PLUGIN_CONFIGURATION: u32 = 7;
const REQUEST_STREAM: u32 = 0;
const DEBUG: u32 = 1;

/// The wall clock. `None` if the host has none, and then nothing can be decided.
pub(crate) fn now() -> Option<Instant> {
    let nanoseconds = ffi::current_time_nanoseconds().ok()?;
    Some(Instant::from_millis(nanoseconds.checked_div(1_000_000)?))
}

/// Whether the host logs what is said for debugging.
pub(crate) fn logs_debug() -> bool {
    ffi::log_level().is_ok_and(|level| level <= DEBUG)
}

/// The plugin's configuration.
pub(crate) fn configuration(size: usize) -> Result<Vec<u8>, HostError> {
    ffi::buffer(PLUGIN_CONFIGURATION, size)
}

/// The name of this proxy.
pub(crate) fn node_id() -> Option<String> {
    let id = property(b"xds\0node\0id").or_else(|| property(b"node\0id"))?;
    String::from_utf8(id).ok()
}

/// What tells this filter, under whichever configuration, from others in the same VM.
pub(crate) fn plugin() -> String {
    let parts: [&[u8]; 3] = [b"plugin_name", b"plugin_root_id", b"listener_direction"];
    let parts = parts.map(|part| property(part).unwrap_or_default());
    String::from_utf8_lossy(&parts.join(&0)).into_owned()
}

/// Random bytes, from the host's generator. `None` if there is none.
pub(crate) fn random() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A version that no value on the board has: Envoy counts them from 1. Envoy compares the version of a
/// value that is there, so a write that expects this one is made only where none is.
const NOTHING_THERE: Version = Version::MAX;

/// The board that all VMs with this `vm_id` share: shared data.
pub(crate) struct SharedData;

impl Board for SharedData {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        ffi::shared_data(key).ok()
    }

    fn write(&self, key: &str, value: &[u8], expected: Option<Version>) -> Written {
        match ffi::set_shared_data(key, value, expected.unwrap_or(NOTHING_THERE)) {
            Ok(()) => Written::Done,
            Err(HostError::CAS_MISMATCH) => Written::Conflict,
            Err(_) => Written::Unavailable,
        }
    }
}

/// The headers of the current request. `None` as well if there are none: every request has a method.
pub(crate) fn request_headers() -> Option<Headers> {
    map::read(ffi::header_map(REQUEST_HEADERS).ok()?).filter(|headers| !headers.is_empty())
}

/// The headers of the response to the current request.
pub(crate) fn response_headers() -> Option<Headers> {
    map::read(ffi::header_map(RESPONSE_HEADERS).ok()?)
}

/// The part of the request's body that passes now.
pub(crate) fn request_chunk(size: usize) -> Option<Vec<u8>> {
    ffi::buffer(REQUEST_BODY, size).ok()
}

/// The part of the response's body that passes now.
pub(crate) fn response_chunk(size: usize) -> Option<Vec<u8>> {
    ffi::buffer(RESPONSE_BODY, size).ok()
}

/// The trailers of the current request.
pub(crate) fn request_trailers() -> Option<Headers> {
    map::read(ffi::header_map(REQUEST_TRAILERS).ok()?)
}

/// Takes a trailer away from the current request.
pub(crate) fn remove_request_trailer(name: &str) -> Result<(), HostError> {
    ffi::remove_header(REQUEST_TRAILERS, name)
}

/// Takes a header away from the current request.
pub(crate) fn remove_request_header(name: &str) -> Result<(), HostError> {
    ffi::remove_header(REQUEST_HEADERS, name)
}

/// Sets a header of the current request, in place of any that are there.
pub(crate) fn set_request_header(name: &str, value: &str) -> Result<(), HostError> {
    ffi::replace_header(REQUEST_HEADERS, name, value)
}

/// Tells the filters behind this one that the current request has a permit.
pub(crate) fn publish_permit() -> Result<(), HostError> {
    ffi::set_property(DECISION_STATE, b"allow")
}

/// Hands an audit record to the access loggers.
pub(crate) fn publish_record(record: &str) -> Result<(), HostError> {
    ffi::set_property(RECORD_STATE, record.as_bytes())
}

/// Answers the current request here.
pub(crate) fn refuse(refusal: &Refusal) -> Result<(), HostError> {
    let headers = map::write(&refusal.headers).unwrap_or_default();
    ffi::send_local_response(
        refusal.reason.status(),
        &refusal.reason.details(),
        &refusal.body,
        &headers,
        refusal.grpc_status,
    )
}

/// Answers the current request here, when no audit record can be written, or the one of an earlier instance of
/// this filter must stay.
pub(crate) fn refuse_unrecorded() -> Result<(), HostError> {
    let reason = DenyReason::InternalError;
    ffi::send_local_response(reason.status(), &reason.details(), reason.code().as_bytes(), &[], -1)
}

/// Answers a challenge: an empty answer, whose one header says nothing to anyone else.
pub(crate) fn answer_probe(answer: &ProbeAnswer) -> Result<(), HostError> {
    let headers = [(PROBE_HEADER, answer.text()), ("cache-control", "no-store".to_owned())];
    let headers = map::write(&headers).unwrap_or_default();
    ffi::send_local_response(204, "breakglass_probe", &[], &headers, -1)
}

/// Lets the current request go on after a wait.
pub(crate) fn continue_request() -> Result<(), HostError> {
    ffi::continue_stream(REQUEST_STREAM)
}

/// Makes `context` the current one. An error if it is gone.
pub(crate) fn enter(context: u32) -> Result<(), HostError> {
    ffi::set_effective_context(context)
}

/// How often the current root context ticks.
pub(crate) fn tick_every(period: Duration) -> Result<(), HostError> {
    let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    ffi::set_tick_period_milliseconds(millis)
}

/// Tells Envoy that the current root context, which has asked for time when it was to end, is done.
pub(crate) fn done() -> Result<(), HostError> {
    ffi::done_with_context()
}

/// Makes a call; its response comes with the token that is returned. Only for root contexts: a
/// stream's call would be dropped with the stream.
pub(crate) fn dispatch(call: &Call) -> Option<u32> {
    let headers: Vec<(&str, &str)> =
        call.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = (!call.body.is_empty()).then_some(call.body.as_slice());
    // The SDK keeps a list of calls under way and panics over a response to one that it does not
    // know, so this one function must be its own.
    hostcalls::dispatch_http_call(&call.cluster, headers, body, Vec::new(), call.timeout).ok()
}

/// `:status` and body of the response to a call, the body if it has at most `max_body` bytes.
pub(crate) fn call_response(body_size: usize, max_body: usize) -> Option<(u16, Vec<u8>)> {
    if body_size > max_body {
        return None;
    }
    let status = ffi::header(CALL_RESPONSE_HEADERS, ":status").ok()?;
    let status = std::str::from_utf8(&status).ok()?.parse().ok()?;
    let body = match body_size {
        0 => Vec::new(),
        _ => ffi::buffer(CALL_RESPONSE_BODY, body_size).ok()?,
    };
    Some((status, body))
}

/// A header of the response to a call.
pub(crate) fn call_response_header(name: &str) -> Option<Vec<u8>> {
    ffi::header(CALL_RESPONSE_HEADERS, name).ok()
}

/// How the current request ended; only when it is logged.
pub(crate) fn outcome() -> Outcome {
    Outcome {
        status: number(b"response\0code"),
        response_flags: number(b"response\0flags"),
        upstream: property(b"upstream\0address"),
    }
}

impl Attributes for CurrentRequest {
    fn source_address(&self) -> Option<Vec<u8>> {
        property(b"source\0address")
    }

    fn route_name(&self) -> Option<Vec<u8>> {
        property(b"xds\0route_name")
    }

    fn is_internal_redirect(&self) -> bool {
        property(b"response\0code_details").is_some_and(|details| details == b"internal_redirect")
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        property(b"connection\0sha256_peer_certificate_digest")
    }

    fn response_headers(&self) -> Option<Headers> {
        response_headers()
    }
}
