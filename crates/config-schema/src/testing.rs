//! What unit tests share.

/// The attribute `test` of the engine that runs the tests: the machine's own, or a wasm engine.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use core::prelude::v1::test;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;
