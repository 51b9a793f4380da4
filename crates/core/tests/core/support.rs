//! What the tests share: a configuration, a key that signs whatever it is given, and a worker that
//! is fed events.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use core::prelude::v1::test;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_core::audit::Outcome;
use breakglass_core::bodies::Traffic;
use breakglass_core::calls::{Answer, Call};
use breakglass_core::config::{Config, ConfigDigest, ConfigError};
use breakglass_core::headers::Headers;
use breakglass_core::instant::Instant;
use breakglass_core::sharing::{Board, Written};
use breakglass_core::step::Step;
use breakglass_core::worker::{Identity, Tick, Worker};
use breakglass_core::{Attributes, StreamState};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

/// The instant at which the tests happen, in seconds.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A signing key; the same number is the same key.
pub(crate) struct Key(SigningKey, String);

impl Key {
    pub(crate) fn new(number: u8) -> Key {
        let key = SigningKey::from_slice(&[number; 32]).unwrap();
        Key(key, format!("key-{number}"))
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.0.verifying_key().to_sec1_point(false);
        json!({"kty": "EC", "crv": "P-256", "kid": self.1, "alg": "ES256", "use": "sig",
            "x": b64(point.x().unwrap()), "y": b64(point.y().unwrap())})
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_text(claims.to_string().as_bytes())
    }

    /// A token whose payload is this text.
    pub(crate) fn sign_text(&self, claims: &[u8]) -> String {
        let header = json!({"alg": "ES256", "kid": self.1, "typ": "breakglass+jwt"});
        self.sign_parts(&header.to_string(), claims)
    }

    /// A token whose header and payload are these texts.
    pub(crate) fn sign_parts(&self, header: &str, claims: &[u8]) -> String {
        let input = format!("{}.{}", b64(header), b64(claims));
        let signature: Signature = self.0.sign(input.as_bytes());
        format!("{input}.{}", b64(signature.to_bytes()))
    }
}

/// `value` with the members of `changes` in place of its own; a null takes a member away.
pub(crate) fn with(mut value: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("an object") };
    for (name, change) in changes {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(&name)),
            change => value[name] = change,
        }
    }
    value
}

pub(crate) fn claims() -> Value {
    json!({"iss": "https://issuer.example", "sub": "alice", "aud": "payments-prod",
        "iat": NOW - 100, "exp": NOW + 800, "jti": "grant-1", "scope": "orders:read",
        "breakglass": {"reason": "pager", "incident": "INC-1", "approvers": ["bob"]}})
}

/// A configuration that decides without asking anybody.
pub(crate) fn config() -> Value {
    json!({
        "issuers": [{
            "issuer": "https://issuer.example", "audiences": ["payments-prod"],
            "jwks": {"inline": {"keys": [Key::new(1).jwk()]}},
        }],
        "scopes": [
            {"name": "orders:read", "methods": ["GET", "HEAD"],
             "paths": ["/v1/orders", "/v1/orders/{id}"]},
            {"name": "orders:write", "methods": ["POST"], "paths": ["/v1/orders"]},
        ],
        "revocation": {"on_unavailable": "allow"},
    })
}

/// The same, but the approval service is asked about each grant.
pub(crate) fn asking_config() -> Value {
    with(
        config(),
        json!({"revocation": {"introspection":
            {"cluster": "approvals", "authority": "approvals.internal", "path": "/oauth2/introspect"}}}),
    )
}

/// The same, but revocations come from the feed, and nobody is asked.
pub(crate) fn feeding_config() -> Value {
    with(
        config(),
        json!({"revocation": {
            "feed": {"cluster": "approvals", "authority": "approvals.internal",
                "path": "/v1/revocations"},
            "credential": {"env": "BREAKGLASS_PROXY_TOKEN"}}}),
    )
}

/// The same, but the heads of the audit chains are reported.
pub(crate) fn reporting_config() -> Value {
    let heads = json!({"cluster": "approvals", "authority": "approvals.internal",
        "path": "/v1/audit/heads"});
    with(
        config(),
        json!({"audit": {"heads": heads}, "revocation": {
        "on_unavailable": "allow", "credential": {"env": "BREAKGLASS_PROXY_TOKEN"}}}),
    )
}

/// The same, but alerts are reported.
pub(crate) fn alerting(config: Value) -> Value {
    let alerts = json!({"cluster": "approvals", "authority": "approvals.internal",
        "path": "/v1/alerts"});
    with(config, json!({ "alerts": alerts }))
}

/// The same, but the keys are fetched.
pub(crate) fn fetching_config() -> Value {
    with(
        config(),
        json!({"issuers": [{"issuer": "https://issuer.example", "audiences": ["payments-prod"],
            "jwks": {"remote": {"cluster": "approvals", "authority": "approvals.internal",
                "path": "/.well-known/jwks.json"}}}]}),
    )
}

pub(crate) fn parse(config: &Value) -> Result<Config, Vec<ConfigError>> {
    let environment = |name: &str| match name {
        "BREAKGLASS_PROXY_TOKEN" => Some("proxy-secret".to_owned()),
        "OTHER_PROXY_TOKEN" => Some("other-secret".to_owned()),
        _ => None,
    };
    Config::parse(config.to_string().as_bytes(), &environment)
}

/// A request and where it comes from.
pub(crate) struct Request {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) source: Option<&'static str>,
    pub(crate) route: Option<&'static str>,
    pub(crate) certificate: Option<String>,
    /// What is in the filter state of its stream: records, permits and marks, by their keys.
    pub(crate) state: HashMap<&'static str, Vec<u8>>,
    /// Envoy's id of its connection, and when it began.
    pub(crate) stream: Option<(u64, u64)>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Request {
        Request {
            headers: Vec::new(),
            source: Some("192.0.2.7:5555"),
            route: None,
            certificate: None,
            state: HashMap::new(),
            stream: Some((7, NOW * 1_000_000_000)),
        }
        .header(":method", method)
        .header(":path", path)
        .header(":authority", "orders.internal")
        .header("x-request-id", "request-1")
    }

    /// `GET /v1/orders` under a token.
    pub(crate) fn under(token: &str) -> Request {
        Request::new("GET", "/v1/orders").header("x-breakglass-token", token)
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Request {
        self.headers.push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }
}

impl Request {
    /// The same, with another value of a header that it has.
    pub(crate) fn replace(mut self, name: &str, value: &str) -> Request {
        let header = self.headers.iter_mut().find(|(found, _)| found == name.as_bytes());
        header.unwrap().1 = value.as_bytes().to_vec();
        self
    }

    /// The same, without the headers of these names.
    pub(crate) fn without(mut self, names: &[String]) -> Request {
        self.headers.retain(|(name, _)| !names.iter().any(|one| one.as_bytes() == name));
        self
    }

    pub(crate) fn headers(&self) -> Headers {
        Headers::from_pairs(self.headers.iter().map(|(name, value)| (&name[..], &value[..])))
    }
}

impl Attributes for Request {
    fn source_address(&self) -> Option<Vec<u8>> {
        self.source.map(|source| source.as_bytes().to_vec())
    }

    fn route_name(&self) -> Option<Vec<u8>> {
        self.route.map(|route| route.as_bytes().to_vec())
    }

    fn is_internal_redirect(&self) -> bool {
        false
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        self.certificate.clone().map(String::into_bytes)
    }
}

impl StreamState for Request {
    fn connection_id(&self) -> Option<u64> {
        self.stream.map(|(connection, _)| connection)
    }

    fn request_time(&self) -> Option<u64> {
        self.stream.map(|(_, began)| began)
    }

    fn has_record(&self) -> bool {
        self.state.contains_key("record")
    }

    fn has_permit(&self) -> bool {
        self.state.contains_key("decision")
    }

    fn mark(&self) -> Option<Vec<u8>> {
        self.state.get("mark").cloned()
    }

    fn listener(&self) -> Option<String> {
        Some("127.0.0.1:10000".into())
    }
}

/// A worker and its clock.
pub(crate) struct Stage {
    pub(crate) worker: Worker,
    pub(crate) board: Rc<Shelf>,
    /// The body bytes of all requests.
    pub(crate) traffic: Rc<Traffic>,
    pub(crate) now: Instant,
}

/// The board of one proxy.
#[derive(Default)]
pub(crate) struct Shelf(pub(crate) RefCell<HashMap<String, (Vec<u8>, u32)>>);

impl Board for Shelf {
    fn read(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().get(key).cloned()
    }

    fn write(&self, key: &str, value: &[u8], expected: Option<u32>) -> Written {
        let mut values = self.0.borrow_mut();
        let there = values.get(key).map(|(_, version)| *version);
        if expected != there {
            return Written::Conflict;
        }
        values.insert(key.to_owned(), (value.to_vec(), there.unwrap_or_default().wrapping_add(1)));
        Written::Done
    }
}

impl Shelf {
    /// Puts a value there, whatever is there: what another plugin can do.
    pub(crate) fn put(&self, key: &str, value: &[u8]) {
        let version = self.read(key).map(|(_, version)| version);
        assert_eq!(self.write(key, value, version), Written::Done);
    }

    /// The key of a value, by how it begins.
    pub(crate) fn key(&self, prefix: &str) -> Option<String> {
        self.0.borrow().keys().find(|key| key.starts_with(prefix)).cloned()
    }
}

impl Stage {
    pub(crate) fn new(config: &Value) -> Stage {
        Stage::beside(config, 1, &Rc::default())
    }

    /// One VM of several that share a board.
    pub(crate) fn beside(config: &Value, number: u8, board: &Rc<Shelf>) -> Stage {
        let board = Rc::clone(board);
        let text = config.to_string().into_bytes();
        let config = parse(config).unwrap_or_else(|errors| panic!("{errors:?}"));
        let identity = Identity {
            node: Some("edge-1".into()),
            id: [number; 16],
            version: "1.2.3",
            digest: ConfigDigest::of(&text),
        };
        let now = Instant::from_seconds(NOW);
        let worker = Worker::new(config, identity, now);
        let traffic = Rc::default();
        Stage { worker, board, traffic, now }
    }

    pub(crate) fn wait_millis(&mut self, millis: u64) {
        self.now = self.now.after(std::time::Duration::from_millis(millis));
    }

    pub(crate) fn request(&mut self, stream: u32, request: &Request) -> Step {
        let (headers, board) = (request.headers(), &*self.board);
        self.worker.request(stream, &headers, request, board, &self.traffic, self.now)
    }

    pub(crate) fn tick(&mut self) -> Tick {
        self.worker.tick(&*self.board, self.now)
    }

    /// The VM's configuration was replaced, and its last request is over. Whether it is over now.
    pub(crate) fn end(&mut self) -> bool {
        self.worker.end(&*self.board, self.now)
    }

    /// The requests that the next tick ends.
    pub(crate) fn ended(&mut self) -> Vec<(u32, Step)> {
        let steps = self.tick().steps.into_iter();
        steps.filter(|(_, step)| !matches!(step, Step::Note(_))).collect()
    }

    /// The one call that the next tick makes.
    pub(crate) fn call(&mut self) -> Call {
        let mut calls = self.tick().calls;
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }

    pub(crate) fn answer(&mut self, call: &Call, status: u16, body: &Value) -> Vec<(u32, Step)> {
        let body = body.to_string();
        let answer = Answer::Response { status, body: body.as_bytes() };
        self.worker.answer(call.id, &answer, self.now)
    }

    pub(crate) fn fail(&mut self, call: &Call) -> Vec<(u32, Step)> {
        self.worker.answer(call.id, &Answer::Failed, self.now)
    }

    pub(crate) fn logged(&mut self, stream: u32) -> Option<Value> {
        let outcome = || Outcome {
            status: Some(200),
            response_flags: Some(0),
            upstream: Some(b"198.51.100.1:80".to_vec()),
        };
        let record = self.worker.logged(stream, outcome, self.now)?;
        Some(serde_json::from_str(&record).unwrap())
    }
}

/// The reason code of a step, whichever way it went.
pub(crate) fn reason(step: &Step) -> String {
    let record = match step {
        Step::Pass(pass) => match &pass.record {
            None => return "no_token".into(),
            Some(record) => record.clone(),
        },
        Step::Permit(permit) => permit.record().clone(),
        Step::Refuse(refusal, text) => {
            let record: Value = serde_json::from_str(text).unwrap();
            assert_eq!(record["reason"], refusal.reason.code());
            text.clone()
        }
        Step::RefuseUnrecorded(refusal) => return refusal.reason.code().into(),
        Step::Probed(_) => return "probed".into(),
        Step::Note(record) => record.clone(),
        Step::Wait => return "wait".into(),
    };
    let record: Value = serde_json::from_str(&record).unwrap();
    record["reason"].as_str().unwrap().into()
}

/// Asserts that a request is refused, and why.
pub(crate) fn assert_refused(step: &Step, wanted: &str) {
    assert!(matches!(step, Step::Refuse(..)), "{wanted}: {step:?}");
    assert_eq!(reason(step), wanted);
}

/// Asserts that a request gets a permit.
pub(crate) fn assert_permitted(step: &Step) {
    assert!(matches!(step, Step::Permit(_)), "{step:?}");
}
