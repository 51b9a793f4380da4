//! What an object of a configuration may hold, written once.
//!
//! [`object!`](crate::object) makes a type, its reader and its description of one definition, so that
//! what is documented is what is read. A field is a [`Member`] (it must be there, or what it is
//! without), and holds what a [`Reader`] takes. Every error is reported with the path of its field, and
//! the reading goes on: only when nothing was reported does a value exist.

mod describe;
mod fields;
mod json_schema;
mod map;
mod markdown;
mod member;
mod object;
mod place;
mod reader;

pub use describe::{Description, Field, Presence, Takes};
pub use fields::Fields;
pub use json_schema::json_schema;
pub use map::{Map, map};
pub use markdown::{reference, with_generated};
#[doc(hidden)]
pub use member::describe_member;
pub use member::{Member, flat, optional, or, or_empty, or_none, required, required_without};
pub use object::{Members, Object};
pub use place::{ConfigError, Place, Reading};
pub use reader::{Reader, boolean, duration, list, number, object, one_of, parsed, text};

/// Defines an object of a configuration: a struct in which each field says what it takes.
///
/// The documentation of the struct and its fields is that of the configuration too: it is for whoever
/// writes one. The struct still needs an `impl Object`, where its check is, if it has one.
///
/// ```
/// use std::time::Duration;
/// use breakglass_types::json::Json;
/// use breakglass_config_schema::{Object, Reader, Reading, duration, object, or, required, text};
///
/// object! {
///     /// Whom to call.
///     #[derive(Debug)]
///     pub struct Contact {
///         /// Who it is.
///         pub name: String = required(text()),
///         /// How long to let it ring.
///         pub patience: Duration = or("30s", duration()),
///     }
/// }
/// impl Object for Contact {}
///
/// let json = Json::parse(br#"{"name": "alice"}"#).unwrap();
/// let contact = Reading::new().read(&object::<Contact>(), &json).unwrap();
/// assert_eq!((contact.name.as_str(), contact.patience.as_secs()), ("alice", 30));
/// assert_eq!(Contact::describe().fields[1].about.trim(), "How long to let it ring.");
/// ```
#[macro_export]
macro_rules! object {
    (
        $(#[$($about:tt)*])*
        $visibility:vis struct $name:ident {
            $(
                $(#[$($doc:tt)*])*
                $field_visibility:vis $field:ident: $type:ty = $member:expr
            ),* $(,)?
        }
    ) => {
        $(#[$($about)*])*
        $visibility struct $name {
            $( $(#[$($doc)*])* $field_visibility $field: $type, )*
        }

        impl $crate::Members for $name {
            const NAME: &'static str = stringify!($name);
            const ABOUT: &'static str = concat!($($crate::documentation!($($about)*)),*);

            fn read_members(fields: &mut $crate::Fields<'_>) -> Option<Self> {
                // All of them, before the first that failed counts; and at once, so that no field has the
                // name of a function that a later one calls.
                let ($($field,)*): ($(Option<$type>,)*) =
                    ($($crate::Member::read(&$member, $crate::field_name(stringify!($field)), fields),)*);
                Some($name { $( $field: $field?, )* })
            }

            fn describe_members(fields: &mut Vec<$crate::Field>) {
                $( $crate::describe_member::<$type, _>(
                    &$member,
                    $crate::field_name(stringify!($field)),
                    concat!($($crate::documentation!($($doc)*)),*),
                    fields,
                ); )*
            }
        }
    };
}

/// The name of a field as the configuration has it: without the mark of a name that is a keyword of Rust.
#[doc(hidden)]
#[must_use]
pub fn field_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The text of a documentation attribute; nothing of any other.
#[doc(hidden)]
#[macro_export]
macro_rules! documentation {
    (doc = $text:literal) => {
        concat!($text, "\n")
    };
    ($($other:tt)*) => {
        ""
    };
}
