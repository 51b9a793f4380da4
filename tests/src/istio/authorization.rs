//! AuthorizationPolicies as the RBAC filters that istiod makes of them: CUSTOM, then DENY, then
//! ALLOW, each policy's rules side by side.

use serde_json::{Map, Value, json};

use super::named::filter;

const RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";

/// The filters, in order, of the policies that select a workload.
pub(super) fn filters(policies: &[&Value]) -> Vec<Value> {
    let of = |action: &str| {
        let of_action = policies.iter().filter(|policy| policy["spec"]["action"] == action);
        let rules: Map<_, _> = of_action.flat_map(|policy| rules(policy)).collect();
        (!rules.is_empty()).then_some(rules)
    };
    let enforced = |action: &str| {
        let rules = json!({"rules": {"action": action, "policies": of(action)?}});
        Some(filter("envoy.filters.http.rbac", RBAC, rules))
    };
    let custom = of("CUSTOM").map(custom).into_iter().flatten();
    custom.chain(enforced("DENY")).chain(enforced("ALLOW")).collect()
}

/// CUSTOM: an RBAC filter that only says, in metadata, whether a rule matches, and the filter that
/// asks the provider if one does. The provider's cluster goes by its name.
fn custom(policies: Map<String, Value>) -> [Value; 2] {
    // And the provider's name, which is the same.
    let prefix = "istio-ext-authz-ext-authz";
    let named = policies.into_iter().map(|(name, rule)| (format!("{prefix}-{name}"), rule));
    let policies: Map<_, _> = named.collect();
    let shadow = json!({
        "shadow_rules": {"action": "DENY", "policies": policies},
        "shadow_rules_stat_prefix": "istio_ext_authz_",
    });
    let provider = json!({
        "http_service": {"server_uri":
            {"uri": "http://ext-authz", "cluster": "ext-authz", "timeout": "1s"}},
        "transport_api_version": "V3",
        "filter_enabled_metadata": {
            "filter": "envoy.filters.http.rbac",
            "path": [{"key": "istio_ext_authz_shadow_effective_policy_id"}],
            "value": {"string_match": {"prefix": prefix}},
        },
    });
    let kind = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";
    [
        filter("envoy.filters.http.rbac", RBAC, shadow),
        filter("envoy.filters.http.ext_authz", kind, provider),
    ]
}

fn rules(policy: &Value) -> Vec<(String, Value)> {
    let name = format!(
        "ns[{}]-policy[{}]",
        text(&policy["metadata"]["namespace"]),
        text(&policy["metadata"]["name"])
    );
    let rules = policy["spec"]["rules"].as_array().expect("rules").iter().enumerate();
    rules.map(|(index, rule)| (format!("{name}-rule[{index}]"), one(rule))).collect()
}

/// A rule: what is asked for is a permission of RBAC, who asks is a principal. A condition is one or
/// the other by its key.
fn one(rule: &Value) -> Value {
    let (mut permissions, mut principals) = (Vec::new(), Vec::new());
    for condition in list(&rule["when"]) {
        let key = text(&condition["key"]);
        let (values, not_values) = (list(&condition["values"]), list(&condition["notValues"]));
        if let Some(header) = in_brackets(key, "request.headers") {
            assert!(not_values.is_empty(), "{condition} is not understood here");
            let wanted = values.iter().map(|value| by_header(header, text(value)));
            principals.push(any("or_ids", wanted));
        } else if let Some(claim) = in_brackets(key, "request.auth.claims") {
            assert!(not_values.is_empty(), "{condition} is not understood here");
            let wanted = values.iter().map(|value| by_claim(claim, text(value)));
            principals.push(one_of("or_ids", wanted));
        } else if let Some(filter) = key.strip_prefix("experimental.") {
            let by = |values: &[Value]| {
                one_of("or_rules", values.iter().map(|value| by_metadata(filter, text(value))))
            };
            if !values.is_empty() {
                permissions.push(by(values));
            }
            if !not_values.is_empty() {
                permissions.push(json!({"not_rule": by(not_values)}));
            }
        } else {
            panic!("{condition} is not understood here");
        }
    }
    assert!(rule.get("from").is_none(), "{rule} is not understood here");
    let operations = list(&rule["to"]);
    let asked: Vec<Value> = if operations.is_empty() {
        vec![all("and_rules", permissions)]
    } else {
        let with = |to: &Value| [operation(&to["operation"]), permissions.clone()].concat();
        operations.iter().map(|to| all("and_rules", with(to))).collect()
    };
    json!({"permissions": asked, "principals": [all("and_ids", principals)]})
}

fn operation(operation: &Value) -> Vec<Value> {
    let members = operation.as_object().expect("an operation");
    let of = |(name, values): (&String, &Value)| {
        let values = list(values);
        let paths = values.iter().map(|path| json!({"url_path": {"path": string(text(path))}}));
        let methods = values.iter().map(|method| by_header(":method", text(method)));
        let port = |port: &Value| text(port).parse::<u16>().expect("a port");
        let ports = values.iter().map(|value| json!({"destination_port": port(value)}));
        match name.as_str() {
            "paths" => any("or_rules", paths),
            "notPaths" => json!({"not_rule": any("or_rules", paths)}),
            "methods" => any("or_rules", methods),
            "notMethods" => json!({"not_rule": any("or_rules", methods)}),
            "ports" => any("or_rules", ports),
            "notPorts" => json!({"not_rule": any("or_rules", ports)}),
            other => panic!("`{other}` is not understood here"),
        }
    };
    members.iter().map(of).collect()
}

fn by_header(name: &str, value: &str) -> Value {
    match value {
        "*" => json!({"header": {"name": name, "present_match": true}}),
        value => json!({"header": {"name": name, "string_match": string(value)}}),
    }
}

/// A claim of a token that a RequestAuthentication has verified: a text, or one in a list of texts.
fn by_claim(claim: &str, value: &str) -> Value {
    let text = json!({"string_match": string(value)});
    let either = json!({"or_match": {"value_matchers": [{"list_match": {"one_of": text}}, text]}});
    let path = json!([{"key": "payload"}, {"key": claim}]);
    json!({"metadata": {"filter": "envoy.filters.http.jwt_authn", "path": path, "value": either}})
}

/// `envoy.filters.a.b[c]` of a condition: the value of `c` in the metadata of that filter.
fn by_metadata(filter: &str, value: &str) -> Value {
    let (filter, key) = filter.trim_end_matches(']').split_once('[').expect("a filter and a key");
    assert!(filter.starts_with("envoy.filters."), "Istio asks for no metadata of {filter}");
    json!({"metadata": {"filter": filter, "path": [{"key": key}], "value": {"string_match": string(value)}}})
}

/// A `*` stands at the beginning or at the end; elsewhere it is a character like any other.
fn string(value: &str) -> Value {
    if let Some(prefix) = value.strip_suffix('*') {
        json!({"prefix": prefix})
    } else if let Some(suffix) = value.strip_prefix('*') {
        json!({"suffix": suffix})
    } else {
        json!({"exact": value})
    }
}

/// A condition with one value is that value's.
fn one_of(or: &str, rules: impl Iterator<Item = Value>) -> Value {
    let mut rules: Vec<Value> = rules.collect();
    if rules.len() == 1 { rules.remove(0) } else { any(or, rules.into_iter()) }
}

fn any(or: &str, rules: impl Iterator<Item = Value>) -> Value {
    let kind = or.trim_start_matches("or_");
    json!({or: {kind: rules.collect::<Vec<_>>()}})
}

fn all(and: &str, rules: Vec<Value>) -> Value {
    let kind = and.trim_start_matches("and_");
    let rules = if rules.is_empty() { vec![json!({"any": true})] } else { rules };
    json!({and: {kind: rules}})
}

fn in_brackets<'k>(key: &'k str, name: &str) -> Option<&'k str> {
    key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}
