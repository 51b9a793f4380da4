//! Logs as the documented form has them, written by another program than the one that reads them:
//! text, put together by hand.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A VM that writes records.
#[derive(Clone)]
pub struct Vm {
    pub chain: String,
    pub seq: u64,
    pub hash: Option<String>,
    grants: std::collections::BTreeMap<String, u64>,
    requests: u64,
}

/// What a record says; the rest is the same in all of them.
#[derive(Clone)]
pub struct Call<'a> {
    pub phase: &'a str,
    pub decision: &'a str,
    pub reason: &'a str,
    pub grant: Option<&'a str>,
    pub subject: &'a str,
    pub incident: &'a str,
    pub path: &'a str,
    pub start: Option<(u64, String)>,
    pub request: Option<u64>,
    /// The digests of the scope's rules and of those that were approved; a filter of before has neither.
    pub rules: Option<(&'a str, &'a str)>,
}

pub const GRANT: &str = "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D1";

pub const END: Call<'static> = Call {
    phase: "end",
    decision: "allow",
    reason: "permit",
    grant: Some(GRANT),
    subject: "alice@example.com",
    incident: "INC-4711",
    path: "/v1/orders/17",
    start: None,
    request: None,
    rules: None,
};

/// A string as RFC 8785 writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

fn or_null(value: Option<String>) -> String {
    value.unwrap_or_else(|| "null".to_owned())
}

impl Vm {
    /// A VM whose chain has this digit over and over as its id.
    pub fn new(digit: char) -> Vm {
        let chain = digit.to_string().repeat(32);
        Vm { chain, seq: 0, hash: None, grants: Default::default(), requests: 0 }
    }

    /// The next record.
    pub fn write(&mut self, call: &Call<'_>) -> String {
        self.requests += 1;
        let request = call.request.unwrap_or(self.requests);
        let sealed = call.phase != "decision";
        let mut grant_seq = None;
        if let (true, Some(grant)) = (sealed, call.grant) {
            let count = self.grants.entry(grant.to_owned()).or_default();
            *count += 1;
            grant_seq = Some(count.to_string());
        }
        let start = call.start.as_ref();
        let start = start
            .map(|(seq, hash)| format!(r#""start":{{"seq":{seq},"hash":"{hash}"}},"#))
            .unwrap_or_default();
        let grant = or_null(call.grant.map(quoted));
        let mut record = format!(
            r#"{{"v":1,"time":"2026-11-22T02:{:02}:{:02}.{:03}Z","decision":{},"reason":{},"#,
            13 + request / 60_000,
            request / 1000 % 60,
            request % 1000,
            quoted(call.decision),
            quoted(call.reason)
        );
        record += &format!(
            r#""grant":{grant},"subject":{},"issuer":"https://approvals.internal","#,
            quoted(call.subject)
        );
        record +=
            &format!(r#""incident":{},"justification":"orders are stuck","#, quoted(call.incident));
        record += r#""approvers":["carol@example.com"],"emergency":false,"#;
        record += call.rules.map_or("", |_| r#""basis":"approved","#);
        record += r#""scope":"orders:read","#;
        if let Some((own, approved)) = call.rules {
            record += &format!(r#""scope_digest":"{own}","#);
            if own != approved {
                record += &format!(r#""approved_digest":"{approved}","#);
            }
        }
        record += r#""rule":"/v1/orders/{id}","method":"GET","host":"orders.internal","#;
        record +=
            &format!(r#""path":{},"route":"orders","source_ip":"10.0.0.7","#, quoted(call.path));
        record += &format!(
            r#""request_id":"{}-{request:06}","phase":"{}","status":200,"response_flags":"-","#,
            &self.chain[..4],
            call.phase
        );
        record += r#""duration_ms":12,"bytes_received":0,"bytes_sent":345,"#;
        record += r#""bytes_after_revocation":null,"expires_in_s":1799,"epoch":null,"#;
        record += r#""epoch_age_ms":null,"revocation_source":"introspection","#;
        record += r#""upstream":"10.1.0.2:8080","node":"gate-1","#;
        record += &format!(r#""stream":{request},{start}"#);
        record += &format!(r#""grant_seq":{},"chain":"{}","#, or_null(grant_seq), self.chain);
        if !sealed {
            return record + r#""seq":null,"prev":null,"hash":null}"#;
        }
        self.seq += 1;
        let prev = or_null(self.hash.as_deref().map(quoted));
        record += &format!(r#""seq":{},"prev":{prev}"#, self.seq);
        let hash = Sha256::digest(format!("{record}}}"));
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        record += &format!(r#","hash":"{hash}"}}"#);
        self.hash = Some(hash);
        record
    }

    /// This many ends.
    pub fn ends(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.write(&END)).collect()
    }

    /// Its head, as the service tells it.
    pub fn head(&self) -> Value {
        json!({
            "reported_at": "2026-11-22T02:20:00Z", "proxy": "envoy", "node": "gate-1",
            "chain": self.chain, "seq": self.seq, "hash": self.hash,
            "began": "2026-11-22T02:12:00Z", "ended": false, "grants": self.grants,
            "conflict": null, "proof": "proven",
        })
    }
}

/// Heads, as the service tells them.
pub fn heads<'a>(vms: impl IntoIterator<Item = &'a Vm>) -> Value {
    let heads: Vec<Value> = vms.into_iter().map(Vm::head).collect();
    json!({ "as_of": "2026-11-22T02:21:00Z", "heads": heads, "next": null })
}

/// The record in a line of Envoy's JSON format, as a string.
pub fn wrapped(record: &str) -> String {
    json!({ "start_time": "2026-11-22T02:13:00.000Z", "breakglass": record, "bytes": 5 })
        .to_string()
}

/// A folder with files.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub fn lines(&self, name: &str, lines: &[String]) -> PathBuf {
        self.file(name, lines.join("\n") + "\n")
    }
}
