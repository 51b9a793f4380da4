//! What is known of revocations, from the feed of the approval service.
//!
//! The feed is polled; a poll hangs at the service until there is news or its wait is over. What an
//! answer says was true at some instant after its question was sent, so knowledge is as old as the
//! question. A revocation that is known stays known until its token is void: no answer, however old,
//! forged or reset, makes a revoked grant stand again.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

use crate::claims::{LAST_INSTANT, MAX_NAME_BYTES};
use crate::config::{Config, MAX_CLOCK_SKEW};
use crate::instant::{Instant, format_duration};

/// The most revocations that are known at a time: beyond it an answer is no answer, and the
/// knowledge goes stale. At about a hundred bytes each this is a tenth of what a VM may hold.
const MAX_REVOCATIONS: usize = 1_000_000;

/// The first wait after a poll that failed; it doubles up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// The longest wait after a poll that failed: it is how late a service that is back is noticed.
const LAST_RETRY: Duration = Duration::from_secs(5);

/// The shortest time between two polls that bring nothing: a service that answers at once instead of
/// hanging is not asked in a loop.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How much longer than its wait a poll may take before it counts as lost.
const POLL_GRACE: Duration = Duration::from_secs(1);

/// How often revocations whose tokens are void anyway are looked for.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// An answer of the feed.
#[derive(Deserialize)]
struct News {
    epoch: u64,
    revoked: Vec<Revoked>,
    reset: bool,
    #[serde(default)]
    feed: Option<String>,
}

#[derive(Deserialize)]
struct Revoked {
    jti: Box<str>,
    exp: u64,
}

/// The knowledge of one VM.
#[derive(Debug)]
pub(crate) struct Revocations {
    /// The `exp` of the token by grant.
    revoked: HashMap<Box<str>, u64>,
    /// The position in the feed, and which feed it is a position in; `None` asks for everything.
    position: Option<(u64, Option<String>)>,
    /// When the question was sent whose answer is the newest.
    as_of: Option<Instant>,
    /// When the question that is under way was sent.
    asked_at: Option<Instant>,
    next_poll: Option<Instant>,
    retry: Duration,
    purged_at: Option<Instant>,
}

impl Revocations {
    pub(crate) fn new() -> Revocations {
        Revocations {
            revoked: HashMap::new(),
            position: None,
            as_of: None,
            asked_at: None,
            next_poll: None,
            retry: FIRST_RETRY,
            purged_at: None,
        }
    }

    /// Whether the grant is known to be revoked. It stays so, however old the knowledge is.
    pub(crate) fn is_revoked(&self, jti: &str) -> bool {
        self.revoked.contains_key(jti)
    }

    /// The position in the feed.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.position.as_ref().map(|(epoch, _)| *epoch)
    }

    /// How old the knowledge is; `None` if there is none, or if the clock was set back since.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.as_of.filter(|as_of| *as_of <= now).map(|as_of| now.since(as_of))
    }

    /// Whether it is time to ask.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        // A clock that was set back must not keep the feed from being asked.
        let set_back = self.as_of.is_some_and(|as_of| now < as_of);
        self.asked_at.is_none() && (set_back || self.next_poll.is_none_or(|due| now >= due))
    }

    /// Whether the first answer is under way, or can be asked for now.
    pub(crate) fn is_coming(&self, config: &Config, now: Instant) -> bool {
        let first = self.position.is_none();
        config.revocation.feed.is_some() && first && (self.asked_at.is_some() || self.is_due(now))
    }

    /// A poll is sent: its query.
    pub(crate) fn ask(&mut self, config: &Config, node: Option<&str>, now: Instant) -> String {
        self.asked_at = Some(now);
        let wait = format_duration(wait(config));
        let mut query = format!("wait={wait}&node={}", encoded(node.unwrap_or("unknown")));
        if let Some((epoch, feed)) = &self.position {
            query.push_str(&format!("&after={epoch}"));
            if let Some(feed) = feed {
                query.push_str(&format!("&feed={}", encoded(feed)));
            }
        }
        query
    }

    /// A poll was answered. The grants that were not known to be revoked; `None` if this is no
    /// answer of a feed, and then nothing is learnt but that.
    pub(crate) fn learn(&mut self, body: &[u8], now: Instant) -> Option<Vec<Box<str>>> {
        let asked_at = self.asked_at.take();
        let read = asked_at.zip(self.read(body));
        let Some((asked_at, news)) = read else {
            self.failed(now);
            return None;
        };
        let position = Some((news.epoch, news.feed));
        let moved = self.position != position;
        self.position = position;
        self.as_of = Some(asked_at);
        self.retry = FIRST_RETRY;
        self.next_poll = Some(if moved { now } else { asked_at.after(MIN_POLL_INTERVAL) });
        let mut new = Vec::new();
        for Revoked { jti, exp } in news.revoked {
            if self.revoked.insert(jti.clone(), exp).is_none() {
                new.push(jti);
            }
        }
        Some(new)
    }

    /// A poll came to nothing.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.asked_at = None;
        self.next_poll = Some(now.after(self.retry));
        self.retry = self.retry.saturating_mul(2).min(LAST_RETRY);
    }

    /// Forgets, now and then, what is void anyway.
    ///
    /// Relies on INVARIANT (skew): no configuration accepts a token longer after its `exp`.
    pub(crate) fn purge(&mut self, now: Instant) {
        let due = self.purged_at.is_none_or(|last| now.since(last) >= PURGE_INTERVAL);
        if due {
            self.purged_at = Some(now);
            self.revoked.retain(|_, exp| now < Instant::from_seconds(*exp).after(MAX_CLOCK_SKEW));
        }
    }

    fn read(&mut self, body: &[u8]) -> Option<News> {
        let news: News = serde_json::from_slice(body).ok()?;
        let names = |entry: &Revoked| {
            !entry.jti.is_empty() && entry.jti.len() <= MAX_NAME_BYTES && entry.exp <= LAST_INSTANT
        };
        let known = self.revoked.len().saturating_add(news.revoked.len());
        if known > MAX_REVOCATIONS || !news.revoked.iter().all(names) {
            return None;
        }
        let feed_fits = news.feed.as_ref().is_none_or(|feed| feed.len() <= MAX_NAME_BYTES);
        let continues = self.position.as_ref().is_some_and(|(epoch, feed)| {
            news.epoch >= *epoch && (feed.is_none() || *feed == news.feed)
        });
        // Without a reset an answer continues where the question left off. One that does not, or a
        // part where everything was asked for, is no knowledge: the next question asks for everything.
        if !feed_fits || !(news.reset || continues) {
            self.position = None;
            return None;
        }
        Some(news)
    }
}

/// How long a poll hangs. Knowledge is as old as its question, and the next question is answered a
/// wait later: with two waits below `max_staleness` a healthy feed is never stale.
pub(crate) fn wait(config: &Config) -> Duration {
    let staleness = config.revocation.max_staleness;
    let longest = staleness.saturating_mul(2).checked_div(5).unwrap_or(staleness);
    let configured = config.revocation.feed.as_ref().map_or(longest, |feed| feed.wait);
    configured.min(longest).max(Duration::from_millis(100))
}

/// How long Envoy is to wait for the answer to a poll.
pub(crate) fn poll_timeout(config: &Config) -> Duration {
    wait(config).saturating_add(POLL_GRACE)
}

/// A value in a query (RFC 3986 section 2.3): what is not unreserved is percent-encoded.
fn encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
