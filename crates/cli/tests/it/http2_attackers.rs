//! Attackers that speak HTTP/2: beside each a revocation is answered, and the memory of the process stays bounded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use breakglass_testing::attacks::Attack;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::process::{Server, until};

/// How many connections an attack has at a time: many where each costs its attacker nothing.
fn connections(attack: Attack) -> usize {
    if attack.is_slow() { 60 } else { 8 }
}

/// How many frames are an attack that is under way.
const UNDER_WAY: u64 = 5_000;

/// The most that the process may ever have in memory, in KiB. Measured: 36 MiB alone, 102 MiB in these attacks; heads or
/// bodies without a bound would be gigabytes.
const MEMORY: u64 = 256 * 1024;

/// The most resident memory that the process ever had, in KiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// Connections that attack, and begin anew when they are closed.
fn attackers(attack: Attack, to: SocketAddr, frames: &Arc<AtomicU64>) -> JoinSet<()> {
    let mut attackers = JoinSet::new();
    for _ in 0..connections(attack) {
        let frames = Arc::clone(frames);
        attackers.spawn(async move {
            loop {
                if let Ok(stream) = TcpStream::connect(to).await {
                    attack.run(stream, &frames).await;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    attackers
}

#[test]
fn beside_attackers_that_speak_http2_a_revocation_is_answered_and_memory_is_bounded() {
    let mut server = Server::start();
    let address: SocketAddr = server.url.strip_prefix("http://").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let alone = peak(&server);
    for attack in Attack::ALL {
        let id = server.pending();
        server.run("carol", &["approve", &id, "--yes"]).done();
        let frames = Arc::new(AtomicU64::new(0));
        let attackers = runtime.block_on(async { attackers(attack, address, &frames) });
        until(|| frames.load(Ordering::Relaxed) > UNDER_WAY);
        server.run("carol", &["revoke", &id, "--reason", "over"]).done();
        let peak = peak(&server);
        println!("{attack:?}: {frames:?} frames, {peak} KiB at most, {alone} KiB alone");
        assert!(peak < MEMORY, "{attack:?}: {peak} KiB");
        runtime.block_on(async { drop(attackers) });
    }
    assert!(server.is_running());
}
