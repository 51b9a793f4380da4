//! Attackers that speak HTTP/2 over TLS: what each costs a revocation, and the memory of the service.
//!
//! They run in a process of their own at the lowest priority: what they take of the machine to write their frames is not what
//! the service loses by them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use breakglass_testing::attacks::Attack;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::{BAR, IN_A_TURN, Service, connector, percentile};

/// How many connections of a flood there are at a time.
const FLOODING: usize = 20;

/// How many of an attack that costs its attacker nothing, with 100 streams each.
const SLOW: usize = 200;

/// The most that the service may ever have in memory, in KiB.
const MEMORY: u64 = 512 * 1024;

/// The word that makes this program the attackers.
const WORD: &str = "attack";

/// Measures every attack in turns of revocations without and with it; whether the bars are met.
pub(crate) fn measure(turns: usize) -> bool {
    let service = Service::start();
    service.revocations(IN_A_TURN);
    let alone = peak(&service);
    println!("beside attackers that speak HTTP/2, over TLS:");
    let mut met = true;
    for attack in Attack::ALL {
        met &= measure_one(&service, attack, turns);
    }
    let peak = peak(&service);
    println!(
        "  memory of the service      {} MiB at most, {} MiB before them  (bar {} MiB)",
        peak >> 10,
        alone >> 10,
        MEMORY >> 10
    );
    met && peak <= MEMORY
}

fn measure_one(service: &Service, attack: Attack, turns: usize) -> bool {
    let (mut alone, mut beside, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let mut closed = 0;
    for turn in 0..turns {
        for attacked in [turn % 2 == 0, turn % 2 == 1] {
            let grants = service.grants(IN_A_TURN);
            let attackers = attacked.then(|| Attackers::start(service, attack));
            for grant in &grants {
                let (time, closed_now) = service.revoke_in_the_end(grant);
                if attacked { &mut beside } else { &mut alone }.push(time);
                closed += closed_now;
            }
            rates.extend(attackers.map(Attackers::end));
            service.until_empty();
        }
    }
    let [quiet, attacked] =
        [&mut alone, &mut beside].map(|times| [50, 99].map(|percent| percentile(times, percent)));
    let ratio = attacked[1].as_secs_f64() / quiet[1].as_secs_f64();
    let rate = rates.iter().sum::<u64>() / u64::try_from(rates.len().max(1)).unwrap();
    let name = format!("{attack:?}");
    let [[quiet50, quiet99], [p50, p99]] = [quiet, attacked];
    println!(
        "  {name:<14} alone p50 {quiet50:.1?} p99 {quiet99:.1?}   beside p50 {p50:.1?} p99 {p99:.1?}"
    );
    println!(
        "                 p99 {ratio:.2} times (bar {BAR}), {rate} frames/s, {closed} of {} closed and tried again",
        beside.len()
    );
    ratio <= BAR
}

/// The most resident memory that the service ever had, in KiB.
fn peak(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// The process of the attackers.
struct Attackers {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    start: Instant,
    before: u64,
}

impl Attackers {
    /// Starts them, and waits until the attack is under way.
    fn start(service: &Service, attack: Attack) -> Attackers {
        let mut child = Command::new("nice")
            .args(["-n", "19"])
            .arg(std::env::current_exe().unwrap())
            .args([WORD, &format!("{attack:?}"), &service.address().to_string()])
            .env("BREAKGLASS_AUTHORITY", &service.authority)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut attackers = Attackers { child, lines, start: Instant::now(), before: 0 };
        let under_way = if attack.is_slow() { SLOW as u64 * 90 } else { 1000 };
        while attackers.before < under_way {
            attackers.before = attackers.frames();
        }
        attackers.start = Instant::now();
        attackers
    }

    /// How many frames they had sent when they said so last.
    fn frames(&mut self) -> u64 {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// Ends them: how many frames they sent a second.
    fn end(mut self) -> u64 {
        let took = self.start.elapsed();
        let mut last = self.before;
        // What was said up to now is in the pipe.
        let said = usize::try_from(took.as_millis() / SAY.as_millis()).unwrap();
        for _ in 0..said {
            last = self.frames();
        }
        ((last - self.before) as f64 / took.as_secs_f64()) as u64
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often the attackers say how many frames they have sent.
const SAY: Duration = Duration::from_millis(50);

/// The attackers, where this process is to be them.
pub(crate) fn attack() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [word, name, address] = &words[..] else { return None };
    if word != WORD {
        return None;
    }
    let attack = Attack::ALL.into_iter().find(|attack| format!("{attack:?}") == *name)?;
    let authority = std::env::var("BREAKGLASS_AUTHORITY").unwrap();
    let to: SocketAddr = address.parse().unwrap();
    Runtime::new().unwrap().block_on(attack_for_ever(attack, to, &authority));
    Some(ExitCode::SUCCESS)
}

async fn attack_for_ever(attack: Attack, to: SocketAddr, authority: &str) {
    let connector = connector(authority, &["h2"]);
    let frames = Arc::new(AtomicU64::new(0));
    for _ in 0..if attack.is_slow() { SLOW } else { FLOODING } {
        let (connector, frames) = (connector.clone(), Arc::clone(&frames));
        tokio::spawn(async move {
            loop {
                let name = ServerName::try_from("127.0.0.1").unwrap();
                if let Ok(stream) = TcpStream::connect(to).await
                    && let Ok(stream) = connector.connect(name, stream).await
                {
                    attack.run(stream, &frames).await;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    loop {
        tokio::time::sleep(SAY).await;
        println!("{}", frames.load(Ordering::Relaxed));
    }
}
