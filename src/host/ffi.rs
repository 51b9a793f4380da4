//! The host functions, as the proxy-wasm ABI 0.2.1 has them.
//!
//! The SDK's own wrappers panic on a status that they do not expect and on a header name or value
//! that is not UTF-8; a panic takes the VM away from all traffic of a worker. Here every status but
//! `Ok` is a [`HostError`], and bytes stay bytes.

#![expect(unsafe_code, reason = "calling the host and taking over the memory it filled")]

use std::ptr::{null, null_mut};

/// The host did not do what it was asked; the number is its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostError(u32);

impl HostError {
    /// The status of a change to shared data that somebody else changed first.
    pub(super) const CAS_MISMATCH: HostError = HostError(8);
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_continue_stream(stream_type: u32) -> u32;
    fn proxy_done() -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_log_level(level: *mut u32) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        version: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        version: u32,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
}

fn done(status: u32) -> Result<(), HostError> {
    if status == 0 { Ok(()) } else { Err(HostError(status)) }
}

/// Runs a host function that hands over memory.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    done(call(&raw mut data, &raw mut size))?;
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host allocated `size` bytes by `proxy_on_memory_allocate`, which is the SDK's
    // boxed slice of exactly that length, filled them all, and leaves them to us.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// The level from which the host logs what this filter says.
pub(super) fn log_level() -> Result<u32, HostError> {
    let mut level = 0;
    // SAFETY: the host writes one `u32` to `level`.
    done(unsafe { proxy_get_log_level(&raw mut level) }).map(|()| level)
}

pub(super) fn continue_stream(stream_type: u32) -> Result<(), HostError> {
    // SAFETY: no memory is shared.
    done(unsafe { proxy_continue_stream(stream_type) })
}

pub(super) fn done_with_context() -> Result<(), HostError> {
    // SAFETY: no memory is shared.
    done(unsafe { proxy_done() })
}

pub(super) fn define_metric(kind: u32, name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: the host reads `name` and writes `id` before it returns.
    done(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

pub(super) fn buffer(buffer: u32, max_size: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: the host writes both places before it returns.
    received(|data, size| unsafe { proxy_get_buffer_bytes(buffer, 0, max_size, data, size) })
}

pub(super) fn current_time_nanoseconds() -> Result<u64, HostError> {
    let mut time = 0;
    // SAFETY: the host writes `time` before it returns.
    done(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

pub(super) fn header_map(map: u32) -> Result<Vec<u8>, HostError> {
    // SAFETY: the host writes both places before it returns.
    received(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })
}

pub(super) fn header(map: u32, key: &str) -> Result<Vec<u8>, HostError> {
    // SAFETY: the host reads `key` and writes both places before it returns.
    received(|data, size| unsafe {
        proxy_get_header_map_value(map, key.as_ptr(), key.len(), data, size)
    })
}

pub(super) fn property(path: &[u8]) -> Result<Vec<u8>, HostError> {
    // SAFETY: the host reads `path` and writes both places before it returns.
    received(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub(super) fn shared_data(key: &str) -> Result<(Vec<u8>, u32), HostError> {
    let mut version = 0;
    // SAFETY: the host reads `key` and writes all three places before it returns.
    let value = received(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version)
    })?;
    Ok((value, version))
}

/// Version 0 is any version.
pub(super) fn set_shared_data(key: &str, value: &[u8], version: u32) -> Result<(), HostError> {
    // SAFETY: the host reads `key` and `value` before it returns.
    done(unsafe {
        proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version)
    })
}

pub(super) fn increment_metric(id: u32, offset: i64) -> Result<(), HostError> {
    // SAFETY: no memory is shared.
    done(unsafe { proxy_increment_metric(id, offset) })
}

pub(super) fn record_metric(id: u32, value: u64) -> Result<(), HostError> {
    // SAFETY: no memory is shared.
    done(unsafe { proxy_record_metric(id, value) })
}

pub(super) fn remove_header(map: u32, key: &str) -> Result<(), HostError> {
    // SAFETY: the host reads `key` before it returns.
    done(unsafe { proxy_remove_header_map_value(map, key.as_ptr(), key.len()) })
}

pub(super) fn replace_header(map: u32, key: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: the host reads `key` and `value` before it returns.
    done(unsafe {
        proxy_replace_header_map_value(map, key.as_ptr(), key.len(), value.as_ptr(), value.len())
    })
}

pub(super) fn send_local_response(
    status: u16,
    details: &str,
    body: &[u8],
    headers: &[u8],
    grpc_status: i32,
) -> Result<(), HostError> {
    let body_data = if body.is_empty() { null() } else { body.as_ptr() };
    // SAFETY: the host reads all four before it returns.
    done(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body_data,
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    })
}

pub(super) fn set_effective_context(context: u32) -> Result<(), HostError> {
    // SAFETY: no memory is shared.
    done(unsafe { proxy_set_effective_context(context) })
}

pub(super) fn set_property(path: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: the host reads `path` and `value` before it returns.
    done(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

pub(super) fn set_tick_period_milliseconds(period: u32) -> Result<(), HostError> {
    // SAFETY: no memory is shared.
    done(unsafe { proxy_set_tick_period_milliseconds(period) })
}
