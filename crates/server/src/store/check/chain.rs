//! The chain of events, from its beginning to the head that `positions` has.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;

use super::report::{Part, Report};
use crate::issuer::TrailKeys;
use crate::store::Unproven;
use crate::store::chain::OfBefore;
use crate::store::event::{Kept, read_all};
use crate::store::proof::broken;

/// What is known of the chain so far.
struct Walk<'a> {
    keys: Option<&'a TrailKeys>,
    report: &'a mut Report,
    /// The events of before the chain, until its first link.
    before: Option<OfBefore>,
    /// The hash of the last link.
    head: Option<String>,
    last: i64,
    /// The keys that are missing, each with the first place that it signed and how many.
    unknown: BTreeMap<String, (i64, u64)>,
    /// When the first link was written, in milliseconds.
    began: Option<i64>,
}

/// Checks it, and returns when its first link was written, in milliseconds.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    keys: Option<&TrailKeys>,
    report: &mut Report,
) -> Result<Option<i64>, sqlx::Error> {
    let (event, head): (i64, Option<String>) =
        sqlx::query_as("SELECT event, head FROM positions").fetch_one(&mut *connection).await?;
    let before = Some(OfBefore::new());
    let unknown = BTreeMap::new();
    let mut walk = Walk { keys, report, before, head: None, last: 0, unknown, began: None };
    read_all(connection, &mut |kept| walk.take(&kept)).await?;
    Ok(walk.end(event, head.as_deref()))
}

impl Walk<'_> {
    fn take(&mut self, Kept { event, text }: &Kept) {
        let seq = event.seq;
        self.report.checked.events = self.report.checked.events.saturating_add(1);
        self.last = seq;
        let written = event.data.to_string();
        if written != *text {
            self.found(seq, "was changed: its data is not in the form that the service writes");
        }
        let Some(hash) = &event.hash else {
            match &mut self.before {
                Some(before) => before.add(event),
                None => self.found(seq, "is in no chain, although the chain had begun"),
            }
            if self.keys.is_some_and(|keys| !keys.could_be_of_before(event.time_ms)) {
                self.found(seq, "is in no chain, although the trail is chained since before it: links were taken away");
            }
            let count = &mut self.report.checked.events_before_chain;
            *count = count.saturating_add(1);
            return;
        };
        let begun = self.before.take().map(OfBefore::end);
        self.began = self.began.or(Some(event.time_ms));
        if begun.or_else(|| self.head.take()) != event.prev {
            self.found(seq, "does not go on from the event before it: events between them are missing, or were replaced");
        }
        self.head = Some(hash.clone());
        match broken(self.keys, event) {
            None => {}
            Some(Unproven::UnknownKey { kid, .. }) => {
                let (_, count) = self.unknown.entry(kid).or_insert((seq, 0));
                *count = count.saturating_add(1);
            }
            Some(_) => self.found(seq, "is not what was signed: it was changed"),
        }
    }

    fn end(mut self, event: i64, head: Option<&str>) -> Option<i64> {
        for (kid, (first, count)) in std::mem::take(&mut self.unknown) {
            let text = format!(
                "{count} events from place {first} on are signed with the key {kid}, which is not in the key directory"
            );
            self.report.found(Part::Keys, text);
        }
        if event != self.last {
            let text = format!(
                "`positions` says that the last event is at place {event}, and the last one that is there is at place {}",
                self.last
            );
            self.report.found(Part::Chain, text);
        }
        let expected = self.before.take().map(OfBefore::end).or(self.head);
        if expected.as_deref() != head {
            self.report
                .found(Part::Chain, "`positions` has another head than the hash of the last event");
        }
        self.began
    }

    fn found(&mut self, seq: i64, what: &str) {
        self.report.found(Part::Chain, format!("the event at place {seq} {what}"));
    }
}
