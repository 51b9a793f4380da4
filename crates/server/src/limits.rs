//! The numbers that more than one module relies on, each once. Those that a filter or the command line relies on too are
//! those of `breakglass_types`.

pub use breakglass_types::heads::{
    MAX_HEADS, MAX_HEADS_BODY_BYTES, MAX_REPORTED_GRANTS, MAX_REPORTED_USES,
};
pub use breakglass_types::limits::{
    CLOCK_SKEW_S, MAX_ALERTS, MAX_ALERTS_BODY_BYTES, MAX_BODY_BYTES, MAX_GRANT_S, MAX_TOKEN_BYTES,
    MAX_WAIT_S,
};

/// How far the service's wall clock may be from the time that it believes, in seconds: further, and it was
/// stepped. What has a later time than now by no more than this is of now.
///
/// INVARIANT (clock-step): the same number is in the SQL of `store`.
pub const MAX_CLOCK_STEP_S: i64 = 5;

/// How long a key for repeated submissions counts, in seconds.
pub const IDEMPOTENCY_S: i64 = 24 * 60 * 60;

/// The longest key for repeated submissions, in bytes.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// The most questions and answers about one request.
pub const MAX_REMARKS: i64 = 50;

/// The most scopes that one request may name: more is not "the narrowest access that helps".
pub const MAX_SCOPES: usize = 16;

/// The most new chains that one credential reports in a minute. A fleet that shares one has a new chain for each
/// worker and configuration.
pub const MAX_NEW_CHAINS: usize = 5000;

/// The most chains of one credential, each counted for every node that reports it.
pub const MAX_CHAINS: i64 = 1_000_000;

/// The most reports of alerts that one credential sends in a minute: what 25 VMs send that have something to report all the time.
pub const MAX_ALERT_REPORTS: usize = 6000;

/// The most alerts of one credential and kind that are kept within an hour; the others are counted.
pub const MAX_ALERT_ROWS: i64 = 100;

/// The most pages of one credential and class in an hour that the configuration can name.
pub const MAX_ALERT_PAGES: u64 = 100;

// A page is a row.
const _: () = assert!(MAX_ALERT_PAGES <= MAX_ALERT_ROWS.unsigned_abs());

/// How long a proxy that is gone stays in the list of proxies, in seconds: long enough that one
/// which was cut off by the incident itself is still missed.
pub const PROXY_FORGOTTEN_S: i64 = 10 * 60;

/// The most nodes that are known under one proxy credential: a proxy that makes up names pushes
/// out its own, and the memory has a bound.
pub const MAX_NODES: usize = 10_000;

/// The most grants of a scope whose uses are added up.
pub const MAX_GRANTS_OF_USES: i64 = 1000;

/// The most ids that the answer of the kill switch lists.
pub const MAX_LISTED_GRANTS: usize = 1000;

/// The most waits for a decision (`GET /v1/requests/{id}?wait=`) of one person at a time: more than a person has
/// terminals.
pub const MAX_WAITS_PER_PERSON: usize = 20;

/// The most of them of all people together.
pub const MAX_WAITS: usize = 6000;

/// How long an authorization code counts, in seconds: a client on the same machine exchanges it at once.
pub const CODE_S: i64 = 60;

/// How long a device code counts, in seconds, with the sign-in and the first tokens.
pub const DEVICE_CODE_S: i64 = 5 * 60;

/// How long a device waits between two polls at first, in seconds, and by how much longer after each `slow_down`.
pub const DEVICE_INTERVAL_S: i64 = 5;

/// How many user codes may be typed in a minute: from one address, and in all. While 10 codes are under way all the time, an
/// attacker who tries without a pause finds one in 16 years.
pub const TYPED_CODES_PER_SOURCE: u32 = 30;
/// See [`TYPED_CODES_PER_SOURCE`].
pub const TYPED_CODES: u32 = 300;

/// How many browsers may come back from a provider in a minute, from one address: each has the service ask the provider, and a
/// stranger can make up what comes back.
pub const CALLBACKS_PER_SOURCE: u32 = 120;
/// The same in all: a bound of memory.
pub const CALLBACKS: u32 = 20_000;

/// How many sign-ins that could not begin are logged in a minute.
pub const LOGGED_SIGN_INS: u32 = 60;

/// How long an access token of a session counts, in seconds.
pub const ACCESS_TOKEN_S: i64 = 10 * 60;

/// The longest session, in seconds.
pub const SESSION_S: i64 = 12 * 60 * 60;

/// How long a session lasts without a use of its refresh token, in seconds.
pub const SESSION_IDLE_S: i64 = 60 * 60;

/// The most live sessions of one account: a sign-in that makes another one ends the oldest. Enough for the machines of one
/// person, and few enough to read before one of them is ended.
pub const MAX_SESSIONS: i64 = 20;

/// How often one account may sign in within [`SIGN_INS_WITHIN_S`]. Each sign-in is up to three rows of the trail and three
/// events, which stay: 2 KiB, so that an account in a loop adds at most 3 MiB a day. A person who signs in again for each token of
/// a scope with `max_age = "2m"` is far below it.
pub const SIGN_INS_PER_ACCOUNT: u32 = 60;

/// See [`SIGN_INS_PER_ACCOUNT`], in seconds.
pub const SIGN_INS_WITHIN_S: i64 = 60 * 60;

/// How long after a refresh token was used its client may use it again, because the answer was lost, in milliseconds.
pub const REFRESH_GRACE_MS: i64 = 30_000;

/// How much earlier than the first use of a refresh token its second use can seem to be, in milliseconds: of two requests at
/// once the one that asked for the time first can have its turn second.
pub const REFRESH_BEFORE_MS: i64 = -5_000;

/// How long a session stays listed after its end, in seconds.
pub const SESSION_LISTED_S: i64 = 30 * 24 * 60 * 60;

/// How long an identity provider that brought no groups of a person is not asked about that person again, in seconds: each
/// question may take as long as the provider's timeout.
pub const DIRECTORY_RETRY_S: i64 = 15;

/// The most sessions of a person by which an identity provider is asked for the groups, one after the other.
pub const MAX_ASKED_SESSIONS: i64 = 5;

/// Within how long people who lose a group are counted together, in seconds.
pub const MASS_LOSS_WITHIN_S: i64 = 10 * 60;

/// The most people who may lose a group within that time before the ends of their grants are held, whatever its size.
pub const MASS_LOSS_PEOPLE: usize = 10;

/// The same in percent of the people in the group.
pub const MASS_LOSS_PERCENT: usize = 5;

/// So many may lose a group in any case: a small one has people who leave too.
pub const MASS_LOSS_AT_LEAST: usize = 2;

/// The most people that a list of held ends has.
pub const MAX_HELD_ENDS: i64 = 1000;

/// How many calls to the system that keeps incidents are under way at a time. Each has a thread.
pub const INCIDENT_CHECKS_AT_ONCE: usize = 8;

/// How many of them the service makes by itself, so that a person who asks finds a place.
pub const INCIDENT_RECHECKS_AT_ONCE: usize = INCIDENT_CHECKS_AT_ONCE / 2;

/// How many calls the submissions of one person make within [`INCIDENT_CHECKS_WITHIN_S`].
pub const INCIDENT_CHECKS_PER_PERSON: u32 = 30;

/// See [`INCIDENT_CHECKS_PER_PERSON`], in seconds.
pub const INCIDENT_CHECKS_WITHIN_S: i64 = 60;

/// How long after a check the next one of the same request is made, in seconds.
pub const INCIDENT_RECHECK_S: i64 = 60;
