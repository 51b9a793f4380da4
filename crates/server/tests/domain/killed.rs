//! The child of [`crate::crashes`]: does one use case, and kills itself after the statement that it is told.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use breakglass_testing::service::START;
use rustix::process::{Signal, getpid, kill_process};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::action::Action;
use crate::crashes::{Case, case, open};
use crate::model::{Clock, Model};

/// The name of the case.
pub(crate) const CASE: &str = "BREAKGLASS_TEST_CASE";

/// The folder with the database.
pub(crate) const FOLDER: &str = "BREAKGLASS_TEST_FOLDER";

/// The number of the statement.
pub(crate) const STATEMENT: &str = "BREAKGLASS_TEST_STATEMENT";

/// Whether statements are counted.
static COUNTED: AtomicBool = AtomicBool::new(false);

/// How many are left to be executed.
static LEFT: AtomicU32 = AtomicU32::new(0);

/// sqlx logs each statement when it has been executed.
struct Statements;

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, _: &Event<'_>) {
        if COUNTED.load(Ordering::SeqCst) && LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// By itself it does nothing: a process of it is started for each statement.
#[tokio::test]
#[ignore = "a process that other tests start"]
async fn child() {
    let (Ok(name), Some(folder)) = (std::env::var(CASE), std::env::var_os(FOLDER)) else { return };
    let statement: u32 = std::env::var(STATEMENT).unwrap().parse().unwrap();
    tracing::subscriber::set_global_default(Statements).unwrap();
    let Case { before, case } = case(&name);
    let mut model = Model::new(START);
    before.iter().for_each(|action| drop(model.act(action)));
    let folder = PathBuf::from(folder);
    let own = tempfile::tempdir_in(&folder).unwrap();
    let mut driver = open(&folder, own, &model.setup, model.clock.believed).await;
    LEFT.store(statement, Ordering::SeqCst);
    COUNTED.store(true, Ordering::SeqCst);
    for action in &case {
        driver.perform(&model, action).await;
        model.act(action);
    }
    // One more, after all that it does. sqlx logs from a thread of its own, which is late on a busy machine.
    driver.service.app.store().last_event().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    COUNTED.store(false, Ordering::SeqCst);
}

/// What the clock says when the use case is done.
pub(crate) fn clock(model: &Model, case: &[Action]) -> Clock {
    let mut model = model.clone();
    case.iter().for_each(|action| drop(model.act(action)));
    model.clock
}
