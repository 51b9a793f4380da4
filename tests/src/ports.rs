//! Ports for other people's programs, which take a number and do not say which one they got.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the kernel gives to a socket that is bound to port 0 (32768 and up by default): no connection gets one of these
/// by chance between the moment a program is told its port and the moment it listens.
const FIRST: u16 = 10_000;

/// How many there are.
const COUNT: u16 = 22_000;

/// How far apart two processes begin that were started one after the other.
const STRIDE: u32 = 61;

/// A port of the loopback that nothing listens at now, that no connection gets by chance, and that this process has not
/// handed out before.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(process::id().wrapping_mul(STRIDE) % u32::from(COUNT)).unwrap();
    let candidates = (0..COUNT).map(|_| {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        FIRST + (start + nth) % COUNT
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.into_iter().find(is_free).expect("a free port")
}
