//! What alerts cost a proxy that is attacked: two proxies that differ in nothing but `alerts`, with the same traffic in turn;
//! and whether their counts tell of every violation.

use std::time::Duration;

use breakglass_tests::service::Service;
use breakglass_tests::wait::{until, until_within};

use serde_json::{Value, json};

use super::counts::told;
use super::mix::{ALERTS, Mix, Sent};
use super::proxies::{credential, service};
use crate::Verdict;
use crate::following;
use crate::grants;
use crate::process::Running;
use crate::times::median;

/// How often each proxy has its turn, and for how long: half a minute of each.
const ROUNDS: usize = 10;
const TURN: Duration = Duration::from_secs(3);

/// How long it is measured what the machine sustains, and what part of that is sent.
const TRIAL: Duration = Duration::from_secs(3);
const PART: f64 = 0.6;

/// How many grants hold what is sent: so many alerts of what is out of scope there are in a minute.
const GRANTS: usize = 10;

/// What counts as no difference.
const LATENCY_BAR: f64 = 1.1;
const CPU_BAR: f64 = 1.05;

/// How many reports a VM makes in a second at most.
const REPORTS: f64 = 4.0;

/// After the last of them so many violations of each kind at once: more than a minute may have without an alert, so that the
/// last minute is told of too.
const LAST: usize = 50;

/// How long what happens after an alert waits to be told, and a margin.
const ALL_TOLD: Duration = Duration::from_secs(90);

/// Measurements of one proxy.
#[derive(Default)]
struct Turns {
    /// Median and p99 of a legitimate request, in milliseconds.
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// Microseconds of CPU per request.
    cpu: Vec<f64>,
    violations: [u64; 3],
    reports: u64,
}

pub(super) fn run() -> Verdict {
    let service = service(1);
    let mix = Mix::under(&grants::make(&service, GRANTS));
    let keys = service.get("/.well-known/jwks.json").json();
    let start = |node: &str, change: fn(&mut Value)| {
        following::start_changed(&service, node, &credential(0), |filter| {
            // With keys that are fetched, a token of an unknown one waits for them: this refuses it at once.
            filter["issuers"][0]["jwks"] = json!({"inline": keys});
            change(filter);
        })
    };
    let (with, without) = (start("with", following::report_alerts), start("without", |_| ()));
    for envoy in [&with, &without] {
        until("the proxy", || mix.is_let_through(envoy.address()).then_some(()));
    }
    let trial = mix.as_fast_as_possible(without.address(), TRIAL);
    let rate = trial.rate * PART;
    println!("\nforged, unknown keys, out of scope and legitimate in equal parts, one worker");
    println!(
        "sustained {:.0} requests a second; sent {rate:.0} in {ROUNDS} turns of {TURN:?} each",
        trial.rate
    );
    let (mut alerting, mut plain) = (Turns::default(), Turns::default());
    for round in 0..ROUNDS {
        // Neither has the better place in every round.
        let mut turn = |of_first: bool| match of_first == (round % 2 == 0) {
            true => alerting.add(&with, &mix, rate),
            false => plain.add(&without, &mix, rate),
        };
        turn(true);
        turn(false);
    }
    mix.burst(with.address(), LAST);
    let last = u64::try_from(LAST).unwrap();
    let caused = alerting.violations.map(|count| count + last);
    ratios(&alerting, &plain).and(reports(&alerting)).and(counts(&service, &with, caused))
}

impl Turns {
    fn add(&mut self, envoy: &Running, mix: &Mix, rate: f64) {
        let (cpu, reports) = (envoy.process().cpu(), made(envoy));
        let sent: Sent = mix.at(envoy.address(), rate, TURN);
        self.cpu.push((envoy.process().cpu() - cpu).as_secs_f64() * 1e6 / sent.requests as f64);
        self.reports += made(envoy) - reports;
        let millis = |percent| sent.legitimate.percentile(percent).as_secs_f64() * 1e3;
        self.p50.push(millis(50));
        self.p99.push(millis(99));
        for (all, count) in self.violations.iter_mut().zip(sent.violations) {
            *all += count;
        }
    }
}

/// How many reports of alerts a proxy has made.
fn made(envoy: &Running) -> u64 {
    let stats = envoy.stats();
    let of = |result| stats.of(&format!("wasmcustom.breakglass.alert_report.result.{result}"));
    ["ok", "refused", "failed"].map(of).iter().sum()
}

fn ratios(with: &Turns, without: &Turns) -> Verdict {
    let print = |what: &str, unit: &str, with: &[f64], without: &[f64]| {
        let mut ratios: Vec<f64> =
            with.iter().zip(without).map(|(one, other)| one / other).collect();
        let [with, without] = [with, without].map(|all| {
            let mut all = all.to_vec();
            all.sort_by(f64::total_cmp);
            median(&all)
        });
        ratios.sort_by(f64::total_cmp);
        let (least, middle, most) = (ratios[0], median(&ratios), ratios[ratios.len() - 1]);
        println!(
            "{what:34} {with:8.2} {unit} with, {without:8.2} {unit} without; ratio {least:.3} at least, {middle:.3} median, {most:.3} at most"
        );
        middle
    };
    let p50 = print("legitimate traffic, p50", "ms", &with.p50, &without.p50);
    let p99 = print("legitimate traffic, p99", "ms", &with.p99, &without.p99);
    let cpu = print("CPU per request", "us", &with.cpu, &without.cpu);
    Verdict::of(&format!("the median ratio of p50 is at most {LATENCY_BAR}"), p50 <= LATENCY_BAR)
        .and(Verdict::of(
            &format!("the median ratio of p99 is at most {LATENCY_BAR}"),
            p99 <= LATENCY_BAR,
        ))
        .and(Verdict::of(&format!("the median ratio of CPU is at most {CPU_BAR}"), cpu <= CPU_BAR))
}

fn reports(with: &Turns) -> Verdict {
    let seconds = TURN.as_secs_f64() * ROUNDS as f64;
    let rate = with.reports as f64 / seconds;
    println!("{:34} {:8} in {seconds:.0} s", "reports of alerts", with.reports);
    Verdict::of(&format!("at most {REPORTS} reports a second"), rate <= REPORTS)
}

/// Waits until nothing is left to tell.
fn counts(service: &Service, envoy: &Running, caused: [u64; 3]) -> Verdict {
    let name = "measured-0";
    let all: u64 = caused.iter().sum();
    let told = until_within(ALL_TOLD, "the count of every violation", || {
        let told = told(service, name);
        let sum: u64 =
            ALERTS.iter().chain(["alerts_dropped"].iter()).filter_map(|kind| told.get(*kind)).sum();
        (sum >= all).then_some(told)
    });
    let of = |kind: &str| told.get(kind).copied().unwrap_or(0);
    let dropped = of("alerts_dropped");
    let mut is_exact = true;
    for (kind, caused) in ALERTS.iter().zip(caused) {
        println!("{kind:34} {caused:8} caused, {:8} told", of(kind));
        is_exact &= of(kind) <= caused;
    }
    let sum: u64 = ALERTS.iter().map(|kind| of(kind)).sum::<u64>() + dropped;
    let counted =
        |result| envoy.stats().of(&format!("wasmcustom.breakglass.alerts.result.{result}"));
    println!("{:34} {dropped:8}", "dropped, of any kind");
    println!(
        "the filter's own counters: {} sent, {} by a count, {} dropped",
        counted("sent"),
        counted("suppressed"),
        counted("dropped")
    );
    Verdict::of("told and dropped are together what was caused", is_exact && sum == all)
}
