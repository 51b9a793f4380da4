//! The heads of audit chains at the size of a fleet: what listing and reporting them takes.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made must end, and real time is the point"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use breakglass_approval::identity::digest;
use breakglass_approval::store::Store;
use serde_json::{Value, json};
use sqlx::SqlitePool;

/// As many proxies as a large fleet has.
const PROXIES: usize = 5000;

/// The most heads of one report.
const REPORT: usize = 1000;

/// When the first head was reported, in seconds, and how far apart the heads are.
const BEGAN: i64 = 1_795_313_580;
const EVERY_MS: i64 = 100;

/// What the command may have in memory.
const BAR_KIB: u64 = 200 * 1024;

/// What one report may take.
const BAR_REPORT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let reports = numbers.next().unwrap_or(600_000);
    let chains = numbers.next().unwrap_or(1000).clamp(1, reports);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let database = folder.path().join("approvals.db");
    tokio::runtime::Runtime::new().unwrap().block_on(fill(&database, reports, chains));
    let megabytes = fs::metadata(&database).unwrap().len() as f64 / 1e6;
    println!("{reports} reports of {chains} chains, {megabytes:.0} MB, {PROXIES} proxies:");

    let server = Server::start(folder.path());
    let mut good = true;
    let middle = BEGAN + i64::try_from(reports).unwrap() * EVERY_MS / 2000;
    let after = BEGAN + i64::try_from(reports).unwrap() * EVERY_MS / 1000 + 60;
    let out = folder.path().join("heads.json");
    for (what, since) in [
        ("all", None),
        ("since before all", Some(BEGAN - 60)),
        ("since the middle", Some(middle)),
        ("since after all", Some(after)),
    ] {
        let (time, kib) = heads(&server, &out, since);
        let size = fs::metadata(&out).unwrap().len() as f64 / 1e6;
        good &= kib <= BAR_KIB;
        println!(
            "  audit heads, {what:17} {:6.2} s  {kib:7} KiB resident  {size:6.1} MB",
            time.as_secs_f64()
        );
    }
    for (what, first, seq) in [
        ("of made-up chains", usize::MAX / 2, 1),
        ("that repeats them", usize::MAX / 2, 1),
        ("of the same chains", usize::MAX / 2, 2),
        ("of chains that have many reports", 0, i64::MAX / 2),
    ] {
        let time = server.report(first, seq);
        good &= time <= BAR_REPORT;
        println!("  a report of {REPORT} heads {what:33} {:6.3} s", time.as_secs_f64());
    }
    println!("  the service: {} KiB resident at most", resident(&server.child));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Puts reports into a new database: each chain's in turn, as they would have come.
async fn fill(path: &Path, reports: usize, chains: usize) {
    Store::open(path).await.unwrap().close().await;
    let database = SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(
        "WITH RECURSIVE numbers (n) AS (
             SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
         INSERT INTO audit_heads
             (reported_at_ms, proxy, node, process, chain, seq, hash, began, ended, grants)
         SELECT ?3 + n * ?4, 'envoy-' || (n % ?2 % ?5), 'gate-' || (n % ?2 % ?5),
             printf('%032x', n % ?2 % ?5), printf('%032x', n % ?2), n / ?2 * 7 + 7,
             printf('%064x', n), '2026-11-22T02:12:59.500Z', 0,
             json_object('grant_01KAN5S3M0W8Z4T2C9X7Y6B5D' || (n / ?2 % 5), n / ?2 + 1)
         FROM numbers",
    )
    .bind(i64::try_from(reports).unwrap())
    .bind(i64::try_from(chains).unwrap())
    .bind(BEGAN * 1000)
    .bind(EVERY_MS)
    .bind(i64::try_from(PROXIES).unwrap())
    .execute(&database)
    .await
    .unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&database).await.unwrap();
    database.close().await;
}

/// A running service.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Server {
        let at = |name: &str| folder.join(name);
        fs::write(at("config.toml"), config(folder)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_breakglass"))
            .args(["serve", "--config"])
            .arg(at("config.toml"))
            .arg("--ready-file")
            .arg(at("ready"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !at("ready").exists() {
            thread::sleep(Duration::from_millis(10));
        }
        Server { child, url: fs::read_to_string(at("ready")).unwrap() }
    }

    /// Reports a head of each of these chains, and returns how long that took.
    fn report(&self, first: usize, seq: i64) -> Duration {
        let heads: Vec<Value> = (first..first + REPORT)
            .map(|chain| {
                json!({ "chain": format!("{chain:032x}"), "seq": seq, "hash": "0".repeat(64),
                    "began": "2026-11-22T02:12:59.500Z", "grants": { "g": seq } })
            })
            .collect();
        let start = Instant::now();
        let answer = ureq::post(format!("{}/v1/audit/heads", self.url))
            .header("authorization", "Bearer token-envoy-0")
            .send_json(json!({ "node": "gate-0", "heads": heads }))
            .unwrap();
        assert!(answer.status().is_success());
        start.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(folder: &Path) -> String {
    let sha256 = |name: &str| -> String {
        digest(&format!("token-{name}")).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let proxies: String = (0..PROXIES)
        .map(|number| format!("envoy-{number}"))
        .map(|name| {
            format!("[[proxies]]\nname = \"{name}\"\ntoken_sha256 = \"{}\"\n", sha256(&name))
        })
        .collect();
    format!(
        "listen = \"127.0.0.1:0\"\nissuer = \"https://approvals.test\"\n\
         database = \"{at}/approvals.db\"\nkey_directory = \"{at}/keys\"\n\
         auditors = [\"auditors\"]\n\
         [[people]]\nname = \"grace\"\ngroups = [\"auditors\"]\ntoken_sha256 = \"{grace}\"\n\
         {proxies}\
         [[scopes]]\nname = \"orders:read\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
         approvers = [\"commanders\"]\nmax_duration = \"1h\"\n",
        at = folder.display(),
        grace = sha256("grace"),
    )
}

/// Runs `breakglass audit heads`, and returns how long it took and how much memory it had at most, in KiB.
fn heads(server: &Server, out: &Path, since: Option<i64>) -> (Duration, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command.args(["audit", "heads", "--url", &server.url]);
    command.env("BREAKGLASS_API_TOKEN", "token-grace");
    if let Some(since) = since {
        command.args(["--since", &breakglass_approval::clock::rfc3339(since)]);
    }
    let start = Instant::now();
    let mut child = command.stdout(fs::File::create(out).unwrap()).spawn().unwrap();
    let mut highest = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        highest = highest.max(resident(&child));
        thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success(), "{status}");
    (start.elapsed(), highest)
}

/// The most that it had so far, by the kernel's account, in KiB.
fn resident(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
