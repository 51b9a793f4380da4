//! How to reach the service: flags, environment, and a profile, in this order. This is the one place that decides.

use std::env;
use std::path::PathBuf;

use super::connection::Connection;
use super::failure::Failure;
use super::profile::{self, Profile};

/// Under which `--help` lists the settings: after the verb's own options.
const HELP_HEADING: &str = "Service";

const URL_VARIABLE: &str = "BREAKGLASS_URL";
const PROFILE_VARIABLE: &str = "BREAKGLASS_PROFILE";
const CA_FILE_VARIABLE: &str = "BREAKGLASS_CA_FILE";

/// How to reach the service.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Settings {
    /// The approval service's URL, such as `https://approvals.internal`.
    #[arg(
        long,
        global = true,
        env = URL_VARIABLE,
        value_name = "URL",
        help_heading = HELP_HEADING
    )]
    pub url: Option<String>,

    /// The profile of `~/.config/breakglass/config.toml` that says where the service is.
    #[arg(
        long,
        global = true,
        env = PROFILE_VARIABLE,
        value_name = "NAME",
        help_heading = HELP_HEADING
    )]
    pub profile: Option<String>,

    /// A file with your API token; without it, the environment variable `BREAKGLASS_API_TOKEN`. Without either, your session:
    /// see `breakglass login`.
    #[arg(long, global = true, value_name = "FILE", help_heading = HELP_HEADING)]
    pub api_token_file: Option<PathBuf>,

    /// A PEM file with the certificates to trust instead of the public ones.
    #[arg(
        long,
        global = true,
        env = CA_FILE_VARIABLE,
        value_name = "FILE",
        help_heading = HELP_HEADING
    )]
    pub ca_file: Option<PathBuf>,

    /// Open no browser: where you have to sign in, the address of the page is printed alone.
    #[arg(long, global = true, help_heading = HELP_HEADING)]
    pub no_browser: bool,
}

/// The settings with what a profile adds.
pub(crate) struct Resolved {
    pub(crate) connection: Connection,
    /// The identity provider to sign in at.
    pub(crate) provider: Option<String>,
    /// The API token's file: of a flag, or of the profile.
    pub(super) api_token_file: Option<PathBuf>,
    /// Whether the file is of a flag, and so comes before the environment.
    pub(super) file_is_a_flag: bool,
}

impl Settings {
    /// Adds what a profile says to what flags and environment do not. The profile that the file has as `profile` counts where
    /// no URL was given: what it says is for its own service.
    ///
    /// # Errors
    /// [`Failure::Invalid`] says which setting is missing or wrong.
    pub(crate) fn resolve(&self) -> Result<Resolved, Failure> {
        let profile = match (&self.profile, &self.url) {
            (None, Some(_)) => Profile::default(),
            (name, _) => profile::read(name.as_deref())?.unwrap_or_default(),
        };
        let url = self.url.as_ref().or(profile.url.as_ref());
        let ca_file = self.ca_file.as_ref().or(profile.ca_file.as_ref());
        let connection = Connection::new(url.map(String::as_str), ca_file.map(PathBuf::as_path));
        let connection = connection.map_err(|failure| match failure {
            Failure::Invalid(cause) if self.url.is_none() && profile.url.is_some() => {
                Failure::Invalid(format!("{}: {cause}", profile.place))
            }
            failure => failure,
        })?;
        Ok(Resolved {
            connection,
            provider: profile.provider,
            file_is_a_flag: self.api_token_file.is_some(),
            api_token_file: self.api_token_file.clone().or(profile.api_token_file),
        })
    }

    /// The flags that another command of this shell needs to reach the same service, each after a blank: what came by the
    /// environment or the file, comes so again.
    pub(crate) fn flags(&self) -> String {
        let ca_file = self.ca_file.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("--url", self.url.clone(), URL_VARIABLE),
            ("--profile", self.profile.clone(), PROFILE_VARIABLE),
            ("--ca-file", ca_file, CA_FILE_VARIABLE),
        ];
        let given = flags.into_iter().filter_map(|(flag, value, variable)| {
            let value = value.filter(|value| env::var(variable).as_ref() != Ok(value))?;
            Some(format!(" {flag} {}", quoted(&value)))
        });
        given.collect()
    }
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_one_word_of_a_shell() {
        for (text, word) in [
            ("https://a.test:8443/x", "https://a.test:8443/x"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
