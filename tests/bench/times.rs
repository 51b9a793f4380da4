//! Many measurements of one thing.

use std::fmt;
use std::time::Duration;

/// Durations, to be told by their percentiles.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// The duration that `percent` of them do not exceed; the largest is that of 100.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank - 1]
    }

    /// How many are longer.
    pub(crate) fn longer_than(&self, bound: Duration) -> usize {
        self.0.len() - self.0.partition_point(|time| *time <= bound)
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Times {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Times(times)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] =
            [50, 99, 100].map(|percent| self.percentile(percent).as_secs_f64() * 1e3);
        write!(f, "p50 {p50:8.1} ms   p99 {p99:8.1} ms   max {max:8.1} ms   of {}", self.0.len())
    }
}

/// The one in the middle.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
