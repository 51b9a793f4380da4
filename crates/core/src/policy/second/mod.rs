//! Headers and query parameters by which a request names another path or another host than its own.
//!
//! | what | who writes it | who obeys it | under a token |
//! |---|---|---|---|
//! | `x-original-url`, `x-rewrite-url` | clients; IIS's ARR and URL Rewrite | Symfony and Laminas of old, ASP.NET, Drupal | refused |
//! | `x-original-uri` | ingress-nginx, for its auth requests | services that are asked about others' requests | refused |
//! | `x-forwarded-path`, `x-http-path-override` | Kong; clients | frameworks that build URLs of it | refused |
//! | `destination`, `x-amz-copy-source` and the like ([`names`]) | clients that copy, move, link | WebDAV, S3, Azure, Swift, CouchDB | refused |
//! | `x-vault-inline-auth-path` | clients | OpenBao logs in there, with a GET too | refused |
//! | `x-vault-namespace`, `x-consul-namespace` | clients | Vault, OpenBao, Consul: put before the path | refused |
//! | `?mount=..&from=..` | clients that push images | registries | refused |
//! | `x-envoy-original-path`, `x-forwarded-uri` | Envoy and Traefik, at each rewrite | services that want the path before it | a reading |
//! | `x-forwarded-prefix`, `x-script-name` | each proxy that takes a prefix off | Spring, Werkzeug, ASP.NET: put before the path | a reading |
//! | `forwarded`, `x-forwarded-host` and the like | each edge proxy | most frameworks: in place of `host` | a reading |
//!
//! For the refusing side each is one more reading of the path or the host.

mod bucket;
mod forwarded;
mod limits;
mod named;
mod names;
mod query;

use limits::MAX_SECOND;
pub(crate) use named::{NamedPaths, RequestPaths};
pub use names::SecondName;
use names::{Kind, Names};
pub(crate) use names::{PATH_PARAMETERS, SecondNames};

use super::readings::{MAX_WORK, MORE_WORK, Work};
use super::{HostName, Readings};

/// What a request names besides its own path and host.
#[derive(Debug, Default)]
pub(crate) struct SecondResources {
    paths: Vec<Vec<u8>>,
    prefixes: Vec<Vec<u8>>,
    references: Vec<(Vec<u8>, Kind)>,
    namespaces: Vec<Vec<u8>>,
    hosts: Vec<SecondHost>,
    /// The first header or parameter that no request under a token may have.
    refused: Option<Refused>,
    too_many: bool,
}

/// A header or parameter that no request under a token may have.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) name: SecondName,
    /// The parameter beside which it counts.
    pub(crate) with: Option<String>,
}

impl Refused {
    /// What whoever sent it can do, and what an operator can.
    pub(crate) fn remedy(&self) -> String {
        let (what, harmless) = match &self.name {
            SecondName::Header(name) => (format!("the header `{name}`"), name.clone()),
            SecondName::Parameter(name) => {
                let beside = self.with.as_ref().map(|with| format!(" beside `{with}`"));
                let beside = beside.unwrap_or_default();
                (format!("the query parameter `{name}`{beside}"), format!("?{name}"))
            }
        };
        format!(
            "send it without {what}: that names a second resource, and a grant covers the request's own path \
             alone; if no upstream here obeys it, an operator can add \"{harmless}\" to \
             `harmless_second_resources`"
        )
    }
}

/// A host that a header names.
#[derive(Debug)]
enum SecondHost {
    Known(HostName),
    /// It cannot be read, which is every host.
    Any,
}

impl SecondResources {
    /// Takes in a header, if it is one of these.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8], known: &SecondNames) {
        let Some((header, names)) = known.header(name) else { return };
        if names.is_refused() && self.refused.is_none() {
            let name = SecondName::Header(header.to_owned());
            self.refused = Some(Refused { name, with: None });
        }
        let value = value.trim_ascii();
        match names {
            Names::Reference(kind) => self.add_references(value, kind),
            Names::Namespace => add_prefixes(&mut self.namespaces, value),
            Names::PathOfProxy => add_list(&mut self.paths, value),
            Names::Prefix => add_prefixes(&mut self.prefixes, value),
            Names::Host => self.add_hosts(elements(value)),
            Names::Forwarded => self.add_hosts(forwarded::hosts(value).iter().map(Vec::as_slice)),
        }
        self.count();
    }

    /// Takes in the parameters in the query of a request's `:path`.
    pub(crate) fn add_parameters(&mut self, path: &[u8], known: &SecondNames) {
        let parameters = query::named(path, known.parameters());
        self.too_many |= parameters.too_many;
        for (parameter, value) in parameters.found {
            self.refused.get_or_insert_with(|| Refused {
                name: SecondName::Parameter(parameter.name.clone()),
                with: parameter.with.clone(),
            });
            self.add_references(value.trim_ascii(), Kind::Whole);
            self.count();
        }
    }

    fn count(&mut self) {
        let paths = [&self.paths, &self.prefixes, &self.namespaces].map(Vec::len);
        let most = paths.into_iter().chain([self.references.len(), self.hosts.len()]).max();
        self.too_many |= most.unwrap_or_default() > MAX_SECOND;
    }

    fn add_references(&mut self, value: &[u8], kind: Kind) {
        let mut added = Vec::new();
        add_list(&mut added, value);
        for value in added {
            let hosts = named::hosts(&value);
            self.add_hosts(hosts.iter().map(Vec::as_slice));
            // A `?` of a name is one that no server takes for the beginning of a query.
            if has_dots_after_question_mark(&value) {
                let name = value.split(|byte| *byte == b'?').collect::<Vec<_>>().join(&b"%3f"[..]);
                self.references.push((name, kind));
            }
            self.references.push((value, kind));
        }
    }

    fn add_hosts<'v>(&mut self, values: impl Iterator<Item = &'v [u8]>) {
        for value in values.take(MAX_SECOND.saturating_add(1)) {
            self.hosts.push(match HostName::from_authority(value) {
                Some(host) => SecondHost::Known(host),
                None => SecondHost::Any,
            });
        }
    }

    /// The first header or parameter that no request under a token may have.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    /// Every reading of every path that `path`, the headers and the query name.
    pub(crate) fn paths<'p>(&'p self, path: &'p [u8]) -> RequestPaths<'p> {
        let mut work = Work::of(MAX_WORK);
        let own = Readings::first(path, &mut work);
        if self.too_many {
            let others = vec![Readings::Anything];
            return RequestPaths { others, ..RequestPaths::alone(own) };
        }
        work.add(MORE_WORK);
        let mut within = |path: &'p [u8]| Readings::within(path, &mut work);
        let references: Vec<_> =
            self.references.iter().map(|(path, kind)| (within(path), *kind)).collect();
        let mut others: Vec<_> = self.paths.iter().map(|path| within(path)).collect();
        let namespaces = self.namespaces.iter().map(|path| within(path)).collect();
        for prefix in &self.prefixes {
            // After what counts as every path no other one says more.
            if others.iter().any(Readings::is_anything) {
                break;
            }
            let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
            let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
            let path = [prefix, slash, path].concat();
            others.push(Readings::within(&path, &mut work).into_owned());
        }
        let objects = references.iter().filter(|(_, kind)| *kind == Kind::Object);
        let keys: Vec<_> = objects.map(|(object, _)| bucket::key(object)).collect();
        others.extend(keys);
        RequestPaths { own, others, references, namespaces }
    }

    /// Whether something names a resource by a path of its own, and perhaps by a host.
    pub(crate) fn has_references(&self) -> bool {
        !self.references.is_empty()
    }

    /// The hosts that the headers name; `None` is every host.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = Option<&HostName>> {
        let every = self.too_many.then_some(None);
        self.hosts.iter().map(SecondHost::known).chain(every)
    }
}

impl SecondHost {
    fn known(&self) -> Option<&HostName> {
        match self {
            SecondHost::Known(host) => Some(host),
            SecondHost::Any => None,
        }
    }
}

/// A path may hold commas, and a list of paths does.
fn add_list(paths: &mut Vec<Vec<u8>>, value: &[u8]) {
    paths.push(value.to_vec());
    if value.contains(&b',') {
        paths.extend(elements(value).take(MAX_SECOND).map(<[u8]>::to_vec));
    }
}

/// Of a list of prefixes some take one, and some all, one behind the other.
fn add_prefixes(prefixes: &mut Vec<Vec<u8>>, value: &[u8]) {
    add_list(prefixes, value);
    if value.contains(&b',') {
        prefixes.push(elements(value).collect::<Vec<_>>().concat());
    }
}

/// The elements of a list (RFC 9110 section 5.6.1), empty ones left out.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether what follows a `?` could lead elsewhere, if it is no query.
fn has_dots_after_question_mark(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |byte| *byte == b'?').skip(1);
    let is_dot =
        |bytes: &[u8]| bytes.starts_with(b".") || bytes.to_ascii_lowercase().starts_with(b"%2e");
    parts.next().is_some_and(|rest| {
        let slashes = rest.iter().enumerate().filter(|(_, byte)| b"/\\fFcC".contains(byte));
        slashes
            .map(|(at, _)| rest.get(at.saturating_add(1)..).unwrap_or_default())
            .any(|after| is_dot(after.get(..after.len().min(3)).unwrap_or_default()))
    })
}
