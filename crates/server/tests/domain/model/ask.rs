//! Asking, and talking about it before it is decided.

use super::{Done, Key, Model, Person, Refused, Request, happened};
use crate::action::Ask;

/// How long a key counts, in seconds.
const KEY_S: i64 = 24 * 3600;

impl Model {
    pub(super) fn submit(&mut self, who: &Person, ask: &Ask) -> Result<Done, Refused> {
        let now = self.clock.trusted()?;
        let named_twice =
            (1..ask.scopes.len()).any(|index| ask.scopes[..index].contains(&ask.scopes[index]));
        if ask.scopes.is_empty() || named_twice {
            return Err((400, "invalid_request"));
        }
        let parent = ask.extends.map(|on| self.find(on));
        // The client sends ids: the same number may mean another request later.
        let asked = Ask { extends: parent.and_then(Result::ok), key: None, ..ask.clone() };
        if let Some(key) = self.key(who, ask.key, now) {
            let same = key.ask == asked;
            let status = Done { status: 201, ..Done::default() };
            return if same { Ok(status) } else { Err((422, "idempotency_key_reused")) };
        }
        let scopes: Vec<String> = ask.scopes.iter().map(|name| (*name).to_owned()).collect();
        if let Some(parent) = parent {
            let parent = &self.requests[parent?];
            if parent.requester != who.name {
                return Err((403, "not_the_requester"));
            }
            if !parent.holds(now) {
                return Err(parent.no_grant(now));
            }
            let held = parent.grant.as_ref().unwrap();
            if !scopes.iter().all(|scope| held.scopes.contains(scope)) {
                return Err((400, "invalid_request"));
            }
        }
        let audience = self.assess(who, &scopes, ask.duration_s)?;
        let held = self.held(who, now);
        let needs = self.setup.needs(&scopes, ask.duration_s, &held).unwrap();
        if !self.can_be_met(&needs, who.name) {
            return Err((403, "no_approver"));
        }
        let waits = |one: &&Request| one.requester == who.name && one.state(now) == "pending";
        if self.requests.iter().filter(waits).count() >= self.setup.most_pending {
            return Err((429, "too_many_pending"));
        }
        if let Some(key) = ask.key {
            self.keys.push(Key {
                person: who.name.to_owned(),
                credential: who.token.to_owned(),
                key,
                ask: asked.clone(),
                until: now + KEY_S,
            });
        }
        self.requests.push(Request {
            requester: who.name.to_owned(),
            credential: who.token.to_owned(),
            audience,
            scopes,
            duration_s: ask.duration_s,
            incident: ask.incident,
            emergency: ask.emergency,
            extends: asked.extends,
            submitted_at: now,
            lapses_at: now + self.setup.pending_s,
            needs,
            held,
            approvals: Vec::new(),
            discussion: Vec::new(),
            denied: None,
            cancelled_at: None,
            marked: false,
            grant: None,
        });
        let last = self.requests.len() - 1;
        let happened = happened(last, who.name, "submit", "breakglass.request.submitted");
        Ok(Done { status: 201, happened, killed: None })
    }

    fn key(&self, who: &Person, key: Option<&str>, now: i64) -> Option<&Key> {
        let same = |one: &&Key| {
            one.person == who.name
                && one.credential == who.token
                && Some(one.key) == key
                && now < one.until
        };
        self.keys.iter().find(same)
    }

    /// The audience of what may be asked for.
    pub(super) fn assess(
        &self,
        who: &Person,
        scopes: &[String],
        duration_s: i64,
    ) -> Result<String, Refused> {
        let known = scopes.iter().map(|name| self.setup.scope(name));
        let known: Vec<_> = known.collect::<Option<_>>().ok_or((400, "scope_unknown"))?;
        if !scopes.iter().all(|scope| self.setup.may_request(who, scope)) {
            return Err((403, "not_a_requester"));
        }
        if known.iter().any(|scope| scope.audience != known[0].audience) {
            return Err((400, "audiences_differ"));
        }
        if known.iter().any(|scope| duration_s > scope.most_s) {
            return Err((400, "duration_too_long"));
        }
        Ok(known[0].audience.to_owned())
    }

    pub(super) fn question(&mut self, who: &Person, on: usize) -> Result<Done, Refused> {
        let on = self.find(on)?;
        self.may_say_no(who, on)?;
        self.say(who, on, "question", "breakglass.request.questioned")
    }

    pub(super) fn answer(&mut self, who: &Person, on: usize) -> Result<Done, Refused> {
        let on = self.find(on)?;
        if self.requests[on].requester != who.name {
            return Err((403, "not_the_requester"));
        }
        self.say(who, on, "answer", "breakglass.request.answered")
    }

    fn say(
        &mut self,
        who: &Person,
        on: usize,
        kind: &'static str,
        event: &'static str,
    ) -> Result<Done, Refused> {
        let now = self.pending(on)?;
        self.requests[on].discussion.push((who.name.to_owned(), kind, now));
        Ok(Done { status: 200, happened: happened(on, who.name, kind, event), killed: None })
    }

    /// Another person who may approve one of the scopes may say no.
    pub(super) fn may_say_no(&self, who: &Person, on: usize) -> Result<(), Refused> {
        let request = &self.requests[on];
        let may = request.scopes.iter().any(|scope| self.setup.may_approve(who, scope));
        if request.requester == who.name || !may {
            return Err((403, "not_an_approver"));
        }
        Ok(())
    }

    /// The time, if it is pending.
    pub(super) fn pending(&self, on: usize) -> Result<i64, Refused> {
        let now = self.clock.believed;
        match self.requests[on].state(now) {
            "pending" => Ok(now),
            _ => Err((409, "not_pending")),
        }
    }
}
