//! What is known of revocations, from the feed of the approval service.
//!
//! The feed is polled; a poll hangs at the service until there is news or its wait is over. What an
//! answer says was true at some instant after its question was sent, so knowledge is as old as the
//! question. A revocation that is known stays known until its token is void: no answer, however old,
//! forged or reset, makes a revoked grant stand again.

mod window;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use breakglass_types::feed::{FeedAnswer, MAX_EPOCH, MAX_REVOCATIONS};
use breakglass_types::limits::{LAST_INSTANT, MAX_CLOCK_SKEW, MAX_NAME_BYTES, MAX_WAIT};
use breakglass_types::percent::query_value;

use crate::config::Config;
use crate::instant::{Instant, format_duration};
use crate::ticks::TICK;

pub(crate) use window::{Position, Revoked, Window};

/// How much longer than a token can count its revocation is remembered: a clock that was set forward,
/// and is set back, must not bring a revoked token back.
const REMEMBER: Duration = Duration::from_secs(10 * 60);

/// The first wait after a poll that failed; it doubles up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// The longest wait after a poll that failed: it is how late a service that is back is noticed.
const LAST_RETRY: Duration = Duration::from_secs(5);

/// The shortest time between two polls that bring nothing: a service that answers at once instead of
/// hanging is not asked in a loop.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How much longer than its wait a poll may take before it counts as lost.
const POLL_GRACE: Duration = Duration::from_secs(1);

/// How long the next poll waits after news. A poll tells the service how far this proxy has come, so
/// that `breakglass revoke --wait` can say so: by then every other VM has had its tick, or has no request and
/// looks before it judges the next one.
const SETTLE: Duration = TICK.saturating_mul(2);

/// How often revocations whose tokens are void anyway are looked for.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// An answer of the feed.
type News = FeedAnswer<Box<str>>;

/// A question to the feed.
#[derive(Debug, Clone)]
struct Asked {
    at: Instant,
    /// From where on; `None` asks for everything.
    after: Option<Position>,
}

/// What an answer of the feed taught.
#[derive(Debug)]
pub(crate) struct Learnt {
    /// Whether a grant is known to be revoked that was not.
    pub(crate) is_new: bool,
    pub(crate) recent: Recent,
}

/// How an answer moved the position, for those who follow.
#[derive(Debug)]
pub(crate) enum Recent {
    /// Not at all.
    Nothing,
    /// From this position on, by these.
    After(Position, Vec<Revoked>),
    /// By all there is: who is behind must ask for itself.
    Everything,
}

/// The knowledge of one VM.
#[derive(Debug)]
pub(crate) struct Revocations {
    /// The `exp` of the token by grant.
    revoked: HashMap<Box<str>, u64>,
    /// The position in the feed, and which feed it is a position in; `None` asks for everything.
    position: Option<(Position, Option<String>)>,
    /// When the question was sent whose answer is the newest.
    as_of: Option<Instant>,
    /// The question that is under way.
    asked: Option<Asked>,
    next_poll: Option<Instant>,
    retry: Duration,
    purged_at: Option<Instant>,
    /// Whether what others share goes on from an epoch that is not known here.
    has_gap: bool,
}

impl Revocations {
    pub(crate) fn new() -> Revocations {
        Revocations {
            revoked: HashMap::new(),
            position: None,
            as_of: None,
            asked: None,
            next_poll: None,
            retry: FIRST_RETRY,
            purged_at: None,
            has_gap: false,
        }
    }

    /// Whether the grant is known to be revoked. It stays so, however old the knowledge is.
    pub(crate) fn is_revoked(&self, jti: &str) -> bool {
        self.revoked.contains_key(jti)
    }

    /// The position in the feed.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.position.as_ref().map(|(position, _)| position.epoch)
    }

    /// The position in the feed, the feed, and since when that is known.
    pub(crate) fn position(&self) -> Option<(&Position, Option<&str>, Instant)> {
        let (position, feed) = self.position.as_ref()?;
        Some((position, feed.as_deref(), self.as_of?))
    }

    /// How old the knowledge is; `None` if there is none, or if the clock was set back since.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.as_of.filter(|as_of| *as_of <= now).map(|as_of| now.since(as_of))
    }

    /// Whether a question is under way.
    pub(crate) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether it is time to ask.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        // A clock that was set back must not keep the feed from being asked.
        let set_back = self.as_of.is_some_and(|as_of| now < as_of);
        let rests = |due: Instant| now < due && due <= now.after(LAST_RETRY);
        self.asked.is_none() && (set_back || !self.next_poll.is_some_and(rests))
    }

    /// Whether what others share is not enough: it does not go on from what is known, or it is late.
    pub(crate) fn is_left_behind(&self, config: &Config, now: Instant) -> bool {
        self.has_gap || self.age(now).is_none_or(|age| age > lateness(config))
    }

    /// Whether the first answer is under way, or can be asked for now.
    pub(crate) fn is_coming(&self, config: &Config, now: Instant) -> bool {
        let first = self.position.is_none();
        config.revocation.feed.is_some() && first && (self.asked.is_some() || self.is_due(now))
    }

    /// A poll is sent: its query.
    pub(crate) fn ask(&mut self, config: &Config, node: Option<&str>, now: Instant) -> String {
        let after = self.position.as_ref().map(|(position, _)| position.clone());
        self.asked = Some(Asked { at: now, after });
        format!("wait={}&{}", format_duration(wait(config)), self.whereabouts(node))
    }

    /// The query of a poll that does not hang, and asks for no news that counts: who asks, and how far that one has come.
    pub(crate) fn whereabouts(&self, node: Option<&str>) -> String {
        let mut query = format!("node={}", query_value(node.unwrap_or("unknown")));
        if let Some((position, feed)) = &self.position {
            query.push_str(&format!("&after={}", position.epoch));
            for (name, value) in [("tag", position.tag.as_deref()), ("feed", feed.as_deref())] {
                if let Some(value) = value {
                    query.push_str(&format!("&{name}={}", query_value(value)));
                }
            }
        }
        query
    }

    /// A poll was answered. `None` if this is no answer of a feed, and then nothing is learnt but
    /// that.
    pub(crate) fn learn(&mut self, body: &[u8], now: Instant) -> Option<Learnt> {
        let Some((asked, news)) = self.asked.take().and_then(|asked| self.read(body, asked)) else {
            self.failed(now);
            return None;
        };
        let told = Position { epoch: news.epoch, tag: news.tag };
        // Others may have told more meanwhile than this answer, which then moves nothing.
        let further = self.position.as_ref().map(|(known, _)| known);
        let further = further.filter(|known| !news.reset && known.epoch > told.epoch).cloned();
        let position = Some((further.unwrap_or(told), news.feed.map(String::from)));
        let moved = self.position != position;
        self.position = position;
        let newest = self.as_of.filter(|as_of| !news.reset && *as_of <= now).max(Some(asked.at));
        self.as_of = newest;
        self.retry = FIRST_RETRY;
        self.has_gap = false;
        let rest = if moved { now.after(SETTLE) } else { asked.at.after(MIN_POLL_INTERVAL) };
        self.next_poll = Some(rest);
        let recent = match asked.after.filter(|_| !news.reset) {
            _ if !moved => Recent::Nothing,
            Some(after) => Recent::After(after, news.revoked.clone()),
            None => Recent::Everything,
        };
        Some(Learnt { is_new: self.add(news.revoked), recent })
    }

    /// Another VM of this proxy has learnt something. Whether a grant is known to be revoked that was
    /// not.
    pub(crate) fn follow(&mut self, window: Window, now: Instant) -> bool {
        let Some((position, feed)) = &mut self.position else { return false };
        let as_of = Instant::from_millis(window.as_of);
        let is_behind = window.to.epoch < position.epoch;
        // A later question that was told less: the service has gone back, and gives these epochs again.
        let went_back = is_behind && window.to.tag.is_some() && self.as_of < Some(as_of);
        let goes_on = is_behind || window.goes_on_from(position);
        self.has_gap = *feed != window.feed || went_back || !goes_on;
        if self.has_gap || is_behind || !fits(&self.revoked, &window.revoked) {
            return false;
        }
        *position = window.to;
        // Whoever put it up has asked before now, or the clock was set back since.
        if as_of <= now && self.as_of.is_none_or(|known| known < as_of || now < known) {
            self.as_of = Some(as_of);
        }
        self.add(window.revoked)
    }

    /// Whether one of these was not known.
    fn add(&mut self, revoked: Vec<Revoked>) -> bool {
        let known = self.revoked.len();
        self.revoked.reserve(revoked.len());
        for Revoked { jti, exp } in revoked {
            // Who says an earlier end does not make it be forgotten sooner.
            let end = self.revoked.entry(jti).or_default();
            *end = exp.max(*end);
        }
        self.revoked.len() > known
    }

    /// A poll was refused as one that no service can answer. An older service does not know what a newer one
    /// gave: the next question is the one that every service knows.
    pub(crate) fn refused(&mut self, now: Instant) {
        self.position = None;
        self.failed(now);
    }

    /// A poll came to nothing.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.asked = None;
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
            let void = |exp| Instant::from_seconds(exp).after(MAX_CLOCK_SKEW);
            self.revoked.retain(|_, exp| now < void(*exp).after(REMEMBER));
        }
    }

    fn read(&mut self, body: &[u8], asked: Asked) -> Option<(Asked, News)> {
        let news: News = serde_json::from_slice(body).ok()?;
        if news.epoch > MAX_EPOCH || !fits(&self.revoked, &news.revoked) {
            return None;
        }
        let fits = |text: Option<&str>| text.is_none_or(|text| text.len() <= MAX_NAME_BYTES);
        let texts_fit = fits(news.feed.as_deref()) && fits(news.tag.as_deref());
        let feed = self.position.as_ref().and_then(|(_, feed)| feed.as_deref());
        let same_feed = feed.is_none() || feed == news.feed.as_deref();
        let goes_on = |after: &Position| match news.epoch.cmp(&after.epoch) {
            Ordering::Less => false,
            // The same place, unless an older service answers.
            Ordering::Equal => news.tag.is_none() || news.tag == after.tag || after.tag.is_none(),
            Ordering::Greater => true,
        };
        let continues = asked.after.as_ref().is_some_and(goes_on) && same_feed;
        // Without a reset an answer continues where the question left off. One that does not, or a
        // part where everything was asked for, is no knowledge: the next question asks for everything.
        if !texts_fit || !(news.reset || continues) {
            self.position = None;
            return None;
        }
        Some((asked, news))
    }
}

/// How long a poll hangs. Knowledge is as old as its question, and the next question is answered a
/// wait later: with two waits below `max_staleness` a healthy feed is never stale.
///
/// Relies on INVARIANT (poll-wait): the approval service refuses a poll that asks for more.
pub(crate) fn wait(config: &Config) -> Duration {
    let staleness = config.revocation.max_staleness;
    let longest = staleness.saturating_mul(2).checked_div(5).unwrap_or(staleness);
    let configured = config.revocation.feed.as_ref().map_or(longest, |feed| feed.wait);
    configured.min(longest).min(MAX_WAIT).max(Duration::from_millis(100))
}

/// How old the knowledge of a VM may be before it asks for itself: more than a healthy feed's ever
/// is, which is two waits, and less than `max_staleness`, which is two and a half.
fn lateness(config: &Config) -> Duration {
    wait(config).saturating_mul(9).checked_div(4).unwrap_or_default()
}

/// Whether these can be known as well. One that is known already takes no more room.
fn fits(known: &HashMap<Box<str>, u64>, revoked: &[Revoked]) -> bool {
    let new = revoked.iter().filter(|entry| !known.contains_key(&entry.jti)).count();
    revoked.iter().all(is_bounded) && known.len().saturating_add(new) <= MAX_REVOCATIONS
}

fn is_bounded(entry: &Revoked) -> bool {
    !entry.jti.is_empty() && entry.jti.len() <= MAX_NAME_BYTES && entry.exp <= LAST_INSTANT
}

/// How long Envoy is to wait for the answer to a poll.
pub(crate) fn poll_timeout(config: &Config) -> Duration {
    wait(config).saturating_add(POLL_GRACE)
}
