//! What signing in must have been for a scope.

use breakglass_config_schema::{Object, Place, object, optional, parsed, required};

use super::read::{bounded_duration, name};
use crate::duration;

object! {
    /// How a person must have signed in for a scope, for each use of it alone. A person who is known by an API token meets
    /// none of these.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct SignInRequirements {
        /// To ask for it.
        pub request: Option<RequiredLevel> = optional("any way", object()),
        /// To take a token of its grant, each time. The token says how its holder signed in (`acr`, `amr`, `auth_time`), as the
        /// filter's [`require`](configuration.md#scopes) can ask for.
        pub activation: Option<RequiredLevel> = optional("any way", object()),
        /// To approve it for another person.
        pub approval: Option<RequiredLevel> = optional("any way", object()),
    }
}

object! {
    /// A level of sign-in, and how long ago.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct RequiredLevel {
        /// The level, by its name in `levels` of the identity provider: this one and no other.
        pub level: String = required(parsed("level", name)),
        /// How long ago the person may have authenticated by it, at most a day.
        pub max_age: Option<i64> = optional("as long as the session lasts", parsed("duration", bounded_duration)),
    }
}

/// What a requirement on sign-in is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignInFor {
    /// To ask for a scope.
    Request,
    /// To take a token.
    Activation,
    /// To approve.
    Approval,
}

impl SignInFor {
    /// All of them, in the order of the configuration.
    pub const ALL: [SignInFor; 3] =
        [SignInFor::Request, SignInFor::Activation, SignInFor::Approval];

    /// The name of its field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            SignInFor::Request => "request",
            SignInFor::Activation => "activation",
            SignInFor::Approval => "approval",
        }
    }
}

impl SignInRequirements {
    /// The requirement for this.
    #[must_use]
    pub fn of(&self, what: SignInFor) -> Option<&RequiredLevel> {
        match what {
            SignInFor::Request => self.request.as_ref(),
            SignInFor::Activation => self.activation.as_ref(),
            SignInFor::Approval => self.approval.as_ref(),
        }
    }
}

impl Object for SignInRequirements {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        match SignInFor::ALL.iter().any(|what| self.of(*what).is_some()) {
            true => Some(()),
            false => place.error("expected `request`, `activation` or `approval`: leave the field out where any way will do"),
        }
    }
}

impl Object for RequiredLevel {}

impl std::fmt::Display for RequiredLevel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the level `{}`", self.level)?;
        match self.max_age {
            Some(max_age) => write!(formatter, " at most {} ago", duration::format(max_age)),
            None => Ok(()),
        }
    }
}
