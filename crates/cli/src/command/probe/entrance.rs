//! An entrance: a URL, and the address to which the connection goes if it is not that of the URL's host.

use std::fs;
use std::path::Path;

use ureq::http::Uri;

use crate::answer::brief;
use crate::client::Failure;

/// The longest URL, in bytes.
const MAX_URL: usize = 400;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entrance {
    uri: Uri,
    authority: String,
    /// Where to connect to instead.
    target: Option<Target>,
}

/// A host or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    host: String,
    port: u16,
}

impl Target {
    /// `host:port`, with brackets around an IPv6 address.
    pub(super) fn text(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Which connections go elsewhere, as curl's `--resolve` and `--connect-to` say it. What is not there is any, or the
/// same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    host: Option<String>,
    port: Option<u16>,
    to_host: Option<String>,
    to_port: Option<u16>,
}

impl Rule {
    /// `HOST:PORT:ADDRESS`
    pub(super) fn resolve(text: &str) -> Result<Rule, Failure> {
        let rule = || {
            let (host, rest) = host_of(text)?;
            let (port, address) = rest.strip_prefix(':')?.split_once(':')?;
            let address =
                address.strip_prefix('[').map_or(address, |rest| rest.trim_end_matches(']'));
            let is_address = address.parse::<std::net::IpAddr>().is_ok();
            let (host, port) = (Some(host?), Some(port.parse().ok()?));
            is_address.then(|| Rule {
                host,
                port,
                to_host: Some(address.to_owned()),
                to_port: None,
            })
        };
        rule().ok_or_else(|| {
            Failure::Invalid(format!(
                "`--resolve`: expected HOST:PORT:ADDRESS such as `orders.internal:443:10.0.0.7`, got `{}`",
                brief(text)
            ))
        })
    }

    /// `HOST:PORT:TO_HOST:TO_PORT`
    pub(super) fn connect_to(text: &str) -> Result<Rule, Failure> {
        let number = |text: &str| match text {
            "" => Some(None),
            digits => digits.parse().ok().map(Some),
        };
        let rule = || {
            let (host, rest) = host_of(text)?;
            let (port, rest) = rest.strip_prefix(':')?.split_once(':')?;
            let (to_host, rest) = host_of(rest)?;
            let to_port = number(rest.strip_prefix(':')?)?;
            Some(Rule { host, port: number(port)?, to_host, to_port })
        };
        rule().ok_or_else(|| {
            Failure::Invalid(format!(
                "`--connect-to`: expected HOST:PORT:TO_HOST:TO_PORT such as `orders.internal:443:gateway-2.internal:8443`, \
                 got `{}`",
                brief(text)
            ))
        })
    }

    fn fits(&self, host: &str, port: u16) -> bool {
        let is_host = self.host.as_ref().is_none_or(|one| one.eq_ignore_ascii_case(host));
        is_host && self.port.is_none_or(|one| one == port)
    }
}

/// A host before a colon, an IPv6 address in brackets; nothing inside for an empty one. And the rest.
fn host_of(text: &str) -> Option<(Option<String>, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => text.split_at(text.find(':')?),
    };
    Some(((!host.is_empty()).then(|| host.to_owned()), rest))
}

impl Entrance {
    /// From a URL.
    pub(super) fn parse(text: &str) -> Result<Entrance, Failure> {
        let invalid = |cause: String| Err(Failure::Invalid(cause));
        let such_as = "expected a URL such as `https://orders.internal/`";
        let text = text.trim();
        // It may be a password: it is not repeated.
        let before_path = text.split_once("://").map_or(text, |(_, rest)| rest);
        if before_path.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')) {
            return invalid(format!("{such_as}, without user name and password"));
        }
        let shown = brief(text);
        if text.len() > MAX_URL || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return invalid(format!(
                "{such_as}, of at most {MAX_URL} visible ASCII characters, got `{shown}`"
            ));
        }
        let uri = text.parse::<Uri>().ok().filter(|uri| {
            let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
            is_http && uri.host().is_some_and(|host| !host.is_empty()) && !text.contains('#')
        });
        let Some(uri) = uri else { return invalid(format!("{such_as}, got `{shown}`")) };
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        // What follows the host is a port, though no number that can be one.
        let has_port = uri.host() != Some(authority.as_str());
        if has_port && uri.port_u16().is_none_or(|port| port == 0) {
            return invalid(format!("{such_as}, with a port of 1 to 65535, got `{shown}`"));
        }
        let default = default_port(&uri);
        let port = authority.rsplit_once(':').filter(|(_, port)| port.parse() == Ok(default));
        // As clients send it: without the port that the scheme says.
        let authority = port.map_or(authority.clone(), |(host, _)| host.to_owned());
        Ok(Entrance { uri, authority, target: None })
    }

    /// One for each rule that fits, or this one where none does.
    pub(super) fn by(self, rules: &[Rule]) -> Vec<Entrance> {
        if self.target.is_some() {
            return vec![self];
        }
        let host = self.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = self.uri.port_u16().unwrap_or_else(|| default_port(&self.uri));
        let fitting = rules.iter().filter(|rule| rule.fits(&host, port));
        let targets: Vec<Target> = fitting
            .map(|rule| Target {
                host: rule.to_host.clone().unwrap_or_else(|| host.clone()),
                port: rule.to_port.unwrap_or(port),
            })
            .collect();
        if targets.is_empty() {
            return vec![self];
        }
        let to = |target| Entrance { target: Some(target), ..self.clone() };
        targets.into_iter().map(to).collect()
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// What is sent as `Host`.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// For people and for the trail: without a query, which may hold a secret.
    pub(super) fn shown(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let url = format!("{scheme}://{}{}", self.authority, self.uri.path());
        match &self.target {
            None => url,
            Some(target) => format!("{url} at {}", target.text()),
        }
    }
}

fn default_port(uri: &Uri) -> u16 {
    if uri.scheme_str() == Some("http") { 80 } else { 443 }
}

/// The entrances that a file lists.
pub(super) fn read(path: &Path) -> Result<Vec<Entrance>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Invalid(format!("`--file`: {}: {error}", path.display())))?;
    let mut entrances = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // A `#` inside a URL is no comment.
        let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(url) = words.next() else { continue };
        let at = |cause: String| {
            let number = index.saturating_add(1);
            Failure::Invalid(format!("`--file`: {}, line {number}: {cause}", path.display()))
        };
        let mut entrance = Entrance::parse(url).map_err(|failure| at(failure.to_string()))?;
        if let Some(word) = words.next() {
            let wrong = || {
                let shown = brief(word);
                at(format!(
                    "expected ADDRESS:PORT after the URL, such as `10.0.0.7:8443`, got `{shown}`"
                ))
            };
            let (host, rest) = host_of(word).ok_or_else(wrong)?;
            let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
            let (host, port) = host.zip(port).ok_or_else(wrong)?;
            entrance.target = Some(Target { host, port });
        }
        if words.next().is_some() {
            return Err(at("expected a URL, and an address to connect to at most".to_owned()));
        }
        entrances.push(entrance);
    }
    Ok(entrances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        for (text, authority, shown) in [
            ("https://orders.internal", "orders.internal", "https://orders.internal/"),
            (
                "https://orders.internal:443/a?x=secret",
                "orders.internal",
                "https://orders.internal/a",
            ),
            ("http://orders.internal:443/a", "orders.internal:443", "http://orders.internal:443/a"),
            (" http://[::1]:8080/ ", "[::1]:8080", "http://[::1]:8080/"),
            ("http://[::1]", "[::1]", "http://[::1]/"),
            ("http://Orders.internal:80", "Orders.internal", "http://Orders.internal/"),
        ] {
            let entrance = Entrance::parse(text).unwrap();
            assert_eq!((entrance.authority(), entrance.shown().as_str()), (authority, shown));
        }
    }

    #[test]
    fn says_what_is_no_entrance() {
        let long = format!("https://orders.internal/{}", "a".repeat(400));
        for text in [
            "",
            "orders.internal",
            "/v1/orders",
            "ftp://orders.internal/",
            "https://",
            "https://:443/",
            "https://alice:secret@orders.internal/",
            "https://orders.internal:0/",
            "https://orders.internal:99999/",
            "https://orders.internal/#a",
            "https://orders internal/",
            "https://\u{f6}rders.internal/",
            &long,
        ] {
            let error = Entrance::parse(text).unwrap_err();
            assert_eq!(error.exit(), crate::exit::Exit::Invalid);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn connections_go_where_they_are_told() {
        let targets = |url: &str, rules: &[Rule]| -> Vec<String> {
            let entrances = Entrance::parse(url).unwrap().by(rules);
            let text = |one: &Entrance| one.target().map(Target::text).unwrap_or_default();
            entrances.iter().map(text).collect()
        };
        let resolve = |text| Rule::resolve(text).unwrap();
        let connect_to = |text| Rule::connect_to(text).unwrap();
        let https = "https://orders.internal/";
        for (url, rule, target) in [
            (https, resolve("orders.internal:443:10.0.0.7"), "10.0.0.7:443"),
            (https, resolve("ORDERS.internal:443:::1"), "[::1]:443"),
            (https, resolve("orders.internal:443:[::1]"), "[::1]:443"),
            (https, resolve("orders.internal:8443:10.0.0.7"), ""),
            (https, resolve("other.internal:443:10.0.0.7"), ""),
            (https, connect_to("orders.internal:443:gateway:8443"), "gateway:8443"),
            (https, connect_to("::gateway:8443"), "gateway:8443"),
            (https, connect_to("::[::1]:8443"), "[::1]:8443"),
            (https, connect_to(":443:gateway:"), "gateway:443"),
            (https, connect_to("orders.internal:::1"), "orders.internal:1"),
            ("http://[::1]:80/", connect_to("[::1]:80:gateway:1"), "gateway:1"),
        ] {
            assert_eq!(targets(url, std::slice::from_ref(&rule)), [target], "{url} {rule:?}");
        }
        let both = [connect_to("::a:1"), connect_to("::b:2")];
        assert_eq!(targets(https, &both), ["a:1", "b:2"], "each is asked");
        for text in ["", "a", "a:443", "a:443:b", "a:x:10.0.0.7", ":443:10.0.0.7"] {
            Rule::resolve(text).unwrap_err();
        }
        for text in ["", "a", "a:443", "a:443:b", "a:x:b:1", "a:1:b:x", "[::1:1:b:1"] {
            Rule::connect_to(text).unwrap_err();
        }
    }

    #[test]
    fn reads_a_file() {
        let folder = std::env::temp_dir().join(format!("breakglass-probe-{}", std::process::id()));
        fs::write(
            &folder,
            "# gateways\n\nhttps://orders.internal/ # the first\n  https://orders.internal/a 10.0.0.7:8443\n",
        )
        .unwrap();
        let shown: Vec<String> = read(&folder).unwrap().iter().map(Entrance::shown).collect();
        assert_eq!(
            shown,
            ["https://orders.internal/", "https://orders.internal/a at 10.0.0.7:8443"]
        );
        for text in ["orders.internal", "https://a/ b", "https://a/ b:1 c", "https://a/ :1"] {
            fs::write(&folder, format!("# a\n{text}\n")).unwrap();
            let error = read(&folder).unwrap_err().to_string();
            assert!(error.contains("line 2"), "{error}");
        }
        fs::remove_file(&folder).unwrap();
    }
}
