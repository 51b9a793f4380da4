//! What is different between two configurations, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use breakglass_types::scope_rules::ScopeDigest;
use serde::Serialize;

use crate::config::Config;
use crate::definitions::{Definition, Definitions};

/// What is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Fields that cannot change while the service runs, and have.
    #[serde(skip)]
    pub need_restart: Vec<&'static str>,
    /// Fields that can.
    pub settings: Vec<&'static str>,
    /// The people.
    pub people: Entries,
    /// The proxies.
    pub proxies: Entries,
    /// The scopes.
    pub scopes: Entries,
    /// The approval rules.
    pub approval_rules: Entries,
    /// The audiences with signing keys of their own.
    pub key_audiences: Entries,
    /// The sinks.
    pub sinks: Entries,
    /// The hooks for rotations.
    pub rotations: Entries,
    /// What scopes open, each as its name and its environment.
    pub definitions: Entries,
}

/// The names of the entries of a list that are different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Entries {
    /// Those of the new configuration alone.
    pub added: Vec<String>,
    /// Those of the old one alone.
    pub removed: Vec<String>,
    /// Those of both that are different.
    pub changed: Vec<String>,
}

impl Changes {
    /// What is different between an old configuration and a new one.
    #[must_use]
    pub fn between(
        (old, old_definitions): (&Config, &Definitions),
        (new, new_definitions): (&Config, &Definitions),
    ) -> Changes {
        // By name, so that a new field has to be put in its place here.
        let Config {
            listen,
            tls,
            insecure_http,
            listeners,
            issuer,
            database,
            evidence_database,
            key_directory,
            signing_keys,
            pending_lifetime,
            activate_within,
            max_pending_requests,
            max_connections,
            max_connections_per_address,
            keep_grants_of_leavers,
            evidence_retention,
            evidence_thin_after,
            max_alert_pages,
            trail_heads,
            auditors,
            administrators,
            responders,
            max_directory_age,
            outage_directory_age,
            device_sign_in,
            incident_pattern,
            incident_check,
            on_call,
            identity_providers,
            people,
            proxies,
            scopes,
            approval_rules,
            sinks,
            rotations,
            definitions,
        } = new;
        let pattern = |config: &Config| {
            config.incident_pattern.as_ref().map(|pattern| pattern.as_str().to_owned())
        };
        let new_pattern = incident_pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
        Changes {
            need_restart: names(&[
                ("listen", old.listen != *listen),
                ("tls", old.tls != *tls),
                ("insecure_http", old.insecure_http != *insecure_http),
                ("listeners", old.listeners != *listeners),
                ("issuer", old.issuer != *issuer),
                ("database", old.database != *database),
                ("evidence_database", old.evidence_database != *evidence_database),
                ("key_directory", old.key_directory != *key_directory),
                ("signing_keys.wrapped_by", wrapped_by(old) != wrapped_by(new)),
                ("signing_keys.audiences", moves_keys(old, new)),
                ("max_connections", old.max_connections != *max_connections),
                (
                    "max_connections_per_address",
                    old.max_connections_per_address != *max_connections_per_address,
                ),
            ]),
            settings: names(&[
                ("signing_keys", old.signing_keys != *signing_keys),
                ("pending_lifetime", old.pending_lifetime != *pending_lifetime),
                ("activate_within", old.activate_within != *activate_within),
                ("max_pending_requests", old.max_pending_requests != *max_pending_requests),
                ("keep_grants_of_leavers", old.keep_grants_of_leavers != *keep_grants_of_leavers),
                ("evidence_retention", old.evidence_retention != *evidence_retention),
                ("trail_heads", old.trail_heads != *trail_heads),
                ("evidence_thin_after", old.evidence_thin_after != *evidence_thin_after),
                ("max_alert_pages", old.max_alert_pages != *max_alert_pages),
                ("auditors", old.auditors != *auditors),
                ("administrators", old.administrators != *administrators),
                ("identity_providers", old.identity_providers != *identity_providers),
                ("max_directory_age", old.max_directory_age != *max_directory_age),
                ("outage_directory_age", old.outage_directory_age != *outage_directory_age),
                ("device_sign_in", old.device_sign_in != *device_sign_in),
                ("responders", old.responders != *responders),
                ("incident_pattern", pattern(old) != new_pattern),
                ("incident_check", old.incident_check != *incident_check),
                ("on_call", old.on_call != *on_call),
                ("definitions", old.definitions != *definitions),
            ]),
            people: Entries::between(&old.people, people, |person| &person.name),
            proxies: Entries::between(&old.proxies, proxies, |proxy| &proxy.name),
            scopes: Entries::between(&old.scopes, scopes, |scope| &scope.name),
            approval_rules: Entries::between(&old.approval_rules, approval_rules, |rule| {
                &rule.name
            }),
            key_audiences: Entries::between(&old.key_rings().1, &new.key_rings().1, |ring| {
                ring.audience.as_deref().unwrap_or_default()
            }),
            sinks: Entries::between(&old.sinks, sinks, |sink| &sink.name),
            rotations: Entries::between(&old.rotations, rotations, |hook| &hook.name),
            definitions: Entries::between(
                &defined(old_definitions),
                &defined(new_definitions),
                |(name, _)| name,
            ),
        }
    }
}

impl Entries {
    fn between<T: PartialEq>(old: &[T], new: &[T], name: impl Fn(&T) -> &str) -> Entries {
        let before: BTreeMap<&str, &T> = old.iter().map(|entry| (name(entry), entry)).collect();
        let after: BTreeMap<&str, &T> = new.iter().map(|entry| (name(entry), entry)).collect();
        let mut entries = Entries::default();
        for (name, entry) in &after {
            match before.get(name) {
                None => entries.added.push((*name).to_owned()),
                Some(earlier) if earlier != entry => entries.changed.push((*name).to_owned()),
                Some(_) => {}
            }
        }
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        entries.removed = gone.map(|name| (*name).to_owned()).collect();
        entries
    }
}

fn wrapped_by(config: &Config) -> Option<&Path> {
    config.signing_keys.as_ref()?.wrapped_by.as_deref()
}

/// Whether an audience keeps keys of its own, and they are in other files, or wrapped by another key.
fn moves_keys(old: &Config, new: &Config) -> bool {
    let (before, after) = (old.key_rings().1, new.key_rings().1);
    after.iter().any(|ring| {
        let earlier = before.iter().find(|earlier| earlier.audience == ring.audience);
        earlier.is_some_and(|earlier| {
            earlier.key_directory != ring.key_directory || earlier.wrapped_by != ring.wrapped_by
        })
    })
}

/// Each definition by scope and audience, with its digest.
fn defined(definitions: &Definitions) -> Vec<(String, ScopeDigest)> {
    let name = |(audience, scope, definition): (&str, &str, &Arc<Definition>)| {
        (format!("{scope} {audience}"), definition.digest)
    };
    definitions.iter().map(name).collect()
}

fn names(fields: &[(&'static str, bool)]) -> Vec<&'static str> {
    fields.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
}
