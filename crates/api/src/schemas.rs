//! Schemas that no attribute can say.

use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat,
    SchemaType, Type,
};
use utoipa::openapi::{Array, RefOr};

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

/// How many records each grant has.
pub(crate) fn counts() -> Object {
    let count = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1));
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(Schema::Object(
            count.build(),
        )))))
        .description(Some(
            "How many records each grant has in the chain so far, where that has changed.",
        ))
        .build()
}

/// `true`, and no other.
pub(crate) fn only_true() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Boolean))
        .enum_values(Some([true]))
        .description(Some("All grants; takes the right to approve every scope of each."))
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
