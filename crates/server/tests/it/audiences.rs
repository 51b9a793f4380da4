//! A proxy introspects tokens of its audiences.

use breakglass_server::config::Config;
use serde_json::json;

use breakglass_testing::credentials::proxy;
use breakglass_testing::service::{START, Service, config, token_of};

#[tokio::test]
async fn a_token_of_another_audience_is_inactive_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let bound = |name: &str, audiences: &str| {
        format!("{}audiences = {audiences}\n", proxy(name, &token_of(name)))
    };
    let text = config(&directory).replacen("audiences = [\"prod\", \"staging\"]", "", 1)
        + &bound("prod-gate", r#"["prod"]"#)
        + &bound("staging-gate", r#"["staging", "test"]"#)
        + &bound("look-alike", r#"["Prod", "pr\u043ed"]"#);
    let service = Service::start_with(directory, &text, START).await;
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    let form = format!("token={token}");
    for (who, active) in
        [("envoy", true), ("prod-gate", true), ("staging-gate", false), ("look-alike", false)]
    {
        let answer = service.form(who, "/oauth2/introspect", &form).await.ok();
        assert_eq!(answer["active"], active, "{who}");
        if !active {
            assert_eq!(answer, json!({ "active": false }), "{who}");
        }
    }
    let counted = async |result: &str| {
        service.counter(&format!("breakglass_introspections_total{{result=\"{result}\"}}")).await
    };
    assert_eq!((counted("active").await, counted("other_audience").await), (2, 2));
    // The feed has ids only, and is everybody's.
    service.kill("carol", json!({ "all": true })).await.ok();
    let feed = service.get("staging-gate", "/v1/revocations").await.ok();
    assert_eq!(feed["revoked"].as_array().unwrap().len(), 1);
    assert_eq!(service.form("prod-gate", "/oauth2/introspect", &form).await.ok()["active"], false);
    assert_eq!((counted("inactive").await, counted("other_audience").await), (1, 2));
}

#[tokio::test]
async fn the_configuration_is_warned_of_audiences_that_are_too_wide_or_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory);
    let warnings = |audiences: &str| {
        let text = text.replacen("audiences = [\"prod\", \"staging\"]", audiences, 1);
        Config::parse(&text).map(|config| config.warnings())
    };
    let found = warnings("").unwrap();
    assert!(
        found
            .iter()
            .any(|one| one.starts_with("proxies[0] (`envoy`): ") && one.contains("every audience")),
        "{found:?}"
    );
    let found = warnings(r#"audiences = ["prod", "prud"]"#).unwrap();
    assert!(
        found.contains(&"proxies[0] (`envoy`): audiences: no scope is for `prud`".to_owned()),
        "{found:?}"
    );
    assert!(
        !warnings(r#"audiences = ["prod", "staging"]"#)
            .unwrap()
            .iter()
            .any(|one| one.contains("proxies"))
    );
    for wrong in ["audiences = []", r#"audiences = ["prod", "prod"]"#, r#"audiences = "prod""#] {
        let error = warnings(wrong).unwrap_err().to_string();
        assert!(error.starts_with("proxies[0].audiences"), "{error}");
    }
}

#[test]
fn names_that_look_alike_and_the_services_own_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory)
        .replace("name = \"erin\"", "name = \"Service\"")
        .replace(r#"groups = ["auditors"]"#, r#"groups = ["auditors", "0ncall"]"#);
    let warnings = Config::parse(&text).unwrap().warnings();
    let groups = "the groups `0ncall` and `oncall` look alike, and are compared byte for byte";
    assert!(warnings.iter().any(|one| one == groups), "{warnings:?}");
    assert!(
        warnings.iter().any(|one| one.starts_with("people[4] (`Service`): the trail calls")),
        "{warnings:?}"
    );
}
