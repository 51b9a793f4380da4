//! How the signing keys are replaced and kept.

use breakglass_config_schema::{Object, object, optional, parsed};

use std::path::PathBuf;

use super::read::{days, path};

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
    }
}

impl Object for SigningKeys {}
