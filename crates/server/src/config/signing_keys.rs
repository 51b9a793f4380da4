//! How the signing keys are replaced and kept, and which audiences have keys of their own.

use std::path::{Component, Path, PathBuf};

use breakglass_config_schema::{
    Object, Place, boolean, list, object, optional, or, or_none, parsed, required,
};

use super::Config;
use super::read::{audience, days, path};

/// What the name of an audience's folder begins with. No key file is called so.
const FOLDER: &str = "audience-";

/// The longest name of a folder, in bytes, on the file systems that there are.
const MAX_FOLDER: usize = 255;

object! {
    /// How the signing keys are replaced and kept.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct SigningKeys {
        /// How long a key signs, at least a day. The service makes the successor in time, publishes it, lets it sign once
        /// every proxy has it, and removes a key a day after it is over. `key_directory` must be one that it can write to.
        pub rotate_every: Option<i64> = optional("by `breakglass keys` alone", parsed("duration", days)),
        /// The file with the key that wraps the files of new signing keys: a line of 16 to 4096 bytes, mode 0600. Keys that
        /// are there and not wrapped stay as they are.
        pub wrapped_by: Option<PathBuf> = optional("signing keys are not wrapped", parsed("path", path)),
        /// The audiences whose tokens are signed by [keys of their own](approval-service.md#keys-of-an-audience), which
        /// proxies fetch at `/.well-known/jwks.json?audience=NAME`. The tokens of all others are signed by the keys in
        /// `key_directory`.
        pub audiences: Vec<AudienceSigningKeys> = or_none(list(object())),
    }
}

impl Object for SigningKeys {}

object! {
    /// An audience with signing keys of its own.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AudienceSigningKeys {
        /// The audience of some scope.
        pub audience: String = required(parsed("name", audience)),
        /// Where its private signing keys are. The service makes the folder and the first key in it.
        pub key_directory: Option<PathBuf> = optional("`audience-NAME` in the top-level `key_directory`", parsed("path", path)),
        /// How long a key of it signs.
        pub rotate_every: Option<i64> = optional("`signing_keys.rotate_every`", parsed("duration", days)),
        /// The file with the key that wraps its new key files.
        pub wrapped_by: Option<PathBuf> = optional("`signing_keys.wrapped_by`", parsed("path", path)),
        /// Whether its keys sign. With `false` those in the top-level `key_directory` sign again, and its own are published
        /// for the tokens that they signed: for a day, before the entry is taken out.
        pub signs: bool = or(true, boolean()),
    }
}

impl Object for AudienceSigningKeys {}

/// How one ring of signing keys is kept, with what it inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRingSettings {
    /// The audience whose tokens it signs; nothing for the default ring, which signs those of all others.
    pub audience: Option<String>,
    /// Where its private keys are.
    pub key_directory: PathBuf,
    /// How long a key of it signs before the service replaces it, in seconds; nothing where it does not.
    pub rotate_every: Option<i64>,
    /// The file with the key that wraps its key files, if there is one.
    pub wrapped_by: Option<PathBuf>,
    /// Whether its keys sign, and not only prove what they have signed.
    pub signs: bool,
}

impl KeyRingSettings {
    /// The default ring: these files, and neither a schedule nor a key that wraps.
    #[must_use]
    pub fn in_folder(key_directory: &Path) -> KeyRingSettings {
        KeyRingSettings {
            audience: None,
            key_directory: key_directory.to_owned(),
            rotate_every: None,
            wrapped_by: None,
            signs: true,
        }
    }

    /// The ring of an audience, in its folder below that of the default ring.
    #[must_use]
    pub fn of_audience(&self, audience: &str) -> KeyRingSettings {
        KeyRingSettings {
            audience: Some(audience.to_owned()),
            key_directory: self.key_directory.join(folder(audience)),
            ..self.clone()
        }
    }
}

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

/// The name of an audience's folder: its bytes, all but lower-case letters, digits, `-` and `_` as `%` and two hexadecimal
/// digits. No two audiences have one folder, not even where a file system does not tell upper case from lower case.
fn folder(audience: &str) -> String {
    let mut folder = FOLDER.to_owned();
    for byte in audience.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => folder.push(char::from(byte)),
            _ => folder.push_str(&format!("%{byte:02x}")),
        }
    }
    folder
}

/// The audience whose folder has this name; nothing for another name.
#[must_use]
pub fn audience_of_folder(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix(FOLDER)?.bytes();
    let mut bytes = Vec::new();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    let audience = String::from_utf8(bytes).ok()?;
    (folder(&audience) == name).then_some(audience)
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
    fn an_audience_has_a_folder_of_its_own_and_never_one_elsewhere() {
        let hostile = [
            "payments-prod",
            "Payments-prod",
            "payments_prod",
            "payments%2dprod",
            "..",
            "../keys",
            "/etc",
            "a/b",
            "a\\b",
            "1-x.pem",
            "trail-keys",
            ".",
            "\u{e9}",
            "e\u{301}",
            "a b",
            "%",
            "%%",
            "%2e%2e",
            "audience-a",
            "C:",
            "con",
            "~",
        ];
        let folders: Vec<String> = hostile.iter().map(|audience| folder(audience)).collect();
        for (audience, name) in hostile.iter().zip(&folders) {
            assert_eq!(audience_of_folder(name).as_deref(), Some(*audience));
            let same = folders.iter().filter(|other| other.eq_ignore_ascii_case(name)).count();
            assert_eq!(same, 1, "{name}");
            let ring = KeyRingSettings::in_folder(Path::new("/k")).of_audience(audience);
            assert_eq!(ring.key_directory.parent(), Some(Path::new("/k")), "{name}");
            assert!(
                !name.ends_with(".pem") && name.bytes().all(|byte| byte.is_ascii_graphic()),
                "{name}"
            );
        }
        assert_eq!(folder("payments-prod"), "audience-payments-prod");
        assert_eq!(folder("../K"), "audience-%2e%2e%2f%4b");
        for name in [
            "payments-prod",
            "audience-%2E",
            "audience-%61",
            "audience-A",
            "audience-%",
            "audience-%ff",
            "1-x.pem",
        ] {
            assert_eq!(audience_of_folder(name), None, "{name}");
        }
    }

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
