//! What new configurations have ended is in the log, by the rule that refuses it: the audit records and the counters say
//! `scope_withdrawn`, whatever it was but `scope_changed`.

use std::collections::BTreeMap;

use crate::decision::Denial;
use crate::reason::DenyReason;

/// What is to be said at the next tick.
#[derive(Debug, Default)]
pub(super) struct Withdrawals {
    /// How many requests, by why the new configuration refuses them.
    ended: BTreeMap<DenyReason, u64>,
}

impl Withdrawals {
    /// A request that runs ends, at once or when the time to finish is over.
    pub(super) fn note(&mut self, denial: &Denial) {
        if let Some(because) = &denial.because {
            let count = self.ended.entry(because.reason).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// What is to be logged since the last tick.
    pub(super) fn notice(&mut self) -> Option<String> {
        if self.ended.is_empty() {
            return None;
        }
        let ended = std::mem::take(&mut self.ended);
        let counts: Vec<_> =
            ended.iter().map(|(reason, count)| format!("{count} by {}", reason.code())).collect();
        Some(format!(
            "a new configuration no longer lets through what runs (scope_withdrawn, or scope_changed): {}. It ends now, or as `cut` and \
             `drain` of its scope say; docs/reasons.md says what each reason is",
            counts.join(", ")
        ))
    }
}
