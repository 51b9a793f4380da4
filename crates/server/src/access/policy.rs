//! Who may ask for what, and who may approve it. Pure: the configuration, the directory and the people in, the
//! answer out.
//!
//! 1. The scopes exist, the requester may ask for each, and all are for one environment.
//! 2. The duration is at most each scope's.
//! 3. Other people may approve all that the [`rules`](super::rules) ask for: where it is certain that they cannot, that is a
//!    refusal. Where it is not known who may, the request is taken: approvers have to be known to be some when approving
//!    ([`approve`](super::approve)).
//! 4. For each use of the scopes one level of sign-in is enough: of those that require two, one request each.

use super::approvers::Approvers;
use super::directory::{Directory, Membership, is_in_any};
use super::near;
use super::refused::{Refused, TooLong, UnknownScope};
use super::rules::{CanBeMet, Facts, Needs};
use crate::clock::Moment;
use crate::config::{Config, Person, Scope, SignInFor};

/// The rules of a configuration, with the directory that knows its groups.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    pub(super) config: &'a Config,
    pub(super) directory: &'a dyn Directory,
}

impl<'a> Access<'a> {
    /// The rules of `config`, with `directory` for its groups.
    #[must_use]
    pub fn new(config: &'a Config, directory: &'a dyn Directory) -> Access<'a> {
        Access { config, directory }
    }

    /// The rules of `config`, which is its own directory.
    #[must_use]
    pub fn of(config: &'a Config) -> Access<'a> {
        Access { config, directory: config }
    }

    /// Decides whether `requester` may ask for `scopes` for `duration_s` seconds: the audience that they are for.
    ///
    /// # Errors
    /// A [`Refused`] that says what to ask for instead, or that the answer is no.
    pub fn check_ask(
        &self,
        requester: &Person,
        scopes: &[String],
        duration_s: i64,
    ) -> Result<String, Refused> {
        let found = self.find(requester, scopes)?;
        let may_request = |scope: &&Scope| self.may_request(requester, scope);
        if let Some(scope) = found.iter().find(|scope| may_request(scope) == Membership::No) {
            return Err(Refused::NotARequester {
                scope: scope.name.clone(),
                requesters: scope.requesters.clone(),
                near: self.near(requester, &scope.name),
            });
        }
        if found.iter().any(|scope| may_request(scope) == Membership::Unknown) {
            return Err(Refused::MembershipUnknown);
        }
        let audience = fit(&found, duration_s)?;
        if let Some((what, levels)) = different_levels(&found) {
            return Err(Refused::LevelsDiffer { what, levels });
        }
        Ok(audience)
    }

    /// Whether other people can come to approve what a request of `requester` needs. The groups to which it is escalated later
    /// count too: the request then waits for their members.
    ///
    /// # Errors
    /// [`Refused::NoApprover`] where it is known that too few people may.
    pub fn check_can_be_met(&self, needs: &Needs, requester: &str) -> Result<(), Refused> {
        let at_last = needs.clone().escalated(self.config, |_| true);
        match at_last.can_be_met(self.directory, requester) {
            CanBeMet::No(_) => Err(Refused::NoApprover),
            CanBeMet::Yes | CanBeMet::Unknown => Ok(()),
        }
    }

    /// Those who could say yes if `requester` asked for `scopes` now, for a moment.
    #[must_use]
    pub fn approvers(&self, requester: &str, scopes: &[String], now: Moment) -> Approvers {
        let facts = Facts {
            requester,
            scopes,
            duration_s: 0,
            held: &[],
            emergency: false,
            submitted_at: now,
        };
        let needs = Needs::of(self.config, self.directory, &facts).unwrap_or_default();
        needs.open_to(self.directory, requester, &[])
    }

    /// Whether `person`, whose request for `scopes` was approved, may take the first token now. A person who is listed keeps
    /// what was approved until the person is taken out of the configuration; what a provider says of a person who signed in
    /// is asked again.
    ///
    /// # Errors
    /// [`Refused::NotARequester`], [`Refused::MembershipUnknown`].
    pub fn check_activate(&self, person: &Person, scopes: &[String]) -> Result<(), Refused> {
        if person.credential.api_token().is_some() {
            return Ok(());
        }
        let scopes = || scopes.iter().filter_map(|name| self.config.scope(name));
        if let Some(lost) = scopes().find(|one| self.may_request(person, one) == Membership::No) {
            return Err(Refused::NotARequester {
                scope: lost.name.clone(),
                requesters: lost.requesters.clone(),
                near: Vec::new(),
            });
        }
        match scopes().any(|one| self.may_request(person, one) == Membership::Unknown) {
            true => Err(Refused::MembershipUnknown),
            false => Ok(()),
        }
    }

    /// Whether `person` may ask for `scope`.
    #[must_use]
    pub fn may_request(&self, person: &Person, scope: &Scope) -> Membership {
        is_in_any(self.directory, &person.name, &scope.requesters)
    }

    /// Whether `person` may approve `scope` for another person.
    #[must_use]
    pub fn may_approve(&self, person: &Person, scope: &Scope) -> Membership {
        self.approves_scope(&person.name, scope)
    }

    /// Whether the person called `name` may approve any scope for another person.
    #[must_use]
    pub fn approves_any(&self, name: &str) -> Membership {
        let scopes = self.config.scopes.iter();
        scopes.fold(Membership::No, |may, scope| may.or(self.approves_scope(name, scope)))
    }

    fn approves_scope(&self, name: &str, scope: &Scope) -> Membership {
        if !self.directory.may_approve(name) {
            return Membership::No;
        }
        self.config.approver_groups(scope).fold(Membership::No, |may, group| {
            if may.is_yes() { may } else { may.or(self.directory.is_member(name, group)) }
        })
    }

    pub(super) fn may_approve_named(&self, person: &Person, scope: &str) -> Membership {
        self.config.scope(scope).map_or(Membership::No, |scope| self.may_approve(person, scope))
    }

    fn find(&self, requester: &Person, names: &[String]) -> Result<Vec<&'a Scope>, Refused> {
        let mut found = Vec::with_capacity(names.len());
        let mut unknown = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match self.config.scope(name) {
                Some(scope) => found.push(scope),
                None => {
                    let near = self.near(requester, name);
                    unknown.push(UnknownScope { index, name: name.clone(), near });
                }
            }
        }
        if unknown.is_empty() { Ok(found) } else { Err(Refused::UnknownScopes(unknown)) }
    }

    /// Which other scope the requester may have meant.
    fn near(&self, requester: &Person, name: &str) -> Vec<String> {
        let scopes = self.config.scopes.iter();
        let theirs = scopes.filter(|scope| self.may_request(requester, scope).is_yes());
        near::names(theirs.map(|scope| scope.name.as_str()), name)
    }
}

/// The one audience of scopes that all allow this duration.
fn fit(scopes: &[&Scope], duration_s: i64) -> Result<String, Refused> {
    let too_long = scopes.iter().filter(|scope| duration_s > scope.max_duration);
    let too_long: Vec<TooLong> = too_long
        .map(|scope| TooLong { scope: scope.name.clone(), max_duration_s: scope.max_duration })
        .collect();
    let audiences = once_each(scopes.iter().map(|scope| scope.audience.as_str()).collect());
    match audiences.as_slice() {
        [audience] if too_long.is_empty() => Ok(audience.clone()),
        _ => Err(Refused::Unfit { audiences, too_long }),
    }
}

/// For what these scopes require signing in at different levels, and at which.
fn different_levels(scopes: &[&Scope]) -> Option<(SignInFor, Vec<String>)> {
    SignInFor::ALL.into_iter().find_map(|what| {
        let levels = scopes.iter().filter_map(|scope| scope.sign_in.of(what));
        let levels = once_each(levels.map(|one| one.level.as_str()).collect());
        (levels.len() > 1).then_some((what, levels))
    })
}

pub(super) fn once_each(mut names: Vec<&str>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(str::to_owned).collect()
}
