//! Signing in at a provider, over HTTP: the calls, each with its limit of time and of bytes, and its errors in words. The
//! calls block the thread.

mod assertion;
mod authorize;
mod callback;
mod client_proof;
mod endpoints;
mod http;
mod provider;
mod session;
mod sign_in;
mod sign_in_error;
mod token_answer;

pub use callback::{Callback, InvalidCallback};
pub use endpoints::Randomness;
pub use provider::Provider;
pub use session::ProviderSession;
pub use sign_in::{Refreshed, SignIn, SignInRequest, SignedIn};
pub use sign_in_error::{RefreshFailed, SignInError};
pub use token_answer::TokenAnswer;
