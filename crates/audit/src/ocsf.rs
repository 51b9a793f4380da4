//! Records as OCSF events of the class API Activity (6003), in the form of OCSF 1.3.0.

use serde_json::{Map, Value, json};

use super::export::{Damage, Proof, member, number, put, text};
use crate::moment::parse_rfc3339;

/// The version of the schema.
const VERSION: &str = "1.3.0";

/// Category Application Activity, class API Activity.
const CATEGORY: u64 = 6;
const CLASS: u64 = 6003;

/// The event for a record.
#[must_use]
pub fn event(record: &Value, raw: &str, proof: Proof) -> Value {
    let (activity, activity_name) = activity(text(record, "method"));
    let decision = text(record, "decision");
    let allowed = matches!(decision, "allow" | "pass" | "shadow_deny");
    let (action, action_name, disposition, disposition_name) = match decision {
        "deny" => (2, "Denied", 2, "Blocked"),
        "cut" => (2, "Denied", 6, "Dropped"),
        _ => (1, "Allowed", 1, "Allowed"),
    };
    let success = allowed && number(record, "status").is_none_or(|status| status < 400);
    let time = parse_rfc3339(text(record, "time")).map_or(0, crate::moment::Moment::millis);
    let method = text(record, "method");
    let mut event = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "type_uid": CLASS.saturating_mul(100).saturating_add(activity),
        "type_name": format!("API Activity: {activity_name}"),
        "time": time,
        // Break-glass is never routine; a refusal or a cut is worth a look.
        "severity_id": if allowed { 2 } else { 3 },
        "severity": if allowed { "Low" } else { "Medium" },
        "status_id": if success { 1 } else { 2 },
        "status": if success { "Success" } else { "Failure" },
        "status_detail": text(record, "reason"),
        "action_id": action,
        "action": action_name,
        "disposition_id": disposition,
        "disposition": disposition_name,
        "metadata": metadata(record),
        "actor": actor(record),
        "api": {
            "operation": format!("{method} {}", text(record, "path")),
            "service": { "name": text(record, "host") },
        },
        "src_endpoint": { "ip": text(record, "source_ip") },
        "http_request": {
            "http_method": method,
            "url": { "hostname": text(record, "host"), "path": text(record, "path") },
        },
        "raw_data": raw,
    });
    put(&mut event, "/api/request/uid", member(record, "request_id"));
    put(&mut event, "/api/response/code", member(record, "status"));
    put(&mut event, "/http_request/uid", member(record, "request_id"));
    put(&mut event, "/http_response/code", member(record, "status"));
    put(&mut event, "/http_response/body_length", member(record, "bytes_sent"));
    put(&mut event, "/duration", member(record, "duration_ms"));
    if let Some(Value::String(upstream)) = member(record, "upstream") {
        let (ip, port) = upstream.rsplit_once(':').unwrap_or((upstream.as_str(), ""));
        put(&mut event, "/dst_endpoint/ip", Some(json!(ip.trim_matches(['[', ']']))));
        put(&mut event, "/dst_endpoint/port", port.parse::<u16>().ok().map(Value::from));
    }
    put(&mut event, "/unmapped", Some(unmapped(record)));
    put(&mut event, "/unmapped/breakglass_proof", Some(proof.word().into()));
    event
}

/// The event for what cannot be read: a Base Event, because nothing is known of a call.
#[must_use]
pub fn damage(damage: &Damage<'_>) -> Value {
    let time = parse_rfc3339(damage.time).map_or(0, crate::moment::Moment::millis);
    let mut own = damage.own();
    if let Value::Object(members) = &mut own {
        let members = std::mem::take(members).into_iter();
        own = members.map(|(name, value)| (format!("breakglass_{name}"), value)).collect();
    }
    json!({
        "activity_id": 99,
        "activity_name": "Damaged audit record",
        "category_uid": 0,
        "category_name": "Uncategorized",
        "class_uid": 0,
        "class_name": "Base Event",
        "type_uid": 99,
        "type_name": "Base Event: Other",
        "time": time,
        // Evidence was lost, or somebody took it.
        "severity_id": 4,
        "severity": "High",
        "status_id": 2,
        "status": "Failure",
        "status_detail": damage.reason,
        "status_code": damage.finding,
        "message": damage.message(),
        "metadata": product(),
        "raw_data": damage.raw(),
        "unmapped": own,
    })
}

/// What a method does, as OCSF has it.
fn activity(method: &str) -> (u64, &'static str) {
    match method {
        "POST" => (1, "Create"),
        "GET" | "HEAD" | "OPTIONS" => (2, "Read"),
        "PUT" | "PATCH" => (3, "Update"),
        "DELETE" => (4, "Delete"),
        _ => (99, "Other"),
    }
}

fn product() -> Value {
    json!({
        "version": VERSION,
        "product": {
            "name": "breakglass", "vendor_name": "breakglass",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "log_name": "breakglass",
    })
}

fn metadata(record: &Value) -> Value {
    let mut metadata = product();
    put(&mut metadata, "/profiles", Some(json!(["security_control"])));
    let version = member(record, "v").unwrap_or_default().to_string();
    put(&mut metadata, "/log_version", Some(version.into()));
    put(&mut metadata, "/original_time", Some(text(record, "time").into()));
    put(&mut metadata, "/uid", member(record, "hash"));
    put(&mut metadata, "/sequence", member(record, "seq"));
    put(&mut metadata, "/correlation_uid", member(record, "grant"));
    metadata
}

/// Who: the holder of the grant. A request without one was nobody's that is known.
fn actor(record: &Value) -> Value {
    let mut actor = match member(record, "subject") {
        Some(subject) => json!({ "user": { "name": subject, "uid": subject } }),
        None => json!({ "app_name": "unknown" }),
    };
    put(&mut actor, "/session/uid", member(record, "grant"));
    put(&mut actor, "/session/issuer", member(record, "issuer"));
    actor
}

/// What OCSF has no place for, under its own name.
fn unmapped(record: &Value) -> Value {
    let names = [
        "decision",
        "reason",
        "incident",
        "justification",
        "approvers",
        "emergency",
        "basis",
        "scope",
        "scope_digest",
        "approved_digest",
        "rule",
        "route",
        "upgrade",
        "route_used",
        "phase",
        "response_flags",
        "bytes_received",
        "bytes_after_revocation",
        "expires_in_s",
        "epoch",
        "revocation_source",
        "node",
        "chain",
        "prev",
    ];
    let named = names.iter().filter_map(|name| Some(((*name).to_owned(), member(record, name)?)));
    Value::Object(named.collect::<Map<_, _>>())
}
