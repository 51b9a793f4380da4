//! What an answer says of an incident and of the person who names it. Pure.

use breakglass_api::incident::IncidentVerdict;
use serde_json::Value;

use super::found::Found;
use crate::config::{IncidentCheck, JsonPointer, OwnerAt, Pointed};
use crate::json_call::{Answer, Silence};

/// The person who names the incident. All of it is compared byte for byte.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The name.
    pub name: &'a str,
    /// The mail address: of an account, the one that its provider has verified.
    pub mail: Option<&'a str>,
    /// The groups.
    pub groups: &'a [String],
}

/// What was said of the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is open, and the asker's where that counts.
    Open,
    /// It is open, and another's.
    NotYours,
    /// It is not open.
    Closed,
    /// There is none.
    Unknown,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> IncidentVerdict {
        match self {
            Verdict::Open => IncidentVerdict::Open,
            Verdict::NotYours => IncidentVerdict::NotYours,
            Verdict::Closed => IncidentVerdict::Closed,
            Verdict::Unknown => IncidentVerdict::Unknown,
        }
    }

    /// What a word stands for; nothing for silence, which is no answer.
    #[must_use]
    pub const fn of(word: IncidentVerdict) -> Option<Verdict> {
        match word {
            IncidentVerdict::Open => Some(Verdict::Open),
            IncidentVerdict::NotYours => Some(Verdict::NotYours),
            IncidentVerdict::Closed => Some(Verdict::Closed),
            IncidentVerdict::Unknown => Some(Verdict::Unknown),
            IncidentVerdict::Silent => None,
        }
    }

    /// Whether there is nothing left to mend.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Verdict::Closed | Verdict::Unknown)
    }
}

/// An answer with a state.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// There is no such incident.
    NoSuchIncident,
    /// There is one.
    Incident {
        /// Its state.
        state: String,
        /// The whole answer.
        document: Value,
    },
}

/// A judged answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it says.
    pub verdict: Verdict,
    /// Whether the asker opened the incident.
    pub own_incident: bool,
    /// What was found in it.
    pub found: Found,
}

/// Finds the state in an answer.
///
/// # Errors
/// [`Silence`] where there is none.
pub(super) fn read(check: &IncidentCheck, answer: Answer) -> Result<Said, Silence> {
    let Answer::Document(document) = answer else { return Ok(Said::NoSuchIncident) };
    let pointer = &check.state.pointer;
    let state = match pointer.find(&document) {
        Pointed::Value(value) => scalar(value),
        Pointed::EmptyList => return Ok(Said::NoSuchIncident),
        Pointed::Nothing => None,
    };
    match state {
        Some(state) => Ok(Said::Incident { state, document }),
        None => Err(Silence {
            cause: format!("its answer has no string, number or boolean at `{pointer}`"),
            to_do: Some(
                "let `incident_check.state.pointer` be where its answers have the state".to_owned(),
            ),
        }),
    }
}

/// Judges an answer.
#[must_use]
pub fn judge(check: &IncidentCheck, asker: Asker<'_>, said: &Said) -> Checked {
    let Said::Incident { state, document } = said else {
        let (verdict, found) = (Verdict::Unknown, Found::default());
        return Checked { verdict, own_incident: false, found };
    };
    let opened_by = check.opened_by.as_ref().map(|at| texts(at, document)).unwrap_or_default();
    let (people, teams) =
        check.owner.as_ref().map(|owner| owners(owner, document)).unwrap_or_default();
    let is_theirs = check.owner.is_none()
        || people.iter().any(|text| asker.is(text))
        || teams.iter().any(|team| asker.groups.iter().any(|group| group == team));
    let verdict = match (check.state.open.contains(state), is_theirs) {
        (true, true) => Verdict::Open,
        (true, false) => Verdict::NotYours,
        (false, _) => Verdict::Closed,
    };
    let own_incident = opened_by.iter().any(|text| asker.is(text));
    let owner: Vec<&str> = people.into_iter().chain(teams).collect();
    Checked { verdict, own_incident, found: Found::new(state, &owner, &opened_by) }
}

impl Asker<'_> {
    fn is(&self, text: &str) -> bool {
        text == self.name || self.mail == Some(text)
    }
}

fn owners<'a>(owner: &OwnerAt, document: &'a Value) -> (Vec<&'a str>, Vec<&'a str>) {
    let all = |pointers: &[JsonPointer]| {
        pointers.iter().flat_map(|pointer| texts(pointer, document)).collect()
    };
    (all(&owner.pointers), all(&owner.teams))
}

/// The string, or the strings of the list, that a pointer finds. Anything else names no person.
fn texts<'a>(pointer: &JsonPointer, document: &'a Value) -> Vec<&'a str> {
    match pointer.find(document) {
        Pointed::Value(Value::String(text)) => vec![text],
        Pointed::Value(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Pointed::Value(_) | Pointed::EmptyList | Pointed::Nothing => Vec::new(),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
