//! The filter twice in one chain: what an instance does where an earlier one has decided already.
//!
//! Where the mark of that one verifies, so that it is of the same configuration, this one steps aside: it changes
//! nothing, records nothing, counts nothing and holds no stream, so that each request has one record, and each
//! stream is cut by one instance. (Two answers to one stream crash Envoy.)
//!
//! Any other one may judge differently, and nobody can say which of the two an operator meant. Then this one
//! refuses what it would refuse, and every permit (`configured_twice`): so it never has a stream to cut. It writes
//! no record, because the one that is there must stay; the status and the response code details tell of the refusal.
//!
//! *Headers.* The first one's `x-breakglass-grant` looks like a client's own. Where filter state has a permit, such
//! headers stay: a client cannot write filter state, and a plugin that can write a permit there has more by it than
//! by a header. (The request is refused anyway, but for shadow mode.) Where there is none, no such header can be a
//! grant's, and they are removed as always.

use crate::audit::{Decision, beginning};
use crate::config::{Config, Enforcement};
use crate::decision::{Denial, Token, covering_rule, needs_token};
use crate::mark::{MarkKey, MarkedDecision, MarkedRequest, NoMark, StreamKey, StreamState};
use crate::policy::Rule;
use crate::reason::DenyReason;
use crate::refusal::refuse;
use crate::request::Facts;
use crate::step::{Pass, Step};

use super::{Identity, Worker};

/// The longest name of a listener that is logged, in bytes.
const LISTENER: usize = 256;

/// What a worker has for marks.
#[derive(Debug)]
pub(super) struct Twice {
    /// `None` without a credential: then no mark is made, and none counts.
    key: Option<MarkKey>,
    said_aside: bool,
    said_other: bool,
    warnings: Vec<String>,
}

/// What an instance that comes earlier in the chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Earlier {
    /// It has the same configuration and version, and has decided about this very request.
    Same,
    /// Nothing shows that it has.
    Other(Cause),
}

/// Why an earlier instance does not count as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    NoCredential,
    Unmarked,
    OtherConfiguration,
    NotAuthentic,
}

impl Twice {
    pub(super) fn new(config: &Config, identity: &Identity) -> Twice {
        let credential = config.revocation.credential.as_ref().zip(identity.digest);
        let key = credential
            .and_then(|(credential, digest)| MarkKey::new(credential, identity.version, digest));
        Twice { key, said_aside: false, said_other: false, warnings: Vec::new() }
    }

    /// Reads what a mark needs, if there can be one.
    pub(super) fn identify(&self, facts: &mut Facts, state: &dyn StreamState) {
        facts.stream = self.key.as_ref().and_then(|_| StreamKey::of(state));
    }

    /// The mark of a decision, for an instance that comes later.
    pub(super) fn mark(&self, decision: MarkedDecision, facts: &Facts) -> Option<Vec<u8>> {
        Some(self.key.as_ref()?.mark(decision, &marked(facts)?))
    }

    /// What is to be logged since the last tick.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn judge(&self, facts: &Facts, state: &dyn StreamState) -> Earlier {
        let Some(key) = &self.key else { return Earlier::Other(Cause::NoCredential) };
        let Some(mark) = state.mark() else { return Earlier::Other(Cause::Unmarked) };
        let verified = marked(facts).ok_or(NoMark::NotAuthentic);
        match verified.and_then(|request| key.verify(&mark, &request)) {
            Ok(MarkedDecision::Permit | MarkedDecision::ShadowDeny) => Earlier::Same,
            Err(NoMark::OtherConfiguration) => Earlier::Other(Cause::OtherConfiguration),
            Err(NoMark::Form | NoMark::NotAuthentic) => Earlier::Other(Cause::NotAuthentic),
        }
    }

    /// Says, once for each kind, that the filter is there twice.
    fn say(&mut self, earlier: Earlier, state: &dyn StreamState) {
        let said = match earlier {
            Earlier::Same => &mut self.said_aside,
            Earlier::Other(_) => &mut self.said_other,
        };
        if std::mem::replace(said, true) {
            return;
        }
        let listener = state.listener().unwrap_or_else(|| "unknown".to_owned());
        let listener = beginning(&listener, LISTENER);
        let found = match earlier {
            Earlier::Same => {
                "with the same configuration, and this instance steps aside".to_owned()
            }
            Earlier::Other(cause) => {
                format!("{}; this instance refuses every permit (configured_twice)", cause.text())
            }
        };
        self.warnings.push(format!(
            "the filter chain of the listener {listener} has this filter twice: {found}. Look for two \
             EnvoyFilter, WasmPlugin, TrafficExtension or EnvoyExtensionPolicy objects that cover the same \
             workload, or two entries in http_filters, and remove one"
        ));
    }
}

impl Cause {
    const fn text(self) -> &'static str {
        match self {
            Cause::NoCredential => {
                "without revocation.credential nothing can show that both have the same configuration"
            }
            Cause::Unmarked => {
                "the first one left no mark, so it is of another version or has no revocation.credential"
            }
            Cause::OtherConfiguration => "the first one has another configuration",
            Cause::NotAuthentic => {
                "the mark of the first one does not verify, so it has another credential or version, a filter \
                 in between changed the method, host or path, or another plugin wrote it"
            }
        }
    }
}

fn marked(facts: &Facts) -> Option<MarkedRequest<'_>> {
    let Facts { method, authority, path, .. } = facts;
    Some(MarkedRequest { stream: facts.stream?, method, authority, path })
}

impl Worker {
    /// The step for a request that an earlier instance has decided about. `hidden` are the headers with a token
    /// that the upstream may not see.
    pub(super) fn after_earlier(
        &mut self,
        token: &Token,
        mut facts: Facts,
        hidden: Vec<String>,
        state: &dyn StreamState,
    ) -> Step {
        self.twice.identify(&mut facts, state);
        let earlier = self.twice.judge(&facts, state);
        self.twice.say(earlier, state);
        if earlier == Earlier::Same {
            return Step::Pass(Pass::default());
        }
        let is_permitted = state.has_permit();
        let denial = refused_anyway(&self.config, token, &facts, is_permitted);
        if let (Some(denial), Enforcement::Enforce) = (&denial, self.config.enforcement) {
            self.counters.decision(Decision::Deny.word(), denial.reason.code());
            return Step::RefuseUnrecorded(refuse(denial, &facts, &self.config));
        }
        match &denial {
            Some(denial) => {
                self.counters.decision(Decision::ShadowDeny.word(), denial.reason.code());
            }
            None => self.counters.decision(Decision::Pass.word(), "no_token"),
        }
        let mut remove = hidden;
        if !is_permitted {
            remove.append(&mut facts.remove);
        }
        Step::Pass(Pass { remove, ..Pass::default() })
    }
}

/// Why a request is refused whose first instance is not known to be the same. Of a token nothing is verified: it
/// could only get a permit.
fn refused_anyway(
    config: &Config,
    token: &Token,
    facts: &Facts,
    is_permitted: bool,
) -> Option<Denial> {
    if is_permitted && let Some(rule) = covering_rule(&config.ceiling, facts) {
        return Some(Denial { rule: Some(rule.summary()), ..Denial::of(DenyReason::Ceiling) });
    }
    if is_permitted || !matches!(token, Token::Nothing) {
        return Some(Denial::of(DenyReason::ConfiguredTwice));
    }
    needs_token(config, facts).then(|| Denial {
        rule: covering_rule(&config.protected, facts).map(Rule::summary),
        ..Denial::of(DenyReason::TokenMissing)
    })
}
