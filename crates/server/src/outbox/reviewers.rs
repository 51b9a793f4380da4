//! Who is told of the review of a used grant.

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;

use super::waiting::waiting;
use crate::access::review::UnderReview;
use crate::access::{Access, Approvers};
use crate::config::Config;
use crate::reviewers::needs;
use crate::sinks::Notice;
use crate::sinks::notice::Asked;

/// Of one that waits, those who may sign it: administrators where it is certain that no person may, so that it does not wait for
/// ever. Of one that was signed, the requester; of one that was disputed, the approvers as well.
pub(super) fn told_of_review(config: &Config, notice: &Notice, asked: &Asked) -> Vec<String> {
    let requester = || asked.requester.clone();
    let approvals = || notice.to_approve.approvals.iter().map(|row| row.approver.clone());
    match EventType::of(&notice.kind) {
        Some(EventType::ReviewSigned) => vec![requester()],
        Some(EventType::ReviewDisputed) => approvals().chain([requester()]).collect(),
        _ => match reviewers(config, notice, asked) {
            reviewers if reviewers.is_nobody() => administrators(config),
            reviewers => reviewers.names().to_vec(),
        },
    }
}

fn reviewers(config: &Config, notice: &Notice, asked: &Asked) -> Approvers {
    let rows = &notice.to_approve.approvals;
    let needs = waiting(notice, rows.len()).map(|waiting| needs(config, &waiting));
    let grant = UnderReview {
        holder: &asked.requester,
        answered: rows.iter().map(|row| row.approver.as_str()).collect(),
        needs: needs.unwrap_or_default(),
    };
    Access::of(config).reviewers(&grant)
}

/// Those who are known by name.
fn administrators(config: &Config) -> Vec<String> {
    let groups = config.administrators.iter();
    let mut names: Vec<String> = groups.flat_map(|group| config.people.members(group).0).collect();
    names.sort_unstable();
    names.dedup();
    names
}
