//! Yes, no, taken back, and the tokens of what was approved.

use super::needs::NoUse;
use super::request::Grant;
use super::{Done, Model, Need, Person, Refused, Request, Yes, happened};
use crate::action::{Approval, Shown};

impl Model {
    pub(super) fn approve(
        &mut self,
        who: &Person,
        on: usize,
        approval: &Approval,
    ) -> Result<Done, Refused> {
        let now = self.clock.trusted()?;
        let on = self.find(on)?;
        let request = &self.requests[on];
        let narrowed = self.narrowed(on, approval);
        let left = request.left().0;
        let scopes = narrowed.as_ref().map_or(&left, |(scopes, _)| scopes);
        if request.requester == who.name {
            return Err((403, "self_approval"));
        }
        let is_pending = self.pending(on).is_ok();
        let needs = self.needs_of(request, scopes).unwrap_or_default();
        let mut answers = self.answers(&request.approvals);
        let again = request.approvals.iter().any(|yes| yes.by == who.name);
        if again && is_pending {
            return Err((409, "approved_already"));
        }
        match self.counts(&needs, &answers, who) {
            Err(NoUse::Unnamed) if !again => return Err((403, "not_an_approver")),
            Err(NoUse::Early) if is_pending => return Err((409, "not_your_turn")),
            Err(NoUse::Enough) if is_pending => return Err((409, "not_needed")),
            _ => {}
        }
        answers.push((who.name, who.groups.clone()));
        let is_last = needs.iter().all(|need| need.is_met(&answers));
        self.pending(on)?;
        let (scopes, duration_s) = narrowed?;
        self.still_allowed(on, &scopes, duration_s).ok_or((403, "no_longer_allowed"))?;
        match approval.digest {
            Shown::Right => {}
            Shown::Other => return Err((409, "request_changed")),
            Shown::None => return Err((409, "digest_required")),
        }
        let expires_at = now + duration_s;
        let request = &mut self.requests[on];
        request.approvals.push(Yes {
            by: who.name.to_owned(),
            at: now,
            note: approval.note,
            fewer: (scopes.len() < request.scopes.len()).then(|| scopes.clone()),
            shorter_s: (duration_s < request.duration_s).then_some(duration_s),
        });
        if !is_last {
            let happened = happened(on, who.name, "approve", "breakglass.request.partly_approved");
            return Ok(Done { status: 200, happened, killed: None });
        }
        request.grant = Some(Grant {
            scopes,
            approved_at: now,
            expires_at,
            activate_by: expires_at.min(now + self.setup.activate_s),
            activated_at: None,
            reminded: false,
            told_over: false,
            revoked: None,
        });
        let happened = happened(on, who.name, "approve", "breakglass.request.approved");
        Ok(Done { status: 200, happened, killed: None })
    }

    /// What is left of a request. No approval is of more than was asked for.
    fn narrowed(&self, on: usize, approval: &Approval) -> Result<(Vec<String>, i64), Refused> {
        let request = &self.requests[on];
        let (left, longest_s) = request.left();
        let wanted = approval.scopes.of(&request.scopes).unwrap_or_else(|| left.clone());
        let duration_s = approval.duration_s.unwrap_or(longest_s);
        let more = wanted.iter().any(|scope| !left.contains(scope));
        let twice = (1..wanted.len()).any(|index| wanted[..index].contains(&wanted[index]));
        if more || twice || wanted.is_empty() || duration_s > longest_s {
            return Err((400, "invalid_request"));
        }
        let left = request.scopes.iter().filter(|scope| wanted.contains(scope)).cloned();
        Ok((left.collect(), duration_s))
    }

    /// Whether those who approved a grant could still.
    fn is_still_approved(&self, request: &Request, scopes: &[String]) -> bool {
        let answers = self.answers(&request.approvals);
        let matters = |need: &&Need| need.scopes.iter().any(|name| scopes.contains(name));
        request.needs.iter().filter(matters).all(|need| need.is_met(&answers))
    }

    /// Whether the configuration of now would take the request.
    fn still_allowed(&self, on: usize, scopes: &[String], duration_s: i64) -> Option<()> {
        let request = &self.requests[on];
        let requester = self.setup.people.iter().find(|one| one.name == request.requester)?;
        let audience = self.assess(requester, scopes, duration_s).ok()?;
        (request.credential == requester.token && audience == request.audience).then_some(())
    }

    pub(super) fn deny(&mut self, who: &Person, on: usize) -> Result<Done, Refused> {
        let on = self.find(on)?;
        self.may_say_no(who, on)?;
        let now = self.pending(on)?;
        self.requests[on].denied = Some((who.name.to_owned(), now));
        let happened = happened(on, who.name, "deny", "breakglass.request.denied");
        Ok(Done { status: 200, happened, killed: None })
    }

    pub(super) fn cancel(&mut self, who: &Person, on: usize) -> Result<Done, Refused> {
        let on = self.find(on)?;
        if self.requests[on].requester != who.name {
            return Err((403, "not_the_requester"));
        }
        let now = self.pending(on)?;
        self.requests[on].cancelled_at = Some(now);
        let happened = happened(on, who.name, "cancel", "breakglass.request.cancelled");
        Ok(Done { status: 200, happened, killed: None })
    }

    pub(super) fn take_token(&mut self, who: &Person, on: usize) -> Result<Done, Refused> {
        let now = self.clock.trusted()?;
        let on = self.find(on)?;
        let request = &mut self.requests[on];
        if request.requester != who.name {
            return Err((403, "not_the_requester"));
        }
        if request.credential != who.token {
            return Err((403, "credential_changed"));
        }
        if !request.holds(now) {
            return Err(request.no_grant(now));
        }
        let request = &self.requests[on];
        let grant = request.grant.as_ref().unwrap();
        if grant.activated_at.is_none() && !self.is_still_approved(request, &grant.scopes) {
            return Err((403, "no_longer_allowed"));
        }
        let grant = self.requests[on].grant.as_mut().unwrap();
        let event = match grant.activated_at {
            None => "breakglass.grant.activated",
            Some(_) => "breakglass.grant.token_issued",
        };
        grant.activated_at = grant.activated_at.or(Some(now));
        Ok(Done {
            status: 200,
            happened: happened(on, who.name, "issue_token", event),
            killed: None,
        })
    }
}
