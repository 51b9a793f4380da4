//! What came of a request at both ends, and the comparison of two of these.

use super::case::Case;
use super::message::{Field, Message};

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    /// What the client got: the answer, and before it what there was of `100 Continue`.
    pub(super) answers: Vec<Message>,
    /// What the upstream got of it: one request, or none.
    pub(super) seen: Vec<Message>,
}

impl Exchange {
    /// The same without what differs each time, and without what the filter is to remove.
    fn comparable(&self, case: &Case) -> Exchange {
        let mut exchange = self.clone();
        for answer in &mut exchange.answers {
            hide(&mut answer.fields, "date");
            hide(&mut answer.fields, "x-envoy-upstream-service-time");
            hide(&mut answer.fields, "x-request-id");
        }
        for request in &mut exchange.seen {
            if !case.has("x-request-id") {
                hide(&mut request.fields, "x-request-id");
            }
            request.fields.retain(|(name, _)| !is_ours(name));
            // Trailers of which nothing is left are none.
            if let Some(trailers) =
                request.trailers.take_if(|all| all.iter().any(|one| is_ours(&one.0)))
            {
                let others: Vec<_> = trailers.into_iter().filter(|one| !is_ours(&one.0)).collect();
                request.trailers = Some(others).filter(|others| !others.is_empty());
            }
        }
        exchange
    }
}

fn is_ours(name: &[u8]) -> bool {
    name.to_ascii_lowercase().starts_with(b"x-breakglass-")
}

/// Replaces the value of a field that differs each time.
fn hide(fields: &mut [Field], name: &str) {
    for (_, value) in
        fields.iter_mut().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
    {
        *value = b"...".to_vec();
    }
}

/// What is different, where something is: `without` the filter, and `with` it.
pub(super) fn differences(case: &Case, without: &Exchange, with: &Exchange) -> Option<String> {
    let fields = with.seen.iter().flat_map(|request| request.fields.iter());
    let trailers = with.seen.iter().flat_map(|request| request.trailers.iter().flatten());
    let ours = fields.chain(trailers).find(|(name, _)| is_ours(name));
    if let Some((name, _)) = ours {
        return Some(format!("{case:?}\nthe upstream got {}", name.escape_ascii()));
    }
    let (plain, filtered) = (without.comparable(case), with.comparable(case));
    (plain != filtered).then(|| format!("{case:?}\nwithout: {plain:#?}\nwith: {filtered:#?}"))
}
