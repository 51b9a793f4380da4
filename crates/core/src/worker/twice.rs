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

use crate::audit::beginning;
use crate::caller::Identity;
use crate::config::Config;
use crate::decision::Earlier;
use crate::mark::{MarkKey, MarkedDecision, MarkedRequest, NoMark, StreamKey, StreamState};
use crate::request::Facts;

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
pub(super) enum Found {
    /// It has the same configuration and version, and has decided about this very request.
    Same,
    /// Nothing shows that it has.
    Other(Cause),
}

/// Why an earlier instance does not count as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
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
        Some(self.key.as_ref()?.mark(decision, &marked(facts, facts.stream)?))
    }

    /// What is to be logged since the last tick.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// The instance that comes earlier in the chain and has decided about this request, if there is one.
    pub(super) fn look(&self, facts: &Facts, state: &dyn StreamState) -> Option<Found> {
        if !state.has_record() {
            return None;
        }
        let Some(key) = &self.key else { return Some(Found::Other(Cause::NoCredential)) };
        let Some(mark) = state.mark() else { return Some(Found::Other(Cause::Unmarked)) };
        let verified = marked(facts, StreamKey::of(state)).ok_or(NoMark::NotAuthentic);
        Some(match verified.and_then(|request| key.verify(&mark, &request)) {
            Ok(MarkedDecision::Permit | MarkedDecision::ShadowDeny) => Found::Same,
            Err(NoMark::OtherConfiguration) => Found::Other(Cause::OtherConfiguration),
            Err(NoMark::Form | NoMark::NotAuthentic) => Found::Other(Cause::NotAuthentic),
        })
    }

    /// Says, once for each kind, that the filter is there twice.
    pub(super) fn say(&mut self, found: Found, state: &dyn StreamState) {
        let said = match found {
            Found::Same => &mut self.said_aside,
            Found::Other(_) => &mut self.said_other,
        };
        if std::mem::replace(said, true) {
            return;
        }
        let listener = state.listener().unwrap_or_else(|| "unknown".to_owned());
        let listener = beginning(&listener, LISTENER);
        let found = match found {
            Found::Same => "with the same configuration, and this instance steps aside".to_owned(),
            Found::Other(cause) => {
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

impl Found {
    /// What a decision needs of it.
    pub(super) fn earlier(self, state: &dyn StreamState) -> Earlier {
        match self {
            Found::Same => Earlier::Same,
            Found::Other(_) => Earlier::Other { is_permitted: state.has_permit() },
        }
    }
}

impl Cause {
    pub(super) const fn text(self) -> &'static str {
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

fn marked(facts: &Facts, stream: Option<StreamKey>) -> Option<MarkedRequest<'_>> {
    let Facts { method, authority, path, .. } = facts;
    Some(MarkedRequest { stream: stream?, method, authority, path })
}
