//! The clusters: the API behind the gate, and the approval service.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Settings, address};

impl Settings {
    /// The API and the approval service.
    pub(crate) fn clusters(&self) -> [Value; 2] {
        let mut approvals = cluster("approvals", self.approvals, false);
        let more = self.approvals_cluster.as_object().expect("members of a cluster");
        approvals.as_object_mut().expect("an object").extend(more.clone());
        [cluster("upstream", self.upstream, true), approvals]
    }
}

fn cluster(name: &str, endpoint: SocketAddr, same_protocol: bool) -> Value {
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(endpoint)}}]}],
        },
    });
    if same_protocol {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        cluster["typed_extension_protocol_options"] = json!({options: {
            "@type": format!("type.googleapis.com/{options}"),
            "use_downstream_protocol_config": {"http_protocol_options": {},
                "http2_protocol_options": {}},
        }});
    }
    cluster
}
