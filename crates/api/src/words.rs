//! Words that the interface writes in place of texts: each vocabulary is one enum, and what reads it knows that a newer
//! service may have more of them.

use breakglass_types::Basis;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, schema};

/// A closed list of words.
pub trait Vocabulary: Copy + PartialEq + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// As it is written.
    fn word(self) -> &'static str;

    /// The one that is written so.
    #[must_use]
    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.word() == word)
    }
}

impl Vocabulary for Basis {
    const ALL: &'static [Basis] = &Basis::ALL;

    fn word(self) -> &'static str {
        Basis::word(self)
    }
}

/// A text is none of the words of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {0}")]
pub struct InvalidWord(String);

impl InvalidWord {
    /// None of these.
    #[must_use]
    pub fn none_of<T: Vocabulary>() -> InvalidWord {
        InvalidWord(T::ALL.iter().map(|one| one.word()).collect::<Vec<_>>().join(", "))
    }
}

/// A word of a list, or one that a newer service has and this program does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<T> {
    /// One of the list.
    Known(T),
    /// Another one, as it came.
    Other(String),
}

impl<T: Vocabulary> Word<T> {
    /// The word of the list that is written so, or another one.
    #[must_use]
    pub fn read(word: String) -> Word<T> {
        T::of(&word).map_or(Word::Other(word), Word::Known)
    }

    /// As it is written.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Word::Known(known) => known.word(),
            Word::Other(word) => word,
        }
    }

    /// The word, if it is of the list.
    #[must_use]
    pub fn known(&self) -> Option<T> {
        match self {
            Word::Known(known) => Some(*known),
            Word::Other(_) => None,
        }
    }
}

impl<T: Vocabulary> From<T> for Word<T> {
    fn from(known: T) -> Word<T> {
        Word::Known(known)
    }
}

impl<T: Vocabulary> PartialEq<T> for Word<T> {
    fn eq(&self, other: &T) -> bool {
        self.known() == Some(*other)
    }
}

impl<T: Vocabulary> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de, T: Vocabulary> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word<T>, D::Error> {
        String::deserialize(deserializer).map(Word::read)
    }
}

/// The schema of a list of words: what each means is in the description.
pub(crate) fn schema_of(about: &str, words: &[(&str, &str)]) -> RefOr<Schema> {
    let meanings = words.iter().map(|(word, meaning)| format!(" `{word}`: {}", meaning.trim()));
    let description = std::iter::once(about.trim().to_owned()).chain(meanings).collect::<String>();
    RefOr::T(Schema::Object(
        ObjectBuilder::new()
            .schema_type(schema::SchemaType::new(Type::String))
            .description(Some(description))
            .enum_values(Some(words.iter().map(|(word, _)| *word)))
            .build(),
    ))
}

/// Defines a list of words as an enum, each with what it means and how it is written.
macro_rules! words {
    ($(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $meaning])+ $variant,)+ }

        impl $name {
            /// As it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl $crate::words::Vocabulary for $name {
            const ALL: &'static [$name] = &[$($name::$variant,)+];

            fn word(self) -> &'static str {
                $name::word(self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::words::InvalidWord;

            fn try_from(word: String) -> Result<$name, $crate::words::InvalidWord> {
                <$name as $crate::words::Vocabulary>::of(&word)
                    .ok_or_else($crate::words::InvalidWord::none_of::<$name>)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($name::word(*self))
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::words::schema_of(
                    concat!($($about),+),
                    &[$(($word, concat!($($meaning),+)),)+],
                )
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::State;

    #[test]
    fn a_word_of_a_newer_service_is_kept_as_it_came() {
        let known: Word<State> = serde_json::from_str("\"pending\"").unwrap();
        assert_eq!(known, State::Pending);
        let other: Word<State> = serde_json::from_str("\"held\"").unwrap();
        assert_eq!((other.word(), other.known()), ("held", None));
        assert_eq!(serde_json::to_string(&[known, other]).unwrap(), r#"["pending","held"]"#);
        assert!(serde_json::from_str::<Word<State>>("1").is_err());
    }

    #[test]
    fn who_takes_known_words_only_says_which_they_are() {
        assert_eq!(State::try_from("denied".to_owned()), Ok(State::Denied));
        let expected = "expected one of active, approved, cancelled, denied, expired, lapsed, pending, revoked";
        assert_eq!(State::try_from("held".to_owned()).unwrap_err().to_string(), expected);
    }
}
