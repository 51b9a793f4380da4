//! Whether a person's yes counts for a request.

use breakglass_audit::folded::Folded;

use super::directory::Membership;
use super::policy::Access;
use super::refused::Refused;
use super::rules::{Answer, Needs};
use crate::config::Person;

impl Access<'_> {
    /// By which groups the yes of `person` counts for what a request of `requester` needs, beside these answers. Never for the
    /// person's own request, in whatever spelling of the name, and never beside an approver who may be the same human.
    ///
    /// # Errors
    /// [`Refused::SelfApproval`], [`Refused::SameMail`], [`Refused::ApprovedAlready`], [`Refused::NotAnApprover`],
    /// [`Refused::NotYourTurn`], [`Refused::NotNeeded`], [`Refused::MembershipUnknown`].
    pub fn check_approve(
        &self,
        person: &Person,
        requester: &str,
        needs: &Needs,
        answers: &[Answer<'_>],
    ) -> Result<Vec<String>, Refused> {
        self.check_other(person, requester, answers)?;
        let open = || needs.open_to(self.directory, requester, answers);
        let is_in = |group: &String| self.directory.is_member(&person.name, group);
        let may = self.directory.may_approve(&person.name);
        let named = || needs.groups().filter(|_| may);
        let is_unknown = named().any(|group| is_in(group) == Membership::Unknown);
        let mut groups: Vec<String> =
            named().filter(|group| is_in(group).is_yes()).cloned().collect();
        groups.sort_unstable();
        groups.dedup();
        let refused = |why: fn(super::Approvers) -> Refused| match is_unknown {
            true => Refused::MembershipUnknown,
            false => why(open()),
        };
        if groups.is_empty() {
            return Err(refused(|approvers| Refused::NotAnApprover { approvers }));
        }
        let mut with: Vec<Answer<'_>> = answers.to_vec();
        with.push(Answer { person: &person.name, groups: &groups });
        let (before, after) = (needs.filled(answers), needs.filled(&with));
        // It would be this person's one answer, and not count where it is waited for later.
        if before.iter().any(|filled| filled.is_early(&person.name, |group| groups.contains(group)))
        {
            return Err(Refused::NotYourTurn { approvers: open() });
        }
        match before.iter().zip(&after).any(|(before, after)| after.count() > before.count()) {
            true => Ok(groups),
            false => Err(refused(|approvers| Refused::NotNeeded { approvers })),
        }
    }

    /// Whether the person is another one than the requester and those who answered.
    fn check_other(
        &self,
        person: &Person,
        requester: &str,
        answers: &[Answer<'_>],
    ) -> Result<(), Refused> {
        let folded = Folded::new(&person.name);
        if folded.is(requester) {
            return Err(Refused::SelfApproval);
        }
        if answers.iter().any(|answer| folded.is(answer.person)) {
            return Err(Refused::ApprovedAlready);
        }
        let mut others = [requester].into_iter().chain(answers.iter().map(|answer| answer.person));
        match others.find(|other| self.directory.may_be_one(other, &person.name)) {
            Some(other) => Err(Refused::SameMail { other: other.to_owned() }),
            None => Ok(()),
        }
    }
}
