//! Where the heads of the service's trail go.

use std::path::PathBuf;

use breakglass_config_schema::{Object, Place, boolean, object, optional, or, parsed};

use super::read::{head_url, path};

object! {
    /// Where the head of the service's trail goes, each minute in which it has moved on: out of the reach of who can write
    /// the database. What was changed or cut off up to such a head is found.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TrailHeads {
        /// A file to which a line is appended for each head, made for its owner alone: on a disk that the owner of the
        /// database cannot write, or that is collected from.
        pub file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// Whether the service's log has them.
        pub log: bool = or(false, boolean()),
        /// A URL to which each is sent with `PUT`: `https`, or `http` on this machine itself.
        pub url: Option<String> = optional("none", parsed("URL", head_url)),
        /// A file with the bearer token for `url`, read each time.
        pub token_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// A PEM file with the certificates to trust for `url`, instead of the public ones.
        pub ca_file: Option<PathBuf> = optional("none", parsed("path", path)),
    }
}

impl Object for TrailHeads {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let mut clean = Some(());
        if self.file.is_none() && self.url.is_none() && !self.log {
            clean = place.error("expected `file`, `log = true` or `url`: where the heads go");
        }
        for (name, is_there) in
            [("token_file", self.token_file.is_some()), ("ca_file", self.ca_file.is_some())]
        {
            if is_there && self.url.is_none() {
                clean = place.field(name).error("it is for `url`, which is not there");
            }
        }
        clean
    }
}
