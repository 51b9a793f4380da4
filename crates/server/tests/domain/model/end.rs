//! What ends a grant or a request, whatever the clock says: revocations, the kill switch, time, and people who leave.

use super::{BECAUSE, Done, Happened, Model, Person, Refused, happened};
use crate::action::Target;

/// The actor of what the service does by itself.
const SERVICE: &str = "service";

/// Why the grants of people who have left are revoked.
const LEFT: &str = "holder_left";

impl Model {
    pub(super) fn revoke(&mut self, who: &Person, on: usize) -> Result<Done, Refused> {
        let unknown = (404, "grant_unknown");
        let on = self.find(on).map_err(|_| unknown)?;
        let grant = self.requests[on].grant.as_ref().ok_or(unknown)?;
        let revoked = grant.revoked.is_some();
        if !self.may_revoke(who, on) {
            return Err((403, "not_an_approver"));
        }
        // A second time tells of the first.
        let happened = if revoked { Vec::new() } else { self.end(&[on], who.name, BECAUSE) };
        Ok(Done { status: 200, happened, killed: None })
    }

    /// The holder, people who may approve one of its scopes, and its approver can revoke a grant.
    fn may_revoke(&self, who: &Person, on: usize) -> bool {
        let request = &self.requests[on];
        let Some(grant) = &request.grant else { return false };
        request.requester == who.name
            || request.approvals.iter().any(|yes| yes.by == who.name)
            || grant.scopes.iter().any(|scope| self.setup.may_approve(who, scope))
    }

    fn end(&mut self, these: &[usize], actor: &str, reason: &'static str) -> Vec<Happened> {
        let now = self.clock.believed;
        for on in these {
            let grant = self.requests[*on].grant.as_mut().unwrap();
            grant.revoked = Some((actor.to_owned(), now, reason));
        }
        let each = |on: &usize| happened(*on, actor, "revoke", "breakglass.grant.revoked");
        these.iter().flat_map(each).collect()
    }

    pub(super) fn kill(&mut self, who: &Person, target: Target) -> Result<Done, Refused> {
        let matching = self.matching(target)?;
        let end_of = |on: usize| self.requests[on].grant.as_ref().unwrap().expires_at;
        // A person and everything: nothing that is not over may be left.
        let all = matches!(target, Target::Subject(_) | Target::All);
        let whole = |on: usize| all && !self.clock.is_believed_over(end_of(on));
        if matching.iter().any(|on| whole(*on) && !self.may_stop(who, *on)) {
            return Err((403, "not_an_approver"));
        }
        let chosen = |on: &usize| whole(*on) || self.may_revoke(who, *on);
        let (chosen, left): (Vec<usize>, Vec<usize>) = matching.into_iter().partition(chosen);
        if chosen.is_empty() && !left.is_empty() {
            return Err((403, "not_an_approver"));
        }
        if chosen.is_empty() {
            self.check_spelling(target)?;
        }
        let over = chosen.iter().filter(|on| self.clock.has_ended(end_of(**on))).count();
        let killed = Some((chosen.len() as u64, left.len() as u64, over as u64));
        Ok(Done { status: 200, happened: self.end(&chosen, who.name, BECAUSE), killed })
    }

    /// The grants that are not revoked, and not over at the earliest time that it could be. One that is named may be over.
    fn matching(&self, target: Target) -> Result<Vec<usize>, Refused> {
        if let Target::Grant(on) = target {
            let on = self.find(on).map_err(|_| (404, "grant_unknown"))?;
            self.requests[on].grant.as_ref().ok_or((404, "grant_unknown"))?;
            return Ok(self.requests[on].unrevoked().map(|_| on).into_iter().collect());
        }
        let matches = |on: &usize| {
            let request = &self.requests[*on];
            let Some(grant) = request.unrevoked() else { return false };
            let named = match target {
                Target::All => true,
                Target::Grant(_) => false,
                // Every spelling of the name.
                Target::Subject(name) => request.requester == name.to_lowercase(),
                Target::Incident(name) => request.incident == Some(name),
                Target::Scope(name) => grant.scopes.iter().any(|scope| scope == name),
            };
            named && !self.clock.is_over_for_all(grant.expires_at)
        };
        Ok((0..self.requests.len()).filter(matches).collect())
    }

    /// Whether it is the caller's own, or the caller may approve every scope of it. A scope that has left the
    /// configuration keeps no approver from it.
    fn may_stop(&self, who: &Person, on: usize) -> bool {
        let request = &self.requests[on];
        let approves_any =
            self.setup.scopes.iter().any(|one| self.setup.may_approve(who, one.name));
        let may = |scope: &String| match self.setup.scope(scope) {
            Some(_) => self.setup.may_approve(who, scope),
            None => approves_any,
        };
        request.requester == who.name || request.grant.as_ref().unwrap().scopes.iter().all(may)
    }

    fn check_spelling(&self, target: Target) -> Result<(), Refused> {
        match target {
            Target::Scope(name) if self.setup.scope(name).is_none() => Err((400, "scope_unknown")),
            Target::Subject(name)
                if !self.setup.people.iter().any(|one| one.name == name.to_lowercase()) =>
            {
                Err((400, "invalid_request"))
            }
            _ => Ok(()),
        }
    }

    /// Marks what has lapsed, and tells of what ends.
    pub(super) fn tick(&mut self) -> Done {
        let now = self.clock.believed;
        let mut done = Done::default();
        for (on, request) in self.requests.iter_mut().enumerate() {
            if request.state(now) == "lapsed" && !request.marked {
                request.marked = true;
                let event = "breakglass.request.lapsed";
                done.happened.extend(happened(on, SERVICE, "lapse", event));
            }
        }
        for on in 0..self.requests.len() {
            done.happened.extend(self.tell_end(on));
        }
        done
    }

    /// Tells once that a grant ends in five minutes, and once that it is over.
    fn tell_end(&mut self, on: usize) -> Vec<Happened> {
        let (now, state) = (self.clock.believed, self.requests[on].state(self.clock.believed));
        let ends = self.requests[on].grant.as_ref().map_or(0, |grant| grant.expires_at);
        let goes_on = self.requests.iter().any(|later| {
            let ends_later = later.grant.as_ref().is_some_and(|grant| grant.expires_at > ends);
            later.extends == Some(on) && later.holds(now) && ends_later
        });
        let Some(grant) = &mut self.requests[on].grant else { return Vec::new() };
        let is_long = ends - grant.approved_at > 600;
        let was_told = grant.reminded || grant.told_over;
        if state == "active" && ends - now <= 300 && is_long && !goes_on && !was_told {
            grant.reminded = true;
            return happened(on, SERVICE, "remind", "breakglass.grant.ending");
        }
        if state == "expired" && !grant.told_over {
            grant.told_over = true;
            return happened(on, SERVICE, "expire", "breakglass.grant.expired");
        }
        Vec::new()
    }

    /// People who are no longer in the configuration lose grants and pending requests.
    pub(super) fn end_leavers(&mut self) -> Done {
        let now = self.clock.believed;
        let gone = |name: &str| !self.setup.people.iter().any(|person| person.name == name);
        let all = 0..self.requests.len();
        let (mut pending, mut grants) = (Vec::new(), Vec::new());
        for on in all.filter(|on| gone(&self.requests[*on].requester)) {
            let request = &self.requests[on];
            let live = |end| !self.clock.is_over_for_all(end);
            if request.state(now) == "pending" {
                pending.push(on);
            } else if request.unrevoked().is_some_and(|grant| live(grant.expires_at)) {
                grants.push(on);
            }
        }
        let mut done = Done::default();
        if self.setup.keeps || pending.is_empty() && grants.is_empty() {
            return done;
        }
        for on in pending {
            self.requests[on].cancelled_at = Some(now);
            let event = "breakglass.request.cancelled";
            done.happened.extend(happened(on, SERVICE, "cancel", event));
        }
        done.happened.extend(self.end(&grants, SERVICE, LEFT));
        let event = "breakglass.service.holder_left";
        let actor = SERVICE.to_owned();
        done.happened.push(Happened { request: None, actor, action: LEFT, event });
        done
    }
}
