//! A dynamic module from a server (`source: Remote`) fails open. Nothing that is shipped uses one.

use std::net::TcpListener;
use std::time::Duration;

use breakglass_tests::artefacts::root;
use breakglass_tests::client::get;
use breakglass_tests::manifests::{files, objects};
use breakglass_tests::upstream::Upstream;
use breakglass_tests::wait::during;
use serde_json::{Value, json};

use crate::control::{EnvoyGateway, each};
use crate::objects::{all_shipped, backend, class, gateway, object, route, to_gateway};

fn with_module(upstream: &Upstream, source: &Value) -> Vec<Value> {
    let mut objects = all_shipped();
    objects.retain(|object| object["kind"] != "EnvoyExtensionPolicy");
    let proxy = objects.iter_mut().find(|object| object["kind"] == "EnvoyProxy").unwrap();
    proxy["spec"]["dynamicModules"] = json!([{"name": "breakglass", "source": source}]);
    let policy = json!({"targetRefs": [to_gateway("payments")],
        "dynamicModule": [{"name": "breakglass", "filterName": "breakglass", "config": {}}]});
    objects.extend([
        class(),
        gateway(&[("http", 8080)]),
        route("payments", "api", "http"),
        object("EnvoyExtensionPolicy", "payments", "breakglass", policy),
        backend("payments", upstream.address()),
    ]);
    objects
}

#[test]
fn a_module_from_a_server_that_is_away_lets_everything_pass() {
    let upstream = Upstream::start();
    // Nothing listens there.
    let source = json!({"type": "Remote", "remote": {"sha256": "ab".repeat(32),
        "url": "http://modules.internal:17090/libbreakglass.so"}});
    let control = EnvoyGateway::start(with_module(&upstream, &source));
    control.answers(8080, &get("/admin/x"), 200);
    // The filter is in the chain and in force on the route, and Envoy skips it.
    let chain = control.chains("payments/payments/http").remove(0);
    assert!(chain[0].starts_with("envoy.filters.http.dynamic_modules/"), "{chain:?}");
    let policy = "EnvoyExtensionPolicy payments/breakglass";
    assert!(control.has_condition(policy, "Accepted", "True", "Accepted"));
    // Envoy does not ask again: the server is there now, and nobody comes.
    let server = TcpListener::bind("127.0.0.4:17090").unwrap();
    server.set_nonblocking(true).unwrap();
    during(Duration::from_secs(4), || {
        assert!(server.accept().is_err(), "Envoy asks for the module");
        assert_eq!(control.send(8080, &get("/admin/x")).status, 200);
    });
}

#[test]
fn a_module_from_a_file_that_is_missing_opens_nothing() {
    let upstream = Upstream::start();
    let source = json!({"type": "Local", "local": {"path": "/usr/lib/envoy/libbreakglass.so"}});
    let control = EnvoyGateway::start(with_module(&upstream, &source));
    control.until("the listener to be refused", || {
        control.log().contains("Error adding/updating listener").then_some(())
    });
    assert_eq!(control.status(8080, &get("/admin/x")), 0);
}

#[test]
fn nothing_that_is_shipped_has_a_module_from_a_server() {
    for file in files("envoy") {
        for object in objects(&file) {
            each(&object, &mut |value| {
                assert!(value["source"]["type"] != "Remote", "{}", file.display());
            });
        }
    }
    assert!(root().join("envoy/gateway").is_dir());
}
