//! What becomes of an alert that has come: whether it is counted with an earlier one, whether it is a row, and whether it is
//! for a human. No SQL and no clock: [`super::alerts`] fills the ledger in the transaction that writes the outcome.
//!
//! An hour is any hour, not one of the clock: with hours of the clock, a credential would have its pages of two of them
//! within a minute. What seems to be from later than now was written by a clock that was wrong, and does not count: too many
//! pages are better than none until that time has come.

use std::collections::{BTreeMap, HashMap};

use breakglass_types::alerts::{AlertKind, Class};

use super::alert::{NewAlert, counted_as};
use super::retention::HOUR_MS;
use crate::clock::Moment;
use crate::limits::{MAX_ALERT_ROWS, MAX_CLOCK_STEP_S};

/// Within what time the same kind and grant are one alert, in milliseconds.
const SAME_MS: i64 = 60_000;

/// The same for the first use of a grant, which is one for as long as a grant can last.
const FIRST_USE_MS: i64 = 24 * HOUR_MS;

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is a row, and for a human.
    Paged,
    /// It is a row, and for no human: its class has had the pages of the hour.
    Unpaged,
    /// It is counted with the row of this place.
    CountedWith(i64),
    /// It is counted with an alert of the same report, that with this number.
    CountedWithin(usize),
    /// It is a number, because its kind has had the rows of the hour.
    Counted,
}

/// What came of a class without a page since it had had those of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unpaged {
    /// When the hour began, in milliseconds.
    pub(super) since_ms: i64,
    /// How many alerts.
    pub(super) alerts: i64,
    /// How many of them have no row.
    pub(super) not_kept: i64,
    /// How many of each kind.
    pub(super) kinds: BTreeMap<String, i64>,
}

/// What one credential has had.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The most pages an hour and class.
    pub(super) budget: usize,
    /// The rows of the last hour, by the word under which their kind is counted.
    pub(super) rows: HashMap<String, i64>,
    /// When the pages of the last hour came, of each class, the latest first; no more than the budget.
    pub(super) pages: HashMap<Class, Vec<i64>>,
    /// The classes that have had their pages.
    pub(super) unpaged: HashMap<Class, Unpaged>,
    /// Which alert one of this kind and these other things is counted with.
    pub(super) same: HashMap<(String, String), Outcome>,
}

/// Since when rows count as those of the last hour, and until when, in milliseconds: after the first, up to the second.
pub(super) fn hour(now: Moment) -> (i64, i64) {
    (now.millis().saturating_sub(HOUR_MS), latest(now))
}

/// Since when rows of a kind are the same as one that comes now, in milliseconds.
pub(super) fn same_since(kind: &str, now: Moment) -> i64 {
    let window = match AlertKind::from_word(kind) {
        Some(AlertKind::FirstUse) => FIRST_USE_MS,
        _ => SAME_MS,
    };
    now.millis().saturating_sub(window)
}

/// The latest time that can be one of now.
fn latest(now: Moment) -> i64 {
    now.millis().saturating_add(MAX_CLOCK_STEP_S.saturating_mul(1000))
}

impl Ledger {
    /// What becomes of these alerts, one after the other.
    pub(super) fn judge(&mut self, now: Moment, alerts: &[NewAlert]) -> Vec<Outcome> {
        alerts.iter().enumerate().map(|(number, alert)| self.one(now, number, alert)).collect()
    }

    fn one(&mut self, now: Moment, number: usize, alert: &NewAlert) -> Outcome {
        let key = (alert.kind.clone(), alert.merges.clone());
        if let Some(same) = self.same.get(&key) {
            return *same;
        }
        let rows = self.rows.entry(counted_as(&alert.kind).to_owned()).or_default();
        if *rows >= MAX_ALERT_ROWS {
            self.goes_unpaged(now, alert, 1);
            return Outcome::Counted;
        }
        *rows = rows.saturating_add(1);
        self.same.insert(key, Outcome::CountedWithin(number));
        let pages = self.pages.entry(alert.class).or_default();
        if pages.len() >= self.budget || self.unpaged.contains_key(&alert.class) {
            self.goes_unpaged(now, alert, 0);
            return Outcome::Unpaged;
        }
        pages.insert(0, now.millis());
        Outcome::Paged
    }

    fn goes_unpaged(&mut self, now: Moment, alert: &NewAlert, not_kept: i64) {
        // The place of the earliest page of the budget is the first to be free again.
        let first_free = self.pages.get(&alert.class).filter(|pages| pages.len() >= self.budget);
        let since_ms = first_free.and_then(|pages| pages.last().copied());
        let unpaged = self.unpaged.entry(alert.class).or_insert_with(|| Unpaged {
            since_ms: since_ms.unwrap_or(now.millis()),
            alerts: 0,
            not_kept: 0,
            kinds: BTreeMap::new(),
        });
        unpaged.alerts = unpaged.alerts.saturating_add(1);
        unpaged.not_kept = unpaged.not_kept.saturating_add(not_kept);
        let kind = unpaged.kinds.entry(counted_as(&alert.kind).to_owned()).or_default();
        *kind = kind.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use breakglass_api::alerts::AlertData;

    use super::*;

    fn alert(kind: &str, merges: &str) -> NewAlert {
        let class = AlertKind::from_word(kind).map_or(Class::Filter, AlertKind::class);
        let data = AlertData {
            reported_by: "p".to_owned(),
            proxy: "p".to_owned(),
            node: None,
            process: None,
            class: class.into(),
            grant_known: None,
            alert: None,
            dropped: None,
            suppressed: None,
        };
        NewAlert {
            kind: kind.to_owned(),
            class,
            merges: merges.to_owned(),
            grant: None,
            count: 1,
            data,
        }
    }

    fn many(kind: &str, count: usize) -> Vec<NewAlert> {
        (0..count).map(|number| alert(kind, &number.to_string())).collect()
    }

    fn paged(outcomes: &[Outcome]) -> usize {
        outcomes.iter().filter(|outcome| **outcome == Outcome::Paged).count()
    }

    #[test]
    fn a_class_has_its_pages_and_the_others_have_theirs() {
        let now = Moment::from_seconds(10_000);
        let mut ledger = Ledger { budget: 3, ..Ledger::default() };
        assert_eq!(paged(&ledger.judge(now, &many("out_of_scope", 10))), 3);
        assert_eq!(paged(&ledger.judge(now, &many("ceiling", 10))), 0);
        assert_eq!(paged(&ledger.judge(now, &many("void_token", 2))), 2);
        assert_eq!(paged(&ledger.judge(now, &many("solar_flare", 2))), 2);
        let unpaged = &ledger.unpaged[&Class::Holders];
        assert_eq!((unpaged.alerts, unpaged.not_kept, unpaged.since_ms), (17, 0, now.millis()));
        let kinds = [("ceiling".to_owned(), 10), ("out_of_scope".to_owned(), 7)];
        assert_eq!(unpaged.kinds, BTreeMap::from(kinds));
        assert_eq!(ledger.unpaged.len(), 1);
    }

    #[test]
    fn the_hour_begins_with_the_page_whose_place_is_free_first() {
        let now = Moment::from_seconds(10_000);
        // A budget that a reload has lowered: of five pages the third is the first that matters.
        let mut ledger = Ledger { budget: 3, ..Ledger::default() };
        ledger.pages.insert(Class::Holders, vec![9_000, 8_000, 7_000]);
        assert_eq!(paged(&ledger.judge(now, &many("ceiling", 1))), 0);
        assert_eq!(ledger.unpaged[&Class::Holders].since_ms, 7_000);
    }

    #[test]
    fn the_same_within_a_minute_is_one_and_uses_up_nothing() {
        let now = Moment::from_seconds(10_000);
        let mut ledger = Ledger { budget: 2, ..Ledger::default() };
        ledger.same.insert(("cut".to_owned(), "g".to_owned()), Outcome::CountedWith(7));
        let alerts =
            [alert("cut", "g"), alert("cut", "h"), alert("cut", "h"), alert("first_use", "h")];
        let outcomes = ledger.judge(now, &alerts);
        assert_eq!(
            outcomes,
            [Outcome::CountedWith(7), Outcome::Paged, Outcome::CountedWithin(1), Outcome::Paged]
        );
        assert!(ledger.unpaged.is_empty());
    }

    #[test]
    fn kinds_that_are_made_up_have_the_rows_of_one() {
        let now = Moment::from_seconds(10_000);
        let most = usize::try_from(MAX_ALERT_ROWS).unwrap();
        let mut ledger = Ledger { budget: 20, ..Ledger::default() };
        let made_up = |number: usize| alert(&format!("kind_{number}"), "");
        let outcomes = ledger.judge(now, &(0..most * 3).map(made_up).collect::<Vec<_>>());
        let kept = outcomes.iter().filter(|outcome| **outcome != Outcome::Counted).count();
        assert_eq!((kept, paged(&outcomes)), (most, 20));
        let unpaged = &ledger.unpaged[&Class::Filter];
        assert_eq!(
            (unpaged.alerts + 20, unpaged.not_kept),
            (MAX_ALERT_ROWS * 3, MAX_ALERT_ROWS * 2)
        );
        assert_eq!(unpaged.kinds, BTreeMap::from([("other".to_owned(), unpaged.alerts)]));
        // A kind that is known has rows of its own.
        assert_eq!(ledger.judge(now, &many("cut", 1)), [Outcome::Unpaged]);
    }
}
