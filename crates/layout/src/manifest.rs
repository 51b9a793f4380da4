//! The packages of a workspace, and which depends on which.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::LayoutError;

/// A package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The packages of the workspace that it depends on, for tests alone not counted.
    pub depends_on: BTreeSet<String>,
}

impl Package {
    /// The root files of its library and its binary, those that are there.
    #[must_use]
    pub fn roots(&self) -> Vec<PathBuf> {
        let source = self.folder.join("src");
        ["lib.rs", "main.rs"]
            .map(|name| source.join(name))
            .into_iter()
            .filter(|root| root.is_file())
            .collect()
    }
}

/// The packages of the workspace at `root`.
///
/// # Errors
/// A manifest that cannot be read.
pub fn packages(root: &Path) -> Result<Vec<Package>, LayoutError> {
    let path = root.join("Cargo.toml");
    let members = table(&path)?
        .get("workspace")
        .and_then(|workspace| workspace.get("members")?.as_array().cloned())
        .ok_or_else(|| LayoutError::Manifest(path, "no workspace.members".to_owned()))?;
    members.iter().filter_map(Value::as_str).map(|member| package(&root.join(member))).collect()
}

fn package(folder: &Path) -> Result<Package, LayoutError> {
    let path = folder.join("Cargo.toml");
    let manifest = table(&path)?;
    let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
    let name = name
        .ok_or_else(|| LayoutError::Manifest(path.clone(), "no package.name".to_owned()))?
        .to_owned();
    let mut depends_on = BTreeSet::new();
    for key in ["dependencies", "build-dependencies"] {
        let named = manifest.get(key).and_then(Value::as_table).into_iter().flat_map(Table::keys);
        depends_on.extend(named.filter(|name| name.starts_with("breakglass")).cloned());
    }
    Ok(Package { name, folder: folder.to_owned(), depends_on })
}

fn table(path: &Path) -> Result<Table, LayoutError> {
    let text =
        fs::read_to_string(path).map_err(|error| LayoutError::File(path.to_owned(), error))?;
    text.parse()
        .map_err(|error: toml::de::Error| LayoutError::Manifest(path.to_owned(), error.to_string()))
}
