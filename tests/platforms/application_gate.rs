//! An application, the gate in front of it, and the real approval service, whose tokens are asked for and
//! approved by the real command line.

use std::net::SocketAddr;

use breakglass_tests::client::{Answer, Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::record::{Audit, Record};
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::wait::until;
use serde_json::{Value, json};

/// The host that the clients ask for; a record has it without its port.
const HOST: &str = "127.0.0.1";

/// A gate in front of an application.
pub(crate) struct ApplicationGate {
    /// Envoy with the filter.
    pub(crate) harness: Gate,
    service: Service,
}

impl ApplicationGate {
    /// A gate with these `scopes`, and besides them `protected`, `ceiling` and whatever else the object names.
    pub(crate) fn new(application: SocketAddr, rules: &Value) -> ApplicationGate {
        ApplicationGate::with(application, rules, Plan::start)
    }

    /// The same, started in another way.
    pub(crate) fn with(
        application: SocketAddr,
        rules: &Value,
        start: impl FnOnce(Plan) -> Gate,
    ) -> ApplicationGate {
        let names = rules["scopes"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|scope| (scope["name"].as_str().unwrap(), "1h")).collect();
        let service = Service::offering(&names);
        let heads = json!({"cluster": "approvals", "authority": "approvals.internal",
            "path": "/v1/audit/heads"});
        let plan = Plan::asking(&service).following_feed("10s").before(application);
        let plan = plan.set("/audit", json!({"heads": heads})).filter(|filter| {
            let filter = filter.as_object_mut().unwrap();
            filter.remove("protected");
            filter.remove("ceiling");
            filter.extend(rules.as_object().unwrap().clone());
        });
        ApplicationGate { harness: start(plan), service }
    }

    /// A token for these scopes, asked for and approved.
    pub(crate) fn token(&self, scopes: &[&str]) -> String {
        self.service.grant(scopes, "10m").1
    }

    /// Where clients send their requests.
    pub(crate) fn address(&self) -> SocketAddr {
        self.harness.envoy.address()
    }

    /// The same, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A GET of the gate's host.
    pub(crate) fn get(&self, target: impl AsRef<[u8]>) -> Request {
        get(target).host(HOST)
    }

    /// A request with any method, of the gate's host.
    pub(crate) fn request(&self, method: &str, target: impl AsRef<[u8]>) -> Request {
        request(method, target).host(HOST)
    }

    /// Sends a request that the application gets to answer.
    pub(crate) fn send(&self, request: &Request) -> Answer {
        self.harness.send(request)
    }

    /// The request is refused by the filter, and recorded so: the problem in the answer.
    pub(crate) fn refuses(&self, request: &Request, status: u16, reason: &str) -> Value {
        let refused = self.harness.refuses(request, status, reason);
        refused.problem
    }

    /// The request is let through under its token, and recorded so.
    pub(crate) fn permits(&self, request: &Request) -> Answer {
        let answer = self.send(request);
        let record = self.harness.envoy.record(&request.id);
        let audit = record.audit().unwrap_or_else(|| panic!("{request:?} -> {answer:?}"));
        assert_eq!(audit.text_of("decision"), Some("allow"), "{} {answer:?}", audit.text);
        answer
    }

    /// The request has nothing to do with the filter: no record of it.
    pub(crate) fn passes(&self, request: &Request) -> Answer {
        let answer = self.send(request);
        let record = self.harness.envoy.record(&request.id);
        assert!(record.audit().is_none(), "{}", record.line());
        answer
    }

    /// The record of a client's request, as soon as there is one.
    pub(crate) fn recorded(&self, method: &str, path: &str, decision: &str, reason: &str) -> Audit {
        let fits = |audit: &&Audit| {
            let is = |member: &str, wanted: &str| audit.text_of(member) == Some(wanted);
            is("method", method)
                && is("path", path)
                && is("decision", decision)
                // A permit while the feed is young is one that was asked for.
                && (is("reason", reason) || reason == "permit" && is("reason", "permit_introspected"))
        };
        until(&format!("the record of {method} {path}: {decision} {reason}"), || {
            let records = self.harness.envoy.records();
            records.iter().filter_map(Record::audit).find(fits).cloned()
        })
    }

    /// Waits until `breakglass audit verify` is content with the whole log: how many records that is.
    pub(crate) fn verified(&self) -> u64 {
        let log = self.harness.envoy.access_log();
        let (log, heads) = (log.to_str().unwrap(), format!("http://{}", self.service.address()));
        until("every head to be reported", || {
            let arguments = ["audit", "verify", log, "--heads", &heads, "--json"];
            let ran = self.service.run(AUDITOR, &arguments);
            let verdict = ran.json();
            let chains = verdict["chains"].as_array().unwrap();
            let known = chains.iter().all(|chain| chain["after_head"] == 0);
            (ran.code == 0 && known).then(|| verdict["records"].as_u64().unwrap())
        })
    }
}
