//! The uses in a report, held against what the approval service's trail says was approved. A token says itself which rules
//! were approved ([`super::other_rules`]); the trail is where a token that says something else is noticed.
//!
//! For each call that a grant let through:
//! 1. The service lists no request of this grant, the trail of its approval names no digest for the scope (a grant of
//!    before, or no definition was known), or the record names none (an older filter): not compared, and counted.
//! 2. The request does not have the scope, or an approval left it out: `scope_not_approved`.
//! 3. The token names another digest than the trail, or does not name the trail's although the call was judged by other
//!    rules: `token_not_as_approved`. The service issues no such token: another holder of a key of its issuer does.
//! 4. The token names the trail's digest, and the call was judged by other rules: `rules_not_approved`. The proxy's
//!    configuration is another one than was approved.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::uses::{Grouped, count, is_use, quoted, text};

/// What the service says of a grant.
#[derive(Default)]
struct Approval<'s> {
    /// The scopes of its request that no approval left out; nothing where the answer does not say.
    scopes: Option<Vec<&'s str>>,
    /// The digests of their rules, as the trail of the approval names them.
    digests: Option<&'s Map<String, Value>>,
}

/// Why a use cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NotCompared {
    /// The service's answer has no request of this grant.
    GrantNotListed,
    /// The trail names no digest for the scope.
    NoApprovedDigest,
    /// The record names no digest, or not even a scope.
    NoScopeDigest,
}

impl NotCompared {
    fn word(self) -> &'static str {
        match self {
            NotCompared::GrantNotListed => "grant_not_listed",
            NotCompared::NoApprovedDigest => "no_approved_digest",
            NotCompared::NoScopeDigest => "no_scope_digest",
        }
    }
}

/// What is wrong with a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mismatch {
    /// The grant's request does not have the scope.
    Scope,
    /// The token does not name the rules that the trail names.
    Token,
    /// The token does, and the proxy had others.
    Rules,
}

impl Mismatch {
    fn word(self) -> &'static str {
        match self {
            Mismatch::Scope => "scope_not_approved",
            Mismatch::Token => "token_not_as_approved",
            Mismatch::Rules => "rules_not_approved",
        }
    }
}

/// What the uses of one finding have in common.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found<'r> {
    kind: Mismatch,
    grant: &'r str,
    scope: &'r str,
    /// Of the rules that the trail says were approved.
    trail: Option<&'r str>,
    /// Of the rules that the token says were approved, where they are not those that were used.
    token: Option<&'r str>,
    /// Of the rules by which the call was judged.
    used: Option<&'r str>,
}

/// The comparison of these records with what the service says, in the form that docs/audit.md describes.
pub(super) fn against_trail<'r>(
    records: impl Iterator<Item = &'r Value>,
    requests: &'r [Value],
) -> Value {
    let approvals: HashMap<&str, Approval<'_>> = requests.iter().filter_map(approval).collect();
    let mut compared: u64 = 0;
    let mut not_compared: BTreeMap<NotCompared, u64> = BTreeMap::new();
    let mut found: Grouped<'r, Found<'r>> = Grouped::new();
    for record in records.filter(|record| is_use(record)) {
        match judge(record, &approvals) {
            Err(why) => {
                let times = not_compared.entry(why).or_default();
                *times = times.saturating_add(1);
            }
            Ok(finding) => {
                compared = compared.saturating_add(1);
                if let Some(finding) = finding {
                    count(&mut found, finding, record);
                }
            }
        }
    }
    let of = |Found { kind, grant, scope, trail, token, used }| {
        json!({
            "kind": Mismatch::word(kind), "grant": grant, "scope": scope, "trail_digest": trail,
            "token_digest": token, "scope_digest": used,
        })
    };
    let findings: Vec<Value> = found.into_iter().map(|(key, uses)| uses.json(of(key))).collect();
    let not_compared: BTreeMap<&str, u64> =
        not_compared.into_iter().map(|(why, times)| (why.word(), times)).collect();
    json!({ "compared": compared, "not_compared": not_compared, "findings": findings })
}

/// A grant's id, and what the service says of it; nothing where the request has no grant.
fn approval(entry: &Value) -> Option<(&str, Approval<'_>)> {
    let grant = entry.pointer("/request/grant/id")?.as_str()?;
    let scopes = entry.pointer("/request/scopes").and_then(Value::as_array);
    let mut scopes: Option<Vec<&str>> =
        scopes.map(|scopes| scopes.iter().filter_map(Value::as_str).collect());
    let trail = entry.get("trail").and_then(Value::as_array).into_iter().flatten();
    let approvals = trail.filter(|step| text(step, "action") == "approve");
    let mut digests = None;
    for approval in approvals {
        // A request froze them when it was submitted: every approval of it names the same, but for scopes that it leaves out.
        digests = approval.pointer("/detail/scope_digests").and_then(Value::as_object);
        let kept = approval.pointer("/detail/scopes").and_then(Value::as_array);
        if let (Some(scopes), Some(kept)) = (&mut scopes, kept) {
            scopes.retain(|scope| kept.iter().any(|kept| kept == scope));
        }
    }
    Some((grant, Approval { scopes, digests }))
}

/// What is wrong with a use, if anything is; or why that is not known.
fn judge<'r>(
    record: &'r Value,
    approvals: &HashMap<&str, Approval<'r>>,
) -> Result<Option<Found<'r>>, NotCompared> {
    let grant = text(record, "grant");
    let member = |name: &str| record.get(name).and_then(Value::as_str);
    let (token, used) = (member("approved_digest"), member("scope_digest"));
    let approval = approvals.get(grant).ok_or(NotCompared::GrantNotListed)?;
    let scope = member("scope").ok_or(NotCompared::NoScopeDigest)?;
    let trail = approval.digests.and_then(|digests| digests.get(scope)?.as_str());
    let found = |kind| Ok(Some(Found { kind, grant, scope, trail, token, used }));
    if approval.scopes.as_ref().is_some_and(|scopes| !scopes.contains(&scope)) {
        return found(Mismatch::Scope);
    }
    let approved = trail.ok_or(NotCompared::NoApprovedDigest)?;
    // A record has the token's digest where it is not the one that was used.
    if token.is_some_and(|token| token != approved) {
        return found(Mismatch::Token);
    }
    match used.ok_or(NotCompared::NoScopeDigest)? {
        used if used == approved => Ok(None),
        _ if token.is_some() => found(Mismatch::Rules),
        _ => found(Mismatch::Token),
    }
}

/// The lines of a comparison for a person, which stand in a terminal; none where there was no use.
pub(super) fn lines(comparison: &Value) -> Vec<String> {
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or_default();
    let compared = number(comparison.get("compared"));
    let not_compared = comparison.get("not_compared").and_then(Value::as_object);
    let reasons: Vec<String> = not_compared
        .into_iter()
        .flatten()
        .map(|(why, times)| format!("{} {why}", number(Some(times))))
        .collect();
    let findings = comparison.get("findings").and_then(Value::as_array);
    let summary = match (compared, reasons.is_empty()) {
        (0, true) => None,
        (_, true) => Some(format!("approvals     {compared} uses compared")),
        (_, false) => {
            Some(format!("approvals     {compared} uses compared, not: {}", reasons.join(", ")))
        }
    };
    summary.into_iter().chain(findings.into_iter().flatten().map(line)).collect()
}

/// What a kind of finding means, for a person.
pub(super) fn meaning(kind: &str) -> &'static str {
    match kind {
        "scope_not_approved" => {
            "the grant was approved without this scope: the service issues no such token"
        }
        "token_not_as_approved" => {
            "the token does not name the rules that were approved: the service issues no such token"
        }
        "rules_not_approved" => "the proxy had other rules for the scope than were approved",
        _ => "",
    }
}

fn line(found: &Value) -> String {
    let quoted = |name: &str| quoted(found, name);
    let kind = text(found, "kind");
    let token = match found.get("token_digest") {
        Some(Value::String(_)) => quoted("token_digest"),
        _ => "the used ones or none".to_owned(),
    };
    format!(
        "NOT APPROVED  {kind}: {}: grant {}, scope {}: {} requests from {} to {} by proxies {}; the trail names {}, the \
         token {token}, used were {}",
        meaning(kind),
        quoted("grant"),
        quoted("scope"),
        quoted("requests"),
        quoted("first"),
        quoted("last"),
        quoted("nodes"),
        quoted("trail_digest"),
        quoted("scope_digest"),
    )
}

#[cfg(test)]
mod tests;
