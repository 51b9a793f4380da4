//! No statement of the service reads a whole table that grows: every one that it makes while every operation of
//! the interface is used, and those of the triggers, is explained by SQLite.

mod sign_in;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use regex_lite::Regex;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::process::{Server, breakglass};
use crate::review_deadline::let_pass;
use breakglass_server::session_token::ACCESS_PREFIX;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::{config, token_of};
use breakglass_testing::sessions::approving_by_token;

/// What may be scanned: JSON that came as a parameter, a table of one row or one row a sink, and what a query itself makes.
fn is_bounded(scan: &str, statement: &str) -> bool {
    let name = scan.split(' ').nth(1).unwrap();
    scan.contains("VIRTUAL TABLE")
        || scan == "SCAN CONSTANT ROW"
        || ["clock", "feed", "import", "positions", "retention", "sinks"].contains(&name)
        || statement.contains(&format!("WITH RECURSIVE {name} "))
        // What is read inside it is a scan of its own.
        || statement.contains(&format!(") AS {name}"))
        || name.starts_with('(')
}

/// A sink that takes nothing.
const SINK: &str = "[[sinks]]\nname = \"none\"\ntype = \"slack\"\nurl_file = \"/nonexistent\"\nretry_for = \"1s\"\n";

/// The channel of a group that approves nothing which is asked for: no approver is reached.
const CHANNEL: &str = "[[sinks]]\nname = \"dbas\"\ntype = \"slack\"\nurl_file = \"/nonexistent\"\napprover_groups = [\"dbas\"]\n";

/// A hook that takes nothing.
const RULE: &str = "[[approval_rules]]\nname = \"orders\"\nscopes = [\"orders:read\"]\nneed = [{ from = [\"commanders\"] }]\n\
     review = { within = \"1h\" }\n";
const HOOK: &str = "[[rotations]]\nname = \"none\"\nurl = \"http://127.0.0.1:9/\"\nsecret_file = \"/nonexistent\"\n";

/// Uses one operation after the other, and notes which.
struct Caller<'a> {
    server: &'a Server,
    used: BTreeSet<String>,
    calls: usize,
}

impl Caller<'_> {
    fn call(&mut self, who: &str, method: &str, template: &str, path: &str, body: Value) -> Value {
        self.used.insert(format!("{method} {template}"));
        self.calls += 1;
        let url = format!("{}{path}", self.server.url);
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder().http_status_as_error(false).build(),
        );
        let is_session = who.starts_with(ACCESS_PREFIX);
        let token = if is_session { who.to_owned() } else { token_of(who) };
        let token = format!("Bearer {token}");
        let answer = match (method, &body) {
            ("get", _) => agent.get(url).header("authorization", token).call(),
            (_, Value::String(form)) => agent
                .post(url)
                .header("authorization", token)
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form),
            ("put", _) => agent.put(url).header("authorization", token).send_json(&body),
            _ => agent
                .post(url)
                .header("authorization", token)
                .header("idempotency-key", self.calls.to_string())
                .send_json(&body),
        };
        let mut answer = answer.unwrap();
        let status = answer.status();
        let text = answer.body_mut().read_to_string().unwrap();
        // No proxy is silent for long enough here: what the refusal of that reads is read all the same.
        let refused = template.ends_with("/forget") && status == 404
            // Nor is any end held.
            || template.ends_with("/confirm") && status == 400;
        assert!(status.is_success() || refused, "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn get(&mut self, who: &str, template: &str, query: &str) -> Value {
        self.call(who, "get", template, &format!("{template}{query}"), Value::Null)
    }

    /// Reads a stream of events from the first on, until it is told one.
    fn watch(&mut self, who: &str) {
        self.used.insert("get /v1/events".to_owned());
        let events = self.get(who, "/v1/audit/events", "");
        let first = &events["events"][0];
        let first = format!("{}.{}", first["seq"], first["id"].as_str().unwrap());
        for query in [String::new(), format!("?after={first}~0")] {
            let answer = ureq::get(format!("{}/v1/events{query}", self.server.url))
                .header("authorization", format!("Bearer {}", token_of(who)))
                .call()
                .unwrap();
            let mut lines = BufReader::new(answer.into_body().into_reader()).lines();
            let wanted = if query.is_empty() { "id: " } else { "event: breakglass.alert." };
            lines.find(|line| line.as_ref().unwrap().starts_with(wanted)).unwrap().unwrap();
        }
    }

    fn post(&mut self, who: &str, template: &str, body: Value) -> Value {
        self.call(who, "post", template, template, body)
    }

    fn act(&mut self, who: &str, id: &str, verb: &str) -> Value {
        let template = format!("/v1/requests/{{id}}/{verb}");
        let path = template.replace("{id}", id);
        let body = match verb {
            "approve" => {
                let shown = self.get_one(who, "/v1/requests/{id}", id);
                json!({ "digest": shown["digest"] })
            }
            "question" | "answer" => json!({ "text": "t" }),
            _ => json!({ "reason": "r" }),
        };
        self.call(who, "post", &template, &path, body)
    }

    fn get_one(&mut self, who: &str, template: &str, id: &str) -> Value {
        self.call(who, "get", template, &template.replace("{id}", id), Value::Null)
    }

    fn pending(&mut self) -> String {
        let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "INC-1" });
        self.post("alice", "/v1/requests", body)["id"].as_str().unwrap().to_owned()
    }

    fn approved(&mut self) -> (String, String) {
        let id = self.pending();
        let view = self.act("carol", &id, "approve");
        (id, view["grant"]["id"].as_str().unwrap().to_owned())
    }

    /// What the revoked grants of before owe to a hook that takes nothing.
    fn rotations(&mut self) {
        let owed = loop {
            let listed = self.get("carol", "/v1/rotations", "?state=owed");
            let owed = listed["rotations"].as_array().unwrap().clone();
            if owed.len() > 1 {
                break owed;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        for who in ["alice", "grace"] {
            for query in
                ["", "?state=owed", "?state=failed", "?state=done", "?state=waiting&after=rot_1"]
            {
                self.get(who, "/v1/rotations", query);
            }
        }
        let [one, other] =
            [0, 1].map(|index: usize| owed[index]["id"].as_str().unwrap().to_owned());
        let path = |id: &str, verb: &str| format!("/v1/rotations/{id}/{verb}");
        self.call("carol", "post", "/v1/rotations/{id}/retry", &path(&one, "retry"), json!({}));
        let done = json!({ "note": "n" });
        self.call("carol", "post", "/v1/rotations/{id}/done", &path(&other, "done"), done);
    }

    /// What the revoked grants of before owe to reviewers, and the deadline of one that has passed.
    fn reviews(&mut self) {
        for who in ["alice", "grace"] {
            for state in ["owed", "overdue", "signed", "disputed", "waiting&after=rev_1"] {
                self.get(who, "/v1/reviews", &format!("?state={state}"));
            }
            self.get(who, "/v1/reviews", "");
        }
        let owed = loop {
            let listed = self.get("frank", "/v1/reviews", "?mine=true");
            let owed = listed["reviews"].as_array().unwrap().clone();
            if owed.len() > 1 {
                break owed;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let ids = [0, 1].map(|index: usize| owed[index]["id"].as_str().unwrap().to_owned());
        let_pass(&self.server.directory.path().join("approvals.db"), &ids[1]);
        while self.get("grace", "/v1/reviews", "?state=overdue")["reviews"] == json!([]) {
            std::thread::sleep(Duration::from_millis(50));
        }
        for (id, verb) in ids.iter().zip(["sign", "dispute"]) {
            let shown = self.get_one("frank", "/v1/reviews/{id}", id);
            let body = json!({ "digest": shown["digest"], "note": "n" });
            let template = format!("/v1/reviews/{{id}}/{verb}");
            self.call("frank", "post", &template, &template.replace("{id}", id), body);
        }
    }

    /// Every operation, with each of the parameters that change what is asked of the database.
    fn everything(&mut self) {
        let denied = self.pending();
        self.act("carol", &denied, "question");
        self.act("alice", &denied, "answer");
        self.act("carol", &denied, "deny");
        let cancelled = self.pending();
        self.act("alice", &cancelled, "cancel");
        let (id, jti) = self.approved();
        let token = self.act("alice", &id, "token")["token"].as_str().unwrap().to_owned();
        self.post("envoy", "/oauth2/introspect", json!(format!("token={token}")));
        let template = "/v1/requests/{id}";
        self.call("alice", "get", template, &format!("/v1/requests/{id}"), Value::Null);
        let extension =
            json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "extends": id });
        let extension = self.post("alice", "/v1/requests", extension);
        let path = format!("/v1/requests/{}?wait=1s", extension["id"].as_str().unwrap());
        self.call("carol", "get", template, &path, Value::Null);
        let states = [
            "",
            "active",
            "approved",
            "cancelled",
            "denied",
            "expired",
            "lapsed",
            "pending",
            "revoked",
        ];
        for who in ["alice", "carol", "grace"] {
            for state in states {
                let state =
                    if state.is_empty() { String::new() } else { format!("&state={state}") };
                for mine in [false, true] {
                    let query = format!("?limit=1&mine={mine}{state}&after={id}");
                    self.get(who, "/v1/requests", &query);
                }
            }
        }
        let head = json!({ "chain": "0".repeat(32), "seq": 1, "hash": "0".repeat(64),
            "began": "2026-11-22T02:13:00Z", "grants": { (jti.as_str()): 1 },
            "uses": { (jti.as_str()): [{ "scope": "orders:read", "method": "GET", "rule": "/v1/orders",
                "outcome": "allow", "records": 1 }] } });
        let heads = |head: &Value| json!({ "node": "n", "heads": [head] });
        let mut later = head.clone();
        later["seq"] = json!(2);
        for head in [&head, &head, &later] {
            self.post("envoy", "/v1/audit/heads", heads(head));
        }
        let template = "/v1/grants/{jti}/uses";
        let path = format!("/v1/grants/{jti}/uses");
        let uses = self.call("carol", "get", template, &path, Value::Null);
        assert_eq!(uses["uses"][0]["records"], 1, "{uses}");
        self.get("grace", "/v1/scopes/uses", "?scope=orders:read&since=2026-11-22T02:13:00Z");
        let chain = format!("&chain={}", "0".repeat(32));
        for query in ["", &chain, "&node=n"] {
            for since in ["?after=0", "?since=2026-11-22T02:13:00Z", "?since=2099-11-22T02:13:00Z"]
            {
                self.get("grace", "/v1/audit/heads", &format!("{since}{query}"));
            }
        }
        for about in [format!("grant={jti}"), "incident=INC-1".into(), "subject=alice".into()] {
            self.get("grace", "/v1/audit/requests", &format!("?{about}&after=0"));
        }
        let challenge = self.post("grace", "/v1/probes", json!({}));
        let template = "/v1/probes/{id}/answers";
        let path = template.replace("{id}", challenge["id"].as_str().unwrap());
        let answers =
            json!({ "answers": [{ "entrance": "e", "authority": "a", "answer": "A".repeat(86) }] });
        self.call("grace", "post", template, &path, answers);
        self.get("grace", "/v1/audit/service", "");
        let events = self.get("grace", "/v1/audit/events", "");
        let after = format!("?after={}", events["next"].as_str().unwrap());
        self.get("grace", "/v1/audit/events", &after);
        self.get("grace", "/v1/audit/attempts", "?after=0");
        let alert = |grant: &str| {
            json!({ "kind": "cut", "first": "2026-11-22T02:13:00Z", "last": "2026-11-22T02:13:00Z", "count": 1,
                "grant": grant })
        };
        // The same twice, and more than the pages of an hour.
        for from in [0, 1] {
            let alerts: Vec<Value> =
                (from..from + 30).map(|number| alert(&number.to_string())).collect();
            self.post(
                "envoy",
                "/v1/alerts",
                json!({ "node": "n", "dropped": 1, "alerts": alerts }),
            );
        }
        for query in [
            "",
            "&kind=cut",
            "&proxy=envoy",
            "&kind=cut&proxy=envoy",
            "&kind=cut&proxy=envoy&grant=1",
        ] {
            self.get("grace", "/v1/audit/alerts", &format!("?after=0{query}"));
        }
        self.watch("grace");
        self.get("alice", "/v1/scopes", "");
        let configuration =
            json!({ "configuration": "0".repeat(64), "audiences": ["prod"], "scopes": {} });
        self.post("envoy", "/v1/proxies/configurations", configuration);
        self.get("grace", "/healthz", "?detail=1");
        let template = "/v1/proxies/{id}/forget";
        let path = "/v1/proxies/0123456789abcdef0123456789abcdef/forget";
        self.call("carol", "post", template, path, json!({ "reason": "r" }));
        let template = "/v1/grants/{jti}/revoke";
        let path = format!("/v1/grants/{jti}/revoke");
        self.call("carol", "post", template, &path, json!({ "reason": "r" }));
        self.get("envoy", "/v1/revocations", "?after=0&node=n");
        let (id, _) = self.approved();
        let token = self.act("alice", &id, "token")["token"].as_str().unwrap().to_owned();
        self.post("alice", "/oauth2/revoke", json!(format!("token={token}")));
        self.get("grace", "/v1/deliveries", "?state=waiting&after=1");
        let listed = loop {
            let listed = self.get("grace", "/v1/deliveries", "?sink=none");
            if listed["deliveries"] != json!([]) {
                break listed;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let event = listed["deliveries"][0]["event"].as_str().unwrap();
        let path = format!("/v1/deliveries/{event}/replay");
        self.call("carol", "post", "/v1/deliveries/{id}/replay", &path, json!({ "sink": "none" }));
        self.rotations();
        self.reviews();
        let (_, jti) = self.approved();
        for mut what in [
            json!({ "grant": jti }),
            json!({ "subject": "alice" }),
            json!({ "incident": "INC-1" }),
            json!({ "scope": "orders:read" }),
            json!({ "all": true }),
        ] {
            self.approved();
            what["reason"] = json!("r");
            self.post("carol", "/v1/revocations", what);
        }
        let path = format!("/requests/{id}");
        self.call("nobody", "get", "/requests/{id}", &path, Value::Null);
        self.get("carol", "/v1/proxies", "");
        for path in ["/.well-known/jwks.json", "/healthz", "/readyz", "/metrics"] {
            self.get("nobody", path, "");
        }
    }
}

/// The statements in the log.
fn statements(log: &str) -> BTreeSet<String> {
    let field = Regex::new(
        r#"(?:DEBUG|WARN).* summary=("(?:[^"\\]|\\.)*") db.statement=("(?:[^"\\]|\\.)*")"#,
    );
    let field = field.unwrap();
    let text = |quoted: &str| serde_json::from_str::<String>(&quoted.replace(r"\'", "'")).unwrap();
    log.lines()
        .filter_map(|line| field.captures(line))
        .map(|found| match &found[2] {
            "\"\"" => text(&found[1]),
            whole => text(whole),
        })
        .map(|statement| statement.trim().to_owned())
        .collect()
}

/// What the triggers do, as statements by themselves.
async fn of_triggers(database: &mut SqliteConnection) -> Vec<String> {
    let parameter = Regex::new(r"\b(NEW|OLD)\.\w+").unwrap();
    let raise = Regex::new(r"RAISE\([^)]*\)").unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")
            .fetch_all(database)
            .await
            .unwrap();
    let mut statements = Vec::new();
    for trigger in triggers {
        let (head, body) = trigger.split_once("BEGIN").unwrap();
        let body = body.trim().strip_suffix("END").unwrap();
        let when = head.split_once("WHEN").map(|(_, when)| format!("SELECT 1 WHERE {when}"));
        for statement in body.split(';').map(str::to_owned).chain(when) {
            let statement = raise.replace_all(&statement, "1");
            statements.push(parameter.replace_all(&statement, "?1").trim().to_owned());
        }
    }
    statements.retain(|statement| !statement.is_empty());
    statements
}

async fn explain(database: &mut SqliteConnection, statement: &str) -> Option<Vec<String>> {
    let explained = format!("EXPLAIN QUERY PLAN {statement}");
    let rows = sqlx::query(AssertSqlSafe(explained)).fetch_all(database).await;
    Some(rows.ok()?.iter().map(|row| row.get::<String, _>("detail")).collect())
}

fn is_explained(statement: &str) -> bool {
    let verb = statement.split_whitespace().next().unwrap_or("");
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&verb)
}

#[test]
fn no_statement_reads_a_whole_table_that_grows() {
    let directory = tempfile::tempdir().unwrap();
    let provider = TestProvider::start();
    let secret = directory.path().join("secret");
    fs::write(&secret, TestProvider::secret()).unwrap();
    let entry = provider.entry("corp", &secret.display().to_string(), "");
    let people = approving_by_token(&config(&directory));
    // carol approves, and frank reviews.
    let reviewer = "name = \"frank\"\n";
    let people = people.replacen(reviewer, &format!("{reviewer}may_approve_by_token = true\n"), 1);
    let people =
        people.replace("name = \"orders:read\"\n", "name = \"orders:read\"\nrotation = \"none\"\n");
    let text = format!(
        "administrators = [\"commanders\"]\nmax_directory_age = \"1s\"\n{people}{entry}{SINK}{CHANNEL}{HOOK}{RULE}"
    );
    let mut command = breakglass();
    command.env("BREAKGLASS_LOG", "debug");
    let server = Server::start_by(command, directory, &text);
    let mut caller = Caller { server: &server, used: BTreeSet::new(), calls: 0 };
    caller.everything();
    // A group that is lost is noted.
    caller.sessions(&provider, &["oncall"]);
    caller.sessions(&provider, &[]);
    caller.device(&provider);
    let document = caller.get("nobody", "/openapi.json", "");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let operation = format!("{method} {path}");
            assert!(caller.used.contains(&operation), "{operation} is not used here");
        }
    }
    // The tasks that look by themselves have looked.
    std::thread::sleep(Duration::from_millis(2500));
    let statements = statements(&server.log());
    assert!(statements.len() > 40, "the log has statements: {statements:#?}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut databases = Vec::new();
        for file in fs::read_dir(server.directory.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "db") {
                let url = format!("sqlite://{}", path.display());
                databases.push(SqliteConnection::connect(&url).await.unwrap());
            }
        }
        let mut scans = Vec::new();
        let mut explained = 0;
        for database in &mut databases {
            for statement in of_triggers(database).await {
                let plan = explain(database, &statement).await;
                let plan = plan.unwrap_or_else(|| panic!("not explained: {statement}"));
                scans.extend(unbounded(&plan, &statement));
                explained += 1;
            }
        }
        let logged = statements.iter().filter(|statement| is_explained(statement));
        for statement in logged.flat_map(|logged| single(logged)) {
            let mut plan = None;
            for database in &mut databases {
                plan = plan.or(explain(database, statement).await);
            }
            // The migrations' own table and statements are not asked about again.
            let Some(plan) = plan else {
                assert!(statement.contains("_sqlx_migrations"), "not explained: {statement}");
                continue;
            };
            if !statement.contains("_sqlx_migrations") && !is_migration(statement) {
                scans.extend(unbounded(&plan, statement));
                explained += 1;
            }
        }
        assert!(scans.is_empty(), "{}", scans.join("\n\n"));
        assert!(explained > 80, "{explained}");
    });
}

/// The statements of a batch: `EXPLAIN` would be for the first alone, and the others would be carried out. Those of
/// migrations have statements within statements, and are asked about as a whole.
fn single(logged: &str) -> Vec<&str> {
    match is_migration(logged) {
        true => vec![logged],
        false => logged.split(';').map(str::trim).filter(|one| !one.is_empty()).collect(),
    }
}

fn unbounded(plan: &[String], statement: &str) -> Option<String> {
    let scans: Vec<&String> = plan
        .iter()
        .filter(|step| step.starts_with("SCAN") && !is_bounded(step, statement))
        .collect();
    (!scans.is_empty()).then(|| format!("{statement}\n  {scans:?}"))
}

/// A migration reads everything, once.
fn is_migration(statement: &str) -> bool {
    let folder = |name| format!("{}/../server/{name}", env!("CARGO_MANIFEST_DIR"));
    ["migrations", "migrations-outbox"]
        .into_iter()
        .flat_map(|name| fs::read_dir(folder(name)).unwrap())
        .any(|file| fs::read_to_string(file.unwrap().path()).unwrap().contains(statement))
}
