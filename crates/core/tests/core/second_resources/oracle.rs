//! A slow and obvious second implementation: the parsers of queries that servers have, each by itself, and what
//! each of them takes for the repository that a blob is mounted from.

/// One way to read a query.
#[derive(Debug, Clone, Copy)]
struct Parser {
    /// How often the whole is decoded before anything else.
    decoded_before: usize,
    /// Where the query begins.
    begins: fn(&str) -> Option<&str>,
    separators: &'static [char],
    /// How often names and values are decoded.
    decoded_after: usize,
    /// What is done to a name.
    name: fn(&str) -> String,
}

fn percent(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at + 1] != b'+' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(if plus && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

const BEGINS: [fn(&str) -> Option<&str>; 4] = [
    |target| target.split_once('?').map(|(_, query)| query.split('#').next().unwrap()),
    |target| target.split_once('?').map(|(_, query)| query),
    |target| target.rsplit_once('?').map(|(_, query)| query),
    |target| target.split_once('#').map(|(_, query)| query),
];

const NAMES: [fn(&str) -> String; 5] = [
    |name| name.to_owned(),
    |name| name.to_lowercase(),
    |name| name.trim().to_lowercase(),
    |name| name.split('[').next().unwrap().trim_start().to_owned(),
    |name| name.split('\0').next().unwrap().to_owned(),
];

fn parsers() -> impl Iterator<Item = Parser> {
    let separators: [&[char]; 3] = [&['&'], &[';'], &['&', ';']];
    (0..3).flat_map(move |decoded_before| {
        BEGINS.into_iter().flat_map(move |begins| {
            separators.into_iter().flat_map(move |separators| {
                (0..3).flat_map(move |decoded_after| {
                    NAMES.into_iter().map(move |name| Parser {
                        decoded_before,
                        begins,
                        separators,
                        decoded_after,
                        name,
                    })
                })
            })
        })
    })
}

impl Parser {
    /// The values of `from`, where `mount` is there too.
    fn sources(&self, target: &str) -> Vec<String> {
        let decode = |text: &str, times: usize, plus: bool| {
            (0..times).fold(text.to_owned(), |text, _| percent(&text, plus))
        };
        let target = decode(target, self.decoded_before, false);
        let Some(query) = (self.begins)(&target) else { return Vec::new() };
        let pairs: Vec<(String, String)> = query
            .split(self.separators)
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let name = (self.name)(&decode(name, self.decoded_after, true));
                (name, decode(value, self.decoded_after, true))
            })
            .collect();
        if !pairs.iter().any(|(name, _)| name == "mount") {
            return Vec::new();
        }
        pairs.into_iter().filter(|(name, _)| name == "from").map(|(_, value)| value).collect()
    }
}

/// Whether a server could take a target's query for one that mounts a blob of `repository`.
pub(super) fn mounts(target: &str, repository: &str) -> bool {
    parsers().any(|parser| {
        parser.sources(target).iter().any(|source| {
            let source = source.split(['?', '#', ';']).next().unwrap().trim().to_lowercase();
            let mut kept = Vec::new();
            for name in source.split('/') {
                match name {
                    "" | "." => {}
                    ".." => drop(kept.pop()),
                    name => kept.push(name),
                }
            }
            kept.join("/") == repository
        })
    })
}
