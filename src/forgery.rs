//! Does what another plugin of the chain could do, when a request says so: how the tests forge and replay marks.
//! Only with the feature `panics-on-purpose`, which nothing that is shipped has.

use std::cell::RefCell;

use breakglass_core::StreamState;

use crate::host;

/// The header that says what; a request that has it is not judged here.
const HEADER: &str = "x-forge-on-purpose";

/// What a request had in its filter state when it was logged.
#[derive(Default, Clone)]
struct State {
    record: String,
    mark: Vec<u8>,
}

thread_local! {
    /// That of the request that was logged last.
    static LAST: RefCell<State> = RefCell::default();
}

/// A request came. Whether it is one for this plugin.
pub(crate) fn at_request() -> bool {
    let headers = host::request_headers().unwrap_or_default();
    let Some((_, what)) = headers.iter().find(|(name, _)| *name == HEADER.as_bytes()) else {
        return false;
    };
    // As many bytes as a mark has.
    let garbage = || [&b"\x01p"[..], &[0xff; 64]].concat();
    let State { record, mark } = LAST.with_borrow(Clone::clone);
    let (mark, is_permitted) = match what {
        b"replay" => (mark, false),
        b"replay a permit" => (mark, true),
        b"garbage" => (garbage(), false),
        b"garbage and a permit" => (garbage(), true),
        _ => return true,
    };
    let written = host::publish_record(&record)
        .and_then(|()| host::publish_mark(&mark))
        .and_then(|()| if is_permitted { host::publish_permit() } else { Ok(()) });
    if let Err(status) = written {
        log::error!("breakglass: nothing could be forged: {status:?}");
    }
    true
}

/// A request is logged.
pub(crate) fn at_log() {
    if let (Some(record), Some(mark)) = (host::record(), host::CurrentRequest.mark()) {
        LAST.with_borrow_mut(|last| *last = State { record, mark });
    }
}
