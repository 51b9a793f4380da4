//! What people and proxies ask of the service with few and with many grants behind it, on two services at a
//! time, in turn; then what ten people who list in a loop cost those who introspect.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made must end, and real time is the point"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use breakglass_server::auth::identity::digest;
use breakglass_server::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use tempfile::TempDir;
use ureq::Agent;

/// The smaller number of grants.
const FEW: usize = 1000;

/// How often each thing is done.
const ROUNDS: usize = 300;

/// How often a median with many grants may be that with few.
const BAR: f64 = 2.0;

/// Who lists in a loop.
const LISTERS: usize = 10;

/// How long introspection is measured, without and with them.
const LOAD: Duration = Duration::from_secs(5);

/// What introspection may take meanwhile, at the 99th percentile.
const BAR_P99: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let many = numbers.next().unwrap_or(1_000_000);
    let services = [Service::start(FEW), Service::start(many)];
    let mut good = true;
    let mut times: Vec<(&str, [Vec<Duration>; 2])> = Vec::new();
    for round in 0..ROUNDS {
        // Who is first is so in every second round.
        for index in [round % 2, 1 - round % 2] {
            for (number, (what, time)) in services[index].round().into_iter().enumerate() {
                if times.len() <= number {
                    times.push((what, [Vec::new(), Vec::new()]));
                }
                times[number].1[index].push(time);
            }
        }
    }
    println!("{:34} {:>12} {:>12}   times", "median", FEW, many);
    for (what, [mut few, mut many]) in times {
        let (few, many) = (percentile(&mut few, 50), percentile(&mut many, 50));
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        good &= ratio <= BAR;
        println!("  {what:32} {few:>12.1?} {many:>12.1?}   {ratio:.2}");
    }
    for service in &services {
        let alone = service.introspections(0);
        let loaded = service.introspections(LISTERS);
        println!("introspection with {} grants:", service.grants);
        println!("  alone                   {alone}");
        println!("  {LISTERS} people list in a loop {loaded}");
        good &= loaded.p99 <= BAR_P99 && loaded.refused == 0;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

/// How introspections went.
struct Introspections {
    p50: Duration,
    p99: Duration,
    count: usize,
    refused: usize,
    lists: usize,
}

impl std::fmt::Display for Introspections {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Introspections { p50, p99, count, refused, lists } = self;
        write!(
            text,
            "p50 {p50:.1?}  p99 {p99:.1?}  {count} answered, {refused} refused, {lists} lists"
        )
    }
}

/// A running service with so many grants.
struct Service {
    grants: usize,
    child: Child,
    url: String,
    agent: Agent,
    _folder: TempDir,
}

impl Service {
    fn start(grants: usize) -> Service {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let at = |name: &str| folder.path().join(name);
        let start = Instant::now();
        tokio::runtime::Runtime::new().unwrap().block_on(fill(&at("approvals.db"), grants));
        let megabytes = fs::metadata(at("approvals.db")).unwrap().len() as f64 / 1e6;
        println!("{grants} grants, {megabytes:.0} MB, made in {:.1?}", start.elapsed());
        fs::write(at("config.toml"), config(folder.path())).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_breakglass"))
            .args(["serve", "--config"])
            .arg(at("config.toml"))
            .arg("--ready-file")
            .arg(at("ready"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !at("ready").exists() {
            thread::sleep(Duration::from_millis(10));
        }
        let url = fs::read_to_string(at("ready")).unwrap();
        Service { grants, child, url, agent: agent(), _folder: folder }
    }

    /// Does everything once.
    fn round(&self) -> Vec<(&'static str, Duration)> {
        let mut times = Vec::new();
        let mut timed = |what: &'static str, who: &str, path: &str, body: Option<Value>| {
            let start = Instant::now();
            let answer = self.ask(&self.agent, who, path, body).unwrap();
            times.push((what, start.elapsed()));
            answer
        };
        let ask = json!({ "scopes": ["orders:read", "orders:write"], "reason": "a measurement",
            "duration": "5m", "incident": "INC-1" });
        let asked = timed("submit", "alice", "/v1/requests", Some(ask));
        let id = asked["id"].as_str().unwrap();
        timed("show", "carol", &format!("/v1/requests/{id}"), None);
        let act = |verb: &str| format!("/v1/requests/{id}/{verb}");
        let approval = json!({ "digest": asked["digest"] });
        let approved = timed("approve", "carol", &act("approve"), Some(approval));
        let jti = approved["grant"]["id"].as_str().unwrap();
        let issued = timed("token", "alice", &act("token"), Some(json!({})));
        let token = json!(format!("token={}", issued["token"].as_str().unwrap()));
        timed("introspect", "envoy", "/oauth2/introspect", Some(token));
        timed("list", "carol", "/v1/requests", None);
        timed("list, an auditor", "grace", "/v1/requests", None);
        timed("list, own", "alice", "/v1/requests?mine=true", None);
        for (what, state) in [
            ("list, pending", "pending"),
            ("list, approved", "approved"),
            ("list, expired", "expired"),
            ("list, denied", "denied"),
            ("list, revoked", "revoked"),
        ] {
            timed(what, "carol", &format!("/v1/requests?state={state}"), None);
        }
        let middle = format!("/v1/requests?after=req_{:026}", self.grants / 2);
        timed("list, a page in the middle", "carol", &middle, None);
        for (what, about) in [
            ("evidence of a person", "subject=alice".to_owned()),
            ("evidence of an incident", "incident=INC-1".to_owned()),
            ("evidence of a grant", format!("grant={jti}")),
        ] {
            timed(what, "grace", &format!("/v1/audit/requests?{about}"), None);
        }
        let reason = json!({ "reason": "a measurement" });
        timed("revoke", "carol", &format!("/v1/grants/{jti}/revoke"), Some(reason));
        let all = json!({ "incident": "INC-1", "reason": "a measurement" });
        timed("kill switch", "carol", "/v1/revocations", Some(all));
        times
    }

    /// Introspects one after the other, while so many people list.
    fn introspections(&self, listers: usize) -> Introspections {
        let ask = json!({ "scopes": ["orders:read"], "reason": "a measurement", "duration": "5m" });
        let asked = self.ask(&self.agent, "alice", "/v1/requests", Some(ask)).unwrap();
        let act = |verb: &str| format!("/v1/requests/{}/{verb}", asked["id"].as_str().unwrap());
        let approval = json!({ "digest": asked["digest"] });
        self.ask(&self.agent, "carol", &act("approve"), Some(approval)).unwrap();
        let issued = self.ask(&self.agent, "alice", &act("token"), Some(json!({}))).unwrap();
        let token = json!(format!("token={}", issued["token"].as_str().unwrap()));
        let (stop, lists) = (AtomicBool::new(false), AtomicUsize::new(0));
        let list = || {
            let agent = agent();
            while !stop.load(Ordering::Relaxed) {
                // One that is refused was asked for.
                let _ = self.ask(&agent, "carol", "/v1/requests?limit=200", None);
                lists.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (mut times, mut refused) = (Vec::new(), 0);
        thread::scope(|scope| {
            for _ in 0..listers {
                scope.spawn(list);
            }
            let start = Instant::now();
            while start.elapsed() < LOAD {
                let asked = Instant::now();
                let answer =
                    self.ask(&self.agent, "envoy", "/oauth2/introspect", Some(token.clone()));
                match answer {
                    Some(answer) if answer["active"] == true => times.push(asked.elapsed()),
                    _ => refused += 1,
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        Introspections {
            p50: percentile(&mut times, 50),
            p99: percentile(&mut times, 99),
            count: times.len(),
            refused,
            lists: lists.into_inner(),
        }
    }

    fn ask(&self, agent: &Agent, who: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let url = format!("{}{path}", self.url);
        let bearer = format!("Bearer token-{who}");
        let answer = match body {
            None => agent.get(url).header("authorization", bearer).call(),
            Some(Value::String(form)) => agent
                .post(url)
                .header("authorization", bearer)
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form),
            Some(body) => agent.post(url).header("authorization", bearer).send_json(body),
        };
        answer.ok()?.body_mut().read_json().ok()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> Agent {
    Agent::new_with_defaults()
}

/// Puts requests into a new database, with their trail. Most were granted and have ended; of ten, one was
/// denied, one has lapsed, and one was revoked. A thousand are alice's, the others of a hundred people.
async fn fill(path: &Path, count: usize) {
    breakglass_testing::store::open(path).await.unwrap().close().await;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-400000");
    let database = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let now = SystemClock.now().unwrap().seconds();
    let statements = [
        "WITH RECURSIVE numbers (n) AS (
             SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
         INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes,
             reason, incident, emergency, duration_s, submitted_at, lapses_at)
         SELECT printf('req_%026d', n),
             CASE WHEN n % (?1 / 1000) = 0 THEN 'alice' ELSE 'person-' || (n % 100) END,
             '[\"oncall\"]', '[\"oncall\"]', 'prod',
             CASE n % 2 WHEN 0 THEN '[\"orders:read\"]' ELSE '[\"orders:read\",\"orders:write\"]' END,
             'the orders of the north are stuck again', 'INC-' || (n / 20 + 2), 0, 1800,
             ?2 - 100000 - (?1 - n) * 2, ?2 - 100000 - (?1 - n) * 2 + 900
         FROM numbers",
        "UPDATE requests SET denied_at = submitted_at + 1, denied_by = 'carol', denial_reason = 'no'
         WHERE rowid % 10 = 1 AND ?1 AND ?2",
        "INSERT INTO approvals (request_id, position, approver, approved_at_ms)
         SELECT id, 1, 'carol', (submitted_at + 1) * 1000 FROM requests
         WHERE rowid % 10 > 2 AND ?1 AND ?2",
        "UPDATE requests SET approved_at = submitted_at + 1, jti = 'grant' || id, granted_scopes = scopes,
             expires_at = submitted_at + 1 + duration_s
         WHERE rowid % 10 > 2 AND ?1 AND ?2",
        "INSERT INTO revocations (jti, revoked_at_ms, revoked_by, reason, expires_at)
         SELECT jti, approved_at * 1000 + 7, 'carol', 'done', expires_at FROM requests
         WHERE rowid % 10 = 3 AND ?1 AND ?2",
        "INSERT INTO audit (at_ms, actor, action, request_id, detail)
         SELECT submitted_at * 1000, requester, 'submit', id,
             json_object('scopes', json(scopes), 'reason', reason) FROM requests WHERE ?1 AND ?2",
        "INSERT INTO audit (at_ms, actor, action, request_id, jti, detail)
         SELECT approved_at * 1000, 'carol', 'approve', id, jti, '{}' FROM requests
         WHERE jti IS NOT NULL AND ?1 AND ?2",
    ];
    for statement in statements {
        let statement = sqlx::query(statement).bind(i64::try_from(count).unwrap()).bind(now);
        statement.execute(&database).await.unwrap();
    }
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&database).await.unwrap();
    database.close().await;
}

fn config(folder: &Path) -> String {
    let entry = |kind: &str, name: &str, groups: &str| {
        let sha256: String =
            digest(&format!("token-{name}")).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[{kind}]]\nname = \"{name}\"\ntoken_sha256 = \"{sha256}\"\n{groups}\n")
    };
    let scope = |name: &str| {
        format!(
            "[[scopes]]\nname = \"{name}\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
             approvers = [\"commanders\"]\nmax_duration = \"1h\"\n"
        )
    };
    format!(
        "listen = \"127.0.0.1:0\"\nissuer = \"https://approvals.test\"\n\
         database = \"{at}/approvals.db\"\nkey_directory = \"{at}/keys\"\n\
         auditors = [\"auditors\"]\n{}{}{}{}{}{}",
        entry("people", "alice", "groups = [\"oncall\"]"),
        entry("people", "carol", "groups = [\"commanders\"]"),
        entry("people", "grace", "groups = [\"auditors\"]"),
        entry("proxies", "envoy", ""),
        scope("orders:read"),
        scope("orders:write"),
        at = folder.display(),
    )
}
