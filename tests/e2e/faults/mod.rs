//! Faults around the filter, one test for each: what the client sees meanwhile, what the audit says,
//! and how long it takes until all is known again. The times to recover are those of
//! `docs/operations.md`.
//!
//! In each of them no request hangs, a revoked grant is never let through, and nobody has to do
//! anything for it to end.

mod configuration;
mod proxy;
mod service;

use std::time::Duration;

use breakglass_tests::approvals::Reply;
use breakglass_tests::client::get;
use breakglass_tests::gate::Gate;
use breakglass_tests::tokens::now;
use breakglass_tests::wait::{timed, until};
use serde_json::{Value, json};

/// How long a request may take, whatever is broken: `introspection.timeout` is 500 ms, or nobody is
/// asked; half a second comes on top of it, and the rest is a busy machine.
const BOUND: Duration = Duration::from_millis(2_000);

/// `max_staleness` in these tests.
const STALENESS: Duration = Duration::from_secs(2);

/// What became of a request: the reason of a refusal, and of a permit.
fn ask(gate: &Gate, token: &str) -> String {
    let request = get("/v1/orders").token(token);
    let (answer, took) = timed(|| gate.send(&request));
    assert!(took < BOUND, "a request took {took:?}");
    let record = gate.envoy.record(&request.id);
    let audit = record.audit().map(|audit| audit.text_of("reason").unwrap().to_owned());
    let audit = audit.unwrap_or_else(|| panic!("an audit record in {}", record.line()));
    let decision = record.audit().unwrap().text_of("decision").unwrap();
    if answer.status == 200 {
        assert_eq!(decision, "allow", "{}", record.line());
    } else {
        // A request that the upstream had not answered yet may be cut.
        assert!(["deny", "cut"].contains(&decision), "{}", record.line());
        assert_eq!(answer.json()["reason"], *audit, "the audit says what the client was told");
    }
    // What was cut may have been on its way.
    let seen = gate.upstream.saw(&request.id).is_some();
    assert!(decision == "cut" || seen == (decision == "allow"), "{}", record.line());
    audit
}

/// Whether a reason is one for which a request is let through.
fn is_permit(reason: &str) -> bool {
    reason.starts_with("permit")
}

/// Asks with a token until the reason is this one: how long that took, and what was said before.
fn until_it_is(gate: &Gate, token: &str, reason: &str) -> (Duration, Vec<String>) {
    let mut before = Vec::new();
    let ((), took) = timed(|| {
        until(reason, || {
            let said = ask(gate, token);
            let reached = said == reason;
            if before.last() != Some(&said) {
                before.push(said);
            }
            reached.then_some(())
        });
    });
    before.pop();
    (took, before)
}

/// A grant that was revoked and is known to be: it is never let through again.
struct Revoked(String);

impl Revoked {
    fn still(&self, gate: &Gate) {
        assert_eq!(ask(gate, &self.0), "revoked");
    }
}

/// All that a feed knows, as its stand-in says it.
fn all(epoch: u64, revoked: &[&str]) -> Value {
    let entry = |jti: &&str| json!({"jti": jti, "exp": now() + 600});
    let revoked: Vec<_> = revoked.iter().map(entry).collect();
    json!({"epoch": epoch, "revoked": revoked, "reset": true, "feed": "f"})
}

fn news(epoch: u64, revoked: &[&str]) -> Reply {
    Reply::json(&all(epoch, revoked))
}
