//! The kill switch. Revokes every grant that matches, in steps whose work is bounded. Where a step fails, those before it
//! stay done, and [`Killed`] says how many they were: the same again does the rest.
//!
//! 1. `incident`, `scope` and `subject` mean every spelling of the name that a person would take for it: `alike` has the
//!    others that were found.
//! 2. A grant matches if it is approved, not revoked, and at the earliest time that it could be not over for longer than a
//!    filter's clock can be wrong; whether its token was issued makes no difference. `had_ended` counts those that are over
//!    by our clock, which may be wrong. One that is named by its id may be over. Pending requests stay as they are: deny
//!    them.
//! 3. A grant, an incident and a scope revoke those grants that the caller could revoke one by one, and tell how many others
//!    match; if that is all of them, the answer is no.
//! 4. A person and everything promise that nothing is left: the caller must have the right to stop every grant that matches
//!    and is not the caller's own, or nothing is revoked. Of grants that match only because our clock may be wrong, those
//!    that the caller may not revoke are counted and left.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use breakglass_audit::folded::Folded;
use serde_json::json;

use super::{Refused, find, held};
use crate::access::{self, Access};
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::limits::{CLOCK_SKEW_S, MAX_LISTED_GRANTS};
use crate::request_metrics::RevokedBy;
use crate::store::{Happened, LiveGrant, Revocations, RevokedStep, STEP, StoreError, Target};

/// How often it looks again for what was approved meanwhile.
pub(super) const ROUNDS: u32 = 10;

/// What the kill switch has done, all of it or so far.
#[derive(Debug, Default)]
pub struct Killed {
    /// How many grants it revoked.
    pub revoked: usize,
    /// How many of them were over by our clock.
    pub had_ended: usize,
    /// The first of them.
    pub grants: Vec<String>,
    /// The latest epoch.
    pub epoch: i64,
    /// When the last of them would have ended.
    pub latest_end: Option<i64>,
    /// When the first of them was approved: since when something can run under them.
    pub first_approval: Option<i64>,
    /// How many match that the caller may not revoke.
    pub not_yours: usize,
    /// The other spellings of the name, each with how many of its grants were revoked, and how many were not because the
    /// person may not.
    pub alike: BTreeMap<String, (usize, usize)>,
}

/// Revokes what matches.
///
/// # Errors
/// What was done so far, and [`Refused`] why it is not all.
pub async fn kill(
    app: &App,
    who: &Person,
    now: Moment,
    target: Target<'_>,
    reason: &str,
) -> Result<Killed, (Killed, Refused)> {
    let mut done = Killed::default();
    let outcome = Kill { app, who, target, reason }.run(now, &mut done).await;
    match outcome {
        Ok(()) => {
            let Killed { revoked, had_ended, not_yours, epoch, .. } = &done;
            let actor = &who.name;
            tracing::warn!(revoked, had_ended, not_yours, actor, epoch, ?target, "kill switch");
            Ok(done)
        }
        Err(refused) => Err((done, refused)),
    }
}

/// Revokes those of `chosen`, at most [`STEP`] grants, that were not revoked meanwhile.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: then none of it is done.
pub(super) async fn step(
    app: &App,
    now: Moment,
    chosen: &[String],
    actor: &str,
    reason: &str,
    target: Target<'_>,
    how: RevokedBy,
) -> Result<RevokedStep, StoreError> {
    let mut change = app.store().change().await?;
    let step = change.revoke(now, chosen, actor, reason).await?;
    if step.revoked.is_empty() {
        change.abandon().await?;
        return Ok(step);
    }
    let detail = json!({ "reason": reason, "match": target.describe() });
    let revocations = Revocations { actor, after: step.after, last: step.epoch, detail };
    change.record(now, &[Happened::Revocations(revocations)]).await?.commit().await?;
    app.revoked(how, step.revoked.len()).await;
    Ok(step)
}

/// One use of the kill switch.
struct Kill<'a> {
    app: &'a App,
    who: &'a Person,
    target: Target<'a>,
    reason: &'a str,
}

impl Kill<'_> {
    /// Revokes until nothing is left that matches and that this person may revoke.
    async fn run(&self, now: Moment, done: &mut Killed) -> Result<(), Refused> {
        let Kill { app, who, target, reason } = *self;
        if let Target::Grant(jti) = target {
            find::grant(app, now, jti).await?;
        }
        let mut round = 0_u32;
        loop {
            let matching = app.store().matching(app.floor(), target).await?;
            let chosen = self.chosen(&matching)?;
            // Later rounds find what was approved meanwhile, which may be nothing.
            if round == 0 {
                self.check(&matching, &chosen)?;
            }
            let latest = app.timekeeper().reading().latest().seconds();
            let over: HashSet<&str> = matching
                .iter()
                .filter(|grant| grant.expires_at <= latest)
                .map(|grant| grant.jti.as_str())
                .collect();
            done.not_yours = matching.len().saturating_sub(chosen.len());
            done.spelled(target, &matching, &chosen);
            // An empty step reads the epoch.
            let steps = chosen.chunks(STEP).chain(chosen.is_empty().then_some(&[][..]));
            for chosen in steps {
                let how = RevokedBy::KillSwitch;
                let step = step(app, app.now(), chosen, &who.name, reason, target, how).await?;
                done.epoch = step.epoch;
                done.spans(&matching, &step.revoked);
                let ended = step.revoked.iter().filter(|jti| over.contains(jti.as_str())).count();
                done.had_ended = done.had_ended.saturating_add(ended);
                done.revoked = done.revoked.saturating_add(step.revoked.len());
                let room = MAX_LISTED_GRANTS.saturating_sub(done.grants.len());
                done.grants.extend(step.revoked.into_iter().take(room));
            }
            round = round.saturating_add(1);
            if chosen.is_empty() || round >= ROUNDS {
                return Ok(());
            }
        }
    }

    /// The ids of the grants that this person revokes with it.
    fn chosen(&self, matching: &[LiveGrant]) -> Result<Vec<String>, Refused> {
        // By the time that the service goes by, as long as a filter's clock can be wrong.
        let over = self.app.now().seconds().saturating_sub(CLOCK_SKEW_S);
        let whole = |grant: &&LiveGrant| {
            matches!(self.target, Target::All | Target::Subject(_)) && grant.expires_at > over
        };
        let config = self.app.config();
        let access = Access::of(&config);
        access.check_revoke_all(self.who, matching.iter().filter(whole).map(held::live))?;
        let mine = |grant: &&LiveGrant| {
            whole(grant) || access.check_revoke(self.who, &held::live(grant)).is_ok()
        };
        Ok(matching.iter().filter(mine).map(|grant| grant.jti.clone()).collect())
    }

    /// Refuses where nothing is to be revoked, and that is not what the person would think.
    fn check(&self, matching: &[LiveGrant], chosen: &[String]) -> Result<(), Refused> {
        match (matching.len(), chosen.len()) {
            (0, _) => self.check_spelling(),
            (count, 0) => Err(self.none_of_theirs(count, matching)),
            _ => Ok(()),
        }
    }

    /// The refusal where the person may revoke none of so many that match.
    fn none_of_theirs(&self, count: usize, matching: &[LiveGrant]) -> Refused {
        let config = self.app.config();
        let access = Access::of(&config);
        let refused = |grant| access.check_revoke(self.who, &held::live(grant)).err();
        let is_unknown = |refused| refused == access::Refused::MembershipUnknown;
        if matching.iter().filter_map(refused).any(is_unknown) {
            return access::Refused::MembershipUnknown.into();
        }
        Refused::NoneOfYours { count, responders: !config.responders.is_empty() }
    }

    /// A caller who misspelt a name must not believe that something was revoked.
    fn check_spelling(&self) -> Result<(), Refused> {
        let config = self.app.config();
        match self.target {
            Target::Scope(name) => {
                let folded = Folded::new(name);
                let known = config.scopes.iter().any(|scope| folded.is(&scope.name));
                if known { Ok(()) } else { Err(Refused::NoSuchScope(name.to_owned())) }
            }
            Target::Subject(name) => {
                let folded = Folded::new(name);
                let known = config.people.has_like(&folded);
                if known { Ok(()) } else { Err(Refused::NoSuchPerson(name.to_owned())) }
            }
            Target::All | Target::Grant(_) | Target::Incident(_) => Ok(()),
        }
    }
}

impl Killed {
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
}
