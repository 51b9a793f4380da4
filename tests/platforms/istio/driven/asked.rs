//! A request through an entrance of the mesh, and what came of it: for the client, and at the workload.

use std::net::SocketAddr;
use std::time::Duration;

use breakglass_tests::client::{Answer, Request, get};
use breakglass_tests::upstream::{Seen, Upstream};
use breakglass_tests::wait::until;
use serde_json::Value;

/// An entrance, and the workload behind it.
#[derive(Clone, Copy)]
pub(crate) struct Entrance<'a> {
    pub(crate) to: SocketAddr,
    pub(crate) behind: &'a Upstream,
    /// How soon the proxy there closes a connection over HTTP/1.1 that was cut.
    pub(crate) closes: Duration,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) answer: Answer,
    /// What reached the workload, if anything did.
    pub(crate) seen: Option<Seen>,
}

impl Entrance<'_> {
    /// Sends a request.
    pub(crate) fn ask(self, request: &Request) -> Asked {
        // A gateway makes ids of its own.
        let asked = request.renewed();
        let answer = asked.clone().header("x-asked", &asked.id).send(self.to);
        Asked { answer, seen: self.behind.saw_header("x-asked", &asked.id) }
    }

    /// Waits until this is the answer on every way there: connections that a proxy in front keeps go on with an old
    /// listener, until each has answered once more.
    pub(crate) fn settles(self, path: &str, status: u16) {
        let what = format!("{path} to be {status} through {}", self.to);
        let in_a_row = |_| self.is(path, status);
        until(&what, || (0..20).all(in_a_row).then_some(()));
    }

    /// Whether a GET of this path is answered with this status now; without an answer it is not.
    pub(crate) fn is(self, path: &str, status: u16) -> bool {
        get(path).try_send(self.to).is_ok_and(|answer| answer.status == status)
    }
}

impl Asked {
    /// The workload answered.
    pub(crate) fn passed(self) -> Seen {
        assert_eq!(self.answer.status, 200, "{:?}", self.answer);
        self.seen.expect("a request that reached the workload")
    }

    /// breakglass refused it: the problem document.
    pub(crate) fn refused(self, status: u16, reason: &str) -> Value {
        assert_eq!(self.answer.status, status, "{:?}", self.answer);
        assert_eq!(self.answer.header("content-type"), Some("application/problem+json"));
        let problem = self.answer.json();
        assert_eq!(problem["reason"], reason, "{problem}");
        assert!(self.seen.is_none(), "it reached the workload: {problem}");
        problem
    }

    /// Istio's authorization refused it, not breakglass.
    pub(crate) fn closed(self) {
        assert_eq!(self.answer.status, 403, "{:?}", self.answer);
        assert_eq!(String::from_utf8_lossy(&self.answer.body), "RBAC: access denied");
        assert!(self.seen.is_none(), "it reached the workload");
    }

    /// Somebody answered so, and the workload did not.
    pub(crate) fn answered(self, status: u16) {
        assert_eq!(self.answer.status, status, "{:?}", self.answer);
        assert!(self.seen.is_none(), "it reached the workload");
    }
}
