//! An Envoy that follows the feed of the real approval service and answers by itself.

use std::path::Path;

use breakglass_tests::approvals::FEED;
use breakglass_tests::artefacts;
use breakglass_tests::bootstrap::Settings;
use breakglass_tests::policy::{remote_keys, standard};
use breakglass_tests::service::Service;
use serde_json::{Value, json};

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
    let mut filter = filter();
    if otherwise == Otherwise::Refuse {
        filter["revocation"].as_object_mut().unwrap().remove("introspection");
    }
    let bootstrap = bootstrap(service, node, module.map(|module| (module, filter)));
    Running::start(&bootstrap, workers)
}

/// Starts one with one worker and this credential, after a change of the filter's configuration.
pub(crate) fn start_changed(
    service: &Service,
    node: &str,
    credential: &str,
    change: impl FnOnce(&mut Value),
) -> Running {
    let mut filter = filter();
    change(&mut filter);
    let bootstrap = bootstrap(service, node, Some((&artefacts::filter(), filter)));
    Running::start_as(&bootstrap, 1, credential)
}

/// Has the filter report alerts.
pub(crate) fn report_alerts(filter: &mut Value) {
    filter["alerts"] = json!({"cluster": "approvals", "authority": "approvals.internal",
        "path": "/v1/alerts"});
}

/// The filter's configuration: it follows the feed, and introspects where that is not fresh.
fn filter() -> Value {
    let mut filter = standard(&[]);
    filter["issuers"][0]["jwks"] = json!({"remote": remote_keys()});
    filter["revocation"]["feed"] =
        json!({"cluster": "approvals", "authority": "approvals.internal", "path": FEED});
    filter["audit"] = json!({"heads": {"cluster": "approvals", "authority": "approvals.internal",
        "path": "/v1/audit/heads"}});
    filter
}

fn bootstrap(service: &Service, node: &str, filter: Option<(&Path, Value)>) -> Value {
    let nowhere = service.address();
    let configuration = filter.as_ref().map(|(_, configuration)| configuration.to_string());
    let settings = Settings::new(configuration, nowhere, service.address());
    let mut bootstrap = settings.bootstrap("/dev".as_ref());
    bootstrap["node"]["id"] = json!(node);
    let manager = bootstrap
        .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .unwrap();
    manager["route_config"]["virtual_hosts"][0]["routes"] = direct_response();
    manager["access_log"] = audit_log();
    if let Some((module, _)) = filter {
        beside::replace(manager, module);
    }
    bootstrap
}
