//! What Envoy's access log says about one request, the filter's audit record included.

use std::fs;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::artefacts::root;

/// The form that docs/ promises.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = fs::read_to_string(root().join("docs/audit-record.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap()
});

/// One line of the access log that [`crate::bootstrap`] asks for.
#[derive(Debug, Clone)]
pub struct Record {
    line: Value,
    audit: Option<Audit>,
}

/// The filter's audit record: what it wrote, and the same as JSON.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The record as it was written.
    pub text: String,
    json: Value,
}

impl Record {
    /// Reads a line of the access log.
    ///
    /// # Panics
    /// When the line or the audit record in it is not JSON.
    #[must_use]
    pub fn parse(line: &str) -> Record {
        let line: Value = serde_json::from_str(line).expect("an access log line is JSON");
        let audit = line["breakglass"].as_str().map(|text| Audit {
            text: text.to_owned(),
            json: serde_json::from_str(text)
                .unwrap_or_else(|error| panic!("an audit record is JSON: {error}: {text}")),
        });
        Record { line, audit }
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.line["request_id"].as_str()
    }

    /// The status that Envoy answered with.
    #[must_use]
    pub fn status(&self) -> Option<u64> {
        self.line["status"].as_u64()
    }

    /// Envoy's response code details.
    #[must_use]
    pub fn details(&self) -> &str {
        self.line["details"].as_str().unwrap_or("")
    }

    /// Envoy's response flags.
    #[must_use]
    pub fn flags(&self) -> &str {
        self.line["flags"].as_str().unwrap_or("")
    }

    /// The decision that the filter left in filter state for later filters.
    #[must_use]
    pub fn decision(&self) -> Option<&str> {
        self.line["decision"].as_str()
    }

    /// The audit record, if one was written.
    #[must_use]
    pub fn audit(&self) -> Option<&Audit> {
        self.audit.as_ref()
    }

    /// The whole line, for messages.
    #[must_use]
    pub fn line(&self) -> &Value {
        &self.line
    }
}

impl Audit {
    /// The members of every record, in the order in which they are written.
    pub const MEMBERS: [&str; 46] = [
        "v",
        "time",
        "decision",
        "reason",
        "grant",
        "subject",
        "issuer",
        "incident",
        "justification",
        "approvers",
        "emergency",
        "basis",
        "scope",
        "scope_digest",
        "approved_digest",
        "rule",
        "method",
        "host",
        "path",
        "route",
        "source_ip",
        "request_id",
        "upgrade",
        "phase",
        "status",
        "response_flags",
        "duration_ms",
        "bytes_received",
        "bytes_sent",
        "bytes_after_revocation",
        "expires_in_s",
        "epoch",
        "epoch_age_ms",
        "revocation_source",
        "upstream",
        "route_used",
        "node",
        "stream",
        "request_body",
        "response_body",
        "start",
        "grant_seq",
        "chain",
        "seq",
        "prev",
        "hash",
    ];

    /// The members that are there only where there is something to say.
    pub const OPTIONAL: [&str; 6] =
        ["approved_digest", "upgrade", "route_used", "request_body", "response_body", "start"];

    /// A member of the record.
    ///
    /// # Panics
    /// When the record has no such member: unknown is `null`, never absent.
    #[must_use]
    pub fn of(&self, member: &str) -> &Value {
        self.json.get(member).unwrap_or_else(|| panic!("`{member}` is missing in {}", self.text))
    }

    /// A member that is text.
    #[must_use]
    pub fn text_of(&self, member: &str) -> Option<&str> {
        self.of(member).as_str()
    }

    /// Whether every member is there, once, and in order, and of the form that the schema says.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Some(there) = self.json.as_object() else { return false };
        let members = Self::MEMBERS
            .iter()
            .filter(|member| !Self::OPTIONAL.contains(member) || there.contains_key(**member));
        let mut rest = self.text.as_str();
        let in_order = members.clone().all(|member| {
            let found = rest.find(&format!("\"{member}\":"));
            rest = found.and_then(|at| rest.get(at..)).unwrap_or("");
            found.is_some()
        });
        in_order && there.len() == members.count() && SCHEMA.is_valid(&self.json)
    }
}
