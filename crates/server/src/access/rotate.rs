//! Who may say that what a grant touched was rotated, and have its hook called again. Pure, as [`policy`](super::policy) is.

use breakglass_audit::folded::Folded;

use super::directory::Membership;
use super::policy::Access;
use super::refused::Refused;
use crate::config::Person;

impl Access<'_> {
    /// Whether `person` may do so for these scopes of a grant of `holder`: another person than the holder, in whatever spelling
    /// of the name, who may approve one of them. Where a scope has left the configuration, an approver of any other may: what
    /// is owed must not stay so because its scope is gone.
    ///
    /// # Errors
    /// [`Refused::MayNotRotate`], [`Refused::MembershipUnknown`].
    pub fn check_rotate(
        &self,
        person: &Person,
        holder: &str,
        scopes: &[String],
    ) -> Result<(), Refused> {
        let is_holder =
            Folded::new(holder).is(&person.name) || self.directory.may_be_one(holder, &person.name);
        if is_holder {
            return Err(Refused::MayNotRotate { is_holder });
        }
        let approves = |may: Membership, scope: &String| may.or(self.approves(person, scope));
        match scopes.iter().fold(Membership::No, approves) {
            Membership::Yes => Ok(()),
            Membership::Unknown => Err(Refused::MembershipUnknown),
            Membership::No => Err(Refused::MayNotRotate { is_holder }),
        }
    }
}
