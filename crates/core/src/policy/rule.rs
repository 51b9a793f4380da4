//! `protected` and `ceiling`: rules that refuse, so they match whatever could be meant.

use crate::config::{Fields, Place, list, parsed};
use crate::json::Json;

use super::{HostName, HostPattern, PathTemplate, Readings, is_method};

/// A set of requests to refuse. What it does not name, it does not ask about; it names something.
#[derive(Debug)]
pub struct Rule {
    hosts: Option<Vec<HostPattern>>,
    methods: Option<Vec<String>>,
    paths: Option<Vec<PathTemplate>>,
}

/// What a request could mean to an upstream.
#[derive(Debug)]
pub struct Sighting<'a> {
    /// The host; `None` if it cannot be read, which matches every host.
    pub host: Option<&'a HostName>,
    /// The method and everything that a method-override header names.
    pub methods: &'a [&'a [u8]],
    /// Every reading of the path.
    pub paths: &'a Readings,
}

impl Rule {
    /// Reads a rule from the configuration.
    pub(crate) fn read<'a>(json: &'a Json, place: &Place<'a>) -> Option<Rule> {
        let mut fields = Fields::open(json, place)?;
        let hosts = fields.optional("hosts", list(parsed(HostPattern::parse)));
        let methods = fields.optional("methods", list(parsed(method)));
        let paths = fields.optional("paths", list(parsed(PathTemplate::parse)));
        fields.close()?;
        let rule = Rule { hosts: hosts?, methods: methods?, paths: paths? };
        if rule.hosts.is_none() && rule.methods.is_none() && rule.paths.is_none() {
            return place.error("expected at least one of `hosts`, `methods`, `paths`");
        }
        Some(rule)
    }

    /// Whether the rule covers a request in any of its meanings.
    #[must_use]
    pub fn covers(&self, request: &Sighting<'_>) -> bool {
        let host = self.hosts.as_ref().is_none_or(|patterns| {
            request.host.is_none_or(|host| patterns.iter().any(|pattern| pattern.covers(host)))
        });
        let method = self.methods.as_ref().is_none_or(|methods| {
            methods.iter().any(|method| {
                request.methods.iter().any(|given| given.eq_ignore_ascii_case(method.as_bytes()))
            })
        });
        let path = self.paths.as_ref().is_none_or(|templates| {
            templates.iter().any(|template| template.refuses(request.paths))
        });
        host && method && path
    }

    /// The rule in a few words, for the audit record.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.methods.as_ref().map(|methods| methods.join(",")));
        words.extend(
            self.hosts
                .as_ref()
                .map(|hosts| hosts.iter().map(HostPattern::to_text).collect::<Vec<_>>().join(",")),
        );
        words.extend(
            self.paths
                .as_ref()
                .map(|paths| paths.iter().map(PathTemplate::as_str).collect::<Vec<_>>().join(",")),
        );
        words.join(" ")
    }
}

/// Reads a method in upper case.
pub(super) fn method(text: &str) -> Result<String, String> {
    if is_method(text) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{}` is not a method; write it in upper case, such as \"GET\"",
            text.escape_debug()
        ))
    }
}
