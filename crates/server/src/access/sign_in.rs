//! How a person signed in, against what a scope requires (`sign_in`).
//!
//! 1. A level is the one that is named, and no other. It is that of the session's own code exchange: no refresh changes it.
//! 2. The person authenticated at most `max_age` ago, and not in the future.
//! 3. A person who is known by an API token meets no requirement.
//!
//! What the trail and the token say of a sign-in is had from the [`JudgedSignIn`] of a check alone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::policy::Access;
use super::refused::{Refused, StepUp, Unmet};
use crate::clock::Moment;
use crate::config::{Person, RequiredLevel, Scope, SignInFor};
use crate::factor::FactorRow;

/// How the caller of one request is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// By a credential of the configuration: an API token; of a proxy a certificate as well.
    Credential,
    /// By a session of a person who signed in at an identity provider.
    Session {
        /// Its id.
        id: Arc<str>,
        /// The level that was asked for and reached when it began.
        factor: Option<Arc<FactorRow>>,
        /// Whether it began with a device code.
        by_device: bool,
    },
}

/// A person who wants to do something, and how they signed in for it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The person.
    pub person: Arc<Person>,
    /// How they signed in.
    pub sign_in: SignIn,
}

/// A sign-in that was judged, and is enough.
#[derive(Debug, Clone)]
pub struct JudgedSignIn(Option<Arc<FactorRow>>);

impl JudgedSignIn {
    /// How the person authenticated; nothing where no level was asked for, and of an API token.
    #[must_use]
    pub fn factor(&self) -> Option<&FactorRow> {
        self.0.as_deref()
    }

    /// What the trail says of it, as a member of a detail.
    #[must_use]
    pub fn on_trail(&self) -> Option<(String, Value)> {
        self.factor().map(|factor| ("factor".to_owned(), json!(factor)))
    }
}

impl SignIn {
    fn factor(&self) -> Option<&Arc<FactorRow>> {
        match self {
            SignIn::Credential => None,
            SignIn::Session { factor, .. } => factor.as_ref(),
        }
    }

    pub(super) fn judge(&self, now: Moment, required: &RequiredLevel) -> Result<(), Unmet> {
        let Some(factor) = self.factor() else {
            return Err(match self {
                SignIn::Credential => Unmet::ApiToken,
                SignIn::Session { .. } => Unmet::NoLevel,
            });
        };
        if factor.level != required.level {
            return Err(Unmet::OtherLevel(factor.level.clone()));
        }
        let age_s = now.seconds().saturating_sub(factor.auth_time);
        match required.max_age {
            Some(max_age) if !(0..=max_age).contains(&age_s) => Err(Unmet::TooOld { age_s }),
            _ => Ok(()),
        }
    }
}

impl Access<'_> {
    /// Whether this sign-in is as these scopes require it for this. A scope that has left the configuration requires nothing.
    ///
    /// # Errors
    /// [`Refused::SignIn`] names the level to sign in at; of several ages the shortest.
    pub fn check_sign_in(
        &self,
        what: SignInFor,
        sign_in: &SignIn,
        now: Moment,
        scopes: &[String],
    ) -> Result<JudgedSignIn, Refused> {
        let known = || scopes.iter().filter_map(|name| self.config.scope(name));
        let required = || known().filter_map(|scope| Some((scope, scope.sign_in.of(what)?)));
        for (scope, level) in required() {
            if let Err(unmet) = sign_in.judge(now, level) {
                let same = required().filter(|(_, other)| other.level == level.level);
                let (scope, max_age_s) = strictest(same).unwrap_or((scope, level.max_age));
                let (scope, level) = (scope.name.clone(), level.level.clone());
                return Err(Refused::SignIn(StepUp {
                    what,
                    scope,
                    emergency_rule: None,
                    level,
                    max_age_s,
                    unmet,
                }));
            }
        }
        Ok(JudgedSignIn(sign_in.factor().cloned()))
    }

    /// Whether this sign-in is as it is required to ask for these scopes. A person who is known by an API token, which no token
    /// of the grant could be taken with, is refused already here: no approver is woken for what cannot be used.
    ///
    /// # Errors
    /// [`Refused::SignIn`].
    pub fn check_sign_in_to_ask(
        &self,
        sign_in: &SignIn,
        now: Moment,
        scopes: &[String],
    ) -> Result<JudgedSignIn, Refused> {
        let judged = self.check_sign_in(SignInFor::Request, sign_in, now, scopes)?;
        if *sign_in == SignIn::Credential {
            self.check_sign_in(SignInFor::Activation, sign_in, now, scopes)?;
        }
        Ok(judged)
    }
}

/// The one with the shortest age.
fn strictest<'a>(
    required: impl Iterator<Item = (&'a Scope, &'a RequiredLevel)>,
) -> Option<(&'a Scope, Option<i64>)> {
    let ages = required.map(|(scope, level)| (scope, level.max_age));
    ages.min_by_key(|(_, max_age)| max_age.unwrap_or(i64::MAX))
}
