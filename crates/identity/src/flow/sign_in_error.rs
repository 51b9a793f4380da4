//! Why a sign-in, or a refresh, came to nothing.

use crate::claims::{LevelNotReached, PersonError};
use crate::error::ProviderError;
use crate::keys::KeyError;
use crate::verify::TokenError;

use super::session::ProviderSession;

/// Why a sign-in, or a refresh, came to nothing: in words for the person and the operator, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The provider refused, did not answer, or answered what cannot be right.
    #[error(transparent)]
    Provider(ProviderError),
    /// Its token is not what it must be.
    #[error("the identity provider sent a token that is refused: {0}")]
    Token(TokenError),
    /// It does not say who the person is.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The level that was asked for was not reached.
    #[error(transparent)]
    Level(#[from] LevelNotReached),
    /// Another person signed in than the one who has to.
    #[error(
        "another person signed in than the one who has to confirm: sign out at the identity provider, and try again"
    )]
    OtherPerson,
}

impl From<ProviderError> for SignInError {
    fn from(error: ProviderError) -> SignInError {
        SignInError::Provider(error)
    }
}

impl From<TokenError> for SignInError {
    fn from(error: TokenError) -> SignInError {
        match error {
            // That keys cannot be fetched says nothing about the token.
            TokenError::Key(KeyError::Unavailable(error)) => SignInError::Provider(error),
            error => SignInError::Token(error),
        }
    }
}

impl SignInError {
    /// Whether it is the provider's word that the session there is over. Anything else, such as no answer, is no evidence.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        matches!(self, SignInError::Provider(error) if error.ends_session())
    }

    /// Whether it says no more than that the provider is away: see [`ProviderError::is_outage`].
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, SignInError::Provider(error) if error.is_outage())
    }
}

/// Why a refresh came to nothing, and what is left of the session at the provider.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct RefreshFailed {
    /// Why.
    pub error: SignInError,
    /// The session with the refresh token that the provider gave in place of the one before, where it got that far: the one
    /// before may be void, so that this one is to be kept.
    pub session: Option<Box<ProviderSession>>,
}

impl From<ProviderError> for RefreshFailed {
    fn from(error: ProviderError) -> RefreshFailed {
        RefreshFailed { error: error.into(), session: None }
    }
}

impl RefreshFailed {
    /// See [`SignInError::ends_session`].
    #[must_use]
    pub fn ends_session(&self) -> bool {
        self.error.ends_session()
    }

    /// See [`SignInError::is_outage`].
    #[must_use]
    pub fn is_outage(&self) -> bool {
        self.error.is_outage()
    }
}
