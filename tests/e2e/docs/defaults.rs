//! The defaults in the tables of docs/configuration.md are those of the filter: a configuration
//! that names a default is the one that leaves the field out.

use breakglass_core::config::Config;
use breakglass_tests::policy::PROXY_TOKEN;
use serde_json::{Value, json};

use super::{TABLES, fields_of, full, read, rows, words};

/// The least that is a configuration, but for the objects that the fields in the tables are in.
fn least() -> Value {
    let source = json!({"cluster": "approvals", "authority": "approvals.internal", "path": "/x"});
    json!({
        "issuers": [{"issuer": "https://approvals.internal", "audiences": ["payments-prod"],
            "jwks": {"remote": source}}],
        "token_sources": [{"header": "x-breakglass-token"}],
        "scopes": [{"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
            "require": {"roles": ["oncall"]}}],
        "revocation": {"feed": source, "introspection": source,
            "credential": {"env": "BREAKGLASS_PROXY_TOKEN"}},
        "audit": {"heads": source},
    })
}

/// The filter's reading of a configuration, in full, or its errors.
fn reading(filter: &Value) -> Result<String, String> {
    let environment = |_: &str| Some(PROXY_TOKEN.to_owned());
    match Config::parse(filter.to_string().as_bytes(), &environment) {
        Ok(config) => Ok(format!("{config:?}")),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// The configuration with a field set, or without it.
fn with(mut filter: Value, field: &str, value: Option<Value>) -> Value {
    let (parent, name) = field.rsplit_once('/').unwrap();
    let parent = filter.pointer_mut(parent).unwrap_or_else(|| panic!("{field} has a place"));
    let parent = parent.as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    filter
}

/// The reading without the object that a field is in, where the field is all that is in it.
fn without_its_object(field: &str, error: String) -> Result<String, String> {
    let (object, _) = field.rsplit_once('/').unwrap();
    let members =
        base(field).pointer(object).and_then(|value| value.as_object().map(|all| all.len()));
    if members == Some(1) { reading(&with(base(field), object, None)) } else { Err(error) }
}

/// Another value of the same kind.
fn another(value: &Value) -> Value {
    match value {
        Value::Bool(value) => json!(!value),
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::Array(_) if *value == json!(["ES256"]) => json!(["ES384"]),
        Value::Array(_) => json!(["at+jwt"]),
        Value::String(text) => json!(match text.as_str() {
            "enforce" => "shadow",
            "pass" => "deny",
            "deny" => "allow",
            "at_once" => "finish",
            "none" => "digest",
            duration => {
                assert!(duration.starts_with(|c: char| c.is_ascii_digit()), "{duration}");
                "7s"
            }
        }),
        other => panic!("{other}"),
    }
}

/// What a field needs around it to count.
fn base(field: &str) -> Value {
    match field {
        "/scopes/0/drain" => with(least(), "/scopes/0/cut", Some(json!("finish"))),
        _ if field.contains("_body/") => {
            with(least(), "/scopes/0/request_body", Some(json!({"capture": {}})))
        }
        _ => least(),
    }
}

#[test]
fn every_default_in_the_tables_is_the_filters() {
    let (mut literal, mut required, mut optional) = (0, 0, 0);
    for (heading, place) in TABLES {
        for row in rows(&read("docs/configuration.md"), heading) {
            for field in fields_of(place, &row[0]) {
                if row[1].is_empty() {
                    // It is one of several, and the row of its parent says so.
                    continue;
                }
                let absent = reading(&with(base(&field), &field, None));
                match (words(&row[1]).first(), row[1].as_str()) {
                    (Some(text), default) if default.starts_with('`') => {
                        let value: Value = serde_json::from_str(text)
                            .unwrap_or_else(|error| panic!("{field}: {error}: {default}"));
                        let named = reading(&with(base(&field), &field, Some(value.clone())));
                        assert!(absent.is_ok(), "{field}: {absent:?}");
                        assert_eq!(named, absent, "{field}: {value}");
                        let other = with(base(&field), &field, Some(another(&value)));
                        assert_ne!(reading(&other), absent, "{field}: {other}");
                        literal += 1;
                    }
                    (_, default) if default.starts_with("required") => {
                        let path = field.replace("/0/", "[0].").replace('/', ".");
                        let missing = format!("{}: is required", path.trim_start_matches('.'));
                        let error = absent.unwrap_err();
                        assert!(error.contains(&missing), "{field}: {error}");
                        required += 1;
                    }
                    (_, "none" | "any" | "nothing" | "that of `revocation`") => {
                        let left_out = absent.or_else(|error| without_its_object(&field, error));
                        assert!(left_out.is_ok(), "{field}: {left_out:?}");
                        optional += 1;
                    }
                    (_, default) => panic!("{field}: what is `{default}`?"),
                }
            }
        }
    }
    println!("configuration: {literal} defaults, {required} required fields, {optional} optional");
    assert!(literal >= 18 && required >= 15 && optional >= 10, "{literal} {required} {optional}");
}

#[test]
fn without_token_sources_the_header_of_its_own_is_one() {
    let absent = with(least(), "/token_sources", None);
    assert_eq!(reading(&absent), reading(&least()));
    assert_ne!(reading(&full()), reading(&least()));
}
