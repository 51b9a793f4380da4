//! Storage faults, provoked for real: each is a 503 with its reason, and once it is over everything works
//! again without a restart. Mounting takes root.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use breakglass_server::clock::Moment;
use breakglass_server::problem::Problem;
use breakglass_server::store::{Fault, StoreError};
use futures_util::future::join_all;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use serde_json::json;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::time::Instant;

use breakglass_testing::grants::{revoke as revoke_at, ten_thousand};
use breakglass_testing::service::{Answer, START, Service};

/// More than the pool has connections.
const MANY: usize = 16;

/// Grants of alice's.
async fn grants(service: &Service) -> Vec<String> {
    let mut grants = Vec::new();
    for _ in 0..MANY {
        grants.push(service.approved().await.1);
    }
    grants
}

async fn revoke_all(service: &Service, grants: &[String]) -> Vec<Answer> {
    join_all(grants.iter().map(|grant| service.revoke("carol", grant))).await
}

/// The answer is a refusal for a fault of the storage.
pub(crate) fn is_refused(answer: &Answer, reason: &str) {
    assert_eq!(answer.refusal(), (503, reason));
    let after: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&after), "{answer:?}");
}

fn is_problem(error: StoreError, reason: &str) {
    assert_eq!(Problem::from(error).reason().word(), reason);
}

/// Many writes at once succeed, on whatever connections are in the pool.
async fn works_again(service: &Service, grants: &[String]) {
    for answer in revoke_all(service, grants).await {
        answer.ok();
    }
    join_all((0..MANY).map(|_| service.pending())).await;
    let epoch = service.feed("").await.ok()["epoch"].as_u64().unwrap();
    assert_eq!(epoch, grants.len() as u64);
}

fn as_root(mounted: rustix::io::Result<()>) {
    mounted.unwrap_or_else(|error| panic!("mounting a file system, which takes root: {error}"));
}

/// A mount that ends with this.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    pub(crate) fn tmpfs(at: &Path) -> Mounted {
        as_root(mount("tmpfs", at, "tmpfs", MountFlags::empty(), c"size=96m"));
        Mounted(at.to_owned())
    }

    /// Whatever is opened in the directory from now on cannot be written.
    pub(crate) fn read_only(at: &Path) -> Mounted {
        as_root(mount_bind(at, at));
        as_root(mount_remount(at, MountFlags::BIND | MountFlags::RDONLY, c""));
        Mounted(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Fills the file system to the last byte.
pub(crate) fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    let mut size = 1 << 20;
    while size > 0 {
        if ballast.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let _disk = Mounted::tmpfs(directory.path());
    let service = Service::start_in(directory).await;
    let live = grants(&service).await;
    let waiting = service.pending().await;
    let ballast = service.directory.path().join("ballast");
    fill(&ballast);
    // What the write-ahead log has room for is still done.
    let path = format!("/v1/requests/{waiting}/deny");
    let long = json!({ "reason": "x".repeat(1000) });
    let burst = || join_all((0..MANY).map(|_| service.post("carol", &path, long.clone())));
    let mut refused = 0;
    for answer in burst().await {
        if answer.status == 503 {
            is_refused(&answer, "storage_full");
            refused += 1;
        }
    }
    assert!(refused > 0);
    fs::remove_file(ballast).unwrap();
    works_again(&service, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_refuses_writes_until_it_can_be_written() {
    let service = Service::start().await;
    let live = grants(&service).await;
    let read_only = Mounted::read_only(service.directory.path());
    // Connections from before can still write; all of this store's are opened now.
    let path = service.directory.path().join("approvals.db");
    let store = breakglass_testing::store::open(&path).await.unwrap();
    let now = Moment::from_seconds(START);
    let revoke = || join_all(live.iter().map(|grant| revoke_at(&store, now, grant)));
    for result in revoke().await {
        let fault = result.unwrap_err().fault();
        assert!(matches!(fault, Some(Fault::ReadOnly | Fault::Busy)), "{fault:?}");
    }
    let revoked = revoke_at(&store, now, &live[0]).await;
    is_problem(revoked.unwrap_err(), "storage_read_only");
    // Those that only read stay in the pool.
    join_all((0..MANY).map(|_| service.get("alice", "/v1/requests"))).await;
    join_all(live.iter().map(|id| store.request(now, id))).await;
    drop(read_only);
    for result in revoke().await {
        result.unwrap();
    }
    works_again(&service, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_opened_is_refused_until_it_is_back() {
    let service = Service::start().await;
    let live = grants(&service).await;
    // A connection that is open would go on with the file that it has: one whose change fails is closed.
    let database = service.database().await;
    let fails =
        "CREATE TRIGGER ends BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'ended'); END";
    sqlx::raw_sql(fails).execute(&database).await.unwrap();
    let failed = revoke_all(&service, &live[..1]).await;
    assert_eq!(failed[0].refusal(), (500, "internal_error"));
    sqlx::raw_sql("DROP TRIGGER ends").execute(&database).await.unwrap();
    let covered = Mounted::tmpfs(service.directory.path());
    for answer in revoke_all(&service, &live[..MANY / 2]).await {
        is_refused(&answer, "storage_io_error");
    }
    drop(covered);
    works_again(&service, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_locked_refuses_writes_until_it_is_not() {
    let service = Service::start().await;
    let live = grants(&service).await;
    let path = service.directory.path().join("approvals.db");
    let url = format!("sqlite://{}", path.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for answer in revoke_all(&service, &live).await {
        is_refused(&answer, "storage_busy");
    }
    service.get("alice", "/v1/requests").await.ok();
    // Nobody who asks waits for the lock, and others who write are no failure.
    let start = Instant::now();
    for answer in join_all((0..50).map(|_| service.get("nobody", "/readyz"))).await {
        answer.ok();
    }
    // One that waits for the lock does so for 3 s.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    works_again(&service, &live).await;
}

/// SQLite ends the transaction by itself, or leaves it open.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_transaction_failed_is_not_used_again() {
    for end in ["ROLLBACK", "ABORT", "FAIL"] {
        let service = Service::start().await;
        let live = grants(&service).await;
        let database = service.database().await;
        let trigger = format!(
            "CREATE TRIGGER ends BEFORE INSERT ON audit BEGIN SELECT RAISE({end}, 'ended'); END"
        );
        sqlx::raw_sql(AssertSqlSafe(trigger)).execute(&database).await.unwrap();
        for answer in revoke_all(&service, &live).await {
            assert_eq!(answer.refusal(), (500, "internal_error"), "{end}");
        }
        sqlx::raw_sql("DROP TRIGGER ends").execute(&database).await.unwrap();
        works_again(&service, &live).await;
    }
}

/// The row of the trail of the 1,200th revocation cannot be written.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_switch_that_fails_half_way_says_so_and_goes_on_the_next_time() {
    let service = Service::start().await;
    ten_thousand(&service).await;
    let database = service.database().await;
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON audit
         WHEN json_extract(NEW.detail, '$.epoch') = 1200
         BEGIN SELECT RAISE(ROLLBACK, 'ended'); END";
    sqlx::raw_sql(trigger).execute(&database).await.unwrap();
    let answer = service.kill("carol", json!({ "all": true })).await;
    assert_eq!(answer.refusal(), (500, "internal_error"));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.starts_with("1000 grants were revoked, up to epoch 1000, and the rest was not"));
    let rows =
        "SELECT (SELECT count(*) FROM revocations), count(*) FROM audit WHERE action = 'revoke'";
    let counts: (i64, i64) = sqlx::query_as(rows).fetch_one(&database).await.unwrap();
    assert_eq!(counts, (1000, 1000));
    assert_eq!(service.feed("").await.ok()["epoch"], 1000);
    sqlx::raw_sql("DROP TRIGGER full").execute(&database).await.unwrap();
    let answer = service.kill("carol", json!({ "all": true })).await.ok();
    assert_eq!((&answer["revoked"], &answer["epoch"]), (&json!(9000), &json!(10000)));
    let counts: (i64, i64) = sqlx::query_as(rows).fetch_one(&database).await.unwrap();
    assert_eq!(counts, (10000, 10000));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_space_is_kept_for_revocations() {
    let directory = tempfile::tempdir().unwrap();
    let _disk = Mounted::tmpfs(directory.path());
    let service = Service::start_in(directory).await;
    let live = grants(&service).await;
    let head = json!({
        "chain": "0".repeat(32), "seq": 1, "hash": "0".repeat(64), "began": "2026-11-22T02:13:00Z",
    });
    let heads = json!({ "heads": [head] });
    let ask = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    let ballast = service.directory.path().join("ballast");
    fs::write(&ballast, vec![0; 40 << 20]).unwrap();
    let answer = service.post("envoy", "/v1/audit/heads", heads.clone()).await;
    is_refused(&answer, "storage_low");
    is_refused(&service.post("alice", "/v1/requests", ask).await, "storage_low");
    service.revoke("carol", &live[0]).await.ok();
    let rest = service.kill("carol", json!({ "all": true })).await.ok();
    assert_eq!(rest["revoked"], live.len() - 1);
    fs::remove_file(ballast).unwrap();
    service.post("envoy", "/v1/audit/heads", heads).await.ok();
    works_again(&service, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_as_long_as_a_write_lasts() {
    let service = Service::start().await;
    service.get("nobody", "/readyz").await.ok();
    let database = service.database().await;
    let trigger =
        "CREATE TRIGGER ends BEFORE UPDATE ON feed BEGIN SELECT RAISE(ROLLBACK, 'ended'); END";
    sqlx::raw_sql(trigger).execute(&database).await.unwrap();
    service.until_ready(false).await;
    is_refused(&service.get("nobody", "/readyz").await, "not_ready");
    sqlx::raw_sql("DROP TRIGGER ends").execute(&database).await.unwrap();
    service.until_ready(true).await;
    let grant = service.approved().await.1;
    works_again(&service, &[grant]).await;
}
