//! A runtime of one thread.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// Reading a large report or a page of heads takes milliseconds of a thread: they queue on this one, and no
/// revocation stands behind them.
#[derive(Debug)]
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    pub(super) fn new() -> io::Result<OwnRuntime> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("evidence")
            .enable_all()
            .build()?;
        Ok(OwnRuntime(Some(runtime)))
    }

    pub(super) fn handle(&self) -> Handle {
        // It is there until it is dropped.
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // A runtime that is dropped inside another one would panic.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
