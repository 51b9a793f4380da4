//! Real applications behind the gate: what a rule covers stays covered, however a request is spelled that the
//! application obeys.
//!
//! `scripts/setup` fetches them (`scripts/fetch-applications`).

mod apache;
mod verdaccio;

use std::net::SocketAddr;
use std::thread;

use breakglass_tests::applications::Application;
use breakglass_tests::client::{Answer, Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::spellings::{Spelling, sample};
use serde_json::{Value, json};

/// How many spellings of a path are tried.
const SPELLINGS: usize = 500;

/// How many of them have to be obeyed where no rule stands, or trying them proves nothing.
const OBEYED: usize = 10;

/// In the body of whatever is protected, and of nothing else.
const MARKER: &str = "crown-jewels-5b1f";

/// In the body of whatever is open.
const OPEN: &str = "free-for-all-9c2e";

/// A gate before an application: what `rules` name needs a permit, and no permit opens it; a scope opens all.
fn plan(application: &Application, rules: &Value, methods: &[&str]) -> Plan {
    Plan::standard()
        .before(application.address())
        .set("/protected", rules.clone())
        .set("/ceiling", rules.clone())
        .set("/scopes", json!([{"name": "all", "methods": methods, "paths": ["/", "/**"]}]))
}

/// The same gate without these rules.
fn without_rules(application: &Application) -> Gate {
    plan(application, &json!([{"paths": ["/nothing/here"]}]), &["GET"]).start()
}

/// The request goes to the application under a permit: its answer.
fn permitted(gate: &Gate, request: &Request) -> Answer {
    let answer = gate.send(request);
    let record = gate.envoy.record(&request.id);
    let audit = record.audit().unwrap_or_else(|| panic!("a record of {request:?}: {answer:?}"));
    assert_eq!(audit.text_of("decision"), Some("allow"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some("permit"), "{}", audit.text);
    answer
}

/// The request goes to the application as if there were no filter: its answer.
fn passed(gate: &Gate, request: &Request) -> Answer {
    let answer = gate.send(request);
    let record = gate.envoy.record(&request.id);
    assert!(record.audit().is_none(), "{request:?}: {}", record.line());
    answer
}

/// Through `gate` no spelling of `path` shows its marker, with or without a token; where no rule stands, some do.
fn assert_hidden(gate: &Gate, open: &Gate, path: &str) {
    let spellings = sample(path, SPELLINGS);
    let obeyed = showing(open, &spellings, None);
    let enough = obeyed.len() >= OBEYED;
    assert!(enough, "{path} is obeyed in {} spellings only: {obeyed:#?}", obeyed.len());
    let token = gate.mint().scope("all").sign();
    for token in [None, Some(&*token)] {
        let shown = showing(gate, &spellings, token);
        assert!(shown.is_empty(), "{path} with a token: {}: {shown:#?}", token.is_some());
    }
    gate.has_its_first_vms();
}

/// The spellings whose answers show the marker.
fn showing(gate: &Gate, spellings: &[Spelling], token: Option<&str>) -> Vec<String> {
    let address = gate.envoy.address();
    let part = spellings.len().div_ceil(4);
    thread::scope(|scope| {
        let parts = spellings.chunks(part);
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || showing_of(address, part, token))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn showing_of(address: SocketAddr, spellings: &[Spelling], token: Option<&str>) -> Vec<String> {
    let shows = |spelling: &&Spelling| {
        let request = get(&spelling.target);
        let request = match token {
            Some(token) => request.token(token),
            None => request,
        };
        let answer =
            request.try_send(address).unwrap_or_else(|error| panic!("{spelling:?}: {error}"));
        contains(&answer, MARKER)
    };
    let named = |spelling: &Spelling| {
        format!("{} ({})", String::from_utf8_lossy(&spelling.target).escape_debug(), spelling.class)
    };
    spellings.iter().filter(shows).map(named).collect()
}

fn contains(answer: &Answer, marker: &str) -> bool {
    answer.body.windows(marker.len()).any(|window| window == marker.as_bytes())
}
