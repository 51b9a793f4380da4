//! The configuration of `breakglass serve`: parsed once into values that cannot be wrong.
//!
//! Unknown fields and empty lists are errors, all errors are reported together, and a scope that
//! nobody could approve is a warning here and a refusal when it is asked for.

mod check;
mod parse;
mod reader;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use reader::InvalidField;

/// The SHA-256 of an API token.
pub type Digest = [u8; 32];

/// How the service is set up.
#[derive(Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who it says it is: the `iss` of every token.
    pub issuer: String,
    /// The database file.
    pub database: PathBuf,
    /// Where the signing keys are.
    pub key_directory: PathBuf,
    /// How long a request waits for a decision, in seconds.
    pub pending_lifetime: i64,
    /// Who may ask, approve and revoke.
    pub people: Vec<Arc<Person>>,
    /// Who may introspect and read the feed.
    pub proxies: Vec<Arc<Proxy>>,
    /// The groups whose members may audit.
    pub auditors: Vec<String>,
    /// What can be asked for.
    pub scopes: Vec<Scope>,
}

/// A person, known by an API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The `sub` of this person's tokens.
    pub name: String,
    /// The digest of the API token.
    pub token: Digest,
    /// What the scopes' `requesters` and `approvers` refer to; also in the token.
    pub groups: Vec<String>,
    /// In the token, for the filter's `require.roles`.
    pub roles: Vec<String>,
}

/// A proxy, known by an API token: it may ask whether a grant holds, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What the log calls it.
    pub name: String,
    /// The digest of the API token.
    pub token: Digest,
}

/// A scope that can be asked for. What it reaches is the filter's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Its name, as the filter knows it.
    pub name: String,
    /// The environment it is for: the `aud` of the token.
    pub audience: String,
    /// The groups whose members may ask for it.
    pub requesters: Vec<String>,
    /// The groups whose members may approve it for somebody else.
    pub approvers: Vec<String>,
    /// The longest grant, in seconds.
    pub max_duration: i64,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// The file cannot be read.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Unreadable(PathBuf, std::io::Error),
    /// The file is not TOML.
    #[error("{0}")]
    NotToml(String),
    /// Fields are wrong: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Fields(Vec<InvalidField>),
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`InvalidConfig`] says everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Config, InvalidConfig> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| InvalidConfig::Unreadable(path.to_owned(), error))?;
        Config::parse(&text)
    }

    /// Reads a configuration from TOML.
    ///
    /// # Errors
    /// [`InvalidConfig`] says everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Config, InvalidConfig> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| InvalidConfig::NotToml(error.to_string()))?;
        parse::config(table).map_err(InvalidConfig::Fields)
    }

    /// What is valid and yet will not work, in words for the operator.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        check::warnings(self)
    }

    /// The scope called `name`.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// The person called `name`.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&Arc<Person>> {
        self.people.iter().find(|person| person.name == name)
    }
}

impl Person {
    /// Whether this person is in one of `groups`.
    #[must_use]
    pub fn is_in_any(&self, groups: &[String]) -> bool {
        groups.iter().any(|group| self.groups.contains(group))
    }
}

impl Scope {
    /// Whether `person` may ask for this scope.
    #[must_use]
    pub fn may_be_requested_by(&self, person: &Person) -> bool {
        person.is_in_any(&self.requesters)
    }

    /// Whether `person` may approve this scope for somebody else.
    #[must_use]
    pub fn may_be_approved_by(&self, person: &Person) -> bool {
        person.is_in_any(&self.approvers)
    }
}
