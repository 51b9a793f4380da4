//! How the signing keys are replaced.

use breakglass_config_schema::{Object, object, optional, parsed};

use super::read::days;

object! {
    /// How the signing keys are replaced.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct SigningKeys {
        /// How long a key signs, at least a day. The service makes the successor in time, publishes it, lets it sign once
        /// every proxy has it, and removes a key a day after it is over. `key_directory` must be one that it can write to.
        pub rotate_every: Option<i64> = optional("by `breakglass keys` alone", parsed("duration", days)),
    }
}

impl Object for SigningKeys {}
