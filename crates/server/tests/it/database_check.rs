//! `breakglass database check`: what the owner of the database, or its storage, changed is found, each by its own words.

use std::os::unix::fs::PermissionsExt as _;

use breakglass_api::trail::ServiceAction;
use breakglass_server::clock::Moment;
use breakglass_server::config::Config;
use breakglass_server::issuer::KeyDirectory;
use breakglass_server::random::Randomness;
use breakglass_server::store::check::{Part, Report, check};
use breakglass_testing::before;
use breakglass_testing::copies::{copy, ended};
use breakglass_testing::service::{START, Service, config};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, raw_sql};
use tempfile::TempDir;

/// A service that has done something of each kind.
pub(crate) async fn busy() -> Service {
    let service = Service::start().await;
    for _ in 0..3 {
        let (id, jti) = service.approved().await;
        service.token(&id).await;
        service.token(&id).await;
        service.revoke("carol", &jti).await.ok();
    }
    let (id, _) = service.approved().await;
    service.token(&id).await;
    service.kill("carol", json!({ "subject": "alice" })).await.ok();
    let denied = service.pending().await;
    service.act("carol", &denied, "deny").await.ok();
    let cancelled = service.pending().await;
    let path = format!("/v1/requests/{cancelled}/question");
    service.post("carol", &path, json!({ "text": "why?" })).await.ok();
    let path = format!("/v1/requests/{cancelled}/answer");
    service.post("alice", &path, json!({ "text": "because" })).await.ok();
    service.act("alice", &cancelled, "cancel").await.ok();
    service.pending().await;
    service.advance(2_000);
    service.tick().await;
    service.pending().await;
    for action in [ServiceAction::ForgetProxy, ServiceAction::Probe] {
        let (now, detail) = (service.app.now(), json!({ "reason": "r" }));
        service.app.store().note_act(now, "grace", action, &detail).await.unwrap();
    }
    service
}

pub(crate) async fn checked(directory: &TempDir) -> Report {
    let config = Config::parse(&config(directory)).unwrap();
    check(&config).await.unwrap()
}

/// Edits the database as its owner, who puts its triggers back afterwards.
pub(crate) async fn edit(directory: &TempDir, sql: &str) {
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("approvals.db"))
        .foreign_keys(false)
        .pragma("ignore_check_constraints", "ON");
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let triggers: Vec<(String, String)> =
        sqlx::query_as("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .fetch_all(&mut database)
            .await
            .unwrap();
    let mut transaction = database.begin().await.unwrap();
    for (name, _) in &triggers {
        let drop = AssertSqlSafe(format!("DROP TRIGGER {name}"));
        raw_sql(drop).execute(&mut *transaction).await.unwrap();
    }
    let changed = raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *transaction).await.unwrap();
    assert!(changed.rows_affected() > 0, "{sql}");
    for (_, sql) in triggers {
        raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    database.close().await.unwrap();
}

pub(crate) fn texts(report: &Report, part: Part) -> Vec<&str> {
    let of = report.findings.iter().filter(|finding| finding.part == part);
    of.map(|finding| finding.what.as_str()).collect()
}

#[tokio::test]
async fn what_the_service_wrote_is_clean_also_while_it_runs_and_is_counted() {
    let service = busy().await;
    let report = checked(&service.directory).await;
    assert!(report.is_clean(), "{report:#?}");
    let counts = &report.checked;
    assert_eq!((counts.grants, counts.requests, counts.revocations), (4, 8, 4), "{counts:?}");
    assert!(counts.events > 20 && counts.older_trail == counts.events, "{counts:?}");
    assert_eq!((counts.signing_keys, counts.trail_keys, counts.events_before_chain), (1, 1, 0));
    assert!(counts.schema > 60, "{counts:?}");
}

#[tokio::test]
async fn a_database_that_versions_before_made_is_clean() {
    for dump in [before::GRANTS, before::DIGESTS, before::OWNERS] {
        let directory = tempfile::tempdir().unwrap();
        before::restore(&directory.path().join("approvals.db"), dump).await;
        let text = config(&directory);
        let service = Service::start_with(directory, &text, 1_795_780_997 + 60).await;
        service.pending().await;
        service.tick().await;
        let report = checked(&service.directory).await;
        assert!(report.is_clean(), "{report:#?}");
        assert!(report.checked.events > 0);
    }
}

/// It is marked as one that waits for no token, and nothing lapsed.
#[tokio::test]
async fn a_grant_that_is_revoked_before_its_first_token_is_as_it_should_be() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    service.advance(60);
    service.revoke("carol", &jti).await.ok();
    let report = checked(&ended(service).await).await;
    assert!(report.findings.is_empty(), "{report:?}");
}

#[tokio::test]
async fn each_edit_of_the_databases_owner_is_found() {
    let folder = ended(busy().await).await;
    let unlike = "`breakglass.request.approved` at place 2 of the trail differ in";
    for (sql, part, what) in [
        // An approval.
        ("UPDATE approvals SET approver = 'dave' WHERE rowid_of", Part::Requests, format!("{unlike} `approver`")),
        ("UPDATE requests SET granted_scopes = '[\"orders:write\"]' WHERE first", Part::Requests, format!("{unlike} `granted_scopes`")),
        ("UPDATE requests SET reason = 'another' WHERE first", Part::Requests, "`breakglass.request.submitted` at place 1 of the trail differ in `reason`".to_owned()),
        ("DELETE FROM approvals WHERE rowid_of", Part::Requests, format!("{unlike} `approver`")),
        // Rows without events, and events without rows.
        ("DELETE FROM events WHERE seq = 2", Part::Requests, "the database says that it happened, and the trail has no `breakglass.request.approved` of it".to_owned()),
        ("INSERT INTO approvals (request_id, position, approver, approved_at_ms) SELECT id, 1, 'carol', submitted_at * 1000 FROM requests WHERE denied_at IS NOT NULL", Part::Requests, "approval 1 has no event on the trail".to_owned()),
        ("UPDATE requests SET denied_at = NULL, denied_by = NULL, denial_reason = NULL WHERE denied_at IS NOT NULL", Part::Requests, "the trail has `breakglass.request.denied` of it".to_owned()),
        ("UPDATE requests SET denial_reason = 'x' WHERE denied_at IS NOT NULL", Part::Requests, "differ in `reason`".to_owned()),
        ("UPDATE requests SET cancelled_at = NULL WHERE cancelled_at IS NOT NULL", Part::Requests, "the trail has `breakglass.request.cancelled` of it".to_owned()),
        ("UPDATE requests SET lapsed_at = NULL WHERE lapsed_at IS NOT NULL", Part::Requests, "the trail has `breakglass.request.lapsed` of it".to_owned()),
        ("UPDATE requests SET lapsed_at = submitted_at + 1 WHERE lapsed_at IS NULL AND approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL", Part::Requests, "no `breakglass.request.lapsed`".to_owned()),
        ("UPDATE requests SET activated_at = NULL WHERE first", Part::Requests, "the trail has `breakglass.grant.activated`".to_owned()),
        ("DELETE FROM discussion WHERE position = 2", Part::Requests, "the trail has a remark at place".to_owned()),
        ("UPDATE discussion SET text = 'x' WHERE position = 1", Part::Requests, "remark 1 and the event".to_owned()),
        // Revocations and the feed.
        ("DELETE FROM revocations WHERE epoch = 4", Part::Requests, "the trail has `breakglass.grant.revoked` of it".to_owned()),
        ("DELETE FROM revocations WHERE epoch = 4", Part::Feed, "the last epoch is 4, and the last revocation has 3".to_owned()),
        ("DELETE FROM revocations WHERE epoch = 2", Part::Feed, "epochs 2 to 2 are missing".to_owned()),
        ("UPDATE revocations SET revoked_by = 'x' WHERE epoch = 2", Part::Requests, "differ in `actor`".to_owned()),
        ("UPDATE revocations SET epoch = 9 WHERE epoch = 4", Part::Requests, "differ in `epoch`".to_owned()),
        ("UPDATE revocations SET tag = 'x'", Part::Feed, "a tag is given to several epochs".to_owned()),
        ("UPDATE revocations SET tag = ''", Part::Feed, "4 epochs have no tag".to_owned()),
        ("UPDATE positions SET epoch = 3", Part::Feed, "the last epoch is 3".to_owned()),
        ("DELETE FROM feed", Part::Feed, "the feed has no id".to_owned()),
        // The trail.
        ("DELETE FROM events WHERE seq = 1", Part::Chain, "the event at place 2 does not go on".to_owned()),
        ("DELETE FROM events WHERE seq = 7", Part::Chain, "the event at place 8 does not go on".to_owned()),
        ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", Part::Chain, "`positions` says that the last event is at place".to_owned()),
        ("UPDATE events SET actor = 'dave' WHERE seq = 2", Part::Chain, "the event at place 2 is not what was signed".to_owned()),
        ("UPDATE events SET data = '{\"digest\":1,' || substr(data, 2) WHERE seq = 2", Part::Chain, "the event at place 2 was changed".to_owned()),
        ("UPDATE events SET signature = 'AAAA' WHERE seq = 2", Part::Chain, "the event at place 2 is not what was signed".to_owned()),
        ("UPDATE events SET prev = NULL, hash = NULL, kid = NULL, signature = NULL WHERE seq = 4", Part::Chain, "the event at place 4 is in no chain".to_owned()),
        ("UPDATE positions SET event = event + 1", Part::Chain, "`positions` says that the last event is at place".to_owned()),
        ("UPDATE positions SET head = printf('%064x', 1)", Part::Chain, "`positions` has another head".to_owned()),
        ("UPDATE events SET kid = 'k' WHERE seq > 3", Part::Keys, "events from place 4 on are signed with the key k, which is not in the key directory".to_owned()),
        // The older trail.
        ("UPDATE audit SET actor = 'x' WHERE seq = 3", Part::OlderTrail, "row 3 of `audit` and the event at place 3 differ".to_owned()),
        ("DELETE FROM audit WHERE seq = 3", Part::OlderTrail, "`audit` has 4 rows of it, and the trail 5 events".to_owned()),
        ("DELETE FROM audit WHERE seq = 3", Part::OlderTrail, "the last one has number".to_owned()),
        // References and constraints.
        ("DELETE FROM requests WHERE first", Part::File, "refers to a row of `requests` that is not there".to_owned()),
        ("UPDATE requests SET duration_s = -1 WHERE first", Part::Requests, "differ in `duration_s`".to_owned()),
        ("UPDATE events SET data = 'x' WHERE seq = 3", Part::Chain, "it cannot be read".to_owned()),
    ] {
        let directory = copy(folder.path());
        let first = "id = (SELECT request_id FROM events WHERE seq = 1)";
        let of_first = "request_id = (SELECT request_id FROM events WHERE seq = 1)";
        edit(&directory, &sql.replace("rowid_of", of_first).replace("WHERE first", &format!("WHERE {first}"))).await;
        let report = checked(&directory).await;
        let found = texts(&report, part);
        assert!(found.iter().any(|text| text.contains(&what)), "{sql}  {what}: {report:#?}");
        assert!(texts(&report, Part::Schema).is_empty(), "{sql}: {report:#?}");
    }
    assert!(checked(&copy(folder.path())).await.is_clean());
}

/// Its rules are those of a database that is made now.
#[tokio::test]
async fn a_rule_that_was_dropped_changed_or_added_is_found() {
    let folder = ended(busy().await).await;
    for (sql, what) in [
        ("DROP TRIGGER events_not_deleted", "trigger `events_not_deleted`: it is missing"),
        (
            "DROP TRIGGER events_not_deleted; CREATE TRIGGER events_not_deleted BEFORE DELETE ON events BEGIN SELECT 1; END",
            "trigger `events_not_deleted`: it is not as the migrations make it",
        ),
        ("DROP INDEX revocations_by_end", "index `revocations_by_end`: it is missing"),
        ("CREATE TABLE more (a)", "table `more`: no migration makes it"),
        (
            "CREATE TRIGGER more AFTER INSERT ON revocations BEGIN SELECT 1; END",
            "trigger `more`: no migration makes it",
        ),
        (
            "ALTER TABLE requests ADD COLUMN more TEXT",
            "table `requests`: it is not as the migrations make it",
        ),
        (
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 20261127121000",
            "migration 20261127121000: its checksum in the database is another one",
        ),
    ] {
        let directory = copy(folder.path());
        let path = directory.path().join("approvals.db");
        let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        raw_sql(sql).execute(&database).await.unwrap();
        database.close().await;
        let report = checked(&directory).await;
        assert_eq!(texts(&report, Part::Schema), [what], "{sql}: {report:#?}");
        assert_eq!(report.findings.len(), 1, "{sql}: {report:#?}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_a_finding_and_a_missing_one_a_failure() {
    let folder = ended(busy().await).await;
    let directory = copy(folder.path());
    let path = directory.path().join("approvals.db");
    let mut bytes = std::fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(8 * 4096).take(64 * 4096) {
        *byte = 0x55;
    }
    std::fs::write(&path, bytes).unwrap();
    let report = checked(&directory).await;
    assert!(!texts(&report, Part::File).is_empty(), "{report:#?}");
    std::fs::write(&path, "no database").unwrap();
    let report = checked(&directory).await;
    assert!(!texts(&report, Part::File).is_empty(), "{report:#?}");
    std::fs::remove_file(&path).unwrap();
    let config = Config::parse(&config(&directory)).unwrap();
    let missing = check(&config).await.unwrap_err().to_string();
    assert!(missing.contains("unable to open database file"), "{missing}");
    assert!(!path.exists());
    // That of another version.
    let directory = copy(folder.path());
    edit(&directory, "DELETE FROM _sqlx_migrations WHERE version = 20261127121000").await;
    let config = Config::parse(&breakglass_testing::service::config(&directory)).unwrap();
    let other = check(&config).await.unwrap_err().to_string();
    assert!(other.contains("it lacks 1 migrations of this one"), "{other}");
}

#[tokio::test]
async fn a_key_that_is_missing_or_another_one_is_found() {
    let folder = ended(busy().await).await;
    let is_trail = |name: &str| name.starts_with("trail-");
    for (what, trail) in [
        ("there is no key of the trail that can be used", true),
        ("there is no signing key", false),
    ] {
        let directory = copy(folder.path());
        let keys = directory.path().join("keys");
        for entry in std::fs::read_dir(&keys).unwrap() {
            let entry = entry.unwrap();
            if is_trail(entry.file_name().to_str().unwrap()) == trail {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
        let report = checked(&directory).await;
        let found = texts(&report, Part::Keys);
        assert!(found.iter().any(|text| text.contains(what)), "{report:#?}");
        let unknown =
            found.iter().any(|text| text.contains("from place 1 on are signed with the key"));
        assert_eq!(unknown, trail, "{report:#?}");
    }
}

/// Keys that are wrapped are read with the key that the configuration names.
#[tokio::test]
async fn wrapped_signing_keys_are_checked_as_the_service_reads_them() {
    let directory = copy(ended(busy().await).await.path());
    let wrapping = directory.path().join("wrapping");
    std::fs::write(&wrapping, "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::set_permissions(&wrapping, std::fs::Permissions::from_mode(0o600)).unwrap();
    let keys = directory.path().join("keys");
    let plain = KeyDirectory::new(&keys);
    for (name, _) in plain.list(Moment::from_seconds(START)).unwrap() {
        std::fs::remove_file(keys.join(name.to_string())).unwrap();
    }
    let wrapped = plain.wrapped_by(Some(&wrapping));
    wrapped.add(Moment::from_seconds(START), &Randomness::from_seed(1)).unwrap();
    let text = config(&directory);
    let section = format!("{text}\n[signing_keys]\nwrapped_by = \"{}\"\n", wrapping.display());
    let report = check(&Config::parse(&section).unwrap()).await.unwrap();
    assert!(report.is_clean() && report.checked.signing_keys == 1, "{report:#?}");
    let report = check(&Config::parse(&text).unwrap()).await.unwrap();
    let found = texts(&report, Part::Keys);
    assert!(found.iter().any(|text| text.contains("this key is wrapped")), "{report:#?}");
}

#[tokio::test]
async fn the_evidence_database_is_looked_at_too() {
    let folder = ended(busy().await).await;
    let directory = copy(folder.path());
    let path = directory.path().join("approvals-evidence.db");
    let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let name = "SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name LIMIT 1";
    let name: String = sqlx::query_scalar(name).fetch_one(&database).await.unwrap();
    let drop = format!("DROP TRIGGER {name}");
    raw_sql(AssertSqlSafe(drop)).execute(&database).await.unwrap();
    database.close().await;
    let report = checked(&directory).await;
    assert_eq!(texts(&report, Part::Evidence), [format!("trigger `{name}`: it is missing")]);
}
