//! Byte for byte to allow, folded to refuse and to find: one human is one identity, whatever the spelling.

use breakglass_server::clock::Moment;
use breakglass_server::config::Config;
use breakglass_server::store::{NewApproval, NewGrant, Store};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, SqlitePool};

use breakglass_testing::service::{START, Service, config};

/// Spellings of `alice k`, each by another trick: case, white space around and inside, full width, a Cyrillic
/// letter, characters that cannot be seen, a dotless i, the Kelvin sign.
const ALICE_K: &[&str] = &[
    "ALICE K",
    "alice k\u{a0}",
    "\u{2003}alice \t k",
    "\u{ff41}\u{ff4c}\u{ff49}\u{ff43}\u{ff45} k",
    "\u{430}lice k",
    "al\u{200d}ice k",
    "\u{2060}alice k\u{feff}",
    "al\u{131}ce k",
    "alice \u{212a}",
    "a\u{34f}lice k",
];

/// A request of this name for this incident, as an earlier version took it, which has lapsed.
async fn old_request(database: &SqlitePool, id: &str, requester: &str, incident: &str) {
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes,
             reason, incident, emergency, duration_s, submitted_at, lapses_at)
         VALUES (?1, ?2, '[]', '[]', 'prod', '[\"orders:read\"]', 'r', ?3, 0, 60, {START}, {START} + 600)"
    )))
    .bind(id)
    .bind(requester)
    .bind(incident)
    .execute(database)
    .await
    .unwrap();
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn search(service: &Service, query: &str) -> Value {
    service.get("grace", &format!("/v1/audit/requests?{query}")).await.ok()
}

fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_search_finds_every_spelling_and_says_which() {
    let service = Service::start().await;
    let database = service.database().await;
    for (index, name) in ALICE_K.iter().enumerate() {
        old_request(&database, &format!("r{index:02}"), name, &format!("INC-{index}")).await;
    }
    old_request(&database, "s1", "alice l", "x").await;
    old_request(&database, "s2", "mallory", "alice k").await;
    database.close().await;
    // As after an upgrade: the names are folded when the database is opened.
    let text = config(&service.directory);
    service.app.store().close().await;
    let service = Service::start_with(service.directory, &text, START).await;
    for name in ALICE_K {
        let found = search(&service, &format!("subject={}", escaped(name))).await;
        let requesters: Vec<&str> = found["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["request"]["requester"].as_str().unwrap())
            .collect();
        assert_eq!(requesters, ALICE_K, "{name:?}");
        let mut others: Vec<&str> = ALICE_K.iter().copied().filter(|other| other != name).collect();
        others.sort_unstable();
        assert_eq!(names(&found["look_alikes"]), others, "{name:?}");
    }
    // What nobody spelled is found too, and what is another name is not.
    assert_eq!(
        search(&service, "subject=Alice+K").await["requests"].as_array().unwrap().len(),
        ALICE_K.len()
    );
    let other = search(&service, "subject=alice+l").await;
    assert_eq!(
        (other["requests"].as_array().unwrap().len(), &other["look_alikes"]),
        (1, &json!([]))
    );
    let none = search(&service, "subject=alice+m").await;
    assert_eq!((&none["requests"], &none["look_alikes"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn an_incident_is_found_in_every_spelling_that_was_ever_taken() {
    let service = Service::start().await;
    let database = service.database().await;
    let spellings = ["INC-7", "\u{406}NC\u{2010}7", "inc-7", "inc-7 "];
    for (index, incident) in spellings.iter().enumerate() {
        old_request(&database, &format!("r{index}"), "alice", incident).await;
    }
    database.close().await;
    let text = config(&service.directory);
    service.app.store().close().await;
    let service = Service::start_with(service.directory, &text, START).await;
    let body = json!({
        "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "Inc-7",
    });
    service.post("alice", "/v1/requests", body).await.ok();
    let found = search(&service, "incident=INC-7").await;
    assert_eq!(found["requests"].as_array().unwrap().len(), 5);
    let mut others = vec!["\u{406}NC\u{2010}7", "Inc-7", "inc-7", "inc-7 "];
    others.sort_unstable();
    assert_eq!(names(&found["look_alikes"]), others);
    assert_eq!(search(&service, "incident=INC-77").await["requests"], json!([]));
}

/// The search does not read all requests: it walks indexes.
#[tokio::test]
async fn the_search_walks_indexes() {
    let service = Service::start().await;
    let database = service.database().await;
    for column in ["requester", "incident"] {
        for (sql, searched) in [
            (
                format!(
                    "SELECT id FROM requests WHERE {column} IN (SELECT value FROM json_each('[]'))
                         AND id > '' ORDER BY id LIMIT 200"
                ),
                1,
            ),
            (
                format!(
                    "SELECT name FROM (SELECT name FROM folded_names WHERE name = 'a'
                         UNION SELECT name FROM folded_names WHERE case_first = 'a'
                         UNION SELECT name FROM folded_names WHERE looks_first = 'a')
                     WHERE EXISTS (SELECT 1 FROM requests WHERE requests.{column} = name)"
                ),
                4,
            ),
        ] {
            let plan: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                    .fetch_all(&database)
                    .await
                    .unwrap();
            let columns = [column, "name", "case_first", "looks_first"];
            let walks = |step: &str| {
                step.starts_with("SEARCH ")
                    && columns.iter().any(|column| step.contains(&format!("({column}=?")))
            };
            let walked = plan.iter().filter(|(.., step)| walks(step)).count();
            let scans = plan.iter().any(|(.., step)| {
                step.starts_with("SCAN requests") || step.starts_with("SCAN folded")
            });
            assert_eq!((walked, scans), (searched, false), "{sql}: {plan:?}");
        }
    }
}

/// Names in a configuration have none of the characters that cannot be seen.
#[tokio::test]
async fn nobody_decides_on_their_own_request_under_another_spelling() {
    for name in ["ALICE", "\u{430}lice", "\u{ff41}lice", "al\u{131}ce", "aIice"] {
        let service = Service::start().await;
        let id = service.pending().await;
        // The requester is renamed, and may approve.
        let text = config(&service.directory)
            .replace("name = \"alice\"", &format!("name = \"{name}\""))
            .replace(r#"["oncall", "loners"]"#, r#"["commanders"]"#);
        service.app.reconfigure(Config::parse(&text).unwrap());
        let approve = service.act("alice", &id, "approve").await;
        assert_eq!(approve.refusal(), (403, "self_approval"), "{name}");
        let deny = service.act("alice", &id, "deny").await;
        assert_eq!(deny.refusal(), (403, "not_an_approver"), "{name}");
        // What allows compares byte for byte.
        let cancel = service.act("alice", &id, "cancel").await;
        assert_eq!(cancel.refusal(), (403, "not_the_requester"), "{name}");
    }
}

/// The database by itself, should the program forget.
#[tokio::test]
async fn the_database_refuses_a_decision_of_the_requester_in_any_spelling() {
    let service = Service::start().await;
    let id = service.pending().await;
    let store: &Store = service.app.store();
    let now = Moment::from_seconds(START);
    let digest = service.digest(&id).await;
    let approval = |approver| NewApproval {
        approver,
        digest: &digest,
        note: None,
        scopes: None,
        duration_s: None,
        groups: &[],
    };
    let scopes = ["orders:read".to_owned()];
    let (expires_at, activate_by) = (START + 60, START + 60);
    let grant = NewGrant { jti: "j", scopes: &scopes, expires_at, activate_by };
    for name in
        ["alice", "ALICE", " alice\u{a0}", "\u{430}lice", "al\u{200b}ice", "al\u{131}ce", "aIice"]
    {
        let (change, request) = store.change_of(now, &id).await.unwrap();
        let request = request.unwrap();
        let error =
            change.approve(now, &request, &approval(name), &grant).await.unwrap_err().to_string();
        assert!(error.contains("self_approval"), "{name:?}: {error}");
        let change = store.change().await.unwrap();
        let error = change.deny(now, &request, name, "r").await.unwrap_err().to_string();
        assert!(error.contains("self_denial"), "{name:?}: {error}");
    }
    // Whoever writes to the file itself meets what SQLite can fold.
    let error = sqlx::query(
        "UPDATE requests SET denied_at = submitted_at, denied_by = ' ALICE', denial_reason = 'r'",
    )
    .execute(&service.database().await)
    .await
    .unwrap_err()
    .to_string();
    assert!(error.contains("self_denial"), "{error}");
    let (change, request) = store.change_of(now, &id).await.unwrap();
    drop(change.approve(now, &request.unwrap(), &approval("alicia"), &grant).await.unwrap());
}

#[tokio::test]
async fn folded_names_are_kept() {
    let service = Service::start().await;
    service.pending().await;
    let database = service.database().await;
    for sql in ["DELETE FROM folded_names", "UPDATE folded_names SET name = 'x'"] {
        let error = sqlx::query(sql).execute(&database).await.unwrap_err().to_string();
        assert!(error.contains("names are kept"), "{sql}: {error}");
    }
    let error = sqlx::query("UPDATE requests SET submitted_with = zeroblob(32)")
        .execute(&database)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("frozen at submission"), "{error}");
    // Other tables: folded anew at the next start.
    sqlx::query("UPDATE folded_names SET tables = '0', case_first = 'x', looks_first = 'x'")
        .execute(&database)
        .await
        .unwrap();
    breakglass_testing::store::open(&service.directory.path().join("approvals.db")).await.unwrap();
    let folded: Vec<(String, String)> = sqlx::query_as("SELECT name, case_first FROM folded_names")
        .fetch_all(&database)
        .await
        .unwrap();
    assert_eq!(folded, [("alice".to_owned(), "alice".to_owned())]);
}
