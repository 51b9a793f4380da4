//! Which headers and query parameters name a second resource.

use crate::headers::reads_as;

/// What a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// A second resource: a path, an absolute URL, or a name relative to some part of the request's own path.
    Reference,
    /// The same, in which the first segment is a bucket, whose name may be a part of a host's.
    Object,
    /// The same, of which only the beginning is named.
    Beginning,
    /// The namespace of the request's path.
    Namespace,
    /// The request's path, as proxies write it.
    PathOfProxy,
    /// What stands in front of the path.
    Prefix,
    /// A host.
    Host,
    /// Hosts in `host=` parameters (RFC 7239).
    Forwarded,
}

impl Names {
    /// Whether a request under a token may not have such a header.
    pub(super) fn is_refused(self) -> bool {
        matches!(self, Names::Reference | Names::Object | Names::Beginning | Names::Namespace)
    }
}

/// `path_headers` without those of a configuration.
const PATH_HEADERS: [(&str, Names); 28] = [
    ("x-original-url", Names::Reference),
    ("x-rewrite-url", Names::Reference),
    ("x-original-uri", Names::Reference),
    ("x-forwarded-path", Names::Reference),
    ("x-http-path-override", Names::Reference),
    // WebDAV (RFC 4918 section 10.3), CouchDB, Swift.
    ("destination", Names::Reference),
    // S3 and what is like it: Google's, Alibaba's, Tencent's, Huawei's, Baidu's and Volcengine's.
    ("x-amz-copy-source", Names::Object),
    ("x-amz-rename-source", Names::Object),
    ("x-goog-copy-source", Names::Object),
    ("x-oss-copy-source", Names::Object),
    ("x-oss-symlink-target", Names::Reference),
    ("x-cos-copy-source", Names::Object),
    ("x-obs-copy-source", Names::Object),
    ("x-bce-copy-source", Names::Object),
    ("x-tos-copy-source", Names::Object),
    // Azure's blobs, data lakes and files.
    ("x-ms-copy-source", Names::Reference),
    ("x-ms-rename-source", Names::Reference),
    ("x-ms-file-rename-source", Names::Reference),
    // Swift.
    ("x-copy-from", Names::Reference),
    ("x-copy-from-account", Names::Reference),
    ("destination-account", Names::Reference),
    ("x-object-manifest", Names::Beginning),
    ("x-symlink-target", Names::Reference),
    ("x-symlink-target-account", Names::Reference),
    ("x-versions-location", Names::Reference),
    ("x-history-location", Names::Reference),
    ("x-container-sync-to", Names::Reference),
    // OpenBao: a login in any request. Its path is relative to `/v1/`.
    ("x-vault-inline-auth-path", Names::Reference),
];

/// `namespace_headers` without those of a configuration.
const NAMESPACE_HEADERS: [&str; 3] =
    ["x-vault-namespace", "x-vault-inline-auth-namespace", "x-consul-namespace"];

/// `path_parameters` without those of a configuration.
pub(crate) const PATH_PARAMETERS: [(&str, Option<&str>); 1] = [("from", Some("mount"))];

/// What proxies write.
const OF_PROXIES: [(&str, Names); 11] = [
    ("x-envoy-original-path", Names::PathOfProxy),
    ("x-forwarded-uri", Names::PathOfProxy),
    ("x-forwarded-prefix", Names::Prefix),
    ("x-script-name", Names::Prefix),
    ("forwarded", Names::Forwarded),
    ("x-forwarded-host", Names::Host),
    ("x-forwarded-server", Names::Host),
    ("x-original-host", Names::Host),
    ("x-envoy-original-host", Names::Host),
    ("x-host", Names::Host),
    ("x-http-host-override", Names::Host),
];

/// A header or query parameter, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecondName {
    /// A header.
    Header(String),
    /// A parameter of the query.
    Parameter(String),
}

/// A parameter of the query that names a second resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParameterName {
    /// In lower case.
    pub(super) name: String,
    /// The parameter beside which it does, in lower case.
    pub(super) with: Option<String>,
}

/// The headers and parameters that count in one configuration.
#[derive(Debug)]
pub(crate) struct SecondNames {
    headers: Vec<(String, Names)>,
    shapes: Shapes,
    parameters: Vec<ParameterName>,
}

impl SecondNames {
    /// The defaults and what a configuration adds to them, without what no upstream obeys.
    pub(crate) fn new<'c>(
        paths: impl Iterator<Item = &'c str>,
        namespaces: impl Iterator<Item = &'c str>,
        parameters: impl Iterator<Item = (&'c str, Option<&'c str>)>,
        harmless: &[SecondName],
    ) -> SecondNames {
        let is_harmless = |header: &str| {
            harmless.iter().any(|name| match name {
                SecondName::Header(name) => reads_as(name.as_bytes(), header.as_bytes()),
                SecondName::Parameter(_) => false,
            })
        };
        // What is configured comes first: it may say more of a header than the defaults do.
        let is_new = |name: &&str| {
            let mut defaults = PATH_HEADERS.iter();
            !defaults.any(|(known, _)| reads_as(name.as_bytes(), known.as_bytes()))
        };
        let paths = paths.filter(is_new).map(|name| (name, Names::Reference)).chain(PATH_HEADERS);
        let namespaces = namespaces.chain(NAMESPACE_HEADERS).map(|name| (name, Names::Namespace));
        let headers: Vec<_> = paths
            .chain(namespaces)
            .chain(OF_PROXIES)
            .filter(|(name, _)| !is_harmless(name))
            .map(|(name, names)| (name.to_owned(), names))
            .collect();
        let parameters = parameters
            .chain(PATH_PARAMETERS)
            .map(|(name, with)| ParameterName {
                name: name.to_ascii_lowercase(),
                with: with.map(str::to_ascii_lowercase),
            })
            .filter(|known| !harmless.contains(&SecondName::Parameter(known.name.clone())))
            .collect();
        let shapes = Shapes::of(headers.iter().map(|(name, _)| name.as_bytes()));
        SecondNames { headers, shapes, parameters }
    }

    /// What a header names, and its name as it is configured; `None` if it is none of these.
    pub(super) fn header(&self, name: &[u8]) -> Option<(&str, Names)> {
        if !self.shapes.hold(name) {
            return None;
        }
        let known = self.headers.iter().find(|(known, _)| reads_as(name, known.as_bytes()))?;
        Some((&known.0, known.1))
    }

    pub(super) fn parameters(&self) -> &[ParameterName] {
        &self.parameters
    }
}

/// First letters and lengths of names: most headers of a request are none of ours, by these alone.
#[derive(Debug)]
struct Shapes([u64; 32]);

impl Shapes {
    fn of<'n>(names: impl Iterator<Item = &'n [u8]>) -> Shapes {
        let mut shapes = [0_u64; 32];
        for name in names {
            let (letter, length) = shape(name);
            if let Some(lengths) = shapes.get_mut(letter) {
                *lengths |= length;
            }
        }
        Shapes(shapes)
    }

    fn hold(&self, name: &[u8]) -> bool {
        let (letter, length) = shape(name);
        self.0.get(letter).is_some_and(|lengths| lengths & length != 0)
    }
}

/// The same for names that read as one another.
fn shape(name: &[u8]) -> (usize, u64) {
    let letter = match name.first() {
        Some(b'_') => b'-',
        Some(byte) => *byte,
        None => 0,
    };
    let length = u32::try_from(name.len().min(63)).unwrap_or(63);
    (usize::from(letter & 0x1f), 1_u64.wrapping_shl(length))
}
