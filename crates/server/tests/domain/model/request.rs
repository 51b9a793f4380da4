//! A request, its grant, and its state at a given time: design.md, "Approval".

use super::Need;

/// A request and what became of it. Times are seconds.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub requester: String,
    pub credential: String,
    pub audience: String,
    pub scopes: Vec<String>,
    pub duration_s: i64,
    pub incident: Option<&'static str>,
    pub emergency: bool,
    pub extends: Option<usize>,
    pub submitted_at: i64,
    pub lapses_at: i64,
    /// What it needs, as it was submitted, and what its requester held then.
    pub needs: Vec<Need>,
    pub held: Vec<(Vec<String>, i64)>,
    pub approvals: Vec<Yes>,
    pub discussion: Vec<(String, &'static str, i64)>,
    pub denied: Option<(String, i64)>,
    pub cancelled_at: Option<i64>,
    /// Marked as lapsed: for good.
    pub marked: bool,
    pub grant: Option<Grant>,
}

/// An approval.
#[derive(Debug, Clone)]
pub(crate) struct Yes {
    pub by: String,
    pub at: i64,
    pub note: Option<&'static str>,
    /// Where they are fewer than were asked for.
    pub fewer: Option<Vec<String>>,
    /// Where it is less than was asked for.
    pub shorter_s: Option<i64>,
}

/// What was approved.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub scopes: Vec<String>,
    pub approved_at: i64,
    pub expires_at: i64,
    pub activate_by: i64,
    pub activated_at: Option<i64>,
    /// Its requester was told that it ends soon: for good.
    pub reminded: bool,
    /// Its requester was told that it is over: for good.
    pub told_over: bool,
    /// By whom, when, why.
    pub revoked: Option<(String, i64, &'static str)>,
}

impl Request {
    /// The scopes and the time that no approval has left out.
    pub(crate) fn left(&self) -> (Vec<String>, i64) {
        let last = self.approvals.last();
        let scopes = last.and_then(|yes| yes.fewer.clone()).unwrap_or_else(|| self.scopes.clone());
        (scopes, last.and_then(|yes| yes.shorter_s).unwrap_or(self.duration_s))
    }

    pub(crate) fn state(&self, now: i64) -> &'static str {
        if self.denied.is_some() {
            return "denied";
        }
        if self.cancelled_at.is_some() {
            return "cancelled";
        }
        let Some(grant) = &self.grant else {
            return if self.marked || now >= self.lapses_at { "lapsed" } else { "pending" };
        };
        if grant.revoked.is_some() {
            return "revoked";
        }
        match grant.activated_at {
            None if self.marked || now >= grant.activate_by => "lapsed",
            None => "approved",
            Some(_) if now >= grant.expires_at => "expired",
            Some(_) => "active",
        }
    }

    /// Whether the grant holds.
    pub(crate) fn holds(&self, now: i64) -> bool {
        matches!(self.state(now), "approved" | "active")
    }

    /// The grant, as long as it is not revoked.
    pub(crate) fn unrevoked(&self) -> Option<&Grant> {
        self.grant.as_ref().filter(|grant| grant.revoked.is_none())
    }

    /// Why there is no grant that holds.
    pub(crate) fn no_grant(&self, now: i64) -> super::Refused {
        let reason = match self.state(now) {
            "expired" => "grant_expired",
            "revoked" => "grant_revoked",
            "lapsed" if self.grant.is_some() => "grant_lapsed",
            _ => "not_approved",
        };
        (409, reason)
    }
}
