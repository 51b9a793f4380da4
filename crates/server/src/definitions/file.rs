//! One file of definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use breakglass_types::json::Json;
use breakglass_types::names::check_audience;
use breakglass_types::scope_rules::ScopeRules;

use super::definition::{Definition, scope};
use crate::config::FileError;

/// The largest file, in bytes: several thousand scopes.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What one file defines.
pub(super) struct Defined {
    pub(super) audiences: BTreeSet<String>,
    pub(super) scopes: BTreeMap<String, Arc<Definition>>,
}

/// Reads one file.
pub(super) fn read(path: &Path) -> Result<Defined, Vec<FileError>> {
    let mut errors = Errors { path, list: Vec::new() };
    let defined = bytes(path)
        .and_then(|bytes| Json::parse(&bytes).map_err(|error| format!("expected JSON: {error}")))
        .map_err(|message| errors.add("", message))
        .ok()
        .and_then(|json| defined(&json, &mut errors));
    match defined {
        Some(defined) if errors.list.is_empty() => Ok(defined),
        _ => Err(errors.list),
    }
}

/// Where in a file this scope is.
pub(super) fn scope_field(name: &str) -> String {
    format!("scopes.{name:?}")
}

struct Errors<'a> {
    path: &'a Path,
    list: Vec<FileError>,
}

impl Errors<'_> {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let (field, message) = (field.into(), message.into());
        self.list.push(FileError { file: self.path.to_owned(), field, message });
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(format!("expected at most {MAX_FILE_BYTES} bytes: use several files"));
    }
    Ok(bytes)
}

fn defined(json: &Json, errors: &mut Errors<'_>) -> Option<Defined> {
    let Some(members) = json.as_object() else {
        errors.add("", format!("expected an object, found {}", json.kind()));
        return None;
    };
    for member in members.keys().filter(|name| !["audiences", "scopes"].contains(&name.as_str())) {
        errors.add(member.clone(), "unknown member: expected `audiences` and `scopes`");
    }
    let audiences = audiences(json, errors);
    let mut scopes = BTreeMap::new();
    match json.member("scopes").and_then(Json::as_object) {
        Some(forms) if !forms.is_empty() => {
            for (name, form) in forms {
                if let Some(definition) = definition(name, form, errors) {
                    scopes.insert(name.clone(), Arc::new(definition));
                }
            }
        }
        _ => errors.add(
            "scopes",
            "expected an object: the name of each scope and its rules (docs/scope-digests.md)",
        ),
    }
    Some(Defined { audiences, scopes })
}

fn audiences(json: &Json, errors: &mut Errors<'_>) -> BTreeSet<String> {
    let mut audiences = BTreeSet::new();
    let Some(items @ [_, ..]) = json.member("audiences").and_then(Json::as_array) else {
        errors.add("audiences", "expected a list of at least one audience");
        return audiences;
    };
    for (index, item) in items.iter().enumerate() {
        let field = format!("audiences[{index}]");
        let Some(audience) = item.as_str() else {
            errors.add(field, format!("expected text, found {}", item.kind()));
            continue;
        };
        if let Err(message) = check_audience(audience) {
            errors.add(field.clone(), message);
        }
        if !audiences.insert(audience.to_owned()) {
            errors.add(field, "named twice");
        }
    }
    audiences
}

fn definition(name: &str, form: &Json, errors: &mut Errors<'_>) -> Option<Definition> {
    let field = scope_field(name);
    let rules = serde_json::to_value(form).map_err(|error| error.to_string());
    let rules = match rules.and_then(ScopeRules::from_canonical) {
        Ok(rules) => rules,
        Err(message) => {
            errors.add(field, message);
            return None;
        }
    };
    let scope = match scope(name, &rules) {
        Ok(scope) => scope,
        Err(wrong) => {
            for error in wrong {
                errors.add(format!("{field}.{}", error.path), error.message);
            }
            return None;
        }
    };
    let digest = rules.digest();
    // No filter makes the digest of rules that are written in another way.
    if scope.rules().digest() != digest {
        errors
            .add(field, format!("not in its canonical form: write {}", scope.rules().canonical()));
        return None;
    }
    Some(Definition { rules, digest })
}
