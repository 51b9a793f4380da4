//! Counters, kept here and handed over now and then: one host call for many requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::audit::Decision;
use crate::policy::{Scope, Scopes};
use crate::reason::Reason;

/// The name of a counter. Envoy's own prefix `wasmcustom.` comes before it.
pub type CounterName = String;

/// The most scopes that are counted apart: Envoy keeps a counter for as long as it runs.
const MAX_SCOPES: usize = 50;

/// What the other scopes are counted as, and those that only an earlier configuration has.
const OTHER: &str = "other";

/// What happened since the last hand-over.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    decisions: BTreeMap<(&'static str, &'static str), u64>,
    calls: BTreeMap<(&'static str, &'static str), u64>,
    /// The scopes that are counted apart, in order.
    scopes: Vec<String>,
    /// By the index of the scope; `None` for all others together.
    by_scope: BTreeMap<(Option<usize>, &'static str), u64>,
}

impl Counters {
    /// Nothing has happened. The first [`MAX_SCOPES`] scopes, by name, are counted apart.
    pub(crate) fn new(scopes: &Scopes) -> Counters {
        let scopes = scopes.iter().take(MAX_SCOPES).map(|Scope { name, .. }| name.clone());
        Counters { scopes: scopes.collect(), ..Counters::default() }
    }

    pub(crate) fn decision(&mut self, decision: Decision, reason: Reason, scope: Option<&str>) {
        add_one(self.decisions.entry((decision.word(), reason.code())).or_default());
        if let Some(scope) = scope {
            let index = self.scopes.binary_search_by(|name| name.as_str().cmp(scope)).ok();
            add_one(self.by_scope.entry((index, decision.word())).or_default());
        }
    }

    pub(crate) fn call(&mut self, purpose: &'static str, result: &'static str) {
        self.add(purpose, result, 1);
    }

    /// The same, so many times.
    pub(crate) fn add(&mut self, purpose: &'static str, result: &'static str, count: u64) {
        if count > 0 {
            let before = self.calls.entry((purpose, result)).or_default();
            *before = before.saturating_add(count);
        }
    }

    /// Hands over what was counted, and begins anew.
    pub(crate) fn take(&mut self) -> Vec<(CounterName, u64)> {
        let decisions = std::mem::take(&mut self.decisions);
        let calls = std::mem::take(&mut self.calls);
        let by_scope = std::mem::take(&mut self.by_scope);
        let decisions = decisions.into_iter().map(|((decision, reason), count)| {
            (format!("breakglass.decision.{decision}.reason.{reason}"), count)
        });
        let by_scope = by_scope.into_iter().map(|((scope, decision), count)| {
            let scope = scope.and_then(|index| self.scopes.get(index));
            let scope = scope.map_or(OTHER.to_owned(), |name| part(name));
            (format!("breakglass.scope_decision.{decision}.scope.{scope}"), count)
        });
        let calls = calls.into_iter().map(|((purpose, result), count)| {
            (format!("breakglass.{purpose}.result.{result}"), count)
        });
        decisions.chain(by_scope).chain(calls).collect()
    }
}

/// A name as one part of a counter's name: dots separate parts, and StatsD ends a name at the first colon. What is not a
/// letter, a digit, `_` or `-` is percent-encoded, so that no two names become one.
fn part(name: &str) -> String {
    let mut part = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            part.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(part, "%{byte:02X}");
        }
    }
    part
}

fn add_one(count: &mut u64) {
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::reason::DenyReason;
    use crate::testing::{jwk, test};

    fn counters(scopes: &[&str]) -> Counters {
        let scope = |name: &&str| json!({"name": name, "methods": ["GET"], "paths": ["/"]});
        let scopes: Vec<_> = scopes.iter().map(scope).collect();
        let config = json!({"issuers": [{"issuer": "https://a.example", "audiences": ["a"],
            "jwks": {"inline": {"keys": [jwk(1)]}}}], "scopes": scopes,
            "revocation": {"on_unavailable": "allow"}});
        let config = Config::parse(config.to_string().as_bytes(), &|_| None).unwrap();
        Counters::new(&config.scopes)
    }

    fn count(counters: &mut Counters, scopes: &[Option<&str>]) -> Vec<(String, u64)> {
        let reason = Reason::Refused(DenyReason::OutOfScope);
        scopes.iter().for_each(|scope| counters.decision(Decision::Deny, reason, *scope));
        let mut taken = counters.take();
        taken.retain_mut(|(name, _)| {
            match name.strip_prefix("breakglass.scope_decision.deny.scope.") {
                Some(scope) => {
                    *name = scope.to_owned();
                    true
                }
                None => false,
            }
        });
        taken
    }

    #[test]
    fn decisions_are_counted_by_the_scopes_of_the_configuration() {
        let mut counters = counters(&["orders:read", "orders:write"]);
        let seen = [Some("orders:read"), Some("orders:read"), Some("no:scope"), None];
        let counted = [("other".to_owned(), 1), ("orders%3Aread".to_owned(), 2)];
        assert_eq!(count(&mut counters, &seen), counted);
        assert!(counters.take().is_empty(), "handed over once");
    }

    #[test]
    fn no_two_names_of_scopes_become_one_and_none_is_two_parts() {
        let names = ["a.b", "a:b", "a_b", "a-b", "a%2Eb", "a/b"];
        let parts = ["a%2Eb", "a%3Ab", "a_b", "a-b", "a%252Eb", "a%2Fb"];
        assert_eq!(names.map(part), parts);
    }

    #[test]
    fn scopes_beyond_the_first_fifty_are_counted_together() {
        let names: Vec<String> = (0..60).map(|number| format!("s{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut counters = counters(&names);
        let seen: Vec<_> = names.iter().copied().map(Some).collect();
        let counted = count(&mut counters, &seen);
        assert_eq!(counted.len(), MAX_SCOPES + 1);
        assert_eq!(counted[0], ("other".to_owned(), 10));
        assert!(counted[1..].iter().all(|(_, count)| *count == 1));
    }
}
