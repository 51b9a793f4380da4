//! What a mistake does: a configuration that the filter refuses, a server of modules that is away.

use breakglass_tests::client::get;
use breakglass_tests::upstream::Upstream;
use breakglass_tests::wait::during;
use serde_json::{Value, json};
use std::time::Duration;

use crate::control::EnvoyGateway;
use crate::objects::{all_shipped, backend, class, gateway, name, route};
use crate::world::name_hosts;

const POLICY: &str = "EnvoyExtensionPolicy payments/breakglass";

fn cluster(upstream: &Upstream) -> Vec<Value> {
    let mut objects = all_shipped();
    objects.extend([
        class(),
        gateway(&[("http", 8080)]),
        route("payments", "api", "http"),
        backend("payments", upstream.address()),
    ]);
    objects
}

/// The shipped policy, with a field that there is none of.
fn wrong(objects: &[Value]) -> Value {
    let mut policy = objects.iter().find(|object| name(object) == POLICY).unwrap().clone();
    policy["spec"]["wasm"][0]["config"]["proteccted"] = json!([]);
    policy
}

#[test]
fn a_wrong_configuration_is_accepted_and_serves_on_where_it_was_and_nothing_where_it_is_new() {
    let upstream = Upstream::start();
    let mut control = EnvoyGateway::start(cluster(&upstream));
    control.answers(8080, &get("/admin/x"), 401);
    control.answers(8080, &get("/v1/orders"), 200);
    let wrong = wrong(&cluster(&upstream));
    control.apply(wrong.clone());
    control.until("the filter to refuse it", || control.log().contains("proteccted").then_some(()));
    assert!(control.has_condition(POLICY, "Accepted", "True", "Accepted"));
    during(Duration::from_millis(500), || {
        assert_eq!(control.send(8080, &get("/admin/x")).status, 401);
        assert_eq!(control.send(8080, &get("/v1/orders")).status, 200);
    });
    println!("lds.update_rejected {}", control.counter("listener_manager.lds.update_rejected"));
    println!("lds.update_success {}", control.counter("listener_manager.lds.update_success"));
    // What comes after it does not arrive either: a ceiling on everything.
    let mut later = wrong.clone();
    later["spec"]["wasm"][0]["config"]["ceiling"] = json!([{"paths": ["/**"]}]);
    control.apply(later);
    during(Duration::from_secs(1), || {
        assert_eq!(control.send(8080, &get("/v1/orders")).status, 200);
    });
    for line in control.log().lines().filter(|line| line.contains("proteccted")).take(3) {
        println!("{line}");
    }
    drop(control);

    let mut objects = cluster(&upstream);
    objects.retain(|object| name(object) != POLICY);
    objects.push(wrong);
    let fresh = EnvoyGateway::start(objects);
    fresh.answers(8080, &get("/v1/orders"), 503);
    assert_eq!(fresh.send(8080, &get("/admin/x")).status, 503);
    assert!(fresh.has_condition(POLICY, "Accepted", "True", "Accepted"));
}

#[test]
fn without_the_server_of_modules_a_fresh_proxy_opens_no_listener() {
    let upstream = Upstream::start();
    // An address to which there is no way.
    let _away = Away::begin();
    let control = EnvoyGateway::start(cluster(&upstream));
    control.until("the policy to be accepted", || {
        control.has_condition(POLICY, "Accepted", "True", "Accepted").then_some(())
    });
    control.until("Envoy to ask for the module", || {
        (control.counter("cluster.wasm_cluster.upstream_rq_total")
            + control.counter("cluster.wasm_cluster.upstream_cx_connect_fail")
            > 0)
        .then_some(())
    });
    during(Duration::from_secs(1), || {
        assert_eq!(control.status(8080, &get("/v1/orders")), 0);
    });
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

#[test]
fn an_image_with_another_digest_is_not_accepted() {
    let upstream = Upstream::start();
    let mut objects = cluster(&upstream);
    for object in &mut objects {
        if name(object) == POLICY {
            object["spec"]["wasm"][0]["code"]["image"]["sha256"] = json!("ab".repeat(32));
        }
    }
    let control = EnvoyGateway::start(objects);
    control.answers(8080, &get("/v1/orders"), 500);
    assert!(control.has_condition(POLICY, "Accepted", "False", "Invalid"));
    println!("{}", control.object_status(POLICY).unwrap());
}
