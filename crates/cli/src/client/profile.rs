//! `config.toml` of a person: profiles, each of which says where a service is and how to reach it.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::failure::Failure;
use crate::answer::brief;
use crate::xdg::{self, Forbidden};

/// The fields of the file.
const TOP: [&str; 2] = ["profile", "profiles"];

/// The fields of a profile.
const FIELDS: [&str; 4] = ["url", "provider", "api_token_file", "ca_file"];

/// What a profile says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) url: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) api_token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
    /// The field with its URL, and the file, for messages.
    pub(super) place: String,
}

/// The profile called `name`, or without one that which the file has as `profile`. Without a file there is none.
///
/// # Errors
/// [`Failure::Invalid`] with everything that is wrong with the file, or because it has no such profile.
pub(super) fn read(name: Option<&str>) -> Result<Option<Profile>, Failure> {
    let Some(path) = xdg::config_folder().map(|folder| folder.join("config.toml")) else {
        return match name {
            Some(name) => Err(Failure::Invalid(format!(
                "there is no profile `{}`: set HOME or XDG_CONFIG_HOME, below which its file is",
                brief(name)
            ))),
            None => Ok(None),
        };
    };
    let invalid = |cause: String| Failure::Invalid(format!("{}: {cause}", path.display()));
    match text(&path).map_err(invalid)? {
        Some(text) => choose(&text, name, &path).map_err(invalid),
        None => match name {
            Some(name) => Err(Failure::Invalid(format!(
                "there is no profile `{}`: {} is not there",
                brief(name),
                path.display()
            ))),
            None => Ok(None),
        },
    }
}

/// Nothing where there is no file.
fn text(path: &Path) -> Result<Option<String>, String> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    // An attacker who can change it has credentials sent to a service of theirs.
    xdg::check_private(&metadata, Forbidden::Write)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(Some(text))
}

/// Reads the whole file, whichever profile is asked for: what is wrong is told at once.
fn choose(text: &str, name: Option<&str>, path: &Path) -> Result<Option<Profile>, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut errors = unknown("", &table, &TOP);
    let chosen = match table.get("profile") {
        None => name,
        Some(Value::String(chosen)) => Some(name.unwrap_or(chosen)),
        Some(other) => {
            errors.push(wrong("profile", "the name of a profile", other));
            name
        }
    };
    let mut profiles = Vec::new();
    match table.get("profiles") {
        None => {}
        Some(Value::Table(all)) => {
            for (name, value) in all {
                let at = format!("profiles.{name}");
                match value {
                    Value::Table(fields) => {
                        let profile = profile(&at, fields, path, &mut errors);
                        profiles.push((name.as_str(), profile));
                    }
                    other => errors.push(wrong(&at, "a table", other)),
                }
            }
        }
        Some(other) => errors.push(wrong("profiles", "tables such as `[profiles.prod]`", other)),
    }
    let mut found = None;
    if let Some(chosen) = chosen {
        found = profiles.iter().find(|(name, _)| *name == chosen).map(|(_, one)| one.clone());
        if found.is_none() {
            let names: Vec<&str> = profiles.iter().map(|(name, _)| *name).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let chosen = brief(chosen);
            errors.push(format!("there is no profile `{chosen}`; the profiles are: {names}"));
        }
    }
    match errors.is_empty() {
        true => Ok(found),
        false => Err(errors.join("; ")),
    }
}

fn profile(at: &str, fields: &Table, path: &Path, errors: &mut Vec<String>) -> Profile {
    errors.extend(unknown(at, fields, &FIELDS));
    let mut text = |field: &str| match fields.get(field) {
        None => None,
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.clone()),
        Some(other) => {
            errors.push(wrong(&format!("{at}.{field}"), "a text", other));
            None
        }
    };
    Profile {
        url: text("url"),
        provider: text("provider"),
        api_token_file: text("api_token_file").map(PathBuf::from),
        ca_file: text("ca_file").map(PathBuf::from),
        place: format!("{at}.url in {}", path.display()),
    }
}

fn unknown(at: &str, table: &Table, known: &[&str]) -> Vec<String> {
    let dot = if at.is_empty() { "" } else { "." };
    let unknown = table.keys().filter(|key| !known.contains(&key.as_str()));
    unknown
        .map(|key| {
            let key = brief(key);
            format!("{at}{dot}{key}: unknown field; the fields here are: {}", known.join(", "))
        })
        .collect()
}

/// The value is not repeated: it may be a secret that was put into the wrong field.
fn wrong(field: &str, expected: &str, got: &Value) -> String {
    let got = match got {
        Value::String(_) => "an empty one".to_owned(),
        other => format!("one of the type {}", other.type_str()),
    };
    format!("{field}: expected {expected}, got {got}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str, name: Option<&str>) -> Result<Option<Profile>, String> {
        choose(text, name, Path::new("config.toml"))
    }

    #[test]
    fn the_named_profile_comes_before_that_of_the_file() {
        let text = "profile = 'prod'\n[profiles.prod]\nurl = 'https://a.test'\nprovider = 'corp'\n\
                    [profiles.lab]\nurl = 'https://b.test'\nca_file = '/ca.pem'\n";
        let url = |name| chosen(text, name).unwrap().unwrap().url.unwrap();
        assert_eq!(url(None), "https://a.test");
        assert_eq!(url(Some("lab")), "https://b.test");
        let lab = chosen(text, Some("lab")).unwrap().unwrap();
        assert_eq!((lab.ca_file, lab.provider), (Some("/ca.pem".into()), None));
        assert_eq!(chosen("[profiles.lab]\nurl = 'https://b.test'", None), Ok(None));
        assert_eq!(chosen("", None), Ok(None));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let text = "profile = 'prd'\ncolour = 1\n[profiles.prod]\nuri = 'https://a.test'\nca_file = 3\nurl = ' '\n";
        let error = chosen(text, None).unwrap_err();
        for words in [
            "colour: unknown field; the fields here are: profile, profiles",
            "profiles.prod.uri: unknown field; the fields here are: url, provider, api_token_file, ca_file",
            "profiles.prod.ca_file: expected a text, got one of the type integer",
            "profiles.prod.url: expected a text, got an empty one",
            "there is no profile `prd`; the profiles are: prod",
        ] {
            assert!(error.contains(words), "{words}: {error}");
        }
        assert!(chosen("profiles = 1", Some("x")).unwrap_err().contains("the profiles are: none"));
        assert!(chosen("a = ", None).is_err());
    }
}
