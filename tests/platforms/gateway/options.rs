//! `envoy/gateway/options`: what an EnvoyPatchPolicy can do that no field can.

use std::time::Duration;

use breakglass_tests::client::{Request, get};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::service::Service;
use breakglass_tests::tokens::since_1970;
use breakglass_tests::upstream::Upstream;
use breakglass_tests::wait::during;
use serde_json::{Value, json};

use crate::control::{EnvoyGateway, each};
use crate::objects::{all_served, object, policy, shipped};
use crate::world::route_to;

const POLICY: &str = "EnvoyExtensionPolicy payments/breakglass";

fn cluster(upstream: &Upstream, more: Vec<Value>) -> Vec<Value> {
    let mut objects = all_served(upstream.address());
    objects.extend(more);
    objects
}

/// A way to ask for an order.
fn order() -> Request {
    get("/v1/orders/17")
}

/// A permit opens it; nothing else does, and nothing at all when breakglass is gone.
fn assert_opens_for_a_permit_alone(security: Value, options: &[&str], closed: u16) {
    let (service, upstream) = (Service::start(), Upstream::start());
    route_to(&service);
    let mut more = vec![policy("SecurityPolicy", "payments", "api", security)];
    more.extend(options.iter().flat_map(|file| shipped(&format!("options/{file}"))));
    let names: Vec<String> = more.iter().skip(1).map(crate::objects::name).collect();
    let mut control = EnvoyGateway::start(cluster(&upstream, more));
    control.answers(8080, &get("/admin/x"), 401);
    for name in &names {
        assert!(control.has_condition(name, "Programmed", "True", "Programmed"), "{name}");
    }
    let (_, token) = service.grant(&["orders:read"], "10m");
    control.answers(8080, &order().token(&token), 200);
    let forged = |request: Request| {
        request
            .header("x-breakglass-grant", "grant_forged")
            .header("x-breakglass-decision", "allow")
    };
    let never = |control: &EnvoyGateway| {
        assert_eq!(control.send(8080, &order()).status, closed);
        assert_eq!(control.send(8080, &forged(order())).status, closed);
    };
    never(&control);
    assert_eq!(control.send(8080, &get("/v1/invoices").token(&token)).status, 403);
    // Breakglass goes, and what it opened is closed.
    control.delete(POLICY);
    control.answers(8080, &order().token(&token), closed);
    never(&control);
    assert_eq!(control.send(8080, &forged(order()).token(&token)).status, closed);
}

/// Nothing listens there.
fn dead_service() -> Value {
    object(
        "Backend",
        "payments",
        "dead",
        json!({"endpoints":
        [{"ip": {"address": "127.0.0.1", "port": 1}}]}),
    )
}

fn authorization() -> Value {
    json!({"authorization": {"defaultAction": "Deny", "rules": [{"action": "Allow",
        "principal": {"clientCIDRs": ["10.0.0.0/8"]}}]}})
}

fn ext_authz() -> Value {
    json!({"extAuth": {"http": {"backendRefs":
        [{"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "dead"}]}}})
}

fn jwt() -> Value {
    let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "x", "alg": "ES256", "use": "sig",
        "x": "jI5F2CcqMuhywK5076boVDCf_g_xGM4QjKVoFT4sJLY",
        "y": "HxUqFOscc0z47gDtQvKsMA3e3ET9rgSSS3i7zn8rQ5k"}]});
    json!({"jwt": {"providers": [{"name": "idp", "issuer": "https://idp.internal",
        "localJWKS": {"type": "Inline", "inline": keys.to_string()}}]}})
}

#[test]
fn a_permit_opens_authorization_and_a_forged_header_does_not() {
    assert_opens_for_a_permit_alone(authorization(), &["open-authorization.yaml"], 403);
}

#[test]
fn a_permit_passes_ext_authz_whose_service_is_down() {
    let (service, upstream) = (Service::start(), Upstream::start());
    route_to(&service);
    let more = vec![policy("SecurityPolicy", "payments", "api", ext_authz()), dead_service()];
    let mut control = EnvoyGateway::start(cluster(&upstream, more));
    control.answers(8080, &get("/admin/x"), 401);
    let (_, token) = service.grant(&["orders:read"], "10m");
    // Not without the option.
    control.answers(8080, &order().token(&token), 403);
    control.apply(shipped("options/open-ext-authz.yaml").remove(0));
    control.answers(8080, &order().token(&token), 200);
    assert_eq!(control.send(8080, &order()).status, 403);
    let forged = order().header("x-breakglass-decision", "allow");
    assert_eq!(control.send(8080, &forged).status, 403);
    assert_stays_closed_without_breakglass(&mut control, &token);
}

#[test]
fn a_permit_passes_a_strict_jwt() {
    let (service, upstream) = (Service::start(), Upstream::start());
    route_to(&service);
    let more = vec![policy("SecurityPolicy", "payments", "api", jwt())];
    let mut control = EnvoyGateway::start(cluster(&upstream, more));
    control.answers(8080, &get("/admin/x"), 401);
    let (_, token) = service.grant(&["orders:read"], "10m");
    control.until("the keys", || {
        let answer = control.send(8080, &order().token(&token));
        String::from_utf8_lossy(&answer.body).contains("Jwt is missing").then_some(())
    });
    control.apply(shipped("options/open-jwt.yaml").remove(0));
    control.answers(8080, &order().token(&token), 200);
    assert_eq!(control.send(8080, &order()).status, 401);
    let forged = order().header("x-breakglass-decision", "allow");
    assert_eq!(control.send(8080, &forged).status, 401);
    assert_stays_closed_without_breakglass(&mut control, &token);
}

#[test]
fn the_patches_set_what_envoy_gateway_has_no_field_for() {
    let (service, upstream) = (Service::start(), Upstream::start());
    route_to(&service);
    let more = shipped("options/envoypatchpolicy.yaml");
    let patches = crate::objects::name(&more[0]);
    let control = EnvoyGateway::start(cluster(&upstream, more));
    control.answers(8080, &get("/admin/x"), 401);
    assert!(control.has_condition(&patches, "Programmed", "True", "Programmed"));
    let (mut reload, mut manager) = (false, Value::Null);
    each(&control.dump("payments/payments/http"), &mut |value| {
        reload |= value["root_id"] == "breakglass" && value["failure_policy"] == "FAIL_RELOAD";
        if value["http_filters"].is_array() && value["stat_prefix"] == "http-8080" {
            manager = value.clone();
        }
    });
    assert!(reload, "FAIL_RELOAD");
    assert_eq!(manager["delayed_close_timeout"], "0.100s");
    assert_eq!(manager["access_log_options"]["access_log_flush_interval"], "3s");
    // A stream that goes on is in the log before it ends.
    let (_, token) = service.grant(&["orders:read"], "10m");
    control.answers(8080, &order().token(&token), 200);
    let live = Live::begin(Kind::Download, ([127, 0, 0, 1], 8080).into(), &token);
    control.record("/v1/orders/trickles");
    live.goes_on();
    drop(live);
    let took = cut(&service, &control);
    println!("a download over HTTP/1.1 ended {took:?} after the revocation");
    assert!(took < Duration::from_millis(900), "{took:?}");
}

/// The patches go by places in the chain, which are others when breakglass goes: nothing opens.
fn assert_stays_closed_without_breakglass(control: &mut EnvoyGateway, token: &str) {
    control.delete(POLICY);
    let mut seen = std::collections::BTreeSet::new();
    let mut ask = || {
        let forged = order().header("x-breakglass-decision", "allow");
        for (what, request) in
            [("none", order()), ("forged", forged), ("token", order().token(token))]
        {
            seen.insert((what, control.status(8080, &request)));
        }
    };
    during(Duration::from_secs(5), &mut ask);
    // A busy machine takes longer until breakglass is gone.
    control.until("the update to be refused and the permit to open nothing", || {
        ask();
        let refused = control.counter("listener_manager.lds.update_rejected") > 0;
        (refused && control.status(8080, &order().token(token)) != 200).then_some(())
    });
    assert!(!seen.contains(&("none", 200)) && !seen.contains(&("forged", 200)), "{seen:?}");
}

/// How long a download over HTTP/1.1 goes on after its grant was revoked, as its client sees it.
pub(crate) fn cut(service: &Service, control: &EnvoyGateway) -> Duration {
    let (grant, token) = service.grant(&["orders:read"], "10m");
    control.answers(8080, &order().token(&token), 200);
    let live = Live::begin(Kind::Download, ([127, 0, 0, 1], 8080).into(), &token);
    live.goes_on();
    service.revoke(&grant);
    let revoked = since_1970();
    let ended = live.ended();
    ended.at.checked_sub(revoked).unwrap_or_default()
}
