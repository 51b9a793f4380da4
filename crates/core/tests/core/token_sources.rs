//! Which values of a shared header are a token of ours: a matrix of schemes, separators and damage, and
//! what other systems put there.

#![expect(clippy::string_slice, clippy::arithmetic_side_effects, reason = "test code")]

use breakglass_core::headers::Headers;
use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::random::Random;
use crate::support::{Key, Request, Stage, b64, claims, config, reason, test, with};

/// A configuration that also takes tokens from `authorization`.
fn bearer_config() -> Value {
    with(
        config(),
        json!({"token_sources": [{"header": "x-breakglass-token"},
            {"header": "authorization", "scheme": "Bearer"}]}),
    )
}

fn token(changes: Value) -> String {
    Key::new(1).sign(&with(claims(), changes))
}

fn with_lines(lines: &[String]) -> Request {
    let request = Request::new("GET", "/v1/orders");
    lines.iter().fold(request, |request, line| request.header("authorization", line))
}

fn judge(config: &Value, lines: &[String]) -> Step {
    Stage::new(config).request(1, &with_lines(lines))
}

/// A token with a header of its own, signed.
fn with_header(changes: Value) -> String {
    let header = with(json!({"alg": "ES256", "kid": "key-1", "typ": "breakglass+jwt"}), changes);
    Key::new(1).sign_parts(&header.to_string(), claims().to_string().as_bytes())
}

/// What people and programs do to a token: the name, what is left of it, and the reason it gets when it
/// stands alone after `Bearer `.
fn damaged() -> Vec<(&'static str, String, &'static str)> {
    let whole = token(json!({}));
    let length = whole.len();
    let parts: Vec<&str> = whole.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let padded = token(json!({"padding": "x".repeat(9000)}));
    vec![
        ("whole", whole.clone(), "permit_unverified"),
        ("the last character cut", whole[..length - 1].into(), "token_malformed"),
        ("the first character cut", whole[1..].into(), "token_malformed"),
        ("the first three characters cut", whole[3..].into(), "token_malformed"),
        ("a character too many", format!("{whole}A"), "signature_invalid"),
        ("a character before it", format!("x{whole}"), "token_malformed"),
        ("without a signature", format!("{header}.{payload}"), "token_malformed"),
        ("with an empty signature", format!("{header}.{payload}."), "signature_invalid"),
        (
            "with another signature",
            format!("{header}.{payload}.{}", "A".repeat(86)),
            "signature_invalid",
        ),
        ("cut in its payload", whole[..header.len() + 40].into(), "token_malformed"),
        ("its header alone", header.into(), "token_malformed"),
        ("padded base64", format!("{header}.{payload}.{signature}=="), "token_malformed"),
        ("in quotes", format!("\"{whole}\""), "token_malformed"),
        ("a full stop at its end", format!("{whole}."), "token_malformed"),
        ("a comma at its end", format!("{whole},"), "token_malformed"),
        ("a blank in it", format!("{} {}", &whole[..30], &whole[30..]), "token_malformed"),
        ("percent-encoded", whole.replace('.', "%2E"), "token_malformed"),
        ("after a name", format!("token={whole}"), "token_malformed"),
        ("a JWS with four parts", format!("{whole}.{signature}"), "token_malformed"),
        ("behind another JWS", format!("{}.{}.{whole}", b64("{}"), b64("{}")), "token_malformed"),
        ("oversized", padded, "token_too_large"),
        ("crit", with_header(json!({"crit": ["exp"]})), "token_malformed"),
        ("an embedded key", with_header(json!({"jwk": {"kty": "EC"}})), "token_malformed"),
        ("without kid", with_header(json!({"kid": null})), "token_malformed"),
        ("kid of another type", with_header(json!({"kid": 7})), "token_malformed"),
        ("without alg", with_header(json!({"alg": null})), "token_malformed"),
        ("another alg", with_header(json!({"alg": "none"})), "algorithm_not_allowed"),
        ("another kid", with_header(json!({"kid": "gone"})), "key_unknown"),
        (
            "typ in capitals",
            with_header(json!({"typ": "Application/BREAKGLASS+JWT"})),
            "permit_unverified",
        ),
        ("without iss", token(json!({"iss": null})), "claim_missing"),
        ("iss of another type", token(json!({"iss": 7})), "claim_missing"),
    ]
}

/// How a token is written after something: the text, and whether that is the form of RFC 6750.
const BEFORE: [(&str, bool); 20] = [
    ("Bearer ", true),
    ("bearer ", true),
    ("BEARER   ", true),
    (" Bearer ", true),
    ("", false),
    ("Bearer", false),
    ("Bearer\t", false),
    ("Bearer \t", false),
    ("Bearer\t ", false),
    ("Bearer:", false),
    ("Bearer=", false),
    ("Bearer Bearer ", false),
    ("Token ", false),
    ("Token token=", false),
    ("JWT ", false),
    ("Basic ", false),
    ("DPoP ", false),
    ("Digest token=\"", false),
    ("x\u{80} ", false),
    ("- ", false),
];

#[test]
fn a_token_of_ours_is_never_forwarded_unrecorded_however_it_is_written() {
    let mut stage = Stage::new(&bearer_config());
    let others = ["Basic eDp5", &bearer_of_login(), ""];
    let mut stream = 0;
    for (name, damaged, alone) in damaged() {
        for (before, is_bearer) in BEFORE {
            let ours = format!("{before}{damaged}");
            let mut lists = vec![(vec![ours.clone()], false)];
            for other in others {
                lists.push((vec![ours.clone(), other.into()], true));
                lists.push((vec![other.into(), ours.clone()], true));
                for separator in [",", ", ", " ,\t"] {
                    lists.push((vec![format!("{ours}{separator}{other}")], !other.is_empty()));
                    lists.push((vec![format!("{other}{separator}{ours}")], !other.is_empty()));
                }
            }
            for (lines, is_one_of_several) in lists {
                stream += 1;
                let step = stage.request(stream, &with_lines(&lines));
                let wanted = match (is_one_of_several, is_bearer, lines == [ours.clone()]) {
                    (true, ..) => "token_duplicated",
                    (false, true, true) => alone,
                    (false, ..) => "token_malformed",
                };
                let found = reason(&step);
                // What is too large is not looked at any further.
                let too_large = wanted == "token_malformed" && alone == "token_too_large";
                if !(too_large && found == alone) {
                    assert_eq!(found, wanted, "{name} after {before:?}");
                }
                // Every record that was begun is completed.
                assert_eq!(stage.logged(stream).unwrap()["reason"], *found);
            }
        }
    }
    assert!(stream > 15_000, "{stream}");
}

#[test]
fn a_signed_token_between_any_bytes_in_any_source_never_passes_unrecorded() {
    const AROUND: [&str; 24] = [
        " ",
        "\t",
        ",",
        ".",
        ";",
        "=",
        "\"",
        "%2E",
        "%20",
        "/",
        "+",
        ":",
        "Bearer ",
        "Bearer\t",
        "Basic ",
        "Token ",
        "e",
        "ey",
        "eyJ",
        "eyJhbGciOiJub25lIn0",
        "abc",
        "InR5cCI",
        "\u{80}",
        "typ",
    ];
    let whole = token(json!({}));
    let mut stage = Stage::new(&bearer_config());
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut noise = |most: usize| -> String {
        (0..random.below(most)).map(|_| AROUND[random.below(AROUND.len())]).collect()
    };
    for stream in 0..4_000 {
        let lines = [noise(4), format!("{}{whole}{}", noise(5), noise(4)), noise(4)];
        let kept = match stream % 4 {
            0 => &lines[1..2],
            1 => &lines[..2],
            2 => &lines[1..],
            _ => &lines[..],
        };
        let request = Request::new("GET", "/v1/orders");
        let header = if stream % 8 < 6 { "authorization" } else { "x-breakglass-token" };
        let request = kept.iter().fold(request, |request, line| request.header(header, line));
        let step = stage.request(stream, &request);
        assert!(!matches!(&step, Step::Pass(_)), "{header}: {kept:?}");
        let trimmed = lines[1].trim_matches([' ', '\t']);
        if let Step::Permit(_) = &step {
            let exact = kept.len() == 1 && trimmed.ends_with(&whole);
            let before = trimmed.trim_end_matches(&whole).trim_end_matches(' ');
            let scheme = if header == "authorization" { "Bearer" } else { "" };
            assert!(exact && before == scheme, "{header}: {kept:?}");
        }
        assert!(stage.logged(stream).is_some());
    }
}

/// A bearer token of an identity provider.
fn bearer_of_login() -> String {
    let header = b64(r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#);
    let payload = b64(r#"{"iss":"https://login.example","typ":"Bearer","sub":"alice"}"#);
    format!("Bearer {header}.{payload}.{}", "c2ln".repeat(80))
}

/// Values of other systems, none of which is for us.
fn foreign() -> Vec<String> {
    let jws = |header: &str, payload: &str| format!("{}.{}.c2ln", b64(header), b64(payload));
    let ours = claims().to_string();
    let mut values: Vec<String> = [
        "Basic eDp5",
        "Basic dHlwOmJyZWFrZ2xhc3Mrand0",
        "Negotiate YIIZ8wYGKwYBBQUCoIIZ5zCCGeOgMDAuBgkqhkiC9xIBAgI=",
        "NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGFKAAAADw==",
        "Digest username=\"a,b\", realm=\"typ\", nonce=\"x,y\", uri=\"/v1/orders?a=1,2\", response=\"0\"",
        "AWS4-HMAC-SHA256 Credential=AK/20261126/eu/s3/aws4_request, SignedHeaders=host;range, Signature=fe",
        "Bearer opaque",
        "Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "Bearer a.b.c",
        "Bearer",
        "",
        ",",
        "Bearer InR5cCI.InR5cCI.InR5cCI",
        "OAuth oauth_token=\"x\", oauth_signature=\"y%3D\"",
        "GNAP xyz, Bearer abc, Basic \"quoted, comma\"",
        "Bearer \u{1f511}",
    ]
    .map(str::to_owned)
    .into();
    values.push(bearer_of_login());
    for (header, payload) in [
        // Their type, whoever issued it.
        (r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#, ours.as_str()),
        (r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#, ours.as_str()),
        (r#"{"alg":"ES256","kid":"k"}"#, ours.as_str()),
        (r#"{"alg":"ES256","kid":"k","typ":7}"#, ours.as_str()),
        (r#"{"typ":"breakglass+jwt2"}"#, ours.as_str()),
        // Our type, and another issuer.
        (
            r#"{"alg":"ES256","kid":"k","typ":"breakglass+jwt"}"#,
            r#"{"iss":"https://login.example"}"#,
        ),
        // The type of a claim.
        (r#"{"alg":"ES256","typ":"JWT"}"#, r#"{"iss":"https://issuer.example","typ":"Bearer"}"#),
    ] {
        values.push(format!("Bearer {}", jws(header, payload)));
    }
    // A JWE has five parts, and ours none.
    let jwe = jws(r#"{"alg":"RSA-OAEP","enc":"A256GCM","typ":"JWT","cty":"JWT"}"#, "key");
    values.push(format!("Bearer {jwe}.dGV4dA.dGFn"));
    values
}

#[test]
fn what_other_systems_put_there_stays_untouched() {
    let config = bearer_config();
    let foreign = foreign();
    for (at, value) in foreign.iter().enumerate() {
        let next = &foreign[(at + 1) % foreign.len()];
        for lines in [
            vec![value.clone()],
            vec![value.clone(), next.clone()],
            vec![format!("{value}, {next}")],
            vec![format!("{value},{value},")],
        ] {
            let Step::Pass(pass) = judge(&config, &lines) else { panic!("{lines:?}") };
            assert!(pass.remove.is_empty() && pass.record.is_none(), "{lines:?}");
        }
    }
}

#[test]
fn a_bearer_of_ours_is_hidden_and_one_of_another_system_is_kept() {
    let ours = token(json!({}));
    for value in [format!("Bearer {ours}"), format!("bearer   {ours}"), format!("Bearer {ours} ")] {
        let step = judge(&bearer_config(), &[value]);
        let Step::Permit(permit) = step else { panic!("{step:?}") };
        assert_eq!(permit.remove(), ["authorization"]);
    }
    let both = with_lines(&["Basic eDp5".into()]).header("x-breakglass-token", &ours);
    let Step::Permit(permit) = Stage::new(&bearer_config()).request(1, &both) else { panic!() };
    assert_eq!(permit.remove(), ["x-breakglass-token"]);
}

#[test]
fn a_type_that_others_use_too_is_ours_with_an_issuer_of_ours_only() {
    let config = with(
        bearer_config(),
        json!({"issuers": [{
            "issuer": "https://issuer.example", "audiences": ["payments-prod"], "typ": ["JWT"],
            "jwks": {"inline": {"keys": [Key::new(1).jwk()]}},
        }]}),
    );
    let header = |typ: &str| format!(r#"{{"alg":"ES256","kid":"key-1","typ":"{typ}"}}"#);
    let sign = |typ: &str, claims: &Value| {
        format!("Bearer {}", Key::new(1).sign_parts(&header(typ), claims.to_string().as_bytes()))
    };
    let ours = sign("JWT", &claims());
    let judged = |value: &str| reason(&judge(&config, &[value.to_owned()]));
    assert_eq!(judged(&ours), "permit_unverified");
    assert_eq!(judged(&ours[..ours.len() - 1]), "token_malformed");
    assert_eq!(judged(&ours.replace("Bearer ", "Bearer\t")), "token_malformed");
    for theirs in [
        sign("JWT", &with(claims(), json!({"iss": "https://login.example"}))),
        sign("JWT", &with(claims(), json!({"iss": null}))),
        sign("breakglass+jwt", &claims()),
        format!("Bearer {}.not-json.c2ln", b64(header("JWT"))),
        format!(
            "Bearer {}.a2V5.aXY.dGV4dA.dGFn",
            b64(r#"{"alg":"dir","enc":"A128GCM","typ":"JWT"}"#)
        ),
    ] {
        assert_eq!(judged(&theirs), "no_token", "{theirs}");
    }
}

#[test]
fn a_long_value_of_many_pieces_does_not_take_long() {
    let header = b64(r#"{"typ":"breakglass+jwt"}"#);
    let foreign = b64(r#"{"iss":"https://login.example"}"#);
    let pair = format!("{header}.{foreign}.");
    // Each header is judged by what follows it; reading all of that anew for each would take minutes.
    let many = format!("Bearer {}", pair.repeat(20_000));
    assert_eq!(reason(&judge(&bearer_config(), std::slice::from_ref(&many))), "no_token");
    let ours = format!("{many}{}", token(json!({})));
    assert_ne!(reason(&judge(&bearer_config(), &[ours])), "no_token");
}

#[test]
fn a_type_is_found_however_json_spells_it() {
    // .NET escapes `+`, PHP escapes `/`, and some write blanks.
    for header in [
        r#"{"typ":"breakglass\u002Bjwt","alg":"ES256","kid":"key-1"}"#,
        r#"{"alg":"ES256","kid":"key-1","typ":"application\/breakglass+jwt"}"#,
        "{ \"alg\" : \"ES256\", \"kid\" : \"key-1\",\n \"typ\" : \"breakglass+jwt\" }",
    ] {
        // Three alignments of what stands before it.
        for before in ["", "1", "12"] {
            let header = header.replace("key-1", &format!("{before}key"));
            let token = Key::new(1).sign_parts(&header, claims().to_string().as_bytes());
            let step = judge(&bearer_config(), &[format!("Token {token}")]);
            assert_eq!(reason(&step), "token_malformed", "{header}");
        }
    }
}

#[test]
fn a_second_source_with_a_token_of_ours_never_reaches_the_upstream() {
    for (_, damaged, _) in damaged() {
        let request = with_lines(&[format!("Token {damaged}")]);
        let request = request.header("x-breakglass-token", token(json!({})));
        let step = Stage::new(&bearer_config()).request(1, &request);
        let Step::Permit(permit) = step else { panic!("{step:?}") };
        assert_eq!(permit.remove(), ["x-breakglass-token", "authorization"]);
    }
}

#[test]
fn two_tokens_of_ours_are_duplicated_and_nothing_of_what_is_refused_is_believed() {
    let ours = token(json!({}));
    for (line, wanted) in [
        (format!("Bearer {ours},Bearer {ours}"), "token_duplicated"),
        (format!("Digest username=\"a,b\", Bearer {ours}"), "token_duplicated"),
        (format!("Token {ours}"), "token_malformed"),
    ] {
        let mut stage = Stage::new(&bearer_config());
        let step = stage.request(1, &with_lines(&[line]));
        let Step::Refuse(refusal, _) = &step else { panic!("{step:?}") };
        assert_eq!(reason(&step), wanted);
        let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
        assert_eq!(problem.get("grant"), None);
        let record = stage.logged(1).unwrap();
        for member in ["grant", "subject", "incident", "justification", "approvers", "scope"] {
            assert_eq!(record[member], Value::Null, "{record}");
        }
    }
}

fn trailers(
    stage: &mut Stage,
    stream: u32,
    unrecorded: bool,
    pairs: &[(&str, &str)],
) -> (Vec<String>, Option<Step>) {
    let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let request = Request::new("POST", "/v1/orders?x");
    let headers = request.headers();
    let (worker, traffic) = (&mut stage.worker, &stage.traffic);
    let unrecorded = unrecorded.then_some(&headers);
    let trailers = Headers::from_pairs(pairs);
    let step = worker.request_trailers(stream, &trailers, unrecorded, &request, traffic, stage.now);
    (step.remove, step.step)
}

#[test]
fn a_token_in_a_trailer_is_removed_and_refused_where_nothing_was_recorded() {
    let ours = token(json!({}));
    let bearer = format!("Bearer {ours}");
    for (pairs, removed) in [
        (vec![("authorization", bearer.as_str())], vec!["authorization"]),
        (vec![("authorization", &ours[..])], vec!["authorization"]),
        (vec![("authorization", &ours[..200])], vec!["authorization"]),
        (vec![("authorization", "Basic eDp5"), ("authorization", &bearer)], vec!["authorization"]),
        (vec![("x-breakglass-token", &ours)], vec!["x-breakglass-token"]),
        (
            vec![("x-other", "x"), ("x-breakglass-grant", "g"), ("authorization", &bearer)],
            vec!["authorization", "x-breakglass-grant"],
        ),
    ] {
        let mut stage = Stage::new(&bearer_config());
        assert_eq!(reason(&stage.request(1, &Request::new("POST", "/v1/orders"))), "no_token");
        let (remove, step) = trailers(&mut stage, 1, true, &pairs);
        assert_eq!(remove, removed, "{pairs:?}");
        let step = step.unwrap();
        assert!(matches!(step, Step::Refuse(..)), "{step:?}");
        assert_eq!(reason(&step), "token_malformed");
        let record = stage.logged(1).unwrap();
        assert_eq!((&record["method"], &record["path"]), (&json!("POST"), &json!("/v1/orders")));
        assert_eq!((&record["grant"], &record["host"]), (&Value::Null, &json!("orders.internal")));
    }
}

#[test]
fn a_trailer_changes_nothing_about_what_has_a_record_or_is_not_ours() {
    let bearer = format!("Bearer {}", token(json!({})));
    let mut stage = Stage::new(&bearer_config());
    let permitted = Request::under(&token(json!({})));
    assert_eq!(reason(&stage.request(1, &permitted)), "permit_unverified");
    let (remove, step) = trailers(&mut stage, 1, false, &[("authorization", &bearer)]);
    assert_eq!((remove, step.is_none()), (vec!["authorization".to_owned()], true));
    assert_eq!(stage.logged(1).unwrap()["reason"], "permit_unverified");
    for value in foreign() {
        let (remove, step) =
            trailers(&mut stage, 2, true, &[("authorization", &value), ("te", "x")]);
        assert!(remove.is_empty() && step.is_none(), "{value}");
    }
    // Of ours, but no token: removed as ever.
    let (remove, step) = trailers(&mut stage, 2, true, &[("x_breakglass_grant", "g")]);
    assert_eq!((remove, step.is_none()), (vec!["x_breakglass_grant".to_owned()], true));
    // In shadow mode nothing is refused, and the record says what would have been.
    let mut stage = Stage::new(&with(bearer_config(), json!({"enforcement": "shadow"})));
    let (remove, step) = trailers(&mut stage, 3, true, &[("authorization", &bearer)]);
    assert!(matches!(step, Some(Step::Pass(_))) && remove == ["authorization"]);
    assert_eq!(stage.logged(3).unwrap()["decision"], "shadow_deny");
}
