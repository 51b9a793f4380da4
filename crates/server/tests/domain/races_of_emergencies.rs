//! Fifty emergencies of one person at once, at two services on one database: as many are taken alone as the rule says.

use std::sync::Arc;

use breakglass_server::store::FactorRow;
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::{config_with_providers, said, session};
use serde_json::json;
use tokio::sync::Barrier;

const CALLERS: usize = 50;

const LEVELS: &str = "may_approve = true\n[identity_providers.levels.mfa]\nacr_values = [\"mfa\"]\ncounts.amr = [\"otp\"]\n";

const RULE: &str = r#"
[[scopes]]
name = "orders:pay"
audience = "prod"
requesters = ["oncall"]
max_duration = "1h"
[[approval_rules]]
name = "pay"
scopes = ["orders:pay"]
need = [{ from = ["commanders"], count = 2 }]
emergency = { at_most = 2, sign_in = { level = "mfa" } }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_taken_alone_than_the_rule_says() {
    let directory = tempfile::tempdir().unwrap();
    let text = config_with_providers(&directory, "");
    let text = text.replacen("may_approve = true", LEVELS, 1) + RULE;
    let first = Service::start_with(directory, &text, START).await;
    let second = Service::start_with(tempfile::tempdir().unwrap(), &text, START + 1).await;
    let mut who = said("corp", "al-1", &["oncall"]);
    let amr = vec!["pwd".to_owned(), "otp".to_owned()];
    who.factor =
        Some(FactorRow { level: "mfa".into(), acr: Some("mfa".into()), amr, auth_time: START });
    // Of one person, at each service.
    let sessions = [session(&first, &who).await.access, session(&second, &who).await.access];
    let sessions = sessions.map(Arc::new);
    let services = [Arc::new(first), Arc::new(second)];
    let barrier = Arc::new(Barrier::new(CALLERS));
    let tasks: Vec<_> = (0..CALLERS)
        .map(|index| {
            let (service, barrier) = (Arc::clone(&services[index % 2]), Arc::clone(&barrier));
            let access = Arc::clone(&sessions[index % 2]);
            tokio::spawn(async move {
                barrier.wait().await;
                let body = json!({ "scopes": ["orders:pay"], "reason": "stuck", "duration": "30m",
                    "incident": format!("INC-{index}"), "emergency": true });
                service.post(&access, "/v1/requests", body).await
            })
        })
        .collect();
    let (mut alone, mut wait, mut busy) = (0, 0, 0);
    for task in tasks {
        let answer = task.await.unwrap();
        if !answer.status.is_success() {
            assert_eq!(answer.refusal(), (503, "storage_busy"), "{answer:?}");
            busy += 1;
            continue;
        }
        let view = answer.ok();
        let words = &view["in_emergency"]["obstacles"];
        match view["state"].as_str() {
            Some("approved") if *words == json!([]) => alone += 1,
            Some("pending") if *words == json!(["too_many"]) => wait += 1,
            other => panic!("{other:?}: {view}"),
        }
    }
    assert_eq!((alone, alone + wait + busy), (2, CALLERS), "{busy} busy");
    let taken = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM events WHERE type = 'breakglass.request.emergency_taken'",
    );
    assert_eq!(taken.fetch_one(&services[0].database().await).await.unwrap(), 2);
    let report = breakglass_server::store::check::check(&services[0].app.config()).await.unwrap();
    assert!(report.is_clean(), "{report:#?}");
}
