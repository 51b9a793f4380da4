//! The service with this Keycloak as its identity provider, and people with a browser that is at both.

use std::collections::BTreeMap;
use std::fs;

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use breakglass_testing::keycloak::{Browser, Keycloak};
use breakglass_testing::service::{Answer, Service, config};
use breakglass_testing::sessions::{CHALLENGE, CLIENT, REDIRECT, VERIFIER, approving_by_token};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::person::now;

/// As the realm knows it.
const ISSUER: &str = "http://127.0.0.1:18090";

const SCOPES: &str = r#"
[[scopes]]
name = "payments:read"
audience = "prod"
requesters = ["/sre/payments"]
approvers = ["/approvers", "commanders"]
max_duration = "1h"
[[scopes]]
name = "payments:fix"
audience = "prod"
requesters = ["/sre/payments"]
approvers = ["/approvers", "commanders"]
max_duration = "1h"
sign_in = { activation = { level = "mfa", max_age = "5m" } }
"#;

/// How long an answer of the provider counts, in seconds: while it answers, and while it does not.
pub(crate) const AGE: i64 = 30;
pub(crate) const OUTAGE_AGE: i64 = 300;

/// The service.
pub(crate) struct Corp {
    pub(crate) service: Service,
    /// Up to when its clock went on with Keycloak's, in seconds.
    real: i64,
}

/// A person with a browser.
pub(crate) struct Person {
    pub(crate) browser: Browser,
    /// What the service had it keep.
    cookies: BTreeMap<String, String>,
}

/// What came of signing in.
pub(crate) struct SignedIn {
    pub(crate) tokens: Value,
    /// What Keycloak's pages asked for.
    pub(crate) asked: Vec<&'static str>,
}

fn real() -> i64 {
    i64::try_from(now().seconds()).unwrap()
}

/// A member of an answer, which is a text.
pub(crate) fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("{name}: {body}")).to_owned()
}

impl Corp {
    pub(crate) async fn start(keycloak: &Keycloak) -> Corp {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        fs::write(&secret, "s3cret-breakglass").unwrap();
        let base = approving_by_token(&config(&directory));
        let base = base.replacen("https://approvals.test", ISSUER, 1);
        let text = format!(
            "max_directory_age = \"{AGE}s\"\noutage_directory_age = \"{OUTAGE_AGE}s\"\n{base}{SCOPES}\n\
             [[identity_providers]]\nname = \"corp\"\nissuer = \"{}\"\nclient_id = \"breakglass\"\n\
             client_authentication.secret_file = \"{}\"\nalgorithms = [\"RS256\"]\nmay_approve = true\n\
             groups_absent = \"none\"\ntimeout = \"4s\"\n\
             levels.mfa = {{ acr_values = [\"mfa\"], counts = {{ acr = [\"mfa\"], amr = [\"otp\"] }} }}\n",
            keycloak.issuer("corp"),
            secret.display()
        );
        let real = real();
        Corp { service: Service::start_with(directory, &text, real).await, real }
    }

    /// The time that has passed at Keycloak passes here.
    fn catch_up(&mut self) {
        let now = real();
        self.service.advance(now.saturating_sub(self.real));
        self.real = now;
    }

    /// The person signs in as `breakglass login` has it, which asks for `more`.
    ///
    /// # Errors
    /// The error and the words with which the browser came back to the command line.
    pub(crate) async fn sign_in(
        &mut self,
        person: &mut Person,
        more: &[(&str, &str)],
    ) -> Result<SignedIn, (String, String)> {
        self.catch_up();
        let query = [
            ("client_id", CLIENT),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("state", "state-of-the-command-line"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let query = Serializer::new(String::new()).extend_pairs(query).extend_pairs(more).finish();
        let begun = person.get(&self.service, &format!("/oauth2/authorize?{query}")).await;
        let mut asked = Vec::new();
        let mut to = location(&begun);
        if !to.as_str().starts_with(REDIRECT) {
            let page = person.browser.visit(&to);
            let back = format!("{}?{}", page.callback.as_ref().unwrap().path(), page.query());
            asked = page.asked;
            to = location(&person.get(&self.service, &back).await);
        }
        assert!(to.as_str().starts_with(REDIRECT), "{to}");
        let said: BTreeMap<String, String> = to.query_pairs().into_owned().collect();
        assert_eq!(
            (said["iss"].as_str(), said["state"].as_str()),
            (ISSUER, "state-of-the-command-line")
        );
        match said.get("code") {
            Some(code) => {
                let form = [
                    ("grant_type", "authorization_code"),
                    ("client_id", CLIENT),
                    ("code", code),
                    ("redirect_uri", REDIRECT),
                    ("code_verifier", VERIFIER),
                ];
                let tokens = post(&self.service, "/oauth2/token", &form).await.ok();
                Ok(SignedIn { tokens, asked })
            }
            None => Err((said["error"].clone(), said["error_description"].clone())),
        }
    }

    /// A person of this session asks for access.
    pub(crate) async fn ask(&self, access: &str, scope: &str) -> Answer {
        let body = json!({ "scopes": [scope], "reason": "payments are stuck", "duration": "30m" });
        self.service.post(access, "/v1/requests", body).await
    }

    /// A request of this session's person, which carol has approved.
    pub(crate) async fn approved(&self, access: &str, scope: &str) -> String {
        let id = text(&self.ask(access, scope).await.ok(), "id");
        self.service.act("carol", &id, "approve").await.ok();
        id
    }
}

impl Person {
    pub(crate) fn new(browser: Browser) -> Person {
        Person { browser, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, service: &Service, path: &str) -> Answer {
        self.send(service, Request::get(path), String::new()).await
    }

    pub(crate) async fn post(
        &mut self,
        service: &Service,
        path: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(service, form_to(path), body).await
    }

    async fn send(&mut self, service: &Service, request: Builder, body: String) -> Answer {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let answer =
            service.send(request.header("cookie", cookies).body(Body::from(body)).unwrap()).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            self.cookies.insert(name.to_owned(), value);
        }
        answer
    }
}

/// A form that no browser sends.
pub(crate) async fn post(service: &Service, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    service.send(form_to(path).body(Body::from(body)).unwrap()).await
}

fn form_to(path: &str) -> Builder {
    Request::post(path).header("content-type", "application/x-www-form-urlencoded")
}

fn location(answer: &Answer) -> Url {
    let location = answer.headers.get("location");
    let location = location.unwrap_or_else(|| panic!("{answer:?}")).to_str().unwrap();
    Url::parse(location).unwrap()
}
