//! `mergeGateways`: one Envoy for several Gateways, whose EnvoyProxy is that of the GatewayClass.

use breakglass_tests::client::get;
use breakglass_tests::upstream::Upstream;
use serde_json::json;

use crate::control::EnvoyGateway;
use crate::objects::{all_shipped, backend, class, gateway, route};

#[test]
fn one_envoy_for_several_gateways_guards_the_routes_of_the_one_that_is_named() {
    let upstream = Upstream::start();
    let mut objects = all_shipped();
    let proxy = objects.iter_mut().find(|object| object["kind"] == "EnvoyProxy").unwrap();
    proxy["spec"]["mergeGateways"] = json!(true);
    let mut class = class();
    class["spec"]["parametersRef"] = json!({"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy",
        "name": "breakglass", "namespace": "payments"});
    let mut payments = gateway(&[("http", 8080)]);
    payments["spec"].as_object_mut().unwrap().remove("infrastructure");
    payments["spec"]["listeners"][0]["hostname"] = json!("*.example");
    let mut other = payments.clone();
    other["metadata"]["name"] = json!("other");
    other["spec"]["listeners"][0]["hostname"] = json!("other.internal");
    let mut other_route = route("payments", "other", "http");
    other_route["spec"]["parentRefs"][0]["name"] = json!("other");
    objects.extend([
        class,
        payments,
        other,
        route("payments", "api", "http"),
        other_route,
        backend("payments", upstream.address()),
    ]);
    let control = EnvoyGateway::start(objects);
    control.answers(8080, &get("/admin/x").host("api.example"), 401);
    // One listener and one chain for both: the filter is in it, and in force on the routes of its Gateway only.
    let open = get("/admin/x").host("other.internal").header("x-breakglass-grant", "grant_forged");
    assert_eq!(control.send(8080, &open).status, 200);
    let chains = control.chains("payments/other/http");
    assert_eq!(chains.len(), 1, "{chains:?}");
    for chain in chains {
        println!("{}", chain.join(" "));
        assert!(chain[0].starts_with("envoy.filters.http.wasm/"), "{chain:?}");
    }
}
