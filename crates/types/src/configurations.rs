//! What a proxy's configuration opens: the body of `POST /v1/proxies/configurations`. A filter sends it once, where the
//! answer to a poll says that the approval service does not know the configuration from this credential.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::scope_rules::ScopeDigest;

/// The largest report of a configuration, in bytes: a thousand scopes with long names. A filter with a larger one sends
/// none, and says so in its log.
pub const MAX_CONFIGURATION_BYTES: usize = 256 * 1024;

/// Where the approval service takes it.
pub const PATH: &str = "/v1/proxies/configurations";

/// The header in an answer to a poll that asks for the content of the polling proxy's configuration: its value is the
/// digest that the poll named.
///
/// It does not begin with [`OWN_PREFIX`](crate::names::OWN_PREFIX), as none that a proxy describes itself in.
pub const WANTED_HEADER: &str = "breakglass-configuration-wanted";

/// What a configuration opens, by digests. Every scope of a filter is for each of its environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReportedConfiguration {
    /// The digest of the configuration, as polls name it.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub configuration: String,
    /// The environments whose tokens it takes.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub audiences: BTreeSet<String>,
    /// The digest of each scope's rules.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, String>))]
    pub scopes: BTreeMap<String, ScopeDigest>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope_rules::ScopeRules;
    use crate::testing::test;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let digest = ScopeRules::default().digest();
        let reported = ReportedConfiguration {
            configuration: "0".repeat(64),
            audiences: ["payments-prod".to_owned()].into(),
            scopes: [("orders:read".to_owned(), digest)].into(),
        };
        let mut text = serde_json::to_value(&reported).unwrap();
        assert_eq!(text["scopes"]["orders:read"], digest.text());
        assert_eq!(
            serde_json::from_value::<ReportedConfiguration>(text.clone()).unwrap(),
            reported
        );
        text["more"] = true.into();
        assert!(serde_json::from_value::<ReportedConfiguration>(text).is_err());
    }

    #[test]
    fn a_thousand_scopes_fit() {
        let digest = ScopeRules::default().digest();
        let scopes = (0..1000).map(|number| (format!("{number:0>120}"), digest));
        let reported = ReportedConfiguration {
            configuration: "0".repeat(64),
            audiences: ["a".repeat(256)].into(),
            scopes: scopes.collect(),
        };
        assert!(serde_json::to_vec(&reported).unwrap().len() <= MAX_CONFIGURATION_BYTES);
    }
}
