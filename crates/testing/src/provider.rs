//! A small OpenID provider on a loopback port: what people do at its pages a test says, and what it signs is signed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

const CLIENT: &str = "breakglass";
const SECRET: &str = "s3cret";

pub struct TestProvider {
    pub issuer: String,
    state: Arc<Mutex<State>>,
}

struct State {
    issuer: String,
    key: EcdsaKeyPair,
    codes: BTreeMap<String, Code>,
    exchanges: Vec<String>,
    people: BTreeMap<String, Person>,
    refreshes: Vec<String>,
    away: Away,
    page: Page,
}

/// What its page does with a browser.
enum Page {
    /// Nothing: the test says what comes of it.
    Test,
    /// The person of these claims is signed in at once.
    Person(Value),
    /// The person, or the provider, declines with this error.
    Declines(String),
}

/// What a refresh answers about a person. Each refresh token is good for one use.
struct Person {
    answer: Refreshing,
    /// The number of the refresh token that counts.
    current: u32,
}

/// What a refresh brings.
#[derive(Clone)]
pub enum Refreshing {
    /// A new ID token with these claims.
    Claims(Value),
    /// An error of OAuth.
    Error(&'static str),
}

/// How it is away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// It answers.
    No,
    /// It takes connections and answers nothing.
    Silent,
    /// It closes connections without an answer.
    Closes,
    /// It answers everything with this status.
    Status(u16),
}

struct Code {
    claims: Value,
    challenge: String,
    redirect_uri: String,
}

impl TestProvider {
    pub fn start() -> TestProvider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let state = State {
            issuer: issuer.clone(),
            key,
            codes: BTreeMap::new(),
            exchanges: Vec::new(),
            people: BTreeMap::new(),
            refreshes: Vec::new(),
            away: Away::No,
            page: Page::Test,
        };
        let state = Arc::new(Mutex::new(state));
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, state) = (connection.unwrap(), Arc::clone(&served));
                std::thread::spawn(move || serve(connection, &state));
            }
        });
        TestProvider { issuer, state }
    }

    /// An entry for the configuration.
    pub fn entry(&self, name: &str, secret_file: &str, more: &str) -> String {
        format!(
            "[[identity_providers]]\nname = \"{name}\"\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\n\
             client_authentication.secret_file = \"{secret_file}\"\nalgorithms = [\"ES256\"]\ntimeout = \"1s\"\n{more}\n",
            self.issuer
        )
    }

    pub fn secret() -> &'static str {
        SECRET
    }

    /// From now on it takes connections and answers nothing, but for its page.
    pub fn fall_silent(&self) {
        self.is(Away::Silent);
    }

    /// From now on it is away so, or is not.
    pub fn is(&self, away: Away) {
        self.state.lock().unwrap().away = away;
    }

    /// From now on a refresh answers this about the person.
    pub fn refreshes_to(&self, subject: &str, answer: Refreshing) {
        let mut state = self.state.lock().unwrap();
        let person = state.people.entry(subject.to_owned());
        let person = person.or_insert_with(|| Person { answer: answer.clone(), current: 0 });
        person.answer = answer;
    }

    /// A refresh token of the person, which makes all before it void.
    pub fn refresh_token(&self, subject: &str) -> String {
        let mut state = self.state.lock().unwrap();
        let unknown = Person { answer: Refreshing::Error("invalid_grant"), current: 0 };
        let person = state.people.entry(subject.to_owned()).or_insert(unknown);
        person.current += 1;
        format!("rt-{}-{subject}", person.current)
    }

    /// The subjects of all refreshes that it was asked for.
    pub fn refreshes(&self) -> Vec<String> {
        self.state.lock().unwrap().refreshes.clone()
    }

    /// From now on a browser that comes to its page is that of the person whom `claims` say, who signs in at once.
    pub fn let_in(&self, claims: Value) {
        self.state.lock().unwrap().page = Page::Person(claims);
    }

    /// From now on a browser that comes to its page is sent back with this error.
    pub fn refuse(&self, error: &str) {
        self.state.lock().unwrap().page = Page::Declines(error.to_owned());
    }

    /// How many codes were exchanged.
    pub fn exchanges(&self) -> usize {
        self.state.lock().unwrap().exchanges.len()
    }

    /// The person whom `claims` say signs in at the page that `url` is of: where the browser is sent then, as path and query.
    pub fn sign_in(&self, url: &str, claims: Value) -> String {
        let url = self.state.lock().unwrap().sign_in(url, claims);
        url[url::Position::BeforePath..].to_owned()
    }

    /// The person, or the provider, declines.
    pub fn decline(&self, url: &str, error: &str) -> String {
        let url = self.state.lock().unwrap().decline(url, error);
        url[url::Position::BeforePath..].to_owned()
    }

    /// Where the browser is to come back to, and what is asked.
    pub fn asked(&self, url: &str) -> (Url, BTreeMap<String, String>) {
        self.state.lock().unwrap().asked(url)
    }
}

impl State {
    fn sign_in(&mut self, url: &str, claims: Value) -> Url {
        let (mut at, query) = self.asked(url);
        let code = format!("code-{}", self.codes.len() + self.exchanges.len());
        let mut claims = claims;
        claims["nonce"] = query["nonce"].clone().into();
        let answer = format!("code={code}&state={}&iss={}", query["state"], self.issuer);
        let challenge = query["code_challenge"].clone();
        let redirect_uri = query["redirect_uri"].clone();
        self.codes.insert(code, Code { claims, challenge, redirect_uri });
        at.set_query(Some(&answer));
        at
    }

    fn decline(&self, url: &str, error: &str) -> Url {
        let (mut at, query) = self.asked(url);
        let (state, issuer) = (&query["state"], &self.issuer);
        let answer = format!("error={error}&error_description=no&state={state}&iss={issuer}");
        at.set_query(Some(&answer));
        at
    }

    fn asked(&self, url: &str) -> (Url, BTreeMap<String, String>) {
        let url = Url::parse(url).unwrap();
        assert_eq!(
            format!("{}{}", url.origin().ascii_serialization(), url.path()),
            format!("{}/authorize", self.issuer)
        );
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (query["client_id"].as_str(), query["code_challenge_method"].as_str()),
            (CLIENT, "S256")
        );
        (Url::parse(&query["redirect_uri"]).unwrap(), query)
    }

    /// Where its page sends a browser.
    fn page(&mut self, path: &str) -> Option<Url> {
        let url = format!("{}{path}", self.issuer);
        match &self.page {
            Page::Test => None,
            Page::Person(claims) => {
                let claims = claims.clone();
                Some(self.sign_in(&url, claims))
            }
            Page::Declines(error) => Some(self.decline(&url, error)),
        }
    }

    fn answer(
        &mut self,
        method: &str,
        path: &str,
        authorization: &str,
        body: &str,
    ) -> (u16, Value) {
        let issuer = &self.issuer;
        match (method, path) {
            ("GET", "/.well-known/openid-configuration") => (
                200,
                json!({
                    "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
                    "end_session_endpoint": format!("{issuer}/logout"),
                    "authorization_response_iss_parameter_supported": true,
                    "id_token_signing_alg_values_supported": ["ES256"], "response_types_supported": ["code"],
                }),
            ),
            ("GET", "/jwks") => {
                let point = self.key.public_key().as_ref();
                let (x, y) = (&point[1..33], &point[33..]);
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                (
                    200,
                    json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "x": x, "y": y}]}),
                )
            }
            ("POST", "/token") => self.token(authorization, body),
            _ => (404, json!({})),
        }
    }

    fn token(&mut self, authorization: &str, body: &str) -> (u16, Value) {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        if authorization != expected {
            return (401, json!({ "error": "invalid_client" }));
        }
        if form["grant_type"] == "refresh_token" {
            return self.refresh(&form["refresh_token"]);
        }
        let Some(code) = self.codes.remove(&form["code"]) else {
            return (400, json!({ "error": "invalid_grant" }));
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
        if (challenge, &form["redirect_uri"]) != (code.challenge, &code.redirect_uri) {
            return (400, json!({ "error": "invalid_grant" }));
        }
        self.exchanges.push(form["code"].clone());
        let token = self.sign(&code.claims);
        let mut answer = json!({ "access_token": "a", "token_type": "Bearer", "id_token": token });
        let subject = code.claims["sub"].as_str().unwrap_or_default();
        if let Some(person) = self.people.get_mut(subject) {
            person.current += 1;
            answer["refresh_token"] = format!("rt-{}-{subject}", person.current).into();
        }
        (200, answer)
    }

    fn refresh(&mut self, token: &str) -> (u16, Value) {
        let mut parts = token.splitn(3, '-').skip(1);
        let number: u32 = parts.next().unwrap().parse().unwrap();
        let subject = parts.next().unwrap().to_owned();
        self.refreshes.push(subject.clone());
        let void = (400, json!({ "error": "invalid_grant" }));
        let claims = match self.people.get_mut(&subject) {
            Some(person) if person.current == number => match person.answer.clone() {
                Refreshing::Error(error) => return (400, json!({ "error": error })),
                Refreshing::Claims(claims) => {
                    person.current += 1;
                    claims
                }
            },
            _ => return void,
        };
        let next = format!("rt-{}-{subject}", number + 1);
        let token = self.sign(&claims);
        (
            200,
            json!({ "access_token": "a", "token_type": "Bearer", "id_token": token, "refresh_token": next }),
        )
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "k"});
        let mut all = json!({ "iss": self.issuer, "aud": CLIENT });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", encode(&header), encode(&all));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn serve(mut connection: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    if path.starts_with("/authorize?")
        && let Some(to) = state.lock().unwrap().page(&path)
    {
        let head = format!(
            "HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let _ = connection.write_all(head.as_bytes());
        return;
    }
    let away = state.lock().unwrap().away;
    let body = String::from_utf8(body).unwrap();
    let (status, json) = match away {
        // Until the client lets go.
        Away::Silent => {
            let _ = reader.read(&mut [0]);
            return;
        }
        Away::Closes => return,
        Away::Status(status) => (status, json!({})),
        Away::No => state.lock().unwrap().answer(&method, &path, &authorization, &body),
    };
    let text = json.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    let _ = connection.write_all(format!("{head}{text}").as_bytes());
}
