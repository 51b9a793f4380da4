//! One alert stands for all of its kind and grant in a minute, everything is counted, and there is never more than fits.

#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use super::*;
use crate::testing::test;

const START: Instant = Instant::from_seconds(1_800_000_000);

fn after(seconds: u64) -> Instant {
    START.after(Duration::from_secs(seconds))
}

fn key(about: u64) -> Key {
    Key { kind: AlertKind::OutOfScope, about }
}

/// An alert with a detail of so many bytes.
fn alert(detail: usize) -> impl FnOnce(Box<str>) -> Alert {
    move |at| Alert {
        detail: Some("x".repeat(detail).into()),
        ..Alert::new(AlertKind::OutOfScope, at)
    }
}

impl Table {
    fn happens(&mut self, about: u64, now: Instant) {
        self.cause(key(about), (1, now), now, alert(100));
    }

    /// What is due is sent, and arrives: the counts, by what they are about.
    fn delivers(&mut self, now: Instant) -> Vec<(u64, u64)> {
        self.wake(false, now);
        let batch = self.take(64);
        let counts =
            batch.iter().map(|(key, pending)| (key.about, pending.alert().count)).collect();
        let dropped = self.untold();
        self.arrived(batch, dropped, now);
        self.check();
        counts
    }

    /// What must always be so while nothing is under way.
    fn check(&self) {
        assert_eq!(self.entries.len(), self.due.len() + self.resting.len(), "{self:?}");
        let pending: Vec<_> = self.entries.values().flatten().collect();
        assert_eq!(self.pending, pending.len());
        assert_eq!(self.bytes, pending.iter().map(|pending| pending.bytes).sum::<usize>());
        assert!(self.bytes <= MAX_BYTES && self.entries.len() <= MAX_ENTRIES);
    }
}

#[test]
fn the_first_is_sent_at_once_and_the_others_of_its_minute_when_that_is_over() {
    let mut table = Table::default();
    table.happens(1, START);
    assert_eq!(table.delivers(START), [(1, 1)]);
    assert_eq!(table.next_wake(), None, "nothing is to be told then");
    for second in 1..=3 {
        table.happens(1, after(second));
        table.happens(2, after(second));
    }
    assert_eq!(table.delivers(after(5)), [(2, 3)]);
    assert_eq!(table.next_wake(), Some(after(60)));
    assert_eq!(table.delivers(after(59)), []);
    assert_eq!(table.delivers(after(60)), [(1, 3)]);
    assert_eq!(table.delivers(after(65)), []);
    assert_eq!(table.entries.len(), 1, "the other one was forgotten");
    assert_eq!(table.delivers(after(120)), []);
    assert!(table.is_told() && table.entries.is_empty());
    assert_eq!(table.take_counts(), AlertCounts { sent: 3, suppressed: 4, dropped: 0 });
}

#[test]
fn an_alert_names_the_first_and_the_last_time_and_counts() {
    let mut table = Table::default();
    table.cause(key(1), (21, START), after(30), alert(1));
    table.cause(key(1), (1, after(40)), after(40), |_| panic!("there is one"));
    let batch = table.take(64);
    let alert = batch[0].1.alert();
    assert_eq!((&*alert.first, alert.count), (&*START.rfc3339(), 22));
    assert_eq!(&*alert.last, after(40).rfc3339());
}

#[test]
fn what_is_refused_is_due_again_with_what_came_meanwhile() {
    let mut table = Table::default();
    table.happens(1, START);
    table.happens(2, START);
    let batch = table.take(64);
    table.happens(1, after(1));
    table.happens(3, after(1));
    table.refused(batch);
    table.check();
    assert_eq!(table.delivers(after(2)), [(1, 2), (2, 1), (3, 1)]);
}

#[test]
fn what_came_while_a_report_was_under_way_is_told_a_minute_after_it() {
    let mut table = Table::default();
    table.happens(1, START);
    let batch = table.take(64);
    table.happens(1, after(1));
    table.arrived(batch, 0, after(2));
    table.check();
    assert_eq!(table.delivers(after(61)), []);
    assert_eq!(table.delivers(after(62)), [(1, 1)]);
}

#[test]
fn what_is_given_up_is_counted_and_the_next_report_says_so() {
    let mut table = Table::default();
    table.happens(1, START);
    table.happens(1, START);
    let batch = table.take(64);
    table.given_up(&batch);
    table.check();
    assert!(table.is_told() && table.entries.is_empty());
    assert_eq!((table.untold(), table.take_counts().dropped), (2, 2));
    table.happens(2, after(9));
    table.delivers(after(9));
    assert_eq!(table.untold(), 0);
}

#[test]
fn what_is_given_up_leaves_what_came_meanwhile() {
    let mut table = Table::default();
    table.happens(1, START);
    let batch = table.take(64);
    table.happens(1, after(1));
    table.given_up(&batch);
    table.check();
    assert_eq!(table.delivers(after(1)), [(1, 1)]);
    assert_eq!(table.take_counts(), AlertCounts { sent: 1, suppressed: 0, dropped: 1 });
}

#[test]
fn of_a_state_the_last_one_is_told() {
    let state =
        |over| move |at| Alert { over: Some(over), ..Alert::new(AlertKind::FeedTrouble, at) };
    let key = Key { kind: AlertKind::FeedTrouble, about: 0 };
    let mut table = Table::default();
    table.cause_state(key, START, state(false));
    table.cause_state(key, after(20), state(true));
    let batch = table.take(64);
    let alert = batch[0].1.alert();
    assert_eq!((alert.over, alert.count, &*alert.first), (Some(true), 2, &*START.rfc3339()));
    // One that is refused, and another one meanwhile.
    table.cause_state(key, after(25), state(false));
    table.refused(batch);
    table.check();
    let batch = table.take(64);
    let alert = batch[0].1.alert();
    assert_eq!((alert.over, alert.count, &*alert.first), (Some(false), 3, &*START.rfc3339()));
}

#[test]
fn a_flood_of_different_grants_is_bounded_and_counted() {
    let mut table = Table::default();
    let (mut told, mut now) = (0, START);
    for about in 0..100_000 {
        table.happens(about, now);
        if about % 1000 == 0 {
            now = now.after(Duration::from_millis(250));
            told += table.delivers(now).iter().map(|(_, count)| count).sum::<u64>();
        }
    }
    loop {
        now = now.after(Duration::from_millis(250));
        let delivered = table.delivers(now);
        if delivered.is_empty() {
            break;
        }
        told += delivered.iter().map(|(_, count)| count).sum::<u64>();
    }
    let counts = table.take_counts();
    assert_eq!(told + counts.dropped, 100_000);
    assert_eq!(told, counts.sent + counts.suppressed);
    assert!(counts.sent > 5_000, "room is made for new ones: {counts:?}");
}

#[test]
fn while_there_is_no_room_no_alert_is_made() {
    let mut table = Table::default();
    let mut about = 0;
    while table.take_counts().dropped == 0 {
        about += 1;
        table.cause(key(about), (1, START), START, alert(2000));
    }
    assert!((28..34).contains(&about), "{about}");
    table.cause(key(0), (1, START), START, |_| panic!("there is no room"));
    assert_eq!(table.untold(), 2);
    table.happens(1, START);
    assert_eq!(table.delivers(START).first(), Some(&(1, 2)), "what is there counts on");
}

#[test]
fn a_report_has_no_more_than_fits() {
    let mut table = Table::default();
    for about in 0..10 {
        table.cause(key(about), (1, START), START, alert(6000));
    }
    let batch = table.take(3);
    assert_eq!(batch.len(), 3);
    table.refused(batch);
    let batch = table.take(64);
    let alerts: Vec<_> = batch.iter().map(|(_, pending)| pending.alert()).collect();
    let text = serde_json::to_string(&alerts).unwrap();
    assert!(batch.len() == 10 && text.len() + FRAME_BYTES <= MAX_ALERTS_BODY_BYTES);
}

#[test]
fn a_clock_that_was_set_back_lets_nothing_rest_for_longer() {
    let mut table = Table::default();
    table.happens(1, after(100_000));
    table.delivers(after(100_000));
    table.happens(1, after(1));
    assert_eq!(table.delivers(after(2)), [(1, 1)]);
}
