//! A provider that answers what a test says, over HTTP or TLS.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use breakglass_identity::{IdentityProvider, Provider};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{TestIssuer, provider};

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) has_certificate: bool,
}

/// Status, media type, body.
pub(crate) type Answer = (u16, &'static str, String);

#[derive(Default)]
struct Script {
    answers: BTreeMap<String, Answer>,
    requests: Vec<Request>,
    is_silent: bool,
}

pub(crate) struct FakeProvider {
    pub(crate) url: String,
    pub(crate) issuer: TestIssuer,
    script: Arc<Mutex<Script>>,
}

impl FakeProvider {
    pub(crate) fn start() -> FakeProvider {
        FakeProvider::serve("http://127.0.0.1", None)
    }

    /// One that speaks TLS.
    pub(crate) fn start_tls(config: ServerConfig) -> FakeProvider {
        FakeProvider::serve("https://localhost", Some(Arc::new(config)))
    }

    fn serve(base: &str, tls: Option<Arc<ServerConfig>>) -> FakeProvider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{base}:{}", listener.local_addr().unwrap().port());
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, script, tls) = (stream.unwrap(), Arc::clone(&shared), tls.clone());
                thread::spawn(move || serve_one(stream, tls, &script));
            }
        });
        let fake = FakeProvider { url, issuer: TestIssuer::new("k"), script };
        fake.answer_json("/.well-known/openid-configuration", 200, &fake.discovery());
        fake.answer_json("/jwks", 200, &fake.issuer.jwks());
        fake
    }

    /// Its discovery document.
    pub(crate) fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.url);
        json!({
            "issuer": self.url, "authorization_endpoint": at("/authorize?tenant=x"), "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"), "userinfo_endpoint": at("/userinfo"), "end_session_endpoint": at("/logout"),
            "authorization_response_iss_parameter_supported": true,
        })
    }

    pub(crate) fn answer_json(&self, path: &str, status: u16, body: &Value) {
        self.answer(path, (status, "application/json", body.to_string()));
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.script.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// The token endpoint gives an ID token with these claims, beside those that each has.
    pub(crate) fn answer_token(&self, claims: &Value, now: u64) {
        let mut all = json!({
            "iss": self.url, "aud": "breakglass", "sub": "alice", "iat": now, "exp": now + 60, "name": "Alice",
            "sid": "s-1", "groups": ["/sre"],
        });
        for (claim, value) in claims.as_object().unwrap() {
            all[claim] = value.clone();
        }
        let id_token = self.issuer.sign(&all);
        let body = json!({"access_token": "at-1", "token_type": "Bearer", "expires_in": "120", "id_token": id_token,
            "refresh_token": "rt-1"});
        self.answer_json("/token", 200, &body);
    }

    /// Takes connections, and answers nothing from now on.
    pub(crate) fn fall_silent(&self) {
        self.script.lock().unwrap().is_silent = true;
    }

    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let script = self.script.lock().unwrap();
        script.requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    pub(crate) fn entry(&self, more: &str) -> IdentityProvider {
        provider(&self.url, "breakglass", &format!("algorithms = ['ES256']\n{more}"))
    }

    /// A provider with its secret in `folder`.
    pub(crate) fn provider(&self, folder: &tempfile::TempDir, more: &str) -> Provider {
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "s3cret with / and é\n").unwrap();
        let mut entry = self.entry(more);
        entry.client_authentication = breakglass_identity::ClientAuthentication::Secret(secret);
        Provider::new(entry, random())
    }
}

/// Other bytes at each call, and the same in each test.
pub(crate) fn random() -> breakglass_identity::Randomness {
    let calls = Mutex::new(0_u8);
    Box::new(move || {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        [*calls; 32]
    })
}

fn serve_one(stream: TcpStream, tls: Option<Arc<ServerConfig>>, script: &Mutex<Script>) {
    match tls {
        None => {
            let reading = stream.try_clone().unwrap();
            exchange(BufReader::new(reading), stream, false, script);
        }
        Some(config) => {
            let mut stream = stream;
            let mut connection = ServerConnection::new(config).unwrap();
            // A client that does not trust it ends here.
            if connection.complete_io(&mut stream).is_err() {
                return;
            }
            let has_certificate = connection.peer_certificates().is_some();
            let mut stream = StreamOwned::new(connection, stream);
            let head = read_request(&mut BufReader::new(&mut stream));
            if let Some(request) = head {
                respond(&mut stream, Request { has_certificate, ..request }, script);
            }
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }
}

fn exchange(
    mut reading: impl BufRead,
    mut writing: impl Write,
    has_certificate: bool,
    script: &Mutex<Script>,
) {
    if let Some(request) = read_request(&mut reading) {
        respond(&mut writing, Request { has_certificate, ..request }, script);
    }
}

fn read_request(reading: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reading.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.split('?').next()?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reading.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reading.read_exact(&mut body).ok()?;
    let form = form_urlencoded::parse(&body).into_owned().collect();
    Some(Request { path, headers, form, has_certificate: false })
}

fn respond(writing: &mut impl Write, request: Request, script: &Mutex<Script>) {
    let (status, media_type, body) = {
        let mut script = script.lock().unwrap();
        let missing = (404, "text/plain", String::new());
        let answer = script.answers.get(&request.path).cloned().unwrap_or(missing);
        script.requests.push(request);
        if script.is_silent {
            drop(script);
            // The client gives up first.
            thread::park();
            return;
        }
        answer
    };
    let location = if status == 302 { format!("location: {body}\r\n") } else { String::new() };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n{location}connection: close\r\n\r\n"
    );
    let _ = writing.write_all(head.as_bytes());
    let _ = writing.write_all(body.as_bytes());
}
