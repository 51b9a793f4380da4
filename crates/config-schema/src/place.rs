//! Where something is wrong with a configuration, and how that is told.

use std::cell::RefCell;
use std::fmt;

use breakglass_types::json::Json;

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

/// One reading of a configuration: where its errors come together.
pub struct Reading<'e> {
    errors: RefCell<Vec<ConfigError>>,
    environment: &'e dyn Fn(&str) -> Option<String>,
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Reading").field(&self.errors).finish()
    }
}

impl Default for Reading<'_> {
    fn default() -> Self {
        Reading::new()
    }
}

impl<'e> Reading<'e> {
    /// A reading in which no variable of the environment is set.
    #[must_use]
    pub fn new() -> Reading<'e> {
        Reading::with_environment(&|_| None)
    }

    /// A reading that looks variables up in `environment`, for credentials.
    #[must_use]
    pub fn with_environment(environment: &'e dyn Fn(&str) -> Option<String>) -> Reading<'e> {
        Reading { errors: RefCell::default(), environment }
    }

    /// The place of the whole.
    pub(super) fn whole(&self) -> Place<'_> {
        Place { path: String::new(), reading: self }
    }

    /// What was reported, in the order of the fields.
    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.errors.into_inner()
    }
}

/// A place in a configuration, at which something can be wrong.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    path: String,
    reading: &'a Reading<'a>,
}

impl<'a> Place<'a> {
    /// Reports an error here; `None`, so that a reader can end with it.
    pub fn error<T>(&self, message: impl Into<String>) -> Option<T> {
        let error = ConfigError { path: self.path.clone(), message: message.into() };
        self.reading.errors.borrow_mut().push(error);
        None
    }

    /// Reports that something else stands here.
    pub fn expected<T>(&self, what: &str, found: &Json) -> Option<T> {
        self.error(format!("expected {what}, found {}", found.kind()))
    }

    /// The place of a field of the object here.
    #[must_use]
    pub fn field(&self, name: &str) -> Place<'a> {
        let path =
            if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Place { path, reading: self.reading }
    }

    /// The place of an item of the list here.
    #[must_use]
    pub fn item(&self, index: usize) -> Place<'a> {
        Place { path: format!("{}[{index}]", self.path), reading: self.reading }
    }

    /// A variable of the environment.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<String> {
        (self.reading.environment)(name)
    }
}
