//! The Envoy HTTP filter: translates Envoy's callbacks into the events of a
//! [`breakglass_core::worker::Worker`], and its steps into Envoy's actions. No decision is made here.
//!
//! - `root`: one per worker thread and configuration: configures, ticks, makes calls.
//! - `http`: one per request.
//! - `apply`: the one place where a step becomes an action.
//! - `failures`: what failed on requests that passed all the same.
//! - `host`: the only code that names the host; nothing in it panics, whatever the host answers.

mod apply;
mod failures;
#[cfg(feature = "panics-on-purpose")]
mod forgery;
mod host;
mod http;
#[cfg(feature = "panics-on-purpose")]
mod panics;
mod root;
mod shared;

mod start {
    use proxy_wasm::traits::RootContext;
    use proxy_wasm::types::LogLevel;

    use crate::root::Root;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|id| -> Box<dyn RootContext> { Box::new(Root::new(id)) });
    }}
}
