//! What is said about an object: the raw material of the reference and of the JSON Schema.

use std::time::Duration;

use breakglass_types::json::Json;

/// What an object may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The name of its type.
    pub name: &'static str,
    /// Its documentation, a line each, each with the space before it.
    pub about: &'static str,
    /// Its fields, in the order of the definition.
    pub fields: Vec<Field>,
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its documentation.
    pub about: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it is without it.
    pub presence: Presence,
}

/// Whether a field must be there.
#[derive(Debug, Clone, PartialEq)]
pub enum Presence {
    /// It must.
    Required,
    /// It must, unless this other field is there.
    RequiredWithout(&'static str),
    /// It need not; what its absence means.
    Optional(&'static str),
    /// Absent, it is this.
    Default(Json),
}

/// What a place takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Takes {
    /// `true` or `false`
    Boolean,
    /// A whole number in this range.
    Number(u64, u64),
    /// Text; what kind of it, in the singular.
    Text(&'static str),
    /// A duration such as `"25s"`: the shortest and the longest.
    Duration(Duration, Option<Duration>),
    /// One of these words.
    Words(Vec<&'static str>),
    /// One or more.
    List(Box<Takes>),
    /// An object whose member names are data, at least one: what a name is, in the singular, and what the values are.
    Map(&'static str, Box<Takes>),
    /// An object.
    Object(Description),
    /// Any of these.
    Either(Vec<Takes>),
    /// An object that another standard describes: which.
    Foreign(&'static str),
}
