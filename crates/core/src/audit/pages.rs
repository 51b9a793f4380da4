//! A report in pages: none is larger than the approval service takes, however many grants a chain has.
//!
//! A head whose grants do not fit is sent several times, each time with other grants, or with other uses of one grant;
//! the service adds them up. The
//! next page follows the answer to the one before. Only what the service has said that it took counts as known, so
//! the chain's head is reported when all of its pages have arrived.

use std::rc::Rc;
use std::time::Duration;

use breakglass_types::heads::{GRANT_BYTES, MAX_REPORT_BYTES};
use breakglass_types::uses::{USE_BYTES, Use};

use super::report::Head;
use crate::instant::Instant;

/// What the members around the heads take at most.
const FRAME_BYTES: usize = 2 * 1024;

/// A service, or something before it, that takes less than this takes no report.
const MIN_BYTES: usize = 1024;

/// How often it is said that a report is too large.
const SAY_INTERVAL: Duration = Duration::from_secs(60);

/// How large a report may be.
#[derive(Debug)]
pub(crate) struct ReportLimit {
    bytes: usize,
    said_at: Option<Instant>,
}

impl ReportLimit {
    /// What this version's service takes: INVARIANT (report-fits).
    pub(crate) fn new() -> ReportLimit {
        ReportLimit { bytes: MAX_REPORT_BYTES.saturating_sub(FRAME_BYTES), said_at: None }
    }

    /// How many bytes the heads of one report may take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A report was too large. Whether a smaller one can be tried.
    pub(crate) fn halve(&mut self) -> bool {
        let half = self.bytes / 2;
        let can = half >= MIN_BYTES;
        if can {
            self.bytes = half;
        }
        can
    }

    /// What is to be logged of that, once a minute.
    pub(crate) fn say(&mut self, now: Instant) -> Option<String> {
        // A clock that was set back must not silence it.
        let said = |at: Instant| at <= now && now.since(at) < SAY_INTERVAL;
        if self.said_at.is_some_and(said) {
            return None;
        }
        self.said_at = Some(now);
        Some(format!(
            "the approval service, or a proxy before it, takes no report of heads of this size (413); expected at \
             least {MAX_REPORT_BYTES} bytes; reports are in parts of {} bytes now",
            self.bytes
        ))
    }
}

/// One head on its way.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Without grants and uses.
    head: Head,
    /// What has not arrived.
    left: Vec<Part>,
    /// How many of them are in the page that is under way.
    under_way: usize,
    /// The Envoy process that the pages name.
    process: Option<String>,
}

/// The least of a head that is sent as one: the count of a grant, with one of its uses.
#[derive(Debug, Clone)]
struct Part {
    grant: Rc<str>,
    records: u64,
    used: Option<Use<u64>>,
}

impl Part {
    /// How many bytes it takes in a report, behind this other one.
    fn bytes(&self, before: Option<&Part>) -> usize {
        let is_new = before.is_none_or(|before| before.grant != self.grant);
        // Its count, and the list of its uses: `"":[],`.
        let grant = if is_new { grant_bytes(&self.grant).saturating_mul(2) } else { 0 };
        grant.saturating_add(self.used.as_ref().map_or(0, use_bytes))
    }
}

impl Pages {
    /// This head, nothing of which was sent.
    pub(crate) fn new(mut head: Head, process: Option<String>) -> Pages {
        let mut uses = std::mem::take(&mut head.uses);
        let mut left = Vec::new();
        for (grant, records) in std::mem::take(&mut head.grants) {
            let uses = uses.remove(&grant).unwrap_or_default();
            let grant: Rc<str> = grant.into();
            if uses.is_empty() {
                left.push(Part { grant: Rc::clone(&grant), records, used: None });
            }
            let part = |used| Part { grant: Rc::clone(&grant), records, used: Some(used) };
            left.extend(uses.into_iter().map(part));
        }
        Pages { head, left, under_way: 0, process }
    }

    /// The page that is to be sent, of so many bytes: the next one, or the one that did not arrive, and the
    /// process that it names. It has one part at least, if there is one.
    pub(crate) fn page(&mut self, bytes: usize) -> (Head, Option<&str>) {
        let mut room = Some(bytes.saturating_sub(head_bytes(&self.head)));
        let befores = std::iter::once(None).chain(self.left.iter().map(Some));
        let fits = |(part, before): &(&Part, Option<&Part>)| {
            room = room.and_then(|room| room.checked_sub(part.bytes(*before)));
            room.is_some()
        };
        self.under_way = self.left.iter().zip(befores).take_while(fits).count().max(1);
        let mut page = self.head.clone();
        for Part { grant, records, used } in self.left.iter().take(self.under_way) {
            page.grants.insert(grant.to_string(), *records);
            if let Some(used) = used {
                page.uses.entry(grant.to_string()).or_default().push(used.clone());
            }
        }
        (page, self.process.as_deref())
    }

    /// The page that was under way has arrived. Whether it was the last one.
    pub(crate) fn arrived(&mut self) -> bool {
        self.left.drain(..self.under_way.min(self.left.len()));
        self.left.is_empty()
    }
}

/// How many bytes a head takes in a report, at most.
pub(crate) fn head_bytes(head: &Head) -> usize {
    // Its members with a number of 20 digits, and a comma.
    const MEMBERS: usize = 110;
    let texts = [&head.chain, &head.hash, &head.began].map(String::len);
    let grants = head.grants.keys().map(|grant| grant_bytes(grant));
    let uses = head.uses.iter().map(|(grant, uses)| {
        uses.iter().map(use_bytes).fold(grant_bytes(grant), usize::saturating_add)
    });
    // `"configuration":"",`
    let configuration = head.configuration.as_ref().map(|digest| digest.len().saturating_add(20));
    let members = texts.into_iter().chain(configuration);
    members.chain(grants).chain(uses).fold(MEMBERS, usize::saturating_add)
}

/// How many bytes a grant takes in a report, with its number, at most.
fn grant_bytes(grant: &str) -> usize {
    // `"":,` and 20 digits.
    escaped_bytes(grant).saturating_add(GRANT_BYTES)
}

/// How many bytes a use takes in a report, at most.
fn use_bytes(used: &Use<u64>) -> usize {
    let texts = [used.scope.as_deref(), used.rule.as_deref()].into_iter().flatten();
    let texts = texts.chain([used.method.as_str(), &used.outcome]);
    texts.map(escaped_bytes).fold(USE_BYTES, usize::saturating_add)
}

/// How many bytes a text takes in JSON, at most, without its quotes.
fn escaped_bytes(text: &str) -> usize {
    let escaped = |character: char| match character {
        '"' | '\\' => 2,
        // `\u0000`, or shorter.
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    };
    text.chars().map(escaped).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::test;

    fn head(grants: impl IntoIterator<Item = String>) -> Head {
        Head {
            chain: "0".repeat(32),
            seq: u64::MAX,
            hash: "0".repeat(64),
            began: "2026-11-22T02:12:59.500Z".to_owned(),
            ended: false,
            configuration: Some("0".repeat(64)),
            grants: grants.into_iter().map(|grant| (grant, u64::MAX)).collect(),
            uses: BTreeMap::new(),
        }
    }

    /// The same with so many uses of each grant, of these texts.
    fn with_uses(mut head: Head, kinds: usize, texts: &[&str]) -> Head {
        let text = |number: usize| (*texts.iter().cycle().nth(number).unwrap()).to_owned();
        let used = |number: usize| Use {
            scope: (!number.is_multiple_of(3)).then(|| text(number)),
            method: text(number.wrapping_add(1)),
            rule: (!number.is_multiple_of(2))
                .then(|| format!("/{number}/{}", text(number.wrapping_add(2)))),
            outcome: "shadow_deny".to_owned(),
            records: u64::MAX,
        };
        let uses = |grant: &String| (grant.clone(), (0..kinds).map(used).collect());
        head.uses = head.grants.keys().map(uses).collect();
        head
    }

    const ODD: [&str; 8] =
        ["", "\"", "\\", "\u{1}", "\n\n", "é", "\u{10ffff}", "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D1"];

    #[test]
    fn no_head_is_larger_than_it_is_taken_for() {
        for grants in [&[][..], &ODD[..1], &ODD] {
            for kinds in [0, 1, 64] {
                let head = with_uses(head(grants.iter().map(ToString::to_string)), kinds, &ODD);
                let size = serde_json::to_string(&head).unwrap().len() + 1;
                assert!(size <= head_bytes(&head), "{size} {head:?}");
            }
        }
    }

    #[test]
    fn every_grant_is_in_one_page_of_the_size_that_was_asked_for() {
        let many = head((0..20_000).map(|number| format!("grant_{number:026}")));
        let some = head((0..30).map(|number| format!("grant_{number:026}")));
        for all in [many, with_uses(some.clone(), 64, &ODD), with_uses(some, 3, &[&"é".repeat(40)])]
        {
            for bytes in [MAX_REPORT_BYTES, 10_000, MIN_BYTES] {
                let mut pages = Pages::new(all.clone(), None);
                let mut found = BTreeMap::new();
                let mut uses: BTreeMap<String, Vec<Use<u64>>> = BTreeMap::new();
                loop {
                    let (page, _) = pages.page(bytes);
                    let size = serde_json::to_string(&page).unwrap().len();
                    assert!(!page.grants.is_empty() && size < bytes, "{size} {bytes}");
                    assert!(page.uses.keys().all(|grant| page.grants.contains_key(grant)));
                    assert_eq!((&page.hash, page.seq), (&all.hash, all.seq));
                    found.extend(page.grants);
                    for (grant, some) in page.uses {
                        uses.entry(grant).or_default().extend(some);
                    }
                    if pages.arrived() {
                        break;
                    }
                }
                assert_eq!((&found, &uses), (&all.grants, &all.uses));
            }
        }
    }

    #[test]
    fn a_page_that_was_too_large_is_sent_again_in_parts() {
        let all = head((0..100).map(|number| format!("grant_{number:026}")));
        let mut pages = Pages::new(all.clone(), Some("p".to_owned()));
        let (first, process) = pages.page(MAX_REPORT_BYTES);
        assert_eq!((first.grants.len(), process), (100, Some("p")));
        let (again, _) = pages.page(2000);
        assert!(again.grants.len() < 40 && all.grants.iter().next() == again.grants.iter().next());
        assert!(!pages.arrived());
        let (rest, _) = pages.page(MAX_REPORT_BYTES);
        assert_eq!(rest.grants.len() + again.grants.len(), 100);
        assert!(pages.arrived());
    }

    #[test]
    fn a_head_without_grants_is_one_page() {
        let mut pages = Pages::new(head([]), None);
        assert!(pages.page(0).0.grants.is_empty());
        assert!(pages.arrived());
    }

    #[test]
    fn the_limit_is_halved_down_to_a_bound_and_said_once_a_minute() {
        let mut limit = ReportLimit::new();
        assert!(limit.bytes() < MAX_REPORT_BYTES);
        let mut times = 0;
        while limit.halve() {
            times += 1;
        }
        assert_eq!(times, 7);
        assert!(limit.bytes() >= MIN_BYTES);
        let now = Instant::from_seconds(1_800_000_000);
        assert!(limit.say(now).unwrap().contains("413"));
        assert_eq!(limit.say(now.after(Duration::from_secs(59))), None);
        assert!(limit.say(now.after(Duration::from_secs(60))).is_some());
        assert!(limit.say(now).is_some(), "the clock was set back");
    }
}
