//! People of the configuration approve by their API tokens: all of them where people are known by these alone, and only those
//! whose entries say so where people sign in.

use breakglass_server::config::Config;
use breakglass_server::definitions::Definitions;
use breakglass_server::difference::Difference;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::{START, Service, config};
use breakglass_testing::sessions::approving_by_token;

/// The configuration of all tests, without providers and with one.
fn both(directory: &tempfile::TempDir, may_approve: bool) -> [String; 2] {
    let provider = TestProvider::start();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, TestProvider::secret()).unwrap();
    let more = format!("may_approve = {may_approve}");
    let entry = provider.entry("corp", &secret.display().to_string(), &more);
    let without = config(directory);
    [without.clone(), without + &entry]
}

#[tokio::test]
async fn with_providers_only_those_whose_entries_say_so_approve() {
    let directory = tempfile::tempdir().unwrap();
    let [without, with] = both(&directory, true);
    let service = Service::start_with(directory, &without, START).await;
    let id = service.pending().await;
    service.act("carol", &id, "approve").await.ok();
    // The first provider takes the right away, to narrow and to be shown as an approver too.
    service.app.reconfigure(Config::parse(&with).unwrap());
    let id = service.pending().await;
    assert_eq!(service.act("carol", &id, "approve").await.refusal(), (403, "not_an_approver"));
    let shown = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert!(!shown["approvers"].to_string().contains("carol"), "{shown}");
    let scopes = service.get("carol", "/v1/scopes").await.ok();
    assert!(!scopes.to_string().contains("\"may_approve\":true"), "{scopes}");
    service.app.reconfigure(Config::parse(&approving_by_token(&with)).unwrap());
    service.act("carol", &id, "approve").await.ok();
}

#[test]
fn the_difference_says_who_loses_the_right_to_approve() {
    let directory = tempfile::tempdir().unwrap();
    let [without, with] = both(&directory, true);
    let words = |old: &str, new: &str| -> Vec<String> {
        let [old, new] = [old, new].map(|text| Config::parse(text).unwrap());
        let none = Definitions::default();
        let changes = Difference::between((&old, &none), (&new, &none)).changes;
        changes.iter().map(ToString::to_string).collect()
    };
    let lost = "carol may no longer approve orders:read, orders:write, staging:read".to_owned();
    assert!(words(&without, &with).contains(&lost), "{:?}", words(&without, &with));
    let kept = words(&without, &approving_by_token(&with));
    assert!(!kept.contains(&lost), "{kept:?}");
    let gained = "carol may approve orders:read, orders:write, staging:read".to_owned();
    assert!(words(&with, &approving_by_token(&with)).contains(&gained));
}

#[test]
fn a_scope_that_no_person_can_come_to_approve_is_a_warning() {
    let warnings = |text: &str| -> Vec<String> {
        let warnings = Config::parse(text).unwrap().warnings();
        warnings.into_iter().filter(|one| one.contains("may_approve_by_token")).collect()
    };
    let directory = tempfile::tempdir().unwrap();
    let [without, with] = both(&directory, true);
    assert_eq!(warnings(&without).len() + warnings(&with).len(), 0);
    let [_, none] = both(&directory, false);
    assert_eq!(warnings(&none).len(), 5, "{:?}", warnings(&none));
    // Carol is in the group of three of them.
    let left = warnings(&approving_by_token(&none));
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|one| one.contains("`db:admin`") || one.contains("`lonely`")));
}

#[test]
fn the_age_of_an_outage_is_at_least_that_of_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let [_, with] = both(&directory, true);
    let ages = |top: &str| {
        let config = Config::parse(&format!("{top}\n{with}"));
        config.map(|config| config.directory_ages().outage_s).map_err(|error| error.to_string())
    };
    assert_eq!(ages(""), Ok(3600));
    // A configuration of before, which says nothing of outages.
    assert_eq!(ages("max_directory_age = \"2h\""), Ok(7200));
    assert_eq!(ages("outage_directory_age = \"10m\""), Ok(600));
    let expected = "outage_directory_age: expected at least `max_directory_age`, which is 10m";
    assert_eq!(ages("outage_directory_age = \"9m\""), Err(expected.to_owned()));
}
