//! What approvers ask about a request and its requester answers, in words.

use breakglass_api::request::Remark;

use crate::answer::{RemarkKind, Request, one_line};
use crate::terminal::Terminal;

/// The verb of a remark, such as `asks`.
fn verb(remark: &Remark) -> &str {
    match remark.kind.known() {
        Some(RemarkKind::Question) => "asks",
        Some(RemarkKind::Answer) => "answers",
        // A newer service's word.
        None => remark.kind.word(),
    }
}

/// Tells of remarks as they come, each once.
#[derive(Debug, Default)]
pub(super) struct Told(usize);

impl Told {
    /// Tells its requester of what was said since the last time. Whether there was any.
    pub(super) fn tell(&mut self, request: &Request, terminal: Terminal) -> bool {
        let new = request.discussion.get(self.0..).unwrap_or_default();
        for remark in new {
            terminal.note(&one_line(&format!("{} {}: {}", remark.by, verb(remark), remark.text)));
            if remark.kind == RemarkKind::Question {
                terminal.note(&format!("  breakglass answer {} 'TEXT'", request.id));
            }
        }
        self.0 = self.0.max(request.discussion.len());
        !new.is_empty()
    }
}
