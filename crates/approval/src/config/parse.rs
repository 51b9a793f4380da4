//! From TOML tables to the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Table;

use super::reader::{Errors, Fields, InvalidField};
use super::{Config, Digest, Person, Proxy, Scope, check};
use crate::limits::MAX_GRANT_S;
use crate::{duration, text};

/// How long a request waits for a decision where the configuration does not say: long enough to
/// wake somebody, short enough that no forgotten request is approved the next morning.
const DEFAULT_PENDING_LIFETIME_S: i64 = 15 * 60;

pub(super) fn config(table: Table) -> Result<Config, Vec<InvalidField>> {
    let mut errors = Errors::default();
    let mut fields = Fields::new(String::new(), table);
    let listen = fields.string("listen", &mut errors, |text| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("expected an address such as `127.0.0.1:8300`, got `{text}`"))
    });
    let issuer = fields.string("issuer", &mut errors, issuer);
    let database = fields.string("database", &mut errors, path);
    let key_directory = fields.string("key_directory", &mut errors, path);
    let pending_lifetime = fields
        .optional_string("pending_lifetime", &mut errors, bounded_duration)
        .unwrap_or(DEFAULT_PENDING_LIFETIME_S);
    let auditors = fields.optional_names("auditors", &mut errors).unwrap_or_default();
    let people = required(&mut fields, "people", &mut errors, person);
    let proxies = fields.tables("proxies", &mut errors).unwrap_or_default();
    let proxies = proxies.into_iter().map(|fields| proxy(fields, &mut errors)).collect();
    let scopes = required(&mut fields, "scopes", &mut errors, scope);
    fields.finish(&mut errors);

    let config = assemble(
        listen,
        issuer,
        database,
        key_directory,
        pending_lifetime,
        auditors,
        people,
        proxies,
        scopes,
    );
    if let Some(config) = &config {
        check::unique(config, &mut errors);
    }
    let errors = errors.into_inner();
    match config {
        Some(config) if errors.is_empty() => Ok(config),
        _ => Err(errors),
    }
}

#[expect(clippy::too_many_arguments, reason = "one argument per field, so that none is forgotten")]
fn assemble(
    listen: Option<SocketAddr>,
    issuer: Option<String>,
    database: Option<PathBuf>,
    key_directory: Option<PathBuf>,
    pending_lifetime: i64,
    auditors: Vec<String>,
    people: Option<Vec<Person>>,
    proxies: Option<Vec<Proxy>>,
    scopes: Option<Vec<Scope>>,
) -> Option<Config> {
    Some(Config {
        listen: listen?,
        issuer: issuer?,
        database: database?,
        key_directory: key_directory?,
        pending_lifetime,
        auditors,
        people: people?.into_iter().map(Arc::new).collect(),
        proxies: proxies?.into_iter().map(Arc::new).collect(),
        scopes: scopes?,
    })
}

fn required<T>(
    fields: &mut Fields,
    name: &str,
    errors: &mut Errors,
    read: impl Fn(Fields, &mut Errors) -> Option<T>,
) -> Option<Vec<T>> {
    let path = fields.path(name);
    let before = errors.len();
    let Some(tables) = fields.tables(name, errors) else {
        if errors.len() == before {
            errors.add(path, "missing");
        }
        return None;
    };
    // Every table is read, so that every error is found, before one that failed fails the list.
    let read: Vec<Option<T>> = tables.into_iter().map(|fields| read(fields, errors)).collect();
    read.into_iter().collect()
}

fn person(mut fields: Fields, errors: &mut Errors) -> Option<Person> {
    let name = fields.string("name", errors, name);
    let token = fields.string("token_sha256", errors, digest);
    let groups = fields.optional_names("groups", errors).unwrap_or_default();
    let roles = fields.optional_names("roles", errors).unwrap_or_default();
    fields.finish(errors);
    Some(Person { name: name?, token: token?, groups, roles })
}

fn proxy(mut fields: Fields, errors: &mut Errors) -> Option<Proxy> {
    let name = fields.string("name", errors, name);
    let token = fields.string("token_sha256", errors, digest);
    fields.finish(errors);
    Some(Proxy { name: name?, token: token? })
}

fn scope(mut fields: Fields, errors: &mut Errors) -> Option<Scope> {
    let scope_name = fields.string("name", errors, |name| text::scope(&name).map(|()| name));
    let audience = fields.string("audience", errors, name);
    let requesters = fields.names("requesters", errors);
    let approvers = fields.names("approvers", errors);
    let max_duration = fields.string("max_duration", errors, bounded_duration);
    fields.finish(errors);
    Some(Scope {
        name: scope_name?,
        audience: audience?,
        requesters: requesters?,
        approvers: approvers?,
        max_duration: max_duration?,
    })
}

fn name(name: String) -> Result<String, String> {
    text::name(&name).map(|()| name)
}

fn issuer(url: String) -> Result<String, String> {
    text::scope(&url)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(str::is_empty) {
        return Err(format!("expected a URL such as `https://approvals.internal`, got `{url}`"));
    }
    Ok(url)
}

fn path(path: String) -> Result<PathBuf, String> {
    if path.is_empty() { Err("expected a path, got nothing".to_owned()) } else { Ok(path.into()) }
}

fn bounded_duration(text: String) -> Result<i64, String> {
    let seconds = duration::parse(&text).map_err(|error| format!("{error}, got `{text}`"))?;
    if seconds > MAX_GRANT_S {
        return Err(format!("expected at most {}, got `{text}`", duration::format(MAX_GRANT_S)));
    }
    Ok(seconds)
}

/// A wrong digest is never echoed: somebody may have put the token itself here.
fn digest(hex: String) -> Result<Digest, String> {
    let expected = "expected the SHA-256 of the API token as 64 hexadecimal digits \
                    (`breakglass keygen api-token` prints both)";
    let nibble =
        |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(nibble(*high)?.checked_shl(4)? | nibble(*low)?),
            _ => None,
        })
        .collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| expected.to_owned())
}
