//! The judging: where breakglass stands in each chain of HTTP filters by which requests come in.

use std::collections::BTreeMap;

use serde_json::Value;

/// A filter chain by which connections come in.
pub(crate) struct Chain {
    /// Its listener, its name, and what of a connection it is for.
    pub(crate) name: String,
    /// The configuration of its connection manager, if it has one.
    pub(crate) manager: Option<Value>,
    /// Its network filters.
    pub(crate) network: Vec<Value>,
    /// The port that it is for, if it is for one.
    pub(crate) port: Option<u16>,
}

/// Where a filter stands in a chain of HTTP filters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Behind(Vec<String>),
    Missing,
    Twice,
}

impl Chain {
    /// The names of its HTTP filters, in order.
    pub(crate) fn http_filters(&self) -> Vec<String> {
        let filters = self.manager.iter().flat_map(|manager| list(&manager["http_filters"]));
        filters.map(|filter| text(&filter["name"])).collect()
    }

    /// Where the filter of this name stands.
    pub(crate) fn place(&self, filter: &str) -> Place {
        let filters = self.http_filters();
        let found: Vec<usize> =
            (0..filters.len()).filter(|&index| filters[index] == filter).collect();
        match found[..] {
            [] => Place::Missing,
            [0] => Place::First,
            [index] => Place::Behind(filters[..index].to_vec()),
            _ => Place::Twice,
        }
    }
}

/// The HTTP chains in which the filter does not stand first: each must be expected by its name.
pub(crate) fn not_first(chains: &[Chain], filter: &str) -> BTreeMap<String, Place> {
    let http = chains.iter().filter(|chain| chain.manager.is_some());
    let placed = http.map(|chain| (chain.name.clone(), chain.place(filter)));
    placed.filter(|(_, place)| *place != Place::First).collect()
}

/// The chains of a proxy by which requests come in: all of a gateway's and of a waypoint's; of a sidecar's
/// those that are not for what its workload sends.
pub(crate) fn entrances(proxy: &Value, is_sidecar: bool) -> Vec<Chain> {
    let listeners = list(&proxy["listeners"]).iter();
    let sends = |listener: &Value| {
        (is_sidecar && listener["traffic_direction"] == "OUTBOUND")
            || listener["name"] == "connect_originate"
    };
    let is_entrance = |listener: &&Value| !sends(listener);
    listeners.filter(is_entrance).flat_map(chains).collect()
}

fn chains(listener: &Value) -> Vec<Chain> {
    let default = listener.get("default_filter_chain").into_iter();
    let chains = list(&listener["filter_chains"]).iter().chain(default);
    chains
        .map(|chain| Chain {
            name: name(&text(&listener["name"]), chain),
            manager: manager(chain).cloned(),
            network: list(&chain["filters"]).to_vec(),
            port: port(listener, chain),
        })
        .collect()
}

fn name(listener: &str, chain: &Value) -> String {
    let matching = &chain["filter_chain_match"];
    let mut parts = vec![format!("{listener}/{}", text(&chain["name"]))];
    for what in ["transport_protocol", "application_protocols", "server_names"] {
        match &matching[what] {
            Value::Null => {}
            Value::String(one) => parts.push(one.clone()),
            many => parts.push(list(many).iter().map(text).collect::<Vec<_>>().join(",")),
        }
    }
    parts.join(" ")
}

/// A listener that takes what others were sent has its chains by port, a waypoint's by names with the
/// port of the Service; another one has a port itself.
fn port(listener: &Value, chain: &Value) -> Option<u16> {
    if let Some(vip) = text(&chain["name"]).strip_prefix("inbound-vip|") {
        return vip.split('|').next().and_then(|port| port.parse().ok());
    }
    let of_chain = chain.pointer("/filter_chain_match/destination_port").and_then(Value::as_u64);
    let of_listener =
        listener.pointer("/address/socket_address/port_value").and_then(Value::as_u64);
    let of_listener = of_listener.filter(|_| listener["name"] != "virtualInbound");
    of_chain.or(of_listener).and_then(|port| u16::try_from(port).ok())
}

fn manager(chain: &Value) -> Option<&Value> {
    let of = |filter: &'_ &Value| {
        let kind = filter["typed_config"]["@type"].as_str().unwrap_or_default();
        kind.ends_with(".HttpConnectionManager")
    };
    list(&chain["filters"]).iter().find(of).map(|filter| &filter["typed_config"])
}

/// The TCP chains that let a connection through to the workload: past breakglass, whatever is in it.
pub(crate) fn open_tcp(chains: &[Chain]) -> Vec<&str> {
    let sends_nowhere = |chain: &Chain| {
        chain.network.iter().any(|one| one["typed_config"]["cluster"] == "BlackHoleCluster")
    };
    let open = chains.iter().filter(|chain| {
        // One for no port of its own is for those that no other chain is for.
        chain.manager.is_none()
            && !sends_nowhere(chain)
            && admits_connection(chain, chain.port.unwrap_or(1))
    });
    open.map(|chain| chain.name.as_str()).collect()
}

/// Whether the network RBAC of a chain admits a connection to this port, whoever connects.
pub(crate) fn admits_connection(chain: &Chain, port: u16) -> bool {
    let rules = |filter: &Value| filter["typed_config"].get("rules").cloned();
    chain.network.iter().filter_map(rules).all(|rules| {
        let policies = rules["policies"].as_object().into_iter().flat_map(|all| all.values());
        let matches = |policy: &Value| {
            let any = |what: &str| list(&policy[what]).iter().any(|rule| holds(rule, port));
            any("permissions") && any("principals")
        };
        let matched = policies.into_iter().any(matches);
        // ALLOW is protobuf's default, and left out.
        matched == (rules["action"] != "DENY")
    })
}

/// A permission or a principal, for a connection to this port.
fn holds(rule: &Value, port: u16) -> bool {
    let (kind, what) = rule.as_object().and_then(|rule| rule.iter().next()).expect("a rule");
    match kind.as_str() {
        "any" => true,
        // What breakglass decided: nothing about a connection.
        "metadata" => false,
        "destination_port" => *what == port,
        "not_rule" | "not_id" => !holds(what, port),
        "and_rules" => list(&what["rules"]).iter().all(|rule| holds(rule, port)),
        "or_rules" => list(&what["rules"]).iter().any(|rule| holds(rule, port)),
        "and_ids" => list(&what["ids"]).iter().all(|rule| holds(rule, port)),
        "or_ids" => list(&what["ids"]).iter().any(|rule| holds(rule, port)),
        other => panic!("`{other}` is not understood here: {rule}"),
    }
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
