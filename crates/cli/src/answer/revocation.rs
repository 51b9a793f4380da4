//! Revocations, and the proxies that hear of them: `POST /v1/grants/{jti}/revoke`, `POST /v1/revocations`,
//! `GET /v1/proxies` and `POST /v1/proxies/{id}/forget`.

use serde::Deserialize;

use super::{Body, Instant, Refusal, check_id, nullable};

/// One grant that is revoked, by this call or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Revoked {
    /// The grant.
    pub grant: String,
    /// Who revoked it, when, and why.
    pub revoked: Refusal,
    /// A proxy that has reached it knows of this revocation.
    pub epoch: i64,
    /// When the grant would have ended.
    pub expires_at: Instant,
    /// When it was approved; older services do not say.
    #[serde(default)]
    pub approved_at: Option<Instant>,
    /// Whether it was over by the service's clock.
    #[serde(default)]
    pub had_ended: bool,
}

impl Body for Revoked {
    const NAME: &'static str = "a revocation";

    fn check(&self) -> Result<(), String> {
        check_id("grant", &self.grant)?;
        check_epoch(self.epoch, 1)
    }
}

/// What the kill switch did.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Killed {
    /// How many grants it revoked.
    pub revoked: u64,
    /// The first of them.
    pub grants: Vec<String>,
    /// A proxy that has reached it knows of all of them.
    pub epoch: i64,
    /// How many others match that the caller may not revoke.
    pub not_yours: u64,
    /// Other spellings of the name.
    #[serde(default)]
    pub look_alikes: Vec<LookAlike>,
    /// When the last of them would have ended. Older services do not say.
    #[serde(default)]
    pub latest_expires_at: Option<Instant>,
    /// When the first of them was approved. Older services do not say.
    #[serde(default)]
    pub earliest_approved_at: Option<Instant>,
    /// How many of them were over by the service's clock.
    #[serde(default)]
    pub had_ended: u64,
}

/// Another spelling of the name, and what became of its grants.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LookAlike {
    /// The name as it is spelt.
    pub name: String,
    /// How many were revoked.
    pub revoked: u64,
    /// How many the caller may not revoke.
    pub not_yours: u64,
}

impl Body for Killed {
    const NAME: &'static str = "what the kill switch did";

    fn check(&self) -> Result<(), String> {
        if (self.revoked == 0) != self.grants.is_empty() {
            return Err(format!("revoked: {}, with {} grants", self.revoked, self.grants.len()));
        }
        check_epoch(self.epoch, i64::from(self.revoked > 0))
    }
}

/// Who reads the feed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Proxies {
    /// The latest epoch.
    pub epoch: i64,
    /// Since when the service knows proxies.
    #[serde(deserialize_with = "nullable")]
    pub since: Option<Instant>,
    /// Whether that is longer ago than a poll takes.
    pub complete: bool,
    /// The proxies.
    pub proxies: Vec<Proxy>,
}

impl Body for Proxies {
    const NAME: &'static str = "a list of proxies";

    fn check(&self) -> Result<(), String> {
        check_epoch(self.epoch, 0)
    }
}

/// A proxy. What is optional is not said by older filters, or by older services.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Proxy {
    /// What it calls itself.
    pub node: String,
    /// Whose credential it has.
    pub proxy: String,
    /// The epoch that it has confirmed.
    pub epoch: i64,
    /// When it was last seen.
    pub last_seen: Instant,
    /// How many seconds ago that was.
    pub stale_for_s: i64,
    /// What names it in commands.
    #[serde(default)]
    pub id: Option<String>,
    /// The filter's version.
    #[serde(default)]
    pub version: Option<String>,
    /// The digest of its configuration.
    #[serde(default)]
    pub config: Option<String>,
    /// Whether it was seen so lately that it may go on by what it knows.
    #[serde(default)]
    pub alive: Option<bool>,
    /// `allow` or `deny`: what it does with a request whose grant cannot be verified.
    #[serde(default)]
    pub on_unavailable: Option<String>,
    /// How long after its end it takes a token, in seconds.
    #[serde(default)]
    pub clock_skew_s: Option<i64>,
    /// Since when it refuses new requests by itself.
    #[serde(default)]
    pub refuses_new_since: Option<Instant>,
    /// Until when streams may run there under grants whose revocation it has not heard of.
    #[serde(default)]
    pub streams_until: Option<Instant>,
    /// Whether another live one has the same name.
    #[serde(default)]
    pub same_node: bool,
}

/// A proxy that is said to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Forgotten {
    /// Its id.
    pub id: String,
    /// What was known under this id.
    pub forgotten: Vec<Gone>,
    /// Who said so.
    pub by: String,
}

/// What was known of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gone {
    /// What it called itself.
    pub node: String,
    /// Whose credential it had.
    pub proxy: String,
    /// When it was last seen.
    pub last_seen: Instant,
}

impl Body for Forgotten {
    const NAME: &'static str = "a proxy that is forgotten";

    fn check(&self) -> Result<(), String> {
        if self.forgotten.is_empty() {
            return Err("forgotten: expected at least one".to_owned());
        }
        check_id("id", &self.id)
    }
}

fn check_epoch(epoch: i64, least: i64) -> Result<(), String> {
    if epoch < least {
        return Err(format!("epoch: expected at least {least}, got {epoch}"));
    }
    Ok(())
}
