//! `POST /v1/revocations`: the kill switch. Revokes every grant that matches, in one transaction:
//! all of them, or none.
//!
//! 1. Exactly one of `grant`, `subject`, `incident`, `scope`, `all` says what matches.
//!    `subject`, `incident` and `scope` mean every spelling of the name that a person would take for
//!    it: `look_alikes` lists the others that were found.
//! 2. A grant matches if it is approved, not revoked, and not over for longer than a filter's
//!    clock can be wrong; whether its token was issued makes no difference. Pending requests stay
//!    as they are: deny them.
//! 3. `grant`, `incident` and `scope` revoke those grants that the caller could revoke one by one,
//!    and tell how many others match; if that is all of them, the answer is no.
//! 4. `subject` and `all` promise that nothing is left: the caller must have the right to approve
//!    every scope of every grant that matches and is not the caller's own, or nothing is revoked.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{FieldErrors, JsonBody};
use crate::app::App;
use crate::config::Person;
use crate::folded::Folded;
use crate::identity::AsPerson;
use crate::limits::MAX_LISTED_GRANTS;
use crate::policy;
use crate::problem::{FieldProblem, Problem, Reason};
use crate::store::{LiveGrant, Target};
use crate::text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    grant: Option<String>,
    subject: Option<String>,
    incident: Option<String>,
    scope: Option<String>,
    all: Option<bool>,
    #[serde(default)]
    reason: String,
}

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<Value>, Problem> {
    let target = body.target()?;
    let now = app.now()?;
    if let Target::Grant(jti) = target {
        super::grant(&app, now, jti).await?;
    }
    let matching = app.store().matching(now, target).await?;
    let mut grants: Vec<String> =
        choose(&app, &person, target, &matching.grants)?.map(|grant| grant.jti.clone()).collect();
    let not_yours = matching.grants.len().saturating_sub(grants.len());
    let chosen: Vec<&str> = grants.iter().map(String::as_str).collect();
    let alike = look_alikes(target, &matching.grants, &chosen);
    let epoch = matching.revoke(now, &chosen, &person.name, &body.reason, target).await?;
    let revoked = grants.len();
    if revoked > 0 {
        app.revoked(now, revoked).await;
    }
    tracing::warn!(revoked, not_yours, actor = person.name, epoch, ?target, "kill switch");
    grants.truncate(MAX_LISTED_GRANTS);
    Ok(Json(json!({
        "revoked": revoked,
        "grants": grants,
        "epoch": epoch,
        "not_yours": not_yours,
        "look_alikes": alike,
    })))
}

/// The other spellings of the name that were found, and how many grants of each were revoked.
fn look_alikes(target: Target<'_>, matching: &[LiveGrant], chosen: &[&str]) -> Vec<Value> {
    let Some(name) = target.name() else { return Vec::new() };
    let folded = Folded::new(name);
    let chosen: BTreeSet<&str> = chosen.iter().copied().collect();
    let mut found: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for grant in matching {
        let spellings = target.spellings(grant, &folded);
        for spelling in spellings.into_iter().filter(|spelling| *spelling != name) {
            let (revoked, not_yours) = found.entry(spelling).or_default();
            let count = if chosen.contains(grant.jti.as_str()) { revoked } else { not_yours };
            *count = count.saturating_add(1);
        }
    }
    found
        .into_iter()
        .take(MAX_LISTED_GRANTS)
        .map(|(spelling, (revoked, not_yours))| {
            json!({ "name": spelling, "revoked": revoked, "not_yours": not_yours })
        })
        .collect()
}

impl Body {
    fn target(&self) -> Result<Target<'_>, Problem> {
        let mut errors = FieldErrors::default();
        errors.check("reason", text::reason(&self.reason));
        let name = |field: &str, value: &Option<String>, errors: &mut FieldErrors| {
            if let Some(value) = value {
                errors.check(field, text::name(value));
            }
        };
        name("grant", &self.grant, &mut errors);
        name("subject", &self.subject, &mut errors);
        name("incident", &self.incident, &mut errors);
        name("scope", &self.scope, &mut errors);
        if self.all == Some(false) {
            errors.add("all", "expected `true`, or another field instead");
        }
        let named = [
            self.grant.as_deref().map(Target::Grant),
            self.subject.as_deref().map(Target::Subject),
            self.incident.as_deref().map(Target::Incident),
            self.scope.as_deref().map(Target::Scope),
            self.all.map(|_| Target::All),
        ];
        let mut named = named.into_iter().flatten();
        let (first, second) = (named.next(), named.next());
        if first.is_none() || second.is_some() {
            let one = "expected exactly one of `grant`, `subject`, `incident`, `scope`, `all`";
            errors.add("all", one);
        }
        errors.finish()?;
        // Cannot be: an error was just added for it.
        first.ok_or_else(|| Problem::new(Reason::InvalidRequest, "nothing is to be revoked"))
    }
}

/// The grants that this person revokes with it.
fn choose<'g>(
    app: &App,
    person: &Person,
    target: Target<'_>,
    matching: &'g [LiveGrant],
) -> Result<impl Iterator<Item = &'g LiveGrant>, Problem> {
    let whole = matches!(target, Target::All | Target::Subject(_));
    if whole {
        check_rights(app, person, matching)?;
    }
    if matching.is_empty() {
        check_spelling(app, target)?;
    }
    let chosen: Vec<&LiveGrant> = matching
        .iter()
        .filter(|grant| whole || policy::may_revoke(app.config(), person, &held(grant)))
        .collect();
    if chosen.is_empty() && !matching.is_empty() {
        return Err(Problem::new(
            Reason::NotAnApprover,
            format!(
                "{} match, and you may revoke none of them: only the holder and those who may \
                 approve one of its scopes may revoke a grant",
                count(matching.len())
            ),
        ));
    }
    Ok(chosen.into_iter())
}

/// Nobody who misspelt a name may believe that something was revoked.
fn check_spelling(app: &App, target: Target<'_>) -> Result<(), Problem> {
    let config = app.config();
    let known = |name: &str, names: &[&String]| {
        let folded = Folded::new(name);
        names.iter().any(|other| folded.is(other))
    };
    let (field, reason, detail) = match target {
        Target::Scope(name)
            if !known(name, &config.scopes.iter().map(|scope| &scope.name).collect::<Vec<_>>()) =>
        {
            let detail = format!("there is no scope `{name}`, and no grant names it");
            ("scope", Reason::ScopeUnknown, detail)
        }
        Target::Subject(name)
            if !known(name, &config.people.iter().map(|one| &one.name).collect::<Vec<_>>()) =>
        {
            let detail = format!("nobody is called `{name}`, and nobody of that name has a grant");
            ("subject", Reason::InvalidRequest, detail)
        }
        _ => return Ok(()),
    };
    Err(Problem::fields(vec![FieldProblem { field: field.to_owned(), reason, detail }]))
}

fn check_rights(app: &App, person: &Person, matching: &[LiveGrant]) -> Result<(), Problem> {
    let mut missing: Vec<&str> = Vec::new();
    let mut grants = 0_usize;
    for grant in matching {
        let lacks = policy::not_approvable(app.config(), person, &held(grant));
        grants = grants.saturating_add(usize::from(!lacks.is_empty()));
        missing.extend(lacks);
    }
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        Reason::NotAnApprover,
        format!(
            "nothing was revoked: you may not approve `{}`, which {} of the {} that match name; \
             revoke by scope or incident what you may, and have an approver of these do the rest",
            missing.join("`, `"),
            grants,
            count(matching.len()),
        ),
    ))
}

fn held(grant: &LiveGrant) -> policy::Held<'_> {
    policy::Held {
        holder: &grant.requester,
        approver: Some(&grant.approved_by),
        scopes: &grant.scopes,
    }
}

fn count(grants: usize) -> String {
    if grants == 1 { "1 grant".to_owned() } else { format!("{grants} grants") }
}
