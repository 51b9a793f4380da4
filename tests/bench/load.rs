//! A load: connections that are kept alive, each with one request under way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Running;
use crate::variants::BODY_END;

/// How many connections there are at a time: enough that the worker never waits for the load.
const CONNECTIONS: usize = 8;

/// Sends `request` over and over. How many were answered.
///
/// # Panics
/// When one is not answered with 200: what was measured would be something else.
pub(crate) fn run(to: SocketAddr, request: &[u8], time: Duration) -> u32 {
    let end = Instant::now() + time;
    thread::scope(|scope| {
        let connections: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(move || connection(to, request, end))).collect();
        connections.into_iter().map(|connection| connection.join().unwrap()).sum()
    })
}

/// The CPU time that Envoy uses for a request, in microseconds.
pub(crate) fn cost(envoy: &Running, request: &[u8], time: Duration) -> f64 {
    let before = envoy.process().cpu();
    let requests = run(envoy.address(), request, time);
    (envoy.process().cpu() - before).as_secs_f64() * 1e6 / f64::from(requests)
}

fn connection(to: SocketAddr, request: &[u8], end: Instant) -> u32 {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 4096];
    let mut answered = 0;
    while Instant::now() < end {
        stream.write_all(request).unwrap();
        let mut filled = 0;
        while !buffer[..filled].ends_with(BODY_END.as_bytes()) {
            let read = stream.read(&mut buffer[filled..]).unwrap();
            assert!(read > 0, "closed after {}", String::from_utf8_lossy(&buffer[..filled]));
            filled += read;
            assert!(
                buffer.starts_with(b"HTTP/1.1 200"),
                "answered {}",
                String::from_utf8_lossy(&buffer[..filled])
            );
        }
        answered += 1;
    }
    answered
}
