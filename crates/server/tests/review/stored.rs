//! What the database keeps of reviews, whoever writes; and databases of before, and restored ones.

use breakglass_server::config::Config;
use breakglass_server::store::check::{Part, check};
use breakglass_server::store::maintenance::backup;
use breakglass_server::store::restore::{Options, restore};
use breakglass_testing::before;
use breakglass_testing::copies::ended;
use breakglass_testing::service::Service;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::common::{RULE, WITHIN_S, decide, of_request, owed, service, shown, used, with};

#[tokio::test]
async fn the_database_keeps_what_was_decided() {
    let service = service(RULE).await;
    let (_, jti) = used(&service, &["orders:read"]).await;
    let database = service.database().await;
    let fails = async |sql: &str, why: &str| {
        let error = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&database).await;
        let error = error.expect_err(sql).to_string();
        assert!(error.contains(why), "{sql}: {error}");
    };
    let decided = |by: &str, verdict: &str, note: &str| {
        format!(
            "UPDATE reviews SET decided_at_ms = 1, decided_by = '{by}', verdict = '{verdict}', note = {note},
                 digest = '{}'",
            "a".repeat(64)
        )
    };
    // While the grant holds.
    fails(&decided("frank", "signed", "NULL"), "owed_before_it_ends").await;
    for change in [
        "requester = 'bob'",
        "rules = '[\"other\"]'",
        "within_s = 1",
        "needs_approval = 1",
        "scopes = '[\"x\"]'",
    ] {
        fails(&format!("UPDATE reviews SET {change}"), "owed once").await;
    }
    fails("DELETE FROM reviews", "reviews are kept").await;
    fails("DELETE FROM review_lists", "reviews are kept").await;
    fails(
        "INSERT OR REPLACE INTO reviews (id, request_id, jti, requester, scopes, rules, within_s, needs_approval, ends_at_ms)
         SELECT 'rev_x', request_id, jti, requester, scopes, rules, within_s, needs_approval, 0 FROM reviews",
        "reviews are kept",
    )
    .await;
    service.revoke("carol", &jti).await.ok();
    service.tick().await;
    fails("UPDATE reviews SET due_at_ms = due_at_ms + 1", "owed once").await;
    fails(&decided("alice", "signed", "NULL"), "by_another_person").await;
    fails(&decided("carol", "signed", "NULL"), "took no part").await;
    fails(&decided("frank", "disputed", "NULL"), "a_dispute_says_why").await;
    fails(&decided("frank", "fine", "NULL"), "CHECK").await;
    let listed = service.get("grace", "/v1/reviews").await.ok();
    let id = listed["reviews"][0]["id"].as_str().unwrap();
    decide(&service, "frank", id, "dispute").await.ok();
    fails("UPDATE reviews SET note = 'x'", "decided once").await;
    fails(&decided("bob", "signed", "NULL"), "decided once").await;
}

/// A person who can write the file signs a review: `breakglass database check` finds it.
#[tokio::test]
async fn what_the_trail_does_not_say_of_a_review_is_found() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    service.advance(WITHIN_S);
    service.tick().await;
    decide(&service, "frank", &id, "sign").await.ok();
    let config = service.app.config();
    let findings = async || {
        let report = check(&config).await.unwrap();
        let of = report.findings.into_iter().filter(|one| one.part == Part::Requests);
        of.map(|one| one.what).collect::<Vec<_>>()
    };
    assert_eq!(findings().await, Vec::<String>::new());
    let database = service.database().await;
    sqlx::query("DROP TRIGGER reviews_once").execute(&database).await.unwrap();
    for (sql, expected) in [
        ("UPDATE reviews SET decided_by = 'bob'", "the trail has no `breakglass.review.signed`"),
        (
            "UPDATE reviews SET decided_by = 'frank', digest = '0' || substr(digest, 2, 62) || '0'",
            "the trail has no `breakglass.review.signed`",
        ),
        (
            "UPDATE reviews SET decided_by = NULL, decided_at_ms = NULL, verdict = NULL, digest = NULL, note = NULL",
            "the trail has `breakglass.review.signed` at place",
        ),
        (
            "UPDATE reviews SET overdue_at_ms = NULL",
            "the trail has `breakglass.review.overdue` at place",
        ),
        ("UPDATE reviews SET owed_at_ms = 1", "the trail has no `breakglass.review.owed`"),
    ] {
        sqlx::query(sql).execute(&database).await.unwrap();
        let found = findings().await;
        assert!(found.iter().any(|one| one.contains(expected)), "{sql}: {found:?}");
    }
}

/// When the last row of the dump was written, in seconds.
const MADE: i64 = 1_795_780_997;
/// A request of the dump whose token was taken, and one whose token was not.
const TAKEN: (&str, &str) = ("req_01M8EE6WJ98T5B9RZ1N31ARKN5", "grant_01M8EE6WJV4HNWXBGWQN6E9695");
const APPROVED: (&str, &str) =
    ("req_01M8EE6WHTQVN3H25SA8CJJM7F", "grant_01M8EE6WJ6A62EE1J47QNVJ163");

/// What was used before this version, or before a rule asked for a review, is not reviewed; what is used from now on is.
#[tokio::test]
async fn grants_of_a_database_of_before_are_reviewed_where_they_are_used_from_now_on() {
    let directory = tempfile::tempdir().unwrap();
    before::restore(&directory.path().join("approvals.db"), before::GRANTS).await;
    let rule = "[[approval_rules]]\nname = \"all\"\nneed = [{ from = [\"commanders\"] }]\nreview = { within = \"1day\" }\n\
         scopes = [\"orders:read\", \"orders:write\", \"db:admin\", \"staging:read\"]\n";
    let text = with(&directory, rule)
        .replace("max_duration = \"1h\"", "max_duration = \"1day\"")
        .replace("max_duration = \"30m\"", "max_duration = \"1day\"");
    let service = Service::start_with(directory, &text, MADE + 60).await;
    service.token(TAKEN.0).await;
    service.token(APPROVED.0).await;
    for (_, jti) in [TAKEN, APPROVED] {
        service.revoke("alice", jti).await.ok();
    }
    service.tick().await;
    let listed = service.get("grace", "/v1/reviews").await.ok();
    let reviews = listed["reviews"].as_array().unwrap();
    let grants: Vec<&Value> = reviews.iter().map(|one| &one["grant"]).collect();
    assert_eq!(grants, [&json!(APPROVED.1)]);
    let id = reviews[0]["id"].as_str().unwrap();
    let seen = shown(&service, "grace", id).await;
    assert_eq!(seen["signable_by"], "people");
    decide(&service, "frank", id, "sign").await.ok();
    // The trail of before is there, and goes on.
    let page = service.get("grace", &format!("/v1/audit/requests?grant={}", TAKEN.1)).await.ok();
    let trail = page["requests"][0]["trail"].as_array().unwrap();
    let steps: Vec<&str> = trail.iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!((steps.first(), steps.last()), (Some(&"submit"), Some(&"revoke")));
}

/// A backup is put back: what was used after it is reviewed all the same, under the id that its people know.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a restore goes by real time")]
async fn what_was_used_after_the_backup_is_reviewed_under_its_id() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let configuration = with(&directory, RULE);
    let service = Service::start_with(directory, &configuration, now).await;
    let (request, _) = used(&service, &["orders:read"]).await;
    let early = of_request(&service, &request).await["id"].clone();
    let config = Config::parse(&configuration).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("backup");
    backup(&config, &from).await.unwrap();
    service.advance(1);
    let (request, _) = used(&service, &["orders:read"]).await;
    let late = of_request(&service, &request).await["id"].clone();
    let directory = ended(service).await;
    restore(&config, &Options { from, ..Options::default() }).await.unwrap();
    let service = Service::start_with(directory, &configuration, now + 60).await;
    service.tick().await;
    let states = async |service: &Service| {
        let listed = service.get("grace", "/v1/reviews").await.ok();
        let reviews = listed["reviews"].as_array().unwrap().clone();
        reviews.into_iter().map(|one| (one["id"].clone(), one["state"].clone())).collect::<Vec<_>>()
    };
    // The one that the backup does not have was ended by the restore.
    let expected = [(late.clone(), json!("owed")), (early.clone(), json!("waiting"))];
    assert_eq!(states(&service).await, expected);
    service.advance(1800 + 60);
    service.tick().await;
    assert_eq!(states(&service).await, [(late, json!("owed")), (early, json!("owed"))]);
}
