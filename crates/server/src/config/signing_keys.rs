//! How the signing keys are replaced and kept, and which audiences have keys of their own.

use std::path::{Path, PathBuf};

use breakglass_config_schema::{
    Object, boolean, list, object, optional, or, or_none, parsed, required,
};

use super::read::{audience, days, path};

/// What the name of an audience's folder begins with. No key file is called so.
const FOLDER: &str = "audience-";

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
}
