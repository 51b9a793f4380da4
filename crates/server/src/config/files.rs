//! The file that a configuration is in, or the files of a folder, merged.
//!
//! Of a folder these are all `*.toml`, in the order of their names; hidden ones, such as the `..data` of a ConfigMap, and
//! folders are none of them. Lists of tables (`[[people]]`) are appended. Any other field stands in one file: two files that
//! disagree would be decided by their names.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};

use breakglass_config_schema::ConfigError;
use breakglass_types::json::Json;
use regex_lite::{Captures, Regex};
use sha2::{Digest as _, Sha256};

use super::{Config, FileError};

/// What the files of a configuration hold.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    is_folder: bool,
    texts: Vec<(PathBuf, String)>,
}

/// In which file each field of a configuration is.
#[derive(Debug)]
pub struct Locations {
    path: PathBuf,
    is_folder: bool,
    /// By field: the files that it stands in and, for a list of tables, how many of its items are in each.
    parts: BTreeMap<String, Vec<(PathBuf, usize)>>,
}

/// The files of the configuration at `path`, in the order in which they are read: itself, or those of the folder.
///
/// # Errors
/// What the system says.
pub fn file_names(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        if name.ends_with(b".toml") && !name.starts_with(b".") && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// What to do about a configuration that is not there, where its folder holds files of one: `--config FOLDER` takes those.
fn folder_instead(path: &Path, error: &io::Error) -> Option<String> {
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    let folder = path.parent().filter(|folder| is_missing && folder.is_dir())?;
    let files = file_names(folder).ok()?;
    let first = files.first()?.file_name()?.to_string_lossy().into_owned();
    Some(format!(
        "{error}; the folder {folder} has configuration files, such as {first}: give `--config {folder}`",
        folder = folder.display()
    ))
}

impl Files {
    /// Reads the file at `path`, or the files of the folder.
    ///
    /// # Errors
    /// Each file that cannot be read, and a folder without any.
    pub fn read(path: &Path) -> Result<Files, Vec<FileError>> {
        let unreadable = |file: &Path, error: io::Error| FileError::whole(file, error.to_string());
        let names = file_names(path).map_err(|error| vec![unreadable(path, error)])?;
        if names.is_empty() {
            let expected = "expected at least one file `*.toml` in this folder";
            return Err(vec![FileError::whole(path, expected)]);
        }
        let (mut texts, mut errors) = (Vec::new(), Vec::new());
        for file in names {
            match std::fs::read_to_string(&file) {
                Ok(text) => texts.push((file, text)),
                Err(error) if file == path => {
                    let words = folder_instead(&file, &error).unwrap_or(error.to_string());
                    errors.push(FileError::whole(&file, words));
                }
                Err(error) => errors.push(unreadable(&file, error)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Files { path: path.to_owned(), is_folder: path.is_dir(), texts })
    }

    /// The SHA-256 of the file, in hexadecimal digits; of a folder, that of what `LC_ALL=C sha256sum *.toml` prints in it.
    #[must_use]
    pub fn digest(&self) -> String {
        let hash = |bytes: &[u8]| breakglass_types::hex::lower(&Sha256::digest(bytes));
        let lines = self.texts.iter().map(|(file, text)| match self.is_folder {
            true => format!("{}  {}\n", hash(text.as_bytes()), name(file)),
            false => text.clone(),
        });
        hash(lines.collect::<String>().as_bytes())
    }

    /// The folder that relative paths in the configuration are in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.is_folder {
            true => &self.path,
            false => self.path.parent().unwrap_or(Path::new("")),
        }
    }

    /// The configuration, and where each of its fields is.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its file and field.
    pub fn config(&self) -> Result<(Config, Locations), Vec<FileError>> {
        let (mut tables, mut errors) = (Vec::new(), Vec::new());
        for (file, text) in &self.texts {
            match toml::from_str::<BTreeMap<String, Json>>(text) {
                Ok(table) => tables.push((file, table)),
                Err(error) => errors.push(FileError::whole(file, error.to_string())),
            }
        }
        // Without one of the files, most of what is wrong would be what stands in it.
        if !errors.is_empty() {
            return Err(errors);
        }
        let (path, is_folder) = (self.path.clone(), self.is_folder);
        let mut locations = Locations { path, is_folder, parts: BTreeMap::new() };
        let mut merged = BTreeMap::new();
        for (file, table) in tables {
            for (field, value) in table {
                errors.extend(locations.add(&mut merged, file, field, value));
            }
        }
        match Config::from_table(&Json::Object(merged)) {
            Ok(config) if errors.is_empty() => Ok((config, locations)),
            Ok(_) => Err(errors),
            Err(wrong) => {
                errors.extend(wrong.into_iter().map(|error| locations.error(error)));
                Err(errors)
            }
        }
    }
}

impl Locations {
    fn add(
        &mut self,
        merged: &mut BTreeMap<String, Json>,
        file: &Path,
        field: String,
        value: Json,
    ) -> Option<FileError> {
        let parts = self.parts.entry(field.clone()).or_default();
        match merged.entry(field) {
            Entry::Vacant(entry) => {
                parts.push((file.to_owned(), value.as_array().map_or(0, <[Json]>::len)));
                entry.insert(value);
                None
            }
            Entry::Occupied(mut entry) => match (entry.get_mut(), value) {
                (Json::Array(items), Json::Array(more))
                    if are_tables(items) && are_tables(&more) =>
                {
                    parts.push((file.to_owned(), more.len()));
                    items.extend(more);
                    None
                }
                _ => {
                    let first = parts.first().map(|(file, _)| name(file)).unwrap_or_default();
                    let field = entry.key().clone();
                    let message = format!("stands in {first} too: keep it in one of the files");
                    Some(FileError { file: file.to_owned(), field, message })
                }
            },
        }
    }

    /// An error of the merged configuration, in the file that it comes from.
    pub(crate) fn error(&self, error: ConfigError) -> FileError {
        let ConfigError { path, message } = error;
        let field = path.split(['.', '[']).next().unwrap_or_default();
        let rest = path.get(field.len()..).unwrap_or_default();
        let item = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let found = item.and_then(|(index, rest)| {
            let (file, index) = self.item(field, index.parse().ok()?)?;
            Some((file, format!("{field}[{index}]{rest}")))
        });
        let whole = || {
            let file = self.parts.get(field).and_then(|parts| parts.first());
            (file.map_or(self.path.as_path(), |(file, _)| file.as_path()), path.clone())
        };
        let (file, field) = found.unwrap_or_else(whole);
        FileError { file: file.to_owned(), field, message: self.of(&message) }
    }

    /// The file with this item of a list of the merged configuration, and its index there.
    fn item(&self, field: &str, mut index: usize) -> Option<(&Path, usize)> {
        for (file, count) in self.parts.get(field)? {
            match index.checked_sub(*count) {
                None => return Some((file, index)),
                Some(left) => index = left,
            }
        }
        None
    }

    /// The same text, with each item of a merged list, such as `people[7]`, as that of the file that it is in.
    #[must_use]
    pub fn of(&self, text: &str) -> String {
        let (true, Ok(items)) = (self.is_folder, Regex::new(r"\b([a-z_]+)\[([0-9]+)\]")) else {
            return text.to_owned();
        };
        let place = |found: &Captures<'_>| {
            let (all, [field, index]) = found.extract();
            let item = index.parse().ok().and_then(|index| self.item(field, index));
            item.map_or_else(
                || all.to_owned(),
                |(file, index)| format!("{field}[{index}] in {}", name(file)),
            )
        };
        items.replace_all(text, place).into_owned()
    }
}

fn are_tables(items: &[Json]) -> bool {
    !items.is_empty() && items.iter().all(|item| item.as_object().is_some())
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
