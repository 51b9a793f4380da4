//! Challenges for entrances (`breakglass probe`), and what proxies report of them, in memory only: a challenge lives for
//! a minute, and one that is forgotten by a restart proves nothing.
//!
//! What a challenge is, and what a filter answers, is defined in [`breakglass_core::probe`].

mod verdict;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use breakglass_types::challenge::Reported;
use breakglass_types::limits::PROBE_LIFETIME_S;
use breakglass_types::names::said::PROBES as PROBE_REPORT_HEADER;
use tokio::sync::watch;

use crate::clock::Moment;
use crate::feed::{About, Key};

pub use verdict::{Answered, Keys, Node, Verdict, judge};

/// The most challenges that live at a time. A monitor has one a minute.
const MAX_OPEN: usize = 4096;

/// The most of them of one person.
const MAX_OPEN_PER_PERSON: usize = 64;

/// The most reports that are kept of one challenge, and of them of one proxy: its Envoys share a credential.
const MAX_REPORTS: usize = 4096;
const MAX_REPORTS_PER_PROXY: usize = 1024;

/// The challenges that live.
#[derive(Debug)]
pub struct Probes {
    open: Mutex<HashMap<String, Open>>,
    /// Its number changes with each report.
    reported: watch::Sender<u64>,
}

/// A challenge that lives.
#[derive(Debug, Clone)]
pub struct Open {
    /// The JWT.
    pub challenge: String,
    /// Who asked for it.
    pub by: String,
    /// When it is over.
    pub ends: Moment,
    /// What proxies have reported.
    pub reports: Vec<Report>,
}

/// What a proxy has reported with a poll: that it has given some answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose credential it has.
    pub proxy: String,
    /// What it calls itself.
    pub node: String,
    /// What else it said with that poll.
    pub about: About,
    /// Which answer, as a digest: 64 lower-case hex digits.
    pub digest: Box<str>,
}

impl Report {
    /// What names the proxy in commands.
    #[must_use]
    pub fn id(&self) -> String {
        Key::new(&self.node, &self.about).id(&self.proxy)
    }
}

/// Too many challenges live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Default for Probes {
    fn default() -> Probes {
        Probes { open: Mutex::default(), reported: watch::Sender::new(0) }
    }
}

impl Probes {
    /// Until when a challenge counts that is made now.
    #[must_use]
    pub fn end(now: Moment) -> Moment {
        let lifetime = i64::try_from(PROBE_LIFETIME_S).unwrap_or(i64::MAX);
        Moment::from_seconds(now.seconds().saturating_add(lifetime))
    }

    /// Keeps a challenge until it is over.
    ///
    /// # Errors
    /// [`TooMany`] where there is no place for it.
    pub fn add(&self, now: Moment, id: &str, open: Open) -> Result<(), TooMany> {
        let mut all = self.open();
        all.retain(|_, one| now < one.ends);
        let own = all.values().filter(|one| one.by == open.by).count();
        if all.len() >= MAX_OPEN || own >= MAX_OPEN_PER_PERSON {
            return Err(TooMany);
        }
        all.insert(id.to_owned(), open);
        Ok(())
    }

    /// The challenge with this id, with the reports so far; nothing where it is over, or another person's.
    #[must_use]
    pub fn get(&self, now: Moment, id: &str, by: &str) -> Option<Open> {
        let found = self.open().get(id).cloned();
        found.filter(|open| open.by == by && now < open.ends)
    }

    /// Told of every report from now on.
    #[must_use]
    pub fn reports(&self) -> watch::Receiver<u64> {
        self.reported.subscribe()
    }

    /// A proxy reports answers with this poll. Those to challenges that do not live are ignored.
    pub fn report(&self, now: Moment, proxy: &str, node: &str, about: &About, said: &[Said]) {
        let mut all = self.open();
        for Said { id, digest } in said {
            let Some(open) = all.get_mut(id).filter(|open| now < open.ends) else { continue };
            let own = open.reports.iter().filter(|report| report.proxy == proxy).count();
            let report = Report {
                proxy: proxy.to_owned(),
                node: node.to_owned(),
                about: about.clone(),
                digest: digest.clone(),
            };
            let has_room = open.reports.len() < MAX_REPORTS && own < MAX_REPORTS_PER_PROXY;
            if has_room && !open.reports.contains(&report) {
                open.reports.push(report);
            }
        }
        drop(all);
        self.reported.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        // Each change is one insertion or removal.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One report, as a poll says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    id: String,
    digest: Box<str>,
}

/// The reports of this poll; nothing where it has none. What cannot be read is not said.
#[must_use]
pub fn reported(headers: &HeaderMap) -> Option<Vec<Said>> {
    let mut values = headers.get_all(PROBE_REPORT_HEADER).iter();
    let value = values.next()?;
    let text = value.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default();
    let said = |one: Reported| Said { id: one.jti, digest: one.digest.into() };
    Some(Reported::split(text).into_iter().map(said).collect())
}

#[cfg(test)]
mod tests {
    use breakglass_types::challenge::MAX_PROBE_REPORTS;

    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_seconds(seconds)
    }

    fn open(by: &str, now: i64) -> Open {
        let ends = Probes::end(at(now));
        Open { challenge: "c".into(), by: by.into(), ends, reports: Vec::new() }
    }

    fn said(id: &str, digit: char) -> Said {
        Said { id: id.into(), digest: digit.to_string().repeat(64).into() }
    }

    #[test]
    fn a_challenge_is_its_askers_until_it_ends() {
        let probes = Probes::default();
        probes.add(at(0), "a", open("grace", 0)).unwrap();
        assert!(probes.get(at(59), "a", "grace").is_some());
        assert!(probes.get(at(59), "a", "heidi").is_none());
        assert!(probes.get(at(59), "b", "grace").is_none());
        assert!(probes.get(at(60), "a", "grace").is_none());
    }

    #[test]
    fn challenges_and_reports_are_bounded() {
        let probes = Probes::default();
        for number in 0..MAX_OPEN_PER_PERSON {
            probes.add(at(0), &number.to_string(), open("grace", 0)).unwrap();
        }
        assert_eq!(probes.add(at(59), "x", open("grace", 59)), Err(TooMany));
        probes.add(at(59), "y", open("heidi", 59)).unwrap();
        probes.add(at(60), "x", open("grace", 60)).unwrap();
        let about = About::default();
        for number in 0..2 * MAX_REPORTS_PER_PROXY {
            let said = [said("x", 'a')];
            probes.report(at(61), "envoy", &number.to_string(), &about, &said);
        }
        let count = |at, id| probes.get(at, id, "grace").map(|open| open.reports.len());
        assert_eq!(count(at(61), "x"), Some(MAX_REPORTS_PER_PROXY));
        for _ in 0..2 {
            probes.report(at(61), "other", "n", &about, &[said("x", 'b'), said("z", 'b')]);
        }
        assert_eq!(count(at(61), "x"), Some(MAX_REPORTS_PER_PROXY + 1), "once each");
    }

    #[test]
    fn reads_what_a_filter_reports() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PROBE_REPORT_HEADER, value.parse().unwrap());
            }
            reported(&headers)
        };
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(read(&[]), None);
        let both = format!("prb_1={a},prb_2={b}");
        assert_eq!(read(&[&both]), Some(vec![said("prb_1", 'a'), said("prb_2", 'b')]));
        for nothing in ["", "prb_1", "prb_1=", &format!("prb_1={}", "A".repeat(64)), &a] {
            assert_eq!(read(&[nothing]), Some(Vec::new()), "{nothing}");
        }
        assert_eq!(read(&[&both, &both]), Some(Vec::new()));
        let many = vec![format!("prb_1={a}"); 100].join(",");
        assert_eq!(read(&[&many]).unwrap().len(), MAX_PROBE_REPORTS);
    }
}
