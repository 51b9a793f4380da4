//! The gate: upstream, approval service's stand-in and Envoy together, and the three things it
//! can do with a request. Each check is of everything at once: the answer, what the upstream saw,
//! the access log and the audit record in it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use tempfile::TempDir;

use crate::approvals::FakeApprovals;
use crate::bootstrap::Delivery;
use crate::certificates::{Authority, Identity};
use crate::client::{Answer, Request, connect, get};
use crate::envoy::Envoy;
use crate::keys::Key;
use crate::record::{Audit, Record};
use crate::tokens::Mint;
use crate::upstream::{Seen, Upstream};
use crate::wait::until;

/// A running gate and the key that its tokens are signed with.
pub struct Gate {
    /// Envoy with the filter.
    pub envoy: Envoy,
    /// The API behind it.
    pub upstream: Upstream,
    /// What stands in for the approval service, unless a plan says [`asking`](super::Plan::asking): it says that
    /// every token is active.
    pub approvals: FakeApprovals,
    /// The key that is in the standard configuration.
    pub key: Key,
    pub(crate) authority: Option<Authority>,
    pub(crate) delivery: Delivery,
    /// How many VMs were made when Envoy started, if it is this gate's alone.
    pub(crate) vms: Option<u64>,
    /// Dropped after Envoy, which reads them.
    pub(crate) _files: Option<TempDir>,
}

/// An allowed request: what came of it everywhere.
#[derive(Debug)]
pub struct Allowed {
    /// What the client got.
    pub answer: Answer,
    /// What the upstream saw.
    pub seen: Seen,
    /// The audit record.
    pub audit: Audit,
}

/// A refused request: what came of it everywhere.
#[derive(Debug)]
pub struct Refused {
    /// What the client got.
    pub answer: Answer,
    /// The problem in the answer; `null` where there is no body (HEAD).
    pub problem: Value,
    /// The audit record.
    pub audit: Audit,
}

/// A request that the filter had nothing to do with.
#[derive(Debug)]
pub struct Passed {
    /// What the client got.
    pub answer: Answer,
    /// What the upstream saw.
    pub seen: Seen,
}

impl Gate {
    /// A good token, to be made worse.
    #[must_use]
    pub fn mint(&self) -> Mint<'_> {
        Mint::new(&self.key)
    }

    /// Certifies a client, where the listener speaks TLS.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn certify(&self, name: &str) -> Identity {
        self.authority.as_ref().expect("a gate with TLS").identity(name)
    }

    /// Sends a request.
    #[must_use]
    pub fn send(&self, request: &Request) -> Answer {
        self.send_as(request, None)
    }

    fn send_as(&self, request: &Request, client: Option<&Identity>) -> Answer {
        match &self.authority {
            Some(authority) => authority.send(request, self.envoy.address(), client),
            None => request.send(self.envoy.address()),
        }
    }

    /// Sends a request and reads the beginning of an answer that goes on.
    ///
    /// # Panics
    /// When it does not begin with 200.
    #[must_use]
    pub fn begin(&self, request: &Request) -> TcpStream {
        let mut connection = connect(self.envoy.address());
        connection.write_all(&request.bytes()).unwrap();
        let mut beginning = [0; 12];
        connection.read_exact(&mut beginning).unwrap();
        assert_eq!(&beginning, b"HTTP/1.1 200", "{request:?}");
        connection
    }

    /// The request is let through under its grant.
    pub fn allows(&self, request: &Request) -> Allowed {
        self.allows_as(request, None)
    }

    /// The same, for a client with a certificate.
    pub fn allows_as(&self, request: &Request, client: Option<&Identity>) -> Allowed {
        self.allows_because(request, client, "permit")
    }

    /// The request is let through although nobody knows whether its grant was revoked.
    pub fn allows_unverified(&self, request: &Request) -> Allowed {
        self.allows_because(request, None, "permit_unverified")
    }

    /// The request is let through because the approval service was asked: the feed is not fresh.
    pub fn allows_introspected(&self, request: &Request) -> Allowed {
        self.allows_because(request, None, "permit_introspected")
    }

    fn allows_because(
        &self,
        request: &Request,
        client: Option<&Identity>,
        reason: &str,
    ) -> Allowed {
        let answer = self.send_as(request, client);
        assert_eq!(answer.status, 200, "{request:?} is allowed, not {answer:?}");
        let seen = self.upstream.saw(&request.id).expect("the upstream sees an allowed request");
        let record = self.envoy.record(&request.id);
        assert_eq!(record.decision(), Some("allow"), "{}", record.line());
        let audit = audit(&record, "allow", reason, 200);
        assert_is_about(&audit, request);
        assert_eq!(seen.header("x-breakglass-grant"), audit.text_of("grant"));
        Allowed { answer, seen, audit }
    }

    /// The request is refused, with this status and for this reason.
    pub fn refuses(&self, request: &Request, status: u16, reason: &str) -> Refused {
        self.refuses_as(request, None, status, reason)
    }

    /// The same, for a client with a certificate.
    pub fn refuses_as(
        &self,
        request: &Request,
        client: Option<&Identity>,
        status: u16,
        reason: &str,
    ) -> Refused {
        let answer = self.send_as(request, client);
        let has_body = request.method() != "HEAD";
        let problem = if has_body { answer.json() } else { Value::Null };
        if has_body {
            assert_eq!(problem["reason"], reason, "{request:?} -> {answer:?}");
            assert_eq!(problem["type"], format!("urn:breakglass:reason:{reason}"));
            assert_eq!(problem["status"], status);
            assert_eq!(problem["request_id"], *request.id);
            assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        }
        assert_eq!(answer.status, status, "{request:?} -> {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_challenge(&answer, reason);
        assert!(self.upstream.saw(&request.id).is_none(), "the upstream saw {request:?}");
        let record = self.envoy.record(&request.id);
        assert_eq!(record.details(), format!("breakglass_{reason}"));
        assert_ne!(record.decision(), Some("allow"));
        let audit = audit(&record, "deny", reason, status);
        assert_is_about(&audit, request);
        Refused { answer, problem, audit }
    }

    /// The request passes as if there were no filter, and leaves no audit record.
    pub fn passes(&self, request: &Request) -> Passed {
        let answer = self.send(request);
        assert_eq!(answer.status, 200, "{request:?} passes, not {answer:?}");
        let seen = self.upstream.saw(&request.id).expect("the upstream sees a passing request");
        assert_eq!(seen.header("x-breakglass-grant"), None);
        let record = self.envoy.record(&request.id);
        assert_eq!(
            (record.decision(), record.audit().is_none()),
            (None, true),
            "{}",
            record.line()
        );
        Passed { answer, seen }
    }

    /// The worker that served so far still does, in the same VM.
    pub fn still_serves(&self) {
        self.allows(&get("/v1/orders").token(self.mint().sign()));
        self.has_its_first_vms();
    }

    /// No VM failed or was replaced: nothing that came so far made one fail.
    pub fn has_its_first_vms(&self) {
        // One that failed a moment ago is replaced with the next request only.
        assert!(!self.envoy.has_failed_vms(), "a VM has failed");
        assert_eq!(self.envoy.vm_reloads(), 0, "a VM had to be reloaded");
        // An update that is refused was tried in a VM of its own. In a shared Envoy other tests make VMs meanwhile.
        if let Some(vms) = self.vms.filter(|_| self.delivery == Delivery::Static) {
            assert_eq!(self.envoy.stats().vms_made(), vms, "a VM was made after the start");
        }
    }

    /// Waits until the filter has counted this decision this often.
    pub fn counts(&self, decision: &str, reason: &str, times: u64) {
        let what = format!("{times} times {decision} for {reason}");
        until(&what, || (self.envoy.stats().decisions(decision, reason) == times).then_some(()));
    }
}

/// The audit record, which has everything that every record has.
fn audit(record: &Record, decision: &str, reason: &str, status: u16) -> Audit {
    let line = record.line();
    let audit = record.audit().unwrap_or_else(|| panic!("an audit record in {line}")).clone();
    assert!(audit.is_complete(), "the members of a record, in order: {}", audit.text);
    assert_eq!(audit.text_of("decision"), Some(decision), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some(reason), "{}", audit.text);
    assert_eq!(audit.of("v"), 1);
    assert_eq!(audit.of("status"), status, "{}", audit.text);
    assert_eq!(record.status(), Some(status.into()));
    assert!(audit.text_of("time").is_some_and(|time| time.ends_with('Z')), "{}", audit.text);
    audit
}

fn assert_is_about(audit: &Audit, request: &Request) {
    assert_eq!(audit.text_of("request_id"), Some(&*request.id));
    assert_eq!(audit.text_of("method"), Some(request.method()));
    assert_eq!(audit.text_of("path"), Some(&*request.path()));
    // A host is recorded as it is compared: in lower case.
    assert_eq!(audit.text_of("host"), Some(&*request.authority().to_ascii_lowercase()));
}

/// The challenge that goes with a reason (RFC 6750 section 3, RFC 9470 section 3).
fn assert_challenge(answer: &Answer, reason: &str) {
    let challenge = answer.header("www-authenticate");
    // That of the source that is configured first.
    let scheme = challenge.and_then(|text| text.split(' ').next()).unwrap_or("Breakglass");
    assert!(["Breakglass", "Bearer"].contains(&scheme), "{scheme}");
    let bearer = format!(r#"{scheme} realm="breakglass""#);
    let expected = match (answer.status, reason) {
        (_, "token_missing") => bearer,
        (_, "step_up_required") => {
            let start = format!(r#"{bearer}, error="insufficient_user_authentication""#);
            assert!(challenge.is_some_and(|text| text.starts_with(&start)), "{challenge:?}");
            return;
        }
        (401, _) => {
            format!(r#"{bearer}, error="invalid_token", error_description="{reason}""#)
        }
        (403, _) => {
            let start =
                format!(r#"{bearer}, error="insufficient_scope", error_description="{reason}""#);
            // Where another scope would do, it is named (RFC 6750 section 3).
            let rest = challenge.and_then(|text| text.strip_prefix(&start));
            let is_scope = |rest: &str| rest.starts_with(", scope=\"") && rest.ends_with('"');
            assert!(rest.is_some_and(|rest| rest.is_empty() || is_scope(rest)), "{challenge:?}");
            return;
        }
        _ => {
            assert_eq!(challenge, None, "no challenge where no other token would help");
            return;
        }
    };
    assert_eq!(challenge, Some(&*expected));
}
