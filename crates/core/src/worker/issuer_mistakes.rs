//! What an issuer signs wrongly is in the log, once of each kind: whoever sent the token cannot mend it.

use std::collections::BTreeSet;

use crate::decision::Denial;
use crate::reason::DenyReason;

/// The most kinds that are said: there is one for each claim.
const MAX_SAID: usize = 32;

/// What was said, and what is to be said at the next tick.
#[derive(Debug, Default)]
pub(super) struct IssuerMistakes {
    said: BTreeSet<String>,
    warnings: Vec<String>,
}

impl IssuerMistakes {
    /// A request is refused. Only what an issuer signed is explained, so nobody else fills the log.
    pub(super) fn note(&mut self, denial: &Denial) {
        let is_mistake =
            matches!(denial.reason, DenyReason::ClaimMissing | DenyReason::ClaimInvalid);
        let Some(why) = denial.remedy.as_ref().filter(|_| is_mistake) else { return };
        if self.said.len() < MAX_SAID && self.said.insert(why.clone()) {
            let reason = denial.reason.code();
            self.warnings
                .push(format!("a token is refused ({reason}), though its issuer signed it: {why}"));
        }
    }

    pub(super) fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}
