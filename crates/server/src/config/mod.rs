//! The configuration of `breakglass serve`: parsed once into values that cannot be wrong.
//!
//! Unknown fields and empty lists are errors, all errors are reported together, and a scope that
//! nobody could approve is a warning here and a refusal when it is asked for. What is said here of a
//! field is what docs/approval-service.md says of it: its table is made of these types.

mod accounts;
mod approval_check;
mod approval_rules;
mod approvals;
mod channel_check;
mod check;
mod device_sign_in;
mod emergency;
mod emergency_check;
mod escalation;
mod file_error;
mod files;
mod group_check;
mod groups;
mod incident_check;
mod incident_need;
mod incident_need_check;
mod json_pointer;
mod key_rings;
mod listeners;
mod on_call;
mod on_call_check;
mod people;
mod person;
mod proxy;
mod read;
mod review;
mod rotation_check;
mod rotations;
mod schedule;
mod shifts;
mod sign_in;
mod sign_in_check;
mod signing_keys;
mod sink_fields;
mod sink_texts;
mod sinks;
mod trail_heads;
mod transport;
mod url_template;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use breakglass_config_schema::{
    ConfigError, Object, Reader, Reading, boolean, list, number, object, optional, or, or_none,
    parsed, required, required_without,
};
use breakglass_identity::{IdentityProvider, identity_providers};
use breakglass_types::json::Json;

use regex_lite::Regex;

use crate::limits::MAX_ALERT_PAGES;
use crate::provider_groups::GroupNames;

pub use accounts::{AccountEntry, Accounts, Attempt, NotSaid};
pub use approval_rules::{ApprovalRule, ApprovalStage, Conditions};
pub use device_sign_in::DeviceSignIn;
use device_sign_in::device_sign_in;
pub use emergency::EmergencyRule;
pub use escalation::Escalation;
pub use file_error::FileError;
pub use files::{Files, Locations, file_names};
pub use groups::GroupsByAudience;
use groups::groups_by_audience;
pub use incident_check::{IncidentCheck, OnSilence, OwnerAt, StateAt};
pub use incident_need::IncidentNeed;
use incident_need::incident_need;
pub use json_pointer::{JsonPointer, Pointed};
pub use listeners::{
    ClientCertificates, ListenAddress, Listener, Plain, ResolvedListener, Serves, Tls, Transport,
};
pub use on_call::{ON_CALL, OnCallSource};
pub use people::{DirectoryAges, GroupsSource, InGroup, LastAnswer, People, ProviderTrust};
use person::PersonEntry;
pub use person::{Credential, Person};
pub use proxy::Proxy;
pub use read::Digest;
use read::{
    address, audience, bounded_duration, days, distinct, issuer, name, path, pattern, scope_name,
    summary,
};
pub use review::{OnOverdue, ReviewAfterUse};
pub use rotations::RotationHook;
pub use schedule::{Hours, Schedule};
pub use shifts::Shifts;
pub use sign_in::{RequiredLevel, SignInFor, SignInRequirements};
pub use signing_keys::{AudienceSigningKeys, KeyRingSettings, SigningKeys, audience_of_folder};
use sink_fields::sinks;
use sink_texts::sink_name;
pub use sinks::{Encryption, Mail, MailTo, Reach, Sink, SinkFilter, SinkTo};
pub use trail_heads::TrailHeads;
pub use url_template::{NotOneName, UrlTemplate};

/// `outage_directory_age` where the configuration does not say it, in seconds.
const OUTAGE_S: i64 = 60 * 60;

object! {
    /// How the service is set up.
    #[derive(Debug)]
    pub struct Config {
        /// Where it listens: address and port; port 0 takes a free one (`--ready-file` receives the URL). For one
        /// listener that serves all callers; `listeners` is for several.
        pub listen: Option<SocketAddr> = required_without("listeners", parsed("address", address)),
        /// TLS for `listen`, and for all `listeners` that have no `tls` of their own.
        pub tls: Option<Tls> = optional("plain HTTP", object()),
        /// Whether `listen` may be plain HTTP on an address that is not a loopback one. It is said in the log at each
        /// start.
        pub insecure_http: bool = or(false, boolean()),
        /// Several sockets, each for some callers: instead of `listen`.
        pub listeners: Vec<Listener> = or_none(list(object())),
        /// Who it says it is: the `iss` of every token, and the filter's `issuers[].issuer`.
        pub issuer: String = required(parsed("URL", issuer)),
        /// The SQLite file, made at the first start for its owner alone.
        pub database: PathBuf = required(parsed("path", path)),
        /// The SQLite file for heads of audit chains, alerts and refused attempts, made at the first start for its owner
        /// alone. Evidence has its own, so that it never holds up a revocation.
        pub evidence_database: Option<PathBuf> = optional("`database` with `-evidence` before its extension", parsed("path", path)),
        /// How long heads, alerts and refused attempts are kept, at least a day. What is older is removed, but for the
        /// last head of a chain that is still reported.
        pub evidence_retention: i64 = or("400days", parsed("duration", days)),
        /// How old a head becomes before only one an hour of its chain is kept, at least a day.
        pub evidence_thin_after: i64 = or("30days", parsed("duration", days)),
        /// How many alerts of one proxy and class go to people within an hour. There are three
        /// [classes](approval-service.md#alerts): what strangers cause, what holders of grants cause, and what a grant or the
        /// filter did. The others are listed, and one alert at the end of the hour says how many they were.
        pub max_alert_pages: usize = or(20, number(1, MAX_ALERT_PAGES)),
        /// Where the private signing keys are, one file each, mode 0600; the first is made at the first
        /// start.
        pub key_directory: PathBuf = required(parsed("path", path)),
        /// How the signing keys are replaced and kept.
        pub signing_keys: Option<SigningKeys> = optional("by `breakglass keys` alone, not wrapped, and the same for all audiences", object()),
        /// How long a request waits for a decision, at most a day. The default is long enough to wake
        /// somebody, and short enough that no forgotten request is approved the next morning.
        pub pending_lifetime: i64 = or("15m", parsed("duration", bounded_duration)),
        /// How long a grant waits for its first token to be taken: then it has lapsed, so that no old approval lies at
        /// hand. At most a day; a shorter grant waits until its end.
        pub activate_within: i64 = or("15m", parsed("duration", bounded_duration)),
        /// Where the head of the service's [trail](approval-service.md#heads-of-the-trail) goes. Without it nowhere.
        pub trail_heads: Option<TrailHeads> = optional("none", object()),
        /// The groups whose members may read everything that an auditor needs. Without it nobody may.
        pub auditors: Vec<String> = or_none(list(parsed("group", name)).and_then(distinct)),
        /// The groups whose members may see and end the sessions of other people. They approve and audit nothing by it.
        /// Without it nobody may.
        pub administrators: Vec<String> = or_none(list(parsed("group", name)).and_then(distinct)),
        /// The groups whose members may stop access: see and deny requests, revoke grants, use the kill switch. They
        /// approve nothing by it. A list is for all audiences; a table such as `{ payments-prod = ["sec-oncall"] }`
        /// is for those that it names. Those who may approve may stop as well, with it and without.
        pub responders: GroupsByAudience = or_none(groups_by_audience()),
        /// What an incident must look like: a regular expression for the whole of it. Without it, any
        /// visible ASCII without blanks.
        pub incident_pattern: Option<Regex> = optional("none", parsed("regular expression", pattern)),
        /// The system that keeps incidents, which is asked for those of scopes with `incident = "checked"`
        /// ([incidents](incidents.md)).
        pub incident_check: Option<IncidentCheck> = optional("none", object()),
        /// The system that says who is on call, which stages and escalations of approval rules name by its schedules
        /// ([on call](approval-rules.md#on-call)).
        pub on_call: Option<OnCallSource> = optional("none", object()),
        /// How many requests of one person may wait for a decision at a time.
        pub max_pending_requests: i64 = or(10, number(1, 1000)),
        /// Whether people who are no longer among `people` keep the grants that they hold. By default they lose
        /// them at the start or the reload that takes them out, and their pending requests are cancelled.
        pub keep_grants_of_leavers: bool = or(false, boolean()),
        /// The most connections at a time, fewer where the system gives fewer files. Three fifths of them can
        /// be polls of proxies that hang.
        pub max_connections: usize = or(16_384, number(64, 1_000_000)),
        /// The most connections of one peer address (of one network of 64 bits, where it is IPv6) at a time.
        /// A proxy in front of the service is one address for all.
        pub max_connections_per_address: Option<usize> = optional("three quarters of `max_connections`", number(1, 1_000_000)),
        /// Who may ask, approve and revoke, each known by an API token. Required without `identity_providers`.
        pub people: People = or_none(list(object::<PersonEntry>().and_then(|one, _| Some(Arc::new(Person::from(one))))).and_then(|all, _| Some(People::new(all)))),
        /// The identity providers at which people sign in: then this service is an authorization server
        /// ([sign-in](approval-service.md#signing-in)). Without one people are known by their API tokens alone.
        pub identity_providers: Vec<IdentityProvider> = or_none(identity_providers()),
        /// How old an identity provider's answer about a person's groups may become, at most a day: an older one is asked for
        /// anew when it is needed, and where that brings none, nothing is allowed by the person's groups.
        pub max_directory_age: i64 = or("10m", parsed("duration", bounded_duration)),
        /// How old the last answer may become that counts while a provider does not answer, or has a fault of its own (a
        /// status from 500 on); at most a day, and at least `max_directory_age`. It is said on the trail, to the requester
        /// and to the approver.
        pub outage_directory_age: Option<i64> = optional("1h, or `max_directory_age` where that is more", parsed("duration", bounded_duration)),
        /// Who may sign in by a [device code](approval-service.md#a-device-without-a-browser): `requesters` are people who
        /// may approve no scope.
        pub device_sign_in: DeviceSignIn = or("requesters", device_sign_in()),
        /// Who may ask about grants, read the feed of revocations, and report the heads of audit chains and alerts, and
        /// nothing else.
        pub proxies: Vec<Arc<Proxy>> = or_none(list(object::<Proxy>().and_then(|one, _| Some(Arc::new(one))))),
        /// What can be asked for.
        pub scopes: Vec<Scope> = required(list(object())),
        /// What requests for some scopes take to be approved, always or on conditions: stages of people of different groups.
        /// Without one it is one of the `approvers` of each scope.
        pub approval_rules: Vec<ApprovalRule> = or_none(list(object())),
        /// Places that are told of events: webhooks, mail, Slack, PagerDuty, OpenTelemetry
        /// ([notifications](notifications.md)). Without one no person is told of anything.
        pub sinks: Vec<Sink> = or_none(sinks()),
        /// Hooks that are called when a used grant has ended, so that what it touched is [rotated](rotation.md).
        pub rotations: Vec<RotationHook> = or_none(list(object())),
        /// Files that say what the scopes open, made of filters' configurations by `breakglass scopes import`: requests
        /// then carry the [digests](scope-digests.md) of the rules that were approved. Relative to the folder of this
        /// file, or of these files; at most 4 MiB each, and read again with it.
        pub definitions: Vec<PathBuf> = or_none(list(parsed("path", path))),
    }
}

object! {
    /// A scope that can be asked for. What it reaches is in the filter's configuration, under the same
    /// name.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Scope {
        /// Its name, as the filter knows it.
        pub name: String = required(parsed("scope name", scope_name)),
        /// What its holder may do, as a verb phrase such as `change orders`: for people who look for the scope
        /// that they need.
        pub summary: Option<String> = optional("none", parsed("text", summary)),
        /// The environment it is for: the `aud` of the token. All scopes of a request have one.
        pub audience: String = required(parsed("name", audience)),
        /// The groups whose members may ask for it.
        pub requesters: Vec<String> = required(list(parsed("group", name)).and_then(distinct)),
        /// The groups one of whose members has to approve it for another person. Required, unless an entry of `approval_rules`
        /// without `when` names the scope.
        pub approvers: Vec<String> = or_none(list(parsed("group", name)).and_then(distinct)),
        /// The longest grant, at most a day.
        pub max_duration: i64 = required(parsed("duration", bounded_duration)),
        /// How people must have [signed in](approval-service.md#signing-in-again) for it: a table such as
        /// `{ activation = { level = "mfa", max_age = "5m" } }`.
        pub sign_in: SignInRequirements = or_none(object()),
        /// The hook of [`rotations`](#rotations) that is called when a used grant of it has ended.
        pub rotation: Option<String> = optional("none", parsed("name", sink_name)),
        /// Whether a request for it names an incident: `optional`; `required`, and no more is known of the incident; or
        /// `checked` with the system of [`incident_check`](incidents.md). A request needs the strictest of its scopes.
        pub incident: IncidentNeed = or("optional", incident_need()),
    }
}

impl Object for Scope {}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// The text is not TOML.
    #[error("{0}")]
    NotToml(String),
    /// Fields are wrong: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Fields(Vec<ConfigError>),
}

impl Config {
    /// Reads a configuration from TOML.
    ///
    /// # Errors
    /// [`InvalidConfig`] says everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Config, InvalidConfig> {
        let table: Json =
            toml::from_str(text).map_err(|error| InvalidConfig::NotToml(error.to_string()))?;
        Config::from_table(&table).map_err(InvalidConfig::Fields)
    }

    /// Reads a configuration from the table that its files make.
    fn from_table(table: &Json) -> Result<Config, Vec<ConfigError>> {
        Reading::new().read(&object(), table)
    }

    /// Where the evidence database is.
    #[must_use]
    pub fn evidence_path(&self) -> PathBuf {
        match &self.evidence_database {
            Some(path) => path.clone(),
            None => self.beside_database("-evidence"),
        }
    }

    /// Where the database of deliveries is: see [`crate::outbox`].
    #[must_use]
    pub fn outbox_path(&self) -> PathBuf {
        self.beside_database("-outbox")
    }

    /// The path of the database with this before its extension.
    fn beside_database(&self, end: &str) -> PathBuf {
        let mut name = self.database.file_stem().unwrap_or_default().to_owned();
        name.push(end);
        if let Some(extension) = self.database.extension() {
            name.push(".");
            name.push(extension);
        }
        self.database.with_file_name(name)
    }

    /// The scope called `name`.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// Whether a sink tells approvers of requests: the channel of a group, or one that writes to people.
    #[must_use]
    pub fn tells_approvers(&self) -> bool {
        self.sinks.iter().any(Sink::tells_approvers)
    }

    /// The sink called `name`.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.name == name)
    }

    /// The hook for rotations called `name`.
    #[must_use]
    pub fn rotation(&self, name: &str) -> Option<&RotationHook> {
        self.rotations.iter().find(|hook| hook.name == name)
    }

    /// The person called `name`, listed here or signed in at an identity provider.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<Arc<Person>> {
        self.people.get(name)
    }
}

impl Config {
    /// How old answers of identity providers may be that count.
    #[must_use]
    pub fn directory_ages(&self) -> DirectoryAges {
        let max_s = self.max_directory_age;
        let outage_s = self.outage_directory_age.unwrap_or(OUTAGE_S).max(max_s);
        DirectoryAges { max_s, outage_s }
    }

    /// What is said of the people of each identity provider, by its name.
    pub(crate) fn provider_trust(&self) -> BTreeMap<String, ProviderTrust> {
        let trust = |one: &IdentityProvider| {
            let trust = ProviderTrust {
                issuer: one.issuer.clone(),
                may_approve: one.may_approve,
                groups: self.group_names(&one.name)?,
            };
            Some((one.name.clone(), trust))
        };
        self.identity_providers.iter().filter_map(trust).collect()
    }

    /// What the groups of the identity provider called `name` are called here; nothing where there is none.
    #[must_use]
    pub fn group_names(&self, name: &str) -> Option<GroupNames> {
        GroupNames::of(&self.identity_providers, name)
    }
}

impl Scope {
    /// Whether `person` may ask for this scope.
    #[must_use]
    pub fn may_be_requested_by(&self, person: &Person) -> bool {
        person.is_in_any(&self.requesters)
    }

    /// Whether `person` may approve this scope for somebody else.
    #[must_use]
    pub fn may_be_approved_by(&self, person: &Person) -> bool {
        person.is_in_any(&self.approvers)
    }
}
