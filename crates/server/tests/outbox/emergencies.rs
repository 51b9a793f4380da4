//! Who is told that a requester took a grant alone: every known person whom the rules would have asked, at once.

use std::collections::BTreeSet;
use std::fs;

use breakglass_server::store::FactorRow;
use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::START;
use breakglass_testing::sessions::{config_with_providers, said, session};
use breakglass_testing::smtp::MailServer;
use serde_json::json;

use super::deliveries::{SECRET, until, webhook};
use super::people::{mails, start, to_people};

const LEVELS: &str = "may_approve = true\n[identity_providers.levels.mfa]\nacr_values = [\"mfa\"]\ncounts.amr = [\"otp\"]\n";

/// One person after the other: with `in_order` the second would hear of a request only later.
const RULE: &str = r#"
[[scopes]]
name = "orders:pay"
audience = "prod"
requesters = ["oncall"]
max_duration = "1h"
[[approval_rules]]
name = "pay"
scopes = ["orders:pay"]
need = [{ from = ["commanders"] }, { from = ["dbas"] }]
in_order = true
emergency = { sign_in = { level = "mfa" } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn all_whom_the_rules_would_have_asked_are_told_once() {
    let (server, pager, all) = (MailServer::plain(), Receiver::start(), Receiver::start());
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("hook"), format!("{SECRET}\n")).unwrap();
    let text = config_with_providers(&directory, "");
    let text = text.replacen("may_approve = true", LEVELS, 1);
    let sinks = format!(
        "{}{}{}",
        to_people(server.port),
        webhook("pager", &pager, "severity = \"critical\""),
        webhook("all", &all, ""),
    );
    let sinks = sinks.replace("AT/secret", &directory.path().join("hook").display().to_string());
    let text = mails(&text) + RULE + &sinks;
    let service = start(directory, &text, START).await;
    let mut who = said("corp", "al-1", &["oncall"]);
    let amr = vec!["pwd".to_owned(), "otp".to_owned()];
    who.factor =
        Some(FactorRow { level: "mfa".into(), acr: Some("mfa".into()), amr, auth_time: START });
    let access = session(&service, &who).await.access;
    let body = json!({ "scopes": ["orders:pay"], "reason": "stuck", "duration": "30m",
        "incident": "INC-7", "emergency": true });
    let view = service.post(&access, "/v1/requests", body).await.ok();
    assert_eq!((&view["state"], view.get("told")), (&json!("approved"), None), "{view}");
    server.until(4).await;
    let taken = "breakglass.request.emergency_taken";
    until(async || all.types().iter().any(|kind| kind == taken) && !pager.types().is_empty()).await;
    assert_eq!(pager.types(), [taken], "one call, and not for the submission beside it");
    let letters = server.letters();
    let to: BTreeSet<String> = letters
        .iter()
        .map(|letter| letter["to"][0].as_str().unwrap().replace("@corp.test", ""))
        .collect();
    let expected = ["bob", "carol", "dave", "frank"].map(str::to_owned);
    assert_eq!((letters.len(), to), (4, BTreeSet::from(expected)));
    let subject = letters[0]["headers"].as_array().unwrap().iter();
    let subject = subject.into_iter().find(|one| one[0] == "Subject").unwrap()[1].to_string();
    assert!(
        subject.contains("EMERGENCY: corp:al-1 took orders:pay without an approval"),
        "{subject}"
    );
}
