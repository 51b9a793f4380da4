//! The revocations that still count, in the order of their epochs.

use std::collections::HashMap;

use axum::body::Bytes;
use breakglass_types::feed::{FeedAnswer, Revoked};

use super::tags::Tags;
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
    tags: Tags,
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

impl List {
    /// The latest epoch; 0 while nothing is known.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.head.as_ref().map_or(0, |head| head.epoch)
    }

    /// Where somebody stands who knows `feed`, or some feed, up to the epoch `after`, whose tag is `tag`. Older
    /// filters say no tag.
    #[must_use]
    pub fn place(&self, after: Option<i64>, feed: Option<&str>, tag: Option<&str>) -> Place {
        let (Some(after), Some(head)) = (after, &self.head) else { return Place::Nowhere };
        let is_given = after <= head.epoch;
        if feed.is_some_and(|feed| feed != head.feed)
            || is_given && tag.is_some_and(|tag| Some(tag) != self.tag(after))
        {
            return Place::Nowhere;
        }
        match after.cmp(&head.epoch) {
            std::cmp::Ordering::Less => Place::Behind(after),
            std::cmp::Ordering::Equal => Place::Current(after),
            std::cmp::Ordering::Greater => Place::Ahead,
        }
    }

    /// The tag of an epoch, if it is one of the latest. Epoch 0 has that of the feed.
    fn tag(&self, epoch: i64) -> Option<&str> {
        match epoch {
            0 => self.head.as_ref().map(|head| head.feed.as_str()),
            epoch => self.tags.of(epoch),
        }
    }

    /// The latest end of what was revoked after an epoch and still counts, as a function of the epoch.
    pub fn ends(&self, now: Moment) -> impl Fn(i64) -> Option<i64> + use<> {
        let mut latest = i64::MIN;
        let mut ends: Vec<(i64, i64)> = Vec::with_capacity(self.entries.len());
        for entry in self.entries.iter().rev().filter(|entry| entry.counts(now)) {
            latest = latest.max(entry.exp);
            ends.push((entry.epoch, latest));
        }
        // The latest epoch is first.
        move |after| {
            let later = ends.partition_point(|(epoch, _)| *epoch > after);
            ends.get(later.checked_sub(1)?).map(|(_, end)| *end)
        }
    }

    /// The epoch from which the list can go on, if what is in it is still of use. Not if the
    /// database is another one or an earlier one, and not if the clock went back: what was thrown
    /// away counts again.
    #[must_use]
    pub fn reusable(&self, now: Moment, head: &FeedHead) -> Option<i64> {
        let known = self.head.as_ref()?;
        let same = known.feed == head.feed
            && known.epoch <= head.epoch
            && (known.epoch == 0 || head.tag.as_deref() == self.tags.of(known.epoch));
        (same && now.seconds() >= self.pruned_at).then_some(known.epoch)
    }

    /// Adds what is new, or begins anew with all there is. `tags` are those of its epochs.
    pub fn add(
        &mut self,
        now: Moment,
        goes_on: bool,
        head: FeedHead,
        mut entries: Vec<FeedEntry>,
        tags: Vec<(i64, Box<str>)>,
    ) {
        // A revocation may have been committed after the head was read.
        let last = entries.last().map_or(head.epoch, |entry| entry.epoch.max(head.epoch));
        self.head = Some(FeedHead { epoch: last, ..head });
        self.answers.clear();
        if !goes_on {
            self.tags = Tags::default();
        }
        self.tags.add(tags, last);
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
        // What still counts ends after 1970, and epochs begin at 0.
        let revoked =
            revoked.map(|entry| Revoked { jti: &*entry.jti, exp: entry.exp.unsigned_abs() });
        let answer = Bytes::from(serde_json::to_vec(&FeedAnswer {
            epoch: self.epoch().unsigned_abs(),
            revoked: revoked.collect(),
            reset,
            feed: Some(self.head.as_ref().map_or("", |head| head.feed.as_str())),
            tag: Some(self.tag(self.epoch()).unwrap_or_default()),
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
        FeedHead { feed: "f".to_owned(), epoch, tag: (epoch > 0).then(|| format!("t{epoch}")) }
    }

    /// Where the feed stands for somebody who knows it up to `known`.
    fn head_of(known: i64, epoch: i64) -> FeedHead {
        FeedHead { epoch, ..head(known) }
    }

    fn tags(epochs: impl Iterator<Item = i64>) -> Vec<(i64, Box<str>)> {
        epochs.map(|epoch| (epoch, format!("t{epoch}").into())).collect()
    }

    fn entry(epoch: i64, exp: i64) -> FeedEntry {
        FeedEntry { epoch, jti: format!("g{epoch}").into(), exp }
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_seconds(seconds)
    }

    fn list() -> List {
        let mut list = List::default();
        list.add(
            at(NOW),
            false,
            head(2),
            vec![entry(1, NOW + 10), entry(2, NOW + 1000)],
            tags(1..3),
        );
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
            assert_eq!(list.place(after, feed, None), place, "{after:?} {feed:?}");
        }
        assert_eq!(List::default().place(Some(0), None, None), Place::Nowhere, "nothing is known");
        for (after, tag, place) in [
            (0, "f", Place::Behind(0)),
            (0, "g", Place::Nowhere),
            (1, "t1", Place::Behind(1)),
            (1, "t2", Place::Nowhere),
            (1, "", Place::Nowhere),
            (2, "t2", Place::Current(2)),
            (2, "t1", Place::Nowhere),
            (3, "t3", Place::Ahead),
        ] {
            assert_eq!(list.place(Some(after), None, Some(tag)), place, "{after} {tag}");
        }
    }

    #[test]
    fn lists_what_counts_in_order() {
        let mut list = list();
        let news = r#"{"epoch":2,"revoked":[{"jti":"g2","exp":1001000}],"reset":false,"feed":"f","tag":"t2"}"#;
        assert_eq!(answer(&mut list, NOW, Place::Behind(1)), news);
        let none = r#"{"epoch":2,"revoked":[],"reset":false,"feed":"f","tag":"t2"}"#;
        assert_eq!(answer(&mut list, NOW, Place::Current(2)), none);
        assert!(answer(&mut list, NOW + 69, Place::Nowhere).contains("\"g1\""));
        let all = r#"{"epoch":2,"revoked":[{"jti":"g2","exp":1001000}],"reset":true,"feed":"f","tag":"t2"}"#;
        assert_eq!(answer(&mut list, NOW + 70, Place::Nowhere), all);
    }

    #[test]
    fn an_answer_is_written_once_until_something_changes() {
        let mut list = list();
        let first = list.answer(at(NOW), Place::Nowhere).unwrap();
        let again = list.answer(at(NOW), Place::Nowhere).unwrap();
        assert_eq!(first.as_ptr(), again.as_ptr());
        list.add(at(NOW), true, head(3), vec![entry(3, NOW + 5)], tags(3..4));
        assert!(answer(&mut list, NOW, Place::Nowhere).contains("\"g3\""));
        for after in 0..1000 {
            list.answer(at(NOW), Place::Behind(-after)).unwrap();
        }
        assert!(list.answers.len() <= MAX_ANSWERS);
    }

    #[test]
    fn what_ended_is_thrown_away_and_read_again_should_the_clock_go_back() {
        let mut list = list();
        list.add(at(NOW + 100), true, head(3), vec![entry(3, NOW + 1000)], tags(3..4));
        assert_eq!(list.entries.len(), 2);
        assert_eq!(list.reusable(at(NOW + 100), &head(3)), Some(3));
        assert_eq!(list.reusable(at(NOW + 99), &head(3)), None);
    }

    #[test]
    fn another_or_an_earlier_database_is_read_anew() {
        let list = list();
        assert_eq!(list.reusable(at(NOW), &head_of(2, 5)), Some(2));
        assert_eq!(list.reusable(at(NOW), &head_of(2, 1)), None);
        let again = FeedHead { tag: Some("again".to_owned()), ..head_of(2, 5) };
        assert_eq!(list.reusable(at(NOW), &again), None, "epoch 2 was given again");
        let gone = FeedHead { tag: None, ..head_of(2, 5) };
        assert_eq!(list.reusable(at(NOW), &gone), None);
        let other = FeedHead { feed: "other".to_owned(), ..head(2) };
        assert_eq!(list.reusable(at(NOW), &other), None);
        assert_eq!(List::default().reusable(at(NOW), &head(0)), None);
    }

    #[test]
    fn a_revocation_between_the_two_readings_is_not_listed_twice() {
        let mut list = list();
        let entries = vec![entry(3, NOW + 5), entry(4, NOW + 5)];
        list.add(at(NOW), true, head(3), entries, tags(3..6));
        assert_eq!(list.epoch(), 4);
        assert_eq!(list.reusable(at(NOW), &head(4)), Some(4));
        assert_eq!(list.place(Some(4), None, Some("t4")), Place::Current(4));
    }

    #[test]
    fn tells_how_long_what_a_proxy_missed_may_run() {
        let mut list = list();
        list.add(at(NOW), true, head(3), vec![entry(3, NOW + 500)], tags(3..4));
        let end = list.ends(at(NOW));
        let ends = [0, 1, 2, 3, 4].map(&end);
        assert_eq!(ends, [Some(NOW + 1000), Some(NOW + 1000), Some(NOW + 500), None, None]);
        assert_eq!(list.ends(at(NOW + 900))(2), None, "it is over");
    }
}
