//! `[on_call]`: the system that says who is on call, and how it is asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_config_schema::{
    Object, Place, boolean, duration, map, object, optional, or, or_none, parsed, required,
};
use breakglass_identity::proxy;
use url::Url;

use super::incident_check::{header_name, header_value};
use super::json_pointer::JsonPointer;
use super::read::path;
use super::sink_fields::is_plain_to_another_machine;
use super::url_template::UrlTemplate;

/// What the names of groups of people on call begin with; the name of a schedule follows.
pub const ON_CALL: &str = "on-call:";

/// The longest `timeout`.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest `every`.
const MIN_EVERY: Duration = Duration::from_secs(5);

/// The longest `every`.
const MAX_EVERY: Duration = Duration::from_secs(5 * 60);

/// The longest `valid_for`.
const MAX_VALID: Duration = Duration::from_secs(60 * 60);

object! {
    /// The system that says who is on call ([on call](approval-rules.md#on-call)). Stages and escalations name the people of one
    /// of its schedules as the group `on-call:SCHEDULE`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OnCallSource {
        /// Where a schedule is got from: a URL with one `{schedule}` in its path or query, which is percent-encoded. Redirects are
        /// not followed.
        pub url: UrlTemplate = required(parsed("URL template", schedule_url)),
        /// Whether `url` may be plain HTTP although it is not this machine: the credential and the answer can then be read
        /// and changed on the way.
        pub insecure: bool = or(false, boolean()),
        /// Further headers, by their names.
        pub headers: BTreeMap<String, String> = or_none(map("header name", header_name, parsed("header value", header_value))),
        /// A file with the value of the header `Authorization`, such as `Bearer ..`. It is read at each call, so that it can
        /// be replaced.
        pub authorization_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// Where in the answer the list of those on call is, as a JSON pointer (RFC 6901).
        pub list: Option<JsonPointer> = optional("the whole answer is the list", parsed("JSON pointer", JsonPointer::parse)),
        /// Where in an entry of the list the person is, as a JSON pointer: a string, which is compared byte for byte with the
        /// person's name and with their mail address (of an account, the one that its provider has verified).
        pub person: Option<JsonPointer> = optional("the entry is the person", parsed("JSON pointer", JsonPointer::parse)),
        /// How often each schedule is asked for, 5s to 5m.
        pub every: Duration = or("30s", duration().at_most(MAX_EVERY, "a shift would be over before it is known")),
        /// For how long an answer counts while no other one comes, at least `every` and at most 1h: from then on no person is on
        /// call.
        pub valid_for: Duration = or("5m", duration().at_most(MAX_VALID, "it would be another person's shift")),
        /// How long one call may take.
        pub timeout: Duration = or("2s", duration().at_most(MAX_TIMEOUT, "the next schedule waits for it")),
        /// A PEM file with the certificates to trust for it, instead of the public ones.
        pub ca_file: Option<PathBuf> = optional("the public ones", parsed("path", path)),
        /// An HTTP proxy by which it is reached. Variables of the environment name none.
        pub proxy: Option<Url> = optional("none", parsed("URL", proxy)),
    }
}

impl Object for OnCallSource {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let mut clean = Some(());
        if self.every < MIN_EVERY {
            clean = place.field("every").error("expected at least 5s: each service asks so often");
        }
        if self.valid_for < self.every {
            clean = place.field("valid_for").error(
                "expected at least `every`: otherwise no person would be on call between two answers",
            );
        }
        match (is_plain_to_another_machine(self.url.example()), self.insecure) {
            (true, false) => place.field("url").error(
                "other machines are on the way, who can read the credential and change the answer: expected `https://..`, or \
                 `insecure = true` to say that this is meant",
            ),
            (false, true) => place
                .field("insecure")
                .error("the connection is encrypted, or on this machine: leave it out"),
            _ => clean,
        }
    }
}

fn schedule_url(text: &str) -> Result<UrlTemplate, String> {
    UrlTemplate::parse("{schedule}", text)
}
