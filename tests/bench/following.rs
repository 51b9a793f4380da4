//! An Envoy that follows the feed of the real approval service and answers by itself.

use std::path::Path;

use breakglass_tests::approvals::FEED;
use breakglass_tests::artefacts;
use breakglass_tests::bootstrap::Settings;
use breakglass_tests::policy::{remote_keys, standard};
use breakglass_tests::service::Service;
use serde_json::json;

use crate::beside;
use crate::process::Running;
use crate::variants::{audit_log, direct_response};

/// What the filter does when the feed is not fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It asks about each token.
    Introspect,
    /// It refuses: whatever is let through, was decided by the feed.
    Refuse,
}

/// Starts one that goes by this node id.
pub(crate) fn start(
    service: &Service,
    node: &str,
    workers: usize,
    otherwise: Otherwise,
) -> Running {
    start_module(service, node, workers, otherwise, Some(&artefacts::filter()))
}

/// Starts one with the filter that is in this file, or with all but a filter.
pub(crate) fn start_module(
    service: &Service,
    node: &str,
    workers: usize,
    otherwise: Otherwise,
    module: Option<&Path>,
) -> Running {
    let mut filter = standard(&[]);
    filter["issuers"][0]["jwks"] = json!({"remote": remote_keys()});
    filter["revocation"]["feed"] =
        json!({"cluster": "approvals", "authority": "approvals.internal", "path": FEED});
    filter["audit"] = json!({"heads": {"cluster": "approvals", "authority": "approvals.internal",
        "path": "/v1/audit/heads"}});
    if otherwise == Otherwise::Refuse {
        filter["revocation"].as_object_mut().unwrap().remove("introspection");
    }
    let nowhere = service.address();
    let filter = module.map(|_| filter.to_string());
    let settings = Settings::new(filter, nowhere, service.address());
    let mut bootstrap = settings.bootstrap("/dev".as_ref());
    bootstrap["node"]["id"] = json!(node);
    let manager = bootstrap
        .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .unwrap();
    manager["route_config"]["virtual_hosts"][0]["routes"] = direct_response();
    manager["access_log"] = audit_log();
    if let Some(module) = module {
        beside::replace(manager, module);
    }
    Running::start(&bootstrap, workers)
}
