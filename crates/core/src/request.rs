//! What a request is, to the decision: the token it presents, and the facts that are judged.

use std::cell::OnceCell;

use breakglass_types::names::{OWN_PREFIX, PROBE_HEADER};

use crate::config::{Config, TokenSource};
use crate::headers::{Headers, reads_as};
use crate::mark::{StreamKey, StreamState};
use crate::policy::{
    HostName, OVERRIDE_HEADERS, RequestedUpgrades, SecondResources, SourceAddress,
};
use crate::reason::DenyReason;
use crate::route_used::RouteUsed;
use crate::token::contains_our_token;

/// The prefix of the headers that are ours: a client's own are removed.
const OUR_PREFIX: &[u8] = OWN_PREFIX.as_bytes();

/// What can be asked about a request besides its headers. Each costs a host call, so each is asked
/// only when it matters. `None` is "not there", and never counts in the client's favour.
pub trait Attributes: StreamState {
    /// Envoy's `source.address`: `ip:port`.
    fn source_address(&self) -> Option<Vec<u8>>;
    /// Envoy's `xds.route_name`.
    fn route_name(&self) -> Option<Vec<u8>>;
    /// Whether Envoy has followed a redirect of the upstream's itself (`internal_redirect_policy`): Envoy's
    /// `response.code_details` is `internal_redirect`. What follows is another request.
    fn is_internal_redirect(&self) -> bool;
    /// Envoy's `connection.sha256_peer_certificate_digest`: 64 hex digits.
    fn client_certificate(&self) -> Option<Vec<u8>>;
    /// The headers of the response, once that begins. `None` where they cannot be read.
    fn response_headers(&self) -> Option<Headers> {
        None
    }
}

/// The headers of a request, sorted by what they mean to us. Borrowed: the common request without
/// a token is decided on this alone.
#[derive(Debug, Default)]
pub(crate) struct Seen<'h> {
    pub(crate) method: &'h [u8],
    pub(crate) path: &'h [u8],
    pub(crate) authority: &'h [u8],
    pub(crate) content_type: &'h [u8],
    pub(crate) request_id: &'h [u8],
    /// The methods that override headers name, harmless ones excepted.
    pub(crate) overrides: Vec<&'h [u8]>,
    /// The values that name a protocol to switch to.
    pub(crate) upgrades: Vec<&'h [u8]>,
    /// What headers name besides the path and the host.
    pub(crate) second: SecondResources,
    /// The client's own `x-breakglass-*` headers, to be removed.
    pub(crate) ours: Vec<&'h [u8]>,
    /// The values of [`PROBE_HEADER`], which is among them.
    probes: Vec<&'h [u8]>,
    /// The headers that a token source names, with its index.
    sources: Vec<(usize, &'h [u8])>,
}

/// The token that a request presents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Presented<'h> {
    /// None of ours.
    Nothing,
    /// Not one token in the form that its source asks for. The index is the source's.
    Refused(usize, DenyReason),
    /// One. The index is the source's.
    Token(usize, &'h [u8]),
}

impl<'h> Seen<'h> {
    pub(crate) fn sort(headers: &'h Headers, config: &Config) -> Seen<'h> {
        let mut seen = Seen::default();
        for (name, value) in headers.iter() {
            match name {
                b":method" => seen.method = value,
                b":path" => seen.path = value,
                b":authority" => seen.authority = value,
                b"content-type" => seen.content_type = value,
                b"x-request-id" => seen.request_id = value,
                b"upgrade" | b":protocol" => seen.upgrades.push(value),
                _ => {}
            }
            let source =
                config.token_sources.iter().position(|source| source.header.as_bytes() == name);
            match source {
                Some(index) => seen.sources.push((index, value)),
                None if is_ours(name) => {
                    seen.ours.push(name);
                    if name == PROBE_HEADER.as_bytes() {
                        seen.probes.push(value);
                    }
                }
                None => {}
            }
            let overrides = OVERRIDE_HEADERS.iter().any(|header| reads_as(name, header.as_bytes()))
                && !config
                    .harmless_method_overrides
                    .iter()
                    .any(|harmless| reads_as(name, harmless.as_bytes()));
            if overrides {
                seen.overrides.push(value);
            }
            seen.second.add(name, value, config.second.names());
        }
        seen.second.add_parameters(seen.path, config.second.names());
        seen
    }

    /// The token of the first source that is present.
    pub(crate) fn token(&self, config: &Config) -> Presented<'h> {
        for (index, source) in config.token_sources.iter().enumerate() {
            let values: Vec<&[u8]> = self
                .sources
                .iter()
                .filter(|(source, _)| *source == index)
                .map(|(_, value)| *value)
                .collect();
            match read_source(source, &values, config) {
                None => {}
                Some(Ok(token)) => return Presented::Token(index, token),
                Some(Err(reason)) => return Presented::Refused(index, reason),
            }
        }
        Presented::Nothing
    }
}

impl<'h> Seen<'h> {
    /// What may be a challenge: the one value of its header, in a request that carries no token and opens no tunnel.
    pub(crate) fn probe(&self, config: &Config) -> Option<&'h [u8]> {
        let [value] = self.probes.as_slice() else { return None };
        let opens_tunnel = self.method == b"CONNECT" || !self.upgrades.is_empty();
        (!opens_tunnel && self.token(config) == Presented::Nothing).then_some(*value)
    }
}

impl Seen<'_> {
    /// The headers with a token of ours that the upstream may not see: that of the source that
    /// `decides`, and any other one.
    pub(crate) fn hidden(&self, config: &Config, decides: Option<usize>) -> Vec<String> {
        let sources = config.token_sources.iter().enumerate();
        let hidden = sources.filter(|(index, source)| {
            let mut values = self.sources.iter().filter(|(of, _)| of == index);
            let is_ours = |(_, value): &(usize, &[u8])| may_hold_token(source, value, config);
            !source.forward && (decides == Some(*index) || values.any(is_ours))
        });
        hidden.map(|(_, source)| source.header.clone()).collect()
    }
}

/// Whether a header may only ever be set by us.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    name.get(..OUR_PREFIX.len()).is_some_and(|start| reads_as(start, OUR_PREFIX))
}

/// Whether a source's value is for us: in a header of its own everything is, in a header with a scheme
/// what contains a token of ours, whatever is around it.
fn may_hold_token(source: &TokenSource, value: &[u8], config: &Config) -> bool {
    source.scheme.is_none() || contains_our_token(value, &config.issuers)
}

/// The token in the header lines of one source; `None` if nothing in them is for us. Of a token among
/// other elements, or after anything but the scheme and spaces (RFC 6750 section 2.1), nobody can say how
/// the upstream would read it: it is refused.
fn read_source<'h>(
    source: &TokenSource,
    values: &[&'h [u8]],
    config: &Config,
) -> Option<Result<&'h [u8], DenyReason>> {
    if !values.iter().any(|value| may_hold_token(source, value, config)) {
        return None;
    }
    let [value] = values else { return Some(Err(DenyReason::TokenDuplicated)) };
    let Some(scheme) = &source.scheme else { return Some(Ok(value)) };
    let elements = value.split(|byte| *byte == b',');
    if elements.filter(|element| !element.trim_ascii().is_empty()).count() > 1 {
        return Some(Err(DenyReason::TokenDuplicated));
    }
    Some(after_scheme(scheme, value).ok_or(DenyReason::TokenMalformed))
}

/// What follows the scheme and at least one space.
fn after_scheme<'h>(scheme: &str, value: &'h [u8]) -> Option<&'h [u8]> {
    let (given, rest) = value.trim_ascii().split_at_checked(scheme.len())?;
    let token = rest.strip_prefix(b" ")?;
    let spaces = token.iter().take_while(|byte| **byte == b' ').count();
    given.eq_ignore_ascii_case(scheme.as_bytes()).then(|| token.get(spaces..).unwrap_or_default())
}

/// What is judged about a request that needs more than a look at its headers. Owned: a request may
/// wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) method: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) authority: Vec<u8>,
    pub(crate) host: Option<HostName>,
    pub(crate) overrides: Vec<Vec<u8>>,
    pub(crate) upgrades: RequestedUpgrades,
    /// Whether the client sent headers that are ours to set.
    pub(crate) has_reserved: bool,
    pub(crate) second: SecondResources,
    /// The headers, for another configuration to judge; not those that may hold the token.
    pub(crate) headers: Headers,
    pub(crate) route: Option<String>,
    pub(crate) route_used: RouteUsed,
    pub(crate) source: Option<SourceAddress>,
    pub(crate) request_id: Vec<u8>,
    /// Where a mark may be made: the stream that it is for.
    pub(crate) stream: Option<StreamKey>,
    pub(crate) grpc: bool,
    /// The client's own headers that are ours to set, and the token's, unless it is to be forwarded.
    pub(crate) remove: Vec<String>,
    /// The rule of `protected` that covers the request, in a few words, once that was looked for.
    pub(crate) protected_by: OnceCell<Option<String>>,
}

impl Facts {
    /// What the headers say.
    pub(crate) fn of(seen: &mut Seen<'_>) -> Facts {
        Facts {
            method: seen.method.to_vec(),
            path: seen.path.to_vec(),
            authority: seen.authority.to_vec(),
            host: HostName::from_authority(seen.authority),
            overrides: seen.overrides.iter().map(|value| value.to_vec()).collect(),
            upgrades: RequestedUpgrades::read(&seen.upgrades),
            has_reserved: !seen.ours.is_empty(),
            second: std::mem::take(&mut seen.second),
            headers: Headers::default(),
            route: None,
            route_used: RouteUsed::Unknown,
            source: None,
            request_id: seen.request_id.to_vec(),
            stream: None,
            grpc: is_grpc(seen.content_type),
            remove: seen.removals(),
            protected_by: OnceCell::new(),
        }
    }

    /// What the same request is to another configuration: which headers count is its own. What was judged
    /// of this filter's headers stays.
    pub(crate) fn under(&self, config: &Config) -> Facts {
        let mut facts = Facts::of(&mut Seen::sort(&self.headers, config));
        facts.has_reserved = self.has_reserved;
        facts.route.clone_from(&self.route);
        facts.route_used.clone_from(&self.route_used);
        facts.source = self.source;
        facts
    }

    /// Keeps the headers, for [`Facts::under`].
    pub(crate) fn keep(&mut self, headers: &Headers, config: &Config) {
        let is_source = |name: &[u8]| {
            config.token_sources.iter().any(|source| source.header.as_bytes() == name)
        };
        self.headers = headers.only(|name| !is_source(name));
    }

    /// What has to be asked for as well, before scopes are judged or anything is recorded.
    pub(crate) fn ask(&mut self, attributes: &dyn Attributes) {
        let source = attributes.source_address();
        self.source = source.as_deref().and_then(SourceAddress::from_attribute);
        self.route = attributes.route_name().and_then(|name| String::from_utf8(name).ok());
    }
}

/// Whether Envoy takes a request for gRPC, and so answers it with a gRPC status: `application/grpc`
/// and `application/grpc+..`, letter by letter.
fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}

impl Seen<'_> {
    /// The names to remove, each once.
    pub(crate) fn removals(&self) -> Vec<String> {
        once_each(self.ours.iter().copied())
    }
}

/// What a request's trailers hold for us.
#[derive(Debug)]
pub(crate) struct SortedTrailers {
    /// Those to remove, each once: the ones that only we may set, because some upstreams take trailers for
    /// headers, and those of a token source with a token in them.
    pub(crate) remove: Vec<String>,
    /// Whether a source's trailer holds a token of ours.
    pub(crate) has_token: bool,
}

impl SortedTrailers {
    pub(crate) fn sort(trailers: &Headers, config: &Config) -> SortedTrailers {
        let holds_token = |(name, value): &(&[u8], &[u8])| {
            let mut sources = config.token_sources.iter();
            let source = sources.find(|source| source.header.as_bytes() == *name);
            source.is_some_and(|source| may_hold_token(source, value, config))
        };
        let tokens = trailers.iter().filter(holds_token).map(|(name, _)| name);
        let ours = trailers.iter().map(|(name, _)| name).filter(|name| is_ours(name));
        let remove = once_each(ours.chain(tokens));
        SortedTrailers { remove, has_token: trailers.iter().any(|trailer| holds_token(&trailer)) }
    }
}

fn once_each<'h>(names: impl Iterator<Item = &'h [u8]>) -> Vec<String> {
    let mut names: Vec<String> =
        names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Facts {
    /// Whether it was asked which route was used.
    pub(crate) fn is_route_used_known(&self) -> bool {
        self.route_used != RouteUsed::Unknown
    }

    /// Asks which route was used.
    pub(crate) fn ask_route_used(&mut self, attributes: &dyn Attributes) {
        let used = attributes.route_name().and_then(|name| String::from_utf8(name).ok());
        self.route_used =
            if used == self.route { RouteUsed::AsJudged } else { RouteUsed::Other(used) };
    }

    /// The route that was used, where it is known to be another than the judged one.
    pub(crate) fn other_route(&self) -> Option<Option<&str>> {
        match &self.route_used {
            RouteUsed::Other(name) => Some(name.as_deref()),
            RouteUsed::Unknown | RouteUsed::AsJudged => None,
        }
    }
}
