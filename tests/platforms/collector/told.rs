//! The service with a sink for a collector, and what happens there.

use std::fs;
use std::path::PathBuf;

use breakglass_tests::client::{get, request};
use breakglass_tests::policy::{AUDIENCE, PROXY_TOKEN, SUBJECT};
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::collector::TOKEN;

/// When a proxy saw what it reports.
const REPORTED: &str = "2026-11-28T02:13:00Z";

/// A service that tells a collector of requests and alerts.
pub(crate) struct Told {
    pub(crate) service: Service,
    files: TempDir,
}

impl Told {
    /// One with this sink's token, at this place: `127.0.0.1:4318/v1/logs`.
    pub(crate) fn with(token: &str, place: &str) -> Told {
        let files = TempDir::new().unwrap();
        let mut told = Told { service: Service::start(), files };
        told.replace_token(token);
        let file = told.token_file();
        let entry = format!(
            "type = \"otlp\"\nurl = \"http://{place}\"\ntoken_file = \"{}\"\ntypes = [\"breakglass.request.*\", \"breakglass.alert.*\"]",
            file.display()
        );
        told.service.add_sink("collector", &entry);
        told
    }

    /// One that is in order, for a collector at this port.
    pub(crate) fn at(port: u16) -> Told {
        Told::with(TOKEN, &format!("127.0.0.1:{port}/v1/logs"))
    }

    fn token_file(&self) -> PathBuf {
        self.files.path().join("token")
    }

    pub(crate) fn replace_token(&self, token: &str) {
        fs::write(self.token_file(), token).unwrap();
    }

    /// Asks for access: the id of the request.
    pub(crate) fn asks(&self, reason: &str, incident: &str) -> String {
        let body = json!({"scopes": ["orders:read"], "reason": reason, "incident": incident,
            "duration": "10m"});
        let made = self.post(self.service.credential(SUBJECT), "/v1/requests", &body);
        made["id"].as_str().unwrap().to_owned()
    }

    /// A proxy reports an alert with these members more.
    pub(crate) fn reports(&self, more: Value) {
        let mut alert = json!({"kind": "out_of_scope", "first": REPORTED, "last": REPORTED, "count": 1,
            "audience": AUDIENCE});
        let Value::Object(more) = more else { panic!("members") };
        alert.as_object_mut().unwrap().extend(more);
        let body = json!({"node": "n1", "process": "1".repeat(32), "alerts": [alert]});
        let answer = self.post(PROXY_TOKEN, "/v1/alerts", &body);
        assert_eq!(answer, json!({"accepted": 1, "dropped": 0}));
    }

    fn post(&self, credential: &str, path: &str, body: &Value) -> Value {
        let answer = request("POST", path)
            .header("authorization", format!("Bearer {credential}"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send(self.service.address());
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
        answer.json()
    }

    /// What the service itself has of events, or of alerts.
    pub(crate) fn kept(&self, what: &str) -> Vec<Value> {
        let answer = get(format!("/v1/audit/{what}"))
            .header("authorization", format!("Bearer {}", self.service.credential(AUDITOR)))
            .send(self.service.address());
        answer.json()[what].as_array().unwrap().clone()
    }

    /// What the service says of deliveries.
    pub(crate) fn listed(&self) -> Value {
        self.service.run(AUDITOR, &["--json", "events", "list"]).json()
    }

    /// Waits until the newest delivery is in this state.
    pub(crate) fn until_newest(&self, state: &str) -> Value {
        until(&format!("a delivery that is {state}"), || {
            let newest = self.listed()["deliveries"][0].clone();
            (newest["state"] == state).then_some(newest)
        })
    }

    /// Waits until an attempt at the collector has failed: its cause.
    pub(crate) fn until_failed(&self) -> String {
        until("an attempt that fails", || {
            Some(self.listed()["sinks"][0]["error"].as_str()?.to_owned())
        })
    }
}
