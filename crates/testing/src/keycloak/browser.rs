//! A browser for Keycloak's pages: it keeps cookies, sends those for TLS on loopback too as browsers do, follows redirects
//! within Keycloak, and fills in forms.

use std::collections::BTreeMap;
use std::time::Duration;

use ureq::Agent;
use url::Url;
use url::form_urlencoded::Serializer;

use super::totp;

/// A browser of one person.
pub struct Browser {
    username: String,
    password: String,
    /// Of the one-time codes; a person without gets one from the page that enrols it.
    secret: Option<String>,
    cookies: BTreeMap<String, String>,
    agent: Agent,
}

/// Where a visit ended.
#[derive(Debug)]
pub struct Page {
    /// The status of the last answer.
    pub status: u16,
    /// What the person was asked for, in order: `password`, `otp`, `enrol`.
    pub asked: Vec<&'static str>,
    /// Where it led out of Keycloak: the callback.
    pub callback: Option<Url>,
    /// The last page.
    pub body: String,
}

impl Page {
    /// The query of the callback.
    ///
    /// # Panics
    /// Where it led to none.
    #[must_use]
    pub fn query(&self) -> &str {
        let callback = self.callback.as_ref();
        callback.unwrap_or_else(|| panic!("no callback: {self:?}")).query().unwrap()
    }
}

impl Browser {
    /// A browser of this person without any cookie.
    #[must_use]
    pub fn new(username: &str, password: &str, secret: Option<&str>) -> Browser {
        let agent =
            Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
        let agent = agent.timeout_global(Some(Duration::from_secs(30))).build().into();
        let secret = secret.map(str::to_owned);
        let (username, password) = (username.to_owned(), password.to_owned());
        Browser { username, password, secret, cookies: BTreeMap::new(), agent }
    }

    /// Opens a URL, and gives what the person is asked for, until it leads out of Keycloak or asks for nothing.
    ///
    /// # Panics
    /// Where an answer is not taken.
    pub fn visit(&mut self, url: &Url) -> Page {
        let mut asked = Vec::new();
        let (mut status, mut at, mut body) = self.go(url.clone(), None);
        // A person is asked for three things at most.
        for _ in 0..8 {
            if at.origin() != url.origin() {
                return Page { status, asked, callback: Some(at), body };
            }
            let Some((question, fields)) = self.answer_to(&body) else { break };
            assert!(asked.last() != Some(&question), "`{question}` was not taken: {body}");
            asked.push(question);
            let action = between(&body[body.find("<form").unwrap()..], "action=\"", "\"");
            let action = at.join(&action.unwrap().replace("&amp;", "&")).unwrap();
            let form = Serializer::new(String::new()).extend_pairs(fields).finish();
            (status, at, body) = self.go(action, Some(form));
        }
        Page { status, asked, callback: None, body }
    }

    /// What is asked on a page, and the fields that answer it.
    fn answer_to(&mut self, body: &str) -> Option<(&'static str, Vec<(&'static str, String)>)> {
        if let Some(input) = body.find("name=\"totpSecret\"") {
            let secret = between(&body[input..], "value=\"", "\"").unwrap().to_owned();
            self.secret = Some(secret.clone());
            let fields = vec![
                ("totp", totp(&secret)),
                ("totpSecret", secret),
                ("userLabel", "new".to_owned()),
            ];
            return Some(("enrol", fields));
        }
        if body.contains("name=\"otp\"") {
            return Some(("otp", vec![("otp", totp(self.secret.as_ref()?))]));
        }
        if body.contains("name=\"password\"") {
            let fields =
                vec![("username", self.username.clone()), ("password", self.password.clone())];
            return Some(("password", fields));
        }
        None
    }

    /// One request, and the redirects within the same origin.
    fn go(&mut self, url: Url, form: Option<String>) -> (u16, Url, String) {
        let (mut at, mut form) = (url.clone(), form);
        for _ in 0..16 {
            let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            let cookies = cookies.collect::<Vec<_>>().join("; ");
            let answer = match form.take() {
                Some(form) => {
                    let request = self.agent.post(at.as_str()).header("cookie", cookies);
                    request.header("content-type", "application/x-www-form-urlencoded").send(form)
                }
                None => self.agent.get(at.as_str()).header("cookie", cookies).call(),
            };
            let mut answer = answer.unwrap();
            for cookie in answer.headers().get_all("set-cookie") {
                self.keep(cookie.to_str().unwrap());
            }
            let status = answer.status().as_u16();
            let location = answer.headers().get("location").map(|url| url.to_str().unwrap());
            let Some(next) = location.map(|location| at.join(location).unwrap()) else {
                return (status, at, answer.body_mut().read_to_string().unwrap());
            };
            if next.origin() != url.origin() {
                return (status, next, String::new());
            }
            at = next;
        }
        panic!("too many redirects from {url}");
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').unwrap();
        match value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
            true => self.cookies.remove(name),
            false => self.cookies.insert(name.to_owned(), value.to_owned()),
        };
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}
