//! What a person asks for.

use super::fixed_needs::Asked;
use super::judged::JudgedActor;
use crate::access::rules::Facts;
use crate::clock::Moment;

/// What is asked for, within its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The scopes, each once.
    pub scopes: Vec<String>,
    /// Why.
    pub reason: String,
    /// The incident.
    pub incident: Option<String>,
    /// For how long, in seconds.
    pub duration_s: i64,
    /// Whether it is called an emergency.
    pub emergency: bool,
    /// The request whose grant it goes on with.
    pub extends: Option<String>,
}

impl Ask {
    /// The same, by this person.
    pub(super) fn by<'a>(&'a self, actor: &'a JudgedActor, now: Moment) -> Asked<'a> {
        let facts = Facts {
            requester: &actor.person().name,
            scopes: &self.scopes,
            duration_s: self.duration_s,
            held: &[],
            emergency: self.emergency,
            submitted_at: now,
        };
        let (who, sign_in) = (actor.person(), actor.sign_in());
        Asked { facts, who, sign_in, has_incident: self.incident.is_some() }
    }
}
