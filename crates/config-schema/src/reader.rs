//! What stands in a field: what it takes, and the value that this makes.

use std::marker::PhantomData;
use std::time::Duration;

use breakglass_types::instant::{format_duration, parse_duration};
use breakglass_types::json::Json;

use super::{ConfigError, Fields, Object, Place, Reading, Takes};

/// Takes one kind of JSON value and makes something of it.
pub trait Reader {
    /// What it makes.
    type Value;

    /// Reads it. `None` if it is wrong, and then that was reported.
    fn read(&self, json: &Json, place: &Place<'_>) -> Option<Self::Value>;

    /// What it takes.
    fn takes(&self) -> Takes;

    /// Makes something else of what it makes; `make` reports what is wrong with it.
    fn and_then<T>(self, make: fn(Self::Value, &Place<'_>) -> Option<T>) -> AndThen<Self, T>
    where
        Self: Sized,
    {
        AndThen(self, make)
    }
}

impl Reading<'_> {
    /// Reads all of `json`.
    ///
    /// # Errors
    /// Every error, in the order of the fields; never empty.
    pub fn read<R: Reader>(self, reader: &R, json: &Json) -> Result<R::Value, Vec<ConfigError>> {
        let value = reader.read(json, &self.whole());
        let errors = self.into_errors();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(errors),
        }
    }
}

/// See [`Reader::and_then`].
#[derive(Debug)]
pub struct AndThen<R: Reader, T>(R, fn(R::Value, &Place<'_>) -> Option<T>);

impl<R: Reader, T> Reader for AndThen<R, T> {
    type Value = T;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<T> {
        (self.1)(self.0.read(json, place)?, place)
    }

    fn takes(&self) -> Takes {
        self.0.takes()
    }
}

/// Text that `parse` understands; its error is the message. `kind` says in the singular what kind of
/// text that is.
#[must_use]
pub fn parsed<T>(kind: &'static str, parse: fn(&str) -> Result<T, String>) -> Parsed<T> {
    Parsed(kind, parse)
}

/// Text that is not empty.
#[must_use]
pub fn text() -> Parsed<String> {
    parsed("text", |text| Ok(text.to_owned()))
}

/// See [`parsed`].
#[derive(Debug)]
pub struct Parsed<T>(&'static str, fn(&str) -> Result<T, String>);

impl<T> Reader for Parsed<T> {
    type Value = T;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<T> {
        match json.as_str() {
            Some("") => place.error("expected a string that is not empty"),
            Some(text) => (self.1)(text).map_or_else(|message| place.error(message), Some),
            None => place.expected("a string", json),
        }
    }

    fn takes(&self) -> Takes {
        Takes::Text(self.0)
    }
}

/// `true` or `false`.
#[must_use]
pub const fn boolean() -> Boolean {
    Boolean
}

/// See [`boolean`].
#[derive(Debug)]
pub struct Boolean;

impl Reader for Boolean {
    type Value = bool;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<bool> {
        json.as_bool().or_else(|| place.expected("true or false", json))
    }

    fn takes(&self) -> Takes {
        Takes::Boolean
    }
}

/// A whole number from `min` to `max`, which must fit `T`.
#[must_use]
pub fn number<T: TryFrom<u64>>(min: u64, max: u64) -> Number<T> {
    Number(min, max, PhantomData)
}

/// See [`number`].
#[derive(Debug)]
pub struct Number<T>(u64, u64, PhantomData<T>);

impl<T: TryFrom<u64>> Reader for Number<T> {
    type Value = T;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<T> {
        let in_range = |number: &u64| (self.0..=self.1).contains(number);
        let number = json.as_u64().filter(in_range).and_then(|number| T::try_from(number).ok());
        number.or_else(|| {
            place.error(format!("expected a whole number from {} to {}", self.0, self.1))
        })
    }

    fn takes(&self) -> Takes {
        Takes::Number(self.0, self.1)
    }
}

/// A duration such as `"25s"`, longer than nothing.
#[must_use]
pub const fn duration() -> DurationReader {
    DurationReader { shortest: Duration::from_millis(1), longest: None }
}

/// See [`duration`].
#[derive(Debug)]
pub struct DurationReader {
    shortest: Duration,
    /// The longest, and why.
    longest: Option<(Duration, &'static str)>,
}

impl DurationReader {
    /// Nothing is long enough.
    #[must_use]
    pub const fn or_nothing(mut self) -> DurationReader {
        self.shortest = Duration::ZERO;
        self
    }

    /// No longer than this, and why.
    #[must_use]
    pub const fn at_most(mut self, longest: Duration, why: &'static str) -> DurationReader {
        self.longest = Some((longest, why));
        self
    }
}

impl Reader for DurationReader {
    type Value = Duration;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<Duration> {
        let Some(text) = json.as_str() else {
            return place.expected("a duration such as \"25s\"", json);
        };
        let Some(duration) = parse_duration(text) else {
            return place.error(format!(
                "`{}` is not a duration; write a whole number and ms, s, m or h, such as \"25s\"",
                text.escape_debug()
            ));
        };
        if duration < self.shortest {
            return place.error("must be longer than nothing");
        }
        match self.longest {
            Some((longest, why)) if duration > longest => {
                place.error(format!("expected at most {}: {why}", format_duration(longest)))
            }
            _ => Some(duration),
        }
    }

    fn takes(&self) -> Takes {
        Takes::Duration(self.shortest, self.longest.map(|(longest, _)| longest))
    }
}

/// One of a few words.
#[must_use]
pub const fn one_of<T: Copy>(choices: &'static [(&'static str, T)]) -> OneOf<T> {
    OneOf(choices)
}

/// See [`one_of`].
#[derive(Debug)]
pub struct OneOf<T: 'static>(&'static [(&'static str, T)]);

impl<T: Copy> Reader for OneOf<T> {
    type Value = T;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<T> {
        let found = self.0.iter().find(|(word, _)| json.as_str() == Some(*word));
        found.map(|(_, choice)| *choice).or_else(|| {
            let words: Vec<_> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            place.error(format!("expected {}", words.join(" or ")))
        })
    }

    fn takes(&self) -> Takes {
        Takes::Words(self.0.iter().map(|(word, _)| *word).collect())
    }
}

/// A list of at least one item. An empty list never means "all": it is an error.
#[must_use]
pub const fn list<R: Reader>(item: R) -> List<R> {
    List(item)
}

/// See [`list`].
#[derive(Debug)]
pub struct List<R>(R);

impl<R: Reader> Reader for List<R> {
    type Value = Vec<R::Value>;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<Vec<R::Value>> {
        let Some(items) = json.as_array() else {
            return place.expected("a list", json);
        };
        if items.is_empty() {
            return place.error("an empty list never means all: name at least one, or leave the field out if it is optional");
        }
        // Every item is read before any failure counts, so that all errors are reported.
        let items = items.iter().enumerate();
        let read: Vec<_> =
            items.map(|(index, item)| self.0.read(item, &place.item(index))).collect();
        read.into_iter().collect()
    }

    fn takes(&self) -> Takes {
        Takes::List(Box::new(self.0.takes()))
    }
}

/// An object.
#[must_use]
pub const fn object<T: Object>() -> ObjectReader<T> {
    ObjectReader(PhantomData)
}

/// See [`object`].
#[derive(Debug)]
pub struct ObjectReader<T>(PhantomData<T>);

impl<T: Object> Reader for ObjectReader<T> {
    type Value = T;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<T> {
        let mut fields = Fields::open(json, place)?;
        let object = T::read_members(&mut fields);
        fields.close()?;
        let object = object?;
        object.check(place)?;
        Some(object)
    }

    fn takes(&self) -> Takes {
        Takes::Object(T::describe())
    }
}
