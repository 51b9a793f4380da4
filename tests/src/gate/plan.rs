//! A gate about to be started: what differs from the standard one.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::approvals::{FEED, FakeApprovals, INTROSPECTION, KEYS, Reply};
use crate::bootstrap::{Delivery, Form, NODE, Settings};
use crate::certificates::Authority;
use crate::envoy::Envoy;
use crate::keys::{Key, jwks};
use crate::policy;
use crate::service::Service;
use crate::upstream::Upstream;

use super::running::Gate;

/// A gate about to be started.
pub struct Plan {
    filter: Value,
    form: Form,
    delivery: Delivery,
    forbidden: Option<&'static str>,
    concurrency: u32,
    normalize_path: bool,
    tls: bool,
    panicking: bool,
    module: Option<PathBuf>,
    own_clock: bool,
    drain_s: Option<u32>,
    alone: bool,
    key: Key,
    approvals: FakeApprovals,
    service: Option<SocketAddr>,
    approvals_cluster: Value,
    node: String,
    files: Option<TempDir>,
    upstream: Option<SocketAddr>,
}

impl Plan {
    /// The standard configuration with a new key, not yet started.
    #[must_use]
    pub fn standard() -> Plan {
        let key = Key::es256("key-1");
        let approvals = FakeApprovals::start();
        approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})));
        approvals.reply(KEYS, Reply::json(&jwks(&[&key])));
        Plan {
            filter: policy::standard(&[&key]),
            form: Form::Text,
            delivery: Delivery::Static,
            forbidden: None,
            concurrency: 1,
            normalize_path: false,
            tls: false,
            panicking: false,
            module: None,
            own_clock: false,
            drain_s: None,
            alone: false,
            key,
            approvals,
            service: None,
            approvals_cluster: json!({}),
            node: NODE.to_owned(),
            files: None,
            upstream: None,
        }
    }

    /// The standard configuration for the real approval service, which brings the keys.
    #[must_use]
    pub fn asking(service: &Service) -> Plan {
        let mut plan = Plan::standard().remote_keys_only("300s");
        plan.service = Some(service.address());
        plan
    }

    /// The same, with knowledge from the feed alone, which must not be older than this: nobody is
    /// asked about a grant.
    #[must_use]
    pub fn following(service: &Service, max_staleness: &str) -> Plan {
        Plan::asking(service).following_feed(max_staleness).asking_nobody()
    }

    /// What is known comes from the feed first, and must not be older than this.
    #[must_use]
    pub fn following_feed(self, max_staleness: &str) -> Self {
        let feed = json!({"cluster": "approvals", "authority": "approvals.internal", "path": FEED});
        self.set("/revocation/feed", feed).set("/revocation/max_staleness", json!(max_staleness))
    }

    /// Nobody is asked about a grant.
    ///
    /// # Panics
    /// When the configuration has no `revocation`.
    #[must_use]
    pub fn asking_nobody(self) -> Self {
        self.filter(|filter| {
            filter["revocation"].as_object_mut().expect("an object").remove("introspection");
        })
    }

    /// The approval service is reached at another address than its own.
    #[must_use]
    pub fn through(mut self, address: SocketAddr) -> Self {
        self.service = Some(address);
        self
    }

    /// More members of the approval service's cluster, such as its `transport_socket`.
    #[must_use]
    pub fn approvals_cluster(mut self, members: Value) -> Self {
        self.approvals_cluster = members;
        self
    }

    /// Envoy's node has this id.
    #[must_use]
    pub fn node(mut self, id: &str) -> Self {
        self.node = id.to_owned();
        self.alone = true;
        self
    }

    /// Keeps these files for as long as Envoy reads them.
    #[must_use]
    pub fn keeping(mut self, files: TempDir) -> Self {
        self.files = Some(files);
        self
    }

    /// Another API is behind the gate than the one that says what it saw.
    #[must_use]
    pub fn before(mut self, upstream: SocketAddr) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Changes the filter's configuration.
    #[must_use]
    pub fn filter(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.filter);
        self
    }

    /// Sets one place of the filter's configuration, named by a JSON pointer; the member itself
    /// may be new.
    ///
    /// # Panics
    /// When there is no such place.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, member) = pointer.rsplit_once('/').expect("a JSON pointer");
        let parent = self.filter.pointer_mut(parent).expect("a place in the configuration");
        parent[member] = value;
        self
    }

    /// Keys come from the service only.
    #[must_use]
    pub fn remote_keys_only(self, refresh: &str) -> Self {
        let mut remote = policy::remote_keys();
        remote["refresh"] = json!(refresh);
        self.set("/issuers/0/jwks", json!({"remote": remote}))
    }

    /// Says what the approval service does.
    #[must_use]
    pub fn approvals(self, path: &str, reply: Reply) -> Self {
        self.approvals.reply(path, reply);
        self
    }

    /// The approval service is down before Envoy starts.
    #[must_use]
    pub fn approvals_down(mut self) -> Self {
        self.approvals.stop();
        self
    }

    /// How the configuration reaches Envoy.
    #[must_use]
    pub fn delivered_by(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The configuration is handed over as a `Struct`, not as text.
    #[must_use]
    pub fn as_struct(mut self) -> Self {
        self.form = Form::Struct;
        self
    }

    /// Envoy does not let the filter use this host function.
    #[must_use]
    pub fn forbidding(mut self, function: &'static str) -> Self {
        self.forbidden = Some(function);
        self
    }

    /// Envoy has this many worker threads, each with a VM of its own.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Envoy normalises paths before the filter sees them.
    #[must_use]
    pub fn normalizing_paths(mut self) -> Self {
        self.normalize_path = true;
        self
    }

    /// The listener speaks TLS and asks for client certificates.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The filter is the one that panics when a request's `x-panic-on-purpose` says so.
    #[must_use]
    pub fn panicking(mut self) -> Self {
        self.panicking = true;
        self
    }

    /// The filter is another build, whose records are those of its version.
    #[must_use]
    pub fn module(mut self, module: PathBuf) -> Self {
        self.module = Some(module);
        self
    }

    /// Envoy has a clock of its own, which can be set.
    #[must_use]
    pub fn own_clock(mut self) -> Self {
        self.own_clock = true;
        self
    }

    /// A listener that is replaced goes on for so many seconds.
    #[must_use]
    pub fn draining_for(mut self, seconds: u32) -> Self {
        self.drain_s = Some(seconds);
        self
    }

    /// No other test uses this Envoy: its log, its counters and its admin interface are this gate's.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Whether its Envoy may be one that other tests use too: nothing of the process differs, and nothing in it
    /// is to fail.
    fn can_share(&self) -> bool {
        let ordinary =
            self.forbidden.is_none() && !self.panicking && self.module.is_none() && !self.own_clock;
        let fixed = self.delivery == Delivery::Static && self.drain_s.is_none();
        ordinary && fixed && self.concurrency == 1 && !self.alone
    }

    /// Starts everything.
    ///
    /// # Panics
    /// When Envoy refuses.
    #[must_use]
    pub fn start(self) -> Gate {
        let start = if self.can_share() { Envoy::share } else { Envoy::start };
        self.start_as(start)
    }

    /// Starts everything, with a configuration of Envoy's own in place of the generated one.
    ///
    /// # Panics
    /// When Envoy refuses.
    #[must_use]
    pub fn start_with(self, yaml: impl FnOnce(&Settings) -> String) -> Gate {
        self.start_as(|settings, directory| {
            let yaml = yaml(&settings);
            Envoy::start_with(&yaml, settings, directory)
        })
    }

    fn start_as(self, start: impl FnOnce(Settings, TempDir) -> Envoy) -> Gate {
        let upstream = Upstream::start();
        let directory = TempDir::new().unwrap();
        let authority = self.tls.then(Authority::new);
        if let Some(authority) = &authority {
            authority.write(directory.path());
        }
        let settings = Settings {
            form: self.form,
            delivery: self.delivery,
            forbidden: self.forbidden,
            concurrency: self.concurrency,
            normalize_path: self.normalize_path,
            tls: self.tls,
            panicking: self.panicking,
            module: self.module,
            own_clock: self.own_clock,
            drain_s: self.drain_s,
            approvals_cluster: self.approvals_cluster,
            node: self.node,
            ..Settings::new(
                Some(self.filter.to_string()),
                self.upstream.unwrap_or(upstream.address()),
                self.service.unwrap_or(self.approvals.address()),
            )
        };
        let envoy = start(settings, directory);
        let vms = (!envoy.is_shared()).then(|| envoy.stats().vms_made());
        let Plan { delivery, key, approvals, files, .. } = self;
        Gate { envoy, upstream, approvals, key, authority, delivery, vms, _files: files }
    }
}

impl Gate {
    /// A gate with the standard configuration.
    #[must_use]
    pub fn standard() -> Gate {
        Plan::standard().start()
    }

    /// The same, in an Envoy that no other test uses: its log, its counters and its admin interface are this gate's.
    #[must_use]
    pub fn alone() -> Gate {
        Plan::standard().alone().start()
    }
}
