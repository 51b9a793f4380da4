//! What unit tests share.

mod fakes;

pub(crate) use fakes::{FakeBoard, jwk, token};

/// The attribute `test` of the engine that runs the tests: the machine's own, or a wasm engine.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use core::prelude::v1::test;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

/// Fails if a document, by its path from the root of the repository, is not what it should be; where
/// `scripts/generate` asks for it, writes it.
pub(crate) fn assert_generated(path: &str, found: &str, made: &str) {
    if found != made && std::env::var_os("BREAKGLASS_GENERATE").is_some() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        std::fs::write(format!("{root}{path}"), made).unwrap();
    } else {
        assert!(found == made, "{path} is out of date: run scripts/generate. It should be\n{made}");
    }
}
