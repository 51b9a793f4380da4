//! Over HTTP/3 it is the same: what is not ours is untouched, and a permit, a refusal and a cut are what they are.

use std::path::Path;
use std::thread;
use std::time::Duration;

use breakglass_tests::certificates::Authority;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::http3::send;
use breakglass_tests::live::TRICKLING;
use breakglass_tests::service::Service;
use breakglass_tests::tokens::since_1970;
use breakglass_tests::trailers::{Sent, When};
use breakglass_tests::wait::until;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::carriers::manager;

/// A gate whose listener speaks HTTP/3 and nothing else, and who certified it.
struct Quic {
    gate: Gate,
    authority: Authority,
    _certificates: TempDir,
}

fn quic(plan: Plan) -> Quic {
    let (authority, certificates) = (Authority::new(), TempDir::new().unwrap());
    authority.write(certificates.path());
    let gate = plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new(""));
        speak_quic(&mut bootstrap, certificates.path());
        bootstrap.to_string()
    });
    Quic { gate, authority, _certificates: certificates }
}

fn speak_quic(bootstrap: &mut Value, certificates: &Path) {
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    let pem = |name: &str| json!({"filename": certificates.join(name)});
    manager(bootstrap)["codec_type"] = json!("HTTP3");
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    listener["address"]["socket_address"]["protocol"] = json!("UDP");
    listener["udp_listener_config"] = json!({"quic_options": {}});
    listener["filter_chains"][0]["transport_socket"] = json!({"name": "quic", "typed_config": {
        "@type": kind("transport_sockets.quic.v3.QuicDownstreamTransport"),
        "downstream_tls_context": {"common_tls_context": {"tls_certificates":
            [{"certificate_chain": pem("gate.pem"), "private_key": pem("gate.key")}]}},
    }});
    for cluster in bootstrap["static_resources"]["clusters"].as_array_mut().unwrap() {
        if cluster["name"] == "upstream" {
            let options = "upstreams.http.v3.HttpProtocolOptions";
            cluster["typed_extension_protocol_options"] = json!({format!("envoy.extensions.{options}"): {
                "@type": kind(options),
                "explicit_http_config": {"http2_protocol_options": {}},
            }});
        }
    }
}

const NOTHING: &[(&str, &str)] = &[];

/// What a client sends with an empty block of trailers.
fn emptily<'a>(path: &'a str, headers: &'a [(&'a str, &'a str)], when: When) -> Sent<'a> {
    let method = if when == When::Begun { "GET" } else { "POST" };
    Sent { method, path, headers, trailers: HeaderMap::new(), when }
}

#[test]
fn an_empty_block_of_trailers_is_none_of_ours() {
    for plan in [Plan::standard(), Plan::standard().set("/enforcement", json!("shadow"))] {
        let Quic { gate, authority, .. } = quic(plan);
        let ask = |sent: &Sent<'_>| {
            let came = send(gate.envoy.address(), &authority, sent);
            assert_eq!((came.status, &came.broken), (200, &None), "{came:?}");
            let record = gate.envoy.record(&came.id);
            assert!(record.audit().is_none() && record.decision().is_none(), "{}", record.line());
            came
        };
        let came = ask(&emptily("/v1/orders", &[("x-breakglass-grant", "forged")], When::AtOnce));
        let seen = gate.upstream.saw(&came.id).unwrap();
        assert_eq!((seen.body_bytes, &seen.trailers), (5, &vec![]));
        assert_eq!(seen.header("x-breakglass-grant"), None);
        let path = format!("/v1/orders{TRICKLING}");
        assert!(ask(&emptily(&path, NOTHING, When::Begun)).body.len() > 100);
        // Others are what they were; ours do not arrive.
        let ours = [("x-other", "kept"), ("x-breakglass-subject", "forged")];
        let trailers =
            ours.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let sent = Sent {
            trailers: HeaderMap::from_iter(trailers),
            ..emptily("/v1/orders", NOTHING, When::AtOnce)
        };
        let came = ask(&sent);
        let seen = gate.upstream.saw(&came.id).unwrap();
        assert_eq!(seen.trailers, vec![("x-other".to_owned(), "kept".to_owned())]);
    }
}

#[test]
fn a_permit_and_a_refusal_are_what_they_are() {
    let Quic { gate, authority, .. } = quic(Plan::standard());
    let mint = gate.mint().scope("orders:write");
    let token = mint.sign();
    let headers = [("x-breakglass-token", &*token)];
    let came =
        send(gate.envoy.address(), &authority, &emptily("/v1/orders", &headers, When::AtOnce));
    assert_eq!((came.status, &came.broken), (200, &None), "{came:?}");
    let seen = gate.upstream.saw(&came.id).unwrap();
    assert_eq!(seen.header("x-breakglass-grant"), Some(mint.grant()));
    assert_eq!(seen.header("x-breakglass-token"), None);
    let said = |id: &str| {
        let record = gate.envoy.record(id);
        let audit = record.audit().unwrap();
        ["decision", "reason"].map(|member| audit.text_of(member).map(str::to_owned))
    };
    assert_eq!(said(&came.id), ["allow", "permit"].map(|word| Some(word.to_owned())));
    let malformed = [("x-breakglass-token", "nonsense")];
    for (path, headers, status, reason) in [
        ("/admin/users", NOTHING, 401, "token_missing"),
        ("/v1/else", &headers[..], 403, "out_of_scope"),
        ("/v1/orders", &malformed[..], 401, "token_malformed"),
    ] {
        let came = send(gate.envoy.address(), &authority, &emptily(path, headers, When::AtOnce));
        let problem: Value = serde_json::from_slice(&came.body).unwrap();
        assert_eq!((came.status, &problem["reason"]), (status, &json!(reason)), "{problem}");
        assert_eq!(said(&came.id), ["deny", reason].map(|word| Some(word.to_owned())));
        assert!(gate.upstream.saw(&came.id).is_none());
    }
}

#[test]
fn a_revocation_cuts_what_runs() {
    let service = Service::start();
    let plan = Plan::following(&service, "10s").set("/clock_skew", json!("0s"));
    let Quic { gate, authority, .. } = quic(plan);
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let headers = [("x-breakglass-token", &*token)];
    let ask = |path: &str, when| {
        let sent = Sent { method: "GET", ..emptily(path, &headers, when) };
        send(gate.envoy.address(), &authority, &sent)
    };
    until("the feed to be known", || (ask("/v1/orders", When::Never).status == 200).then_some(()));
    let path = format!("/v1/orders{TRICKLING}");
    let (came, ended, revoked) = thread::scope(|scope| {
        let stream = scope.spawn(|| (ask(&path, When::Never), since_1970()));
        thread::sleep(Duration::from_millis(500));
        service.revoke(&grant);
        let revoked = since_1970();
        let (came, ended) = stream.join().unwrap();
        (came, ended, revoked)
    });
    // How much came in half a second is the machine's.
    assert!(came.status == 200 && !came.body.is_empty(), "{came:?}");
    let took = ended.saturating_sub(revoked);
    assert!(took < Duration::from_secs(1), "{took:?}");
    let record = gate.envoy.record(&came.id);
    let audit = record.audit().unwrap();
    assert_eq!(
        ["decision", "reason"].map(|member| audit.text_of(member)),
        [Some("cut"), Some("revoked")]
    );
    assert_eq!(ask("/v1/orders", When::Never).status, 401);
}
