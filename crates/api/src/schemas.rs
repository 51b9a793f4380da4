//! Schemas that no attribute can say.

use utoipa::openapi::Array;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};

use crate::proxies::Enforcement;

/// The scopes of a request.
pub(crate) fn scopes() -> Array {
    let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    ArrayBuilder::new()
        .items(text)
        .min_items(Some(1))
        .max_items(Some(16))
        .unique_items(true)
        .description(Some("The scopes, each once."))
        .build()
}

/// `true`, and no other.
pub(crate) fn only_true() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Boolean))
        .enum_values(Some([true]))
        .description(Some("All grants; takes the right to approve every scope of each, or to be a responder of its environment."))
        .build()
}

/// `shadow`, and no other.
pub(crate) fn only_shadow() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .enum_values(Some([Enforcement::Shadow.word()]))
        .description(Some("Only there where its configuration refuses nothing."))
        .build()
}
