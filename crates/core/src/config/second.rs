//! `path_headers`, `namespace_headers`, `path_parameters`, `harmless_second_resources`: what names a resource
//! besides the request line, and what no upstream obeys of it.

use crate::headers::reads_as;
use crate::object;
use crate::policy::{PATH_PARAMETERS, SecondName, SecondNames};
use crate::schema::{
    Field, Fields, Member, Members as _, Object, Place, Reader as _, list, optional, or_none,
    parsed, required,
};

use super::source::{TokenSource, header_name};

object! {
    /// The fields.
    #[derive(Debug)]
    struct SecondFields {
        /// Headers that name a second resource by a path, a URL, or a name relative to some part of the request's
        /// own path: these, besides `destination`, `destination-account`, `x-amz-copy-source`,
        /// `x-amz-rename-source`, `x-bce-copy-source`, `x-container-sync-to`, `x-copy-from`,
        /// `x-copy-from-account`, `x-cos-copy-source`, `x-forwarded-path`, `x-goog-copy-source`,
        /// `x-history-location`, `x-http-path-override`, `x-ms-copy-source`, `x-ms-file-rename-source`,
        /// `x-ms-rename-source`, `x-object-manifest`, `x-obs-copy-source`, `x-original-uri`, `x-original-url`,
        /// `x-oss-copy-source`, `x-oss-symlink-target`, `x-rewrite-url`, `x-symlink-target`,
        /// `x-symlink-target-account`, `x-tos-copy-source`, `x-vault-inline-auth-path`, `x-versions-location`,
        /// with `-` or `_`. Under a token a request with one of them is refused (`second_resource`), whatever its
        /// value. For `protected` and `ceiling` what it names is one more path of the request. So list here
        /// what else your upstreams take a resource from; headers that name another *user* or *action* are in the
        /// [threat model](threat-model.md#another-user-or-another-action).
        path_headers: Option<Vec<String>> =
            optional("the defaults alone", list(parsed("header name", second_header)).and_then(distinct)),
        /// Headers that name a namespace, which is put before the request's path, or behind its first segment (to
        /// Vault `/v1/team/secret/x` is `/v1/secret/x` in the namespace `team`): these, besides
        /// `x-consul-namespace`, `x-vault-inline-auth-namespace`, `x-vault-namespace`. They are refused and judged
        /// as `path_headers` are.
        namespace_headers: Option<Vec<String>> =
            optional("the defaults alone", list(parsed("header name", second_header)).and_then(distinct)),
        /// Parameters of the query that name a second resource: these, besides `from` beside `mount`, by which a
        /// registry takes a blob out of another repository. They are refused and judged as `path_headers` are,
        /// however they are spelled. What stands in a body (a form's too) is not looked at.
        path_parameters: Option<Vec<PathParameter>> =
            optional("the default alone", list(crate::schema::object()).and_then(distinct_parameters)),
        /// Of the headers and parameters above those that no upstream here obeys: they are neither refused nor
        /// judged. A parameter is written with a question mark: `?from`. So may those that proxies write, which are
        /// one more reading of path and host for `protected` and `ceiling`, and never refused for being there:
        /// `forwarded`, `x-forwarded-host`, `x-forwarded-prefix`, `x-forwarded-server`, `x-forwarded-uri`,
        /// `x-envoy-original-host`, `x-envoy-original-path`, `x-host`, `x-http-host-override`, `x-original-host`,
        /// `x-script-name`.
        harmless_second_resources: Vec<SecondName> =
            or_none(list(parsed("header or `?parameter` name", harmless_name))),
    }
}

object! {
    /// Parameters of the query that name a second resource, besides the default.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PathParameter {
        /// The parameter's name, decoded, in whatever case.
        pub name: String = required(parsed("parameter name", parameter_name)),
        /// Another parameter: only beside that one, whatever its value, does `name` count. Without it `name`
        /// always does, so that no request under a token may have it.
        pub with: Option<String> = optional("none", parsed("parameter name", parameter_name)),
    }
}

impl Object for PathParameter {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.with.as_ref() == Some(&self.name) {
            return place.field("with").error(
                "is `name` itself: name the other parameter, or leave it out where `name` always counts",
            );
        }
        Some(())
    }
}

/// What names a second resource, by one configuration.
#[derive(Debug)]
pub struct Second {
    fields: SecondFields,
    names: SecondNames,
}

impl Second {
    fn new(fields: SecondFields) -> Second {
        let parameters = fields.path_parameters.iter().flatten();
        let names = SecondNames::new(
            fields.path_headers.iter().flatten().map(String::as_str),
            fields.namespace_headers.iter().flatten().map(String::as_str),
            parameters.map(|parameter| (parameter.name.as_str(), parameter.with.as_deref())),
            &fields.harmless_second_resources,
        );
        Second { fields, names }
    }

    /// The headers and parameters that count.
    pub(crate) fn names(&self) -> &SecondNames {
        &self.names
    }

    /// What the lists have to be to one another, and to the token sources.
    pub(super) fn check(&self, place: &Place<'_>, sources: &[TokenSource]) -> Option<()> {
        let mut clean = Some(());
        let fields = &self.fields;
        let lists = [
            ("path_headers", &fields.path_headers),
            ("namespace_headers", &fields.namespace_headers),
        ];
        for (field, names) in lists {
            for (index, name) in names.iter().flatten().enumerate() {
                let is = |other: &str| reads_as(name.as_bytes(), other.as_bytes());
                let is_harmless = |harmless: &SecondName| match harmless {
                    SecondName::Header(harmless) => is(harmless),
                    SecondName::Parameter(_) => false,
                };
                let place = place.field(field).item(index);
                if sources.iter().any(|source| is(&source.header)) {
                    clean = place.error(
                        "is a token source: each request under a token has it, so all of them would be \
                         refused",
                    );
                } else if fields.harmless_second_resources.iter().any(is_harmless) {
                    clean = place.error(
                        "is in `harmless_second_resources` too, so it would not count; take it out of one",
                    );
                } else if field == "namespace_headers"
                    && fields.path_headers.iter().flatten().any(|other| is(other))
                {
                    clean = place.error("is in `path_headers` too; take it out of one");
                }
            }
        }
        let known: Vec<&str> = PATH_PARAMETERS.iter().map(|(name, _)| *name).collect();
        for (index, harmless) in fields.harmless_second_resources.iter().enumerate() {
            let SecondName::Parameter(harmless) = harmless else { continue };
            let place = place.field("harmless_second_resources").item(index);
            let mut configured = fields.path_parameters.iter().flatten();
            if configured.any(|parameter| parameter.name == *harmless) {
                clean = place.error(
                    "is in `path_parameters` too, so that would not count; take it out of one",
                );
            } else if !known.contains(&harmless.as_str()) {
                clean = place.error(format!(
                    "`?{harmless}` is no parameter that names a second resource; those are {}, and what \
                     `path_parameters` adds",
                    known.iter().map(|name| format!("`?{name}`")).collect::<Vec<_>>().join(", ")
                ));
            }
        }
        clean
    }
}

/// The fields, among those of the configuration.
#[derive(Debug)]
pub(super) struct SecondMember;

impl Member for SecondMember {
    type Value = Second;

    fn read(&self, _: &'static str, fields: &mut Fields<'_>) -> Option<Second> {
        SecondFields::read_members(fields).map(Second::new)
    }

    fn describe(&self, _: &'static str, _: &'static str, fields: &mut Vec<Field>) {
        SecondFields::describe_members(fields);
    }
}

/// A header that may name a second resource.
fn second_header(text: &str) -> Result<String, String> {
    let is = |other: &str| reads_as(text.as_bytes(), other.as_bytes());
    let why = if text.starts_with(':') {
        "a pseudo header is part of the request line, which is judged anyway"
    } else if is("host") {
        "that is the host which is judged anyway: name it in `hosts` of scopes and rules"
    } else if text.get(..12).is_some_and(|start| reads_as(start.as_bytes(), b"x-breakglass"))
        && text.len() > 12
    {
        "headers that begin with `x-breakglass-` are this filter's own, and a client's are removed"
    } else if is("x-request-id") || is("x-forwarded-proto") {
        "Envoy writes it into each request, so all of them would be refused under a token"
    } else {
        return header_name(text);
    };
    Err(format!("`{}` cannot name a second resource: {why}", text.escape_debug()))
}

/// A parameter's name in lower case.
fn parameter_name(text: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_graphic() && !b"?&;=#%+[]/\\".contains(&byte);
    if !text.bytes().all(is_name) {
        return Err(format!(
            "`{}` is not the name of a query parameter; write it decoded and without `?`, such as \"from\"",
            text.escape_debug()
        ));
    }
    Ok(text.to_ascii_lowercase())
}

/// A header's name, or a question mark and a parameter's.
fn harmless_name(text: &str) -> Result<SecondName, String> {
    match text.strip_prefix('?') {
        Some("") => {
            Err("`?` is not followed by the name of a parameter, as in \"?from\"".to_owned())
        }
        Some(name) => parameter_name(name).map(SecondName::Parameter),
        None => header_name(text).map(SecondName::Header),
    }
}

/// No header is listed twice.
fn distinct(names: Vec<String>, place: &Place<'_>) -> Option<Vec<String>> {
    for (index, name) in names.iter().enumerate() {
        let mut earlier = names.iter().take(index);
        if earlier.any(|earlier| reads_as(earlier.as_bytes(), name.as_bytes())) {
            return place.item(index).error("is listed twice");
        }
    }
    Some(names)
}

/// No parameter is listed twice with the same other one.
fn distinct_parameters(
    parameters: Vec<PathParameter>,
    place: &Place<'_>,
) -> Option<Vec<PathParameter>> {
    for (index, parameter) in parameters.iter().enumerate() {
        if parameters.iter().take(index).any(|earlier| earlier == parameter) {
            return place.item(index).error("is listed twice");
        }
    }
    Some(parameters)
}
