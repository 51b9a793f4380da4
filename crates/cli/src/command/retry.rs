//! Tells that a call is made again: once for each cause, not once for each attempt.

use crate::client::Failure;
use crate::terminal::Terminal;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Notes(String);

impl Notes {
    /// Tells of this failure, unless it was the last one too.
    pub(super) fn tell(&mut self, failure: &Failure, terminal: Terminal) {
        let text = failure.to_string();
        if text != self.0 {
            terminal.note(&format!("{text}; trying again .."));
            self.0 = text;
        }
    }
}
