//! Whether the service works: `GET /readyz` and `GET /healthz`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::deliveries::Sink;
use crate::directory::HeldEnd;
use crate::words::words;
use crate::{Instant, Word};

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// `ready`: the service can do its work.
    pub status: String,
}

/// The process answers; auditors learn more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// What the service makes of its clocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub clock: Option<ClockHealth>,
    /// How the configuration came to be what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub configuration: Option<ConfigurationHealth>,
    /// The certificates of the listeners that speak TLS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<TlsHealth>,
    /// A signing key whose time has come and that does not sign yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key_switch: Option<KeySwitchHealth>,
    /// The same of audiences with keys of their own; empty where none waits past its time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience_key_switches: Vec<KeySwitchHealth>,
    /// The places of `trail_heads` that did not take the last head of the trail; empty where all did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold_heads: Vec<UntoldHead>,
    /// People whose grants do not end although they lost a group, because many lost it at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_ends: Vec<HeldEnd>,
    /// The sinks at which attempts fail, or that have dead letters; empty where all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<Sink>,
}

/// A place that did not take the last head of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UntoldHead {
    /// The field of `trail_heads` that names it: `file` or `url`; `database` where the head could not be read.
    pub place: String,
    /// Since when no head was taken there.
    pub since: Instant,
    /// Why the last one was not.
    pub error: String,
}

/// A signing key whose time has come and that does not sign yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeySwitchHealth {
    /// The audience whose tokens it is to sign, where that has keys of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audience: Option<String>,
    /// The key.
    pub kid: String,
    /// When its time came.
    pub since: Instant,
    /// Whether the service has just started, and has not heard every proxy yet.
    pub starting: bool,
    /// How many proxies live and do not have it.
    pub lacking: u64,
    /// Some of them, by node and credential; `breakglass proxies` lists all.
    pub proxies: Vec<String>,
}

words! {
    /// Whether the wall clock is believed. Approvals and tokens go on while it is `believed`.
    ClockState {
        /// It is.
        Believed = "believed",
        /// It was set, and no operator has said that the new time is right.
        Stepped = "stepped",
        /// It says nothing that could be a time.
        Unknown = "unknown",
    }
}

/// What the service makes of its clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockHealth {
    /// Whether the wall clock is believed.
    #[schema(value_type = ClockState)]
    pub state: Word<ClockState>,
    /// By the wall clock; null where it says nothing that is a time.
    #[schema(required = true)]
    pub wall: Option<Instant>,
    /// By what the service believes.
    pub believed: Instant,
    /// The earliest that it could be: what revocations and their feed go by.
    pub floor: Instant,
    /// How far the wall clock is ahead of the believed time, in seconds; negative where it is behind.
    #[schema(required = true)]
    pub ahead_s: Option<i64>,
    /// Since when it is not believed, by the believed time.
    #[schema(required = true)]
    pub since: Option<Instant>,
    /// How often it was found wrong since the start.
    pub steps: u64,
}

/// How the configuration came to be what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationHealth {
    /// When what holds now was read.
    pub loaded_at: Instant,
    /// The SHA-256 of the file that it was in; of a folder, that of what `LC_ALL=C sha256sum *.toml` prints in it.
    #[schema(required = true)]
    pub digest: Option<String>,
    /// How often it was replaced since the start.
    pub reloads: u64,
    /// The last reload that failed.
    #[schema(required = true)]
    pub last_failure: Option<ReloadFailure>,
}

/// A reload that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadFailure {
    /// When.
    pub at: Instant,
    /// Why, each error on a line.
    pub error: String,
    /// Each error; none from services before this member.
    #[serde(default)]
    #[schema(required = true)]
    pub errors: Vec<ConfigurationError>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationError {
    /// The file that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file: Option<String>,
    /// Where in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// What was expected, and what to do.
    pub message: String,
}

/// The certificate of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TlsHealth {
    /// Where it listens.
    pub listener: String,
    /// The file of the certificate.
    pub certificate_file: String,
    /// The DNS names and URIs of the certificate that is in use.
    pub names: Vec<String>,
    /// Until when the certificate that is in use is valid.
    pub not_after: Instant,
    /// The file of the client certificate authorities; null where no client certificate is asked for.
    #[schema(required = true)]
    pub client_ca_file: Option<String>,
    /// Why what is in the files now is not in use; empty where it is.
    pub failures: Vec<FileFailure>,
}

/// A file that was not taken: what was read before stays in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileFailure {
    /// When.
    pub at: Instant,
    /// Which, why, and what to do.
    pub error: String,
}
