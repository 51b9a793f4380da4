//! One endpoint with one method, as the document describes it.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// Who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Every caller: no credential is looked at.
    Unauthenticated,
    /// Every caller, and an authenticated person learns more.
    PersonIfAuthenticated,
    Person,
    Proxy,
}

/// A body, with how it is written.
struct Body {
    media_type: &'static str,
    schema: Value,
}

/// One endpoint with one method.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    id: &'static str,
    summary: &'static str,
    caller: Caller,
    parameters: Vec<Value>,
    asks: Option<Body>,
    status: u16,
    headers: Option<Value>,
    answers: Option<Body>,
    schemas: Map<String, Value>,
}

impl Operation {
    pub(super) fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        caller: Caller,
        summary: &'static str,
    ) -> Operation {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
        Operation {
            path,
            method,
            id,
            summary,
            caller,
            parameters: names.map(in_path).collect(),
            asks: None,
            status: 200,
            headers: None,
            answers: None,
            schemas: Map::new(),
        }
    }

    /// What the id in its path is.
    pub(super) fn of(mut self, description: &str) -> Operation {
        for parameter in self.parameters.iter_mut().filter_map(Value::as_object_mut) {
            parameter.insert("description".to_owned(), description.into());
        }
        self
    }

    /// The members of `P` are parameters. One is there or not: none is ever `null`.
    pub(super) fn with<P: IntoParams>(mut self) -> Operation {
        let parameters = P::into_params(|| Some(ParameterIn::Query));
        self.parameters.extend(parameters.iter().map(|one: &Parameter| {
            let mut one = to_json(one);
            let Some(schema) = one.get_mut("schema").and_then(Value::as_object_mut) else {
                return one;
            };
            if let Some(Value::Array(types)) = schema.get("type") {
                let given = types.iter().find(|kind| *kind != "null").cloned();
                schema.insert("type".to_owned(), given.unwrap_or_default());
            }
            if let Some(Value::Array(either)) = schema.remove("oneOf")
                && let Some(Value::Object(given)) =
                    either.into_iter().find(|one| one.get("type") != Some(&"null".into()))
            {
                schema.extend(given);
            }
            one
        }));
        self
    }

    /// A parameter that no type has.
    pub(super) fn with_parameter(mut self, parameter: Value) -> Operation {
        self.parameters.push(parameter);
        self
    }

    /// Its body is this type in JSON.
    pub(super) fn asks<T: ToSchema>(self) -> Operation {
        self.asks_as::<T>("application/json")
    }

    /// Its body is this type as a form.
    pub(super) fn asks_form<T: ToSchema>(self) -> Operation {
        self.asks_as::<T>("application/x-www-form-urlencoded")
    }

    fn asks_as<T: ToSchema>(mut self, media_type: &'static str) -> Operation {
        let schema = self.reference::<T>(&T::name());
        self.asks = Some(Body { media_type, schema });
        self
    }

    /// Its answer is this type in JSON.
    pub(super) fn answers<T: ToSchema>(self) -> Operation {
        let name = T::name();
        self.answers_named::<T>(&name)
    }

    /// The same by this name in the document, where `T` is a page of `I`.
    pub(super) fn answers_page<T: ToSchema, I: ToSchema>(mut self, name: &str) -> Operation {
        self.reference::<I>(&I::name());
        self.answers_named::<T>(name)
    }

    fn answers_named<T: ToSchema>(mut self, name: &str) -> Operation {
        let schema = self.reference::<T>(name);
        self.answers = Some(Body { media_type: "application/json", schema });
        self
    }

    /// Its answer is a stream of server-sent events, whose `data` is this type in JSON.
    pub(super) fn streams<T: ToSchema>(mut self) -> Operation {
        self.reference::<T>(&T::name());
        let schema = json!({ "type": "string" });
        self.answers = Some(Body { media_type: crate::watch::MEDIA_TYPE, schema });
        self
    }

    /// Its answer is text.
    pub(super) fn answers_text(mut self) -> Operation {
        let schema = json!({ "type": "string" });
        self.answers = Some(Body { media_type: "text/plain", schema });
        self
    }

    /// Something is made.
    pub(super) fn creates(mut self) -> Operation {
        self.status = 201;
        self
    }

    /// The answer has these headers.
    pub(super) fn headers(mut self, headers: Value) -> Operation {
        self.headers = Some(headers);
        self
    }

    /// Keeps the schema of `T` and of all that it is made of.
    fn reference<T: ToSchema>(&mut self, name: &str) -> Value {
        let mut used: Vec<(String, RefOr<Schema>)> = Vec::new();
        T::schemas(&mut used);
        used.push((name.to_owned(), T::schema()));
        // How a text is held is a parameter of some types, and no schema of the interface.
        let used = used.iter().filter(|(name, _)| *name != String::name());
        self.schemas.extend(used.map(|(name, schema)| (name.clone(), to_json(schema))));
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// The operation, and the schemas that it refers to.
    pub(super) fn describe(mut self) -> (Value, Map<String, Value>) {
        let problem = self.reference::<Problem>("Problem");
        let mut done = json!({ "description": "Done." });
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "security": match self.caller {
                Caller::Unauthenticated => json!([]),
                Caller::PersonIfAuthenticated => json!([{}, { "person": [] }]),
                Caller::Person => json!([{ "person": [] }]),
                Caller::Proxy => json!([{ "proxy": [] }]),
            },
        });
        let content = |body: Body| json!({ body.media_type: { "schema": body.schema } });
        insert(&mut done, "headers", self.headers);
        insert(&mut done, "content", self.answers.map(content));
        let parameters = (!self.parameters.is_empty()).then_some(Value::Array(self.parameters));
        insert(&mut operation, "parameters", parameters);
        let asks = self.asks.map(|body| json!({ "required": true, "content": content(body) }));
        insert(&mut operation, "requestBody", asks);
        let refused = json!({
            "description": "Refused: `reason` says why, `detail` what to do.",
            "content": { "application/problem+json": { "schema": problem } },
        });
        let responses = json!({ self.status.to_string(): done, "default": refused });
        insert(&mut operation, "responses", Some(responses));
        (operation, self.schemas)
    }
}

fn insert(to: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(to), Some(value)) = (to.as_object_mut(), value) {
        to.insert(name.to_owned(), value);
    }
}

/// No part of an OpenAPI document fails to be JSON.
fn to_json(part: &impl Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}
