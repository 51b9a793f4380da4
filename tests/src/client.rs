//! An HTTP/1.1 client on a raw socket: exactly these bytes go out, whatever a library would say.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

/// How long a socket may be silent: no answer of the gate takes as long.
const SILENCE: Duration = Duration::from_secs(15);

/// A request, its bytes chosen by the test.
#[derive(Clone)]
pub struct Request {
    /// The id that Envoy, the upstream, the answer and the audit record know it by.
    pub id: String,
    method: String,
    target: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    host: String,
    body: Vec<u8>,
}

/// An id that no other request has.
pub fn new_id() -> String {
    static IDS: AtomicU64 = AtomicU64::new(1);
    format!("request-{}", IDS.fetch_add(1, Ordering::Relaxed))
}

/// A GET of `target`.
#[must_use]
pub fn get(target: impl AsRef<[u8]>) -> Request {
    request("GET", target)
}

/// A request with any method.
#[must_use]
pub fn request(method: &str, target: impl AsRef<[u8]>) -> Request {
    Request {
        id: new_id(),
        method: method.to_owned(),
        target: target.as_ref().to_vec(),
        headers: Vec::new(),
        host: "orders.internal".to_owned(),
        body: Vec::new(),
    }
}

impl Request {
    /// The same as another request.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Request { id: new_id(), ..self.clone() }
    }

    /// Adds a header; the same name may be added again.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Presents a token in the dedicated header.
    #[must_use]
    pub fn token(self, token: impl AsRef<[u8]>) -> Self {
        self.header("x-breakglass-token", token)
    }

    /// Names another host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Sends a body with its length.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The host.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.host
    }

    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> String {
        let target = String::from_utf8_lossy(&self.target);
        target.split('?').next().unwrap_or("").to_owned()
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        let mut header = |name: &[u8], value: &[u8]| {
            out.extend([name, b": ", value, b"\r\n"].concat());
        };
        header(b"host", self.host.as_bytes());
        header(b"x-request-id", self.id.as_bytes());
        for (name, value) in &self.headers {
            header(name, value);
        }
        if !self.body.is_empty() {
            header(b"content-length", self.body.len().to_string().as_bytes());
        }
        out.extend(b"\r\n");
        out.extend(&self.body);
        out
    }

    /// Sends it on a connection of its own and reads the answer.
    ///
    /// # Panics
    /// When there is no connection or no answer.
    #[must_use]
    pub fn send(&self, to: SocketAddr) -> Answer {
        self.send_over(&mut connect(to))
    }

    /// The same, for whoever may not be there yet.
    ///
    /// # Errors
    /// When there is no connection or no answer.
    pub fn try_send(&self, to: SocketAddr) -> std::io::Result<Answer> {
        let mut connection = TcpStream::connect(to)?;
        connection.set_read_timeout(Some(SILENCE))?;
        connection.write_all(&self.bytes())?;
        Answer::read(&mut BufReader::new(connection), &self.method)
    }

    /// Sends it over an open connection and reads the answer.
    ///
    /// # Panics
    /// When the connection ends before the answer does.
    pub fn send_over(&self, connection: &mut (impl Read + Write)) -> Answer {
        connection.write_all(&self.bytes()).unwrap();
        Answer::read(&mut BufReader::new(connection), &self.method)
            .unwrap_or_else(|error| panic!("no answer to {self:?}: {error}"))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        write!(f, "{:.2000}", String::from_utf8_lossy(&bytes).escape_debug().to_string())
    }
}

/// Opens a connection.
///
/// # Panics
/// When nobody listens there.
#[must_use]
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// An answer.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads an answer to a request of `method`.
    ///
    /// # Errors
    /// When the connection ends or is silent before the answer is complete.
    pub fn read(from: &mut impl BufRead, method: &str) -> std::io::Result<Answer> {
        let mut line = || -> std::io::Result<String> {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
        };
        let status_line = line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other(status_line.clone()))?;
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method != "HEAD" && ![101, 204, 304].contains(&status) {
            answer.body = answer.read_body(from)?;
        }
        Ok(answer)
    }

    fn read_body(&self, from: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if let Some(length) = self.header("content-length") {
            body.resize(length.parse().expect("a content length"), 0);
            from.read_exact(&mut body)?;
        } else if self.header("transfer-encoding") == Some("chunked") {
            loop {
                let mut size = String::new();
                from.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
                let mut chunk = vec![0; size + 2];
                from.read_exact(&mut chunk)?;
                if size == 0 {
                    break;
                }
                body.extend(&chunk[..size]);
            }
        } else {
            from.read_to_end(&mut body)?;
        }
        Ok(body)
    }

    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("a JSON body: {error}: {self:?}"))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}
