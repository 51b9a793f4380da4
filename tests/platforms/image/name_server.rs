//! A name server as a cluster has one, as far as it takes (RFC 1035): addresses of version 4, over UDP, and over TCP
//! where an answer is longer than a datagram.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The longest answer in a datagram, without EDNS.
const DATAGRAM: usize = 512;

const A: u16 = 1;

/// The kind of name that it cannot say anything about (SERVFAIL): those below this one.
pub(crate) const BROKEN: &str = "broken.internal";

/// A running name server. It ends with the tests.
pub(crate) struct NameServer(Arc<Known>);

struct Known {
    names: BTreeMap<String, Vec<Ipv4Addr>>,
    asked: Mutex<Vec<String>>,
}

impl Known {
    fn asked(&self) -> MutexGuard<'_, Vec<String>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a question, of any length.
    fn answer(&self, question: &[u8]) -> Vec<u8> {
        let (name, end) = name(question);
        let kind = u16::from_be_bytes([question[end], question[end + 1]]);
        let found = self.names.get(&name);
        let addresses = found.filter(|_| kind == A).map_or(&[][..], Vec::as_slice);
        let code = match found {
            Some(_) => 0,
            None if name.ends_with(BROKEN) => 2,
            None => 3,
        };
        if kind == A {
            self.asked().push(name);
        }
        let count = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        // An answer, to a question that wanted recursion, which was had.
        let mut out = [&question[..2], &[0x85, 0x80 | code, 0, 1], &count, &[0; 4]].concat();
        out.extend(&question[12..end + 4]);
        for address in addresses {
            // The name is the question's; IN A, for five seconds.
            out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
            out.extend(address.octets());
        }
        out
    }
}

/// The name in a question, and where it ends.
fn name(question: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(question[at]);
        at += 1;
        if length == 0 {
            return (labels.join("."), at);
        }
        labels.push(String::from_utf8(question[at..at + length].to_vec()).unwrap());
        at += length;
    }
}

impl NameServer {
    /// Starts one on port 53 that knows these names.
    pub(crate) fn start(at: IpAddr, names: &[(&str, &[Ipv4Addr])]) -> NameServer {
        let names = names.iter().map(|(name, addresses)| ((*name).to_owned(), addresses.to_vec()));
        let known = Arc::new(Known { names: names.collect(), asked: Mutex::default() });
        let at = SocketAddr::new(at, 53);
        let datagrams = UdpSocket::bind(at).unwrap();
        let connections = TcpListener::bind(at).unwrap();
        let here = Arc::clone(&known);
        thread::spawn(move || {
            let mut question = [0; DATAGRAM];
            loop {
                let (length, from) = datagrams.recv_from(&mut question).unwrap();
                let mut answer = here.answer(&question[..length]);
                if answer.len() > DATAGRAM {
                    // Nothing but the question, and that there is more.
                    answer.truncate(name(&question).1 + 4);
                    answer[2] |= 0x02;
                    answer[6..8].fill(0);
                }
                datagrams.send_to(&answer, from).unwrap();
            }
        });
        let here = Arc::clone(&known);
        thread::spawn(move || {
            for connection in connections.incoming() {
                let mut connection = connection.unwrap();
                let mut length = [0; 2];
                connection.read_exact(&mut length).unwrap();
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                connection.read_exact(&mut question).unwrap();
                let answer = here.answer(&question);
                let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                connection.write_all(&[&length[..], &answer].concat()).unwrap();
            }
        });
        NameServer(known)
    }

    /// Of which names an address was asked since the last time, in order, each once in a row.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.0.asked());
        asked.dedup();
        asked
    }
}
