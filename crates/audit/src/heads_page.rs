//! Reads a page of heads, one after the other: a fleet's are too many to be kept as JSON.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::heads::{Heads, Reported};
use crate::moment::parse_rfc3339;

impl Heads {
    /// Reads all heads, in the form of a page of the answer of `GET /v1/audit/heads`, one after the other.
    ///
    /// # Errors
    /// What is not as expected.
    pub fn read(&mut self, page: impl Read) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_reader(page);
        let goes_on = Page(self).deserialize(&mut deserializer)?;
        deserializer.end()?;
        if goes_on { Err(Error::custom("the list goes on after this page")) } else { Ok(()) }
    }

    /// Adds a page of that answer.
    ///
    /// # Errors
    /// What is not as expected.
    pub fn add(&mut self, page: &serde_json::Value) -> Result<(), serde_json::Error> {
        Page(self).deserialize(page).map(drop)
    }
}

/// Reads a page without keeping it. Returns whether the list goes on after it.
struct Page<'h>(&'h mut Heads);

impl<'de> DeserializeSeed<'de> for Page<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Page<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `as_of` and `heads`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let (mut as_of, mut has_heads, mut goes_on) = (None, false, false);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "as_of" => as_of = Some(members.next_value::<String>()?),
                "heads" => {
                    has_heads = true;
                    members.next_value_seed(List(self.0))?;
                }
                "thinned_before" => self.0.thinned(members.next_value()?).map_err(Error::custom)?,
                "removed_before" => self.0.removed(members.next_value()?).map_err(Error::custom)?,
                "next" => goes_on = members.next_value::<Option<IgnoredAny>>()?.is_some(),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        if !has_heads {
            return Err(Error::missing_field("heads"));
        }
        let as_of = as_of.ok_or_else(|| Error::missing_field("as_of"))?;
        if parse_rfc3339(&as_of).is_none() {
            return Err(Error::custom(format!(
                "as_of: expected an RFC 3339 instant, got `{as_of}`"
            )));
        }
        // What was reported until then is on this page and those after it.
        self.0.as_of.get_or_insert(as_of);
        Ok(goes_on)
    }
}

/// Reads the list of a page, one head after the other.
struct List<'h>(&'h mut Heads);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of heads")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(reported) = items.next_element::<Reported>()? {
            self.0.reported(reported).map_err(Error::custom)?;
        }
        Ok(())
    }
}
