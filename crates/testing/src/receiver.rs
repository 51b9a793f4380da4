//! A place that takes what sinks send by HTTP: it keeps every call, and answers as the test says.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A call that came.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The path, with the query.
    pub path: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The status that was answered; 0 for what was no answer.
    pub status: u16,
}

impl Taken {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The id of the event, as a webhook has it.
    pub fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    pub fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status, with headers (each with its line break) and a body.
    Status(u16, &'static str, &'static str),
    /// Nothing, for so long.
    Hang(Duration),
    /// What is no HTTP.
    Garbage,
    /// The connection ends.
    Close,
}

type Answer = dyn Fn(usize, &Taken) -> Reply + Send + Sync;

/// The place.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    calls: Arc<Mutex<Vec<Taken>>>,
    answer: Arc<Mutex<Arc<Answer>>>,
}

impl Receiver {
    /// Takes everything.
    pub fn start() -> Receiver {
        Receiver::answering(|_, _| Reply::Status(200, "", "ok"))
    }

    /// Answers by the number of the call, from 0 on, and what it is.
    pub fn answering(answer: impl Fn(usize, &Taken) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver {
            url: format!("http://{}/events", listener.local_addr().unwrap()),
            calls: Arc::default(),
            answer: Arc::new(Mutex::new(Arc::new(answer))),
        };
        let own = receiver.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let own = own.clone();
                // A client that goes away is no fault of the test.
                thread::spawn(move || own.serve(&mut connection.ok()?));
            }
        });
        receiver
    }

    /// Answers in another way from now on.
    pub fn answers(&self, answer: impl Fn(usize, &Taken) -> Reply + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    /// Every call, in the order in which they came.
    pub fn calls(&self) -> Vec<Taken> {
        self.calls.lock().unwrap().clone()
    }

    /// The calls that were taken.
    pub fn taken(&self) -> Vec<Taken> {
        self.calls().into_iter().filter(Taken::is_taken).collect()
    }

    /// The types of the events that were taken, in their order.
    pub fn types(&self) -> Vec<String> {
        let types = self.taken().into_iter().map(|call| call.json()["type"].clone());
        types.map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// The ids of the events that were taken; none came twice.
    pub fn ids(&self) -> BTreeSet<String> {
        let taken = self.taken();
        let ids: BTreeSet<String> = taken.iter().map(Taken::id).collect();
        assert_eq!(ids.len(), taken.len(), "an event was taken twice");
        ids
    }

    fn serve(&self, connection: &mut TcpStream) -> Option<()> {
        let mut taken = read(connection)?;
        let number = self.calls.lock().unwrap().len();
        let answer = Arc::clone(&self.answer.lock().unwrap());
        let reply = answer(number, &taken);
        if let Reply::Status(status, ..) = reply {
            taken.status = status;
        }
        self.calls.lock().unwrap().push(taken);
        match reply {
            Reply::Status(status, headers, body) => write!(
                connection,
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
                body.len()
            )
            .ok(),
            Reply::Hang(time) => {
                thread::sleep(time);
                None
            }
            Reply::Garbage => connection.write_all(b"220 mail.test ESMTP\r\n").ok(),
            Reply::Close => None,
        }
    }
}

fn read(connection: &mut TcpStream) -> Option<Taken> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let body = bytes[end + 4..].to_vec();
            let mut lines = head.lines();
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let taken = Taken { path, headers, body, status: 0 };
            let length = taken.header("content-length").parse().unwrap_or(0);
            if taken.body.len() >= length {
                return Some(taken);
            }
        }
        match connection.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}
