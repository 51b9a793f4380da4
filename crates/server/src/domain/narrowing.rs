//! Saying yes to less than was asked for, or to less than is left of that.

use super::{Refused, WrongField};
use crate::duration;
use crate::store::Request;

/// What an approver narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// These scopes alone.
    pub scopes: Option<Vec<String>>,
    /// So many seconds.
    pub duration_s: Option<i64>,
}

/// What is left of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Narrowed {
    /// The scopes, in the order in which they were asked for.
    pub(super) scopes: Vec<String>,
    /// The time, in seconds.
    pub(super) duration_s: i64,
}

impl Narrowing {
    /// What is left of `request`.
    ///
    /// # Errors
    /// [`Refused::Fields`] where it would widen it.
    pub(super) fn of(&self, request: &Request) -> Result<Narrowed, Refused> {
        let mut errors = Vec::new();
        let mut wrong =
            |field: String, expected: String| errors.push(WrongField { field, expected });
        let left = request.left_scopes();
        let wanted = self.scopes.as_deref().unwrap_or(left);
        for (index, scope) in wanted.iter().enumerate() {
            if !left.contains(scope) {
                let asked = left.join("`, `");
                wrong(
                    format!("scopes[{index}]"),
                    format!("an approval can only leave scopes out: expected one of `{asked}`"),
                );
            } else if wanted.iter().take(index).any(|earlier| earlier == scope) {
                wrong(format!("scopes[{index}]"), "named twice".to_owned());
            }
        }
        if wanted.is_empty() {
            wrong("scopes".to_owned(), "expected at least one scope: `deny` says no".to_owned());
        }
        let longest = request.left_duration_s();
        let duration_s = self.duration_s.unwrap_or(longest);
        if duration_s > longest {
            let asked = duration::format(longest);
            wrong(
                "duration".to_owned(),
                format!("an approval can only be shorter: expected at most {asked}"),
            );
        }
        if !errors.is_empty() {
            return Err(Refused::Fields(errors));
        }
        let scopes =
            request.scopes.iter().filter(|scope| wanted.contains(scope)).cloned().collect();
        Ok(Narrowed { scopes, duration_s })
    }
}

impl Narrowed {
    /// The scopes, where they are fewer than were asked for.
    pub(super) fn fewer(&self, request: &Request) -> Option<&[String]> {
        (self.scopes.len() < request.scopes.len()).then_some(&self.scopes)
    }

    /// The time in seconds, where it is shorter than was asked for.
    pub(super) fn shorter(&self, request: &Request) -> Option<i64> {
        (self.duration_s < request.duration_s).then_some(self.duration_s)
    }
}
