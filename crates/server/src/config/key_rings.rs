//! Which rings of signing keys a configuration has.

use std::path::{Component, Path, PathBuf};

use breakglass_config_schema::Place;

use super::Config;
use super::signing_keys::KeyRingSettings;

/// The longest name of a folder, in bytes, on the file systems that there are.
const MAX_FOLDER: usize = 255;

impl Config {
    /// The rings of signing keys: the default ring, and those of audiences in the order of their entries.
    #[must_use]
    pub fn key_rings(&self) -> (KeyRingSettings, Vec<KeyRingSettings>) {
        let keys = self.signing_keys.clone().unwrap_or_default();
        let default = KeyRingSettings {
            rotate_every: keys.rotate_every,
            wrapped_by: keys.wrapped_by,
            ..KeyRingSettings::in_folder(&self.key_directory)
        };
        let rings = keys.audiences.into_iter().map(|entry| {
            let inherited = default.of_audience(&entry.audience);
            KeyRingSettings {
                key_directory: entry.key_directory.unwrap_or(inherited.key_directory),
                rotate_every: entry.rotate_every.or(inherited.rotate_every),
                wrapped_by: entry.wrapped_by.or(inherited.wrapped_by),
                audience: inherited.audience,
                signs: entry.signs,
            }
        });
        let rings = rings.collect();
        (default, rings)
    }

    /// Whether a scope is for this audience.
    #[must_use]
    pub fn has_audience(&self, audience: &str) -> bool {
        self.scopes.iter().any(|scope| scope.audience == audience)
    }
}

/// Each entry is for an audience that there is, and for one that no other entry is for, and has a folder of its own.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    let list = place.field("signing_keys").field("audiences");
    let (default, rings) = config.key_rings();
    let mut folders = vec![(plain(&default.key_directory), "`key_directory`".to_owned())];
    let mut audiences: Vec<String> = Vec::new();
    for (index, ring) in rings.into_iter().enumerate() {
        let (entry, name) = (list.item(index), format!("signing_keys.audiences[{index}]"));
        let audience = ring.audience.unwrap_or_default();
        if !config.has_audience(&audience) {
            clean = entry.field("audience").error(format!(
                "expected the audience of a scope, got `{audience}`: no entry of `scopes` has it"
            ));
        }
        if let Some(first) = audiences.iter().position(|earlier| *earlier == audience) {
            clean = entry.field("audience").error(format!(
                "signing_keys.audiences[{first}] is for `{audience}` too: an audience has one set of keys"
            ));
        } else {
            let folder = plain(&ring.key_directory);
            let earlier = folders.iter().find(|(earlier, _)| *earlier == folder);
            if let Some((_, other)) = earlier {
                clean = entry.field("key_directory").error(format!(
                    "{} is the folder of {other} too: expected one of its own",
                    ring.key_directory.display()
                ));
            }
            let last = folder.file_name().unwrap_or_default();
            if last.len() > MAX_FOLDER {
                clean = entry.field("key_directory").error(format!(
                    "expected one: the name of the audience makes that of a folder of {} bytes, and at most {MAX_FOLDER} \
                     are possible",
                    last.len()
                ));
            }
            folders.push((folder, name));
        }
        audiences.push(audience);
    }
    clean
}

/// The same path without `.` and `..`, as far as its text says it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some_and(|last| last != "..") => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_has_several_paths() {
        for path in ["/k/a", "/k/./a", "/k/b/../a", "/k/a/", "/../k/a"] {
            assert_eq!(
                plain(Path::new(path)),
                if path.starts_with("/..") { Path::new("/../k/a") } else { Path::new("/k/a") }
            );
        }
        assert_eq!(plain(Path::new("../a/../../b")), Path::new("../../b"));
    }
}
