//! The heads of audit chains at the size of a fleet: what listing and reporting them takes, what a report takes after
//! 28 days of a busy chain, and what reports do to revocations.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made must end, and real time is the point"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use breakglass_server::auth::identity::digest;
use breakglass_server::config::Config;
use breakglass_server::evidence::Evidence;
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

/// A report every four seconds for 28 days.
const BUSY: usize = 604_800;

/// How many reports are measured on the new chain and on the busy one, alternately.
const MEASURED: usize = 300;

/// What a report after 28 days may take of what the first ones take.
const BAR_BUSY: f64 = 2.0;

/// How many revocations are measured without and with reports, in turns of so many.
const REVOCATIONS: usize = 300;
const TURN: usize = 25;

/// How many connections repeat a report of [`REPORT`] heads meanwhile.
const REPEATING: usize = 4;

/// What the slowest of a hundred revocations may take meanwhile.
const BAR_REVOCATION: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let reports = numbers.next().unwrap_or(600_000);
    let chains = numbers.next().unwrap_or(1000).clamp(1, reports);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(fill(folder.path(), reports, chains));
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
    good &= revocations(&server);
    drop(server);
    good &= busy(&runtime);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A report on a chain with 28 days of reports, against one on a chain that begins.
fn busy(runtime: &tokio::runtime::Runtime) -> bool {
    let folders = [(); 2].map(|()| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    runtime.block_on(fill(folders[0].path(), 1, 1));
    runtime.block_on(fill(folders[1].path(), BUSY, 1));
    let servers = [0, 1].map(|index| Server::start(folders[index].path()));
    let mut times = [Vec::new(), Vec::new()];
    let before = [0, 1].map(|index| read_bytes(&servers[index].child));
    for round in 0..MEASURED {
        for index in [0, 1] {
            // On from the last number of the longer one.
            let seq = i64::try_from(BUSY * 7 + 7 * (round + 1)).unwrap();
            times[index].push(servers[index].report_one(seq));
        }
    }
    let read = [0, 1].map(|index| read_bytes(&servers[index].child) - before[index]);
    times.iter_mut().for_each(|times| times.sort_unstable());
    let median = times.map(|times| times[times.len() / 2].as_secs_f64() * 1e3);
    let ratio = median[1] / median[0];
    let pages = |bytes: u64| bytes as f64 / MEASURED as f64 / 4096.0;
    println!(
        "a report on a new chain {:.3} ms, {:.1} pages read; after {BUSY} reports {:.3} ms, {:.1} pages read: \
         {ratio:.2} times (bar {BAR_BUSY})",
        median[0],
        pages(read[0]),
        median[1],
        pages(read[1]),
    );
    ratio <= BAR_BUSY
}

/// What the process has read by system calls, in bytes: pages of the database, and what clients sent.
fn read_bytes(child: &Child) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}

/// Revocations alone, and while connections repeat reports, in turns.
fn revocations(server: &Server) -> bool {
    let mut grants = (0..2 * REVOCATIONS).map(|_| server.grant()).collect::<Vec<_>>();
    let mut times = [Vec::new(), Vec::new()];
    let repeated = AtomicUsize::new(0);
    while !grants.is_empty() {
        let (alone, beside) =
            (grants.split_off(grants.len() - TURN), grants.split_off(grants.len() - TURN));
        times[0].extend(alone.iter().map(|grant| server.revoke(grant)));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for connection in 0..REPEATING {
                let (stop, repeated) = (&stop, &repeated);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        server.report(usize::MAX / 2 + connection * REPORT, 1);
                        repeated.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            thread::sleep(Duration::from_millis(200));
            times[1].extend(beside.iter().map(|grant| server.revoke(grant)));
            stop.store(true, Ordering::Relaxed);
        });
    }
    let [alone, beside] = times.map(|mut times| {
        times.sort_unstable();
        [times[times.len() / 2], times[times.len() * 99 / 100], times[times.len() - 1]]
    });
    let text = |[p50, p99, max]: [Duration; 3]| {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        format!("p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", millis(p50), millis(p99), millis(max))
    };
    println!(
        "  a revocation alone: {}\n  while {REPEATING} connections repeat {REPORT} heads ({} reports): {} (bar: p99 {} ms)",
        text(alone),
        repeated.into_inner(),
        text(beside),
        BAR_REVOCATION.as_millis(),
    );
    beside[1] <= BAR_REVOCATION
}

/// Puts reports into a new database: each chain's in turn, as they would have come. Returns where it is.
async fn fill(folder: &Path, reports: usize, chains: usize) -> PathBuf {
    let evidence = Evidence::new(&Config::parse(&config(folder)).unwrap());
    breakglass_testing::store::open(&folder.join("approvals.db")).await.unwrap().close().await;
    evidence.open().await.unwrap();
    evidence.close().await;
    let path = evidence.path();
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
    path.to_owned()
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

    /// Reports the next head of the first chain, and returns how long that took.
    fn report_one(&self, seq: i64) -> Duration {
        let head = json!({ "chain": format!("{:032x}", 0), "seq": seq, "hash": "0".repeat(64),
            "began": "2026-11-22T02:12:59.500Z",
            "grants": { "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D1": seq } });
        let start = Instant::now();
        self.post("envoy-0", "/v1/audit/heads", &json!({ "node": "gate-0", "heads": [head] }));
        start.elapsed()
    }

    fn post(&self, who: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let request = ureq::post(url).header("authorization", format!("Bearer token-{who}"));
        request.send_json(body).unwrap().body_mut().read_json().unwrap()
    }

    /// A live grant.
    fn grant(&self) -> String {
        let ask = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "1h" });
        let asked = self.post("alice", "/v1/requests", &ask);
        let id = asked["id"].as_str().unwrap();
        let approval = json!({ "digest": asked["digest"] });
        let view = self.post("carol", &format!("/v1/requests/{id}/approve"), &approval);
        view["grant"]["id"].as_str().unwrap().to_owned()
    }

    /// Revokes it, and returns how long that took.
    fn revoke(&self, grant: &str) -> Duration {
        let start = Instant::now();
        self.post("carol", &format!("/v1/grants/{grant}/revoke"), &json!({ "reason": "r" }));
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
         [[people]]\nname = \"alice\"\ngroups = [\"oncall\"]\ntoken_sha256 = \"{alice}\"\n\
         [[people]]\nname = \"carol\"\ngroups = [\"commanders\"]\ntoken_sha256 = \"{carol}\"\n\
         {proxies}\
         [[scopes]]\nname = \"orders:read\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
         approvers = [\"commanders\"]\nmax_duration = \"1h\"\n",
        at = folder.display(),
        grace = sha256("grace"),
        alice = sha256("alice"),
        carol = sha256("carol"),
    )
}

/// Runs `breakglass audit heads`, and returns how long it took and how much memory it had at most, in KiB.
fn heads(server: &Server, out: &Path, since: Option<i64>) -> (Duration, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command.args(["audit", "heads", "--url", &server.url]);
    command.env("BREAKGLASS_API_TOKEN", "token-grace");
    if let Some(since) = since {
        command.args(["--since", &breakglass_server::clock::rfc3339(since)]);
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
