//! Who waits for which request: news of a request wakes those who wait for it, and no others.
//!
//! A wait holds a place here and no connection of the database. What is known here is only that something may
//! have changed: who is woken looks at the database. A wake-up that was lost, because the client whose change it
//! was went away in the middle, is made up for from the events ([`crate::tasks::waits`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::limits::{MAX_WAITS, MAX_WAITS_PER_PERSON};
use crate::problem::{Problem, Reason};

/// All who wait.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    requests: HashMap<String, Waiters>,
    people: HashMap<String, usize>,
    waiting: usize,
    limit: Option<usize>,
}

/// Those who wait for one request.
#[derive(Debug, Default)]
struct Waiters {
    news: watch::Sender<()>,
    count: usize,
}

/// No more can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMany {
    /// This person waits in too many places already.
    OfPerson,
    /// All places are taken.
    InAll,
}

/// A place: free again when this is dropped.
#[derive(Debug)]
pub struct Waiting {
    waits: Waits,
    request: String,
    person: String,
    news: watch::Receiver<()>,
}

impl Waits {
    /// Takes a place: news of this request from now on wakes its holder.
    ///
    /// # Errors
    /// [`TooMany`] if there is none.
    pub fn enter(&self, person: &str, request: &str) -> Result<Waiting, TooMany> {
        let mut inner = self.inner();
        if inner.waiting >= inner.limit.unwrap_or(MAX_WAITS) {
            return Err(TooMany::InAll);
        }
        let of_person = inner.people.entry(person.to_owned()).or_default();
        if *of_person >= MAX_WAITS_PER_PERSON {
            return Err(TooMany::OfPerson);
        }
        *of_person = of_person.saturating_add(1);
        inner.waiting = inner.waiting.saturating_add(1);
        let waiters = inner.requests.entry(request.to_owned()).or_default();
        waiters.count = waiters.count.saturating_add(1);
        let news = waiters.news.subscribe();
        let (request, person) = (request.to_owned(), person.to_owned());
        Ok(Waiting { waits: self.clone(), request, person, news })
    }

    /// So many may wait, if that is fewer than [`MAX_WAITS`].
    pub fn limit(&self, limit: usize) {
        self.inner().limit = Some(limit.min(MAX_WAITS));
    }

    /// Wakes those who wait for this request.
    pub fn wake(&self, request: &str) {
        if let Some(waiters) = self.inner().requests.get(request) {
            waiters.news.send_replace(());
        }
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        for waiters in self.inner().requests.values() {
            waiters.news.send_replace(());
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner().waiting
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // It is changed in steps that cannot panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Waits for news, for this long at most.
    pub async fn news(&mut self, limit: Duration) {
        // Either way there is reason to look.
        let _ = tokio::time::timeout(limit, self.news.changed()).await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.waits.inner();
        inner.waiting = inner.waiting.saturating_sub(1);
        if let Entry::Occupied(mut waiters) =
            inner.requests.entry(std::mem::take(&mut self.request))
        {
            let count = waiters.get().count.saturating_sub(1);
            waiters.get_mut().count = count;
            if count == 0 {
                waiters.remove();
            }
        }
        if let Entry::Occupied(mut person) = inner.people.entry(std::mem::take(&mut self.person)) {
            let count = person.get().saturating_sub(1);
            *person.get_mut() = count;
            if count == 0 {
                person.remove();
            }
        }
    }
}

impl From<TooMany> for Problem {
    fn from(error: TooMany) -> Problem {
        let detail = match error {
            TooMany::OfPerson => format!(
                "you wait in {MAX_WAITS_PER_PERSON} places already, which is the most: end some of \
                 your waits, or ask without `wait`"
            ),
            TooMany::InAll => "too many wait already: ask without `wait`".to_owned(),
        };
        Problem::new(Reason::TooManyWaits, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_of_a_request_wakes_those_who_wait_for_it() {
        let waits = Waits::default();
        let mut first = waits.enter("alice", "a").unwrap();
        let mut second = waits.enter("bob", "a").unwrap();
        let mut other = waits.enter("alice", "b").unwrap();
        waits.wake("a");
        first.news.changed().await.unwrap();
        second.news.changed().await.unwrap();
        assert!(!other.news.has_changed().unwrap());
        waits.wake_all();
        other.news.changed().await.unwrap();
    }

    #[test]
    fn places_are_bounded_and_free_again() {
        let waits = Waits::default();
        let mut held: Vec<Waiting> = (0..MAX_WAITS_PER_PERSON)
            .map(|number| waits.enter("alice", &number.to_string()).unwrap())
            .collect();
        assert_eq!(waits.enter("alice", "0").unwrap_err(), TooMany::OfPerson);
        held.push(waits.enter("bob", "0").unwrap());
        held.swap_remove(0);
        held.push(waits.enter("alice", "0").unwrap());
        for number in held.len()..MAX_WAITS {
            held.push(waits.enter(&format!("person-{number}"), "0").unwrap());
        }
        assert_eq!(waits.enter("carol", "0").unwrap_err(), TooMany::InAll);
        drop(held);
        waits.limit(1);
        let only = waits.enter("alice", "0").unwrap();
        assert_eq!(waits.enter("bob", "0").unwrap_err(), TooMany::InAll);
        drop(only);
        let inner = waits.inner();
        assert!(inner.requests.is_empty() && inner.people.is_empty() && inner.waiting == 0);
    }
}
