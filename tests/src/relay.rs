//! The network between Envoy and the approval service, which can lose every packet: unlike a service
//! that refuses, nobody is told anything.
//!
//! The packets are dropped by the kernel, before TCP sees them: each socket of the relay gets a filter
//! that lets nothing in (`SO_ATTACH_FILTER`). Connections are not even acknowledged, and data is
//! retransmitted, as behind a broken link. It needs no privilege and touches nobody else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use socket2::{SockFilter, SockRef, Socket};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::runtime::runtime;

/// `BPF_RET | BPF_K`: how many bytes of the packet go on.
const RETURN: u16 = 0x06;

/// A running relay.
pub struct Relay {
    address: SocketAddr,
    wires: Arc<Mutex<Wires>>,
    server: AbortHandle,
}

/// Every socket that is open, by number, the one that listens among them.
struct Wires {
    broken: bool,
    /// The path whose requests get no further.
    frozen: Option<&'static str>,
    sockets: BTreeMap<usize, Socket>,
    made: usize,
}

impl Relay {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(to: SocketAddr) -> Relay {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut wires = Wires { broken: false, frozen: None, sockets: BTreeMap::new(), made: 0 };
        wires.add(SockRef::from(&listener).try_clone().unwrap());
        let wires = Arc::new(Mutex::new(wires));
        let server = runtime().spawn(serve(listener, to, Arc::clone(&wires))).abort_handle();
        Relay { address, wires, server }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on every packet is lost, in both directions.
    ///
    /// # Panics
    /// When the kernel does not let a socket have a filter.
    pub fn lose_packets(&self) {
        self.wires.lock().unwrap().set_broken(true);
    }

    /// From now on a connection whose first request is a GET of `path` gets no further, and others do.
    ///
    /// # Panics
    /// When a task of the relay panicked.
    pub fn freeze(&self, path: &'static str) {
        self.wires.lock().unwrap().frozen = Some(path);
    }

    /// From now on no path is held up.
    ///
    /// # Panics
    /// When a task of the relay panicked.
    pub fn thaw(&self) {
        self.wires.lock().unwrap().frozen = None;
    }

    /// From now on no packet is lost.
    ///
    /// # Panics
    /// When a filter cannot be taken away.
    pub fn deliver_packets(&self) {
        self.wires.lock().unwrap().set_broken(false);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Wires {
    fn set_broken(&mut self, broken: bool) {
        self.broken = broken;
        for socket in self.sockets.values() {
            if broken {
                lose(socket);
            } else {
                socket.detach_filter().expect("a filter is taken away");
            }
        }
    }

    fn add(&mut self, socket: Socket) -> usize {
        if self.broken {
            lose(&socket);
        }
        self.made += 1;
        self.sockets.insert(self.made, socket);
        self.made
    }
}

fn lose(socket: &Socket) {
    let nothing = SockFilter::new(RETURN, 0, 0, 0);
    socket.attach_filter(&[nothing]).expect("a socket can have a filter");
}

async fn serve(listener: TcpListener, to: SocketAddr, wires: Arc<Mutex<Wires>>) {
    while let Ok((client, _)) = listener.accept().await {
        let wires = Arc::clone(&wires);
        tokio::spawn(async move {
            let Ok(service) = TcpStream::connect(to).await else { return };
            relay(client, service, &wires).await;
        });
    }
}

async fn relay(mut client: TcpStream, mut service: TcpStream, wires: &Mutex<Wires>) {
    let known = [&client, &service].map(|stream| {
        let socket = SockRef::from(stream).try_clone().unwrap();
        wires.lock().unwrap().add(socket)
    });
    // A connection that breaks is the business of those who use it.
    if is_frozen(&client, wires).await {
        let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
    } else {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
    }
    let mut wires = wires.lock().unwrap();
    known.iter().for_each(|number| drop(wires.sockets.remove(number)));
}

/// Whether this connection begins with a request that is held up.
async fn is_frozen(client: &TcpStream, wires: &Mutex<Wires>) -> bool {
    let mut begin = [0; 256];
    let count = client.peek(&mut begin).await.unwrap_or_default();
    let frozen = wires.lock().unwrap().frozen;
    frozen.is_some_and(|path| begin[..count].starts_with(format!("GET {path} ").as_bytes()))
}
