//! What grants are used for: whatever clients ask for and whatever becomes of the reports, what has arrived is what the
//! records say, and a client makes up no kind.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use breakglass_core::calls::Call;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Key, NOW, Request, Stage, claims, reporting_config, with};

const GRANTS: usize = 3;

/// More templates than kinds are kept apart.
const TEMPLATES: usize = 90;

/// Scope, method, rule and outcome.
type Kind = (Option<String>, String, Option<String>, String);

static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let claims = with(claims(), json!({"exp": NOW + 80_000, "scope": "orders:read many"}));
    let token =
        |number| Key::new(1).sign(&with(claims.clone(), json!({"jti": format!("g{number}")})));
    (0..GRANTS).map(token).collect()
});

fn opt(text: &Value) -> Option<String> {
    text.as_str().map(str::to_owned)
}

fn long_lived() -> Value {
    let mut config = reporting_config();
    config["issuers"][0]["max_lifetime"] = json!("24h");
    let paths: Vec<String> = (0..TEMPLATES).map(|number| format!("/m/{number}/{{id}}")).collect();
    let many = json!({"name": "many", "methods": ["GET", "PURGE"], "paths": paths});
    config["scopes"].as_array_mut().unwrap().push(many);
    config["ceiling"] = json!([{"paths": ["/v1/ledger/**"]}]);
    config
}

#[derive(Debug, Clone)]
enum Event {
    /// A request under a grant.
    Asks(usize, String, String),
    /// The same for each template.
    AsksForAll(usize),
    Wait(u64),
    Arrives,
    TooLarge,
    Fails,
}

fn event() -> impl Strategy<Value = Event> {
    let method = prop_oneof![
        4 => Just("GET".to_owned()),
        1 => Just("PURGE".to_owned()),
        2 => "POST|DELETE|HEAD|PROPFIND|get",
        2 => "[A-Z!-]{1,12}",
    ];
    let path = prop_oneof![
        2 => Just("/v1/orders".to_owned()),
        2 => "/v1/orders/[a-z0-9]{1,9}",
        2 => "/m/[0-9]{1,2}/[a-z]{1,9}",
        1 => "/v1/ledger/[a-z]{1,9}",
        1 => "/[a-z]{1,9}",
    ];
    prop_oneof![
        12 => (0..GRANTS, method, path).prop_map(|(grant, method, path)| Event::Asks(grant, method, path)),
        1 => (0..GRANTS).prop_map(Event::AsksForAll),
        4 => (0..9_000_u64).prop_map(Event::Wait),
        4 => Just(Event::Arrives),
        1 => Just(Event::TooLarge),
        1 => Just(Event::Fails),
    ]
}

/// The service, as plain code: the highest count of each grant and kind.
#[derive(Default)]
struct Service {
    grants: BTreeMap<String, u64>,
    uses: BTreeMap<(String, Kind), u64>,
}

impl Service {
    fn takes(&mut self, call: &Call) {
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        for head in body["heads"].as_array().unwrap() {
            for (grant, count) in head["grants"].as_object().unwrap() {
                let count = count.as_u64().unwrap();
                let known = self.grants.entry(grant.clone()).or_default();
                *known = count.max(*known);
            }
            for (grant, uses) in head["uses"].as_object().into_iter().flatten() {
                assert!(head["grants"][grant].is_u64(), "{head}");
                for used in uses.as_array().unwrap() {
                    let text = |name: &str| used[name].as_str().unwrap().to_owned();
                    let kind =
                        (opt(&used["scope"]), text("method"), opt(&used["rule"]), text("outcome"));
                    let known = self.uses.entry((grant.clone(), kind)).or_default();
                    *known = used["records"].as_u64().unwrap().max(*known);
                }
            }
        }
    }
}

struct Run {
    stage: Stage,
    stream: u32,
    /// What the records say.
    records: BTreeMap<String, u64>,
    kinds: BTreeMap<(String, Kind), u64>,
    under_way: Option<Call>,
    service: Service,
}

impl Run {
    fn asks(&mut self, grant: usize, method: &str, path: &str) {
        self.stream += 1;
        let request = Request::new(method, path).header("x-breakglass-token", &TOKENS[grant]);
        let _ = self.stage.request(self.stream, &request);
        let record = self.stage.logged(self.stream).unwrap();
        let Some(grant) = record["grant"].as_str() else { return };
        *self.records.entry(grant.to_owned()).or_default() += 1;
        let text = |name: &str| record[name].as_str().unwrap().to_owned();
        let known = ["GET", "HEAD", "POST", "DELETE", "PROPFIND"].contains(&method)
            || text("decision") == "allow";
        let method = if known { method.to_owned() } else { "other".to_owned() };
        let kind = (opt(&record["scope"]), method, opt(&record["rule"]), text("decision"));
        *self.kinds.entry((grant.to_owned(), kind)).or_default() += 1;
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Asks(grant, method, path) => self.asks(grant, &method, &path),
            Event::AsksForAll(grant) => {
                (0..TEMPLATES)
                    .for_each(|number| self.asks(grant, "GET", &format!("/m/{number}/a")));
            }
            Event::Wait(millis) => self.stage.wait_millis(millis),
            Event::Arrives => self.answered(200),
            Event::TooLarge => self.answered(413),
            Event::Fails => self.answered(503),
        }
        let calls = self.stage.tick().calls;
        // Of several the last one counts: the others' time was over.
        self.under_way = calls.into_iter().last().or(self.under_way.take());
    }

    fn answered(&mut self, status: u16) {
        let Some(call) = self.under_way.take() else { return };
        if status == 200 {
            self.service.takes(&call);
        }
        self.stage.answer(&call, status, &json!({}));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_arrives_is_what_the_records_say(events in vec(event(), 1..80)) {
        let mut run = Run {
            stage: Stage::new(&long_lived()),
            stream: 0,
            records: BTreeMap::new(),
            kinds: BTreeMap::new(),
            under_way: None,
            service: Service::default(),
        };
        events.into_iter().for_each(|event| run.happens(event));
        // Everything arrives in the end.
        for _ in 0..60 {
            run.happens(Event::Wait(5_000));
            while run.under_way.is_some() {
                run.happens(Event::Arrives);
            }
        }
        prop_assert_eq!(&run.service.grants, &run.records);
        for grant in run.records.keys() {
            let of = |all: &BTreeMap<(String, Kind), u64>| -> BTreeMap<Kind, u64> {
                let own = all.iter().filter(|((of, _), _)| of == grant);
                own.map(|((_, kind), count)| (kind.clone(), *count)).collect()
            };
            let (said, written) = (of(&run.service.uses), of(&run.kinds));
            prop_assert_eq!(said.len(), written.len().min(64));
            // Each kind that is said at all is said whole: the rest are `other_records`.
            for (kind, count) in &said {
                prop_assert_eq!(written.get(kind), Some(count), "{:?}", kind);
            }
        }
    }
}
