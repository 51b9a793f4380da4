//! Alerts: whatever happens in whatever order, all that is caused is told, and never more at a time than may be.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use breakglass_core::calls::{Answer, Call};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Key, NOW, Request, Stage, alerting, claims, config, with};

const GRANTS: usize = 24;

/// After how many milliseconds a report counts as lost: its timeout, and what Envoy may be late.
const TIMEOUT: u64 = 2500;

/// The tokens of the grants, and one whose signature is not its key's.
static TOKENS: LazyLock<(Vec<String>, String)> = LazyLock::new(|| {
    let claims = with(claims(), json!({"exp": NOW + 80_000}));
    let token =
        |number| Key::new(1).sign(&with(claims.clone(), json!({"jti": format!("g{number}")})));
    let tokens: Vec<String> = (0..GRANTS).map(token).collect();
    let mut forged = tokens[0].clone();
    forged.truncate(forged.len() - 8);
    forged.push_str("AAAAAAAA");
    (tokens, forged)
});

/// No grant ends while something happens.
fn long_lived() -> Value {
    let mut config = alerting(config());
    config["issuers"][0]["max_lifetime"] = json!("24h");
    config
}

#[derive(Debug, Clone)]
enum Event {
    /// A request under a grant that covers it, or does not; several of them.
    Covered(usize),
    Outside(usize, u8),
    Forged(u8),
    Wait(u64),
    /// What comes of the report that is under way.
    Arrives,
    /// It arrives, and its answer does not.
    Lost,
    Fails(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..GRANTS).prop_map(Event::Covered),
        4 => ((0..GRANTS), 1..30_u8).prop_map(|(grant, times)| Event::Outside(grant, times)),
        1 => (1..25_u8).prop_map(Event::Forged),
        6 => prop_oneof![0..300_u64, 0..90_000_u64].prop_map(Event::Wait),
        3 => Just(Event::Arrives),
        2 => Just(Event::Lost),
        3 => (0..5_u8).prop_map(Event::Fails),
    ]
}

/// The worker, what must come of it by the rules as plain code, and what came.
struct Run {
    stage: Stage,
    seen: HashSet<usize>,
    /// Since when forged tokens are counted, and how many.
    forged: (u64, u64),
    caused: BTreeMap<&'static str, u64>,
    under_way: Option<Call>,
    last_sent: Option<u64>,
    /// The reports that the service has taken, by number.
    taken: BTreeMap<u64, Value>,
    told: BTreeMap<String, u64>,
    dropped: u64,
    counters: BTreeMap<String, u64>,
}

impl Run {
    fn now(&self) -> u64 {
        self.stage.now.as_millis()
    }

    fn causes(&mut self, kind: &'static str, count: u64) {
        *self.caused.entry(kind).or_default() += count;
    }

    fn happens(&mut self, event: Event) {
        let (tokens, forged) = &*TOKENS;
        match event {
            Event::Covered(grant) => {
                let _ = self.stage.request(1, &Request::under(&tokens[grant]));
                if self.seen.insert(grant) {
                    self.causes("first_use", 1);
                }
            }
            Event::Outside(grant, times) => {
                let request =
                    Request::new("GET", "/v2").header("x-breakglass-token", &tokens[grant]);
                for _ in 0..times {
                    let _ = self.stage.request(1, &request);
                }
                self.causes("out_of_scope", times.into());
            }
            Event::Forged(times) => {
                for _ in 0..times {
                    let _ = self.stage.request(1, &Request::under(forged));
                    if self.forged.1 == 0 || self.now() - self.forged.0 >= 60_000 {
                        self.forged = (self.now(), 0);
                    }
                    self.forged.1 += 1;
                    match self.forged.1 {
                        ..=20 => {}
                        21 => self.causes("signature_failures", 21),
                        _ => self.causes("signature_failures", 1),
                    }
                }
            }
            Event::Wait(millis) => self.stage.wait_millis(millis),
            Event::Arrives => {
                if let Some(call) = self.under_way.take() {
                    self.takes(&call);
                    self.stage.answer(&call, 200, &json!({"accepted": 1, "dropped": 0}));
                }
            }
            Event::Lost => {
                if let Some(call) = self.under_way.take() {
                    self.takes(&call);
                    let lost = Answer::TimedOut;
                    assert!(self.stage.worker.answer(call.id, &lost, self.stage.now).is_empty());
                }
            }
            Event::Fails(how) => {
                if let Some(call) = self.under_way.take() {
                    // What the service has, it does not refuse.
                    let how = if self.has(&call) { how % 4 } else { how };
                    let answer = match how {
                        0 => Answer::Failed,
                        1 => Answer::NotSent,
                        2 => Answer::Response { status: 500, body: b"" },
                        3 => Answer::Response { status: 200, body: b"[]" },
                        _ => Answer::Response { status: 413, body: b"" },
                    };
                    let steps = self.stage.worker.answer(call.id, &answer, self.stage.now);
                    assert!(steps.is_empty());
                }
            }
        }
        self.stage.logged(1);
        self.tick();
    }

    fn has(&self, call: &Call) -> bool {
        let report: Value = serde_json::from_slice(&call.body).unwrap();
        self.taken.contains_key(&report["report"]["number"].as_u64().unwrap())
    }

    /// The service takes a report: one that it has is the same as the first time, and counts for nothing.
    fn takes(&mut self, call: &Call) {
        let report: Value = serde_json::from_slice(&call.body).unwrap();
        let number = report["report"]["number"].as_u64().unwrap();
        if let Some(before) = self.taken.insert(number, report.clone()) {
            assert_eq!(before, report);
            return;
        }
        self.dropped += report["dropped"].as_u64().unwrap();
        for alert in report["alerts"].as_array().unwrap() {
            let kind = alert["kind"].as_str().unwrap().to_owned();
            *self.told.entry(kind).or_default() += alert["count"].as_u64().unwrap();
        }
    }

    fn tick(&mut self) {
        // What Envoy has not ended by then is given up: an answer after that is to nothing.
        if self.last_sent.is_some_and(|at| self.now() - at >= TIMEOUT) {
            self.under_way = None;
        }
        let tick = self.stage.tick();
        for (name, count) in tick.counters {
            *self.counters.entry(name).or_default() += count;
        }
        for call in tick.calls {
            assert!(self.under_way.is_none(), "one at a time");
            let since = self.last_sent.map(|at| self.now() - at);
            assert!(since.is_none_or(|since| since >= 250), "{since:?}");
            let report: Value = serde_json::from_slice(&call.body).unwrap();
            let alerts = report["alerts"].as_array().unwrap().len();
            assert!(call.body.len() <= 64 * 1024 && (1..=64).contains(&alerts));
            self.last_sent = Some(self.now());
            self.under_way = Some(call);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn all_that_is_caused_is_told(events in vec(event(), 1..80)) {
        let mut run = Run {
            stage: Stage::new(&long_lived()),
            seen: HashSet::new(),
            forged: (0, 0),
            caused: BTreeMap::new(),
            under_way: None,
            last_sent: None,
            taken: BTreeMap::new(),
            told: BTreeMap::new(),
            dropped: 0,
            counters: BTreeMap::new(),
        };
        for event in events {
            run.happens(event);
        }
        // The service is well again.
        for _ in 0..150 {
            run.happens(Event::Arrives);
            run.happens(Event::Wait(1000));
        }
        let caused: u64 = run.caused.values().sum();
        let told: u64 = run.told.values().sum();
        prop_assert_eq!(told + run.dropped, caused);
        let counted = |result| {
            run.counters.get(&format!("breakglass.alerts.result.{result}")).copied().unwrap_or(0)
        };
        prop_assert_eq!(counted("sent") + counted("suppressed"), told);
        prop_assert_eq!(counted("dropped"), run.dropped);
        if run.dropped == 0 {
            for (kind, count) in &run.caused {
                prop_assert_eq!(run.told.get(*kind), Some(count));
            }
        }
    }
}
