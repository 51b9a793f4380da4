//! What the tests of several crates share. Never a dependency of what is shipped.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::new_without_default,
    missing_docs,
    reason = "test code: what is not as expected ends the test, and names say what they are"
)]

#[cfg(feature = "service")]
pub mod attacks;
#[cfg(feature = "service")]
pub mod before;
#[cfg(feature = "service")]
pub mod copies;
#[cfg(feature = "service")]
pub mod credentials;
#[cfg(feature = "service")]
pub mod evidence;
#[cfg(feature = "service")]
pub mod grants;
#[cfg(feature = "service")]
pub mod heads;
#[cfg(feature = "service")]
pub mod http2;
#[cfg(feature = "keycloak")]
pub mod keycloak;
pub mod log;
#[cfg(feature = "provider")]
pub mod provider;
pub mod receiver;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "service")]
pub mod sessions;
#[cfg(feature = "service")]
pub mod smtp;
#[cfg(feature = "service")]
pub mod store;
