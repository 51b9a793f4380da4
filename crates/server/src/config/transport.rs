//! How each listener speaks: TLS, or plain HTTP, and by which right.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use breakglass_config_schema::Place;

use super::Config;
use super::listeners::{ListenAddress, Listener, Plain, ResolvedListener, Serves, Tls, Transport};

impl Config {
    /// What is to be opened: the entries of `listeners`, or the one that `listen` stands for.
    #[must_use]
    pub fn resolved_listeners(&self) -> Vec<ResolvedListener> {
        if let Some(address) = self.listen {
            return vec![self.listener_at(address)];
        }
        let resolve = |listener: &Listener| {
            let tls = listener.tls.as_ref().or(self.tls.as_ref());
            let tls = tls.filter(|_| !listener.insecure_http);
            let transport = transport(&listener.address, tls, listener.insecure_http);
            let address = listener.address.clone();
            ResolvedListener { address, serves: listener.serves, transport }
        };
        self.listeners.iter().map(resolve).collect()
    }

    /// The one listener that `listen` stands for, at another address.
    #[must_use]
    pub fn listener_at(&self, address: SocketAddr) -> ResolvedListener {
        let address = ListenAddress::Tcp(address);
        let transport = transport(&address, self.tls.as_ref(), self.insecure_http);
        ResolvedListener { address, serves: Serves::ALL, transport }
    }

    /// Whether any listener asks for client certificates.
    #[must_use]
    pub fn asks_for_client_certificates(&self) -> bool {
        self.resolved_listeners().iter().any(|listener| match &listener.transport {
            Transport::Tls(tls) => tls.client_ca_file.is_some(),
            Transport::Plain(_) => false,
        })
    }
}

fn transport(address: &ListenAddress, tls: Option<&Tls>, insecure_http: bool) -> Transport {
    match (address, tls) {
        (ListenAddress::Unix(_), _) => Transport::Plain(Plain::Local),
        (ListenAddress::Tcp(_), Some(tls)) => Transport::Tls(tls.clone()),
        (ListenAddress::Tcp(address), None) if address.ip().to_canonical().is_loopback() => {
            Transport::Plain(Plain::Local)
        }
        (ListenAddress::Tcp(_), None) if insecure_http => Transport::Plain(Plain::Declared),
        (ListenAddress::Tcp(_), None) => Transport::Plain(Plain::Undeclared),
    }
}

/// What is wrong between `listen`, `tls`, `insecure_http` and `listeners`.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    if config.listeners.is_empty() {
        if config.tls.is_some() && config.insecure_http {
            clean = place
                .field("insecure_http")
                .error("there is a top-level `tls`: leave out one of the two");
        }
        return clean;
    }
    if config.listen.is_some() {
        clean = place
            .field("listen")
            .error("there are `listeners`: leave out `listen`, or make it one of them");
    }
    if config.insecure_http {
        clean = place
            .field("insecure_http")
            .error("there are `listeners`: say it in the entry that speaks plain HTTP");
    }
    let places = place.field("listeners");
    let mut addresses: BTreeMap<String, usize> = BTreeMap::new();
    for (index, listener) in config.listeners.iter().enumerate() {
        let of_any_port =
            matches!(listener.address, ListenAddress::Tcp(address) if address.port() == 0);
        let earlier = addresses.insert(listener.address.to_string(), index);
        if let (Some(first), false) = (earlier, of_any_port) {
            clean = places
                .item(index)
                .field("address")
                .error(format!("also the address of listeners[{first}]"));
        }
    }
    if config.listen.is_some() {
        return clean;
    }
    for (index, listener) in config.resolved_listeners().iter().enumerate() {
        if listener.transport == Transport::Plain(Plain::Undeclared) {
            clean = places.item(index).error(format!(
                "{} would be plain HTTP, and other machines can connect to it: give it `tls`, or say \
                 `insecure_http = true`",
                listener.address
            ));
        }
    }
    if !config.listeners.iter().any(|listener| listener.serves.people) {
        clean = places.error(
            "no listener serves people: without one nothing can be asked for, approved or revoked",
        );
    }
    clean
}

/// What works and will not for long, or not at all.
pub(super) fn warnings(config: &Config) -> impl Iterator<Item = String> {
    let plain = config.resolved_listeners().into_iter();
    let plain = plain.filter(|listener| listener.transport == Transport::Plain(Plain::Undeclared));
    let plain = plain.map(|listener| {
        format!(
            "listen: {} is plain HTTP, and other machines can connect to it: add `[tls]`, or say \
             `insecure_http = true`; a later version does not start without",
            listener.address
        )
    });
    let asks = config.asks_for_client_certificates();
    let unseen = config.proxies.iter().enumerate();
    let unseen = unseen.filter(move |(_, proxy)| proxy.has_certificate() && !asks);
    let unseen = unseen.map(|(index, proxy)| {
        format!(
            "proxies[{index}] (`{}`): no listener asks for client certificates, so its own is not seen: set \
             `client_ca_file`",
            proxy.name
        )
    });
    plain.chain(unseen)
}
