//! `protected` and `ceiling`: rules that refuse, so they match whatever could be meant.

use crate::object;
use crate::schema::{Object, Place, list, optional, parsed};

use super::upgrade::protocol;
use super::{HostName, HostPattern, NamedPaths, PathTemplate, RequestedUpgrades, is_method};

object! {
    /// Rules that refuse: a rule names hosts, methods, paths, upgrades, at least one of them; what it does not
    /// name, it does not ask about.
    ///
    /// They match whatever could be meant: any reading of the path (decoded, with dot segments resolved,
    /// parameters dropped, names cleaned as Windows does it, as the path of a URL, ...), any path, host or
    /// method that a header or the query names (`x-original-url`, `destination`, `x-forwarded-host`,
    /// `x-http-method`, `?mount=&from=`, ...; see `path_headers`), without regard to case. `/x/**` covers `/x` and `/x/` too, and a last name `/x` covers `/x.json`. A path that
    /// is too long or too odd to read in every way (4096 bytes, 256 readings) counts as covered, and so does
    /// a `CONNECT`, whose tunnel can carry any request.
    ///
    /// They know spellings, not what an application takes for another name of the same thing (aliases, lists
    /// and wildcards in a segment, names in bodies, tenants in `host`): see "What rules cannot know" in the
    /// [threat model](threat-model.md#what-rules-cannot-know). Where that matters, name what is open instead:
    /// `unauthenticated: "deny"` or `protected: [{paths: ["/**"]}]`, with narrow scopes.
    #[derive(Debug)]
    pub struct Rule {
        /// Exact, or `*.suffix` for everything below the suffix; without port. A `Host` that is not plainly one
        /// (user information, an empty or odd port, percent-encoding, `127.1`, `[::ffff:127.0.0.1]`) counts as
        /// each of them.
        hosts: Option<Vec<HostPattern>> =
            optional("any", list(parsed("host pattern", HostPattern::parse))),
        /// In upper case.
        methods: Option<Vec<String>> = optional("any", list(parsed("method", method))),
        /// Templates, as in `scopes`.
        paths: Option<Vec<PathTemplate>> =
            optional("any", list(parsed("path template", PathTemplate::parse))),
        /// Protocols to which a request asks to switch, as in `scopes`, in whatever version. A rule with
        /// `upgrades` covers no request that does not ask to switch.
        upgrades: Option<Vec<String>> = optional("any, and none", list(parsed("protocol", protocol))),
    }
}

impl Object for Rule {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let names_path = self.paths.is_some() || self.upgrades.is_some();
        if self.hosts.is_none() && self.methods.is_none() && !names_path {
            return place.error("expected at least one of `hosts`, `methods`, `paths`, `upgrades`");
        }
        Some(())
    }
}

/// What a request could mean to an upstream.
#[derive(Debug)]
pub(crate) struct Sighting<'a> {
    /// The host, and those that headers name; `None` is one that cannot be read, which matches every
    /// host.
    pub(crate) hosts: &'a [Option<&'a HostName>],
    /// The method and everything that a method-override header names.
    pub(crate) methods: &'a [&'a [u8]],
    /// The path, and those that headers and the query name.
    pub(crate) paths: &'a NamedPaths<'a>,
    /// The protocols to which it asks to switch.
    pub(crate) upgrades: &'a RequestedUpgrades,
}

impl Rule {
    /// Whether the rule covers a request in any of its meanings.
    pub(crate) fn covers(&self, request: &Sighting<'_>) -> bool {
        let host = self.hosts.as_ref().is_none_or(|patterns| {
            request.hosts.iter().any(|host| {
                host.is_none_or(|host| patterns.iter().any(|pattern| pattern.covers(host)))
            })
        });
        let method = self.methods.as_ref().is_none_or(|methods| {
            methods.iter().any(|method| {
                request.methods.iter().any(|given| given.eq_ignore_ascii_case(method.as_bytes()))
            })
        });
        let path = self.paths.as_ref().is_none_or(|templates| {
            templates.iter().any(|template| request.paths.are_covered(template))
        });
        let upgrade = self.upgrades.as_ref().is_none_or(|names| request.upgrades.may_be_in(names));
        host && method && path && upgrade
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
        words.extend(self.upgrades.as_ref().map(|names| format!("upgrade:{}", names.join(","))));
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
