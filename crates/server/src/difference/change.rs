//! One change of a configuration: what it does to rights, and how it is said.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::changes::{Changes, Entries};
use super::effect::Effect;
use super::{incidents, on_call, places, sign_in};
use crate::config::{Config, Person, Proxy, Scope};
use crate::duration;

/// How many names one change says.
const MAX_NAMES: usize = 10;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Ask for a scope.
    Ask,
    /// Approve a scope for another person.
    Approve,
    /// See and deny requests for an environment, and revoke its grants.
    Stop,
    /// Read what an auditor needs.
    Audit,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A person gains a right over these scopes or environments, or loses it.
    Right {
        /// Who.
        person: String,
        /// Which.
        right: Right,
        /// Over what; nothing for auditing.
        over: Vec<String>,
        /// Gained or lost.
        gained: bool,
    },
    /// Of something that has a name.
    Named {
        /// The person, proxy, scope or field.
        subject: String,
        /// What it does to rights.
        effect: Effect,
        /// What is said of it.
        words: String,
    },
}

impl Change {
    pub(super) fn named(subject: &str, effect: Effect, words: impl Into<String>) -> Change {
        Change::Named { subject: subject.to_owned(), effect, words: words.into() }
    }

    /// What it does to rights.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Change::Right { gained: true, .. } => Effect::Grants,
            Change::Right { gained: false, .. } => Effect::TakesAway,
            Change::Named { effect, .. } => *effect,
        }
    }

    /// Its effect, the person, proxy, scope or field that it is of, and its words.
    #[must_use]
    pub fn json(&self) -> Value {
        let (Change::Right { person: subject, .. } | Change::Named { subject, .. }) = self;
        json!({ "effect": self.effect(), "subject": subject, "words": self.to_string() })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Right { person, right, over, gained } => {
                let may = if *gained { "may" } else { "may no longer" };
                let verb = match right {
                    Right::Ask => "ask for",
                    Right::Approve => "approve",
                    Right::Stop => "stop access to",
                    Right::Audit => return write!(formatter, "{person} {may} audit"),
                };
                write!(formatter, "{person} {may} {verb} {}", listed(over))
            }
            Change::Named { subject, words, .. } => write!(formatter, "{subject} {words}"),
        }
    }
}

/// The first of these names, and how many more there are.
fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The changes of all entries and fields.
pub(super) fn entries(old: &Config, new: &Config, names: &Changes) -> Vec<Change> {
    let mut changes = Vec::new();
    let ends = match new.keep_grants_of_leavers {
        true => "is removed, and keeps grants until they end",
        false => "is removed: grants and pending requests end",
    };
    come_and_go(&mut changes, &names.people, "is a new person", ends);
    for (before, after) in names
        .people
        .changed
        .iter()
        .filter_map(|name| both(person_of(old, name), person_of(new, name)))
    {
        person(&mut changes, before, after);
    }
    come_and_go(&mut changes, &names.proxies, "is a new proxy", "is a proxy no longer");
    for name in &names.proxies.changed {
        if let Some((before, after)) = both(proxy_of(old, name), proxy_of(new, name)) {
            proxy(&mut changes, before, after);
        }
    }
    come_and_go(&mut changes, &names.scopes, "is a new scope", "is a scope no longer");
    key_audiences(&mut changes, new, &names.key_audiences);
    let places = places::sinks(&names.sinks).chain(places::rotations(&names.rotations));
    changes.extend(places.map(|(place, effect, words)| Change::named(&place, effect, words)));
    for (before, after) in
        names.scopes.changed.iter().filter_map(|name| both(old.scope(name), new.scope(name)))
    {
        scope(&mut changes, before, after);
    }
    let Entries { added, removed, changed } = &names.definitions;
    for (list, effect, words) in [
        (
            removed,
            Effect::Grants,
            "has no definition any more: it is approved without the digest of its rules",
        ),
        (added, Effect::Neutral, "has a definition"),
        (changed, Effect::Neutral, "has another definition"),
    ] {
        changes.extend(list.iter().map(|name| Change::named(name, effect, words)));
    }
    changes.extend(names.settings.iter().map(|field| setting(old, new, field)));
    let restart = names.need_restart.iter();
    changes.extend(
        restart.map(|field| {
            Change::named(field, Effect::Neutral, "has changed, which needs a restart")
        }),
    );
    changes
}

fn both<T>(old: Option<T>, new: Option<T>) -> Option<(T, T)> {
    old.zip(new)
}

/// What becomes of tokens where an audience gets signing keys of its own, or loses them.
fn key_audiences(changes: &mut Vec<Change>, new: &Config, entries: &Entries) {
    let Entries { added, removed, changed } = entries;
    let mut say = |audience: &str, effect, words: &str| {
        changes.push(Change::named(&format!("signing_keys.audiences ({audience})"), effect, words));
    };
    let (_, rings) = new.key_rings();
    for audience in added {
        let words = "is new: the keys of `key_directory` go on signing for it until its proxies have its own";
        say(audience, Effect::Neutral, words);
    }
    for audience in removed {
        let words = "is gone: tokens that its keys signed are refused; `signs = false` for a day before that keeps them";
        say(audience, Effect::TakesAway, words);
    }
    for audience in changed {
        let signs = rings.iter().all(|ring| ring.audience.as_ref() != Some(audience) || ring.signs);
        let words = if signs {
            "has changed"
        } else {
            "does not sign: the keys of `key_directory` do, and its own prove what they have signed"
        };
        say(audience, Effect::Neutral, words);
    }
}

/// A person of the file, not one who has signed in.
fn person_of<'a>(config: &'a Config, name: &str) -> Option<&'a Person> {
    config.people.iter().find(|person| person.name == name).map(AsRef::as_ref)
}

fn proxy_of<'a>(config: &'a Config, name: &str) -> Option<&'a Proxy> {
    config.proxies.iter().find(|proxy| proxy.name == name).map(AsRef::as_ref)
}

fn come_and_go(changes: &mut Vec<Change>, entries: &Entries, comes: &str, goes: &str) {
    changes.extend(entries.added.iter().map(|name| Change::named(name, Effect::Grants, comes)));
    changes.extend(entries.removed.iter().map(|name| Change::named(name, Effect::TakesAway, goes)));
}

/// What is in the second list alone, and what is in the first alone.
fn gained_and_lost<'a>(old: &'a [String], new: &'a [String]) -> [Vec<&'a str>; 2] {
    let set = |names: &'a [String]| names.iter().map(String::as_str).collect::<BTreeSet<&str>>();
    let (old, new) = (set(old), set(new));
    [new.difference(&old).copied().collect(), old.difference(&new).copied().collect()]
}

fn gains_and_losses(
    changes: &mut Vec<Change>,
    subject: &str,
    [gained, lost]: [Vec<&str>; 2],
    effects: [Effect; 2],
    words: [&str; 2],
) {
    for ((names, effect), words) in [gained, lost].into_iter().zip(effects).zip(words) {
        if !names.is_empty() {
            changes.push(Change::named(subject, effect, format!("{words} {}", listed(&names))));
        }
    }
}

// Each takes the new entry apart by name, so that a new field has to be put in its place here.

fn person(changes: &mut Vec<Change>, old: &Person, new: &Person) {
    // Whether the person approves with an API token is said of the rights.
    let Person { name, credential, groups, roles, may_approve_by_token: _, mail } = new;
    let groups = gained_and_lost(&old.groups, groups);
    // What a group allows is said of the rights.
    let neutral = [Effect::Neutral, Effect::Neutral];
    gains_and_losses(changes, name, groups, neutral, ["joins the groups", "leaves the groups"]);
    let roles = gained_and_lost(&old.roles, roles);
    let effects = [Effect::Grants, Effect::TakesAway];
    gains_and_losses(changes, name, roles, effects, ["has the new roles", "loses the roles"]);
    if old.credential != *credential {
        changes.push(Change::named(name, Effect::Neutral, "has another API token"));
    }
    if old.mail != *mail {
        changes.push(Change::named(name, Effect::Neutral, "gets mail at another address"));
    }
}

fn proxy(changes: &mut Vec<Change>, old: &Proxy, new: &Proxy) {
    let Proxy { name, token_sha256, certificate_san, certificate_sha256, audiences } = new;
    let words = "may introspect tokens of";
    match (&old.audiences, audiences) {
        (Some(old), Some(new)) => {
            let audiences = gained_and_lost(old, new);
            let effects = [Effect::Grants, Effect::TakesAway];
            gains_and_losses(
                changes,
                name,
                audiences,
                effects,
                [words, "may no longer introspect tokens of"],
            );
        }
        (Some(_), None) => {
            changes.push(Change::named(name, Effect::Grants, format!("{words} every environment")));
        }
        (None, Some(new)) => {
            let words = format!("{words} {} alone", listed(new));
            changes.push(Change::named(name, Effect::TakesAway, words));
        }
        (None, None) => {}
    }
    let token = match (old.token_sha256, token_sha256) {
        (Some(old), Some(new)) if old != *new => Some("has another API token"),
        (None, Some(_)) => Some("has an API token"),
        (Some(_), None) => Some("has no API token any more"),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let certificates =
        old.certificate_san != *certificate_san || old.certificate_sha256 != *certificate_sha256;
    let certificates = certificates.then_some("has other client certificates");
    for words in token.into_iter().chain(certificates) {
        changes.push(Change::named(name, Effect::Neutral, words));
    }
}

fn scope(changes: &mut Vec<Change>, old: &Scope, new: &Scope) {
    // Who may ask and approve is said of the rights.
    let Scope {
        name,
        summary,
        audience,
        requesters: _,
        approvers,
        max_duration,
        sign_in,
        rotation,
        incident,
    } = new;
    match (old.approvers.is_empty(), approvers.is_empty()) {
        (false, true) => changes.push(Change::named(
            name,
            Effect::Grants,
            "needs no approval by `approvers` any more: its approval rules alone apply",
        )),
        (true, false) => {
            let words = "needs an approval by `approvers` beside its approval rules";
            changes.push(Change::named(name, Effect::TakesAway, words));
        }
        _ => {}
    }
    if old.audience != *audience {
        let words = format!("is for {audience}, before for {}", old.audience);
        changes.push(Change::named(name, Effect::Grants, words));
    }
    changes.extend(longer(name, "can be granted for", old.max_duration, *max_duration));
    let of_sign_in = sign_in::changes(&old.sign_in, sign_in);
    changes.extend(of_sign_in.map(|(effect, words)| Change::named(name, effect, words)));
    if old.rotation != *rotation {
        // Without a hook a grant leaves more behind than before.
        let (effect, words) = match rotation {
            None => (Effect::Grants, "is not rotated after use any more".to_owned()),
            Some(hook) => (Effect::Neutral, format!("is rotated after use by the hook {hook}")),
        };
        changes.push(Change::named(name, effect, words));
    }
    let of_incidents = incidents::need(old.incident, *incident);
    changes.extend(of_incidents.map(|(effect, words)| Change::named(name, effect, words)));
    if old.summary != *summary {
        changes.push(Change::named(name, Effect::Neutral, "has another summary"));
    }
}

/// A longer time grants, a shorter one takes away.
fn longer(subject: &str, words: &str, old: i64, new: i64) -> Option<Change> {
    let effect = match new.cmp(&old) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => Effect::Grants,
        std::cmp::Ordering::Less => Effect::TakesAway,
    };
    let words = format!("{words} {}, before {}", duration::format(new), duration::format(old));
    Some(Change::named(subject, effect, words))
}

/// A field by itself that can change while the service runs.
fn setting(old: &Config, new: &Config, field: &str) -> Change {
    let time = match field {
        "pending_lifetime" => Some((old.pending_lifetime, new.pending_lifetime)),
        "activate_within" => Some((old.activate_within, new.activate_within)),
        "max_directory_age" => Some((old.max_directory_age, new.max_directory_age)),
        _ => None,
    };
    if let Some(change) = time.and_then(|(old, new)| longer(field, "is", old, new)) {
        return change;
    }
    match (field, &new.incident_pattern) {
        ("identity_providers", _) => {
            let (old, new) = (&old.identity_providers, &new.identity_providers);
            let (effect, words) = sign_in::providers(old, new);
            Change::named(field, effect, words)
        }
        ("administrators", _) => {
            let [gained, lost] = gained_and_lost(&old.administrators, &new.administrators);
            let effect = if gained.is_empty() { Effect::TakesAway } else { Effect::Grants };
            let names = |words: &str, names: &[&str]| {
                (!names.is_empty()).then(|| format!("{words} {}", listed(names)))
            };
            let words = names("has the new groups", &gained);
            let words: Vec<String> =
                words.into_iter().chain(names("loses the groups", &lost)).collect();
            Change::named(field, effect, words.join(", and "))
        }
        ("keep_grants_of_leavers", _) if new.keep_grants_of_leavers => Change::named(
            field,
            Effect::Grants,
            "is true: people who are removed keep their grants",
        ),
        ("keep_grants_of_leavers", _) => Change::named(
            field,
            Effect::TakesAway,
            "is false: people who are removed lose their grants",
        ),
        ("incident_pattern", None) => Change::named(field, Effect::Grants, "is gone"),
        ("incident_pattern", Some(_)) if old.incident_pattern.is_none() => {
            Change::named(field, Effect::TakesAway, "is required of incidents")
        }
        // Which of two patterns takes more cannot be told.
        ("incident_pattern", Some(_)) => Change::named(field, Effect::Grants, "is another one"),
        ("incident_check", _) => {
            let (old, new) = (old.incident_check.as_ref(), new.incident_check.as_ref());
            let (effect, words) = incidents::source(old, new);
            Change::named(field, effect, words)
        }
        ("on_call", _) => {
            let (effect, words) = on_call::source(old.on_call.as_ref(), new.on_call.as_ref());
            Change::named(field, effect, words)
        }
        _ => Change::named(field, Effect::Neutral, "has changed"),
    }
}
