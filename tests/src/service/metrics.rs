//! What the service counts, by its own `/metrics`.

use std::collections::BTreeMap;

use super::Service;

impl Service {
    /// How often proxies asked about a token, by the service's own count.
    #[must_use]
    pub fn introspections(&self) -> u64 {
        self.metric(r#"breakglass_http_requests_total{endpoint="/oauth2/introspect""#)
    }

    /// How many polls of the feed hang now, by the service's own count.
    #[must_use]
    pub fn hanging_polls(&self) -> u64 {
        self.metric("breakglass_feed_hanging_polls ")
    }

    /// How many requests it answered, by endpoint, by its own count.
    #[must_use]
    pub fn answered(&self) -> BTreeMap<String, u64> {
        let mut answered = BTreeMap::new();
        for line in self.metrics().lines() {
            let counted = line.strip_prefix(r#"breakglass_http_requests_total{endpoint=""#);
            let Some((endpoint, rest)) = counted.and_then(|rest| rest.split_once('"')) else {
                continue;
            };
            *answered.entry(endpoint.to_owned()).or_default() += value(rest);
        }
        answered
    }

    /// The sum of the metrics whose lines begin so.
    fn metric(&self, beginning: &str) -> u64 {
        self.metrics().lines().filter(|line| line.starts_with(beginning)).map(value).sum()
    }

    pub(super) fn metrics(&self) -> String {
        String::from_utf8_lossy(&self.get("/metrics").body).into_owned()
    }
}

/// The value at the end of a line of `/metrics`.
fn value(line: &str) -> u64 {
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)
}
