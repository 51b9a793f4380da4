//! `POST /v1/revocations`: the kill switch. Revokes every grant that matches, in steps whose work is
//! bounded. Where a step fails, those before it stay done, and the answer says how many they were: the
//! same request again does the rest.
//!
//! 1. Exactly one of `grant`, `subject`, `incident`, `scope`, `all` says what matches.
//!    `subject`, `incident` and `scope` mean every spelling of the name that a person would take for
//!    it: `look_alikes` lists the others that were found.
//! 2. A grant matches if it is approved, not revoked, and at the earliest time that it could be not over for
//!    longer than a filter's clock can be wrong; whether its token was issued makes no difference.
//!    `had_ended` counts those that are over by our clock, which may be wrong. One that is named by `grant`
//!    may be over. Pending requests stay as they are: deny them.
//! 3. `grant`, `incident` and `scope` revoke those grants that the caller could revoke one by one,
//!    and tell how many others match; if that is all of them, the answer is no.
//! 4. `subject` and `all` promise that nothing is left: the caller must have the right to approve
//!    every scope of every grant that matches and is not the caller's own, or be a responder of its environment,
//!    or nothing is revoked. Of grants
//!    that match only because our clock may be wrong, those that the caller may not revoke are counted and left.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use axum::Json;
use axum::extract::State;
use breakglass_api::Instant;
use breakglass_api::revocation::{Kill as Body, Killed, LookAlike};

use super::body::{FieldErrors, JsonBody};
use super::refusal;
use crate::access::{Access, Held, Refused};
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::config::{Config, Person};
use crate::limits::{CLOCK_SKEW_S, MAX_LISTED_GRANTS};
use crate::problem::{FieldProblem, Problem, Reason};
use crate::store::{LiveGrant, STEP, Target};
use crate::text;
use breakglass_audit::folded::Folded;

/// How often it looks again for what was approved meanwhile.
const ROUNDS: u32 = 10;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<Killed>, Problem> {
    let target = target(&body)?;
    let now = app.now();
    if let Target::Grant(jti) = target {
        super::lookup::grant(&app, now, jti).await?;
    }
    let kill = Kill { app: &app, person: &person, target, reason: &body.reason };
    let mut done = Done::default();
    let not_yours = match kill.run(&mut done).await {
        Ok(not_yours) => not_yours,
        Err(problem) if done.revoked > 0 => return Err(done.half_way(problem)),
        Err(problem) => return Err(problem),
    };
    let alike = done.look_alikes();
    let Done { revoked, had_ended, grants, epoch, latest_end, first_approval, .. } = done;
    tracing::warn!(
        revoked,
        had_ended,
        not_yours,
        actor = person.name,
        epoch,
        ?target,
        "kill switch"
    );
    Ok(Json(Killed {
        revoked: number(revoked),
        grants,
        epoch,
        not_yours: number(not_yours),
        look_alikes: alike,
        latest_expires_at: latest_end.map(Instant::from_seconds),
        earliest_approved_at: first_approval.map(Instant::from_seconds),
        had_ended: number(had_ended),
    }))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// One use of the kill switch.
struct Kill<'a> {
    app: &'a App,
    person: &'a Person,
    target: Target<'a>,
    reason: &'a str,
}

/// What it has done so far.
#[derive(Default)]
struct Done {
    revoked: usize,
    /// How many of them were over by our clock.
    had_ended: usize,
    /// The first of them.
    grants: Vec<String>,
    epoch: i64,
    /// When the last of them would have ended, and when the first was approved: until when, and since when,
    /// something can run under them.
    latest_end: Option<i64>,
    first_approval: Option<i64>,
    /// The other spellings of the name, each with how many of its grants were revoked, and how many were not
    /// because the person may not.
    alike: BTreeMap<String, (usize, usize)>,
}

impl Kill<'_> {
    /// Revokes until nothing is left that matches and that this person may revoke, and returns how many
    /// grants match that the person may not revoke.
    async fn run(&self, done: &mut Done) -> Result<usize, Problem> {
        let store = self.app.store();
        let mut round = 0_u32;
        loop {
            let matching = store.matching(self.app.floor(), self.target).await?;
            let chosen = if round == 0 {
                choose(self.app, self.person, self.target, &matching)?
            } else {
                // What was approved meanwhile.
                chosen(self.app, self.person, self.target, &matching)?
            };
            let latest = self.app.timekeeper().reading().latest().seconds();
            let over: HashSet<&str> = matching
                .iter()
                .filter(|grant| grant.expires_at <= latest)
                .map(|grant| grant.jti.as_str())
                .collect();
            let not_yours = matching.len().saturating_sub(chosen.len());
            done.spelled(self.target, &matching, &chosen);
            // An empty step reads the epoch.
            let steps = chosen.chunks(STEP).chain(chosen.is_empty().then_some(&[][..]));
            for step in steps {
                let step = store
                    .revoke_step(self.app.now(), step, &self.person.name, self.reason, self.target)
                    .await?;
                done.epoch = step.epoch;
                done.spans(&matching, &step.revoked);
                let count = step.revoked.len();
                let ended = step.revoked.iter().filter(|jti| over.contains(jti.as_str())).count();
                done.had_ended = done.had_ended.saturating_add(ended);
                done.revoked = done.revoked.saturating_add(count);
                let room = MAX_LISTED_GRANTS.saturating_sub(done.grants.len());
                done.grants.extend(step.revoked.into_iter().take(room));
                if count > 0 {
                    self.app.revoked(count).await;
                }
            }
            round = round.saturating_add(1);
            if chosen.is_empty() || round >= ROUNDS {
                return Ok(not_yours);
            }
        }
    }
}

impl Done {
    /// Notes when those that one step revoked were approved and would have ended.
    fn spans(&mut self, matching: &[LiveGrant], revoked: &[String]) {
        let revoked: HashSet<&str> = revoked.iter().map(String::as_str).collect();
        for grant in matching.iter().filter(|grant| revoked.contains(grant.jti.as_str())) {
            self.latest_end = self.latest_end.max(Some(grant.expires_at));
            let first = self.first_approval.unwrap_or(grant.approved_at);
            self.first_approval = Some(first.min(grant.approved_at));
        }
    }

    /// Counts the other spellings among the grants of one round.
    fn spelled(&mut self, target: Target<'_>, matching: &[LiveGrant], chosen: &[String]) {
        let Some(name) = target.name() else { return };
        let folded = Folded::new(name);
        let chosen: BTreeSet<&String> = chosen.iter().collect();
        // What is left is found again in each round.
        self.alike.values_mut().for_each(|(_, not_yours)| *not_yours = 0);
        for grant in matching {
            let spellings = target.spellings(grant, &folded);
            for spelling in spellings.into_iter().filter(|spelling| *spelling != name) {
                let (revoked, not_yours) = self.alike.entry(spelling.to_owned()).or_default();
                let count = if chosen.contains(&grant.jti) { revoked } else { not_yours };
                *count = count.saturating_add(1);
            }
        }
    }

    fn look_alikes(&self) -> Vec<LookAlike> {
        let found = self.alike.iter().take(MAX_LISTED_GRANTS);
        found
            .map(|(spelling, (revoked, not_yours))| LookAlike {
                name: spelling.clone(),
                revoked: number(*revoked),
                not_yours: number(*not_yours),
            })
            .collect()
    }

    fn half_way(self, problem: Problem) -> Problem {
        let Done { revoked, epoch, .. } = self;
        tracing::error!(revoked, epoch, reason = problem.reason().word(), "kill switch half way");
        problem.after(&format!(
            "{} revoked, up to epoch {epoch}, and the rest was not: run it again to revoke the rest. \
             Why it stopped",
            if revoked == 1 { "1 grant was".to_owned() } else { format!("{revoked} grants were") },
        ))
    }
}

/// What the body says is to be revoked.
fn target(body: &Body) -> Result<Target<'_>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&body.reason));
    let name = |field: &str, value: &Option<String>, errors: &mut FieldErrors| {
        if let Some(value) = value {
            errors.check(field, text::name(value));
        }
    };
    name("grant", &body.grant, &mut errors);
    name("subject", &body.subject, &mut errors);
    name("incident", &body.incident, &mut errors);
    name("scope", &body.scope, &mut errors);
    if body.all == Some(false) {
        errors.add("all", "expected `true`, or another field instead");
    }
    let named = [
        body.grant.as_deref().map(Target::Grant),
        body.subject.as_deref().map(Target::Subject),
        body.incident.as_deref().map(Target::Incident),
        body.scope.as_deref().map(Target::Scope),
        body.all.map(|_| Target::All),
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

/// The ids of the grants that this person revokes with it; a refusal where that is none of those that match.
fn choose(
    app: &App,
    person: &Person,
    target: Target<'_>,
    matching: &[LiveGrant],
) -> Result<Vec<String>, Problem> {
    let chosen = chosen(app, person, target, matching)?;
    if matching.is_empty() {
        check_spelling(app, target)?;
    }
    if chosen.is_empty() && !matching.is_empty() {
        return Err(none_is_theirs(&app.config(), person, matching));
    }
    Ok(chosen)
}

fn chosen(
    app: &App,
    person: &Person,
    target: Target<'_>,
    matching: &[LiveGrant],
) -> Result<Vec<String>, Problem> {
    let config = app.config();
    // By the time that the service goes by, as long as a filter's clock can be wrong.
    let over = app.now().seconds().saturating_sub(CLOCK_SKEW_S);
    let whole = |grant: &&LiveGrant| {
        matches!(target, Target::All | Target::Subject(_)) && grant.expires_at > over
    };
    let access = Access::of(&config);
    let meant = matching.iter().filter(whole).map(|grant| held(&config, grant));
    access.check_revoke_all(person, meant)?;
    let may_revoke =
        |grant: &&LiveGrant| access.check_revoke(person, &held(&config, grant)).is_ok();
    Ok(matching
        .iter()
        .filter(|grant| whole(grant) || may_revoke(grant))
        .map(|grant| grant.jti.clone())
        .collect())
}

/// The refusal where the person may revoke none of the grants that match.
fn none_is_theirs(config: &Config, person: &Person, matching: &[LiveGrant]) -> Problem {
    let access = Access::of(config);
    let refused = matching.iter().filter_map(|grant| {
        let grant = held(config, grant);
        access.check_revoke(person, &grant).err()
    });
    if refused.into_iter().any(|refused| refused == Refused::MembershipUnknown) {
        return Refused::MembershipUnknown.into();
    }
    Problem::new(
        Reason::NotAnApprover,
        format!(
            "{} match, and you may revoke none of them: {}",
            refusal::grants(matching.len()),
            refusal::may_not_revoke(!config.responders.is_empty())
        ),
    )
}

/// Nobody who misspelt a name may believe that something was revoked.
fn check_spelling(app: &App, target: Target<'_>) -> Result<(), Problem> {
    let config = &app.config();
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
    Err(Problem::fields(vec![FieldProblem {
        field: field.to_owned(),
        reason: reason.into(),
        detail,
    }]))
}

/// An environment of its scopes, for whether the person is a responder of it.
fn held<'g>(config: &'g Config, grant: &'g LiveGrant) -> Held<'g> {
    let audience = grant.scopes.iter().find_map(|name| config.scope(name));
    Held {
        holder: &grant.requester,
        approver: Some(&grant.approved_by),
        audience: audience.map_or("", |scope| &scope.audience),
        scopes: &grant.scopes,
    }
}
