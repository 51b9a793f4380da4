//! Who may see a request, and who may end it or its grant. Pure, as [`policy`](super::policy) is.
//!
//! 1. Those who may approve one of the scopes, and responders of the audience, may deny the request and revoke the
//!    grant: to say no takes less than to say yes. So may the holder, and the person who approved the grant:
//!    should its scopes leave the configuration, there is still somebody to end it.
//! 2. To revoke a person's grants, or all, without anything being left takes the right to approve
//!    every scope of each, or to be a responder of its audience. A scope that has left the configuration keeps
//!    no person from it who may approve another one.
//! 3. An auditor sees every request, the trail and the heads of the audit chains. It is a right of
//!    its own: no person has it by approving.
//! 4. A right by a group takes that the directory knows that the person is in it. To end something, the last that it
//!    knew is enough, however old: a provider that is away keeps no person from ending what was theirs to end. Where it
//!    never knew, the answer is [`Refused::MembershipUnknown`], to end something as well as to open it: otherwise every
//!    person could end everything as soon as the directory fails. The holder and the person who approved are known by
//!    name, and can end a grant all the same.

use super::callers::{CallerKind, Verb};
use super::directory::{LastKnown, Membership, is_in_any};
use super::policy::{Access, once_each};
use super::refused::Refused;
use crate::config::{Person, Scope};
use breakglass_audit::folded::Folded;

/// A request or a grant, as far as it matters to who may see it or end it.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    /// Who asked for it, and holds it.
    pub holder: &'a str,
    /// Who approved it.
    pub approvers: Vec<&'a str>,
    /// The environment it is for.
    pub audience: &'a str,
    /// Its scopes.
    pub scopes: &'a [String],
}

impl Access<'_> {
    /// Whether `person` may deny this request.
    ///
    /// # Errors
    /// [`Refused::OwnRequest`], [`Refused::MayNotDeny`], [`Refused::MembershipUnknown`].
    pub fn check_deny(&self, person: &Person, request: &Held<'_>) -> Result<(), Refused> {
        if Folded::new(request.holder).is(&person.name) {
            return Err(Refused::OwnRequest);
        }
        let responders = self.has_responders();
        let refused = Refused::MayNotDeny { responders };
        self.to_end(|access| access.check(Verb::Deny, person, request, refused))
    }

    /// Whether `person` may revoke this grant.
    ///
    /// # Errors
    /// [`Refused::MayNotRevoke`], [`Refused::MembershipUnknown`].
    pub fn check_revoke(&self, person: &Person, grant: &Held<'_>) -> Result<(), Refused> {
        if grant.approvers.contains(&person.name.as_str()) {
            return Ok(());
        }
        let responders = self.has_responders();
        let refused = Refused::MayNotRevoke { responders };
        self.to_end(|access| access.check(Verb::Revoke, person, grant, refused))
    }

    /// Whether `person` may see this request.
    ///
    /// # Errors
    /// [`Refused::NotInvolved`], [`Refused::MembershipUnknown`].
    pub fn check_involved(&self, person: &Person, request: &Held<'_>) -> Result<(), Refused> {
        let responders = self.has_responders();
        self.check(Verb::Show, person, request, Refused::NotInvolved { responders })
    }

    /// Whether `person` may revoke all of `grants` without anything being left.
    ///
    /// # Errors
    /// [`Refused::MayNotRevokeAll`], [`Refused::MembershipUnknown`].
    pub fn check_revoke_all<'h>(
        &self,
        person: &Person,
        grants: impl Iterator<Item = Held<'h>>,
    ) -> Result<(), Refused> {
        self.to_end(|access| access.revokes_all(person, grants))
    }

    fn revokes_all<'h>(
        &self,
        person: &Person,
        grants: impl Iterator<Item = Held<'h>>,
    ) -> Result<(), Refused> {
        let (mut scopes, mut lacking, mut all) = (Vec::new(), 0_usize, 0_usize);
        let mut is_unknown = false;
        for grant in grants {
            all = all.saturating_add(1);
            let lacks = self.not_approvable(person, &grant);
            if !lacks.is_empty() {
                lacking = lacking.saturating_add(1);
                is_unknown |= self.might_stop(person, &grant);
            }
            scopes.extend(lacks);
        }
        if is_unknown {
            return Err(Refused::MembershipUnknown);
        }
        let scopes = once_each(scopes);
        if scopes.is_empty() {
            Ok(())
        } else {
            Err(Refused::MayNotRevokeAll { scopes, lacking, all })
        }
    }

    /// Whether `person` may say that a silent proxy is gone, while grants with these scopes may run there. It takes
    /// the right to approve each of them: it changes what receipts say, and stops nothing, so that it is no right
    /// of responders.
    ///
    /// # Errors
    /// [`Refused::MayNotForget`].
    pub fn check_forget<'h>(
        &self,
        person: &Person,
        running: impl Iterator<Item = &'h [String]>,
    ) -> Result<(), Refused> {
        let lacks = running.flatten().filter(|name| !self.approves(person, name).is_yes());
        let scopes = once_each(lacks.map(String::as_str).collect());
        let approves = |scope| self.may_approve(person, scope).is_yes();
        if scopes.is_empty() && self.config.scopes.iter().any(approves) {
            return Ok(());
        }
        Err(Refused::MayNotForget { scopes })
    }

    /// The scopes of this grant that `person` would have to be an approver of to revoke it along with
    /// all others. None where it is the person's own, or the person is a responder of its audience.
    #[must_use]
    pub fn not_approvable<'h>(&self, person: &Person, grant: &Held<'h>) -> Vec<&'h str> {
        if grant.holder == person.name || self.responds(person, grant.audience).is_yes() {
            return Vec::new();
        }
        let names = grant.scopes.iter().map(String::as_str);
        names.filter(|name| !self.approves(person, name).is_yes()).collect()
    }

    /// Whether `person` may audit.
    ///
    /// # Errors
    /// [`Refused::NotAnAuditor`], [`Refused::MembershipUnknown`].
    pub fn check_auditor(&self, person: &Person) -> Result<(), Refused> {
        verdict(self.audits(person), Refused::NotAnAuditor)
    }

    /// Whether `person` is known to be an auditor.
    #[must_use]
    pub fn is_auditor(&self, person: &Person) -> bool {
        self.audits(person).is_yes()
    }

    /// Whether `person` may end other people's sessions, and see them, and confirm ends of grants that are held.
    ///
    /// # Errors
    /// [`Refused::NotAnAdministrator`], [`Refused::MembershipUnknown`].
    pub fn check_administrator(&self, person: &Person) -> Result<(), Refused> {
        verdict(self.administrates(person), Refused::NotAnAdministrator)
    }

    /// Whether `person` may see what the sinks were told of: auditors, who read every event, and administrators, who look
    /// after the sinks.
    ///
    /// # Errors
    /// [`Refused::NotAnAuditor`], [`Refused::MembershipUnknown`].
    pub fn check_sees_deliveries(&self, person: &Person) -> Result<(), Refused> {
        verdict(self.audits(person).or(self.administrates(person)), Refused::NotAnAuditor)
    }

    /// The names of the scopes whose requests `person` sees, beside those of their own: those that the person
    /// may approve for another person, and those of audiences of which the person is a responder.
    #[must_use]
    pub fn visible_scopes(&self, person: &Person) -> Vec<String> {
        let sees = |scope: &&Scope| {
            self.may_approve(person, scope).or(self.responds(person, &scope.audience)).is_yes()
        };
        self.config.scopes.iter().filter(sees).map(|scope| scope.name.clone()).collect()
    }

    /// Whether the table of callers lets `person` do this with `held`, by one of the kinds that the person is of.
    fn check(
        &self,
        verb: Verb,
        person: &Person,
        held: &Held<'_>,
        refused: Refused,
    ) -> Result<(), Refused> {
        let mut may = Membership::No;
        for kind in verb.callers() {
            may = may.or(self.is_a(*kind, person, held));
        }
        verdict(may, refused)
    }

    /// Judges who may end something: by the last that the directory knew.
    fn to_end<T>(self, judge: impl FnOnce(&Access<'_>) -> T) -> T {
        judge(&Access::new(self.config, &LastKnown(self.directory)))
    }

    /// Whether `person` is of this kind with regard to `held`.
    fn is_a(&self, kind: CallerKind, person: &Person, held: &Held<'_>) -> Membership {
        match kind {
            CallerKind::Anybody | CallerKind::Person => Membership::Yes,
            CallerKind::Requester if held.holder == person.name => Membership::Yes,
            CallerKind::Requester
            | CallerKind::UnknownCredential
            | CallerKind::Client
            | CallerKind::Proxy => Membership::No,
            CallerKind::Approver => {
                let names = held.scopes.iter();
                names.fold(Membership::No, |may, name| may.or(self.may_approve_named(person, name)))
            }
            CallerKind::Responder => self.responds(person, held.audience),
            CallerKind::Auditor => self.audits(person),
            CallerKind::Administrator => self.administrates(person),
        }
    }

    /// Whether `person` may approve the scope, or, where it has left the configuration, another one.
    pub(super) fn approves(&self, person: &Person, scope: &str) -> Membership {
        if let Some(scope) = self.config.scope(scope) {
            return self.may_approve(person, scope);
        }
        let scopes = self.config.scopes.iter();
        scopes.fold(Membership::No, |may, scope| may.or(self.may_approve(person, scope)))
    }

    /// Whether only the directory's silence keeps `person` from revoking this grant along with all others.
    fn might_stop(&self, person: &Person, grant: &Held<'_>) -> bool {
        let approves = grant
            .scopes
            .iter()
            .fold(Membership::Yes, |may, name| may.and(self.approves(person, name)));
        approves.or(self.responds(person, grant.audience)) == Membership::Unknown
    }

    fn responds(&self, person: &Person, audience: &str) -> Membership {
        is_in_any(self.directory, &person.name, self.config.responders.over(audience))
    }

    fn audits(&self, person: &Person) -> Membership {
        is_in_any(self.directory, &person.name, &self.config.auditors)
    }

    fn administrates(&self, person: &Person) -> Membership {
        is_in_any(self.directory, &person.name, &self.config.administrators)
    }

    fn has_responders(&self) -> bool {
        !self.config.responders.is_empty()
    }
}

fn verdict(membership: Membership, refused: Refused) -> Result<(), Refused> {
    match membership {
        Membership::Yes => Ok(()),
        Membership::Unknown => Err(Refused::MembershipUnknown),
        Membership::No => Err(refused),
    }
}
