//! An upstream that takes any target, byte for byte, and remembers it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A running one, for HTTP/1.1; it goes with the process.
pub(super) struct Recorder {
    pub(super) address: SocketAddr,
    targets: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    pub(super) fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let targets = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder { address, targets: Arc::clone(&targets) };
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let targets = Arc::clone(&targets);
                thread::spawn(move || answer(&connection, &targets));
            }
        });
        recorder
    }

    /// The targets of all requests since the last time, in the order in which they came.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.targets.lock().unwrap())
    }
}

/// Answers every request of a connection with 200; they have no bodies.
fn answer(connection: &TcpStream, targets: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut line = |to: &mut Vec<u8>| reader.read_until(b'\n', to).ok().filter(|read| *read > 0);
    loop {
        let mut request = Vec::new();
        line(&mut request)?;
        let target = request.splitn(2, |byte| *byte == b' ').nth(1)?;
        let target = target.strip_suffix(b" HTTP/1.1\r\n")?;
        targets.lock().unwrap().push(target.to_vec());
        loop {
            let mut header = Vec::new();
            line(&mut header)?;
            if header == b"\r\n" {
                break;
            }
        }
        let (head, mut connection) = (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", connection);
        connection.write_all(head).ok()?;
    }
}
