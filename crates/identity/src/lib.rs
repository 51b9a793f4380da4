//! Identity providers as the approval service sees them: what an operator configures of one, how its documents and tokens
//! are read, and who a person is by its word. Time comes in as an argument.
//!
//! Data flows one way:
//!
//! ```text
//! entry      [[identity_providers]] of the configuration -> values that cannot be wrong
//! discovery  the provider's description of itself        -> endpoints (OpenID Connect Discovery, RFC 8414)
//! keys       its key set                                 -> keys by `kid`, fetched again for an unknown one
//! verify     a signed token and what is expected of it   -> Verified<IdToken>, Verified<LogoutToken>, ..
//! claims     a verified ID token                         -> Person, Groups, Factor
//! flow       a browser and the provider's endpoints      -> SignedIn, Refreshed, or an error in words
//! ```
//!
//! What is closed, is closed by its type. Only [`verify`] makes a [`Verified`]. A [`Factor`] is made of the ID token of a
//! code exchange that asked for a level, and of nothing else: that of a refresh is a [`RefreshedIdToken`], which has none.
//! [`Groups`] are known, none or unknown, and unknown allows nothing.

mod cached;
mod claims;
mod discovery;
mod endpoint;
mod entry;
mod error;
mod flow;
mod keys;
mod limits;
mod outgoing;
mod pem;
mod shown;
mod verify;

pub use claims::{AskedLevel, Factor, Groups, LevelNotReached, Person, PersonError, Userinfo};
pub use discovery::{Discovery, InvalidDiscovery};
pub use endpoint::endpoint;
pub use entry::{
    ClientAuthentication, Counts, GroupsAbsent, GroupsFrom, IdentityProvider, Level,
    RequiredClaims, identity_providers, proxy,
};
pub use error::{ProviderError, Refusal};
pub use flow::{
    Callback, InvalidCallback, Provider, ProviderSession, Randomness, RefreshFailed, Refreshed,
    SignIn, SignInError, SignInRequest, SignedIn, TokenAnswer,
};
pub use keys::{KeyError, KeySource, Keys};
pub use limits::{
    MAX_ACR_BYTES, MAX_AMR_BYTES, MAX_AMR_VALUES, MAX_CALLBACK_BYTES, MAX_DISCOVERY_BYTES,
    MAX_ID_TOKEN_BYTES, MAX_KEY_SET_BYTES, MAX_LOGOUT_TOKEN_BYTES, MAX_TOKEN_ANSWER_BYTES,
    MAX_USERINFO_BYTES, MAX_WORKLOAD_TOKEN_BYTES,
};
pub use outgoing::Outgoing;
pub use pem::text as secret_text;
pub use verify::{
    Expectation, ExpectedIdToken, ExpectedJwtSvid, ExpectedLogoutToken, ExpectedRefreshedIdToken,
    IdToken, IdentityClaims, JwtSvid, LogoutToken, RefreshedIdToken, TokenError, Verified,
    WorkloadIssuer, WorkloadToken, svid_keys, verify,
};
