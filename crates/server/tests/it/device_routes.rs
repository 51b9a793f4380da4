//! Signing in for a device over HTTP (RFC 8628): from its codes to its tokens, by the page in a browser elsewhere.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use breakglass_server::app::Configured;
use breakglass_server::config::Config;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::{Answer, START, Service, config};
use breakglass_testing::sessions::CLIENT;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::session_routes::text;

pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The address of the device, and that of the browser.
pub(crate) const DEVICE: &str = "192.0.2.7";
pub(crate) const BROWSER: &str = "198.51.100.9";

const MFA: &str =
    "[identity_providers.levels.mfa]\nacr_values = [\"mfa\"]\ncounts.amr = [\"otp\"]\n";

/// The text of a configuration with these providers, of which the people of the first may approve, and `top` fields.
fn configuration(
    providers: &[(&str, &TestProvider)],
    top: &str,
    base: &str,
    secret: &str,
) -> String {
    let mut text = format!("{top}\n{base}");
    for (index, (name, provider)) in providers.iter().enumerate() {
        let (first, other) = (index == 0, index != 0);
        let more = format!("may_approve = {first}\nqualify_groups = {other}\n{MFA}");
        text += &provider.entry(name, secret, &more);
    }
    text
}

pub(crate) async fn with(providers: &[(&str, &TestProvider)], top: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, TestProvider::secret()).unwrap();
    let base = config(&directory);
    let text = configuration(providers, top, &base, &secret.display().to_string());
    Service::start_with(directory, &text, START).await
}

/// The configuration is read again, with this at its top.
pub(crate) fn reconfigure(service: &Service, providers: &[(&str, &TestProvider)], top: &str) {
    let secret = service.directory.path().join("secret");
    let base = config(&service.directory);
    let text = configuration(providers, top, &base, &secret.display().to_string());
    service.app.reconfigure(Configured::from(Config::parse(&text).unwrap()));
}

/// A browser, or a device: an address, and cookies.
pub(crate) struct Client<'a> {
    service: &'a Service,
    address: SocketAddr,
    cookies: Vec<(String, String)>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(service: &'a Service, address: &str) -> Client<'a> {
        let address = SocketAddr::new(address.parse().unwrap(), 4711);
        Client { service, address, cookies: Vec::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert("cookie", cookies.join("; ").parse().unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(self.address));
        let answer = self.service.send(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, value) =
                cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    /// The page is opened, and the code typed.
    pub(crate) async fn type_code(&mut self, code: &str) -> Answer {
        let page = self.get("/device").await;
        assert_eq!(page.status, 200, "{page:?}");
        self.post("/device", &[("form", &form(&page)), ("code", code)]).await
    }

    /// The code is typed, and the person goes on to `provider`: where the browser is sent.
    pub(crate) async fn go_on(&mut self, code: &str, provider: &str) -> String {
        let shown = self.type_code(code).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        let onward = self.post("/device", &[("form", &form(&shown)), ("provider", provider)]).await;
        assert_eq!(onward.status, 200, "{onward:?}");
        let html = onward.body.as_str().unwrap();
        let link = html.split_once("<a href=\"").unwrap().1.split_once('"').unwrap().0;
        link.replace("&amp;", "&")
    }
}

/// The hidden field of a page.
pub(crate) fn form(page: &Answer) -> String {
    let html = page.body.as_str().unwrap();
    let value = html.split_once("name=\"form\" value=\"").unwrap_or_else(|| panic!("{html}")).1;
    value.split_once('"').unwrap().0.to_owned()
}

/// The codes of a device that asks for this besides.
pub(crate) async fn codes(service: &Service, more: &[(&str, &str)]) -> Value {
    let form = [&[("client_id", CLIENT)], more].concat();
    let mut device = Client::new(service, DEVICE);
    let answer = device.post("/oauth2/device_authorization", &form).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.ok()
}

/// The device asks for its tokens.
pub(crate) async fn poll(service: &Service, codes: &Value) -> Answer {
    let code = text(codes, "device_code");
    let form = [("grant_type", GRANT_TYPE), ("client_id", CLIENT), ("device_code", &code)];
    Client::new(service, DEVICE).post("/oauth2/token", &form).await
}

/// The word with which a poll is refused.
pub(crate) fn word(answer: &Answer) -> &str {
    assert_eq!(answer.status, 400, "{answer:?}");
    answer.body["error"].as_str().unwrap()
}

pub(crate) fn claims(subject: &str, groups: &[&str]) -> Value {
    json!({ "sub": subject, "groups": groups, "iat": START, "exp": START + 600 })
}

/// A person signs in for the device of these codes; returns the last page.
pub(crate) async fn sign_in(
    service: &Service,
    codes: &Value,
    (name, provider): (&str, &TestProvider),
    claims: Value,
) -> Answer {
    let mut browser = Client::new(service, BROWSER);
    let url = browser.go_on(&text(codes, "user_code"), name).await;
    let back = provider.sign_in(&url, claims);
    browser.get(&back).await
}

#[tokio::test]
async fn a_person_signs_in_for_a_device_and_the_trail_says_from_where() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let metadata = service.get("nobody", "/.well-known/oauth-authorization-server").await.ok();
    let endpoint = "https://approvals.test/oauth2/device_authorization";
    assert_eq!(metadata["device_authorization_endpoint"], endpoint);
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT_TYPE)));

    let codes = codes(&service, &[]).await;
    assert_eq!(codes["verification_uri"], "https://approvals.test/device");
    assert_eq!((&codes["expires_in"], &codes["interval"]), (&json!(300), &json!(5)));
    assert!(codes.get("verification_uri_complete").is_none(), "{codes}");
    assert!(text(&codes, "device_code").starts_with("breakglass_dc_"));
    assert_eq!(word(&poll(&service, &codes).await), "authorization_pending");
    service.advance(7);

    let mut browser = Client::new(&service, BROWSER);
    let shown = browser.type_code(&text(&codes, "user_code").to_lowercase()).await;
    let html = shown.body.as_str().unwrap();
    for part in [DEVICE, "2026-11-22T02:13:00Z, 7 s ago", CLIENT, "12 hours", "attack"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("<script"), "{html}");
    let url = browser.go_on(&text(&codes, "user_code"), "corp").await;
    assert_eq!(word(&poll(&service, &codes).await), "authorization_pending");
    let done = browser.get(&provider.sign_in(&url, claims("al-1", &["oncall"]))).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.body.as_str().unwrap().contains("corp:al-1"), "{done:?}");
    service.advance(5);
    let tokens = poll(&service, &codes).await.ok();
    assert_eq!(tokens["account"], "corp:al-1");
    service.advance(5);
    assert_eq!(word(&poll(&service, &codes).await), "invalid_grant");

    // A second use ends nothing.
    let access = text(&tokens, "access_token");
    let listed = service.get(&access, "/v1/sessions").await.ok();
    let machines = json!({ "source": DEVICE, "browser": BROWSER });
    assert_eq!(listed["sessions"][0]["device"], machines);
    assert_eq!(listed["sessions"][0].get("level"), None, "no level was asked for");
    let acts = service.app.store().acts(0, 1000).await.unwrap();
    let of = |action: &str| acts.iter().find(|act| act.action == action).unwrap().detail.clone();
    for action in ["signed_in", "session_began"] {
        assert_eq!(of(action)["device"], machines, "{action}");
    }
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let events = events["events"].as_array().unwrap();
    let began = events.iter().find(|one| one["type"] == "breakglass.session.began").unwrap();
    assert!(began.to_string().contains(BROWSER), "{began}");
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    assert_eq!(service.post(&access, "/v1/requests", body).await.ok()["requester"], "corp:al-1");
}

#[tokio::test]
async fn people_who_may_approve_do_not_sign_in_so_unless_the_configuration_says_it() {
    let (corp, partner) = (TestProvider::start(), TestProvider::start());
    let providers = [("corp", &corp), ("partner", &partner)];
    let service = with(&providers, "").await;
    let refused = codes(&service, &[]).await;
    let page = sign_in(&service, &refused, ("corp", &corp), claims("bo-1", &["commanders"])).await;
    assert_eq!(page.status, 403, "{page:?}");
    assert!(page.body.as_str().unwrap().contains("breakglass login"), "{page:?}");
    let answer = poll(&service, &refused).await;
    assert_eq!(word(&answer), "access_denied");
    assert!(text(&answer.body, "error_description").contains("approve"), "{answer:?}");
    // Nor do people of whom it is not known.
    let unknown = codes(&service, &[]).await;
    let mut said = claims("bo-2", &[]);
    said.as_object_mut().unwrap().remove("groups");
    sign_in(&service, &unknown, ("corp", &corp), said).await;
    assert_eq!(word(&poll(&service, &unknown).await), "access_denied");
    let attempts = crate::attempts::until(&service, |attempts| attempts.len() >= 2).await;
    assert_eq!(
        (&attempts[0]["reason"], &attempts[0]["caller"], &attempts[0]["source"]),
        (&json!("sign_in_refused"), &json!("corp:bo-1"), &json!(BROWSER))
    );
    let accounts = service.app.store().accounts_after("", 10).await.unwrap();
    assert_eq!(accounts, [], "who is refused leaves no account");

    // People of a provider whose people approve nothing may.
    let other = codes(&service, &[]).await;
    sign_in(&service, &other, ("partner", &partner), claims("bo-1", &["commanders"])).await;
    poll(&service, &other).await.ok();

    reconfigure(&service, &providers, "device_sign_in = \"everyone\"");
    let allowed = codes(&service, &[]).await;
    sign_in(&service, &allowed, ("corp", &corp), claims("bo-1", &["commanders"])).await;
    // It is judged again when the device takes the tokens.
    reconfigure(&service, &providers, "");
    assert_eq!(word(&poll(&service, &allowed).await), "access_denied");
    let attempts = crate::attempts::until(&service, |attempts| attempts.len() >= 3).await;
    assert_eq!(attempts[2]["endpoint"], "/oauth2/token", "{attempts:?}");
    reconfigure(&service, &providers, "device_sign_in = \"everyone\"");
    service.advance(10);
    assert_eq!(word(&poll(&service, &allowed).await), "access_denied", "what was refused stays so");
    let allowed = codes(&service, &[]).await;
    sign_in(&service, &allowed, ("corp", &corp), claims("bo-1", &["commanders"])).await;
    poll(&service, &allowed).await.ok();
}

#[tokio::test]
async fn a_group_that_was_gained_since_the_sign_in_counts() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let first = codes(&service, &[]).await;
    sign_in(&service, &first, ("corp", &provider), claims("al-1", &["oncall"])).await;
    // The person signs in elsewhere, and is an approver by now.
    crate::session_routes::sign_in(&service, &provider, claims("al-1", &["commanders"])).await;
    assert_eq!(word(&poll(&service, &first).await), "access_denied");
    // A provider that is taken out signs no person in.
    let second = codes(&service, &[]).await;
    sign_in(&service, &second, ("corp", &provider), claims("al-2", &["oncall"])).await;
    let other = TestProvider::start();
    reconfigure(&service, &[("other", &other)], "");
    assert_eq!(word(&poll(&service, &second).await), "access_denied");
    reconfigure(&service, &[("other", &other)], "device_sign_in = \"off\"");
    let form = [("client_id", CLIENT)];
    let answer = Client::new(&service, DEVICE).post("/oauth2/device_authorization", &form).await;
    assert_eq!(word(&answer), "unauthorized_client");
    assert_eq!(Client::new(&service, BROWSER).get("/device").await.status, 404);
    let metadata = service.get("nobody", "/.well-known/oauth-authorization-server").await.ok();
    assert_eq!(metadata.get("device_authorization_endpoint"), None);
}

#[tokio::test]
async fn a_level_and_an_account_are_asked_for_at_the_provider() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let more = [("level", "mfa"), ("max_age", "60"), ("account", "corp:al-1")];
    for (subject, amr, reached) in
        [("al-1", "otp", true), ("al-1", "pwd", false), ("al-2", "otp", false)]
    {
        let codes = codes(&service, &more).await;
        let mut browser = Client::new(&service, BROWSER);
        let url = browser.go_on(&text(&codes, "user_code"), "corp").await;
        let (_, query) = provider.asked(&url);
        assert_eq!((query["acr_values"].as_str(), query["max_age"].as_str()), ("mfa", "60"));
        let mut said = claims(subject, &["oncall"]);
        said["amr"] = json!([amr]);
        said["auth_time"] = json!(START);
        let page = browser.get(&provider.sign_in(&url, said)).await;
        assert_eq!(page.status, if reached { 200 } else { 403 }, "{page:?}");
        let answer = poll(&service, &codes).await;
        if reached {
            let access = text(&answer.ok(), "access_token");
            let listed = service.get(&access, "/v1/sessions").await.ok();
            assert_eq!(listed["sessions"][0]["level"], "mfa");
            assert_eq!(listed["sessions"][0]["factor"]["amr"], json!(["otp"]));
        } else {
            assert_eq!(word(&answer), "access_denied", "{subject} {amr}");
        }
    }
}

#[tokio::test]
async fn of_many_polls_at_once_one_gets_tokens() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let codes = codes(&service, &[]).await;
    sign_in(&service, &codes, ("corp", &provider), claims("al-1", &["oncall"])).await;
    let answers = join_all((0..50).map(|_| poll(&service, &codes))).await;
    let (good, bad): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status.is_success());
    assert_eq!(good.len(), 1);
    assert!(bad.iter().all(|answer| word(answer) == "slow_down"), "{bad:?}");
    service.get(&text(&good[0].body, "access_token"), "/v1/scopes").await.ok();
    service.advance(60);
    // A restart forgets the codes, and the database has them: a device code is still good for nothing else.
    let code = text(&codes, "device_code");
    assert_eq!(word(&crate::session_routes::exchange(&service, &code).await), "invalid_grant");
    service.get(&text(&good[0].body, "access_token"), "/v1/scopes").await.ok();
}

#[tokio::test]
async fn a_restart_makes_void_what_is_under_way() {
    let provider = TestProvider::start();
    let providers = [("corp", &provider)];
    let service = with(&providers, "").await;
    let codes = codes(&service, &[]).await;
    sign_in(&service, &codes, ("corp", &provider), claims("al-1", &["oncall"])).await;
    let service = service.restart(1).await;
    reconfigure(&service, &providers, "");
    assert_eq!(word(&poll(&service, &codes).await), "expired_token");
}
