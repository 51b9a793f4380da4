//! `[incident_check]`: the system that keeps incidents, how it is asked for one, and what its answer means.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_config_schema::{
    Object, Place, Reader as _, boolean, duration, list, map, object, one_of, optional, or,
    or_none, parsed, required,
};
use breakglass_identity::proxy;
use url::Url;

use super::json_pointer::JsonPointer;
use super::read::{distinct, path};
use super::sink_fields::is_plain_to_another_machine;
use super::url_template::UrlTemplate;
use crate::duration as time;

/// The longest `grace`, in seconds.
const MAX_GRACE_S: i64 = 60 * 60;

/// The longest `timeout`.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that the service sets itself, or that belong to the connection.
const OWN_HEADERS: [&str; 5] =
    ["authorization", "connection", "content-length", "host", "transfer-encoding"];

/// What a request goes on with where the system does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSilence {
    /// The submission is refused.
    Refuse,
    /// It goes to its approvers, who see that it was not checked; the check is owed.
    Owed,
}

const ON_SILENCE: &[(&str, OnSilence)] =
    &[("refuse", OnSilence::Refuse), ("owed", OnSilence::Owed)];

object! {
    /// The system that keeps incidents: whether an incident exists, is open, and is the requester's
    /// ([incidents](incidents.md)). It is asked for requests for scopes with `incident = "checked"`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct IncidentCheck {
        /// Where an incident is got from: a URL with one `{incident}` in its path or query, which is percent-encoded.
        /// Redirects are not followed.
        pub url: UrlTemplate = required(parsed("URL template", incident_url)),
        /// Whether `url` may be plain HTTP although it is not this machine: the credential and the answer can then be read
        /// and changed on the way.
        pub insecure: bool = or(false, boolean()),
        /// Further headers, by their names.
        pub headers: BTreeMap<String, String> = or_none(map("header name", header_name, parsed("header value", header_value))),
        /// A file with the value of the header `Authorization`, such as `Bearer ..`. It is read at each call, so that it can
        /// be replaced.
        pub authorization_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// Where in the answer the incident's state is, and which states are open.
        pub state: StateAt = required(object()),
        /// Where in the answer is whose incident it is. Without it any open incident is good.
        pub owner: Option<OwnerAt> = optional("any open incident is good", object()),
        /// Where in the answer is who opened it, as a JSON pointer (RFC 6901). A request whose requester opened the incident
        /// is marked `own_incident`; nothing is refused by it.
        pub opened_by: Option<JsonPointer> = optional("none", parsed("JSON pointer", JsonPointer::parse)),
        /// What happens where the system is silent: `refuse` the submission, or let it go to its approvers as
        /// `incident_unchecked`, and the check is `owed`: it is made once a minute until there is an answer.
        pub silent: OnSilence = or("refuse", one_of(ON_SILENCE)),
        /// Whether the check is made once a minute while a request is pending or its grant holds. Once the incident is
        /// closed, the request cannot be approved, and a grant ends after `grace`.
        pub until_closed: bool = or(false, boolean()),
        /// How long after an incident is seen to be closed its grants end, 0s to 1h. An incident that is open again by then
        /// ends nothing.
        pub grace: i64 = or("10m", parsed("duration", grace)),
        /// How long one check may take.
        pub timeout: Duration = or("2s", duration().at_most(MAX_TIMEOUT, "a person waits for it")),
        /// A PEM file with the certificates to trust for it, instead of the public ones.
        pub ca_file: Option<PathBuf> = optional("the public ones", parsed("path", path)),
        /// An HTTP proxy by which it is reached. Variables of the environment name none.
        pub proxy: Option<Url> = optional("none", parsed("URL", proxy)),
    }
}

object! {
    /// Where in an answer the state of an incident is, and which states are open.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StateAt {
        /// A JSON pointer (RFC 6901) to a string, a number or a boolean.
        pub pointer: JsonPointer = required(parsed("JSON pointer", JsonPointer::parse)),
        /// The states that are open, byte for byte; a number or a boolean is compared as JSON writes it, such as `1` or
        /// `true`. All others are closed.
        pub open: Vec<String> = required(list(parsed("state", any_text)).and_then(distinct)),
    }
}

impl Object for StateAt {}

object! {
    /// Where in an answer is whose incident it is. One value that is the requester, or one of their groups, is enough;
    /// without any value it is another's.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OwnerAt {
        /// JSON pointers to people: each a string or a list of strings, compared byte for byte with the requester's name and
        /// with their mail address (of an account, the one that its provider has verified).
        pub pointers: Vec<JsonPointer> = or_none(list(parsed("JSON pointer", JsonPointer::parse)).and_then(distinct)),
        /// JSON pointers to teams: each a string or a list of strings, compared byte for byte with the requester's groups.
        pub teams: Vec<JsonPointer> = or_none(list(parsed("JSON pointer", JsonPointer::parse)).and_then(distinct)),
    }
}

impl Object for OwnerAt {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        match self.pointers.is_empty() && self.teams.is_empty() {
            true => {
                place.error("expected `pointers` or `teams`: where in the answer the owners are")
            }
            false => Some(()),
        }
    }
}

impl Object for IncidentCheck {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        match (is_plain_to_another_machine(self.url.example()), self.insecure) {
            (true, false) => place.field("url").error(
                "other machines are on the way, who can read the credential and change the answer: expected `https://..`, or \
                 `insecure = true` to say that this is meant",
            ),
            (false, true) => place
                .field("insecure")
                .error("the connection is encrypted, or on this machine: leave it out"),
            _ => Some(()),
        }
    }
}

fn incident_url(text: &str) -> Result<UrlTemplate, String> {
    UrlTemplate::parse("{incident}", text)
}

fn any_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// A token of RFC 9110 section 5.6.2.
pub(super) fn header_name(name: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("expected the name of a header, got `{}`", name.escape_debug()));
    }
    match OWN_HEADERS.iter().find(|own| name.eq_ignore_ascii_case(own)) {
        Some(&"authorization") => {
            Err("expected no secret in this file: name one with it as `authorization_file`"
                .to_owned())
        }
        Some(own) => Err(format!("the service sets `{own}` itself: leave it out")),
        None => Ok(name.to_owned()),
    }
}

pub(super) fn header_value(text: &str) -> Result<String, String> {
    match text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && text.trim() == text {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected visible ASCII without blanks around it, got `{}`",
            text.escape_debug()
        )),
    }
}

/// In seconds, none included.
fn grace(text: &str) -> Result<i64, String> {
    if text == "0s" {
        return Ok(0);
    }
    let seconds = time::parse(text).map_err(|error| format!("{error}, got `{text}`"))?;
    match seconds <= MAX_GRACE_S {
        true => Ok(seconds),
        false => Err(format!("expected at most {}, got `{text}`", time::format(MAX_GRACE_S))),
    }
}
