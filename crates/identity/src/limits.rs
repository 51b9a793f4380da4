//! Bounds on what a provider sends: in bytes, counts and time. A provider is trusted to say who a person is, and with
//! nothing of this machine's memory or time.

use std::time::Duration;

/// The largest discovery document, in bytes. Those of Keycloak, the largest known, have 7 KiB.
pub const MAX_DISCOVERY_BYTES: usize = 64 * 1024;

/// The largest key set, in bytes. One of eight keys with certificates has 6 KiB.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1024;

/// The largest ID token, in bytes: room for the names of a thousand groups.
pub const MAX_ID_TOKEN_BYTES: usize = 128 * 1024;

/// The largest logout token, in bytes: it is sent by clients that are not known.
pub const MAX_LOGOUT_TOKEN_BYTES: usize = 16 * 1024;

/// The largest token of a workload and the largest JWT-SVID, in bytes: they are sent by clients that are not known.
pub const MAX_WORKLOAD_TOKEN_BYTES: usize = 16 * 1024;

/// The largest answer of a token endpoint, in bytes: an ID token, an access token and a refresh token.
pub const MAX_TOKEN_ANSWER_BYTES: usize = 512 * 1024;

/// The largest answer of a userinfo endpoint, in bytes.
pub const MAX_USERINFO_BYTES: usize = 256 * 1024;

/// The largest query of a callback, in bytes: a code of 4 KiB has room, and Entra's have 2 KiB.
pub const MAX_CALLBACK_BYTES: usize = 16 * 1024;

/// How long a client assertion is valid, in seconds.
pub(crate) const ASSERTION_LIFETIME_S: u64 = 60;

/// The longest value of a claim that is part of who a person is, in bytes: OpenID Connect Core section 2 allows a `sub` of
/// 255.
pub(crate) const MAX_SUBJECT_BYTES: usize = breakglass_types::limits::MAX_NAME_BYTES;

/// The most characters of a name, of a mail address, or of a provider's own words that are shown.
pub(crate) const MAX_SHOWN_CHARS: usize = 128;

/// The longest `acr`, in bytes, that a [`Factor`](crate::Factor) keeps: it stands in every token of the person.
pub const MAX_ACR_BYTES: usize = breakglass_types::limits::MAX_NAME_BYTES;

/// The most values of `amr` that a [`Factor`](crate::Factor) keeps.
pub const MAX_AMR_VALUES: usize = 16;

/// The most bytes of all these values together.
pub const MAX_AMR_BYTES: usize = 256;

/// The most groups of one person.
pub(crate) const MAX_GROUPS: usize = 4096;

/// How far a provider's clock may be off.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// How old a logout token may be that has no `exp` (Hydra's have none).
pub(crate) const LOGOUT_TOKEN_AGE: Duration = Duration::from_secs(5 * 60);

/// The longest lifetime of a workload's token: RFC 8725 asks for short ones, and Kubernetes gives tokens of a year to who
/// asks for none.
pub(crate) const WORKLOAD_TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest time between two fetches of one document: made-up `kid`s cost the provider one call in this time.
pub(crate) const MIN_FETCH_INTERVAL: Duration = Duration::from_secs(10);

/// After this time a document is fetched again when it is needed; where that fails, the one before stays in use.
pub(crate) const REFRESH_AFTER: Duration = Duration::from_secs(5 * 60);

/// After this time without a good answer the last document counts no more: a provider that removes a stolen key must be
/// heard within a day, or its tokens are refused.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
