//! What is asked of the person, and where.

use std::time::Duration;

/// How long a sign-in may take, where no one says otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// What is asked of the person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The identity provider, by its name in the service's configuration.
    pub(crate) provider: Option<String>,
    /// The level of sign-in.
    pub(crate) level: Option<String>,
    /// How many seconds ago the person may have authenticated by that level.
    pub(crate) max_age_s: Option<i64>,
    /// The account that has to come back.
    pub(crate) account: Option<String>,
}

/// Where the person is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// Whether a browser is opened here.
    pub(crate) browser: bool,
    /// Whether the person signs in at another device.
    pub(crate) device: bool,
    /// For how long to wait.
    pub(crate) timeout: Duration,
}

impl Asked {
    /// As parameters.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let pairs = [
            ("provider", self.provider.clone()),
            ("level", self.level.clone()),
            ("max_age", self.max_age_s.map(|seconds| seconds.to_string())),
            ("account", self.account.clone()),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
