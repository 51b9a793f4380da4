//! What a request needs to be approved, and what it has of that: by the rules of its submission and those of now, and by who is
//! in which group.

use breakglass_types::Basis;

use crate::access::rules::{Answer, Facts, FixedNeeds, Need, Needs};
use crate::access::{self, Access, Approvers, Directory, Membership, SignIn};
use crate::clock::Moment;
use crate::config::{Config, Escalation};
use crate::store::{ApprovalRow, Request};

/// A request that waits, as far as it matters to what it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    /// Who asks.
    pub(crate) requester: &'a str,
    /// The scopes that were asked for.
    pub(crate) asked: &'a [String],
    /// Those that are left of them.
    pub(crate) scopes: &'a [String],
    /// For how many seconds it was asked for.
    pub(crate) duration_s: i64,
    /// Whether it is called an emergency.
    pub(crate) emergency: bool,
    /// When it was submitted, in seconds since 1970.
    pub(crate) submitted_at: i64,
    /// What was fixed then; none for a request of an earlier version.
    pub(crate) fixed: Option<&'a FixedNeeds>,
    /// The approvals until now.
    pub(crate) approvals: &'a [ApprovalRow],
}

/// What a request needs, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    /// The rules.
    pub(crate) needs: Needs,
    answers: Vec<(String, Vec<String>)>,
}

impl<'a> Waiting<'a> {
    /// A request with what is left of its scopes.
    #[must_use]
    pub(crate) fn of(request: &'a Request, scopes: &'a [String]) -> Waiting<'a> {
        Waiting {
            requester: &request.requester,
            asked: &request.scopes,
            scopes,
            duration_s: request.duration_s,
            emergency: request.emergency,
            submitted_at: request.submitted_at,
            fixed: request.needs.as_ref(),
            approvals: &request.approvals,
        }
    }

    /// What it needs now: what was fixed at its submission, and what the configuration asks for since then, of the groups that are
    /// asked by now. Nothing where the configuration has no approver for one of its scopes any more.
    #[must_use]
    pub(crate) fn needed(&self, config: &Config, directory: &dyn Directory, now: Moment) -> Needed {
        let fixed = self.fixed.cloned().unwrap_or_default();
        let facts = Facts {
            requester: self.requester,
            scopes: self.asked,
            duration_s: self.duration_s,
            held: &fixed.held,
            emergency: self.emergency,
            submitted_at: Moment::from_seconds(self.submitted_at),
        };
        let needs = match Needs::of_basis(fixed.basis(), config, directory, &facts) {
            Some(of_now) => fixed.needs.and(of_now).of_scopes(self.scopes),
            None => Needs::default(),
        };
        let needs = needs.escalated(config, is_reached(self.submitted_at, now));
        let answers = self.approvals.iter().map(|row| {
            let groups = groups(directory, &needs, row);
            (row.approver.clone(), groups)
        });
        Needed { answers: answers.collect(), needs }
    }
}

/// Whether a request that was submitted then has reached an entry of a rule's `escalate`.
fn is_reached(submitted_at: i64, now: Moment) -> impl Fn(&Escalation) -> bool {
    move |entry| entry.reached_at(submitted_at, now).is_some()
}

/// The groups by which an approval counts: those in which its author was when it was given, but for those that the author is
/// known to have left, and those in which the author is now. Whose shift is over has left nothing.
fn groups(directory: &dyn Directory, needs: &Needs, row: &ApprovalRow) -> Vec<String> {
    if !directory.may_approve(&row.approver) {
        return Vec::new();
    }
    let was = |group: &String| row.approver_groups.as_ref().is_some_and(|all| all.contains(group));
    let counts = |group: &&String| match directory.is_member(&row.approver, group) {
        Membership::Yes => true,
        Membership::Unknown => was(group),
        Membership::No => directory.is_of_a_shift(group) && was(group),
    };
    let mut groups: Vec<String> = needs.groups().filter(counts).cloned().collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

impl Needed {
    /// The answers until now, in the order in which they were given.
    #[must_use]
    pub(crate) fn answers(&self) -> Vec<Answer<'_>> {
        let answers = self.answers.iter();
        answers.map(|(person, groups)| Answer { person, groups }).collect()
    }

    /// The rules that lack approvals.
    #[must_use]
    pub(crate) fn lacking(&self) -> Vec<&Need> {
        let filled = self.needs.filled(&self.answers());
        let lacking: Vec<bool> = filled.iter().map(|filled| !filled.is_met()).collect();
        let lacks = self.needs.iter().zip(lacking).filter(|(_, lacks)| *lacks);
        lacks.map(|(need, _)| need).collect()
    }

    /// The people whose answer would count now.
    #[must_use]
    pub(crate) fn open_to(&self, directory: &dyn Directory, requester: &str) -> Approvers {
        self.needs.open_to(directory, requester, &self.answers())
    }
}

/// The same of a request as it is now.
#[must_use]
pub(crate) fn of_request(config: &Config, request: &Request, now: Moment) -> Needed {
    Waiting::of(request, request.left_scopes()).needed(config, config, now)
}

/// Who can say yes to a request now.
#[must_use]
pub(crate) fn approvers(config: &Config, request: &Request, now: Moment) -> Approvers {
    of_request(config, request, now).open_to(config, &request.requester)
}

/// What the conditions of rules are about, of the scopes that the grant of a request has.
fn facts<'a>(request: &'a Request, fixed: &'a FixedNeeds) -> Facts<'a> {
    Facts {
        requester: &request.requester,
        scopes: request.held_scopes(),
        duration_s: request.duration_s,
        held: &fixed.held,
        emergency: request.emergency,
        submitted_at: Moment::from_seconds(request.submitted_at),
    }
}

/// Whether the people who approved a grant may still do so, as far as is known: those who have left a group since do not count.
/// A grant of an earlier version has the approvals that it has. One that its requester took alone in an emergency would have to
/// be taken so still.
pub(crate) fn is_still_approved(config: &Config, request: &Request) -> bool {
    let Some(fixed) = &request.needs else { return true };
    if request.is_taken_alone() {
        return fixed.needs.are_alone_still(config, config, &facts(request, fixed));
    }
    let approved_at = Moment::from_seconds(request.approved_at.unwrap_or(request.submitted_at));
    let needs = fixed.needs.of_scopes(request.held_scopes());
    let needs = needs.escalated(config, is_reached(request.submitted_at, approved_at));
    let answers: Vec<(&str, Vec<String>)> = request
        .approvals
        .iter()
        .map(|row| (row.approver.as_str(), groups(config, &needs, row)))
        .collect();
    let answers: Vec<Answer<'_>> =
        answers.iter().map(|(person, groups)| Answer { person, groups }).collect();
    needs.are_met(&answers)
}

/// Whether the holder of a grant signed in as the rules ask for that it is under, where it is an emergency.
///
/// # Errors
/// [`access::Refused::SignIn`].
pub(crate) fn check_sign_in_of_emergency(
    config: &Config,
    request: &Request,
    sign_in: &SignIn,
    now: Moment,
) -> Result<(), access::Refused> {
    let emergency = request.needs.as_ref().filter(|fixed| fixed.basis() == Basis::Emergency);
    let Some(fixed) = emergency else { return Ok(()) };
    let needs = fixed.needs.of_scopes(request.held_scopes());
    let facts = facts(request, fixed);
    Access::of(config).check_sign_in_of_emergency(&needs, &facts, sign_in, now)
}
