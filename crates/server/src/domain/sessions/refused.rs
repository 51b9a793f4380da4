//! Why there is no session.

use crate::access::device::DeviceRefused;
use crate::duration;
use crate::limits::SIGN_INS_PER_ACCOUNT;
use crate::store::StoreError;

/// Why a person who signed in at a provider is not signed in here.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    /// What the provider says who the person is, is no name that this service takes.
    #[error("the name `{name}` of this account cannot be used here: {why}")]
    Name {
        /// The name.
        name: String,
        /// What was expected.
        why: String,
    },
    /// Another person has the name, or one that looks like it.
    #[error(
        "the name `{name}` of this account is, or looks like, that of {other}: rename that entry"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        other: String,
    },
    /// The account is known by another name, or the name is of another account: the entry of its provider was renamed, or
    /// has another issuer.
    #[error(
        "the account `{name}` is known as `{known}` of the issuer `{issuer}`: give the entry of that issuer in \
         `identity_providers` the name that it had"
    )]
    OtherAccount {
        /// The name that it would have.
        name: String,
        /// The name that is known.
        known: String,
        /// The issuer of the known one.
        issuer: String,
    },
    /// Not by a device code.
    #[error(transparent)]
    Device(#[from] DeviceRefused),
    /// The account signed in as often as it may.
    #[error(
        "this account signed in {SIGN_INS_PER_ACCOUNT} times within an hour, which is the most: end what signs in again and \
         again, and try again in {}", duration::format(*.after_s)
    )]
    TooOften {
        /// After so many seconds it may again.
        after_s: i64,
    },
    /// A person has signed in for this device before.
    #[error("a person has signed in for this device already")]
    DeviceDone,
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a client gets no tokens (RFC 6749 section 5.2, RFC 8628 section 3.5).
#[derive(Debug, thiserror::Error)]
pub enum TokenRefused {
    /// There is no such code or refresh token.
    #[error("this {0} is not known: sign in again with `breakglass login`")]
    Unknown(&'static str),
    /// The code is of another client, redirect or challenge.
    #[error("the code was not given for this `{0}`: sign in again with `breakglass login`")]
    NotBound(&'static str),
    /// The code's time is over.
    #[error("this code is too old: sign in again with `breakglass login`")]
    CodeExpired,
    /// It was used before; the session that it was of is ended now.
    #[error(
        "this {what} was used before, so that another client may have it: the session is ended; sign in again with \
         `breakglass login`"
    )]
    Reused {
        /// A code or a refresh token.
        what: &'static str,
        /// Whose the session was.
        account: String,
    },
    /// The session is over, idle or was ended, or its provider is not configured any more.
    #[error("the session has ended ({why}): sign in again with `breakglass login`")]
    Ended {
        /// In a few words.
        why: &'static str,
        /// Whose it was.
        account: String,
    },
    /// No person has signed in for the device yet.
    #[error("no person has signed in for this device yet: ask again after the interval")]
    DevicePending,
    /// The same, and the device asks too often.
    #[error("this device asks too often: wait 5 s longer from now on, between any two times")]
    DeviceSlowDown,
    /// The device code is over.
    #[error(
        "this device code is over, or is not known: it counts for 5 minutes and until the service is restarted; start \
         again with `breakglass login --device`"
    )]
    DeviceExpired,
    /// The device has its tokens.
    #[error("this device code was used: start again with `breakglass login --device`")]
    DeviceTaken,
    /// The person said no, or may not sign in so.
    #[error("{why}")]
    DeviceRefused {
        /// In words.
        why: String,
        /// Whose account it was, where that is known now.
        account: Option<String>,
    },
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TokenRefused {
    /// The word of the RFC.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            TokenRefused::DevicePending => "authorization_pending",
            TokenRefused::DeviceSlowDown => "slow_down",
            TokenRefused::DeviceExpired => "expired_token",
            TokenRefused::DeviceRefused { .. } => "access_denied",
            TokenRefused::Unknown(_)
            | TokenRefused::NotBound(_)
            | TokenRefused::CodeExpired
            | TokenRefused::Reused { .. }
            | TokenRefused::Ended { .. }
            | TokenRefused::DeviceTaken => "invalid_grant",
            TokenRefused::Store(_) => "server_error",
        }
    }
}
