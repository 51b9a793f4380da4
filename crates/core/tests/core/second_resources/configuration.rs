//! The lists of headers and parameters in a configuration, and what is wrong with them.

use serde_json::{Value, json};

use crate::support::{config, parse, test, with};

fn wrong(changes: Value) -> Vec<(String, String)> {
    let errors = parse(&with(config(), changes)).err().unwrap_or_default();
    errors.into_iter().map(|error| (error.path, error.message)).collect()
}

#[test]
fn takes_what_is_documented() {
    for changes in [
        json!({"path_headers": ["X-Tenant", "destination"], "namespace_headers": ["x-realm"],
            "path_parameters": [{"name": "index"}, {"name": "from", "with": "mode"},
                {"name": "from", "with": "copy"}],
            "harmless_second_resources": ["x-original-url", "?from"]}),
        json!({"harmless_second_resources": ["x-anything", "x_vault_namespace"]}),
        json!({"path_parameters": [{"name": "mv.from"}], "harmless_second_resources": ["?from"]}),
    ] {
        let from = changes["path_parameters"].to_string().contains("mode");
        let wanted: &[&str] = if from { &["harmless_second_resources[1]"] } else { &[] };
        let paths: Vec<_> = wrong(changes.clone()).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, wanted, "{changes}");
    }
}

#[test]
fn says_what_is_wrong_and_why() {
    let bearer = json!([{"header": "x-breakglass-token"}, {"header": "x-pass"}]);
    for (changes, path, why) in [
        (json!({"path_headers": []}), "path_headers", "one"),
        (json!({"namespace_headers": []}), "namespace_headers", "one"),
        (json!({"path_parameters": []}), "path_parameters", "one"),
        (json!({"path_headers": [""]}), "path_headers[0]", "not empty"),
        (json!({"path_headers": ["a b"]}), "path_headers[0]", "not a header name"),
        (json!({"path_headers": [":path"]}), "path_headers[0]", "pseudo header"),
        (json!({"namespace_headers": ["HOST"]}), "namespace_headers[0]", "`hosts`"),
        (json!({"path_headers": ["x_breakglass-grant"]}), "path_headers[0]", "this filter's own"),
        (json!({"path_headers": ["x-request-id"]}), "path_headers[0]", "each request"),
        (json!({"path_headers": ["x-a", "X_A"]}), "path_headers[1]", "twice"),
        (
            json!({"path_headers": ["x-a"], "namespace_headers": ["x-a"]}),
            "namespace_headers[0]",
            "`path_headers` too",
        ),
        (
            json!({"token_sources": bearer, "path_headers": ["X_Pass"]}),
            "path_headers[0]",
            "token source",
        ),
        (
            json!({"path_headers": ["x-a"], "harmless_second_resources": ["x_a"]}),
            "path_headers[0]",
            "harmless_second_resources",
        ),
        (json!({"path_parameters": ["from"]}), "path_parameters[0]", "object"),
        (json!({"path_parameters": [{}]}), "path_parameters[0].name", "required"),
        (json!({"path_parameters": [{"name": "?from"}]}), "path_parameters[0].name", "without `?`"),
        (json!({"path_parameters": [{"name": "a&b"}]}), "path_parameters[0].name", "decoded"),
        (json!({"path_parameters": [{"name": "%66rom"}]}), "path_parameters[0].name", "decoded"),
        (
            json!({"path_parameters": [{"name": "a", "with": "A"}]}),
            "path_parameters[0].with",
            "the other parameter",
        ),
        (json!({"path_parameters": [{"name": "a"}, {"name": "A"}]}), "path_parameters[1]", "twice"),
        (
            json!({"path_parameters": [{"name": "a", "beside": "b"}]}),
            "path_parameters[0].beside",
            "unknown field",
        ),
        (
            json!({"harmless_second_resources": ["?"]}),
            "harmless_second_resources[0]",
            "name of a parameter",
        ),
        (
            json!({"harmless_second_resources": ["?page"]}),
            "harmless_second_resources[0]",
            "`?from`",
        ),
        (
            json!({"path_parameters": [{"name": "a"}], "harmless_second_resources": ["?a"]}),
            "harmless_second_resources[0]",
            "`path_parameters` too",
        ),
    ] {
        let errors = wrong(changes.clone());
        assert_eq!(errors.len(), 1, "{changes}: {errors:?}");
        assert_eq!(errors[0].0, path, "{changes}: {errors:?}");
        assert!(errors[0].1.contains(why), "{changes}: {errors:?}");
    }
    // All of them at once.
    let many = json!({"path_headers": ["host", ":path"], "path_parameters": [{"name": "?"}], "clock_skew": 1});
    assert_eq!(wrong(many).len(), 4);
}
