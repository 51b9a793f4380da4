//! A request that carries nothing of ours, and what follows from that: a failure of this filter does not refuse it.

use crate::audit::Record;
use crate::config::Config;
use crate::decision::{Token, needs_token};
use crate::headers::Headers;
use crate::request::{Attributes, Facts, Presented, Seen, SortedTrailers};

/// The proof that a request carries nothing of ours: its headers were read whole, no token source in them holds a
/// token of ours, `unauthenticated` is `pass`, no rule of `protected` covers what it may mean, and its own
/// `x-breakglass-*` headers have been removed. Such a request passes on whatever fails after that; any other one is
/// refused.
///
/// Only [`Pass::clean`] makes one, after the last removal:
///
/// ```compile_fail
/// let forged = breakglass_core::untouched::Untouched(());
/// ```
#[derive(Debug)]
pub struct Untouched(());

/// The same before its own `x-breakglass-*` headers are removed. Only [`NothingOfOurs::of`] makes one.
#[derive(Debug)]
pub(crate) struct NothingOfOurs(());

impl NothingOfOurs {
    /// From what was read of the headers of a request.
    pub(crate) fn of(config: &Config, token: &Token, facts: &Facts) -> Option<NothingOfOurs> {
        // Of a request without a method, or without a path, nobody can say what it means. A CONNECT has no path
        // (RFC 9110 section 9.3.6).
        let is_known =
            !facts.method.is_empty() && (!facts.path.is_empty() || facts.method == b"CONNECT");
        let is_judged = !matches!(token, Token::Nothing) || needs_token(config, facts);
        (is_known && !is_judged).then_some(NothingOfOurs(()))
    }
}

/// A request that goes on without a permit.
#[derive(Debug, Default)]
pub struct Pass {
    /// The headers to remove.
    pub remove: Vec<String>,
    /// The audit record, if the request is one to audit.
    pub record: Option<Record>,
    /// What is left for another instance of this filter in the same chain.
    pub mark: Option<Vec<u8>>,
    /// Whether the request carries nothing of ours once `remove` is done.
    pub(crate) nothing_of_ours: Option<NothingOfOurs>,
}

impl Pass {
    /// Removes the headers that this pass names. What is left is [`Untouched`] where it carries nothing of ours.
    ///
    /// # Errors
    /// The first one of `remove`.
    pub fn clean<E>(
        &self,
        remove: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<Option<Untouched>, E> {
        self.remove.iter().map(String::as_str).try_for_each(remove)?;
        Ok(self.nothing_of_ours.as_ref().map(|NothingOfOurs(())| Untouched(())))
    }
}

impl Untouched {
    /// Whether it still carries nothing of ours with these trailers.
    #[must_use]
    pub fn stays_with(&self, trailers: &Headers, config: &Config) -> bool {
        let SortedTrailers { remove, has_token } = SortedTrailers::sort(trailers, config);
        remove.is_empty() && !has_token
    }
}

/// The pass of a request that carries nothing of ours, where no worker can be asked: there is no clock, or the worker
/// is in use. `None` for any other request.
#[must_use]
pub fn pass_without_worker(
    headers: &Headers,
    config: &Config,
    attributes: &dyn Attributes,
) -> Option<Pass> {
    let mut seen = Seen::sort(headers, config);
    if seen.token(config) != Presented::Nothing {
        return None;
    }
    let facts = Facts::of(&mut seen);
    // Its headers of ours may be those of an earlier instance of this filter.
    if facts.has_reserved && attributes.has_record() {
        return None;
    }
    let nothing_of_ours = Some(NothingOfOurs::of(config, &Token::Nothing, &facts)?);
    Some(Pass { remove: facts.remove, nothing_of_ours, ..Pass::default() })
}
