//! A requester takes the grant of an emergency alone, where each rule says so.

use breakglass_server::config::Config;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{Answer, START, Service};
use breakglass_testing::sessions::{device_session, said, session};
use serde_json::{Value, json};

use crate::incidents::says;
use crate::step_up::{configuration, factor};

/// Two people, one after the other; or the requester alone.
pub(crate) const RULES: &str = r#"
[[approval_rules]]
name = "orders"
scopes = ["orders:read", "orders:write"]
need = [{ from = ["commanders"] }, { from = ["dbas"] }]
in_order = true
emergency = { sign_in = { level = "mfa", max_age = "5m" } }
"#;

/// The configuration with levels of sign-in, where these rules alone say who approves orders.
pub(crate) fn config_with(directory: &tempfile::TempDir, rules: &str) -> String {
    let mut text = configuration(directory, &[]);
    for name in ["orders:read", "orders:write"] {
        let at = text.find(&format!("name = \"{name}\"\n")).unwrap();
        let line = "approvers = [\"commanders\"]\n";
        let from = at + text[at..].find(line).unwrap();
        text.replace_range(from..from + line.len(), "");
    }
    for name in ["dave", "frank", "bob"] {
        let by_token = format!("name = \"{name}\"\nmay_approve_by_token = true\n");
        text = text.replacen(&format!("name = \"{name}\"\n"), &by_token, 1);
    }
    text + rules
}

pub(crate) async fn start(rules: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = config_with(&directory, rules);
    Service::start_with(directory, &text, START).await
}

fn reload(service: &Service, rules: &str) {
    let text = config_with(&service.directory, rules);
    service.app.reconfigure(Config::parse(&text).unwrap());
}

/// A session of a person on call who has just signed in at this level.
pub(crate) async fn signed_in(service: &Service, level: &str) -> String {
    let mut said = said("corp", "al-1", &["oncall"]);
    said.factor = Some(factor(level, service.app.now().seconds()));
    session(service, &said).await.access
}

pub(crate) fn body(scopes: &[&str], duration: &str) -> Value {
    json!({ "scopes": scopes, "reason": "orders are stuck", "duration": duration, "incident": "INC-7", "emergency": true })
}

async fn ask(service: &Service, who: &str, scopes: &[&str]) -> Answer {
    service.post(who, "/v1/requests", body(scopes, "30m")).await
}

fn obstacles(view: &Value) -> Vec<&str> {
    let all = view["in_emergency"]["obstacles"].as_array().unwrap();
    all.iter().map(|one| one.as_str().unwrap()).collect()
}

fn id(view: &Value) -> String {
    view["id"].as_str().unwrap().to_owned()
}

async fn events(service: &Service, id: &str) -> Vec<Value> {
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let events = events["events"].as_array().unwrap().iter();
    events.filter(|event| event["request"] == json!(id)).cloned().collect()
}

#[tokio::test]
async fn the_requester_takes_the_grant_and_its_token_at_once() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    let view = ask(&service, &who, &["orders:read"]).await.ok();
    assert_eq!((&view["state"], &view["emergency"]), (&json!("approved"), &json!(true)), "{view}");
    assert_eq!(view["in_emergency"], json!({ "alone": true, "obstacles": [] }));
    let grant = &view["grant"];
    assert_eq!((&grant["basis"], grant.get("approved_by")), (&json!("emergency"), None));
    assert_eq!(
        (&grant["approvals"], &grant["expires_at"]),
        (&json!([]), &json!("2026-11-22T02:43:00Z"))
    );
    assert_eq!(grant["activate_by"], "2026-11-22T02:28:00Z");
    let id = id(&view);
    let token = service.act(&who, &id, "token").await.ok()["token"].as_str().unwrap().to_owned();
    let claims = crate::token::claims_of(&token);
    let said = &claims["breakglass"];
    assert_eq!((&said["basis"], &said["approvals"]), (&json!("emergency"), &json!(0)));
    assert_eq!((&said["approvers"], &said["emergency"]), (&json!([]), &json!(true)));
    assert_eq!(claims["amr"], json!(["pwd", "otp"]), "the second factor that it took");
    assert_eq!(service.introspect(&token).await["active"], true);
    let events = events(&service, &id).await;
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = [
        "breakglass.request.submitted",
        "breakglass.request.emergency_taken",
        "breakglass.grant.activated",
    ];
    assert_eq!(kinds, expected);
    let taken = &events[1]["data"];
    assert_eq!((&taken["rules"], &taken["duration_s"]), (&json!(["orders"]), &json!(1800)));
    assert_eq!((&taken["digest"], &taken["factor"]["level"]), (&view["digest"], &json!("mfa")));
    assert_eq!(events[0]["data"]["obstacles"], json!([]));
    let actions: Vec<String> = service.trail().await.into_iter().map(|(_, did)| did).collect();
    assert_eq!(actions, ["submit", "take_emergency", "issue_token"]);
    let report = breakglass_server::store::check::check(&service.app.config()).await.unwrap();
    assert!(report.is_clean(), "{report:#?}");
}

#[tokio::test]
async fn what_is_in_the_way_is_named_and_the_request_waits() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    let mut asked = body(&["orders:read"], "31m");
    asked["incident"] = Value::Null;
    let view = service.post(&who, "/v1/requests", asked).await.ok();
    assert_eq!(
        (&view["state"], obstacles(&view)),
        (&json!("pending"), vec!["no_incident", "too_long"])
    );
    assert_eq!(view["needs"][0]["stages"].as_array().unwrap().len(), 2, "all rules: {view}");
    // An API token reaches no level.
    let view = ask(&service, "alice", &["orders:read"]).await.ok();
    assert_eq!((&view["state"], obstacles(&view)), (&json!("pending"), vec!["sign_in"]));
    let id = id(&view);
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "not_approved"));
    service.act("carol", &id, "approve").await.ok();
    let view = service.act("dave", &id, "approve").await.ok();
    assert_eq!((&view["state"], &view["grant"]["basis"]), (&json!("approved"), &json!("approved")));
    service.token(&id).await;
    // With a scope that has other approvers, also where the mark is left out.
    let view = ask(&service, &who, &["orders:read", "db:admin"]).await.ok();
    assert_eq!((&view["state"], obstacles(&view)), (&json!("pending"), vec!["rule"]));
    let mut asked = body(&["orders:read"], "30m");
    asked["emergency"] = json!(false);
    let view = service.post(&who, "/v1/requests", asked).await.ok();
    assert_eq!((&view["state"], view.get("in_emergency")), (&json!("pending"), None));
    // Where no rule has the word, the mark is what it was before.
    let view = ask(&service, &who, &["db:admin"]).await.ok();
    assert_eq!((&view["state"], view.get("in_emergency")), (&json!("pending"), None));
}

#[tokio::test]
async fn a_person_who_can_sign_in_again_is_asked_to_and_nothing_is_written() {
    let service = start(RULES).await;
    let old = signed_in(&service, "mfa").await;
    service.advance(301);
    let other = signed_in(&service, "pwd").await;
    for who in [&old, &other] {
        let refused = ask(&service, who, &["orders:read"]).await;
        assert_eq!(refused.refusal(), (401, "insufficient_user_authentication"), "{refused:?}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("in an emergency, by the approval rule `orders`"), "{detail}");
        let challenge = refused.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("acr_values=\"mfa\""), "{challenge}");
    }
    assert!(service.trail().await.is_empty());
    // Where another obstacle makes it wait for each rule, a sign-in would not help.
    let view = service.post(&other, "/v1/requests", body(&["orders:read"], "31m")).await.ok();
    assert_eq!(obstacles(&view), ["sign_in", "too_long"]);
    // A person of a provider without the level cannot.
    let text = config_with(&service.directory, RULES);
    let text =
        text.replace("requesters = [\"oncall\"]", "requesters = [\"oncall\", \"partner:oncall\"]");
    service.app.reconfigure(Config::parse(&text).unwrap());
    let partner = session(&service, &said("partner", "pa-1", &["oncall"])).await.access;
    let view = ask(&service, &partner, &["orders:read"]).await.ok();
    assert_eq!((&view["state"], obstacles(&view)), (&json!("pending"), vec!["sign_in"]));
}

#[tokio::test]
async fn the_sign_in_is_judged_again_for_each_token() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    let id = id(&ask(&service, &who, &["orders:read"]).await.ok());
    let other = signed_in(&service, "pwd").await;
    let refused = service.act(&other, &id, "token").await;
    assert_eq!(refused.refusal(), (401, "insufficient_user_authentication"));
    service.act(&who, &id, "token").await.ok();
    service.advance(301);
    let refused = service.act(&who, &id, "token").await;
    assert_eq!(refused.refusal(), (401, "insufficient_user_authentication"), "a further token");
    let again = signed_in(&service, "mfa").await;
    service.act(&again, &id, "token").await.ok();
}

#[tokio::test]
async fn the_third_in_a_day_takes_one_approver_and_is_an_emergency_all_the_same() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    for scopes in [&["orders:read"][..], &["orders:read", "orders:write"]] {
        assert_eq!(ask(&service, &who, scopes).await.ok()["state"], "approved");
    }
    let third = ask(&service, &who, &["orders:read"]).await.ok();
    assert_eq!((&third["state"], obstacles(&third)), (&json!("pending"), vec!["too_many"]));
    let stages = &third["needs"][0]["stages"];
    assert_eq!(stages[0]["from"], json!(["commanders", "dbas"]), "one person of any group");
    assert_eq!((stages.as_array().unwrap().len(), &stages[0]["count"]), (1, &json!(1)));
    // The other scope was taken once until now.
    let write = ask(&service, &who, &["orders:write"]).await.ok();
    assert_eq!(write["state"], "approved", "{write}");
    let view = service.act("dave", &id(&third), "approve").await.ok();
    assert_eq!(
        (&view["state"], &view["grant"]["basis"]),
        (&json!("approved"), &json!("emergency"))
    );
    let token = service.act(&who, &id(&third), "token").await.ok()["token"].clone();
    let claims = crate::token::claims_of(token.as_str().unwrap());
    let said = &claims["breakglass"];
    assert_eq!((&said["basis"], &said["approvals"]), (&json!("emergency"), &json!(1)));
    let report = breakglass_server::store::check::check(&service.app.config()).await.unwrap();
    assert!(report.is_clean(), "{report:#?}");
    // A day after the first two, the one that was approved counts as well: it is one of two.
    service.advance(24 * 3600 - 1);
    let who = signed_in(&service, "mfa").await;
    assert_eq!(obstacles(&ask(&service, &who, &["orders:read"]).await.ok()), ["too_many"]);
    service.advance(1);
    assert_eq!(ask(&service, &who, &["orders:read"]).await.ok()["state"], "approved");
}

#[tokio::test]
async fn a_configuration_that_takes_the_word_back_counts_before_the_first_token() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    let taken = id(&ask(&service, &who, &["orders:write"]).await.ok());
    service.act(&who, &taken, "token").await.ok();
    let one = id(&ask(&service, &who, &["orders:read"]).await.ok());
    let two = id(&ask(&service, &who, &["orders:read"]).await.ok());
    let waits = id(&ask(&service, &who, &["orders:read"]).await.ok());
    let without = RULES.replace("emergency = {", "# emergency = {");
    let shorter = RULES.replace("emergency = {", "emergency = { max_duration = \"29m\",");
    let other = format!(
        "{RULES}\n[[approval_rules]]\nname = \"new\"\nscopes = [\"orders:read\"]\nneed = [{{ from = [\"dbas\"] }}]\n"
    );
    for rules in [&without, &shorter, &other] {
        reload(&service, rules);
        let refused = service.act(&who, &one, "token").await;
        assert_eq!(refused.refusal(), (403, "no_longer_allowed"), "{rules}");
        assert!(refused.body["detail"].as_str().unwrap().contains("alone in an emergency"));
    }
    // What waits for one approver waits for the new rule too.
    let view = service.get(&who, &format!("/v1/requests/{waits}")).await.ok();
    let needs: Vec<&str> = view["needs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|need| need["rule"].as_str().unwrap())
        .collect();
    assert_eq!(needs, ["orders", "new"]);
    service.act("carol", &waits, "approve").await.ok();
    assert_eq!(service.act("dave", &waits, "approve").await.ok()["state"], "approved");
    // A grant that was used goes on; the other one is taken once the word is back.
    service.act(&who, &taken, "token").await.ok();
    reload(&service, RULES);
    service.act(&who, &two, "token").await.ok();
}

#[tokio::test]
async fn the_database_has_no_other_grant_without_an_approval() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    let taken = id(&ask(&service, &who, &["orders:read"]).await.ok());
    let mut without = body(&["orders:read"], "30m");
    without["incident"] = Value::Null;
    let waits = id(&service.post(&who, "/v1/requests", without).await.ok());
    let database = service.database().await;
    let grant = format!(
        "UPDATE requests SET approved_at = submitted_at, jti = 'grant_x', granted_scopes = scopes,
         expires_at = submitted_at + 60, activate_by = submitted_at + 60 WHERE id = '{waits}'"
    );
    for (statement, words) in [
        (grant.as_str(), "no grant without an approval"),
        ("UPDATE requests SET basis = 'emergency'", "frozen at submission"),
        ("UPDATE requests SET needs = '{}'", "frozen at submission"),
    ] {
        let error = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&database).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    // Its owner can do all that, and the trail does not have it.
    let forged = format!(
        "UPDATE requests SET basis = 'emergency', needs = (SELECT needs FROM requests WHERE id = '{taken}') WHERE id = '{waits}'; {grant}"
    );
    crate::database_check::edit(&service.directory, &forged).await;
    let refused = service.act(&who, &waits, "token").await;
    assert_eq!(refused.refusal(), (409, "approval_unproven"), "{refused:?}");
    let report = breakglass_server::store::check::check(&service.app.config()).await.unwrap();
    assert!(!report.is_clean());
}

#[tokio::test]
async fn an_incident_that_was_not_checked_takes_one_approver_and_an_own_one_is_marked() {
    let tracker = Receiver::answering(|_, taken| match taken.path.rsplit('/').next().unwrap() {
        "INC-SILENT" => Reply::Status(500, "", ""),
        _ => says(json!({ "state": "new", "by": "corp:al-1" })),
    });
    let base = tracker.url.strip_suffix("/events").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let text = config_with(&directory, RULES).replacen(
        "name = \"orders:read\"\n",
        "name = \"orders:read\"\nincident = \"checked\"\n",
        1,
    );
    let text = format!(
        "{text}\n[incident_check]\nurl = \"{base}/api/{{incident}}\"\nopened_by = \"/by\"\nsilent = \"owed\"\n\
         state = {{ pointer = \"/state\", open = [\"new\"] }}\n"
    );
    let service = Service::start_with(directory, &text, START).await;
    let who = signed_in(&service, "mfa").await;
    let ask = async |incident: &str| {
        let mut body = body(&["orders:read"], "30m");
        body["incident"] = json!(incident);
        service.post(&who, "/v1/requests", body).await.ok()
    };
    let silent = ask("INC-SILENT").await;
    assert_eq!(
        (&silent["state"], obstacles(&silent)),
        (&json!("pending"), vec!["incident_unchecked"])
    );
    assert_eq!(silent["needs"][0]["stages"].as_array().unwrap().len(), 1);
    let granted = service.act("carol", &id(&silent), "approve").await.ok();
    assert_eq!(
        (&granted["state"], &granted["grant"]["basis"]),
        (&json!("approved"), &json!("emergency"))
    );
    let own = ask("INC-7").await;
    assert_eq!(
        (&own["state"], &own["incident_check"]["own_incident"]),
        (&json!("approved"), &json!(true))
    );
    let taken = &events(&service, &id(&own)).await[1]["data"];
    assert_eq!(taken["incident_check"]["own_incident"], true, "{taken}");
    let report = breakglass_server::store::check::check(&service.app.config()).await.unwrap();
    assert!(report.is_clean(), "{report:#?}");
}

#[tokio::test]
async fn an_extension_counts_and_a_repeated_submission_does_not() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    let first = ask(&service, &who, &["orders:read"]).await.ok();
    let mut longer = body(&["orders:read"], "30m");
    longer["extends"] = first["id"].clone();
    let second = service.post(&who, "/v1/requests", longer.clone()).await.ok();
    assert_eq!(
        (&second["state"], &second["in_emergency"]["alone"]),
        (&json!("approved"), &json!(true))
    );
    let third = service.post(&who, "/v1/requests", longer).await.ok();
    assert_eq!((&third["state"], obstacles(&third)), (&json!("pending"), vec!["too_many"]));
    // What a person held in an emergency counts for rules on time as all else.
    let held = service.app.store().held_lately(service.app.now(), "corp:al-1").await.unwrap();
    assert_eq!(held.iter().map(|one| one.seconds).sum::<i64>(), 3 * 1800);
}

/// The review of an emergency that is left undone: the next emergency takes one person, until it is signed.
#[tokio::test]
async fn a_review_that_is_overdue_lets_the_next_emergency_wait_for_one_person() {
    let rules = format!("{RULES}review = {{ within = \"2days\", overdue = \"needs_approval\" }}\n");
    let service = start(&rules).await;
    let who = signed_in(&service, "mfa").await;
    let first = ask(&service, &who, &["orders:read"]).await.ok();
    service.act(&who, &id(&first), "token").await.ok();
    service.advance(31 * 60 + 5);
    service.tick().await;
    let review = async |state: &str| {
        let listed = service.get("frank", "/v1/reviews").await.ok();
        let reviews = listed["reviews"].as_array().unwrap();
        assert_eq!((reviews.len(), &reviews[0]["state"]), (1, &json!(state)), "{listed}");
        reviews[0]["id"].as_str().unwrap().to_owned()
    };
    review("owed").await;
    // Owed is not overdue.
    service.advance(2 * 86_400 - 60);
    let who = signed_in(&service, "mfa").await;
    let second = ask(&service, &who, &["orders:write"]).await.ok();
    assert_eq!((&second["state"], obstacles(&second)), (&json!("approved"), vec![]), "{second}");
    service.advance(120);
    service.tick().await;
    let overdue = review("overdue").await;
    let who = signed_in(&service, "mfa").await;
    let third = ask(&service, &who, &["orders:read"]).await.ok();
    assert_eq!((&third["state"], obstacles(&third)), (&json!("pending"), vec!["review_overdue"]));
    assert_eq!(third["needs"][0]["stages"].as_array().unwrap().len(), 1, "one person: {third}");
    let path = format!("/v1/reviews/{overdue}");
    let digest = service.get("frank", &path).await.ok()["digest"].clone();
    let refused = service.post(&who, &format!("{path}/sign"), json!({ "digest": digest })).await;
    assert_eq!(refused.refusal(), (403, "took_part"));
    service.post("frank", &format!("{path}/sign"), json!({ "digest": digest })).await.ok();
    let fourth = ask(&service, &who, &["orders:read"]).await.ok();
    assert_eq!((&fourth["state"], obstacles(&fourth)), (&json!("approved"), vec![]), "{fourth}");
    let report = breakglass_server::store::check::check(&service.app.config()).await.unwrap();
    assert!(report.is_clean(), "{report:#?}");
}

/// Also where the rule says nothing of a review: within three days.
#[tokio::test]
async fn an_emergency_is_always_reviewed() {
    let service = start(RULES).await;
    let who = signed_in(&service, "mfa").await;
    let taken = ask(&service, &who, &["orders:read"]).await.ok();
    service.act(&who, &id(&taken), "token").await.ok();
    service.advance(31 * 60 + 5);
    service.tick().await;
    let listed = service.get("dave", "/v1/reviews").await.ok();
    let review = &listed["reviews"][0];
    assert_eq!((&review["state"], &review["needs_approval"]), (&json!("owed"), &json!(false)));
    assert_eq!(
        (&review["rules"], &review["due_at"]),
        (&json!(["orders"]), &json!("2026-11-25T02:44:05Z"))
    );
    // A grant that two people approved is not, unless a rule says so.
    let asked = ask(&service, "alice", &["orders:write"]).await.ok();
    service.act("carol", &id(&asked), "approve").await.ok();
    service.act("dave", &id(&asked), "approve").await.ok();
    service.token(&id(&asked)).await;
    service.advance(31 * 60 + 5);
    service.tick().await;
    let listed = service.get("dave", "/v1/reviews").await.ok();
    assert_eq!(listed["reviews"].as_array().unwrap().len(), 1, "{listed}");
}

/// A person who types an attacker's device code signs the attacker's device in, with the second factor that they show.
#[tokio::test]
async fn a_session_that_began_with_a_device_code_takes_nothing_alone() {
    let service = start(RULES).await;
    let mut said = said("corp", "al-1", &["oncall"]);
    said.factor = Some(factor("mfa", service.app.now().seconds()));
    let who = device_session(&service, &said).await.access;
    let view = ask(&service, &who, &["orders:read"]).await.ok();
    assert_eq!((&view["state"], obstacles(&view)), (&json!("pending"), vec!["sign_in"]), "{view}");
    let text = config_with(&service.directory, RULES);
    let text = format!("device_sign_in = \"everyone\"\n{text}");
    service.app.reconfigure(Config::parse(&text).unwrap());
    let view = ask(&service, &who, &["orders:read"]).await.ok();
    assert_eq!((&view["state"], obstacles(&view)), (&json!("approved"), vec![]), "{view}");
}
