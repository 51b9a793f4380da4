//! What the forms that others read have in common.

use serde_json::{Value, json};

use super::finding::Kind;
use super::proof::{SEALED, UNPROVEN};
use super::record::Record;

/// How much of a line that cannot be read goes along, in bytes.
const RAW_BYTES: usize = 8192;

/// What a record says for itself, without its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its hash is that of its text. Its chain has to say whether it is the one that was written.
    Sealed,
    /// It has no seal: nothing proves it.
    Unproven,
    /// Its hash is not that of its text.
    Changed,
}

impl Proof {
    /// Of a record; `intact` is whether its hash is that of its text.
    ///
    /// # Errors
    /// Why a filter would not have written it.
    pub fn of(record: &Record<'_>, intact: bool) -> Result<Proof, String> {
        match record.seal().map_err(|error| error.to_string())? {
            None => Ok(Proof::Unproven),
            Some(_) if intact => Ok(Proof::Sealed),
            Some(_) => Ok(Proof::Changed),
        }
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Proof::Sealed => SEALED,
            Proof::Unproven => UNPROVEN,
            Proof::Changed => Kind::Changed.word(),
        }
    }
}

/// Something that was a record, or may have been.
#[derive(Debug)]
pub struct Damage<'d> {
    /// The finding's word.
    pub finding: &'static str,
    /// Why it is no record.
    pub reason: &'d str,
    /// The file.
    pub file: &'d str,
    /// The line in it.
    pub line: u64,
    /// The line's text.
    pub text: &'d str,
    /// When it was, as far as that can be said, RFC 3339.
    pub time: &'d str,
}

impl Damage<'_> {
    /// The beginning of its text.
    #[must_use]
    pub fn raw(&self) -> &str {
        self.text.get(..self.text.floor_char_boundary(RAW_BYTES)).unwrap_or_default()
    }

    /// What a format has no member for.
    #[must_use]
    pub fn own(&self) -> Value {
        json!({
            "proof": "damaged",
            "finding": self.finding,
            "file": self.file,
            "line": self.line,
            "raw_truncated": self.raw().len() < self.text.len(),
        })
    }

    /// In a sentence.
    #[must_use]
    pub fn message(&self) -> String {
        format!("breakglass audit record damaged: {}:{}: {}", self.file, self.line, self.reason)
    }
}

/// A member that says something.
#[must_use]
pub fn member(record: &Value, name: &str) -> Option<Value> {
    record.get(name).filter(|value| !value.is_null()).cloned()
}

/// A member as text; nothing is empty.
#[must_use]
pub fn text<'r>(record: &'r Value, name: &str) -> &'r str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member as a number.
#[must_use]
pub fn number(record: &Value, name: &str) -> Option<u64> {
    record.get(name).and_then(Value::as_u64)
}

/// Puts a value where `pointer` says, if there is one; the objects on the way are made.
pub fn put(event: &mut Value, pointer: &str, value: Option<Value>) {
    let Some(value) = value else { return };
    let mut place = event;
    for name in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = json!({});
        }
        let Value::Object(members) = place else { return };
        place = members.entry(name).or_insert(Value::Null);
    }
    *place = value;
}
