//! A request that carries nothing of ours: the proof of it, and each thing without which there is none.

use breakglass_core::headers::Headers;
use breakglass_core::step::{Pass, Step};
use breakglass_core::untouched::{Untouched, pass_without_worker};
use serde_json::{Value, json};

use crate::support::{Key, Request, Stage, claims, config, parse, test, with};

/// What is proven of a request by what a worker says of it, and without one.
fn proofs(config: &Value, request: &Request) -> [Option<Untouched>; 2] {
    let clean = |pass: &Pass| pass.clean(|_| Ok::<(), ()>(())).unwrap();
    let by_worker = match Stage::new(config).request(1, request) {
        Step::Pass(pass) => clean(&pass),
        _ => None,
    };
    let parsed = parse(config).unwrap();
    let alone = pass_without_worker(&request.headers(), &parsed, request);
    [by_worker, alone.as_ref().and_then(clean)]
}

fn assert_untouched(config: &Value, request: &Request, wanted: bool) {
    let proofs = proofs(config, request).map(|proof| proof.is_some());
    assert_eq!(proofs, [wanted; 2], "{config} {:?}", request.headers());
}

fn protected(rules: Value) -> Value {
    with(config(), json!({"protected": rules}))
}

#[test]
fn what_has_no_token_and_meets_no_rule_is_untouched() {
    let other = protected(json!([{"paths": ["/admin/**"]}]));
    for config in [config(), other.clone(), with(other, json!({"enforcement": "shadow"}))] {
        for request in [
            Request::new("GET", "/v1/orders"),
            Request::new("GET", "*"),
            Request::new("POST", "/v1/orders").header("x-breakglass-grant", "forged"),
            Request::new("GET", "/v1/orders").header("authorization", "Bearer other"),
        ] {
            assert_untouched(&config, &request, true);
        }
    }
    // A tunnel has no path, and carries what any rule could be about.
    assert_untouched(&config(), &Request::new("CONNECT", ""), true);
}

#[test]
fn a_token_a_rule_that_may_be_meant_and_a_request_that_nobody_can_read_leave_no_proof() {
    let admin = protected(json!([{"paths": ["/admin/**"]}]));
    let bearer =
        with(config(), json!({"token_sources": [{"header": "authorization", "scheme": "Bearer"}]}));
    let token = Key::new(1).sign(&claims());
    let deny = with(config(), json!({"unauthenticated": "deny"}));
    for (config, request) in [
        (&config(), Request::under(&token)),
        (&config(), Request::under("")),
        (&config(), Request::under("no token")),
        (&with(config(), json!({"enforcement": "shadow"})), Request::under(&token)),
        (&bearer, Request::new("GET", "/").header("authorization", format!("Bearer {token}"))),
        (&bearer, Request::new("GET", "/").header("authorization", token.get(..200).unwrap())),
        (&deny, Request::new("GET", "/v1/orders")),
        (&admin, Request::new("GET", "/admin/x")),
        (&admin, Request::new("GET", "/x/%2e%2e/ADMIN;v=1/x")),
        (&admin, Request::new("GET", "/x").header("x-original-url", "/admin/x")),
        (&admin, Request::new("CONNECT", "")),
        // An earlier instance of the filter has decided.
        (&config(), {
            let mut request = Request::new("GET", "/").header("x-breakglass-grant", "g");
            request.state.insert("record", b"{}".to_vec());
            request
        }),
        (&config(), Request::new("GET", "")),
        (&config(), Request::new("", "/v1/orders")),
    ] {
        assert_untouched(config, &request, false);
    }
    let nothing = Headers::default();
    assert!(
        pass_without_worker(&nothing, &parse(&config()).unwrap(), &Request::new("", "/")).is_none()
    );
}

#[test]
fn the_proof_comes_after_the_last_removal() {
    let request = Request::new("GET", "/v1/orders")
        .header("x-breakglass-grant", "forged")
        .header("x_breakglass_subject", "forged");
    let Step::Pass(pass) = Stage::new(&config()).request(1, &request) else { panic!() };
    let mut removed = Vec::new();
    let proof = pass.clean(|name| {
        removed.push(name.to_owned());
        Ok::<(), ()>(())
    });
    assert!(proof.unwrap().is_some());
    assert_eq!(removed, ["x-breakglass-grant", "x_breakglass_subject"]);
    for failing in &removed {
        let done = pass.clean(|name| if name == failing { Err(name.to_owned()) } else { Ok(()) });
        assert_eq!(done.map(|proof| proof.is_some()), Err(failing.clone()));
    }
}

#[test]
fn what_passes_with_a_record_is_ours() {
    let shadow = with(config(), json!({"enforcement": "shadow", "unauthenticated": "deny"}));
    let Step::Pass(pass) = Stage::new(&shadow).request(1, &Request::new("GET", "/")) else {
        panic!()
    };
    assert!(pass.record.is_some());
    assert!(pass.clean(|_| Ok::<(), ()>(())).unwrap().is_none());
}

#[test]
fn trailers_of_ours_are_no_longer_nothing_of_ours() {
    let [Some(untouched), _] = proofs(&config(), &Request::new("POST", "/v1/orders")) else {
        panic!()
    };
    let parsed = parse(&config()).unwrap();
    let stays = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        untouched.stays_with(&Headers::from_pairs(pairs), &parsed)
    };
    for pairs in [&[][..], &[("grpc-status", "0")], &[("authorization", "Basic eDp5")]] {
        assert!(stays(pairs), "{pairs:?}");
    }
    for name in ["x-breakglass-grant", "x_Breakglass-subject", "x-breakglass-token"] {
        assert!(!stays(&[("a", "b"), (name, "")]), "{name}");
    }
}

#[test]
fn an_empty_block_of_trailers_changes_nothing() {
    let token = Key::new(1).sign(&with(claims(), json!({"scope": "orders:write"})));
    for request in [
        Request::new("POST", "/v1/orders"),
        Request::new("POST", "/v1/orders").header("x-breakglass-token", token),
    ] {
        let mut stage = Stage::new(&config());
        let step = stage.request(1, &request);
        assert!(matches!(step, Step::Pass(_) | Step::Permit(_)), "{step:?}");
        let (worker, traffic) = (&mut stage.worker, &stage.traffic);
        let (headers, none) = (request.headers(), Headers::default());
        let unrecorded = matches!(step, Step::Pass(_)).then_some(&headers);
        let step = worker.request_trailers(1, &none, unrecorded, &request, traffic, stage.now);
        assert!(step.remove.is_empty() && step.step.is_none());
    }
}
