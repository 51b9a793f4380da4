//! The operations by which people sign in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use breakglass_testing::provider::{Refreshing, TestProvider};
use breakglass_testing::sessions::{CHALLENGE, CLIENT, REDIRECT, VERIFIER};
use serde_json::json;

use super::Caller;
use crate::device_page::DevicePage;

impl Caller<'_> {
    /// A person in these groups signs in with a browser, is asked about at the provider, goes on, and signs out.
    #[expect(
        clippy::disallowed_methods,
        reason = "the service judges the provider's word by real time"
    )]
    pub(super) fn sessions(&mut self, provider: &TestProvider, groups: &[&str]) {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build(),
        );
        let mut browse = |template: &str, path: &str, cookie: &str| {
            self.used.insert(format!("get {template}"));
            let url = format!("{}{path}", self.server.url);
            let answer = agent.get(url).header("cookie", cookie).call().unwrap();
            assert_eq!(answer.status(), 302, "{answer:?}");
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            (header("location"), header("set-cookie"))
        };
        let path = format!(
            "/oauth2/authorize?response_type=code&client_id={CLIENT}&redirect_uri={REDIRECT}&state=s\
             &code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let (page, cookie) = browse("/oauth2/authorize", &path, "");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims =
            json!({ "sub": "al-1", "name": "A", "groups": groups, "iat": now, "exp": now + 60 });
        provider.refreshes_to("al-1", Refreshing::Claims(claims.clone()));
        let asked = provider.refreshes().len();
        let back = provider.sign_in(&page, claims);
        let cookie = cookie.split(';').next().unwrap();
        let (answer, _) = browse("/signin/{provider}/callback", &back, cookie);
        let code = answer.split(['?', '&']).find_map(|part| part.strip_prefix("code=")).unwrap();
        let form = format!(
            "grant_type=authorization_code&client_id={CLIENT}&code={code}&redirect_uri={REDIRECT}\
             &code_verifier={VERIFIER}"
        );
        let tokens = self.post("nobody", "/oauth2/token", json!(form));
        // What the provider said is old after a second.
        while provider.refreshes().len() == asked {
            std::thread::sleep(Duration::from_millis(100));
            let url = format!("{}/v1/scopes", self.server.url);
            let token = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
            ureq::get(url).header("authorization", token).call().unwrap();
        }
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let form = format!("grant_type=refresh_token&client_id={CLIENT}&refresh_token={refresh}");
        // An answer that is lost is given again.
        for _ in 0..2 {
            self.post("nobody", "/oauth2/token", json!(form.clone()));
        }
        let access = tokens["access_token"].as_str().unwrap();
        self.get(access, "/v1/whoami", "");
        let path = "/v1/whoami/notify";
        self.call(access, "put", path, path, json!({ "mail": false }));
        self.used.insert("get /signin/{provider}/logout".to_owned());
        let page = format!("{}/signin/corp/logout", self.server.url);
        assert_eq!(agent.get(page).call().unwrap().status(), 302);
        self.get("alice", "/v1/sessions", "?after=ses_x");
        self.get("carol", "/v1/sessions", "?all=true");
        let id = tokens["session"].as_str().unwrap();
        let path = format!("/v1/sessions/{id}/end");
        self.call("carol", "post", "/v1/sessions/{id}/end", &path, json!({}));
        self.get("nobody", "/.well-known/oauth-authorization-server", "");
        self.get("carol", "/v1/directory/held-ends", "");
        self.post("carol", "/v1/directory/held-ends/confirm", json!({ "group": "oncall" }));
    }

    /// A person signs in for a device, with a browser elsewhere.
    #[expect(
        clippy::disallowed_methods,
        reason = "the service judges the provider's word by real time"
    )]
    pub(super) fn device(&mut self, provider: &TestProvider) {
        let form = json!(format!("client_id={CLIENT}"));
        let codes = self.post("nobody", "/oauth2/device_authorization", form);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({ "sub": "al-2", "groups": [], "iat": now, "exp": now + 60 });
        let mut browser = DevicePage::open(&self.server.url);
        browser.go_on(codes["user_code"].as_str().unwrap(), "corp");
        browser.sign_in(provider, claims);
        let used = ["get /device", "post /device", "get /signin/{provider}/callback"];
        self.used.extend(used.map(str::to_owned));
        let code = codes["device_code"].as_str().unwrap();
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let form = format!("grant_type={grant}&client_id={CLIENT}&device_code={code}");
        self.post("nobody", "/oauth2/token", json!(form));
    }
}
