//! A browser at the page on which a person types the code of a device, and goes on to sign in.

use breakglass_testing::provider::TestProvider;
use serde_json::Value;

/// The page, with what the browser keeps of it.
pub(crate) struct DevicePage {
    url: String,
    page: String,
    /// The cookie of the page, and that of the sign-in.
    cookies: Vec<String>,
}

impl DevicePage {
    /// Opens the page of the service at `url`.
    pub(crate) fn open(url: &str) -> DevicePage {
        let mut browser =
            DevicePage { url: url.to_owned(), page: String::new(), cookies: Vec::new() };
        browser.load("/device", None);
        browser
    }

    /// Types the code, and goes on to the provider of this name.
    pub(crate) fn go_on(&mut self, code: &str, provider: &str) {
        self.send(&format!("code={code}"));
        self.send(&format!("provider={provider}"));
    }

    /// The person whom `claims` say signs in at the provider, and comes back: what the page says then.
    pub(crate) fn sign_in(&mut self, provider: &TestProvider, claims: Value) -> String {
        let url = between(&self.page, "<a href=\"", "\"").replace("&amp;", "&");
        let back = provider.sign_in(&url, claims);
        self.load(&back, None);
        self.page.clone()
    }

    fn send(&mut self, more: &str) {
        let form = between(&self.page, "name=\"form\" value=\"", "\"").to_owned();
        self.load("/device", Some(&format!("form={form}&{more}")));
    }

    /// `GET`, or `POST` of this form.
    fn load(&mut self, path: &str, form: Option<&str>) {
        let url = format!("{}{path}", self.url);
        let cookie = self.cookies.join("; ");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut answer = match form {
            None => agent.get(url).header("cookie", cookie).call().unwrap(),
            Some(form) => agent
                .post(url)
                .header("cookie", cookie)
                .content_type("application/x-www-form-urlencoded")
                .send(form)
                .unwrap(),
        };
        for given in answer.headers().get_all("set-cookie") {
            let given = given.to_str().unwrap().split(';').next().unwrap();
            let name = given.split('=').next().unwrap();
            self.cookies.retain(|kept| kept.split('=').next() != Some(name));
            self.cookies.push(given.to_owned());
        }
        self.page = answer.body_mut().read_to_string().unwrap();
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{text}")).1;
    rest.split_once(after).unwrap().0
}
