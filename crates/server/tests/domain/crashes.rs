//! The process is killed after each statement of each use case: what is left is as before, or as after, in full. A batch that
//! goes to the database in one trip counts as one: SQLite keeps nothing of it before the COMMIT, which is a statement by itself.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use breakglass_testing::copies::{copy, ended};
use breakglass_testing::service::{START, Service};
use tempfile::TempDir;

use crate::action::{Action, Approval, Ask, Narrow, Reload, Target};
use crate::compare;
use crate::driver::Driver;
use crate::killed;
use crate::model::{Happened, Model, Setup};
use crate::trail::Trail;

/// A use case, after what has to be there for it.
pub(crate) struct Case {
    pub(crate) before: Vec<Action>,
    pub(crate) case: Vec<Action>,
}

fn submit(scopes: &[&'static str]) -> Action {
    Action::Submit("alice", Ask::of(scopes, 1800))
}

fn approve(on: usize) -> Action {
    Action::Approve("frank", on, Approval::whole())
}

/// One with this name. Requests are submitted a second apart, so that their ids tell their order.
pub(crate) fn case(name: &str) -> Case {
    let pending = vec![submit(&["orders:read", "orders:write"]), Action::Wait(1)];
    let with = |more: &[Action]| [&pending[..], more].concat();
    let approved = with(&[approve(0), Action::Wait(1)]);
    // It takes two people.
    let database = [submit(&["db:admin"]), Action::Wait(1)];
    let narrowed = Approval {
        scopes: Narrow::First,
        duration_s: Some(60),
        note: Some("seen"),
        ..Approval::whole()
    };
    let (before, case) = match name {
        "submit" => (pending, vec![submit(&["db:admin"])]),
        "submit with a key" => {
            let ask = Ask { key: Some("k1"), extends: Some(0), ..Ask::of(&["orders:read"], 60) };
            (approved, vec![Action::Submit("alice", ask)])
        }
        "question" => (pending, vec![Action::Question("carol", 0)]),
        "answer" => (with(&[Action::Question("carol", 0)]), vec![Action::Answer("alice", 0)]),
        "approve" => (pending, vec![approve(0)]),
        "approve less" => (pending, vec![Action::Approve("carol", 0, narrowed)]),
        "approve partly" => (database.to_vec(), vec![approve(0)]),
        "approve at last" => {
            let last = Action::Approve("carol", 0, Approval::whole());
            ([&database[..], &[approve(0)]].concat(), vec![last])
        }
        "deny" => (pending, vec![Action::Deny("carol", 0)]),
        "cancel" => (pending, vec![Action::Cancel("alice", 0)]),
        "first token" => (approved, vec![Action::Token("alice", 0)]),
        "second token" => (
            [&approved[..], &[Action::Token("alice", 0)]].concat(),
            vec![Action::Token("alice", 0)],
        ),
        "revoke" => (approved, vec![Action::Revoke("carol", 0)]),
        "kill" => {
            let more = [submit(&["staging:read"]), approve(1), Action::Token("alice", 1)];
            ([&approved[..], &more].concat(), vec![Action::Kill("frank", Target::All)])
        }
        "lapse" => {
            let more = [submit(&["orders:read"])];
            ([&approved[..], &more].concat(), vec![Action::Wait(1000), Action::Tick])
        }
        "remind" => {
            let more = [Action::Token("alice", 0)];
            ([&approved[..], &more].concat(), vec![Action::Wait(1500), Action::Tick])
        }
        "expire" => {
            let more = [Action::Token("alice", 0)];
            ([&approved[..], &more].concat(), vec![Action::Wait(1800), Action::Tick])
        }
        "leave" => {
            let more =
                [submit(&["staging:read"]), approve(1), Action::Wait(1), submit(&["db:admin"])];
            ([&approved[..], &more].concat(), vec![Action::Reload(Reload::AliceLeaves)])
        }
        other => panic!("no case {other}"),
    };
    Case { before, case }
}

/// The service on the files in `folder`.
pub(crate) async fn open(folder: &Path, own: TempDir, setup: &Setup, now: i64) -> Driver {
    let text = setup.text(&folder.display().to_string());
    Driver::new(Service::start_with(own, &text, now).await).await
}

/// A state that may be found, with what happened for it.
struct Found {
    model: Model,
    happened: Vec<Happened>,
}

/// The states that a use case goes through, the first first: each differs from the one before in the number of events.
fn states(before: &Model, case: &[Action]) -> Vec<Found> {
    let (mut after, mut happened) = (before.clone(), Vec::new());
    for action in case {
        happened.extend(after.act(action).happened);
    }
    // That of before, so that nothing lapses by itself; a little later, because the test service's ids come of the time.
    let mut clock = before.clock;
    clock.pass(1);
    let at = |model: &Model, happened: &[Happened]| {
        let mut model = model.clone();
        model.clock = clock;
        Found { model, happened: happened.to_vec() }
    };
    let mut unchanged = before.clone();
    unchanged.setup = after.setup.clone();
    let mut states = vec![at(&unchanged, &[])];
    if let [Action::Reload(_)] = case {
        // In steps: pending requests first, then grants, then the row of the service.
        let cancelled = happened.iter().take_while(|one| one.action == "cancel").count();
        let mut first = unchanged.clone();
        for one in &happened[..cancelled] {
            let on = one.request.unwrap();
            first.requests[on] = after.requests[on].clone();
        }
        states.push(at(&first, &happened[..cancelled]));
        states.push(at(&after, &happened[..happened.len() - 1]));
    }
    states.push(at(&after, &happened));
    states
}

/// Kills a process after each statement of the use case with this name.
async fn killed_at_each_statement(name: &str) {
    let Case { before, case } = case(name);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let mut model = Model::new(START);
    let mut driver = open(&path, folder, &model.setup, START).await;
    let mut trail = Trail::new(&driver).await;
    for action in &before {
        let unchanged = model.clone();
        let outcome = model.act(action);
        assert_eq!(outcome.answer.1, None, "{action:?}");
        driver.perform(&unchanged, action).await;
        compare::requests(&mut driver, &model).await;
        trail.has(&driver, &model, model.clock, &outcome.happened).await;
    }
    let folder = ended(driver.service).await;
    let states = states(&model, &case);
    let clock = killed::clock(&model, &case);
    let mut seen = vec![0; states.len()];
    for statement in 1.. {
        let copied = copy(folder.path());
        let was_killed = run(name, copied.path(), statement);
        let path = copied.path().to_owned();
        let Model { setup, clock: reopened, .. } = &states[0].model;
        let mut driver = open(&path, copied, setup, reopened.believed).await;
        intact(&driver).await;
        let mut trail = trail.resume(&driver).await;
        let events = trail.unread(&driver).await;
        let found = states.iter().position(|state| state.happened.len() == events);
        let found = found.unwrap_or_else(|| panic!("{name}, {statement}: {events} events"));
        let Found { model, happened } = &states[found];
        compare::requests(&mut driver, model).await;
        compare::lists(&driver, model).await;
        compare::proxies(&driver, model).await;
        for on in 0..model.requests.len() {
            compare::discussion(&driver, model, on).await;
        }
        trail.has(&driver, model, clock, happened).await;
        again(&mut driver, &mut trail, model, &case).await;
        if !was_killed {
            assert_eq!(found, states.len() - 1, "it was done");
            break;
        }
        seen[found] += 1;
    }
    assert!(seen.iter().all(|count| *count > 0), "{name}: killed in each state: {seen:?}");
}

/// What was asked for is asked for again, and the service goes on from where it is.
async fn again(driver: &mut Driver, trail: &mut Trail, model: &Model, case: &[Action]) {
    let mut model = model.clone();
    for action in case {
        let unchanged = model.clone();
        let outcome = model.act(action);
        if let Some(answered) = driver.perform(&unchanged, action).await {
            let (status, reason) = &answered.answer;
            assert_eq!((*status, reason.as_deref()), outcome.answer, "{action:?} again");
        }
        compare::requests(driver, &model).await;
        trail.has(driver, &model, model.clock, &outcome.happened).await;
    }
}

/// A child does it, and is killed after so many statements. Whether it was, before it was done.
fn run(name: &str, folder: &Path, statement: u32) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--ignored", "--nocapture"])
        .env(killed::CASE, name)
        .env(killed::FOLDER, folder)
        .env(killed::STATEMENT, statement.to_string())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    match (status.signal(), status.code()) {
        (Some(9), _) => true,
        (_, Some(0)) => false,
        _ => panic!("{name}, {statement}: {status}"),
    }
}

/// The file is whole, and its places are those of its rows.
async fn intact(driver: &Driver) {
    let pool = driver.database().await;
    let check: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&pool).await.unwrap();
    assert_eq!(check, "ok");
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&pool).await.unwrap();
    assert!(broken.is_empty());
    let places: (i64, i64) =
        sqlx::query_as("SELECT event, epoch FROM positions").fetch_one(&pool).await.unwrap();
    let rows: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(max(seq), 0) FROM events), (SELECT coalesce(max(epoch), 0) FROM revocations)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(places, rows);
    assert_eq!(driver.service.app.store().last_event().await.unwrap(), rows.0);
}

/// A test for each.
macro_rules! cases {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $test() {
                killed_at_each_statement($name).await;
            }
        )*
    };
}

cases! {
    submit_is_done_or_not: "submit",
    submit_with_a_key_is_done_or_not: "submit with a key",
    question_is_done_or_not: "question",
    answer_is_done_or_not: "answer",
    approve_is_done_or_not: "approve",
    approve_of_less_is_done_or_not: "approve less",
    approve_partly_is_done_or_not: "approve partly",
    approve_at_last_is_done_or_not: "approve at last",
    deny_is_done_or_not: "deny",
    cancel_is_done_or_not: "cancel",
    first_token_is_done_or_not: "first token",
    second_token_is_done_or_not: "second token",
    revoke_is_done_or_not: "revoke",
    kill_switch_is_done_or_not: "kill",
    lapse_is_done_or_not: "lapse",
    reminder_is_done_or_not: "remind",
    expiry_is_done_or_not: "expire",
    leave_is_done_in_whole_steps: "leave",
}
