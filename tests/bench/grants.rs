//! Grants of the real service, asked for and approved over its interface by several people at once.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use breakglass_tests::client::{Answer, Request, connect, request};
use breakglass_tests::policy::{APPROVER, SUBJECT};
use breakglass_tests::service::Service;
use serde_json::{Value, json};

/// How many are made at a time.
const AT_A_TIME: usize = 4;

/// A grant and its token.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) jti: String,
    pub(crate) token: String,
}

/// Somebody with a connection to the service that is kept alive.
pub(crate) struct Person<'s> {
    service: &'s Service,
    connection: TcpStream,
}

impl<'s> Person<'s> {
    pub(crate) fn at(service: &'s Service) -> Person<'s> {
        Person { service, connection: connect(service.address()) }
    }

    fn post(&mut self, name: &str, path: &str, body: &Value) -> Answer {
        self.send(
            name,
            request("POST", path).header("content-type", "application/json").body(body.to_string()),
        )
    }

    fn send(&mut self, name: &str, request: Request) -> Answer {
        let bearer = format!("Bearer {}", self.service.credential(name));
        let request = request.host("approvals.internal").header("authorization", bearer);
        let answer = request.send_over(&mut self.connection);
        assert!((200..300).contains(&answer.status), "{request:?} -> {answer:?}");
        answer
    }

    /// Asks, has it approved, and gets the token.
    pub(crate) fn granted(&mut self) -> Grant {
        let ask = json!({"scopes": ["orders:read"], "reason": "a measurement", "duration": "1h"});
        let asked = self.post(SUBJECT, "/v1/requests", &ask).json();
        let id = asked["id"].as_str().unwrap();
        let approval = json!({"digest": asked["digest"]});
        self.post(APPROVER, &format!("/v1/requests/{id}/approve"), &approval);
        let issued = self.post(SUBJECT, &format!("/v1/requests/{id}/token"), &json!({})).json();
        let text = |member: &str| issued[member].as_str().unwrap().to_owned();
        Grant { jti: text("grant"), token: text("token") }
    }

    /// Asks: the id of the request.
    pub(crate) fn asks(&mut self) -> String {
        let ask = json!({"scopes": ["orders:read"], "reason": "a measurement", "duration": "1h"});
        self.post(SUBJECT, "/v1/requests", &ask).json()["id"].as_str().unwrap().to_owned()
    }

    /// Takes a request back.
    pub(crate) fn cancels(&mut self, request: &str) {
        self.post(SUBJECT, &format!("/v1/requests/{request}/cancel"), &json!({}));
    }

    /// Revokes a grant: the epoch.
    pub(crate) fn revokes(&mut self, grant: &Grant) -> u64 {
        let path = format!("/v1/grants/{}/revoke", grant.jti);
        let answer = self.post(APPROVER, &path, &json!({"reason": "a measurement"}));
        answer.json()["epoch"].as_u64().unwrap()
    }

    /// Revokes every grant there is: how many.
    pub(crate) fn revokes_all(&mut self) -> u64 {
        let all = json!({"all": true, "reason": "a measurement"});
        self.post(APPROVER, "/v1/revocations", &all).json()["revoked"].as_u64().unwrap()
    }
}

/// Makes so many.
pub(crate) fn make(service: &Service, count: usize) -> Vec<Grant> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut person = Person::at(service);
        let mut made = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < count {
            made.push(person.granted());
        }
        made
    };
    thread::scope(|scope| {
        let people: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(some)).collect();
        people.into_iter().flat_map(|person| person.join().unwrap()).collect()
    })
}
