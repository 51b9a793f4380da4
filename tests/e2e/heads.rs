//! The heads of the audit chains, as they arrive at the service: whose they are, that idle ones are
//! repeated by one report of one VM, and that a chain says when it has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use breakglass_core::audit::ChainKey;
use breakglass_tests::approvals::Reply;
use breakglass_tests::bootstrap::Delivery;
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::{PROXY_TOKEN, standard};
use breakglass_tests::wait::{timed, until, until_within};
use serde_json::{Value, json};

use crate::trail;

const HEADS: &str = "/v1/audit/heads";

fn accepted() -> Reply {
    Reply::json(&json!({"accepted": 1, "conflicts": 0}))
}

fn plan() -> Plan {
    Plan::standard().set("/audit", trail::audit()).approvals(HEADS, accepted())
}

/// The reports so far, in the order in which they came.
fn reports(gate: &Gate) -> Vec<Value> {
    let calls = gate.approvals.calls(HEADS);
    calls.iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect()
}

fn heads(report: &Value) -> &Vec<Value> {
    report["heads"].as_array().unwrap()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("`{member}` in {value}"))
}

/// The last number of each chain in the log, with its hash.
fn logged(gate: &Gate) -> BTreeMap<String, (u64, String)> {
    let mut chains = BTreeMap::new();
    for record in gate.envoy.records() {
        let Some(audit) = record.audit() else { continue };
        let Some(seq) = audit.of("seq").as_u64() else { continue };
        let chain = audit.text_of("chain").unwrap().to_owned();
        let head = (seq, audit.text_of("hash").unwrap().to_owned());
        let last = chains.entry(chain).or_insert_with(|| head.clone());
        *last = head.max(last.clone());
    }
    chains
}

/// The last head that was reported of each chain, and whether it has ended.
fn reported(gate: &Gate) -> BTreeMap<String, (u64, String, bool)> {
    let mut chains = BTreeMap::new();
    for report in reports(gate) {
        for head in heads(&report) {
            let said = (
                head["seq"].as_u64().unwrap(),
                text(head, "hash").to_owned(),
                head["ended"].as_bool().unwrap(),
            );
            chains.insert(text(head, "chain").to_owned(), said);
        }
    }
    chains
}

/// Sends requests until so many workers have a chain.
fn until_chains(gate: &Gate, count: usize) {
    until("every worker to serve", || {
        gate.allows(&get("/v1/orders").token(gate.mint().sign()));
        (logged(gate).len() == count).then_some(())
    });
}

/// Waits until all that is in the log was reported, with these chains ended and the others not.
fn until_said(gate: &Gate, ended: &BTreeSet<String>) {
    until("the heads of all that is in the log", || {
        let said = reported(gate);
        let is_said = |(chain, (seq, hash)): (String, (u64, String))| {
            let ended = ended.contains(&chain);
            said.get(&chain) == Some(&(seq, hash, ended))
        };
        logged(gate).into_iter().all(is_said).then_some(())
    });
}

fn chains(gate: &Gate) -> BTreeSet<String> {
    logged(gate).into_keys().collect()
}

/// Replaces the configuration, and waits until every worker serves by the new one.
fn update(gate: &mut Gate, change: impl Fn(&mut Value), vms: bool) {
    let mut next = standard(&[&gate.key]);
    next["audit"] = trail::audit();
    next["scopes"][0]["paths"].as_array_mut().unwrap().push(json!("/v1/invoices"));
    change(&mut next);
    if vms {
        gate.envoy.update_vms(&next.to_string());
    } else {
        gate.envoy.update(&next.to_string());
    }
    until("the new configuration", || {
        let request = get("/v1/invoices").token(gate.mint().sign());
        (gate.send(&request).status == 200).then_some(())
    });
}

#[test]
fn all_workers_name_one_process_and_one_of_them_repeats_the_heads_of_all() {
    let gate = plan().workers(4).start();
    until_chains(&gate, 4);
    until_said(&gate, &BTreeSet::new());
    let first = reports(&gate);
    let id = text(&first[0], "process").to_owned();
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(id.len() == 32 && id.bytes().all(is_hex), "{id}");
    let key = ChainKey::from_credential(PROXY_TOKEN);
    for chain in chains(&gate) {
        let bytes = u128::from_str_radix(&chain, 16).unwrap().to_be_bytes();
        assert!(key.made(&bytes), "{chain}");
    }
    // From here on nothing is new. A minute is what the documents say.
    let (repeats, took) = timed(|| {
        until_within(Duration::from_secs(75), "the heads to be repeated", || {
            let repeats: Vec<Value> = reports(&gate).split_off(first.len());
            let said: BTreeSet<&str> =
                repeats.iter().flat_map(heads).map(|head| text(head, "chain")).collect();
            (said.len() == 4).then_some(repeats)
        })
    });
    println!("repeated after {took:?}");
    assert_eq!(repeats.len(), 1, "{repeats:?}");
    assert_eq!(heads(&repeats[0]).len(), 4, "{repeats:?}");
    let log = logged(&gate);
    for head in heads(&repeats[0]) {
        assert_eq!((&head["grants"], &head["ended"]), (&json!({}), &json!(false)));
        let (seq, hash) = &log[text(head, "chain")];
        assert_eq!((&head["seq"], &head["hash"]), (&json!(seq), &json!(hash)));
    }
    let all = reports(&gate);
    assert!(all.iter().all(|report| text(report, "process") == id), "{all:?}");
    gate.has_its_first_vms();
    // Another Envoy is another process.
    let other = plan().start();
    until_chains(&other, 1);
    until_said(&other, &BTreeSet::new());
    assert_ne!(text(&reports(&other)[0], "process"), id);
}

fn says_that_its_chains_have_ended(plan: Plan, delivery: Delivery, vms: bool) -> Gate {
    let mut gate = plan.delivered_by(delivery).workers(2).start();
    until_chains(&gate, 2);
    // Not everything is reported yet.
    let old = chains(&gate);
    let credential = reports(&gate).iter().all(|report| report.get("process").is_some());
    update(
        &mut gate,
        |next| {
            if !credential {
                next["revocation"].as_object_mut().unwrap().remove("credential");
            }
        },
        vms,
    );
    until_chains(&gate, 4);
    until_said(&gate, &old);
    let said = |report: &Value| -> Vec<(String, bool)> {
        let of = |head: &Value| (text(head, "chain").to_owned(), head["ended"] == true);
        heads(report).iter().map(of).collect()
    };
    let said: Vec<(String, bool)> = reports(&gate).iter().flat_map(said).collect();
    for chain in &old {
        let ended = said.iter().position(|(of, ended)| of == chain && *ended).unwrap();
        let later = &said[ended + 1..];
        assert!(later.iter().all(|(of, ended)| of != chain || *ended), "{said:?}");
    }
    gate
}

#[test]
fn a_chain_says_that_it_has_ended_when_a_listener_update_replaces_its_configuration() {
    let plan = plan().draining_for(1);
    let gate = says_that_its_chains_have_ended(plan, Delivery::Listener, false);
    gate.has_its_first_vms();
}

#[test]
fn a_chain_says_that_it_has_ended_when_an_extension_update_replaces_its_configuration() {
    let gate = says_that_its_chains_have_ended(plan(), Delivery::Extension, false);
    gate.has_its_first_vms();
}

#[test]
fn another_vm_says_that_a_chain_has_ended_whose_vm_was_replaced() {
    let gate = says_that_its_chains_have_ended(plan(), Delivery::Extension, true);
    let ids: BTreeSet<String> =
        reports(&gate).iter().map(|report| text(report, "process").to_owned()).collect();
    assert_eq!(ids.len(), 1, "one process: {ids:?}");
}

#[test]
fn a_chain_says_that_it_has_ended_without_a_credential_too() {
    let plan = plan().filter(|filter| {
        filter["revocation"].as_object_mut().unwrap().remove("credential");
    });
    let gate = says_that_its_chains_have_ended(plan, Delivery::Extension, false);
    assert!(reports(&gate).iter().all(|report| report.get("process").is_none()));
}

#[test]
fn an_envoy_ends_in_order_while_the_end_of_a_chain_cannot_be_reported() {
    for delivery in [Delivery::Listener, Delivery::Extension] {
        let mut gate = plan().draining_for(1).delivered_by(delivery).workers(2).start();
        until_chains(&gate, 2);
        until_said(&gate, &BTreeSet::new());
        let old = chains(&gate);
        gate.approvals.reply(HEADS, Reply::Never);
        update(&mut gate, |_| {}, false);
        let said = |gate: &Gate| {
            let said = reported(gate);
            old.iter().all(|chain| said.get(chain).is_some_and(|(.., ended)| *ended))
        };
        until("the end to be said", || said(&gate).then_some(()));
        // The call hangs. What is dropped here is checked to end with 0 and without a crash.
        drop(gate);
    }
}

/// Something between the proxy and the service takes no report of this size.
#[test]
fn a_report_that_is_too_large_is_said_and_arrives_once_it_is_taken() {
    let gate = plan().approvals(HEADS, Reply::status(413, "{}")).alone().start();
    until_chains(&gate, 1);
    until("a report that is refused", || {
        (gate.envoy.stats().of("wasmcustom.breakglass.heads.result.too_large") >= 2).then_some(())
    });
    assert!(gate.envoy.log().contains("takes no report of heads of this size (413)"));
    gate.approvals.reply(HEADS, accepted());
    until_said(&gate, &BTreeSet::new());
    gate.has_its_first_vms();
}
