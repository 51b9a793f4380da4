//! What the texts of a sink must be.

use breakglass_api::alerts::TYPE_PREFIX;
use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use url::Url;

use crate::text;

/// The longest name of a sink, in bytes.
const MAX_NAME_BYTES: usize = 40;

pub(super) fn sink_name(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match text.len() <= MAX_NAME_BYTES && text.bytes().all(is_allowed) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected at most {MAX_NAME_BYTES} lower-case letters, digits and hyphens, such as `oncall`, got `{}`",
            text.escape_debug()
        )),
    }
}

/// A type of events, or the beginning of several with a `*` at its end.
pub(super) fn event_type(text: &str) -> Result<String, String> {
    let known = || EventType::ALL.iter().map(|one| one.word());
    let is_right = match text.strip_suffix('*') {
        Some(start) => {
            known().any(|word| word.starts_with(start))
                || start.starts_with(TYPE_PREFIX)
                || TYPE_PREFIX.starts_with(start)
        }
        None => known().any(|word| word == text) || text.starts_with(TYPE_PREFIX),
    };
    match is_right && text.is_ascii() {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected a type of events such as `breakglass.request.submitted`, or the beginning of some with a `*` at its \
             end, got `{}`: docs/notifications.md lists them",
            text.escape_debug()
        )),
    }
}

/// A URL; whether it may be plain HTTP is judged with the other fields.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let expected = || "expected `https://..`, without user name, password and fragment".to_owned();
    // The URL parser forgives blanks, tabs and line breaks.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(expected());
    }
    let url = Url::parse(text).map_err(|_| expected())?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && url.has_host();
    match is_plain && matches!(url.scheme(), "https" | "http") {
        true => Ok(url),
        false => Err(expected()),
    }
}

/// A DNS name or an IP address.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    match text.bytes().all(is_allowed) && !text.starts_with('-') {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected a DNS name or an IP address such as `mail.internal`, got `{}`",
            text.escape_debug()
        )),
    }
}

/// The address of a mailbox, with a name or without.
pub(super) fn mail_address(text: &str) -> Result<String, String> {
    text::configured_name(text)?;
    match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "expected an address such as `breakglass@corp.example`, got `{}`: {error}",
            text.escape_debug()
        )),
    }
}

/// The address of a person's mailbox, without a name.
pub(super) fn person_address(text: &str) -> Result<String, String> {
    match text.parse::<lettre::Address>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "expected an address such as `carol@corp.example`, got `{}`: {error}",
            text.escape_debug()
        )),
    }
}

/// The name by which a service signs in: one line.
pub(super) fn login(text: &str) -> Result<String, String> {
    text::configured_name(text).map(|()| text.to_owned())
}
