//! The messages that Envoy sends, with the fields that matter here: what is not declared is skipped.
//!
//! Sources: envoy/service/accesslog/v3/als.proto, envoy/data/accesslog/v3/accesslog.proto,
//! opentelemetry/proto/logs/v1/logs.proto. As JSON they have the names that protobuf's mapping gives
//! them, which is what collectors write.

use std::collections::BTreeMap;

use prost::{Message, Oneof};
use serde::{Serialize, Serializer};

/// `envoy.service.accesslog.v3.StreamAccessLogsMessage`
#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamAccessLogsMessage {
    #[prost(message, optional, tag = "2")]
    pub(super) http_logs: Option<HttpAccessLogEntries>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HttpAccessLogEntries {
    #[prost(message, repeated, tag = "1")]
    pub(super) log_entry: Vec<HttpAccessLogEntry>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HttpAccessLogEntry {
    #[prost(message, optional, tag = "1")]
    common_properties: Option<AccessLogCommon>,
    #[prost(message, optional, tag = "3")]
    request: Option<HttpRequestProperties>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessLogCommon {
    #[prost(btree_map = "string, message", tag = "21")]
    filter_state_objects: BTreeMap<String, Any>,
    #[prost(btree_map = "string, string", tag = "22")]
    custom_tags: BTreeMap<String, String>,
    #[prost(bool, tag = "27")]
    intermediate_log_entry: bool,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpRequestProperties {
    #[prost(string, tag = "5")]
    path: String,
    #[prost(string, tag = "9")]
    request_id: String,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message, Serialize)]
struct Any {
    #[prost(string, tag = "1")]
    #[serde(rename = "@type")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(serialize_with = "wrapped")]
    value: Vec<u8>,
}

/// `google.protobuf.BytesValue` and `StringValue` are the same on the wire.
#[derive(Clone, PartialEq, Message)]
struct BytesValue {
    #[prost(bytes = "vec", tag = "1")]
    value: Vec<u8>,
}

fn wrapped<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let wrapped = BytesValue::decode(value).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&String::from_utf8_lossy(&wrapped.value))
}

/// `opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest`
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportLogsServiceRequest {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs {
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1")]
    #[serde(flatten)]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof, Serialize)]
#[serde(rename_all = "camelCase")]
enum Value {
    #[prost(string, tag = "1")]
    StringValue(String),
}
