//! `scopes`: what a grant can open, and what its holder must bring.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use breakglass_types::Basis;
use breakglass_types::scope_rules::ScopeDigest;
use ipnet::IpNet;

use crate::bodies::BodyAudit;
use crate::claims::Claims;
use crate::config::{OnUnavailable, UNAVAILABLE, body_audit};
use crate::instant::Instant;
use crate::reason::DenyReason;
use crate::schema::{
    Object, Place, boolean, duration, list, number, one_of, optional, or, or_empty, parsed,
    required, text,
};
use crate::{object, schema};

use super::approved;
use super::rule::method;
use super::source::parse_network;
use super::unmet::Unmet;
use super::upgrade::protocol;
use super::{HostName, HostPattern, PathTemplate, PlainPath, RequestedUpgrades, SourceAddress};

object! {
    /// What a grant can open, and what its holder must bring. No two have the same `name`.
    ///
    /// All requirements of one covering scope must be met; requirements are never put together from two.
    /// Under a token a path that can be read in two ways is refused before any scope is looked at; see
    /// `ambiguous_path` in [reasons.md](reasons.md).
    #[derive(Debug)]
    pub struct Scope {
        /// One word of visible ASCII, as in the token's `scope`.
        pub name: String = required(parsed("scope name", scope_name)),
        /// Exact, or `*.suffix` for everything below the suffix; without port. A `Host` that is not plainly one
        /// is none of them.
        pub hosts: Option<Vec<HostPattern>> =
            optional("any", list(parsed("host pattern", HostPattern::parse))),
        /// Envoy route names: give each route of the listener its own, for routes of one name are not told apart. They
        /// narrow what `hosts`, `methods` and `paths` say, and never stand alone: without `hosts`, and with `/**` in
        /// `paths`, a warning is logged. The routes must not match on what a permit changes: the token's header (the
        /// presence of `authorization` too, where that is a token source), and headers that begin with
        /// `x-breakglass-`. A client's own are removed after the route was judged, so a request that brings some under
        /// a token with such a scope is refused (`reserved_header`). Nor on what other filters change: one in front
        /// that clears the route cache after it has set a header (`jwt_authn` with `claim_to_headers` and
        /// `clear_route_cache`) makes Envoy choose after this filter has looked, and so does one behind it (Lua,
        /// `ext_authz`, `ext_proc`, anything that rewrites `:path`). A permit changes headers, so Envoy always chooses
        /// once more behind this filter: in the next native filter, or in the router. The route that was used is read
        /// when the response begins, and in the log. Where it differs, the record names it (`route_used`); where it is
        /// none of these (one without a name never is), the client gets 403 `route_changed` in place of the answer.
        /// The call has happened by then.
        pub routes: Option<Vec<String>> = optional("any", list(parsed("route name", |name| Ok(name.to_owned())))),
        /// In upper case, compared byte by byte. Not `CONNECT`: no grant covers a tunnel, and a warning is logged.
        pub methods: Vec<String> = required(list(parsed("method", method))),
        /// Templates: `{name}` is exactly one segment that is not empty, `**` only as the last segment is
        /// one or more of the rest. Matched byte by byte, without the query.
        pub paths: Vec<PathTemplate> =
            required(list(parsed("path template", PathTemplate::parse))),
        /// The protocols to which a request may switch, such as `websocket` (a browser's or `kubectl exec`'s
        /// WebSocket), `spdy/3.1`, `connect-udp`: as in the `Upgrade` header, without regard to case. What passes
        /// after the switch is not judged any more, and can be what `methods` does not name. Without it a request
        /// with `Upgrade`, and an extended CONNECT (RFC 8441), is `out_of_scope`; one that offers several
        /// protocols needs each of them here.
        pub upgrades: Option<Vec<String>> = optional("none", list(parsed("protocol", protocol))),
        /// What the holder must bring, all of it.
        pub require: Requirements = or_empty(schema::object()),
        /// `true`: only a token that was approved for exactly these rules, by their [digest](scope-digests.md) in
        /// `breakglass.scopes`, opens this scope; another one is refused (`scope_changed`). A change of the scope in the
        /// middle of an incident then ends the use of the grants that exist, what runs included: they are asked for, and
        /// approved, again. Tokens that name no digest are refused too.
        pub same_digest: bool = or(false, boolean()),
        /// What happens when neither the feed nor introspection says whether a grant still stands.
        pub on_unavailable: Option<OnUnavailable> =
            optional("that of `revocation`", one_of(UNAVAILABLE)),
        /// What becomes of running requests when their grant is revoked or a new configuration withdraws
        /// the scope: `"at_once"` ends them, `"finish"` lets them end by themselves. New requests are
        /// refused either way.
        pub(super) cut: Cut = or("at_once", one_of(&[("at_once", Cut::AtOnce), ("finish", Cut::Finish)])),
        /// How long they may go on then; never past the end of the token. Only with `cut: "finish"`.
        pub(super) drain: Option<Duration> = optional("`\"30s\"` with `finish`",
            duration().at_most(MAX_DRAIN, "what is revoked must end")),
        /// How long one stream (a request and its answer) may take, from its permit on; without it, until its token
        /// is void. A permit lifts the `max_stream_duration` of an Envoy *cluster*, and the filter cannot read that:
        /// repeat it here, or put it on the route or the connection manager, whose limits a permit leaves alone.
        /// What takes longer is ended with `max_stream`; in shadow mode by Envoy, without that word. A new
        /// configuration can only shorten it for what runs.
        pub max_stream: Option<Duration> = optional("none", duration()),
        /// Where the answer to a permit may send the client: curl, git, Go and Python take `x-breakglass-token` along
        /// to another host. `"same_authority"`, which is recommended: nowhere else. A 3xx with a `Location`, and any
        /// answer with a `Refresh`, that could be read as leading to another host or port, or from https to http, is
        /// replaced by 502 `redirect_elsewhere`; the call has happened by then. From http to https on the same host
        /// is no other authority. The host is the `:authority` that this Envoy received, and it is https where
        /// `:scheme` or `x-forwarded-proto` says so. `"any"`: anywhere.
        pub redirects: Redirects = or("any", one_of(
            &[("any", Redirects::Any), ("same_authority", Redirects::SameAuthority)])),
        /// What is recorded of the request bodies of permits; see [audit.md](audit.md#bodies).
        pub request_body: BodyAudit = or("none", body_audit()),
        /// What is recorded of the response bodies of permits.
        pub response_body: BodyAudit = or("none", body_audit()),
    }
}

impl Object for Scope {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.cut == Cut::AtOnce && self.drain.is_some() {
            return place
                .field("drain")
                .error("expected `cut: \"finish\"` beside it: what is cut at once has no time");
        }
        Some(())
    }
}

/// How long what runs may go on under `cut: finish`, unless the scope says otherwise.
const DEFAULT_DRAIN: Duration = Duration::from_secs(30);

/// Where the answer to a permit may send the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// Anywhere.
    Any,
    /// Nowhere but where the request went.
    SameAuthority,
}

/// The longest that a scope may let run on.
const MAX_DRAIN: Duration = Duration::from_secs(10 * 60);

/// What becomes of what runs when its grant is revoked or its scope withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    AtOnce,
    Finish,
}

object! {
    /// What the holder of a token must bring, all of it.
    #[derive(Debug)]
    pub struct Requirements {
        /// Any of these must be in `roles`.
        pub roles: Option<Vec<String>> = optional("none", list(text())),
        /// All of these must be in `amr` (RFC 8176).
        pub amr: Option<Vec<String>> = optional("none", list(text())),
        /// Any of these must be `acr`.
        pub acr: Option<Vec<String>> = optional("none", list(text())),
        /// The longest time since `auth_time`.
        pub max_auth_age: Option<Duration> = optional("none", duration()),
        /// Any of these must hold Envoy's `source.address`.
        pub source_cidrs: Option<Vec<IpNet>> =
            optional("none", list(parsed("network", parse_network))),
        /// The longest `exp - iat` for this scope.
        pub max_lifetime: Option<Duration> = optional("none", duration()),
        /// `true`: the token must be bound to the client's certificate (`cnf`, RFC 8705). A token that is
        /// bound counts with its certificate only, either way.
        pub sender_constrained: bool = or(false, boolean()),
        /// Why the grant exists must be one of these (`breakglass.basis`): `"approved"`, `"pre_approved"`,
        /// `"emergency"`. A token that says nothing is none of them.
        pub basis: Option<Vec<Basis>> = optional("any, and none", list(one_of(BASES))),
        /// So many people must have approved the grant at least (`breakglass.approvals`). A token that says nothing was
        /// approved by none.
        pub approvals: Option<u32> = optional("any number, and none", number(1, 100)),
    }
}

impl Object for Requirements {}

/// The words for why a grant exists.
const BASES: &[(&str, Basis)] = &[
    (Basis::Approved.word(), Basis::Approved),
    (Basis::PreApproved.word(), Basis::PreApproved),
    (Basis::Emergency.word(), Basis::Emergency),
];

/// The scopes of a configuration.
#[derive(Debug)]
pub struct Scopes {
    by_name: BTreeMap<String, Scope>,
    digests: BTreeMap<String, ScopeDigest>,
    /// The same as text: each record has one.
    digest_texts: BTreeMap<String, String>,
    kept_headers: BTreeSet<String>,
}

impl Scopes {
    /// No two of them have one name.
    pub(crate) fn named(scopes: Vec<Scope>, place: &Place<'_>) -> Option<Scopes> {
        let mut by_name = BTreeMap::new();
        let mut clean = Some(());
        for (index, scope) in scopes.into_iter().enumerate() {
            let name = scope.name.clone();
            if by_name.insert(name.clone(), scope).is_some() {
                let place = place.item(index).field("name");
                clean = place.error(format!("another scope is called `{name}` too"));
            }
        }
        clean?;
        let kept_headers =
            by_name.values().flat_map(|scope| scope.request_body.headers()).collect();
        let digest = |(name, scope): (&String, &Scope)| (name.clone(), scope.rules().digest());
        let digests: BTreeMap<_, _> = by_name.iter().map(digest).collect();
        let digest_texts =
            digests.iter().map(|(name, digest)| (name.clone(), digest.text())).collect();
        Some(Scopes { by_name, digests, digest_texts, kept_headers })
    }

    /// The scope called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Scope> {
        self.by_name.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.by_name.values()
    }

    /// The digests of the rules of all of them, by name.
    #[must_use]
    pub fn digests(&self) -> &BTreeMap<String, ScopeDigest> {
        &self.digests
    }

    /// The digest of the rules of the scope called `name`, as text.
    #[must_use]
    pub fn digest_text(&self, name: &str) -> Option<&str> {
        self.digest_texts.get(name).map(String::as_str)
    }

    /// Holds a scope's rules against those that were approved, and its requirements against a holder; the certificate
    /// is not among them.
    ///
    /// # Errors
    /// The first that is not met.
    pub fn check(&self, scope: &Scope, holder: &Holder<'_>, now: Instant) -> Result<(), Unmet> {
        // First: where the approver saw other rules, what these ask of the holder does not matter.
        if scope.same_digest {
            let digest = self.digests.get(&scope.name);
            approved::same_digest(&scope.name, digest, &holder.claims.breakglass)?;
        }
        scope.require.check(holder, now)
    }

    /// The request headers that some scope's record of a body needs, in lower case.
    #[must_use]
    pub fn kept_headers(&self) -> &BTreeSet<String> {
        &self.kept_headers
    }
}

/// What the requirements are held against.
#[derive(Debug)]
pub struct Holder<'a> {
    /// The verified claims.
    pub claims: &'a Claims,
    /// `exp - iat`.
    pub lifetime: Duration,
    /// The client's address, if it could be read.
    pub source: Option<SourceAddress>,
    /// How far apart the issuer's clock and ours may be.
    pub skew: Duration,
}

impl Scope {
    /// How long what runs may go on when its grant is revoked or its scope withdrawn; `None` ends it at
    /// once.
    #[must_use]
    pub fn drain(&self) -> Option<Duration> {
        match self.cut {
            Cut::AtOnce => None,
            Cut::Finish => Some(self.drain.unwrap_or(DEFAULT_DRAIN)),
        }
    }

    /// Whether the scope covers requests on the route of this name. A route without a name, or none, is none of
    /// those that a scope names.
    #[must_use]
    pub fn takes_route(&self, route: Option<&str>) -> bool {
        self.routes.as_ref().is_none_or(|routes| {
            route.is_some_and(|route| routes.iter().any(|wanted| wanted == route))
        })
    }

    /// The path template that covers the request, if the scope does.
    #[must_use]
    pub fn covers(
        &self,
        host: Option<&HostName>,
        route: Option<&str>,
        method: &str,
        path: &PlainPath<'_>,
        upgrades: &RequestedUpgrades,
    ) -> Option<&PathTemplate> {
        if !upgrades.are_all_in(self.upgrades.as_deref().unwrap_or_default()) {
            return None;
        }
        let host_fits = self.hosts.as_ref().is_none_or(|patterns| {
            host.is_some_and(|host| patterns.iter().any(|pattern| pattern.covers(host)))
        });
        if !host_fits
            || !self.takes_route(route)
            || !self.methods.iter().any(|wanted| wanted == method)
        {
            return None;
        }
        self.paths.iter().find(|template| template.allows(path))
    }
}

impl Requirements {
    /// Holds the requirements against a holder; the certificate is not among them.
    ///
    /// # Errors
    /// The first requirement that is not met.
    pub fn check(&self, holder: &Holder<'_>, now: Instant) -> Result<(), Unmet> {
        let claims = holder.claims;
        if let Some(roles) = &self.roles
            && !roles.iter().any(|role| claims.roles.contains(role))
        {
            let remedy =
                format!("the scope is for holders with one of the roles {}", roles.join(", "));
            return Err(Unmet { reason: DenyReason::RoleMissing, remedy });
        }
        if let Some(networks) = &self.source_cidrs
            && !holder
                .source
                .is_some_and(|source| networks.iter().any(|network| source.is_in(network)))
        {
            let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
            let remedy = format!("come from one of the networks {}", networks.join(", "));
            return Err(Unmet { reason: DenyReason::SourceNotAllowed, remedy });
        }
        if let Some(max_lifetime) = self.max_lifetime
            && holder.lifetime > max_lifetime
        {
            let limit = crate::instant::format_duration(max_lifetime);
            let remedy = format!("ask again for at most {limit}");
            return Err(Unmet { reason: DenyReason::ScopeLifetimeExceeded, remedy });
        }
        if let Some(wanted) = &self.basis {
            approved::basis(wanted, &claims.breakglass)?;
        }
        if let Some(wanted) = self.approvals {
            approved::approvals(wanted, &claims.breakglass)?;
        }
        if !self.is_authentication_enough(holder, now) {
            let remedy =
                "authenticate again as the challenge says, then ask for a new token".into();
            return Err(Unmet { reason: DenyReason::StepUpRequired, remedy });
        }
        Ok(())
    }

    fn is_authentication_enough(&self, holder: &Holder<'_>, now: Instant) -> bool {
        let claims = holder.claims;
        let amr = self
            .amr
            .as_ref()
            .is_none_or(|wanted| wanted.iter().all(|method| claims.amr.contains(method)));
        let acr = self
            .acr
            .as_ref()
            .is_none_or(|wanted| claims.acr.as_ref().is_some_and(|class| wanted.contains(class)));
        let age = self.max_auth_age.is_none_or(|max_age| {
            claims.auth_time.is_some_and(|auth_time| {
                let authenticated = Instant::from_seconds(auth_time);
                // An authentication in the future is no authentication.
                authenticated <= now.after(holder.skew)
                    && now < authenticated.after(max_age).after(holder.skew)
            })
        });
        amr && acr && age
    }
}

/// A scope name: one word of visible ASCII without quotes or backslash (RFC 6749 section 3.3).
fn scope_name(text: &str) -> Result<String, String> {
    let is_scope_byte = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if text.len() <= crate::claims::MAX_NAME_BYTES && text.bytes().all(is_scope_byte) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{}` is not a scope name; write one word of visible ASCII such as \"orders:read\"",
            text.escape_debug()
        ))
    }
}
