//! `[[rotations]]`: hooks that are called when a used grant has ended, so that what it touched is rotated.

use std::path::PathBuf;
use std::time::Duration;

use breakglass_config_schema::{Object, Place, duration, object, optional, or, parsed, required};
use breakglass_identity::proxy;
use url::Url;

use super::read::path;
use super::sink_fields::is_this_machine;
use super::sink_texts::{sink_name, url};
use super::sinks::Reach;

/// How long a hook may be called for one grant.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

object! {
    /// A [hook](rotation.md) that is called when a used grant has ended whose scope names it, so that what the grant touched is
    /// rotated. Files are read at each call, so that they can be replaced.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct RotationHook {
        /// Its name: lower-case letters, digits and hyphens. What is owed is kept by it.
        pub name: String = required(parsed("name", sink_name)),
        /// Where it is: `https`, or `http` on this machine itself. Redirects are not followed.
        pub url: Url = required(parsed("URL", url)),
        /// A file with the secret (`whsec_` and base64) by which each call is signed.
        pub secret_file: PathBuf = required(parsed("path", path)),
        /// A PEM file with the certificates to trust for it, instead of the public ones.
        pub ca_file: Option<PathBuf> = optional("the public ones", parsed("path", path)),
        /// An HTTP proxy by which it is reached. Variables of the environment name none.
        pub proxy: Option<Url> = optional("none", parsed("URL", proxy)),
        /// How long one call may take.
        pub timeout: Duration = or("10s", duration().at_most(Duration::from_secs(60), "others wait for it")),
        /// How long it is called for one grant before the rotation has failed.
        pub retry_for: Duration = or("24h", duration().at_most(DAY, "a person has to know by then")),
    }
}

impl Object for RotationHook {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.url.scheme() == "http" && !is_this_machine(self.url.host()) {
            return place.field("url").error(
                "expected `https://..`: other machines are on the way, who can read and change what is sent",
            );
        }
        Some(())
    }
}

impl RotationHook {
    /// How it is reached.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let (ca_file, proxy) = (self.ca_file.clone(), self.proxy.clone());
        Reach { ca_file, proxy, timeout: self.timeout }
    }
}
