//! Where a call goes.

use crate::object;
use crate::schema::{Object, parsed, required};

object! {
    /// A path on an Envoy cluster.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Endpoint {
        /// The Envoy cluster.
        pub cluster: String = required(parsed("cluster name", header_value)),
        /// The `:authority` of the call.
        pub authority: String = required(parsed("host", header_value)),
        /// The `:path` of the call.
        pub path: String = required(parsed("path", http_path)),
    }
}

impl Object for Endpoint {}

/// Visible ASCII, so that it can be a header value.
fn header_value(text: &str) -> Result<String, String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected visible ASCII characters without spaces".to_owned())
    }
}

/// A request target that begins with a slash.
fn http_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { header_value(text) } else { Err("must begin with `/`".to_owned()) }
}
