//! Files of definitions: what is wrong with them, and what requests and tokens have of them.

use std::fs;
use std::path::{Path, PathBuf};

use breakglass_server::config::Config;
use breakglass_server::definitions::{Definitions, MAX_FILE_BYTES};
use breakglass_types::scope_rules::ScopeRules;
use serde_json::{Value, json};
use tempfile::TempDir;

use breakglass_testing::service::{START, Service, config};

/// What `orders:read` opens in these tests.
pub(crate) fn orders_read() -> Value {
    json!({ "methods": ["GET"], "paths": ["/v1/orders/{id}"], "v": 1 })
}

pub(crate) fn digest(form: &Value) -> String {
    ScopeRules::from_canonical(form.clone()).unwrap().digest().to_string()
}

/// Writes a file of definitions for `prod`.
pub(crate) fn write(directory: &Path, name: &str, scopes: Value) {
    let file = json!({ "audiences": ["prod"], "scopes": scopes });
    fs::write(directory.join(name), file.to_string()).unwrap();
}

/// A service whose configuration names `definitions.json`, with these scopes.
pub(crate) async fn service(scopes: Value) -> Service {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "definitions.json", scopes);
    let text = named(&directory);
    Service::start_with(directory, &text, START).await
}

pub(crate) fn named(directory: &TempDir) -> String {
    format!("definitions = [\"definitions.json\"]\n{}", config(directory))
}

fn errors(files: &[&str], contents: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    for (file, content) in files.iter().zip(contents) {
        fs::write(directory.path().join(file), content).unwrap();
    }
    let paths: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let wrong = Definitions::read(directory.path(), &paths).unwrap_err();
    let at = format!("{}/", directory.path().display());
    wrong.iter().map(|error| error.to_string().replace(&at, "")).collect()
}

#[test]
fn says_everything_that_is_wrong_with_its_file_and_field() {
    let wrong = json!({
        "audience": "prod",
        "audiences": ["prod", 1, "prod"],
        "scopes": {
            "a": {},
            "b": { "methods": ["GET"], "paths": ["x"], "v": 1 },
            "c": { "methods": ["GET"], "paths": ["/x"], "v": 3 },
            "d": { "methods": ["GET"], "paths": ["/x"], "hosts": ["A.test"], "v": 1 },
            "e": { "methods": ["GET"], "paths": ["/x"], "cut": "finish", "v": 1 },
            "f g": { "methods": ["GET"], "paths": ["/x"], "v": 1 },
            // In the canonical form, and no filter would take it.
            "h": { "methods": [], "paths": ["/x"], "v": 1 },
        },
    });
    let found = errors(&["wrong.json", "gone.json"], &[&wrong.to_string()]);
    for (found, begin) in found.iter().zip([
        "wrong.json: audience: unknown member",
        "wrong.json: audiences[1]: expected text, found",
        "wrong.json: audiences[2]: named twice",
        "wrong.json: scopes.\"a\": expected `v`",
        "wrong.json: scopes.\"b\".paths[0]: ",
        "wrong.json: scopes.\"c\": the rules are of version 3, and this breakglass knows 1 to 2: take a newer one",
        "wrong.json: scopes.\"d\": not in its canonical form: write {\"hosts\":[\"a.test\"],",
        "wrong.json: scopes.\"e\": unknown field `cut`",
        "wrong.json: scopes.\"f g\".name: ",
        "wrong.json: scopes.\"h\".methods: ",
        "gone.json: cannot be read: No such file",
    ]) {
        assert!(found.starts_with(begin), "{found} is not {begin}");
    }
    assert_eq!(found.len(), 11, "{found:#?}");
    for (content, expected) in [
        ("[]", "expected an object, found an array"),
        ("{", "expected JSON: "),
        (r#"{"scopes":{},"scopes":{}}"#, "expected JSON: "),
        (r#"{"audiences":["a"]}"#, "scopes: expected an object"),
        (r#"{"audiences":["a"],"scopes":{}}"#, "scopes: expected an object"),
        (
            r#"{"audiences":[],"scopes":{"a":{"methods":["GET"],"paths":["/x"],"v":1}}}"#,
            "audiences: expected a list",
        ),
        (
            r#"{"audiences":["a"],"scopes":{"a":{"methods":["GET"],"methods":["PUT"],"paths":["/x"],"v":1}}}"#,
            "expected JSON: ",
        ),
    ] {
        let found = errors(&["a.json"], &[content]);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("a.json: {expected}")),
            "{content}: {found:?}"
        );
    }
    let long = format!("{{}}{}", " ".repeat(usize::try_from(MAX_FILE_BYTES).unwrap()));
    assert_eq!(
        errors(&["a.json"], &[&long]),
        ["a.json: expected at most 4194304 bytes: use several files"]
    );
}

#[test]
fn an_audience_and_a_name_are_defined_once_over_all_files() {
    let file = |audiences: &[&str]| {
        json!({ "audiences": audiences, "scopes": { "orders:read": orders_read() } }).to_string()
    };
    let found =
        errors(&["a.json", "b.json"], &[&file(&["prod", "staging"]), &file(&["prod", "test"])]);
    let [found] = &found[..] else { panic!("{found:?}") };
    // Both files are named.
    assert_eq!(
        found,
        "b.json: scopes.\"orders:read\": for `prod` it is defined in a.json too: keep one of them"
    );
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.json"), file(&["prod"])).unwrap();
    fs::write(directory.path().join("b.json"), file(&["staging"])).unwrap();
    // A path may be absolute.
    let files = ["a.json".into(), directory.path().join("b.json")];
    let definitions = Definitions::read(directory.path(), &files).unwrap();
    let all: Vec<_> = definitions.iter().map(|(audience, name, _)| (audience, name)).collect();
    assert_eq!(all, [("prod", "orders:read"), ("staging", "orders:read")]);
}

#[test]
fn a_definition_that_no_person_can_ask_for_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let scopes = json!({ "orders:read": orders_read(), "orders:raed": orders_read(), "staging:read": orders_read() });
    write(directory.path(), "a.json", scopes);
    let config = Config::parse(&config(&directory)).unwrap();
    let definitions = Definitions::read(directory.path(), &["a.json".into()]).unwrap();
    let found = definitions.warnings(&config);
    // The last one is for another audience there.
    let expected = ["orders:raed", "staging:read"].map(|name| {
        format!(
            "{}/a.json: scopes.\"{name}\": the configuration has no such scope for any of its `audiences`, so no person \
             can ask for it",
            directory.path().display()
        )
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_request_freezes_the_digests_and_its_token_carries_them() {
    let service = service(json!({ "orders:read": orders_read() })).await;
    let id = service.pending_for(&["orders:read", "orders:write"]).await;
    let digest = digest(&orders_read());
    let shown = service.get("carol", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(
        shown["rules"],
        json!([
            { "scope": "orders:read", "digest": digest, "proxies": { "same": 0, "other": 0, "unknown": 0 } },
            { "scope": "orders:write" },
        ])
    );
    // A list is short.
    let list = service.get("carol", "/v1/requests").await.ok();
    assert_eq!(
        (&list["requests"][0]["digest"], list["requests"][0].get("rules")),
        (&shown["digest"], None)
    );

    // Whoever edits the definition afterwards edits no request.
    write(
        service.directory.path(),
        "definitions.json",
        json!({ "orders:read": { "methods": ["GET"], "paths": ["/**"], "v": 1 } }),
    );
    let text = named(&service.directory);
    let service = Service::start_with(service.directory, &text, START + 1).await;
    let now = service.get("carol", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(now["digest"], shown["digest"]);
    assert_eq!(now["rules"], shown["rules"]);

    service.act("carol", &id, "approve").await.ok();
    let claims = crate::token::claims_of(&service.token(&id).await);
    let breakglass = &claims["breakglass"];
    assert_eq!(breakglass["scopes"], json!({ "orders:read": digest }));
    assert_eq!((&breakglass["basis"], &breakglass["approvals"]), (&json!("approved"), &json!(1)));

    // An auditor compares them.
    let evidence = service.get("grace", "/v1/audit/requests?subject=alice").await.ok();
    let trail = &evidence["requests"][0]["trail"];
    for row in [0, 1] {
        assert_eq!(
            trail[row]["detail"]["scope_digests"],
            json!({ "orders:read": digest }),
            "{trail}"
        );
        assert_eq!(trail[row]["detail"]["digest"], shown["digest"], "{trail}");
    }
}

#[tokio::test]
async fn the_proof_that_a_token_can_be_minted_counts_the_digests_in() {
    let reason = |length: usize| "r".repeat(length);
    let names: Vec<String> = (0..16).map(|number| format!("{number}{}", "s".repeat(150))).collect();
    let scopes: String = names
        .iter()
        .map(|name| {
            format!(
                "[[scopes]]\nname = \"{name}\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
                 approvers = [\"commanders\"]\nmax_duration = \"1h\"\n"
            )
        })
        .collect();
    let defined: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), orders_read())).collect();
    for (defines, length, refused) in [(false, 100, false), (true, 100, true)] {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "definitions.json", Value::Object(defined.clone()));
        let text = if defines { named(&directory) } else { config(&directory) };
        let service = Service::start_with(directory, &format!("{text}{scopes}"), START).await;
        let ask = json!({ "scopes": names, "reason": reason(length), "duration": "30m" });
        let answer = service.post("alice", "/v1/requests", ask).await;
        if refused {
            assert_eq!(answer.refusal(), (400, "token_too_large"));
        } else {
            answer.ok();
        }
    }
}

#[tokio::test]
async fn the_database_keeps_the_digests_as_they_were() {
    let service = service(json!({ "orders:read": orders_read() })).await;
    service.pending().await;
    let database = service.database().await;
    for change in ["'{}'", "'[]'", "NULL"] {
        let statement = format!("UPDATE requests SET scope_digests = {change}");
        let error =
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("frozen at submission"), "{error}");
    }
}
