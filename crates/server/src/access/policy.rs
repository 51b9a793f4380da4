//! Who may ask for what, and who may decide on it. Pure: the configuration and the people in,
//! the answer out.
//!
//! 1. The scopes exist, the requester may ask for each, and all are for one environment.
//! 2. The duration is at most each scope's.
//! 3. Some other person may approve every one of them: "no approver found" is a refusal.
//! 4. An approver is another person who may approve every scope.
//! 5. Anybody who may approve one of the scopes may deny the request and revoke the grant: to say
//!    no takes less than to say yes. So may the holder, and whoever approved the grant: should its
//!    scopes leave the configuration, somebody can still end it.
//! 6. To revoke a person's grants, or all, without anything being left takes the right to approve
//!    every scope of each. A scope that has left the configuration keeps nobody from it who may
//!    approve another one.
//! 7. An auditor sees every request, the trail and the heads of the audit chains. It is a right of
//!    its own: nobody has it by approving.

use crate::access::near;
use crate::config::{Config, Person, Scope};
use crate::duration;
use crate::problem::{FieldProblem, Problem, Reason};
use breakglass_audit::folded::Folded;

/// What may be submitted.
#[derive(Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The environment of all scopes.
    pub audience: String,
    /// Who could approve it.
    pub approvers: Vec<String>,
}

/// Decides whether `requester` may ask for `scopes` for `duration` seconds.
///
/// # Errors
/// A [`Problem`] that says what to ask for instead, or that the answer is no.
pub fn assess(
    config: &Config,
    requester: &Person,
    scopes: &[String],
    duration: i64,
) -> Result<Assessment, Problem> {
    let found = find(config, requester, scopes)?;
    if let Some(scope) = found.iter().find(|scope| !scope.may_be_requested_by(requester)) {
        return Err(Problem::new(
            Reason::NotARequester,
            format!(
                "you may not ask for `{}`: its requesters are the groups {}{}",
                scope.name,
                scope.requesters.join(", "),
                near_names(config, requester, &scope.name)
            ),
        ));
    }
    let too_long = found.iter().filter(|scope| duration > scope.max_duration).map(|scope| {
        let longest = duration::format(scope.max_duration);
        problem(
            "duration",
            Reason::DurationTooLong,
            format!("`{}` allows at most {longest}", scope.name),
        )
    });
    let audience = one_audience(&found);
    let wrong: Vec<FieldProblem> =
        audience.as_ref().err().cloned().into_iter().chain(too_long).collect();
    let (Ok(audience), true) = (audience, wrong.is_empty()) else {
        return Err(Problem::fields(wrong));
    };
    let approvers = approvers(config, &requester.name, scopes);
    if approvers.is_empty() {
        return Err(Problem::new(
            Reason::NoApprover,
            "nobody but you may approve all of these scopes: ask for fewer, or have whoever runs \
             the service add an approver",
        ));
    }
    Ok(Assessment { audience, approvers })
}

/// The names of those who may approve `scopes` for `requester`.
#[must_use]
pub fn approvers(config: &Config, requester: &str, scopes: &[String]) -> Vec<String> {
    let requester = Folded::new(requester);
    config
        .people
        .iter()
        .filter(|person| approves_all(config, person, scopes) && !requester.is(&person.name))
        .map(|person| person.name.clone())
        .collect()
}

/// Whether `person` may approve `scopes` for `requester`: never for themselves, in whatever spelling
/// of their name, and only if every
/// scope is still known and theirs to approve.
#[must_use]
pub fn may_approve(config: &Config, person: &Person, requester: &str, scopes: &[String]) -> bool {
    approves_all(config, person, scopes) && !Folded::new(requester).is(&person.name)
}

fn approves_all(config: &Config, person: &Person, scopes: &[String]) -> bool {
    !scopes.is_empty()
        && scopes
            .iter()
            .all(|name| config.scope(name).is_some_and(|scope| scope.may_be_approved_by(person)))
}

/// Whether `person` may say no to `scopes`: deny the request, revoke the grant.
#[must_use]
pub fn may_refuse(config: &Config, person: &Person, scopes: &[String]) -> bool {
    scopes
        .iter()
        .any(|name| config.scope(name).is_some_and(|scope| scope.may_be_approved_by(person)))
}

/// A grant, as far as it matters to who may end it.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Who holds it.
    pub holder: &'a str,
    /// Who approved it.
    pub approver: Option<&'a str>,
    /// Its scopes.
    pub scopes: &'a [String],
}

/// Whether `person` may revoke this grant.
#[must_use]
pub fn may_revoke(config: &Config, person: &Person, grant: &Held<'_>) -> bool {
    grant.holder == person.name
        || grant.approver == Some(&person.name)
        || may_refuse(config, person, grant.scopes)
}

/// The scopes of this grant that `person` would have to be an approver of to revoke it along with
/// all others. None where it is the person's own.
#[must_use]
pub fn not_approvable<'a>(config: &Config, person: &Person, grant: &Held<'a>) -> Vec<&'a str> {
    if grant.holder == person.name {
        return Vec::new();
    }
    let approves = |name: &str| match config.scope(name) {
        Some(scope) => scope.may_be_approved_by(person),
        None => config.scopes.iter().any(|other| other.may_be_approved_by(person)),
    };
    grant.scopes.iter().map(String::as_str).filter(|name| !approves(name)).collect()
}

/// Whether `person` may audit, as a refusal if not.
///
/// # Errors
/// [`Reason::NotAnAuditor`].
pub fn check_auditor(config: &Config, person: &Person) -> Result<(), Problem> {
    if person.is_in_any(&config.auditors) {
        return Ok(());
    }
    Err(Problem::new(
        Reason::NotAnAuditor,
        "only members of the groups that the service's configuration lists under `auditors` may \
         audit",
    ))
}

/// The names of the scopes that `person` may approve for somebody else.
#[must_use]
pub fn approvable(config: &Config, person: &Person) -> Vec<String> {
    config
        .scopes
        .iter()
        .filter(|scope| scope.may_be_approved_by(person))
        .map(|scope| scope.name.clone())
        .collect()
}

fn find<'c>(
    config: &'c Config,
    requester: &Person,
    names: &[String],
) -> Result<Vec<&'c Scope>, Problem> {
    let mut found = Vec::with_capacity(names.len());
    let mut unknown = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match config.scope(name) {
            Some(scope) => found.push(scope),
            None => unknown.push(problem(
                &format!("scopes[{index}]"),
                Reason::ScopeUnknown,
                format!("there is no scope `{name}`{}", near_names(config, requester, name)),
            )),
        }
    }
    if unknown.is_empty() { Ok(found) } else { Err(Problem::fields(unknown)) }
}

/// What else the requester may have meant, in words that follow the name.
fn near_names(config: &Config, requester: &Person, name: &str) -> String {
    let near = near::scopes(config, requester, name);
    if near.is_empty() {
        return "; `breakglass scopes` lists what you may ask for".to_owned();
    }
    format!("; near it, and yours to ask for: `{}`", near.join("`, `"))
}

fn one_audience(scopes: &[&Scope]) -> Result<String, FieldProblem> {
    let mut audiences: Vec<&str> = scopes.iter().map(|scope| scope.audience.as_str()).collect();
    audiences.sort_unstable();
    audiences.dedup();
    if let [audience] = audiences.as_slice() {
        return Ok((*audience).to_owned());
    }
    Err(problem(
        "scopes",
        Reason::AudiencesDiffer,
        format!(
            "these are for different environments ({}): make one request for each",
            audiences.join(", ")
        ),
    ))
}

fn problem(field: &str, reason: Reason, detail: String) -> FieldProblem {
    FieldProblem { field: field.to_owned(), reason: reason.into(), detail }
}
