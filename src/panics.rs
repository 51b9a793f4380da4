//! Panics when a request says so: how the tests make a VM die. Only with the feature
//! `panics-on-purpose`, which nothing that is shipped has.

#![expect(clippy::panic, reason = "it is what this is for")]

use std::cell::Cell;

use crate::host;

/// The header that says when: `request`, at once; `tick`, at the next tick; `log`, when that request
/// is logged.
const HEADER: &str = "x-panic-on-purpose";

thread_local! {
    static AT_TICK: Cell<bool> = const { Cell::new(false) };
    static AT_LOG: Cell<Option<u32>> = const { Cell::new(None) };
}

/// A request came.
pub(crate) fn at_request(stream: u32) {
    let headers = host::request_headers().unwrap_or_default();
    let when = headers.iter().find(|(name, _)| *name == HEADER.as_bytes()).map(|(_, when)| when);
    match when {
        Some(b"request") => panic!("breakglass panics on purpose: at a request"),
        Some(b"tick") => AT_TICK.set(true),
        Some(b"log") => AT_LOG.set(Some(stream)),
        _ => {}
    }
}

/// Time has passed.
pub(crate) fn at_tick() {
    if AT_TICK.get() {
        panic!("breakglass panics on purpose: at a tick");
    }
}

/// A request is logged.
pub(crate) fn at_log(stream: u32) {
    if AT_LOG.get() == Some(stream) {
        panic!("breakglass panics on purpose: in a log");
    }
}
