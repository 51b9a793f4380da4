//! Hostile tokens and bytes. Whatever comes, the answer is a refusal for its reason, and the same
//! worker serves the next request, in its first VM: a panic would take it away from everybody. (No
//! input is known that makes one; what happens after a panic is shown in `panics.rs`. What a token can have wrong with
//! it is listed in the core's tests, `crates/core/tests/core/tokens`, which run in a wasm engine too.)

use std::fs;
use std::io::BufReader;

use breakglass_tests::client::{Answer, connect, get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::Key;
use breakglass_tests::tokens::Mint;
use ring::hmac;
use serde_json::json;

fn present(token: impl AsRef<[u8]>) -> breakglass_tests::client::Request {
    get("/v1/orders").token(token)
}

#[test]
fn hostile_cryptography_and_times_leave_the_worker_as_it_was() {
    let gate = Gate::standard();
    let none = gate.mint().header("alg", "none").sign_with(|_| Vec::new());
    gate.refuses(&present(none), 401, "algorithm_not_allowed");
    // A public key is no secret.
    let secret = hmac::Key::new(hmac::HMAC_SHA256, gate.key.public_bytes());
    let mac = |input: &[u8]| hmac::sign(&secret, input).as_ref().to_vec();
    let token = gate.mint().header("alg", "HS256").sign_with(mac);
    gate.refuses(&present(token), 401, "algorithm_not_allowed");
    gate.refuses(&present(gate.mint().sign_with(mac)), 401, "signature_invalid");
    let der = gate.mint().sign_with(|input| gate.key.sign_der(input));
    gate.refuses(&present(der), 401, "signature_invalid");
    let zeros = gate.mint().sign_with(|_| vec![0; 64]);
    gate.refuses(&present(zeros), 401, "signature_invalid");
    let mine = Key::es256("mine");
    let token = Mint::new(&mine).header("jwk", mine.jwk()).sign();
    gate.refuses(&present(token), 401, "token_malformed");
    for text in ["1e300", "-1", "18446744073709551616"] {
        // Written as text: a JSON library would not let these through.
        let marked = gate.mint().claim("exp", "@@");
        let token = marked.payload_text(|json| json.replace("\"@@\"", text)).sign();
        gate.refuses(&present(token), 401, "claim_invalid");
    }
    let token = gate.mint().sign();
    for at in (0..token.len()).step_by(token.len() / 20) {
        let mut broken = token.clone().into_bytes();
        broken[at] = 0xf0;
        let answer = gate.send(&present(broken));
        assert_eq!(answer.status, 401, "byte {at}: {answer:?}");
    }
    gate.still_serves();
}

#[test]
fn huge_and_deep_json_is_refused() {
    let gate = Plan::standard().set("/max_token_bytes", json!(65_536)).start();
    for nested in [
        format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("{}1{}", r#"{"a":"#.repeat(6_000), "}".repeat(6_000)),
        "[".repeat(40_000),
    ] {
        let deep =
            gate.mint().payload_text(|json| json.replacen('{', &format!("{{\"x\":{nested},"), 1));
        gate.refuses(&present(deep.sign()), 401, "token_malformed");
        let deep =
            gate.mint().header_text(|json| json.replacen('{', &format!("{{\"x\":{nested},"), 1));
        gate.refuses(&present(deep.sign()), 401, "token_malformed");
    }
    gate.still_serves();
}

#[test]
fn many_members_and_long_lists_do_no_harm() {
    let gate = Plan::standard().set("/max_token_bytes", json!(65_536)).start();
    let members = (0..3_000).map(|n| format!("\"m{n}\":{n},")).collect::<String>();
    let many = gate.mint().payload_text(|json| json.replacen('{', &format!("{{{members}"), 1));
    let scopes = gate.mint().scope(&format!("orders:read{}", " ghost:x".repeat(5_000)));
    let roles = gate.mint().claim("roles", vec!["ghost"; 5_000]);
    for token in [many.sign(), scopes.sign(), roles.sign()] {
        // Whether it is too much or not is for the filter to say: only that it goes on matters.
        let status = gate.send(&present(token)).status;
        assert!([200, 401].contains(&status), "{status}");
    }
    gate.still_serves();
}

#[test]
fn a_token_of_a_megabyte_is_too_large() {
    let gate = Gate::standard();
    gate.refuses(&present("x".repeat(1 << 20)), 401, "token_too_large");
    gate.refuses(&present(".".repeat(1 << 20)), 401, "token_too_large");
    gate.refuses(&present(b"\xff".repeat(1 << 20)), 401, "token_too_large");
    let real = gate.mint().claim("padding", "x".repeat(700_000)).sign();
    gate.refuses(&present(real), 401, "token_too_large");
    gate.still_serves();
}

#[test]
fn bytes_that_are_not_utf8_are_refused_where_the_token_is() {
    let gate = Gate::standard();
    let token = gate.mint().sign().into_bytes();
    for hostile in [
        b"\xff".to_vec(),
        b"\xff\xfe\xfd.\xff.\xff".to_vec(),
        [token.as_slice(), b"\xff"].concat(),
        [b"\x80", token.as_slice()].concat(),
        "ὥ.ὥ.ὥ".into(),
        b"\xed\xa0\x80.\xc0\xaf.x".to_vec(),
    ] {
        gate.refuses(&present(hostile), 401, "token_malformed");
        gate.still_serves();
    }
}

#[test]
fn bytes_that_are_not_utf8_do_no_harm_in_any_other_header() {
    let sources = json!([
        {"header": "x-breakglass-token"},
        {"header": "authorization", "scheme": "Bearer"},
    ]);
    let gate = Plan::standard().set("/token_sources", sources).start();
    let token = gate.mint().sign();
    for name in [
        "authorization",
        "content-type",
        "cookie",
        "te",
        "user-agent",
        "x-breakglass-grant",
        "x-custom",
        "x-envoy-upstream-stream-duration-ms",
        "x-forwarded-client-cert",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-role",
    ] {
        for value in [b"\xff".to_vec(), b"Bearer \xff\xfe".to_vec(), vec![0xc3; 5000]] {
            let with = |request: breakglass_tests::client::Request| request.header(name, &value);
            let answer = gate.send(&with(get("/v1/orders")));
            assert!([200, 400].contains(&answer.status), "{name}: {answer:?}");
            let answer = gate.send(&with(present(&token)));
            assert!([200, 400].contains(&answer.status), "{name}: {answer:?}");
            let answer = gate.send(&with(get("/admin/x")));
            assert!([401, 400].contains(&answer.status), "{name}: {answer:?}");
        }
        gate.still_serves();
    }
    for name in ["x-http-method-override", "x-method-override"] {
        gate.refuses(&present(&token).header(name, b"\xff"), 400, "method_override");
    }
    gate.still_serves();
}

#[test]
fn bytes_that_are_not_utf8_do_no_harm_in_the_request_line_host_and_id() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    let raw = |head: &[u8]| -> Option<Answer> {
        let mut connection = connect(gate.envoy.address());
        let rest = format!("x-breakglass-token: {token}\r\n\r\n");
        std::io::Write::write_all(&mut connection, &[head, rest.as_bytes()].concat()).unwrap();
        Answer::read(&mut BufReader::new(connection), "GET").ok()
    };
    for head in [
        &b"GET /v1/orders/\xff HTTP/1.1\r\nhost: a\r\n"[..],
        b"GET /\xff/\xfe?\xfd HTTP/1.1\r\nhost: a\r\n",
        b"GET /v1/orders?\xff HTTP/1.1\r\nhost: a\r\n",
        b"GET /v1/orders HTTP/1.1\r\nhost: \xff\xfe\r\n",
        b"GET /v1/orders HTTP/1.1\r\nhost: a\r\nx-request-id: \xff\r\n",
        b"G\xffT /v1/orders HTTP/1.1\r\nhost: a\r\n",
        b"GET /v1/orders HTTP/1.1\r\nhost: a\r\nx-\xff: b\r\n",
        b"GET /v1/orders HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n",
        b"GET /v1/orders HTTP/1.1\r\nhost:\r\n",
        b"GET /v1/orders HTTP/1.0\r\n",
        b"GET  HTTP/1.1\r\nhost: a\r\n",
        b"CONNECT orders.internal:443 HTTP/1.1\r\nhost: orders.internal:443\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: a\r\n",
    ] {
        let answer = raw(head);
        let status = answer.as_ref().map(|answer| answer.status);
        assert!(!matches!(status, Some(500..=599)), "{answer:?}");
        gate.still_serves();
    }
}

#[test]
fn claims_cannot_write_headers_or_records_of_their_own() {
    let gate = Gate::standard();
    let nasty = "a\"},{\"decision\":\"allow";
    let breakglass = json!({"reason": "line\nbreak \u{0} \" \\ \u{2028} </script>",
        "incident": "INC\"1", "approvers": [nasty]});
    let token = gate.mint().claim("sub", nasty).claim("breakglass", breakglass.clone());
    let allowed = gate.allows(&present(token.sign()));
    assert_eq!(allowed.audit.text_of("subject"), Some(nasty));
    assert_eq!(*allowed.audit.of("justification"), breakglass["reason"]);
    assert_eq!(*allowed.audit.of("approvers"), json!([nasty]));
    gate.still_serves();
}

#[test]
fn requests_that_are_pipelined_are_decided_one_by_one() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    let requests = [
        present(&token),
        get("/admin/x"),
        get("/v1/orders"),
        // Last, because Envoy closes a connection whose request it refused before it was read.
        request("POST", "/v1/orders").token(&token).body("GET /admin HTTP/1.1\r\n\r\n"),
    ];
    let mut connection = connect(gate.envoy.address());
    let bytes: Vec<u8> = requests.iter().flat_map(|request| request.bytes()).collect();
    std::io::Write::write_all(&mut connection, &bytes).unwrap();
    let mut connection = BufReader::new(connection);
    for (request, status) in requests.iter().zip([200, 401, 200, 403]) {
        let answer = Answer::read(&mut connection, request.method()).unwrap();
        assert_eq!(answer.status, status, "{request:?} -> {answer:?}");
    }
    gate.still_serves();
}

#[test]
fn the_record_of_a_hostile_request_takes_less_than_a_line_in_the_log_that_envoy_writes() {
    let gate = Gate::standard();
    let quotes = "\"".repeat(256);
    let token = gate
        .mint()
        .claim("sub", "\\".repeat(256))
        .claim(
            "breakglass",
            json!({"reason": "\u{1}".repeat(450), "incident": quotes,
                "approvers": vec![quotes.clone(); 2], "emergency": true}),
        )
        .sign();
    for bytes in [&b"\""[..], b"\\", b"\xff", "\u{e9}".as_bytes()] {
        let path = [b"/v1/orders/", &bytes.repeat(20_000)[..]].concat();
        let request = get(path).token(&token);
        assert_ne!(gate.send(&request).status, 0);
        gate.still_serves();
    }
    let log = fs::read(gate.envoy.access_log()).unwrap();
    let log = String::from_utf8_lossy(&log);
    let mut longest = 0;
    for line in log.lines() {
        let Some((_, record)) = line.split_once(r#""breakglass":""#) else { continue };
        // Up to the quote that is not escaped.
        let mut escaped = false;
        let end = record.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        longest = longest.max(end.unwrap());
    }
    println!("the longest record takes {longest} bytes of its line");
    assert!((6_000..16 * 1024).contains(&longest), "{longest}");
}
