//! The OpenAPI document: what `GET /openapi.json` answers, made of the types and of the list of [`operations`].

mod operation;
mod operations;

use serde_json::{Map, Value, json};

use operation::Operation;

/// The document (OpenAPI 3.1).
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for operation in operations::all() {
        let Operation { path, method, .. } = operation;
        let (described, used) = operation.describe();
        schemas.extend(used);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(method.to_owned(), described);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "breakglass approval service",
            "version": "1",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Requests, approvals, tokens, revocation and introspection. Durations are texts such as \
                30m, instants RFC 3339 in UTC. Each answer has the header breakglass-version.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "person": bearer("The API token of a person."),
                "proxy": bearer("The API token of a proxy."),
            },
            "schemas": schemas,
        },
    });
    unwrap_lines(&mut document);
    document
}

fn bearer(description: &str) -> Value {
    json!({ "type": "http", "scheme": "bearer", "description": description })
}

/// Makes one line of each description: where the source breaks its lines means nothing.
fn unwrap_lines(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => *text = text.replace('\n', " "),
                    _ => unwrap_lines(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_lines),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
