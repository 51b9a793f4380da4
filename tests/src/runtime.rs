//! The one tokio runtime on which the harness's servers run, so that tests can be plain functions.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a tokio runtime")
});

/// The runtime.
pub(crate) fn runtime() -> &'static Runtime {
    &RUNTIME
}
