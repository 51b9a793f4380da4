//! Records as documents of the Elastic Common Schema, version 8.11.

use serde_json::{Map, Value, json};

use super::export::{Damage, Proof, member, number, put, text};

/// The version of the schema.
const VERSION: &str = "8.11.0";

/// The document for a record.
#[must_use]
pub fn event(record: &Value, raw: &str, proof: Proof) -> Value {
    let decision = text(record, "decision");
    let allowed = matches!(decision, "allow" | "pass" | "shadow_deny");
    let success = allowed && number(record, "status").is_none_or(|status| status < 400);
    let mut event = json!({
        "@timestamp": text(record, "time"),
        "ecs": { "version": VERSION },
        "message": format!(
            "{decision} {} {} {}{}",
            text(record, "reason"), text(record, "method"), text(record, "host"),
            text(record, "path"),
        ),
        "event": {
            "kind": "event",
            "category": ["api"],
            "type": ["access", if allowed { "allowed" } else { "denied" }],
            "outcome": if success { "success" } else { "failure" },
            "action": decision,
            "reason": text(record, "reason"),
            "module": "breakglass",
            "dataset": "breakglass.audit",
            "original": raw,
        },
        "http": { "request": { "method": text(record, "method") } },
        "url": { "domain": text(record, "host"), "path": text(record, "path") },
        "observer": { "type": "proxy", "vendor": "breakglass", "product": "breakglass" },
        "breakglass": own(record),
    });
    let nanoseconds = number(record, "duration_ms").map(|ms| ms.saturating_mul(1_000_000));
    for (pointer, value) in [
        ("/event/id", member(record, "hash")),
        ("/event/sequence", member(record, "seq")),
        ("/event/duration", nanoseconds.map(Value::from)),
        ("/http/request/id", member(record, "request_id")),
        ("/http/request/body/bytes", member(record, "bytes_received")),
        ("/http/response/status_code", member(record, "status")),
        ("/http/response/body/bytes", member(record, "bytes_sent")),
        ("/source/ip", member(record, "source_ip")),
        ("/user/name", member(record, "subject")),
        ("/destination/address", member(record, "upstream")),
        ("/observer/name", member(record, "node")),
        ("/rule/name", member(record, "scope")),
        ("/rule/id", member(record, "rule")),
    ] {
        put(&mut event, pointer, value);
    }
    put(&mut event, "/breakglass/proof", Some(proof.word().into()));
    event
}

/// The document for what cannot be read: an error of the pipeline, as ECS calls it.
#[must_use]
pub fn damage(damage: &Damage<'_>) -> Value {
    json!({
        "@timestamp": damage.time,
        "ecs": { "version": VERSION },
        "message": damage.message(),
        "event": {
            "kind": "pipeline_error",
            "module": "breakglass",
            "dataset": "breakglass.audit",
            "original": damage.raw(),
        },
        "error": { "message": damage.reason, "code": damage.finding },
        "log": { "file": { "path": damage.file } },
        "observer": { "type": "proxy", "vendor": "breakglass", "product": "breakglass" },
        "breakglass": damage.own(),
    })
}

/// What ECS has no field for, in a field set of our own.
fn own(record: &Value) -> Value {
    let names = [
        "grant",
        "issuer",
        "incident",
        "justification",
        "approvers",
        "emergency",
        "basis",
        "scope_digest",
        "approved_digest",
        "route",
        "upgrade",
        "route_used",
        "phase",
        "response_flags",
        "bytes_after_revocation",
        "expires_in_s",
        "epoch",
        "revocation_source",
        "chain",
        "prev",
    ];
    let named = names.iter().filter_map(|name| Some(((*name).to_owned(), member(record, name)?)));
    Value::Object(named.collect::<Map<_, _>>())
}
