//! Heads of chains, as a proxy reports them and the service lists them.

use serde_json::{Value, json};

use crate::service::Service;

/// A chain.
pub const CHAIN: &str = "0123456789abcdef0123456789abcdef";

pub fn hash(digit: char) -> String {
    digit.to_string().repeat(64)
}

pub fn head(seq: i64, digit: char) -> Value {
    json!({
        "chain": CHAIN, "seq": seq, "hash": hash(digit), "began": "2026-11-22T02:12:59.5Z",
        "ended": false, "grants": {},
    })
}

pub async fn listed(service: &Service, query: &str) -> Vec<Value> {
    let answer = service.get("grace", &format!("/v1/audit/heads{query}")).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.ok()["heads"].as_array().unwrap().clone()
}
