//! What a proxy's turns with some traffic cost, beside those of others.

use std::net::SocketAddr;

use super::mix::Sent;
use crate::Verdict;
use crate::process::Running;
use crate::times::{Times, median};

/// What counts as no difference.
const LATENCY_BAR: f64 = 1.1;
const CPU_BAR: f64 = 1.05;

/// What was measured of one proxy, a value for each turn.
#[derive(Default)]
pub(super) struct Turns {
    sent: Vec<Sent>,
    /// Microseconds of CPU per request.
    cpu: Vec<f64>,
}

impl Turns {
    /// One turn more, with what `send` sends.
    pub(super) fn add(&mut self, envoy: &Running, send: impl FnOnce(SocketAddr) -> Sent) {
        let before = envoy.process().cpu();
        let sent = send(envoy.address());
        self.cpu.push((envoy.process().cpu() - before).as_secs_f64() * 1e6 / sent.requests as f64);
        self.sent.push(sent);
    }

    /// How many of each alert's kind were sent.
    pub(super) fn violations(&self) -> [u64; 3] {
        self.sent
            .iter()
            .fold([0; 3], |sum, sent| [0, 1, 2].map(|kind| sum[kind] + sent.violations[kind]))
    }

    /// The percentile of a turn's legitimate requests, in milliseconds.
    fn latency(&self, percent: usize) -> f64 {
        let of = |sent: &Sent| {
            let all: Times = sent.legitimate.iter().copied().collect();
            all.percentile(percent).as_secs_f64() * 1e3
        };
        middle(self.sent.iter().map(of))
    }

    fn cpu(&self) -> f64 {
        middle(self.cpu.iter().copied())
    }
}

/// That of the middle turn: a turn in which the machine stood still for a moment counts as one turn, whatever it cost.
fn middle(turns: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = turns.collect();
    all.sort_by(f64::total_cmp);
    median(&all)
}

/// Compares the proxy with alerts and the one without. A third one, without alerts too, says what the machine can tell apart:
/// where the two that are alike differ by more than a bar, the figure beside it is no verdict.
pub(super) fn cost([with, without, alike]: &[Turns; 3]) -> Verdict {
    let compare = |what: &str, unit: &str, bar: f64, of: &dyn Fn(&Turns) -> f64| {
        let [with, without, alike] = [with, without, alike].map(of);
        let (ratio, control) = (with / without, alike / without);
        println!(
            "{what:34} {with:8.2} {unit} with, {without:8.2} and {alike:8.2} without; ratio {ratio:.3}, of those without {control:.3}"
        );
        let is_told_apart = (1.0 / bar..=bar).contains(&control);
        Verdict::of(&format!("{what}: those without differ by at most {bar}"), is_told_apart)
            .and(Verdict::of(&format!("{what}: the ratio is at most {bar}"), ratio <= bar))
    };
    compare("legitimate traffic, p50", "ms", LATENCY_BAR, &|turns| turns.latency(50))
        .and(compare("legitimate traffic, p99", "ms", LATENCY_BAR, &|turns| turns.latency(99)))
        .and(compare("CPU per request", "us", CPU_BAR, &Turns::cpu))
}
