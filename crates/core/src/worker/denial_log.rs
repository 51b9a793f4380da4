//! What the log says of the requests that are refused, or ended by a new configuration.

use crate::decision::Denial;

use super::beside::Beside;
use super::issuer_mistakes::IssuerMistakes;
use super::withdrawals::Withdrawals;

/// What is to be said at the next tick.
#[derive(Debug, Default)]
pub(super) struct DenialLog {
    issuer_mistakes: IssuerMistakes,
    withdrawals: Withdrawals,
    beside: Beside,
}

impl DenialLog {
    /// A request is refused.
    pub(super) fn refused(&mut self, denial: &Denial) {
        self.issuer_mistakes.note(denial);
        if denial.because.is_some() {
            self.beside.refused();
        }
    }

    /// A request that runs is ended, because a new configuration does not let it through.
    pub(super) fn ended(&mut self, denial: &Denial) {
        self.withdrawals.note(denial);
    }

    /// What is wrong, since the last tick.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        let mut warnings = self.issuer_mistakes.warnings();
        warnings.extend(self.beside.warning());
        warnings
    }

    /// What else has happened since the last tick.
    pub(super) fn notice(&mut self) -> Option<String> {
        self.withdrawals.notice()
    }
}
