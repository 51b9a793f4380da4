//! The fields of an object: which must be there, and what the others are without.

use std::collections::BTreeMap;

use breakglass_types::json::Json;

use super::{Field, Fields, Members, Object, Presence, Reader};

/// How a field of a struct comes from the fields of an object.
pub trait Member {
    /// What it makes.
    type Value;

    /// Reads it. `None` if it is wrong, and then that was reported.
    fn read(&self, name: &'static str, fields: &mut Fields<'_>) -> Option<Self::Value>;

    /// Adds the fields that it reads.
    fn describe(&self, name: &'static str, about: &'static str, fields: &mut Vec<Field>);
}

/// A field that must be there.
#[must_use]
pub fn required<R: Reader>(reader: R) -> Required<R> {
    Required(reader)
}

/// A field that must be there, unless the field `other` of the same object is.
#[must_use]
pub fn required_without<R: Reader>(other: &'static str, reader: R) -> RequiredWithout<R> {
    RequiredWithout(other, reader)
}

/// A field that may be absent; what that means, in a word or two.
#[must_use]
pub fn optional<R: Reader>(absent: &'static str, reader: R) -> Optional<R> {
    Optional(absent, reader)
}

/// A field with a default, which is written as the configuration would say it, and read like that.
#[must_use]
pub fn or<R: Reader>(default: impl Into<Json>, reader: R) -> Or<R> {
    Or(default.into(), reader)
}

/// An object all of whose fields may be absent, and so it may be itself.
#[must_use]
pub fn or_empty<R: Reader>(reader: R) -> Or<R> {
    Or(Json::Object(BTreeMap::new()), reader)
}

/// A list that may be absent, and is empty then.
#[must_use]
pub fn or_none<R: Reader<Value: Default>>(reader: R) -> OrNone<R> {
    OrNone(reader)
}

/// The fields of another object, among those of this one.
#[must_use]
pub fn flat<T: Object>() -> Flat<T> {
    Flat(std::marker::PhantomData)
}

/// See [`required`].
#[derive(Debug)]
pub struct Required<R>(R);

impl<R: Reader> Member for Required<R> {
    type Value = R::Value;

    fn read(&self, name: &'static str, fields: &mut Fields<'_>) -> Option<R::Value> {
        match fields.take(name) {
            (Some(json), place) => self.0.read(json, &place),
            (None, place) => place.error("is required"),
        }
    }

    fn describe(&self, name: &'static str, about: &'static str, fields: &mut Vec<Field>) {
        fields.push(Field { name, about, takes: self.0.takes(), presence: Presence::Required });
    }
}

/// See [`required_without`].
#[derive(Debug)]
pub struct RequiredWithout<R>(&'static str, R);

impl<R: Reader> Member for RequiredWithout<R> {
    type Value = Option<R::Value>;

    fn read(&self, name: &'static str, fields: &mut Fields<'_>) -> Option<Option<R::Value>> {
        match fields.take(name) {
            (Some(json), place) => self.1.read(json, &place).map(Some),
            (None, _) if fields.has(self.0) => Some(None),
            (None, place) => place.error(format!("is required, unless `{}` is given", self.0)),
        }
    }

    fn describe(&self, name: &'static str, about: &'static str, fields: &mut Vec<Field>) {
        let presence = Presence::RequiredWithout(self.0);
        fields.push(Field { name, about, takes: self.1.takes(), presence });
    }
}

/// See [`optional`].
#[derive(Debug)]
pub struct Optional<R>(&'static str, R);

impl<R: Reader> Member for Optional<R> {
    type Value = Option<R::Value>;

    fn read(&self, name: &'static str, fields: &mut Fields<'_>) -> Option<Option<R::Value>> {
        match fields.take(name) {
            (Some(json), place) => self.1.read(json, &place).map(Some),
            (None, _) => Some(None),
        }
    }

    fn describe(&self, name: &'static str, about: &'static str, fields: &mut Vec<Field>) {
        let presence = Presence::Optional(self.0);
        fields.push(Field { name, about, takes: self.1.takes(), presence });
    }
}

/// See [`or`] and [`or_empty`].
#[derive(Debug)]
pub struct Or<R>(Json, R);

impl<R: Reader> Member for Or<R> {
    type Value = R::Value;

    fn read(&self, name: &'static str, fields: &mut Fields<'_>) -> Option<R::Value> {
        let (json, place) = fields.take(name);
        self.1.read(json.unwrap_or(&self.0), &place)
    }

    fn describe(&self, name: &'static str, about: &'static str, fields: &mut Vec<Field>) {
        let presence = Presence::Default(self.0.clone());
        fields.push(Field { name, about, takes: self.1.takes(), presence });
    }
}

/// See [`or_none`].
#[derive(Debug)]
pub struct OrNone<R>(R);

impl<R: Reader<Value: Default>> Member for OrNone<R> {
    type Value = R::Value;

    fn read(&self, name: &'static str, fields: &mut Fields<'_>) -> Option<R::Value> {
        match fields.take(name) {
            (Some(json), place) => self.0.read(json, &place),
            (None, _) => Some(R::Value::default()),
        }
    }

    fn describe(&self, name: &'static str, about: &'static str, fields: &mut Vec<Field>) {
        let presence = Presence::Optional("none");
        fields.push(Field { name, about, takes: self.0.takes(), presence });
    }
}

/// See [`flat`].
#[derive(Debug)]
pub struct Flat<T>(std::marker::PhantomData<T>);

impl<T: Members> Member for Flat<T> {
    type Value = T;

    fn read(&self, _: &'static str, fields: &mut Fields<'_>) -> Option<T> {
        T::read_members(fields)
    }

    fn describe(&self, _: &'static str, _: &'static str, fields: &mut Vec<Field>) {
        T::describe_members(fields);
    }
}

/// What [`object!`](crate::object) calls: its arguments say by the type of the field what is described.
#[doc(hidden)]
pub fn describe_member<T, M: Member<Value = T>>(
    member: &M,
    name: &'static str,
    about: &'static str,
    fields: &mut Vec<Field>,
) {
    member.describe(name, about, fields);
}
