//! Which rules a decision went through, and what each of them said.
//!
//! A trace is an array of bytes: to write it down costs a store for each rule, and no memory is taken.

use std::fmt;

use crate::reason::DenyReason;

/// A rule of a decision, in the order in which they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Whether a request without a token may go on by itself.
    TokenNeeded,
    /// Whether an earlier instance of the filter has decided already.
    EarlierInstance,
    /// One token, of a bounded size, in the form of a JWS.
    TokenForm,
    /// The issuer is configured.
    Issuer,
    /// The issuer's tokens have this `typ`.
    TokenType,
    /// The issuer's tokens are signed with this `alg`.
    Algorithm,
    /// The key is known.
    Key,
    /// The claims can be read.
    Claims,
    /// The signature is the key's.
    Signature,
    /// The token is for this environment.
    Audience,
    /// It lives no longer than its issuer's may.
    Lifetime,
    /// Its time has come, and is not over.
    Time,
    /// It is known what the path may mean.
    Readings,
    /// No rule of `ceiling` covers the request.
    Ceiling,
    /// No header overrides the method.
    MethodOverride,
    /// No header of ours could have chosen the route.
    ReservedHeader,
    /// Nothing names a second resource.
    SecondResource,
    /// It is no tunnel.
    Tunnel,
    /// The path can be read in one way only.
    PlainPath,
    /// A scope of the token covers the request.
    Scope,
    /// Its requirements are met.
    Requirements,
    /// The client has the certificate that the token is bound to.
    Sender,
    /// The grant still stands.
    Standing,
}

/// How many there are.
const RULES: usize = Rule::ALL.len();

/// What a rule said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Said {
    /// The decision did not come to it.
    #[default]
    NotLookedAt,
    /// It lets the request go on.
    Passed,
    /// It let the same token go on before, and its answer was kept.
    PassedBefore,
    /// It needs an answer from outside first.
    Asked,
    /// It refuses.
    Refused(DenyReason),
}

/// What the rules of one configuration said.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps([Said; RULES]);

/// What the rules said of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trace {
    /// Those of the configuration that the request came under.
    pub own: Steps,
    /// Those of a configuration that has come in its place.
    pub successor: Steps,
}

impl Rule {
    /// Every rule, in its order.
    pub const ALL: [Rule; 23] = [
        Rule::TokenNeeded,
        Rule::EarlierInstance,
        Rule::TokenForm,
        Rule::Issuer,
        Rule::TokenType,
        Rule::Algorithm,
        Rule::Key,
        Rule::Claims,
        Rule::Signature,
        Rule::Audience,
        Rule::Lifetime,
        Rule::Time,
        Rule::Readings,
        Rule::Ceiling,
        Rule::MethodOverride,
        Rule::ReservedHeader,
        Rule::SecondResource,
        Rule::Tunnel,
        Rule::PlainPath,
        Rule::Scope,
        Rule::Requirements,
        Rule::Sender,
        Rule::Standing,
    ];

    /// Those that [`crate::token::verify`] looks at, in its order.
    const OF_TOKEN: [Rule; 9] = [
        Rule::TokenForm,
        Rule::Issuer,
        Rule::TokenType,
        Rule::Algorithm,
        Rule::Key,
        Rule::Claims,
        Rule::Signature,
        Rule::Audience,
        Rule::Lifetime,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rule::TokenNeeded => "token_needed",
            Rule::EarlierInstance => "earlier_instance",
            Rule::TokenForm => "token_form",
            Rule::Issuer => "issuer",
            Rule::TokenType => "token_type",
            Rule::Algorithm => "algorithm",
            Rule::Key => "key",
            Rule::Claims => "claims",
            Rule::Signature => "signature",
            Rule::Audience => "audience",
            Rule::Lifetime => "lifetime",
            Rule::Time => "time",
            Rule::Readings => "readings",
            Rule::Ceiling => "ceiling",
            Rule::MethodOverride => "method_override",
            Rule::ReservedHeader => "reserved_header",
            Rule::SecondResource => "second_resource",
            Rule::Tunnel => "tunnel",
            Rule::PlainPath => "plain_path",
            Rule::Scope => "scope",
            Rule::Requirements => "requirements",
            Rule::Sender => "sender",
            Rule::Standing => "standing",
        }
    }

    /// The rule about a token that refuses with this reason.
    const fn about_token(reason: DenyReason) -> Rule {
        match reason {
            DenyReason::IssuerUnknown => Rule::Issuer,
            DenyReason::TokenType => Rule::TokenType,
            DenyReason::AlgorithmNotAllowed => Rule::Algorithm,
            DenyReason::KeyUnknown | DenyReason::KeysUnavailable => Rule::Key,
            DenyReason::ClaimMissing | DenyReason::ClaimInvalid => Rule::Claims,
            DenyReason::SignatureInvalid => Rule::Signature,
            DenyReason::AudienceMismatch => Rule::Audience,
            DenyReason::LifetimeExceeded => Rule::Lifetime,
            _ => Rule::TokenForm,
        }
    }
}

impl Steps {
    /// What a rule said.
    #[must_use]
    pub fn said(&self, rule: Rule) -> Said {
        self.0.get(rule as usize).copied().unwrap_or_default()
    }

    /// The rule that refused, and why.
    #[must_use]
    pub fn refused(&self) -> Option<(Rule, DenyReason)> {
        Rule::ALL.into_iter().find_map(|rule| match self.said(rule) {
            Said::Refused(reason) => Some((rule, reason)),
            Said::NotLookedAt | Said::Passed | Said::PassedBefore | Said::Asked => None,
        })
    }

    pub(crate) fn note(&mut self, rule: Rule, said: Said) {
        if let Some(place) = self.0.get_mut(rule as usize) {
            *place = said;
        }
    }

    pub(crate) fn passed(&mut self, rule: Rule) {
        self.note(rule, Said::Passed);
    }

    /// All the rules about a token said this.
    pub(crate) fn token(&mut self, said: Said) {
        for rule in Rule::OF_TOKEN {
            self.note(rule, said);
        }
    }

    /// The rules about a token came as far as the one that refuses with this reason.
    pub(crate) fn token_refused(&mut self, reason: DenyReason) {
        self.token_until(Rule::about_token(reason), Said::Refused(reason));
    }

    /// They came as far as this one, which said this.
    pub(crate) fn token_until(&mut self, last: Rule, said: Said) {
        for rule in Rule::OF_TOKEN.into_iter().take_while(|rule| *rule != last) {
            self.passed(rule);
        }
        self.note(last, said);
    }
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::NotLookedAt => formatter.write_str("not_looked_at"),
            Said::Passed => formatter.write_str("passed"),
            Said::PassedBefore => formatter.write_str("passed_before"),
            Said::Asked => formatter.write_str("asked"),
            Said::Refused(reason) => write!(formatter, "refused({})", reason.code()),
        }
    }
}

/// The rules that were looked at: `issuer=passed audience=refused(audience_mismatch)`.
impl fmt::Display for Steps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let looked_at = Rule::ALL.into_iter().map(|rule| (rule, self.said(rule)));
        let mut separator = "";
        for (rule, said) in looked_at.filter(|(_, said)| *said != Said::NotLookedAt) {
            write!(formatter, "{separator}{}={said}", rule.name())?;
            separator = " ";
        }
        Ok(())
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Steps({self})")
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.own)?;
        if self.successor != Steps::default() {
            write!(formatter, "; under the new configuration: {}", self.successor)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::test;

    #[test]
    fn every_rule_has_its_own_place_and_name() {
        for (place, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, place, "{}", rule.name());
        }
        let names: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), RULES);
    }

    #[test]
    fn what_refuses_is_said_and_what_comes_after_it_is_not_looked_at() {
        let mut steps = Steps::default();
        steps.token_refused(DenyReason::AlgorithmNotAllowed);
        assert_eq!(steps.refused(), Some((Rule::Algorithm, DenyReason::AlgorithmNotAllowed)));
        assert_eq!(
            steps.to_string(),
            "token_form=passed issuer=passed token_type=passed \
             algorithm=refused(algorithm_not_allowed)"
        );
        assert_eq!(steps.said(Rule::Key), Said::NotLookedAt);
    }

    #[test]
    fn a_trace_is_a_few_bytes() {
        assert_eq!(size_of::<Trace>(), 2 * RULES);
    }
}
