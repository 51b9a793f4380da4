//! What is expected of a kind of token.

use std::time::Duration;

use breakglass_core::token::Algorithm;
use breakglass_types::instant::Instant;

use super::TokenError;
use super::reading::Claims;

/// What is expected of a token. The kinds of this crate are all that there are.
pub trait Expectation: Sealed {
    /// What a verified one is.
    type Token;

    /// What is checked before its claims are believed.
    #[doc(hidden)]
    fn rules(&self) -> Rules<'_>;

    /// Judges and reads claims that its issuer signed, and whose time it is.
    #[doc(hidden)]
    fn read(&self, claims: &Claims<'_>, now: Instant) -> Result<Self::Token, TokenError>;
}

/// No other crate says what a token must be.
pub trait Sealed {}

/// What is checked of every kind of token.
#[derive(Debug)]
pub struct Rules<'a> {
    /// Which kind it is, for messages.
    pub(super) what: &'static str,
    /// Its largest size.
    pub(super) max_bytes: usize,
    /// Which `typ` its header may have, in lower case; it may be absent in any case.
    pub(super) media_types: &'static [&'static str],
    /// By which algorithms it may be signed.
    pub(super) algorithms: &'a [Algorithm],
    /// The longest `exp - iat`; `None`: any.
    pub(super) max_lifetime: Option<Duration>,
    /// How long one without `exp` is valid; `None`: it must have one.
    pub(super) without_exp: Option<Duration>,
}
