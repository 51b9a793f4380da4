//! The report of audit chains' heads: the body of `POST /v1/audit/heads`. The filter writes it, the approval service
//! reads it. Members that are not known are no error: the filter may be newer, and a head that is refused is a head that
//! is lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::MAX_NAME_BYTES;
use crate::uses::{USE_BYTES, Use};

/// The largest report that the approval service takes, in bytes: it has the count of every grant that was used
/// since the one before.
pub const MAX_HEADS_BODY_BYTES: usize = 1024 * 1024;

/// The largest report that a filter makes, in bytes. Some of what stands before a service takes less than the service.
pub const MAX_REPORT_BYTES: usize = 256 * 1024;

/// The most heads in one report: an Envoy has a chain per worker and configuration.
///
/// INVARIANT (report-fits): the service takes every report that a filter makes: its bytes, its heads, its grants, its uses. One that
/// is refused is made again, and refused again, and from then on no record of that proxy is vouched for.
pub const MAX_HEADS: usize = 1000;

/// The most grants in one report, all heads together.
pub const MAX_REPORTED_GRANTS: usize = 50_000;

/// The most uses in one report, all heads together.
pub const MAX_REPORTED_USES: usize = 5000;

/// What the number of one grant takes in a report at least, as a filter reckons, in bytes: `"":,` and 20 digits.
pub const GRANT_BYTES: usize = 24;

/// The longest name of a node in a report, in bytes.
pub const MAX_NODE_BYTES: usize = MAX_NAME_BYTES;

// Relies on INVARIANT (report-fits).
const _: () = assert!(MAX_REPORT_BYTES <= MAX_HEADS_BODY_BYTES);
const _: () = assert!(MAX_REPORT_BYTES / GRANT_BYTES <= MAX_REPORTED_GRANTS);
const _: () = assert!(MAX_REPORT_BYTES / USE_BYTES <= MAX_REPORTED_USES);

/// What a proxy says. Members that are not known are no error: the filter may be newer, and a head that is refused is a
/// head that is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = HeadReport))]
pub struct HeadsReport<T, H> {
    /// What the proxy calls itself; without it, the name of its credential.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub node: T,
    /// The id of the Envoy process. Older filters say none.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$"))]
    pub process: Option<T>,
    /// The heads.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Vec<Head<i64>>, inline, min_items = 1, max_items = 1000)
    )]
    pub heads: H,
}

// `N` is how numbers are held: the service's database has signed ones.
/// How far one chain is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NewHead))]
pub struct Head<N> {
    /// The chain.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{32}$"))]
    pub chain: String,
    /// The number of the chain's last record.
    #[cfg_attr(feature = "openapi", schema(value_type = i64, minimum = 1))]
    pub seq: N,
    /// That record's hash.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub hash: String,
    /// When the chain began, by the proxy's clock (RFC 3339).
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub began: String,
    /// No record will follow.
    #[serde(default)]
    pub ended: bool,
    /// The digest of the configuration under which the chain is written, as polls name it: said with the chain's first
    /// head. Older filters say none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub configuration: Option<String>,
    /// How many records each grant has in the chain so far, where that has changed.
    #[serde(default = "no_grants")]
    #[cfg_attr(feature = "openapi", schema(required = false, schema_with = schemas::counts))]
    pub grants: BTreeMap<String, N>,
    /// What the records of each grant were of in the chain so far, the kinds that have changed: at most 64 for each grant.
    /// Records of more kinds are in `grants` alone. Older filters say none.
    #[serde(default = "no_uses", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(
        feature = "openapi",
        schema(required = false, value_type = BTreeMap<String, Vec<Use<i64>>>)
    )]
    pub uses: BTreeMap<String, Vec<Use<N>>>,
}

/// Schemas that no attribute can say.
#[cfg(feature = "openapi")]
pub mod schemas {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{
        AdditionalProperties, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType,
        Type,
    };

    /// How many records each grant has.
    #[must_use]
    pub fn counts() -> Object {
        let count = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(1));
        let counts = AdditionalProperties::RefOr(RefOr::T(Schema::Object(count.build())));
        let description =
            "How many records each grant has in the chain so far, where that has changed.";
        ObjectBuilder::new()
            .additional_properties(Some(counts))
            .description(Some(description))
            .build()
    }
}

fn nothing<T>() -> Option<T> {
    None
}

fn no_grants<N>() -> BTreeMap<String, N> {
    BTreeMap::new()
}

fn no_uses<N>() -> BTreeMap<String, Vec<Use<N>>> {
    BTreeMap::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn reads_what_it_writes_and_what_an_older_filter_wrote() {
        let head = Head {
            chain: "c".to_owned(),
            seq: 3_i64,
            hash: "h".to_owned(),
            began: "2026-11-22T02:13:00.000Z".to_owned(),
            ended: false,
            configuration: None,
            grants: BTreeMap::from([("g".to_owned(), 2)]),
            uses: BTreeMap::new(),
        };
        let report = HeadsReport { node: "n".to_owned(), process: None, heads: vec![head] };
        let text = r#"{"node":"n","heads":[{"chain":"c","seq":3,"hash":"h","began":"2026-11-22T02:13:00.000Z","ended":false,"grants":{"g":2}}]}"#;
        assert_eq!(serde_json::to_string(&report).unwrap(), text);
        assert_eq!(
            serde_json::from_str::<HeadsReport<String, Vec<Head<i64>>>>(text).unwrap(),
            report
        );
        let named = text.replace("\"grants\"", "\"configuration\":\"d\",\"grants\"");
        let named: HeadsReport<String, Vec<Head<i64>>> = serde_json::from_str(&named).unwrap();
        assert_eq!(named.heads[0].configuration.as_deref(), Some("d"));
        let used = text.replace(
            r#"{"g":2}"#,
            r#"{"g":2},"uses":{"g":[{"scope":"s","method":"GET","rule":"/{id}","outcome":"allow","records":1,"new":{}},{"method":"other","outcome":"deny","records":1}]}"#,
        );
        let used: HeadsReport<String, Vec<Head<i64>>> = serde_json::from_str(&used).unwrap();
        let uses = &used.heads[0].uses["g"];
        assert_eq!((uses[0].rule.as_deref(), uses[0].records), (Some("/{id}"), 1));
        assert_eq!((&uses[1].scope, &uses[1].rule), (&None, &None));
        let again = serde_json::to_string(&used).unwrap();
        assert!(again.contains(r#"{"method":"other","outcome":"deny","records":1}"#), "{again}");
        let older = r#"{"heads":[{"chain":"c","seq":3,"hash":"h","began":"b","new":[]}]}"#;
        let older: HeadsReport<String, Vec<Head<u64>>> = serde_json::from_str(older).unwrap();
        assert_eq!((older.node.as_str(), older.heads[0].ended), ("", false));
    }
}
