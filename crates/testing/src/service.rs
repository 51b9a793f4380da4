//! The service in this process, with a clock that tests set.

use std::sync::{Arc, Mutex};

use crate::store::open;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use breakglass_server::app::{App, Configured};
use breakglass_server::auth::identity;
use breakglass_server::clock::{Clock, ClockUnknown, Moment};
use breakglass_server::config::Config;
use breakglass_server::definitions::Definitions;
use breakglass_server::domain;
use breakglass_server::evidence;
use breakglass_server::issuer::{FirstKey, Issuer, Rings};
use breakglass_server::key_schedule::PUBLISH_S;
use breakglass_server::metrics::Metrics;
use breakglass_server::random::Randomness;
use breakglass_server::routes::router;
use breakglass_server::session_token::ACCESS_PREFIX;
use breakglass_server::tasks::feed::keep_fresh;
use breakglass_server::tasks::readiness::keep_probing;
use breakglass_server::tasks::time::{stop, tick};
use breakglass_server::tasks::waits::keep_awake;
use breakglass_server::timekeeper::{ClockError, Timekeeper};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tower::ServiceExt;

/// 2026-11-22T02:13:00Z
pub const START: i64 = 1_795_313_580;

/// Everybody's API token is `token-` and their name.
const PEOPLE: &[(&str, &str)] = &[
    ("alice", r#"groups = ["oncall", "loners"]"#),
    ("bob", r#"groups = ["oncall", "commanders"]"#),
    ("carol", r#"groups = ["commanders"]"#),
    ("dave", r#"groups = ["dbas"]"#),
    ("erin", ""),
    ("frank", r#"groups = ["dbas", "commanders"]"#),
    ("grace", r#"groups = ["auditors"]"#),
];

const SCOPES: &str = r#"
[[scopes]]
name = "orders:read"
audience = "prod"
requesters = ["oncall"]
approvers = ["commanders"]
max_duration = "1h"
[[scopes]]
name = "orders:write"
audience = "prod"
requesters = ["oncall"]
approvers = ["commanders"]
max_duration = "30m"
[[scopes]]
name = "db:admin"
audience = "prod"
requesters = ["oncall"]
approvers = ["dbas"]
max_duration = "1h"
[[scopes]]
name = "staging:read"
audience = "staging"
requesters = ["oncall"]
approvers = ["commanders"]
max_duration = "1h"
[[scopes]]
name = "lonely"
audience = "prod"
requesters = ["loners"]
approvers = ["loners"]
max_duration = "1h"
"#;

/// The API token of a person or a proxy.
pub fn token_of(name: &str) -> String {
    format!("token-{name}")
}

/// The configuration that all tests share.
pub fn config(directory: &TempDir) -> String {
    let entry = |kind: &str, name: &str, rest: &str| {
        let sha256: String = breakglass_server::auth::identity::digest(&token_of(name))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("[[{kind}]]\nname = \"{name}\"\ntoken_sha256 = \"{sha256}\"\n{rest}\n")
    };
    let people: String = PEOPLE
        .iter()
        .map(|(name, groups)| entry("people", name, &format!("{groups}\nroles = [\"oncall\"]")))
        .collect();
    format!(
        "listen = \"127.0.0.1:0\"\nissuer = \"https://approvals.test\"\n\
         database = \"{at}/approvals.db\"\nkey_directory = \"{at}/keys\"\n\
         pending_lifetime = \"10m\"\nauditors = [\"auditors\"]\nmax_pending_requests = 1000\n\
         {people}{proxy}{SCOPES}",
        at = directory.path().display(),
        proxy = entry("proxies", "envoy", "audiences = [\"prod\", \"staging\"]"),
    )
}

/// Two clocks of one machine that stand still until they are told otherwise.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<Clocks>>);

#[derive(Clone, Copy)]
struct Clocks {
    /// In milliseconds; nothing for a clock that says nothing.
    wall: Option<i64>,
    steady: i64,
    boot: u32,
}

/// When the machine of all tests was booted, by a clock that is right.
const BOOTED_MS: i64 = (START - 1_000_000) * 1000;

impl TestClock {
    /// The clocks of a machine whose wall clock is right and says `now`.
    pub fn new(now: i64) -> TestClock {
        let wall = now * 1000;
        let clocks = Clocks { wall: Some(wall), steady: wall - BOOTED_MS, boot: 1 };
        TestClock(Arc::new(Mutex::new(clocks)))
    }

    fn set(&self, change: impl FnOnce(&mut Clocks)) {
        change(&mut self.0.lock().unwrap());
    }
}

impl Clock for TestClock {
    fn now(&self) -> Result<Moment, ClockUnknown> {
        self.0.lock().unwrap().wall.map(Moment::from_millis).ok_or(ClockUnknown)
    }

    fn steady(&self) -> i64 {
        self.0.lock().unwrap().steady
    }

    fn boot(&self) -> Option<String> {
        Some(self.0.lock().unwrap().boot.to_string())
    }
}

/// The service.
pub struct Service {
    pub app: App,
    pub directory: TempDir,
    clock: TestClock,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The status and the reason word of a refusal.
    pub fn refusal(&self) -> (u16, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let reason = self.body["reason"].as_str().unwrap();
        assert_eq!(self.body["type"], format!("urn:breakglass:reason:{reason}"));
        assert_eq!(self.body["status"], self.status.as_u16());
        assert!(!self.body["detail"].as_str().unwrap().is_empty());
        (self.status.as_u16(), reason)
    }

    /// The body of an answer that is not a refusal.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }
}

impl Service {
    pub async fn start() -> Service {
        Service::start_in(tempfile::tempdir().unwrap()).await
    }

    pub async fn start_in(directory: TempDir) -> Service {
        let text = config(&directory);
        Service::start_with(directory, &text, START).await
    }

    /// The service at `now` with this configuration on what an earlier one left in `directory`.
    pub async fn start_with(directory: TempDir, config: &str, now: i64) -> Service {
        Service::start_by(directory, config, TestClock::new(now), false).await.unwrap()
    }

    /// The service with these clocks, by `--accept-clock` or without it.
    async fn start_by(
        directory: TempDir,
        config: &str,
        clock: TestClock,
        accept: bool,
    ) -> Result<Service, ClockError> {
        let digest = identity::digest(config).iter().map(|byte| format!("{byte:02x}")).collect();
        let config = Config::parse(config).unwrap();
        let store = open(&config.database).await.unwrap();
        let timekeeper = Timekeeper::open(Box::new(clock.clone()), &store, accept).await?;
        let now = timekeeper.now();
        let randomness = Randomness::from_seed(now.millis().unsigned_abs());
        let first = FirstKey { now, publish_s: PUBLISH_S, randomness: &randomness };
        let issuer = Issuer::new(&config.issuer, Rings::open(config.key_rings(), first).unwrap());
        let metrics = Metrics::new().unwrap();
        let definitions = Definitions::read(directory.path(), &config.definitions).unwrap();
        let configured = Configured { config, definitions, digest: Some(digest) };
        let app = App::new(configured, store, issuer, timekeeper, randomness, metrics);
        domain::sessions::load(&app).await.unwrap();
        // A test can start the service on a file that cannot be opened.
        let _ = app.evidence().open().await;
        tokio::spawn(evidence::keep(app.clone()));
        tokio::spawn(keep_fresh(app.clone()));
        tokio::spawn(keep_probing(app.clone()));
        tokio::spawn(keep_awake(app.clone()));
        tick(&app).await;
        Ok(Service { app, directory, clock })
    }

    /// The time passes.
    pub fn advance(&self, seconds: i64) {
        self.clock.set(|clocks| {
            clocks.steady += seconds * 1000;
            clocks.wall = clocks.wall.map(|wall| wall + seconds * 1000);
        });
    }

    /// The wall clock is set by so much, and no time passes.
    pub fn step(&self, seconds: i64) {
        self.step_ms(seconds * 1000);
    }

    pub fn step_ms(&self, millis: i64) {
        self.clock.set(|clocks| clocks.wall = clocks.wall.map(|wall| wall + millis));
    }

    /// The wall clock is set to this, in seconds.
    pub fn set_clock(&self, now: i64) {
        self.clock.set(|clocks| clocks.wall = Some(now * 1000));
    }

    pub fn lose_the_clock(&self) {
        self.clock.set(|clocks| clocks.wall = None);
    }

    /// What the service does each second.
    pub async fn tick(&self) {
        tick(&self.app).await;
    }

    /// The service is stopped and started again, `seconds` later on the same boot.
    pub async fn restart(self, seconds: i64) -> Service {
        self.advance(seconds);
        self.start_again(false).await.unwrap()
    }

    /// The same with `--accept-clock`.
    pub async fn restart_accepting(self) -> Result<Service, ClockError> {
        self.start_again(true).await
    }

    /// The machine is started anew: `seconds` later its steady clock begins again, and its wall clock is off by
    /// so much.
    pub async fn reboot(self, seconds: i64, off: i64) -> Service {
        self.advance(seconds);
        self.step(off);
        self.clock.set(|clocks| {
            clocks.steady = 5_000;
            clocks.boot += 1;
        });
        self.start_again(false).await.unwrap()
    }

    async fn start_again(self, accept: bool) -> Result<Service, ClockError> {
        stop(&self.app).await;
        self.app.store().close().await;
        let text = config(&self.directory);
        Service::start_by(self.directory, &text, self.clock, accept).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = router(self.app.clone(), &Handle::current()).oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if headers.get("content-type").is_some_and(|one| one == "text/event-stream") {
            // It has no end for which a test would wait.
            return Answer { status, headers, body: Value::Null };
        }
        let bytes = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8(bytes.to_vec()).unwrap()));
        Answer { status, headers, body }
    }

    pub async fn get(&self, who: &str, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", bearer(who));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        let request = Request::post(path)
            .header("authorization", bearer(who))
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn form(&self, who: &str, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("authorization", bearer(who))
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// A pending request of alice's for `orders:read`, for 30 minutes.
    pub async fn pending(&self) -> String {
        self.pending_for(&["orders:read"]).await
    }

    pub async fn pending_for(&self, scopes: &[&str]) -> String {
        let body = json!({ "scopes": scopes, "reason": "orders are stuck", "duration": "30m" });
        let view = self.post("alice", "/v1/requests", body).await.ok();
        view["id"].as_str().unwrap().to_owned()
    }

    /// The ids of a request of alice's that carol has approved, and of its grant.
    pub async fn approved(&self) -> (String, String) {
        let id = self.pending().await;
        let view = self.act("carol", &id, "approve").await.ok();
        (id, view["grant"]["id"].as_str().unwrap().to_owned())
    }

    /// `POST /v1/requests/{id}/{verb}`; an approval is of the request as it is.
    pub async fn act(&self, who: &str, id: &str, verb: &str) -> Answer {
        let body = match verb {
            "approve" => json!({ "digest": self.digest(id).await }),
            _ => json!({ "reason": "because" }),
        };
        self.post(who, &format!("/v1/requests/{id}/{verb}"), body).await
    }

    /// The digest of a request; of one that there is not, another one's.
    pub async fn digest(&self, id: &str) -> String {
        let request = self.app.store().request(self.app.now(), id).await.unwrap();
        request.map(|request| request.digest()).unwrap_or_else(|| "0".repeat(64))
    }

    pub async fn revoke(&self, who: &str, jti: &str) -> Answer {
        let body = json!({ "reason": "laptop lost" });
        self.post(who, &format!("/v1/grants/{jti}/revoke"), body).await
    }

    /// `GET /v1/revocations` as the proxy.
    pub async fn feed(&self, query: &str) -> Answer {
        self.get("envoy", &format!("/v1/revocations{query}")).await
    }

    /// `POST /v1/revocations`, with a reason.
    pub async fn kill(&self, who: &str, mut what: Value) -> Answer {
        what["reason"] = json!("keys leaked");
        self.post(who, "/v1/revocations", what).await
    }

    /// Waits until the service says whether it is ready.
    pub async fn until_ready(&self, ready: bool) {
        for _ in 0..200 {
            if self.get("nobody", "/readyz").await.status.is_success() == ready {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("ready is not {ready} after 20 s");
    }

    /// The value of a counter or gauge.
    pub async fn counter(&self, name: &str) -> i64 {
        let text = self.get("nobody", "/metrics").await.ok();
        let text = text.as_str().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or("0").parse().unwrap()
    }

    /// The id of a grant of alice's to these scopes, approved by this person.
    pub async fn grant(&self, approver: &str, scopes: &[&str]) -> String {
        let id = self.pending_for(scopes).await;
        let view = self.act(approver, &id, "approve").await.ok();
        view["grant"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn introspect(&self, token: &str) -> Value {
        self.form("envoy", "/oauth2/introspect", &format!("token={token}")).await.ok()
    }

    /// A token of a grant of alice's.
    pub async fn token(&self, id: &str) -> String {
        self.act("alice", id, "token").await.ok()["token"].as_str().unwrap().to_owned()
    }

    /// The database as somebody with the file sees it.
    pub async fn database(&self) -> SqlitePool {
        let path = self.directory.path().join("approvals.db");
        SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap()
    }

    /// The evidence database as somebody with the file sees it.
    pub async fn evidence(&self) -> SqlitePool {
        let path = self.directory.path().join("approvals-evidence.db");
        SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap()
    }

    /// The trail: who did what.
    pub async fn trail(&self) -> Vec<(String, String)> {
        sqlx::query_as("SELECT actor, action FROM audit ORDER BY seq")
            .fetch_all(&self.database().await)
            .await
            .unwrap()
    }
}

/// `who` is a person or a proxy of the configuration, or an access token of a session.
fn bearer(who: &str) -> String {
    if who.starts_with(ACCESS_PREFIX) {
        return format!("Bearer {who}");
    }
    format!("Bearer {}", token_of(who))
}
