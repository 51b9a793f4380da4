//! `Connection` under a permit: the next hop removes each header that it names (RFC 9110 section 7.6.1), and so would
//! remove the headers by which this filter tells the upstream of the grant, if the client names them.
//!
//! Envoy takes `Connection` away from a request that does not switch to another protocol, and hands it on with one that
//! does.

use crate::config::Config;
use crate::headers::{Headers, reads_as};
use crate::request::is_ours;
use crate::worker::STREAM_DURATION_HEADER;

/// The headers whose values name headers for the next hop to remove. `Proxy-Connection` is no standard, and some obey it.
const NAMES: [&str; 2] = ["connection", "proxy-connection"];

/// What is to be done with such headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CleanConnection {
    /// Those of which nothing is left.
    pub(crate) remove: Vec<String>,
    /// The others that change, with what is left of them.
    pub(crate) set: Vec<(&'static str, String)>,
}

impl CleanConnection {
    /// Takes out the names of what this filter sets, and of what may hold a token.
    pub(crate) fn of(headers: &Headers, config: &Config) -> CleanConnection {
        let mut clean = CleanConnection::default();
        for header in NAMES {
            let lines = headers.iter().filter(|(name, _)| *name == header.as_bytes());
            let options = lines.flat_map(|(_, value)| value.split(|byte| *byte == b','));
            let options: Vec<&[u8]> =
                options.map(<[u8]>::trim_ascii).filter(|option| !option.is_empty()).collect();
            let kept: Vec<&[u8]> =
                options.iter().copied().filter(|option| !is_guarded(option, config)).collect();
            if kept.len() == options.len() {
                continue;
            }
            match kept.is_empty() {
                true => clean.remove.push(header.to_owned()),
                false => clean
                    .set
                    .push((header, String::from_utf8_lossy(&kept.join(&b", "[..])).into_owned())),
            }
        }
        clean
    }
}

/// Whether the next hop may not be told to remove this header.
fn is_guarded(option: &[u8], config: &Config) -> bool {
    let mut sources = config.token_sources.iter();
    is_ours(option)
        || reads_as(option, STREAM_DURATION_HEADER.as_bytes())
        || sources.any(|source| reads_as(option, source.header.as_bytes()))
}
