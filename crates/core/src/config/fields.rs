//! Reading a JSON object field by field while collecting every error with its path.
//!
//! A reader is a function `(&Json, &Place) -> Option<T>`: it reports what is wrong at its place and
//! returns `None`, and the others go on. Only when nothing was reported does a configuration exist.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::instant::parse_duration;
use crate::json::Json;

/// One thing that is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// Where, such as `scopes[2].methods`; empty for the whole.
    pub path: String,
    /// What was expected, and what to do.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Where the errors of one configuration come together.
#[derive(Debug, Default)]
pub(crate) struct Errors(RefCell<Vec<ConfigError>>);

impl Errors {
    pub(crate) fn root(&self) -> Place<'_> {
        Place { path: String::new(), errors: self }
    }

    pub(crate) fn into_vec(self) -> Vec<ConfigError> {
        self.0.into_inner()
    }
}

/// A place in the configuration, at which something can be wrong.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    path: String,
    errors: &'a Errors,
}

impl<'a> Place<'a> {
    /// Reports an error here; `None`, so that a reader can end with it.
    pub(crate) fn error<T>(&self, message: impl Into<String>) -> Option<T> {
        let error = ConfigError { path: self.path.clone(), message: message.into() };
        self.errors.0.borrow_mut().push(error);
        None
    }

    pub(crate) fn field(&self, name: &str) -> Place<'a> {
        let path =
            if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Place { path, errors: self.errors }
    }

    pub(crate) fn item(&self, index: usize) -> Place<'a> {
        Place { path: format!("{}[{index}]", self.path), errors: self.errors }
    }

    fn expected<T>(&self, what: &str, found: &Json) -> Option<T> {
        self.error(format!("expected {what}, found {}", found.kind()))
    }
}

/// The fields of one object. Every field must be asked for before [`Fields::close`], which reports
/// those that nobody knows.
pub(crate) struct Fields<'a> {
    members: &'a BTreeMap<String, Json>,
    place: Place<'a>,
    known: BTreeSet<&'static str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn open(json: &'a Json, place: &Place<'a>) -> Option<Fields<'a>> {
        let Some(members) = json.as_object() else {
            return place.expected("an object", json);
        };
        Some(Fields { members, place: place.clone(), known: BTreeSet::new() })
    }

    /// A field that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Json, &Place<'a>) -> Option<T>,
    ) -> Option<T> {
        self.known.insert(name);
        match self.members.get(name) {
            Some(json) => read(json, &self.place.field(name)),
            None => self.place.field(name).error("is required"),
        }
    }

    /// A field that may be absent. The outer `None` is an error, the inner one absence.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Json, &Place<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.known.insert(name);
        match self.members.get(name) {
            Some(json) => read(json, &self.place.field(name)).map(Some),
            None => Some(None),
        }
    }

    /// A field with a default.
    pub(crate) fn or<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl FnOnce(&'a Json, &Place<'a>) -> Option<T>,
    ) -> Option<T> {
        self.optional(name, read).map(|value| value.unwrap_or(default))
    }

    /// Reports the fields that were not asked for; `None` if there are any.
    pub(crate) fn close(self) -> Option<()> {
        let mut clean = Some(());
        for name in self.members.keys().filter(|name| !self.known.contains(name.as_str())) {
            let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
            clean = self
                .place
                .field(name)
                .error(format!("unknown field; the fields here are {}", known.join(", ")));
        }
        clean
    }
}

/// Reads a string that is not empty.
pub(crate) fn text(json: &Json, place: &Place<'_>) -> Option<String> {
    match json.as_str() {
        Some("") => place.error("expected a string that is not empty"),
        Some(text) => Some(text.to_owned()),
        None => place.expected("a string", json),
    }
}

/// Reads `true` or `false`.
pub(crate) fn boolean(json: &Json, place: &Place<'_>) -> Option<bool> {
    json.as_bool().or_else(|| place.expected("true or false", json))
}

/// Reads a whole number from `min` to `max`.
pub(crate) fn number(min: u64, max: u64) -> impl Fn(&Json, &Place<'_>) -> Option<u64> {
    move |json, place| match json.as_u64() {
        Some(number) if (min..=max).contains(&number) => Some(number),
        _ => place.error(format!("expected a whole number from {min} to {max}")),
    }
}

/// Reads a duration such as `"25s"`; zero included.
pub(crate) fn duration(json: &Json, place: &Place<'_>) -> Option<Duration> {
    let Some(text) = json.as_str() else {
        return place.expected("a duration such as \"25s\"", json);
    };
    parse_duration(text).or_else(|| {
        place.error(format!(
            "`{}` is not a duration; write a whole number and ms, s, m or h, such as \"25s\"",
            text.escape_debug()
        ))
    })
}

/// Reads a duration that is longer than nothing.
pub(crate) fn positive_duration(json: &Json, place: &Place<'_>) -> Option<Duration> {
    let duration = duration(json, place)?;
    if duration.is_zero() { place.error("must be longer than nothing") } else { Some(duration) }
}

/// Reads how long a call may take: a request waits for it, so a minute is the most.
pub(crate) fn timeout(json: &Json, place: &Place<'_>) -> Option<Duration> {
    let timeout = positive_duration(json, place)?;
    if timeout > Duration::from_secs(60) {
        return place.error("expected at most 60s: a request waits for it");
    }
    Some(timeout)
}

/// Reads one of a few words.
pub(crate) fn one_of<T: Copy>(
    choices: &'static [(&'static str, T)],
) -> impl Fn(&Json, &Place<'_>) -> Option<T> {
    move |json, place| {
        let found = choices.iter().find(|(word, _)| json.as_str() == Some(*word));
        found.map(|(_, choice)| *choice).or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            place.error(format!("expected {}", words.join(" or ")))
        })
    }
}

/// Reads a list of at least one item. An empty list never means "all": it is an error.
pub(crate) fn list<'a, T>(
    read: impl Fn(&'a Json, &Place<'a>) -> Option<T>,
) -> impl Fn(&'a Json, &Place<'a>) -> Option<Vec<T>> {
    move |json, place| {
        let Some(items) = json.as_array() else {
            return place.expected("a list", json);
        };
        if items.is_empty() {
            return place.error("an empty list never means all: name at least one, or leave the field out if it is optional");
        }
        // Every item is read before any failure counts, so that all errors are reported.
        let read: Vec<_> =
            items.iter().enumerate().map(|(index, item)| read(item, &place.item(index))).collect();
        read.into_iter().collect()
    }
}

/// Reads a string that `parse` understands; its error is the message.
pub(crate) fn parsed<T>(
    parse: impl Fn(&str) -> Result<T, String>,
) -> impl Fn(&Json, &Place<'_>) -> Option<T> {
    move |json, place| match parse(&text(json, place)?) {
        Ok(value) => Some(value),
        Err(message) => place.error(message),
    }
}
