//! A server that is not our service, or one that answers what a test says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::process::{Ran, breakglass};

pub(crate) const REQUEST: &str = "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1";
/// A request whose grant holds.
pub(crate) const PARENT: &str = "req_01KAN5S3M0W8Z4T2C9X7Y6B5D0";
/// A session.
pub(crate) const SESSION: &str = "ses_01KAN5S3M0W8Z4T2C9X7Y6B5D4";
/// An event.
pub(crate) const REVIEW: &str = "rev_01KAN5S3M0W8Z4T2C9X7Y6B5D4";
pub(crate) const ROTATION: &str = "rot_01KAN5S3M0W8Z4T2C9X7Y6B5D3";
pub(crate) const EVENT: &str = "evt_0123456789abcdef0123456789abcdef";
/// A challenge.
pub(crate) const PROBE: &str = "prb_01KAN5S3M0W8Z4T2C9X7Y6B5D3";
/// A process.
pub(crate) const PROXY: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const GRANT: &str = "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D2";
pub(crate) const ENDS: &str = "2096-11-22T02:44:00Z";

/// What the command line asked.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// In lower case, with a line for each.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next() == Some(path)
    }
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// As our service would: the content type follows from the status.
    Json(u16, Value),
    /// Status, headers, body.
    Text(u16, &'static str, String),
    /// Exactly these bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// JSON of this many bytes, announced.
    Long(usize),
    /// A body without an end.
    Endless,
    /// A byte now and then.
    Slow,
}

impl Reply {
    fn send(self, connection: &mut TcpStream) -> std::io::Result<()> {
        let whole = |status: u16, headers: &str, body: &str| {
            format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
                body.len()
            )
        };
        let json = "content-type: application/json\r\n";
        match self {
            Reply::Json(status, body) if status < 400 => {
                connection.write_all(whole(status, json, &body.to_string()).as_bytes())
            }
            Reply::Json(status, body) => {
                let problem = "content-type: application/problem+json\r\n";
                connection.write_all(whole(status, problem, &body.to_string()).as_bytes())
            }
            Reply::Text(status, headers, body) => {
                connection.write_all(whole(status, headers, &body).as_bytes())
            }
            Reply::Bytes(bytes) => connection.write_all(&bytes),
            Reply::Long(bytes) => {
                write!(
                    connection,
                    "HTTP/1.1 200 X\r\n{json}content-length: {bytes}\r\n\r\n{{\"a\":\""
                )?;
                let chunk = vec![b'x'; 1 << 20];
                (0..bytes >> 20).try_for_each(|_| connection.write_all(&chunk))
            }
            Reply::Endless => {
                write!(connection, "HTTP/1.1 200 X\r\n{json}\r\n{{\"a\":\"")?;
                let chunk = vec![b'x'; 1 << 20];
                loop {
                    connection.write_all(&chunk)?;
                }
            }
            Reply::Slow => {
                write!(connection, "HTTP/1.1 200 X\r\n{json}\r\n{{\"a\":\"")?;
                loop {
                    connection.write_all(b"x")?;
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }
}

/// The server.
pub(crate) struct StandIn {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl StandIn {
    /// Answers each call by `answer`, which gets its number, from 0 on.
    pub(crate) fn start(answer: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&calls));
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                thread::spawn(move || {
                    let mut connection = connection.unwrap();
                    let Some(call) = read(&mut connection) else { return };
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(call.clone());
                        seen.len() - 1
                    };
                    // The command line may have gone away.
                    let _ = answer(number, &call).send(&mut connection);
                });
            }
        });
        StandIn { url, calls }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = breakglass();
        command.args(arguments.iter().map(|argument| match *argument {
            "URL" => self.url.as_str(),
            other => other,
        }));
        command.env("BREAKGLASS_URL", &self.url).env("BREAKGLASS_API_TOKEN", "token-alice");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }
}

fn read(connection: &mut TcpStream) -> Option<Call> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ');
            let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let call = Call { method, path, headers, body: body.to_owned() };
            let length = call.header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(call);
            }
        }
        match connection.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// A request in this state, as the service says it.
pub(crate) fn view(state: &str) -> Value {
    let refusal = json!({ "by": "carol", "at": "2026-11-22T02:20:00Z", "reason": "r" });
    let mut view = json!({
        "id": REQUEST, "state": state, "requester": "alice", "audience": "prod",
        "scopes": ["orders:read"], "reason": "r", "incident": null, "emergency": false,
        "duration": "30m", "submitted_at": "2026-11-22T02:13:00Z", "lapses_at": "2096-11-22T02:23:00Z",
    });
    let mut grant = json!({ "id": GRANT, "approved_by": "carol",
        "approved_at": "2026-11-22T02:14:00Z", "expires_at": ENDS });
    match state {
        "pending" => view["approvers"] = json!(["carol"]),
        "approved" | "active" | "expired" => view["grant"] = grant,
        "revoked" => {
            grant["revoked"] = refusal;
            view["grant"] = grant;
        }
        "denied" => view["denied"] = refusal,
        "cancelled" => view["cancelled_at"] = json!("2026-11-22T02:20:00Z"),
        _ => {}
    }
    view
}

/// A token in the form of ours, with these claims.
pub(crate) fn jws(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode([7; 64]))
}

pub(crate) fn issued() -> Value {
    // 2096-11-22T02:44:00Z
    let claims = json!({ "jti": GRANT, "exp": 4_004_390_640_i64 });
    json!({ "token": jws(&json!({ "alg": "ES256" }), &claims), "grant": GRANT, "scope": "orders:read",
        "audience": "prod", "expires_at": ENDS })
}

fn session(state: &str) -> Value {
    json!({ "id": SESSION, "account": "corp:al-1", "client": "breakglass-cli", "source": null, "state": state,
        "began_at": "2026-11-22T02:13:00Z", "used_at": "2026-11-22T02:20:00Z", "ends_at": ENDS, "current": false })
}

pub(crate) fn problem(status: u16, reason: &str) -> Reply {
    let document = json!({ "type": format!("urn:breakglass:reason:{reason}"), "title": "t",
        "status": status, "detail": format!("because of {reason}"), "reason": reason });
    Reply::Json(status, document)
}

/// A review in this state.
fn review(state: &str) -> Value {
    let mut review = json!({ "id": REVIEW, "state": state, "grant": GRANT, "request": REQUEST, "requester": "alice",
        "scopes": ["orders:read"], "rules": ["orders"], "needs_approval": false, "owed_at": ENDS, "due_at": ENDS });
    if state != "owed" {
        review["decision"] =
            json!({ "by": "frank", "at": ENDS, "digest": "ab".repeat(32), "note": "n" });
    }
    review
}

/// A rotation in this state.
fn rotation(state: &str) -> Value {
    json!({ "id": ROTATION, "state": state, "grant": GRANT, "request": REQUEST, "hook": "orders-credentials",
        "configured": true, "scopes": ["orders:read"], "owed_at": ENDS, "attempts": 3, "last_outcome": "status 500" })
}

/// What our service would answer.
pub(crate) fn good(call: &Call) -> Reply {
    let request = format!("/v1/requests/{REQUEST}");
    let act = |act: &str| call.is("POST", &format!("{request}/{act}"));
    let at = "2026-11-22T02:20:00Z";
    Reply::Json(
        200,
        if call.is("GET", "/v1/requests") {
            let state = call.path.split("state=").nth(1).and_then(|rest| rest.split('&').next());
            let state = state.unwrap_or("approved");
            let own = call.path.contains("mine=true") && state == "pending";
            json!({ "requests": if own { vec![] } else { vec![view(state)] } })
        } else if call.is("POST", "/v1/requests") {
            let asked: Value = serde_json::from_str(&call.body).unwrap();
            let mut view = view("pending");
            if let Some(parent) = asked.get("extends") {
                view["extends"] = json!({ "id": parent });
            }
            return Reply::Json(201, view);
        } else if call.is("GET", &format!("/v1/requests/{PARENT}")) {
            let mut view = view("active");
            view["id"] = json!(PARENT);
            view
        } else if act("question") || act("answer") {
            let said: Value = serde_json::from_str(&call.body).unwrap();
            let kind = if act("question") { "question" } else { "answer" };
            let mut view = view("pending");
            view["discussion"] =
                json!([{ "by": "carol", "at": at, "kind": kind, "text": said["text"] }]);
            view
        } else if call.is("GET", &request) {
            view(if call.path.contains("wait=") { "approved" } else { "pending" })
        } else if act("approve") {
            view("approved")
        } else if act("deny") {
            view("denied")
        } else if act("cancel") {
            view("cancelled")
        } else if act("token") {
            issued()
        } else if call.is("POST", &format!("/v1/grants/{GRANT}/revoke")) {
            json!({ "grant": GRANT, "revoked": { "by": "alice", "at": at, "reason": "r" },
                "epoch": 1, "expires_at": ENDS })
        } else if call.is("POST", "/v1/revocations") {
            json!({ "revoked": 1, "grants": [GRANT], "epoch": 1, "not_yours": 0, "look_alikes": [] })
        } else if call.is("GET", "/v1/proxies") {
            json!({ "epoch": 1, "since": at, "complete": true, "proxies": [
                { "node": "envoy-1", "proxy": "envoy", "epoch": 1, "last_seen": at, "stale_for_s": 0 }] })
        } else if call.is("POST", "/v1/probes") {
            json!({ "id": PROBE, "challenge": "YWE.YmI.Y2M", "header": "x-breakglass-probe",
                "expires_at": ENDS })
        } else if call.is("POST", &format!("/v1/probes/{PROBE}/answers")) {
            let asked: Value = serde_json::from_str(&call.body).unwrap();
            let verdict = |one: &Value| {
                json!({ "entrance": one["entrance"], "authority": one["authority"],
                    "verdict": "guarded", "received_as": one["authority"], "node": {
                        "id": PROXY, "node": "envoy-1", "proxy": "envoy", "version": "1.2.3",
                        "config": "0".repeat(64), "enforcement": "enforce", "epoch": 1,
                        "stale_for_s": 3, "alive": true } })
            };
            let verdicts: Vec<Value> =
                asked["answers"].as_array().unwrap().iter().map(verdict).collect();
            json!({ "id": PROBE, "epoch": 1, "verdicts": verdicts })
        } else if call.is("GET", "/v1/scopes/uses") {
            json!({ "scope": "orders:read", "since": at, "until": at, "grants": 4, "more": false, "used": 3,
                "other_records": 0, "rules": { "methods": ["GET", "HEAD"], "paths": ["/v1/orders", "/v1/orders/{id}"],
                    "require": { "max_lifetime": "900s" }, "v": 1 },
                "uses": [
                    { "scope": "orders:read", "method": "GET", "rule": "/v1/orders", "outcome": "allow", "records": 12 },
                    { "scope": "orders:read", "method": "HEAD", "rule": "/v1/orders", "outcome": "deny", "records": 2 },
                    { "scope": "orders:write", "method": "POST", "rule": "/v1/orders/{id}", "outcome": "allow",
                      "records": 1 }] })
        } else if call.is("GET", "/v1/scopes") {
            json!({ "for": { "method": "POST", "path": "/v1/orders" }, "scopes": [
                { "name": "orders:read", "summary": "read orders", "audience": "prod",
                  "max_duration": "1h", "may_request": true, "may_approve": false,
                  "approvers": ["bob", "carol"] },
                { "name": "db:admin", "summary": null, "audience": "staging", "max_duration": "30m",
                  "may_request": false, "may_approve": true, "approvers": [] }] })
        } else if call.is("GET", "/v1/whoami") {
            json!({ "name": "alice", "groups": { "state": "none", "names": [] }, "may_approve": true })
        } else if call.is("PUT", "/v1/whoami/notify") {
            json!({ "mail": false, "address": null })
        } else if call.is("GET", "/v1/sessions") {
            json!({ "sessions": [session("live")], "next": null })
        } else if call.is("POST", &format!("/v1/sessions/{SESSION}/end")) {
            session("ended")
        } else if call.is("GET", "/v1/directory/held-ends") {
            json!({ "held_ends": [{ "group": "corp:sre", "person": "corp:al-1", "since": at }] })
        } else if call.is("POST", "/v1/directory/held-ends/confirm") {
            json!({ "people": 1, "revoked": 2, "left": 0 })
        } else if call.is("GET", "/v1/audit/events") {
            match call.path.contains("after=") {
                true => json!({ "events": [], "next": "1.ev" }),
                false => json!({ "events": [{ "seq": 1, "id": "ev" }], "next": "1.ev" }),
            }
        } else if call.is("GET", "/v1/audit/heads") {
            json!({ "as_of": at, "heads": [], "next": null })
        } else if call.is("POST", &format!("/v1/proxies/{PROXY}/forget")) {
            json!({ "id": PROXY, "by": "alice",
                "forgotten": [{ "node": "envoy-1", "proxy": "envoy", "last_seen": at }] })
        } else if call.is("GET", "/v1/audit/attempts") {
            json!({ "next": null, "removed_before": null, "attempts": [
                { "id": 1, "at": at, "outcome": "refused", "caller": "alice", "kind": "person",
                  "source": "10.0.0.7", "method": "POST", "endpoint": "/v1/requests", "object": null,
                  "query": null, "status": 403, "reason": "not_a_requester", "count": 1 }] })
        } else if call.is("GET", "/v1/audit/alerts") {
            json!({ "next": null, "removed_before": null, "alerts": [
                { "place": 1, "id": "alert_1", "at": at, "seen_at": at, "type": "breakglass.alert.cut", "page": true,
                  "count": 1, "data": { "reported_by": "envoy", "proxy": "envoy", "node": "envoy-1", "class": "filter",
                  "alert": { "kind": "cut", "first": at, "last": at, "count": 1 } } }] })
        } else if call.is("GET", "/v1/deliveries") {
            json!({ "next": null, "sinks": [
                { "name": "oncall", "type": "slack", "circuit": "closed", "waiting": 0, "dead": 1 }],
                "deliveries": [
                { "event": EVENT, "sink": "oncall", "type": "breakglass.request.submitted", "severity": "notice",
                  "time": at, "request": REQUEST, "state": "dead", "attempts": 3, "queued_at": at, "ended_at": at,
                  "outcome": "status 500" }] })
        } else if call.is("POST", &format!("/v1/deliveries/{EVENT}/replay")) {
            json!({ "event": EVENT, "sinks": ["oncall"] })
        } else if call.is("GET", "/v1/reviews") {
            json!({ "next": null, "reviews": [review("owed")] })
        } else if call.is("GET", &format!("/v1/reviews/{REVIEW}")) {
            json!({ "review": review("owed"), "digest": "ab".repeat(32), "signable_by": "people", "signers": ["frank"],
                "granted": view("revoked"),
                "ended": { "how": "revoked", "at": at, "by": "carol", "reason": "it is over" },
                "approvals": [{ "by": "carol", "at": at, "groups": ["commanders"], "note": "reading only" }],
                "mutual_approvals": [{ "request": PARENT, "approver": "carol", "at": at }], "alerts": [] })
        } else if call.is("POST", &format!("/v1/reviews/{REVIEW}/sign")) {
            review("signed")
        } else if call.is("POST", &format!("/v1/reviews/{REVIEW}/dispute")) {
            review("disputed")
        } else if call.is("GET", &format!("/v1/grants/{GRANT}/uses")) {
            json!({ "grant": GRANT, "other_records": 0, "uses": [
                { "scope": "orders:read", "method": "GET", "rule": "/v1/orders/{id}", "outcome": "allow",
                  "records": 12 },
                { "method": "other", "outcome": "deny", "records": 3 }] })
        } else if call.is("GET", "/v1/rotations") {
            json!({ "next": null, "rotations": [rotation("failed")] })
        } else if call.is("POST", &format!("/v1/rotations/{ROTATION}/done")) {
            rotation("done")
        } else if call.is("POST", &format!("/v1/rotations/{ROTATION}/retry")) {
            rotation("owed")
        } else if call.is("GET", "/v1/audit/requests") {
            json!({ "next": null, "requests": [{ "request": view("approved"), "trail": [
                { "at": at, "actor": "alice", "action": "submit", "detail": {} }] }] })
        } else {
            return problem(404, "not_found");
        },
    )
}
