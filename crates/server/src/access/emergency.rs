//! What an emergency needs, with the sign-in of its requester: judged when it is asked for, and again for each token.

use breakglass_types::Basis;

use super::policy::Access;
use super::refused::{Refused, StepUp, Unmet};
use super::rules::{EmergenciesLately, EmergencyFacts, Facts, FixedEmergency, Needs};
use super::sign_in::SignIn;
use crate::clock::Moment;
use crate::config::{ApprovalRule, Credential, EmergencyRule, Person, RequiredLevel, SignInFor};

/// What is known of a request beside its facts, when it is submitted.
#[derive(Debug, Clone, Copy)]
pub struct EmergencyAsked<'a> {
    /// Whether an incident is named.
    pub has_incident: bool,
    /// Whether the system that keeps incidents was asked, and did not answer.
    pub incident_unchecked: bool,
    /// What the requester had lately.
    pub lately: &'a EmergenciesLately,
    /// Whether a review of an earlier grant of the requester is overdue.
    pub review_overdue: bool,
}

impl Access<'_> {
    /// What a request with these facts needs, and how it is taken as an emergency.
    ///
    /// # Errors
    /// [`Refused::SignIn`] where the sign-in is all that makes it wait for each rule, and the person can sign in as the rules ask
    /// for; [`Refused::NoApprover`] where it is known that too few people may approve what it needs.
    pub fn needs_of(
        &self,
        facts: &Facts<'_>,
        asked: &EmergencyAsked<'_>,
        (who, sign_in): (&Person, &SignIn),
        now: Moment,
    ) -> Result<(Needs, Option<FixedEmergency>), Refused> {
        let EmergencyAsked { has_incident, incident_unchecked, lately, review_overdue } = *asked;
        let fixed = Needs::default();
        let rules: Vec<_> = fixed.emergency_rules(self.config, self.directory, facts).collect();
        let unmet = unmet(&rules, sign_in, now);
        let emergency = |signed_in| {
            let asked = EmergencyFacts {
                has_incident,
                incident_unchecked,
                signed_in,
                lately,
                review_overdue,
            };
            FixedEmergency::of(self.config, self.directory, facts, &asked)
        };
        // A device code that an attacker sent signs the attacker's device in, with whatever factor its reader shows: to take a grant
        // without another person is as much as to approve one.
        let by_device = self.check_approve_by(sign_in).is_err();
        if let Some((rule, required, unmet)) = unmet.clone().filter(|_| !by_device) {
            let helps = emergency(true).is_some_and(|one| one.basis() == Basis::Emergency);
            if helps && self.can_sign_in_so(who, &rules) {
                return Err(step_up(SignInFor::Request, facts.scopes, rule, &required, unmet));
            }
        }
        let emergency = emergency(unmet.is_none() && !by_device);
        let basis = emergency.as_ref().map_or(Basis::Approved, FixedEmergency::basis);
        let needs = Needs::of_basis(basis, self.config, self.directory, facts);
        let needs = needs.ok_or(Refused::NoApprover)?;
        if !emergency.as_ref().is_some_and(FixedEmergency::is_alone) {
            self.check_can_be_met(&needs, facts.requester)?;
        }
        Ok((needs, emergency))
    }

    /// Whether this sign-in is as the rules ask for that the emergency of these facts and needs is under.
    ///
    /// # Errors
    /// [`Refused::SignIn`].
    pub fn check_sign_in_of_emergency(
        &self,
        needs: &Needs,
        facts: &Facts<'_>,
        sign_in: &SignIn,
        now: Moment,
    ) -> Result<(), Refused> {
        let rules: Vec<_> = needs.emergency_rules(self.config, self.directory, facts).collect();
        match unmet(&rules, sign_in, now) {
            None => Ok(()),
            Some((rule, required, unmet)) => {
                Err(step_up(SignInFor::Activation, facts.scopes, rule, &required, unmet))
            }
        }
    }

    /// Whether the person's identity provider has the level that all rules ask for.
    fn can_sign_in_so(&self, who: &Person, rules: &[(&ApprovalRule, &EmergencyRule)]) -> bool {
        let Credential::Account { issuer, .. } = &who.credential else { return false };
        let mut providers = self.config.identity_providers.iter();
        let provider = providers.find(|one| one.issuer == *issuer);
        let mut levels = rules.iter().map(|(_, emergency)| &emergency.sign_in.level);
        let first = levels.next();
        first.zip(provider).is_some_and(|(level, provider)| {
            levels.all(|other| other == level) && provider.levels.contains_key(level)
        })
    }
}

/// The first rule whose sign-in is not met, with what it takes: the shortest of the ages that the rules ask for at its level.
fn unmet<'a>(
    rules: &[(&'a ApprovalRule, &'a EmergencyRule)],
    sign_in: &SignIn,
    now: Moment,
) -> Option<(&'a ApprovalRule, RequiredLevel, Unmet)> {
    rules.iter().find_map(|(rule, emergency)| {
        let level = &emergency.sign_in.level;
        let same = rules.iter().filter(|(_, other)| other.sign_in.level == *level);
        let max_age = same.filter_map(|(_, other)| other.sign_in.max_age).min();
        let required = RequiredLevel { level: level.clone(), max_age };
        let unmet = sign_in.judge(now, &required).err()?;
        Some((*rule, required, unmet))
    })
}

fn step_up(
    what: SignInFor,
    scopes: &[String],
    rule: &ApprovalRule,
    required: &RequiredLevel,
    unmet: Unmet,
) -> Refused {
    let scope = scopes.iter().find(|name| rule.is_for(name)).cloned().unwrap_or_default();
    Refused::SignIn(StepUp {
        what,
        scope,
        emergency_rule: Some(rule.name.clone()),
        level: required.level.clone(),
        max_age_s: required.max_age,
        unmet,
    })
}
