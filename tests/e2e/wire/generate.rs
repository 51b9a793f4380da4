//! Random requests that are valid, and the answers that the upstream is to give.

use super::case::{Case, Content, Framing, Group, Planned, Protocol};
use super::message::Field;
use super::random::Random;
use super::words::{
    ANSWER_FIELDS, HOSTS, LETTERS, METHODS, PATH, PLAIN, REQUEST_FIELDS, STATUSES, TOKEN, VALUE,
};

/// The most bytes of a content.
const CONTENT: usize = 20_000;

/// How many segments of a path have more than plain characters: one that has more readings than the filter looks at
/// counts as protected, and is refused (docs/configuration.md says so).
const ODD_SEGMENTS: usize = 2;

/// So many requests by each version of HTTP in turn, the same for the same seed.
pub(super) fn groups(seed: u64, requests: u64) -> Vec<Group> {
    let mut random = Random::new(seed);
    let (mut groups, mut next) = (Vec::new(), 1);
    while u64::from(next) <= requests {
        let protocol = match random.below(4) {
            0 => Protocol::Http1 { pipelined: true },
            1 => Protocol::Http1 { pipelined: false },
            _ => Protocol::Http2,
        };
        let upgrades = matches!(protocol, Protocol::Http1 { .. }) && random.one_in(5);
        let size = if upgrades { 1 } else { 1 + random.below(7) };
        let mut cases = Vec::new();
        for position in 1..=size {
            if u64::from(next) > requests {
                break;
            }
            let mut maker = Maker { random: &mut random, protocol, last: position == size };
            cases.push(if upgrades { maker.upgrade(next) } else { maker.case(next) });
            next += 1;
        }
        groups.push(Group { protocol, cases });
    }
    groups
}

/// Makes the cases of a group.
struct Maker<'a> {
    random: &'a mut Random,
    protocol: Protocol,
    /// Whether it is the last of its connection.
    last: bool,
}

impl Maker<'_> {
    fn is_http1(&self) -> bool {
        self.protocol != Protocol::Http2
    }

    fn case(&mut self, id: u32) -> Case {
        let method = self.random.of(&METHODS).to_owned();
        let has_content = match &*method {
            // The only method whose content is not valid.
            "TRACE" => false,
            "GET" | "HEAD" | "DELETE" | "OPTIONS" => self.random.one_in(5),
            _ => !self.random.one_in(6),
        };
        let content = if has_content { self.content(false) } else { Content::absent() };
        let mut fields = self.fields(&REQUEST_FIELDS);
        let alone = self.protocol != Protocol::Http1 { pipelined: true };
        let expects = alone && content.length() > 0 && self.random.one_in(3);
        if expects {
            fields.push(self.field("expect", b"100-continue"));
        }
        if self.is_http1() && self.last && self.random.one_in(4) {
            fields.push(self.field("connection", b"close"));
        }
        let (host, target) = (self.host(), self.target(&method));
        Case { id, method, target, host, fields, expects, content, answer: self.answer() }
    }

    /// An upgrade that the upstream declines.
    fn upgrade(&mut self, id: u32) -> Case {
        let mut fields = self.fields(&REQUEST_FIELDS);
        let (upgrade, connection) = self.random.of(&[
            &("websocket", "Upgrade"),
            &("WebSocket", "keep-alive, Upgrade"),
            &("websocket", "upgrade"),
            &("h2c", "Upgrade, HTTP2-Settings"),
            &("other/1.0", "Upgrade"),
        ]);
        fields.push(self.field("connection", connection.as_bytes()));
        fields.push(self.field("upgrade", upgrade.as_bytes()));
        fields.push(self.field("sec-websocket-version", b"13"));
        fields.push(self.field("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="));
        fields.push(self.field("http2-settings", b"AAMAAABkAAQAAP__"));
        let mut answer = self.answer();
        answer.status = [200, 400, 403, 404, 426, 503][self.random.below(6)];
        let (host, target) = (self.host(), self.target("GET"));
        let content = Content::absent();
        Case { id, method: "GET".into(), target, host, fields, expects: false, content, answer }
    }

    fn answer(&mut self) -> Planned {
        let status = STATUSES[self.random.below(STATUSES.len())];
        let has_content = ![204, 304].contains(&status);
        let content = if has_content { self.content(true) } else { Content::absent() };
        Planned { status, fields: self.fields(&ANSWER_FIELDS), content }
    }

    fn content(&mut self, of_answer: bool) -> Content {
        let framing = match self.random.below(if of_answer { 10 } else { 9 }) {
            0 => Framing::Absent,
            1..=4 => Framing::Length,
            9 => Framing::Connection,
            _ => Framing::Chunked,
        };
        let mut pieces = Vec::new();
        if framing != Framing::Absent {
            for _ in 0..self.random.below(4) {
                let length = self.random.length(CONTENT / 3);
                // A chunk of none would be the last.
                pieces.push(self.random.bytes(b"\0\r\n0aZ\xff{}\":;", length.max(1)));
            }
        }
        let may_trail =
            framing == Framing::Chunked || !self.is_http1() && framing == Framing::Length;
        let trailers = (may_trail && self.random.one_in(3)).then(|| self.trailers(of_answer));
        Content { framing, pieces, trailers: trailers.flatten() }
    }

    fn trailers(&mut self, of_answer: bool) -> Option<Vec<Field>> {
        let least = usize::from(self.is_http1() || of_answer);
        let count = least + self.random.below(4);
        let known = ["x-checksum", "grpc-status", "grpc-message", "x-breakglass-other", "x-empty"];
        let trailers = (0..count).map(|_| {
            let name = self.random.of(&known).to_owned();
            let length = self.random.length(60);
            let value = self.value(length);
            self.field(&name, &value)
        });
        Some(trailers.collect())
    }

    fn host(&mut self) -> String {
        self.random.of(&HOSTS).to_owned()
    }

    fn target(&mut self, method: &str) -> Vec<u8> {
        // Envoy answers it with 404 and ends the connection.
        if self.is_http1() && self.last && method == "OPTIONS" && self.random.one_in(2) {
            return b"*".to_vec();
        }
        let mut target = Vec::new();
        if self.is_http1() && self.random.one_in(12) {
            target.extend(b"http://elsewhere.example:8080");
        }
        let segments = 1 + self.random.length(40) / 4;
        let odd = self.random.below(ODD_SEGMENTS + 1);
        for at in 0..segments {
            target.push(b'/');
            if segments - at > odd {
                let length = self.random.length(40);
                target.extend(self.random.bytes(PLAIN, length));
                continue;
            }
            match self.random.below(6) {
                0 => (),
                1 => {
                    let odd = [".", "..", "%2e%2e", "%2F", "..;x=y", "a.", "a::b"];
                    target.extend(self.random.of(&odd).bytes());
                }
                2 => target.extend(format!("%{:02X}", 0x20 + self.random.below(0xe0)).bytes()),
                _ => {
                    let length = self.random.length(40);
                    target.extend(self.random.bytes(PATH, length));
                }
            }
        }
        if self.random.one_in(3) {
            target.push(b'?');
            let length = self.random.length(400);
            target.extend(
                self.random
                    .bytes(b"abcXYZ019=&;/?%20+", length)
                    .iter()
                    .filter(|byte| **byte != b'%'),
            );
        }
        target
    }

    fn fields(&mut self, known: &[(&str, &str)]) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for _ in 0..self.random.below(9) {
            let field = if self.random.one_in(2) {
                let (name, value) = known[self.random.below(known.len())];
                let repeats = ["cookie", "set-cookie", "accept", "x-empty"].contains(&name);
                let has = |(known, _): &Field| known.eq_ignore_ascii_case(name.as_bytes());
                if !repeats && fields.iter().any(has) {
                    continue;
                }
                self.field(name, value.as_bytes())
            } else {
                let length = 1 + self.random.length(24);
                let name = [
                    b"x-".to_vec(),
                    self.random.bytes(LETTERS, 1),
                    self.random.bytes(TOKEN, length),
                ]
                .concat();
                // Now and then one of several packets.
                let most = if self.random.one_in(40) { 30_000 } else { 200 };
                let length = self.random.length(most);
                let value = self.value(length);
                let name = String::from_utf8(name).unwrap();
                self.field(&name, &value)
            };
            fields.push(field);
        }
        fields
    }

    /// A value without space around it, which HTTP/2 does not take.
    fn value(&mut self, length: usize) -> Vec<u8> {
        self.random.bytes(VALUE, length).trim_ascii().to_vec()
    }

    /// A field, by HTTP/1.1 with capitals and with space around the value.
    fn field(&mut self, name: &str, value: &[u8]) -> Field {
        if !self.is_http1() {
            return (name.into(), value.to_vec());
        }
        let capitals = self.random.one_in(3);
        let cased = name.bytes().map(|byte| {
            if capitals && self.random.one_in(3) { byte.to_ascii_uppercase() } else { byte }
        });
        let cased = cased.collect();
        let before = self.random.of(&["", " ", " ", " ", "  ", "\t "]);
        let after = self.random.of(&["", "", "", " ", "\t"]);
        (cased, [before.as_bytes(), value, after.as_bytes()].concat())
    }
}
