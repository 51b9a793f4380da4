//! Who may sign or dispute the review of a grant: a person who could have approved it, and took no part in it. Pure, as
//! [`policy`](super::policy) is.

use breakglass_audit::folded::Folded;

use super::approvers::Approvers;
use super::directory::{Members, Membership, in_any, is_in_any};
use super::policy::Access;
use super::refused::{Part, Refused};
use super::rules::Needs;
use crate::config::Person;

/// A grant under review, as far as it matters to who may review it.
#[derive(Debug, Clone)]
pub struct UnderReview<'a> {
    /// Who held it.
    pub holder: &'a str,
    /// Who approved it, or denied it.
    pub answered: Vec<&'a str>,
    /// What it needed to be approved, and would need now.
    pub needs: Needs,
}

impl UnderReview<'_> {
    fn groups(&self) -> Vec<String> {
        self.needs.groups().cloned().collect()
    }
}

impl Access<'_> {
    /// Whether `person` may: in whatever spelling of the name neither the holder nor a person who answered, and by their mail
    /// addresses not the same human; and in a group that one of the rules names.
    ///
    /// # Errors
    /// [`Refused::TookPart`], [`Refused::NotAReviewer`], [`Refused::MembershipUnknown`].
    pub fn check_review(&self, person: &Person, grant: &UnderReview<'_>) -> Result<(), Refused> {
        if let Some(part) = self.part(&person.name, grant) {
            return Err(Refused::TookPart(part));
        }
        let may = match self.directory.may_approve(&person.name) {
            true => is_in_any(self.directory, &person.name, &grant.groups()),
            false => Membership::No,
        };
        match may {
            Membership::Yes => Ok(()),
            Membership::Unknown => Err(Refused::MembershipUnknown),
            Membership::No => Err(Refused::NotAReviewer { reviewers: self.reviewers(grant) }),
        }
    }

    /// The people who may.
    #[must_use]
    pub fn reviewers(&self, grant: &UnderReview<'_>) -> Approvers {
        let may =
            |name: &String| self.directory.may_approve(name) && self.part(name, grant).is_none();
        match in_any(self.directory, &grant.groups()) {
            Members::Complete(names) => {
                Approvers::Complete(names.into_iter().filter(may).collect())
            }
            Members::Seen(names) => match names.into_iter().filter(may).collect::<Vec<_>>() {
                names if names.is_empty() => Approvers::Unknown,
                names => Approvers::Seen(names),
            },
            Members::Unknown => Approvers::Unknown,
        }
    }

    /// What the person called `name` did about the grant, as far as the names and the mail addresses say.
    fn part(&self, name: &str, grant: &UnderReview<'_>) -> Option<Part> {
        let folded = Folded::new(name);
        let is = |other: &str| folded.is(other) || self.directory.may_be_one(other, name);
        if is(grant.holder) {
            return Some(Part::Holder);
        }
        grant.answered.iter().any(|other| is(other)).then_some(Part::Approver)
    }
}
