//! What kinds of requests a comparison was about: one of nothing finds nothing.

use super::case::{Case, Framing};
use super::compare::Exchange;

/// How many requests had what.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    requests: usize,
    /// No whole answer came, or none that can be read.
    broken: usize,
    reached_upstream: usize,
    http1: usize,
    http2: usize,
    with_content: usize,
    by_chunks: usize,
    with_trailers: usize,
    answered_with_trailers: usize,
    continued: usize,
    upgrades_declined: usize,
    head: usize,
    without_content: usize,
}

impl Coverage {
    /// Counts a request in.
    pub(super) fn add(&mut self, case: &Case, exchange: &Exchange) {
        let (seen, last) = (exchange.seen.first(), exchange.answers.last());
        let status = last.and_then(super::message::Message::status);
        let mut count = |counter: fn(&mut Coverage) -> &mut usize, counts: bool| {
            *counter(self) += usize::from(counts);
        };
        count(|all| &mut all.requests, true);
        count(|all| &mut all.broken, status.is_none());
        count(|all| &mut all.reached_upstream, seen.is_some());
        let is_http1 = last.is_some_and(|last| last.start.starts_with(b"HTTP/1.1"));
        count(|all| &mut all.http1, is_http1);
        count(|all| &mut all.http2, last.is_some_and(|last| last.start.starts_with(b"HTTP/2")));
        count(|all| &mut all.with_content, seen.is_some_and(|seen| !seen.content.is_empty()));
        count(|all| &mut all.by_chunks, is_http1 && case.content.framing == Framing::Chunked);
        count(|all| &mut all.with_trailers, seen.is_some_and(|seen| seen.trailers.is_some()));
        count(
            |all| &mut all.answered_with_trailers,
            last.is_some_and(|last| last.trailers.is_some()),
        );
        let continues = exchange.answers.iter().any(|answer| answer.status() == Some(100));
        count(|all| &mut all.continued, continues);
        let upgrades = seen.is_some_and(|seen| seen.field("upgrade").is_some());
        count(|all| &mut all.upgrades_declined, upgrades);
        count(|all| &mut all.head, case.method == "HEAD");
        count(|all| &mut all.without_content, matches!(status, Some(204 | 304)));
    }

    /// Checks that there was some of everything, and that next to all of it came to the upstream.
    pub(super) fn assert_is_of_everything(&self) {
        assert_eq!(self.broken, 0, "{self:?}");
        assert!(self.reached_upstream * 100 > self.requests * 95, "{self:?}");
        let most = [self.http1, self.http2, self.with_content];
        assert!(most.iter().all(|count| count * 5 > self.requests), "{self:?}");
        let some = [
            self.by_chunks,
            self.with_trailers,
            self.answered_with_trailers,
            self.continued,
            self.upgrades_declined,
            self.head,
            self.without_content,
        ];
        assert!(some.iter().all(|count| count * 300 > self.requests), "{self:?}");
    }
}
