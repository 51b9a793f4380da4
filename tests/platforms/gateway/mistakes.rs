//! What a mistake does: a configuration that the filter refuses, a digest that is not the image's, a server of modules
//! that is away; to a proxy that runs, and to a fresh one.

use std::time::Duration;

use breakglass_tests::client::{Request, get};
use breakglass_tests::upstream::Upstream;
use breakglass_tests::wait::during;
use serde_json::{Value, json};

use crate::control::EnvoyGateway;
use crate::objects::{all_served, name, shipped};
use crate::world::name_hosts;

const POLICY: &str = "EnvoyExtensionPolicy payments/breakglass";

fn cluster(upstream: &Upstream) -> Vec<Value> {
    all_served(upstream.address())
}

/// The shipped policy.
fn policy() -> Value {
    shipped("envoyextensionpolicy.yaml").remove(0)
}

/// The same, with a field that there is none of.
fn wrong_field() -> Value {
    let mut policy = policy();
    policy["spec"]["wasm"][0]["config"]["proteccted"] = json!([]);
    policy
}

/// The same, with the digest of another image.
fn wrong_digest() -> Value {
    let mut policy = policy();
    policy["spec"]["wasm"][0]["code"]["image"]["sha256"] = json!("ab".repeat(32));
    policy
}

fn order() -> Request {
    get("/v1/orders")
}

fn is_accepted(control: &EnvoyGateway) -> bool {
    control.has_condition(POLICY, "Accepted", "True", "Accepted")
}

/// For as long as it lives, the server of modules is at an address to which there is no way.
struct Away;

impl Away {
    fn begin() -> Away {
        name_hosts("10.255.255.1");
        Away
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        name_hosts("127.0.0.1");
    }
}

/// Those that it refused.
fn refused_updates(control: &EnvoyGateway) -> u64 {
    control.counter("listener_manager.lds.update_rejected")
}

#[test]
fn a_running_proxy_refuses_under_a_wrong_digest_and_serves_on_by_the_old_configuration_under_a_wrong_one()
 {
    let upstream = Upstream::start();
    let mut control = EnvoyGateway::start(cluster(&upstream));
    control.answers(8080, &get("/admin/x"), 401);
    // Without the server of modules: it has the module.
    let away = Away::begin();
    during(Duration::from_secs(1), || assert_eq!(control.send(8080, &get("/admin/x")).status, 401));
    drop(away);
    // A digest that is not the image's.
    control.apply(wrong_digest());
    control.answers(8080, &order(), 500);
    assert!(control.has_condition(POLICY, "Accepted", "False", "Invalid"));
    control.apply(policy());
    control.answers(8080, &order(), 200);
    control.answers(8080, &get("/admin/x"), 401);
    // A configuration that the filter refuses.
    assert_eq!(refused_updates(&control), 0);
    control.apply(wrong_field());
    control.until("the update to be refused", || {
        (refused_updates(&control) > 0 && control.log().contains("proteccted")).then_some(())
    });
    assert!(is_accepted(&control));
    assert_eq!(control.send(8080, &get("/admin/x")).status, 401);
    assert_eq!(control.send(8080, &order()).status, 200);
    // Nothing later arrives at that listener either, whatever object it is in.
    let encoded = get("/v1%2Forders");
    assert_eq!(control.send(8080, &encoded).status, 200);
    let mut paths = shipped("clienttrafficpolicy.yaml").remove(0);
    paths["spec"]["path"]["escapedSlashesAction"] = json!("RejectRequest");
    control.apply(paths);
    control
        .until("the next update to be refused", || (refused_updates(&control) > 1).then_some(()));
    assert_eq!(control.send(8080, &encoded.renewed()).status, 200);
}

/// The cluster with another policy.
fn cluster_with(upstream: &Upstream, policy: Value) -> Vec<Value> {
    let mut objects = cluster(upstream);
    objects.retain(|object| name(object) != POLICY);
    objects.push(policy);
    objects
}

#[test]
fn a_fresh_proxy_refuses_everything_under_a_wrong_configuration_that_is_accepted() {
    let upstream = Upstream::start();
    let control = EnvoyGateway::start(cluster_with(&upstream, wrong_field()));
    control.answers(8080, &order(), 503);
    assert_eq!(control.send(8080, &get("/admin/x")).status, 503);
    assert!(is_accepted(&control));
    // What an alert can look for.
    control.until("the log", || {
        let mut records = control.records().into_iter();
        records.any(|record| record.details().contains("wasm_fail_stream")).then_some(())
    });
}

#[test]
fn a_fresh_proxy_refuses_everything_under_a_wrong_digest_that_is_not_accepted() {
    let upstream = Upstream::start();
    let control = EnvoyGateway::start(cluster_with(&upstream, wrong_digest()));
    control.answers(8080, &order(), 500);
    assert_eq!(control.send(8080, &get("/admin/x")).status, 500);
    assert!(control.has_condition(POLICY, "Accepted", "False", "Invalid"));
}

#[test]
fn a_fresh_proxy_opens_no_listener_without_the_server_of_modules() {
    let upstream = Upstream::start();
    let _away = Away::begin();
    let control = EnvoyGateway::start(cluster(&upstream));
    control.until("Envoy to ask for the module", || {
        let asked = control.counter("cluster.wasm_cluster.upstream_rq_total");
        let failed = control.counter("cluster.wasm_cluster.upstream_cx_connect_fail");
        (asked + failed > 0).then_some(())
    });
    assert!(is_accepted(&control));
    during(Duration::from_secs(1), || assert_eq!(control.status(8080, &order()), 0));
}
