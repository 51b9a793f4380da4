//! `scopes`: what a grant can open, and what its holder must bring.

use std::time::Duration;

use ipnet::IpNet;

use crate::bodies::BodyAudit;
use crate::claims::Claims;
use crate::config::{
    Fields, OnUnavailable, Place, body_audit, boolean, list, on_unavailable, one_of, parsed,
    positive_duration, text,
};
use crate::instant::Instant;
use crate::json::Json;
use crate::reason::DenyReason;

use super::rule::method;
use super::source::parse_network;
use super::{HostName, HostPattern, PathTemplate, PlainPath, SourceAddress};

/// A named set of hosts, routes, methods and paths.
#[derive(Debug)]
pub struct Scope {
    /// The name, as tokens carry it.
    pub name: String,
    /// The hosts; `None` is every host.
    pub hosts: Option<Vec<HostPattern>>,
    /// The Envoy route names; `None` is every route.
    pub routes: Option<Vec<String>>,
    /// The methods, compared byte by byte.
    pub methods: Vec<String>,
    /// The paths.
    pub paths: Vec<PathTemplate>,
    /// What the holder must bring.
    pub require: Requirements,
    /// What happens when nobody can say whether the grant still stands, in place of the
    /// configuration's own.
    pub on_unavailable: Option<OnUnavailable>,
    /// How long what runs may go on when its grant is revoked or its scope withdrawn (`cut: finish`);
    /// `None` ends it at once.
    pub drain: Option<Duration>,
    /// What is recorded of request bodies.
    pub request_body: BodyAudit,
    /// What is recorded of response bodies.
    pub response_body: BodyAudit,
}

/// How long what runs may go on under `cut: finish`, unless the scope says otherwise.
const DEFAULT_DRAIN: Duration = Duration::from_secs(30);

/// The longest that a scope may let run on.
const MAX_DRAIN: Duration = Duration::from_secs(10 * 60);

/// What becomes of what runs when its grant is revoked or its scope withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    AtOnce,
    Finish,
}

const CUTS: &[(&str, Cut)] = &[("at_once", Cut::AtOnce), ("finish", Cut::Finish)];

/// What the holder of a token must bring, all of it.
#[derive(Debug, Default)]
pub struct Requirements {
    /// Any of these roles.
    pub roles: Option<Vec<String>>,
    /// All of these authentication methods (RFC 8176).
    pub amr: Option<Vec<String>>,
    /// Any of these authentication context classes.
    pub acr: Option<Vec<String>>,
    /// The longest time since the holder authenticated.
    pub max_auth_age: Option<Duration>,
    /// Any of these networks must hold the client's address.
    pub source_cidrs: Option<Vec<IpNet>>,
    /// The longest `exp - iat`.
    pub max_lifetime: Option<Duration>,
    /// Whether the token must be bound to the client's certificate (RFC 8705).
    pub sender_constrained: bool,
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

/// A requirement that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The reason code.
    pub reason: DenyReason,
    /// What the holder can do.
    pub remedy: String,
}

impl Scope {
    /// Reads a scope from the configuration.
    pub(crate) fn read<'a>(json: &'a Json, place: &Place<'a>) -> Option<Scope> {
        let mut fields = Fields::open(json, place)?;
        let name = fields.required("name", parsed(scope_name));
        let hosts = fields.optional("hosts", list(parsed(HostPattern::parse)));
        let routes = fields.optional("routes", list(text));
        let methods = fields.required("methods", list(parsed(method)));
        let paths = fields.required("paths", list(parsed(PathTemplate::parse)));
        let require = fields.or("require", Requirements::default(), Requirements::read);
        let on_unavailable = fields.optional("on_unavailable", on_unavailable);
        let cut = fields.or("cut", Cut::AtOnce, one_of(CUTS));
        let drain = fields.optional("drain", drain);
        let request_body = fields.or("request_body", BodyAudit::None, body_audit);
        let response_body = fields.or("response_body", BodyAudit::None, body_audit);
        fields.close()?;
        Some(Scope {
            name: name?,
            hosts: hosts?,
            routes: routes?,
            methods: methods?,
            paths: paths?,
            require: require?,
            on_unavailable: on_unavailable?,
            request_body: request_body?,
            response_body: response_body?,
            drain: match (cut?, drain?) {
                (Cut::AtOnce, None) => None,
                (Cut::AtOnce, Some(_)) => {
                    return place.field("drain").error(
                        "expected `cut: \"finish\"` beside it: what is cut at once has no time",
                    );
                }
                (Cut::Finish, drain) => Some(drain.unwrap_or(DEFAULT_DRAIN)),
            },
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
    ) -> Option<&PathTemplate> {
        let host_fits = self.hosts.as_ref().is_none_or(|patterns| {
            host.is_some_and(|host| patterns.iter().any(|pattern| pattern.covers(host)))
        });
        let route_fits = self.routes.as_ref().is_none_or(|routes| {
            route.is_some_and(|route| routes.iter().any(|wanted| wanted == route))
        });
        if !host_fits || !route_fits || !self.methods.iter().any(|wanted| wanted == method) {
            return None;
        }
        self.paths.iter().find(|template| template.allows(path))
    }
}

impl Requirements {
    fn read<'a>(json: &'a Json, place: &Place<'a>) -> Option<Requirements> {
        let mut fields = Fields::open(json, place)?;
        let roles = fields.optional("roles", list(text));
        let amr = fields.optional("amr", list(text));
        let acr = fields.optional("acr", list(text));
        let max_auth_age = fields.optional("max_auth_age", positive_duration);
        let source_cidrs = fields.optional("source_cidrs", list(parsed(parse_network)));
        let max_lifetime = fields.optional("max_lifetime", positive_duration);
        let sender_constrained = fields.or("sender_constrained", false, boolean);
        fields.close()?;
        Some(Requirements {
            roles: roles?,
            amr: amr?,
            acr: acr?,
            max_auth_age: max_auth_age?,
            source_cidrs: source_cidrs?,
            max_lifetime: max_lifetime?,
            sender_constrained: sender_constrained?,
        })
    }

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

/// A drain time: from a millisecond to [`MAX_DRAIN`].
fn drain(json: &Json, place: &Place<'_>) -> Option<Duration> {
    let drain = positive_duration(json, place)?;
    if drain > MAX_DRAIN {
        return place.error("expected at most 10m: what is revoked must end");
    }
    Some(drain)
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
