//! What scopes open, as the files that the configuration names define it: `breakglass scopes import` makes them of the
//! filters' configurations. No endpoint takes one.
//!
//! 1. One definition for an audience and a name, over all files.
//! 2. A definition is one that a filter would take, and has the digest that a filter makes of it.
//! 3. A definition says what the digest of a new request is, and nothing about proxies: those report for themselves.

mod definition;
mod file;
mod sign_in;
mod wanted;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, FileError};

pub use definition::Definition;
pub use file::MAX_FILE_BYTES;
pub use wanted::{Wanted, WantedError};

/// An audience and the name of a scope.
type Key = (String, String);

/// The definitions of all files.
#[derive(Debug, Default)]
pub struct Definitions {
    by_key: BTreeMap<Key, (Arc<Definition>, PathBuf)>,
}

impl Definitions {
    /// Reads these files. What is not an absolute path is below `folder`, that of the configuration.
    ///
    /// # Errors
    /// All that is wrong with all of them.
    pub fn read(folder: &Path, files: &[PathBuf]) -> Result<Definitions, Vec<FileError>> {
        let mut definitions = Definitions::default();
        let mut errors = Vec::new();
        for path in files {
            let path = folder.join(path);
            let defined = match file::read(&path) {
                Ok(defined) => defined,
                Err(mut wrong) => {
                    errors.append(&mut wrong);
                    continue;
                }
            };
            for (name, definition) in defined.scopes {
                for audience in &defined.audiences {
                    errors.extend(definitions.add(audience, &name, &definition, &path));
                }
            }
        }
        if errors.is_empty() { Ok(definitions) } else { Err(errors) }
    }

    fn add(
        &mut self,
        audience: &str,
        name: &str,
        definition: &Arc<Definition>,
        file: &Path,
    ) -> Option<FileError> {
        match self.by_key.entry((audience.to_owned(), name.to_owned())) {
            Entry::Vacant(entry) => {
                entry.insert((Arc::clone(definition), file.to_owned()));
                None
            }
            Entry::Occupied(entry) => Some(FileError {
                file: file.to_owned(),
                field: file::scope_field(name),
                message: format!(
                    "for `{audience}` it is defined in {} too: keep one of them",
                    entry.get().1.display()
                ),
            }),
        }
    }

    /// The definition of the scope called `name`, for `audience`.
    #[must_use]
    pub fn get(&self, audience: &str, name: &str) -> Option<&Arc<Definition>> {
        let key = (audience.to_owned(), name.to_owned());
        self.by_key.get(&key).map(|(definition, _)| definition)
    }

    /// All of them, by audience and name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Arc<Definition>)> {
        self.by_key.iter().map(|((audience, name), (definition, _))| {
            (audience.as_str(), name.as_str(), definition)
        })
    }

    /// The definitions of these scopes by their names, of those that are defined.
    #[must_use]
    pub fn of(&self, audience: &str, scopes: &[String]) -> BTreeMap<String, &Definition> {
        let definition = |name: &String| Some((name.clone(), &**self.get(audience, name)?));
        scopes.iter().filter_map(definition).collect()
    }

    /// What is defined and will not work, in words for the operator: scopes that nobody can ask for, and requirements on
    /// signing in that no token meets.
    #[must_use]
    pub fn warnings(&self, config: &Config) -> Vec<String> {
        self.unknown(config).into_iter().chain(self.unmet(config)).collect()
    }

    fn unmet(&self, config: &Config) -> Vec<String> {
        let of = |((audience, name), (definition, file)): (&Key, &(Arc<Definition>, PathBuf))| {
            let scope = config.scope(name).filter(|scope| scope.audience == *audience)?;
            let unmet = sign_in::unmet(config, scope, &definition.rules.require);
            let place = format!("{}: {}", file.display(), file::scope_field(name));
            Some(unmet.into_iter().map(move |text| format!("{place}: {text}")))
        };
        self.by_key.iter().filter_map(of).flatten().collect()
    }

    fn unknown(&self, config: &Config) -> Vec<String> {
        // By file and name: whether some audience of it has such a scope in the configuration.
        let mut known: BTreeMap<(&Path, &str), bool> = BTreeMap::new();
        for ((audience, name), (_, file)) in &self.by_key {
            let is_there = config.scope(name).is_some_and(|scope| scope.audience == *audience);
            let known = known.entry((file, name)).or_default();
            *known = *known || is_there;
        }
        let unknown = known.into_iter().filter(|(_, is_there)| !is_there);
        unknown
            .map(|((path, name), _)| {
                format!(
                    "{}: {}: the configuration has no such scope for any of its `audiences`, so no person can ask for it",
                    path.display(),
                    file::scope_field(name)
                )
            })
            .collect()
    }
}
