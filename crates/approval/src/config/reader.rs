//! Reads TOML tables field by field and keeps every error, each with the path of its field, so
//! that one run tells all that is wrong.

use toml::{Table, Value};

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {detail}")]
pub struct InvalidField {
    /// Where, such as `scopes[1].max_duration`.
    pub path: String,
    /// What is wrong, and what was expected.
    pub detail: String,
}

/// All that was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<InvalidField>);

impl Errors {
    pub(super) fn add(&mut self, path: impl Into<String>, detail: impl Into<String>) {
        self.0.push(InvalidField { path: path.into(), detail: detail.into() });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_inner(self) -> Vec<InvalidField> {
        self.0
    }
}

/// A table of which each field is taken once; what is left over is unknown.
pub(super) struct Fields {
    path: String,
    table: Table,
}

impl Fields {
    pub(super) fn new(path: String, table: Table) -> Fields {
        Fields { path, table }
    }

    /// The path of a field of this table.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A required string that `read` accepts.
    pub(super) fn string<T>(
        &mut self,
        name: &str,
        errors: &mut Errors,
        read: impl FnOnce(String) -> Result<T, String>,
    ) -> Option<T> {
        if !self.table.contains_key(name) {
            errors.add(self.path(name), "missing");
        }
        self.optional_string(name, errors, read)
    }

    /// A string that `read` accepts, or nothing.
    pub(super) fn optional_string<T>(
        &mut self,
        name: &str,
        errors: &mut Errors,
        read: impl FnOnce(String) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.table.remove(name)?;
        let path = self.path(name);
        string(value).and_then(read).map_err(|detail| errors.add(path, detail)).ok()
    }

    /// A required list of names, not empty.
    pub(super) fn names(&mut self, name: &str, errors: &mut Errors) -> Option<Vec<String>> {
        if !self.table.contains_key(name) {
            errors.add(self.path(name), "missing");
        }
        self.optional_names(name, errors)
    }

    /// A list of names, not empty where it is given.
    pub(super) fn optional_names(
        &mut self,
        name: &str,
        errors: &mut Errors,
    ) -> Option<Vec<String>> {
        let items = self.list(name, errors)?;
        let mut names = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.path(name));
            match string(item).and_then(|item| crate::text::name(&item).map(|()| item)) {
                Ok(item) if names.contains(&item) => errors.add(path, "named twice"),
                Ok(item) => names.push(item),
                Err(detail) => errors.add(path, detail),
            }
        }
        Some(names)
    }

    /// A list of tables, not empty where it is given.
    pub(super) fn tables(&mut self, name: &str, errors: &mut Errors) -> Option<Vec<Fields>> {
        let items = self.list(name, errors)?;
        let mut tables = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.path(name));
            match item {
                Value::Table(table) => tables.push(Fields::new(path, table)),
                other => errors.add(path, expected("a table", &other)),
            }
        }
        Some(tables)
    }

    /// Ends the table: a field that nobody took is an error.
    pub(super) fn finish(self, errors: &mut Errors) {
        for name in self.table.keys() {
            errors.add(self.path(name), "unknown field");
        }
    }

    fn list(&mut self, name: &str, errors: &mut Errors) -> Option<Vec<Value>> {
        match self.table.remove(name)? {
            Value::Array(items) if items.is_empty() => {
                errors.add(self.path(name), "expected at least one item, got an empty list");
                None
            }
            Value::Array(items) => Some(items),
            other => {
                errors.add(self.path(name), expected("a list", &other));
                None
            }
        }
    }
}

fn string(value: Value) -> Result<String, String> {
    if let Value::String(text) = value { Ok(text) } else { Err(expected("a string", &value)) }
}

fn expected(what: &str, got: &Value) -> String {
    format!("expected {what}, got a value of type {}", got.type_str())
}
