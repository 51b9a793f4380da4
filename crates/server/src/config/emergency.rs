//! `approval_rules[].emergency`: what a requester takes alone in an emergency.

use breakglass_config_schema::{Object, number, object, or, parsed, required};

use super::read::bounded_duration;
use super::sign_in::RequiredLevel;
use crate::duration;

/// The longest grant that is taken alone, in seconds.
const MAX_DURATION_S: i64 = 3600;

/// The most grants in 24 hours.
const MAX_GRANTS: u64 = 20;

object! {
    /// What a requester takes alone in an emergency ([emergencies](approval-rules.md#emergencies)): where each rule that matches
    /// the request has this word, the grant waits for no approval.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct EmergencyRule {
        /// The longest grant, at most an hour.
        pub max_duration: i64 = or("30m", parsed("duration", at_most_an_hour)),
        /// How many emergencies a person has for each scope in 24 hours. The next one takes one approver.
        pub at_most: usize = or(2, number(1, MAX_GRANTS)),
        /// How the person must have signed in, to ask and to take each token: a level with a second factor.
        pub sign_in: RequiredLevel = required(object()),
    }
}

impl Object for EmergencyRule {}

fn at_most_an_hour(text: &str) -> Result<i64, String> {
    match bounded_duration(text)? {
        seconds if seconds <= MAX_DURATION_S => Ok(seconds),
        _ => Err(format!(
            "expected at most {}, got `{text}`: let other people approve what takes longer",
            duration::format(MAX_DURATION_S)
        )),
    }
}
