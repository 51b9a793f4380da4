//! Sessions of people who signed in at an identity provider: sign-in, begin, refresh, end.
//!
//! 1. What a provider said is verified before it comes here ([`sign_in`] takes it as given).
//! 2. A change of a session, and what memory knows of it, happen in one order: each holds the right to change sessions
//!    until both are done. Memory opens after the commit and closes before it.
//! 3. A session begins, goes on and ends by the time that the service goes by, whether it is believed or not: people need
//!    one to end what must end, and what opens access asks for a trusted time of its own.

pub(in crate::domain) mod at_provider;
mod begin;
mod end;
mod load;
mod refresh;
mod refused;
mod sign_in;
mod tokens;

pub(in crate::domain) use begin::begin_by_device;
pub use begin::{Exchange, begin};
pub(in crate::domain) use end::end_by_provider;
pub use end::{end, end_by_token, end_unknown};
pub(in crate::domain) use load::entry;
pub use load::load;
pub use refresh::refresh;
pub use refused::{SignInRefused, TokenRefused};
pub use sign_in::{Binding, DeviceBinding, SaidGroups, SignedIn, sign_in, sign_in_for_device};
pub use tokens::Tokens;
