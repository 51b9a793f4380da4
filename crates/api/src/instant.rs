//! Instants as the interface writes them: RFC 3339.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// How much of a text that is no instant is repeated, in characters.
const SHOWN: usize = 200;

/// An RFC 3339 instant: the text as it came, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Instant {
    text: String,
    millis: i64,
}

impl Instant {
    /// The instant this many seconds after 1970 began, in UTC, such as `2026-11-22T02:13:00Z`.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Instant {
        let instant = OffsetDateTime::from_unix_timestamp(seconds).ok();
        let text = instant.and_then(|instant| instant.format(&Rfc3339).ok());
        let text = text.unwrap_or_else(|| format!("@{seconds}"));
        Instant { text, millis: seconds.saturating_mul(1000) }
    }

    /// What the text means; nothing if it is no instant.
    #[must_use]
    pub fn parse(text: &str) -> Option<Instant> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let millis = instant.unix_timestamp_nanos().checked_div(1_000_000)?;
        Some(Instant { text: text.to_owned(), millis: i64::try_from(millis).ok()? })
    }

    /// As it came.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means, in milliseconds since 1970.
    #[must_use]
    pub fn millis(&self) -> i64 {
        self.millis
    }
}

impl TryFrom<String> for Instant {
    type Error = String;

    fn try_from(text: String) -> Result<Instant, String> {
        Instant::parse(&text).ok_or_else(|| {
            let mut shown: String = text.chars().take(SHOWN).collect();
            if text.chars().nth(SHOWN).is_some() {
                shown.push_str(" ..");
            }
            // On one line, whatever was sent.
            let shown = shown.replace(['\n', '\r'], "\u{fffd}");
            format!("expected an RFC 3339 instant, got `{shown}`")
        })
    }
}

impl From<Instant> for String {
    fn from(instant: Instant) -> String {
        instant.text
    }
}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(SchemaType::new(Type::String))
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
                .description(Some("RFC 3339. The service writes whole seconds in UTC."))
                .build(),
        ))
    }
}

impl ToSchema for Instant {
    fn name() -> Cow<'static, str> {
        "Instant".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_keeps_its_text_and_says_what_it_means() {
        let instant = Instant::from_seconds(1_795_313_580);
        assert_eq!(instant.text(), "2026-11-22T02:13:00Z");
        let read: Instant = serde_json::from_str("\"2026-11-22T03:13:00.5+01:00\"").unwrap();
        assert_eq!(
            (read.text(), read.millis()),
            ("2026-11-22T03:13:00.5+01:00", 1_795_313_580_500)
        );
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"2026-11-22T03:13:00.5+01:00\"");
        assert_eq!(Instant::from_seconds(i64::MAX).text(), format!("@{}", i64::MAX));
        let wrong = serde_json::from_str::<Instant>("\"to\\nmorrow\"").unwrap_err().to_string();
        assert_eq!(wrong, "expected an RFC 3339 instant, got `to\u{fffd}morrow`");
    }
}
