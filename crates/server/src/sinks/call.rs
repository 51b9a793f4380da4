//! One HTTP call: bounded in time and bytes, to the address that the configuration names and to no other.

use std::time::UNIX_EPOCH;

use breakglass_identity::Outgoing;
use breakglass_types::instant::format_duration;
use ureq::Error;
use url::Url;

use super::outcome::{Judge, Outcome};
use crate::config::Reach;

/// How much of an answer is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where.
    pub url: Url,
    /// Whether the URL itself is a secret, all but its host.
    pub is_secret: bool,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// Where, as it may be shown.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let origin = self.url.origin().ascii_serialization();
        match self.is_secret {
            true => format!("{origin}/.."),
            false => format!("{origin}{}", self.url.path()),
        }
    }
}

pub(super) fn send(call: &Call, reach: &Reach, judge: Judge) -> Outcome {
    let outgoing = Outgoing {
        ca_file: reach.ca_file.as_deref(),
        proxy: reach.proxy.as_ref(),
        timeout: reach.timeout,
        certificate: None,
    };
    let agent = match outgoing.agent() {
        Ok(agent) => agent,
        Err(error) => return Outcome::failed(error.to_string()),
    };
    let mut request = agent.post(call.url.as_str()).header("user-agent", "breakglass");
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    let mut answer = match request.send(call.body.as_slice()) {
        Ok(answer) => answer,
        Err(error) => return Outcome::failed(cause(call, reach, &error)),
    };
    let date =
        answer.headers().get("date").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| retry_after(text, date.as_deref()));
    let status = answer.status().as_u16();
    // A status is an answer, whatever becomes of the words that follow it.
    let words = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().unwrap_or_default();
    Outcome::of(judge, status, &String::from_utf8_lossy(&words), after)
}

/// The seconds that `Retry-After` says (RFC 9110 section 10.2.3): a number, or a time, which counts from the answer's own
/// `Date`.
fn retry_after(text: &str, date: Option<&str>) -> Option<u64> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(seconds);
    }
    let seconds = |text: &str| {
        let time = httpdate::parse_http_date(text).ok()?;
        Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
    };
    Some(seconds(text.trim())?.saturating_sub(seconds(date?.trim())?))
}

/// Why no answer came. The library's own words could hold the whole URL.
fn cause(call: &Call, reach: &Reach, error: &Error) -> String {
    let at = call.shown_url();
    match error {
        Error::Timeout(_) => format!("{at}: no answer within {}", format_duration(reach.timeout)),
        Error::Http(_) | Error::Protocol(_) | Error::LargeResponseHeader(..) => {
            format!("{at}: its answer is no HTTP")
        }
        Error::HostNotFound => format!("{at}: the name of its host is not known"),
        Error::BadUri(_) => format!("{at}: this is no address to which something can be posted"),
        Error::Io(error) => format!("{at}: {error}"),
        Error::ConnectionFailed => format!("{at}: no connection"),
        Error::Tls(text) => format!("{at}: TLS: {text}"),
        Error::Rustls(error) => format!("{at}: TLS: {error}"),
        Error::ConnectProxyFailed(_) => format!("{at}: the proxy does not let it through"),
        _ => format!("{at}: the call failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::retry_after;

    #[test]
    fn retry_after_is_a_number_or_a_time_by_the_clock_of_the_answer() {
        let date = Some("Sat, 28 Nov 2026 02:13:00 GMT");
        for (text, date, expected) in [
            ("120", None, Some(120)),
            (" 7 ", date, Some(7)),
            ("Sat, 28 Nov 2026 02:15:00 GMT", date, Some(120)),
            ("Sat, 28 Nov 2026 02:12:00 GMT", date, Some(0)),
            ("Sat, 28 Nov 2026 02:15:00 GMT", None, None),
            ("-3", date, None),
            ("soon", date, None),
            ("99999999999999999999999", date, None),
        ] {
            assert_eq!(retry_after(text, date), expected, "{text}");
        }
    }
}
