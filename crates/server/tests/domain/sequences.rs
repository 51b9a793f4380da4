//! No sequence of actions leaves the service in another state than the reference, or changes anything without its row of
//! the trail and its event.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use breakglass_testing::copies::{copy, ended};
use breakglass_testing::service::{START, Service};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::action::{self, Action};
use crate::compare;
use crate::driver::Driver;
use crate::law;
use crate::model::{Model, Setup};
use crate::trail::Trail;

/// How many sequences, unless `PROPTEST_CASES` says so.
const CASES: u32 = 150;

fn cases() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let mut config = ProptestConfig::default();
    config.cases = if asked { config.cases } else { CASES };
    config
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_sequence_ends_as_the_reference_says(actions in action::sequence()) {
        // Its tasks end with it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(new_database(), &actions));
    }
}

/// What a service leaves that is ended at once: its tables take longer to make than a sequence does.
fn new_database() -> TempDir {
    static FIRST: LazyLock<TempDir> = LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { ended(start(tempfile::tempdir().unwrap()).await).await })
    });
    copy(FIRST.path())
}

async fn start(directory: TempDir) -> Service {
    let text = Setup::first().text(&directory.path().display().to_string());
    Service::start_with(directory, &text, START).await
}

async fn run(directory: TempDir, actions: &[Action]) {
    let mut driver = Driver::new(start(directory).await).await;
    let mut trail = Trail::new(&driver).await;
    let mut model = Model::new(START);
    for action in actions {
        step(&mut driver, &mut trail, &mut model, action).await;
    }
    for on in 0..model.requests.len() {
        compare::discussion(&driver, &model, on).await;
    }
    compare::lists(&driver, &model).await;
    compare::proxies(&driver, &model).await;
    driver.service.app.store().close().await;
}

async fn step(driver: &mut Driver, trail: &mut Trail, model: &mut Model, action: &Action) {
    let before = model.clone();
    let outcome = model.act(action);
    if let Some(answered) = driver.perform(&before, action).await {
        let (status, reason) = &answered.answer;
        assert_eq!((*status, reason.as_deref()), outcome.answer, "{action:?} {}", answered.body);
        if let Some(killed) = outcome.killed {
            let count = |field: &str| answered.body[field].as_u64().unwrap_or(0);
            assert_eq!((count("revoked"), count("not_yours"), count("had_ended")), killed);
        }
    }
    compare::requests(driver, model).await;
    law::holds(&driver.views);
    trail.has(driver, model, model.clock, &outcome.happened).await;
    let ids: BTreeSet<&str> = driver.views.iter().filter_map(|view| view["id"].as_str()).collect();
    assert_eq!(ids.len(), driver.views.len());
}
