//! The revocations that still count, in the order of their epochs.

use std::collections::HashMap;

use axum::body::Bytes;
use serde::Serialize;

use crate::clock::Moment;
use crate::store::{FeedEntry, FeedHead};

/// How often entries that no longer count are thrown away, in seconds.
const PRUNE_S: i64 = 60;

/// The most answers that are kept for the next one who asks the same: those who wait stand at the
/// latest few epochs.
const MAX_ANSWERS: usize = 64;

/// What is known of the feed.
#[derive(Debug, Default)]
pub struct List {
    /// Nothing before the database was looked at.
    head: Option<FeedHead>,
    entries: Vec<FeedEntry>,
    /// Entries that had ended at this second are not here any more.
    pruned_at: i64,
    /// Answers that were written in this second, since the last change.
    answers: HashMap<Place, Bytes>,
    answered_at: i64,
}

/// Where a reader of the feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// It knows the feed up to this epoch, and there is more.
    Behind(i64),
    /// It knows the feed up to its end.
    Current(i64),
    /// What it knows is of no use, and it needs everything.
    Nowhere,
    /// It knows more than we do: perhaps of what another process wrote just now.
    Ahead,
}

#[derive(Serialize)]
struct Answer<'a> {
    epoch: i64,
    revoked: Vec<Revoked<'a>>,
    reset: bool,
    feed: &'a str,
}

#[derive(Serialize)]
struct Revoked<'a> {
    jti: &'a str,
    exp: i64,
}

impl List {
    /// The latest epoch; 0 while nothing is known.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.head.as_ref().map_or(0, |head| head.epoch)
    }

    /// Where somebody stands who knows `feed`, or some feed, up to the epoch `after`.
    #[must_use]
    pub fn place(&self, after: Option<i64>, feed: Option<&str>) -> Place {
        let (Some(after), Some(head)) = (after, &self.head) else { return Place::Nowhere };
        if feed.is_some_and(|feed| feed != head.feed) {
            return Place::Nowhere;
        }
        match after.cmp(&head.epoch) {
            std::cmp::Ordering::Less => Place::Behind(after),
            std::cmp::Ordering::Equal => Place::Current(after),
            std::cmp::Ordering::Greater => Place::Ahead,
        }
    }

    /// The epoch from which the list can go on, if what is in it is still of use. Not if the
    /// database is another one or an earlier one, and not if the clock went back: what was thrown
    /// away counts again.
    #[must_use]
    pub fn reusable(&self, now: Moment, head: &FeedHead) -> Option<i64> {
        let known = self.head.as_ref()?;
        let same = known.feed == head.feed && known.epoch <= head.epoch;
        (same && now.seconds() >= self.pruned_at).then_some(known.epoch)
    }

    /// Adds what is new, or begins anew with all there is.
    pub fn add(&mut self, now: Moment, goes_on: bool, head: FeedHead, mut entries: Vec<FeedEntry>) {
        // A revocation may have been committed after the head was read.
        let last = entries.last().map_or(head.epoch, |entry| entry.epoch.max(head.epoch));
        self.head = Some(FeedHead { epoch: last, ..head });
        self.answers.clear();
        if goes_on {
            self.entries.append(&mut entries);
        } else {
            self.entries = entries;
            self.pruned_at = now.seconds();
        }
        if now.seconds().saturating_sub(self.pruned_at) >= PRUNE_S {
            self.entries.retain(|entry| entry.counts(now));
            self.pruned_at = now.seconds();
        }
    }

    /// The answer for somebody who stands there.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn answer(&mut self, now: Moment, place: Place) -> Result<Bytes, serde_json::Error> {
        if self.answered_at != now.seconds() {
            self.answered_at = now.seconds();
            self.answers.clear();
        }
        if let Some(answer) = self.answers.get(&place) {
            return Ok(answer.clone());
        }
        let (after, reset) = match place {
            Place::Behind(epoch) | Place::Current(epoch) => (epoch, false),
            Place::Nowhere | Place::Ahead => (0, true),
        };
        let first = self.entries.partition_point(|entry| entry.epoch <= after);
        let revoked = self.entries.iter().skip(first).filter(|entry| entry.counts(now));
        let answer = Bytes::from(serde_json::to_vec(&Answer {
            epoch: self.epoch(),
            revoked: revoked.map(|entry| Revoked { jti: &entry.jti, exp: entry.exp }).collect(),
            reset,
            feed: self.head.as_ref().map_or("", |head| head.feed.as_str()),
        })?);
        if self.answers.len() < MAX_ANSWERS {
            self.answers.insert(place, answer.clone());
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn head(epoch: i64) -> FeedHead {
        FeedHead { feed: "f".to_owned(), epoch }
    }

    fn entry(epoch: i64, exp: i64) -> FeedEntry {
        FeedEntry { epoch, jti: format!("g{epoch}").into(), exp }
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_seconds(seconds)
    }

    fn list() -> List {
        let mut list = List::default();
        list.add(at(NOW), false, head(2), vec![entry(1, NOW + 10), entry(2, NOW + 1000)]);
        list
    }

    fn answer(list: &mut List, now: i64, place: Place) -> String {
        String::from_utf8(list.answer(at(now), place).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn tells_where_a_reader_stands() {
        let list = list();
        for (after, feed, place) in [
            (Some(1), Some("f"), Place::Behind(1)),
            (Some(1), None, Place::Behind(1)),
            (Some(2), Some("f"), Place::Current(2)),
            (Some(3), Some("f"), Place::Ahead),
            (Some(1), Some("other"), Place::Nowhere),
            (None, Some("f"), Place::Nowhere),
        ] {
            assert_eq!(list.place(after, feed), place, "{after:?} {feed:?}");
        }
        assert_eq!(List::default().place(Some(0), None), Place::Nowhere, "nothing is known");
    }

    #[test]
    fn lists_what_counts_in_order() {
        let mut list = list();
        let news = r#"{"epoch":2,"revoked":[{"jti":"g2","exp":1001000}],"reset":false,"feed":"f"}"#;
        assert_eq!(answer(&mut list, NOW, Place::Behind(1)), news);
        let none = r#"{"epoch":2,"revoked":[],"reset":false,"feed":"f"}"#;
        assert_eq!(answer(&mut list, NOW, Place::Current(2)), none);
        assert!(answer(&mut list, NOW + 69, Place::Nowhere).contains("\"g1\""));
        let all = r#"{"epoch":2,"revoked":[{"jti":"g2","exp":1001000}],"reset":true,"feed":"f"}"#;
        assert_eq!(answer(&mut list, NOW + 70, Place::Nowhere), all);
    }

    #[test]
    fn an_answer_is_written_once_until_something_changes() {
        let mut list = list();
        let first = list.answer(at(NOW), Place::Nowhere).unwrap();
        let again = list.answer(at(NOW), Place::Nowhere).unwrap();
        assert_eq!(first.as_ptr(), again.as_ptr());
        list.add(at(NOW), true, head(3), vec![entry(3, NOW + 5)]);
        assert!(answer(&mut list, NOW, Place::Nowhere).contains("\"g3\""));
        for after in 0..1000 {
            list.answer(at(NOW), Place::Behind(-after)).unwrap();
        }
        assert!(list.answers.len() <= MAX_ANSWERS);
    }

    #[test]
    fn what_ended_is_thrown_away_and_read_again_should_the_clock_go_back() {
        let mut list = list();
        list.add(at(NOW + 100), true, head(3), vec![entry(3, NOW + 1000)]);
        assert_eq!(list.entries.len(), 2);
        assert_eq!(list.reusable(at(NOW + 100), &head(3)), Some(3));
        assert_eq!(list.reusable(at(NOW + 99), &head(3)), None);
    }

    #[test]
    fn another_or_an_earlier_database_is_read_anew() {
        let list = list();
        assert_eq!(list.reusable(at(NOW), &head(5)), Some(2));
        assert_eq!(list.reusable(at(NOW), &head(1)), None);
        let other = FeedHead { feed: "other".to_owned(), epoch: 2 };
        assert_eq!(list.reusable(at(NOW), &other), None);
        assert_eq!(List::default().reusable(at(NOW), &head(0)), None);
    }

    #[test]
    fn a_revocation_between_the_two_readings_is_not_listed_twice() {
        let mut list = list();
        list.add(at(NOW), true, head(3), vec![entry(3, NOW + 5), entry(4, NOW + 5)]);
        assert_eq!(list.epoch(), 4);
        assert_eq!(list.reusable(at(NOW), &head(4)), Some(4));
    }
}
