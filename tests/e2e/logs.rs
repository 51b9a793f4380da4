//! What the log of a real Envoy says when what the filter asks outside fails: one line when it begins, one when it is
//! over, however many workers there are.

use std::thread::sleep;
use std::time::Duration;

use breakglass_tests::approvals::{FEED, INTROSPECTION, KEYS, Reply};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::json;

/// The lines of the filter about this source that are there so far.
fn lines(gate: &Gate, source: &str) -> Vec<String> {
    let log = gate.envoy.log();
    let ours = log.lines().filter(|line| line.contains("breakglass: ") && line.contains(source));
    ours.map(str::to_owned).collect()
}

/// The first line about this source.
fn first(gate: &Gate, source: &str) -> String {
    until(&format!("a line about {source}"), || lines(gate, source).into_iter().next())
}

#[test]
fn a_wrong_credential_is_one_line_of_all_workers() {
    let problem = r#"{"reason":"credential_unknown","status":401}"#;
    let gate = Plan::standard()
        .following_feed("2s")
        .approvals(FEED, Reply::status(401, problem))
        .workers(4)
        .start();
    let line = first(&gate, "the feed of revocations");
    for part in ["[warning]", "401 (credential_unknown)", "token_sha256 of [[proxies]]"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // By then every worker asks for itself, because nobody learns anything.
    sleep(Duration::from_secs(6));
    assert!(gate.approvals.calls(FEED).len() > 8, "they ask again and again");
    let all = lines(&gate, "the feed of revocations");
    assert_eq!(all.len(), 1, "{all:#?}");
    gate.has_its_first_vms();
}

#[test]
fn a_restart_of_the_service_is_one_line_each() {
    let mut service = Service::start();
    let gate = Plan::following(&service, "2s").workers(4).start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    let read = get("/v1/orders/17").token(&token);
    until("the feed", || (gate.send(&read).status == 200).then_some(()));
    assert_eq!(lines(&gate, "the feed of revocations"), [""; 0]);
    service.kill();
    let line = first(&gate, "the feed of revocations");
    assert!(line.contains("[warning]") && line.contains("cannot be reached"), "{line}");
    service.start_again();
    until("a line that it is well", || {
        lines(&gate, "the feed of revocations").into_iter().find(|line| line.contains("well again"))
    });
    sleep(Duration::from_secs(3));
    let all = lines(&gate, "the feed of revocations");
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all[1].contains("[info]"), "{all:#?}");
    assert!(!gate.envoy.log().contains(&token));
    gate.has_its_first_vms();
}

#[test]
fn introspection_and_keys_that_fail_are_named_with_their_cluster() {
    let gate = Plan::standard()
        .remote_keys_only("1s")
        .set("/revocation/introspection/cluster", json!("ghost"))
        .alone()
        .start();
    let read = || get("/v1/orders").token(gate.mint().sign());
    until("the keys", || (gate.send(&read()).status == 503).then_some(()));
    let line = first(&gate, "introspection (cluster ghost");
    assert!(line.contains("Envoy takes no call to this cluster"), "{line}");
    gate.approvals.reply(KEYS, Reply::status(200, "<html>"));
    let line = first(&gate, "the key set of the issuer");
    assert!(line.contains("expected JSON") && line.contains("cluster approvals"), "{line}");
    for _ in 0..20 {
        let _ = gate.send(&read());
    }
    assert_eq!(lines(&gate, "introspection (").len(), 1);
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), 0);
}
