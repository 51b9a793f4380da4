//! How a token is written: what is refused before anything in it is read.

use serde_json::{Value, json};

use super::{Judge, header, token, with_header};
use crate::support::{Key, b64, claims, config, test, with};

#[test]
fn what_does_not_have_the_form_of_a_token_is_refused() {
    let token = token(json!({}));
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let mut judge = Judge::new(&config());
    judge.permits(&token);
    for malformed in [
        String::new(),
        ".".into(),
        "..".into(),
        "hello".into(),
        "a.b.c".into(),
        format!("{header}.{payload}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}. {signature}"),
        format!("{header}.{payload}\t.{signature}"),
        format!("Bearer {token}"),
        format!("{token},"),
        format!("\"{token}\""),
        format!("{header}.{}+.{signature}", &payload[1..]),
        format!("{}.{payload}.{signature}", b64(b"not json")),
        format!("{}.{payload}.{signature}", b64(b"[]")),
        format!("{}.{payload}.{signature}", b64(b"\xff\xfe")),
        format!("{header}.{}.{signature}", b64(b"{")),
        format!("{header}.{}.{signature}", b64(b"\"sub\"")),
    ] {
        judge.disbelieves(malformed, "token_malformed");
    }
    judge.permits(&token);
}

#[test]
fn the_last_bits_of_a_signature_say_nothing() {
    let token = token(json!({}));
    // The last character of a 64 byte signature carries two bits of it and four that must be 0.
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let last = token.chars().last().unwrap();
    let at = alphabet.iter().position(|one| *one == last).unwrap();
    assert_eq!(at % 16, 0, "a canonical last character");
    let mut judge = Judge::new(&config());
    for other in 1..16 {
        let other = format!("{}{}", &token[..token.len() - 1], alphabet[at + other]);
        judge.disbelieves(other, "token_malformed");
    }
    judge.permits(token);
}

#[test]
fn a_header_whose_members_are_missing_of_another_type_or_dangerous_is_refused() {
    let mut judge = Judge::new(&config());
    judge.permits(with_header(json!({})));
    for name in ["alg", "kid", "typ"] {
        judge.disbelieves(with_header(json!({ name: null })), "token_malformed");
        for value in [json!(1), Value::Null, json!(["x"]), json!({})] {
            let mut changed = header(json!({}));
            changed[name] = value;
            let token =
                Key::new(1).sign_parts(&changed.to_string(), claims().to_string().as_bytes());
            judge.disbelieves(token, "token_malformed");
        }
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jwk", Key::new(1).jwk()),
        ("jku", json!("https://attacker.test/keys")),
        ("jku", Value::Null),
        ("x5u", json!("https://attacker.test/cert")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut changed = header(json!({}));
        changed[name] = value;
        let token = Key::new(1).sign_parts(&changed.to_string(), claims().to_string().as_bytes());
        judge.disbelieves(token, "token_malformed");
    }
    judge.permits(with_header(json!({})));
}

#[test]
fn a_token_of_another_type_is_refused() {
    let mut judge = Judge::new(&config());
    for typ in ["JWT", "at+jwt", "application/breakglass+jwt ", "BREAKGLASS"] {
        judge.disbelieves(with_header(json!({ "typ": typ })), "token_type");
    }
}

#[test]
fn json_that_can_be_read_in_two_ways_is_refused() {
    let payload = claims().to_string();
    let of = |rewrite: &dyn Fn(&str) -> String| Key::new(1).sign_text(rewrite(&payload).as_bytes());
    let head = header(json!({})).to_string();
    let of_header = |rewrite: &dyn Fn(&str) -> String| {
        Key::new(1).sign_parts(&rewrite(&head), payload.as_bytes())
    };
    let duplicate = |json: &str| json.replacen('{', r#"{"kid":"key-1","#, 1);
    let mut judge = Judge::new(&config());
    judge.permits(of(&str::to_owned));
    for token in [
        of_header(&duplicate),
        of(&|json| json.replacen('{', r#"{"scope":"admin:read","#, 1)),
        of(&|json| json.replacen('{', r#"{"\u0073cope":"admin:read","#, 1)),
        of(&|json| json.replacen(r#""reason""#, r#""reason":"x","reason""#, 1)),
        of(&|json| format!("{json}{{}}")),
        of(&|json| format!("{json} x")),
        of(&|json| format!("\u{feff}{json}")),
        of(&|json| json.replace('}', ",}")),
        of(&|json| json.replace('"', "'")),
        of(&|json| json.replacen('{', r#"{"x":"\ud800","#, 1)),
        of(&|json| json.replacen('{', "{\"x\":\"\n\",", 1)),
        of(&|json| json.replacen('{', r#"{"x":NaN,"#, 1)),
        of(&|json| json.replacen('{', r#"{"x":01,"#, 1)),
        Key::new(1).sign_text(b"{\"sub\":\"\xff\"}"),
    ] {
        judge.disbelieves(token, "token_malformed");
    }
    judge.permits(of(&str::to_owned));
}

#[test]
fn a_token_has_eight_kibibytes_unless_the_configuration_says_otherwise() {
    let padded = |bytes: usize| token(json!({"padding": "x".repeat(bytes)}));
    for (config, most) in [(config(), 8192), (with(config(), json!({"max_token_bytes": 700})), 700)]
    {
        let mut judge = Judge::new(&config);
        // Three bytes of claims are four of token.
        let least = ((most - padded(0).len()) * 3 / 4).saturating_sub(4);
        let bytes = (least..).find(|bytes| padded(bytes + 1).len() > most).unwrap();
        let (under, over) = (padded(bytes), padded(bytes + 1));
        assert!((most - 1..=most).contains(&under.len()), "{}", under.len());
        judge.permits(under);
        judge.disbelieves(over, "token_too_large");
    }
}

#[test]
fn a_token_of_which_any_byte_is_another_is_refused() {
    let token = token(json!({}));
    let mut judge = Judge::new(&config());
    // In a wasm engine each signature takes a while.
    let each = if cfg!(target_arch = "wasm32") { 16 } else { 1 };
    for at in (0..token.len()).step_by(each) {
        for byte in [b'.', b'A', 0xf0] {
            let mut broken = token.clone().into_bytes();
            if std::mem::replace(&mut broken[at], byte) != byte {
                let step = judge.judge(&broken);
                let breakglass_core::step::Step::Refuse(refusal, _) = step else {
                    panic!("byte {at}: {step:?}")
                };
                assert_eq!(refusal.reason.status(), 401, "byte {at}");
            }
        }
    }
    judge.permits(token);
}
