//! Does to the real service what an action says, through its interface.

use axum::body::Body;
use axum::http::Request;
use breakglass_server::config::Config;
use breakglass_server::domain::end_holders;
use breakglass_testing::service::{self, Service, token_of};
use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::action::{Action, Approval, Ask, SetClock, Shown, Target, place};
use crate::model::{BECAUSE, Model, Setup};

/// The service, and the ids that it has given.
pub(crate) struct Driver {
    pub service: Service,
    /// Requests in the order of submission, as an auditor sees them.
    pub views: Vec<Value>,
    /// Tokens, each with the number of its request.
    pub tokens: Vec<(usize, String)>,
}

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub answer: (u16, Option<String>),
    pub body: Value,
}

impl Driver {
    /// The service with what there is in its database already.
    pub(crate) async fn new(service: Service) -> Driver {
        let mut driver = Driver { service, views: Vec::new(), tokens: Vec::new() };
        driver.look().await;
        driver
    }

    /// Does it. `model` is the state before. Time and operators get no answer.
    pub(crate) async fn perform(&mut self, model: &Model, action: &Action) -> Option<Answered> {
        match action {
            Action::Wait(seconds) => self.service.advance(*seconds),
            Action::Clock(SetClock::Step(seconds)) => self.service.step(*seconds),
            Action::Clock(SetClock::Lose) => self.service.lose_the_clock(),
            Action::Clock(SetClock::Right) => self.service.set_clock(model.clock.believed),
            Action::Tick => self.service.tick().await,
            Action::Reload(reload) => {
                self.reconfigure(&Setup::of(*reload));
                end_holders(&self.service.app).await.unwrap();
            }
            call => {
                let answer = self.call(model, call).await;
                let reason = (!answer.status.is_success()).then(|| answer.refusal().1.to_owned());
                let answered = (answer.status.as_u16(), reason);
                return Some(Answered { answer: answered, body: answer.body });
            }
        }
        None
    }

    async fn call(&mut self, model: &Model, action: &Action) -> service::Answer {
        let because = json!({ "reason": BECAUSE });
        let say = json!({ "text": BECAUSE });
        match action {
            Action::Submit(by, ask) => self.submit(by, ask).await,
            Action::Question(by, on) => self.about(by, *on, "question", say).await,
            Action::Answer(by, on) => self.about(by, *on, "answer", say).await,
            Action::Approve(by, on, approval) => {
                let body = self.approval(model, *on, approval);
                self.about(by, *on, "approve", body).await
            }
            Action::Deny(by, on) => self.about(by, *on, "deny", because).await,
            Action::Cancel(by, on) => self.about(by, *on, "cancel", json!({})).await,
            Action::Token(by, on) => {
                let answer = self.about(by, *on, "token", json!({})).await;
                if let Some(token) = answer.body["token"].as_str() {
                    let request = place(*on, self.views.len()).unwrap();
                    self.tokens.push((request, token.to_owned()));
                }
                answer
            }
            Action::Revoke(by, on) => {
                let path = format!("/v1/grants/{}/revoke", self.grant(*on));
                self.service.post(by, &path, because).await
            }
            Action::Kill(by, target) => {
                let mut body = match target {
                    Target::Grant(on) => json!({ "grant": self.grant(*on) }),
                    Target::Subject(name) => json!({ "subject": name }),
                    Target::Incident(name) => json!({ "incident": name }),
                    Target::Scope(name) => json!({ "scope": name }),
                    Target::All => json!({ "all": true }),
                };
                body["reason"] = json!(BECAUSE);
                self.service.post(by, "/v1/revocations", body).await
            }
            other => panic!("no call: {other:?}"),
        }
    }

    pub(crate) fn reconfigure(&self, setup: &Setup) {
        let text = setup.text(&self.service.directory.path().display().to_string());
        self.service.app.reconfigure(Config::parse(&text).unwrap());
    }

    async fn submit(&self, by: &str, ask: &Ask) -> service::Answer {
        let mut body = json!({
            "scopes": ask.scopes, "reason": BECAUSE, "duration": format!("{}s", ask.duration_s),
            "incident": ask.incident, "emergency": ask.emergency,
        });
        if let Some(on) = ask.extends {
            body["extends"] = json!(self.id(on));
        }
        let mut request = Request::post("/v1/requests")
            .header("authorization", format!("Bearer {}", token_of(by)))
            .header("content-type", "application/json");
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        self.service.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    fn approval(&self, model: &Model, on: usize, approval: &Approval) -> Value {
        let request = place(on, model.requests.len());
        let asked = request.map_or(&[][..], |on| &model.requests[on].scopes);
        let digest = request.map_or(Value::Null, |on| self.views[on]["digest"].clone());
        let mut body = json!({});
        match approval.digest {
            Shown::Right => body["digest"] = digest,
            Shown::Other => body["digest"] = json!("0".repeat(64)),
            Shown::None => {}
        }
        if let Some(scopes) = approval.scopes.of(asked) {
            body["scopes"] = json!(scopes);
        }
        if let Some(seconds) = approval.duration_s {
            body["duration"] = json!(format!("{seconds}s"));
        }
        if let Some(note) = approval.note {
            body["note"] = json!(note);
        }
        body
    }

    async fn about(&self, by: &str, on: usize, verb: &str, body: Value) -> service::Answer {
        self.service.post(by, &format!("/v1/requests/{}/{verb}", self.id(on)), body).await
    }

    fn id(&self, on: usize) -> String {
        let view = place(on, self.views.len()).map(|on| &self.views[on]);
        view.map_or("req_unknown".to_owned(), |view| view["id"].as_str().unwrap().to_owned())
    }

    fn grant(&self, on: usize) -> String {
        let view = place(on, self.views.len()).map(|on| &self.views[on]);
        let grant = view.and_then(|view| view["grant"]["id"].as_str());
        grant.unwrap_or("grant_unknown").to_owned()
    }

    /// The database as another program sees it.
    pub(crate) async fn database(&self) -> SqlitePool {
        let path = self.service.app.config().database.display().to_string();
        SqlitePool::connect(&format!("sqlite://{path}")).await.unwrap()
    }

    /// Reads all requests as an auditor; new ones come last.
    pub(crate) async fn look(&mut self) {
        let page = self.service.get("grace", "/v1/requests?limit=200").await.ok();
        assert_eq!(page["next"], Value::Null);
        // The newest first, and by their ids those of one moment: one is submitted between two looks.
        let mut found: Vec<Value> = page["requests"].as_array().unwrap().clone();
        found.reverse();
        let place = |view: &Value| self.views.iter().position(|known| known["id"] == view["id"]);
        found.sort_by_key(|view| place(view).unwrap_or(usize::MAX));
        assert!(self.views.len() <= found.len(), "a request is gone");
        self.views = found;
    }
}
