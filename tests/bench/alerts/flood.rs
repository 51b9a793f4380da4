//! What alerts cost a proxy that is attacked: proxies that differ in nothing but `alerts`, with the same traffic in turn;
//! and whether their counts tell of every violation.

use std::time::Duration;

use breakglass_tests::service::Service;
use breakglass_tests::wait::{until, until_within};

use serde_json::{Value, json};

use super::counts::told;
use super::mix::{ALERTS, Mix};
use super::proxies::{credential, service};
use super::turns::{Turns, cost};
use crate::Verdict;
use crate::apart::Apart;
use crate::following;
use crate::grants;
use crate::process::Running;

/// How often each proxy has its turn, and for how long: a minute and a half of each.
const ROUNDS: usize = 45;
const TURN: Duration = Duration::from_secs(2);

/// How long it is measured what the machine sustains, and what part of that is sent.
const TRIAL: Duration = Duration::from_secs(3);
const PART: f64 = 0.6;

/// How many grants hold what is sent: so many alerts of what is out of scope there are in a minute.
const GRANTS: usize = 10;

/// How many reports a VM makes in a second at most.
const REPORTS: f64 = 4.0;

/// After the last of them so many violations of each kind at once: more than a minute may have without an alert, so that the
/// last minute is told of too.
const LAST: usize = 50;

/// How long what happens after an alert waits to be told, and a margin.
const ALL_TOLD: Duration = Duration::from_secs(90);

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
    let without = |_: &mut Value| ();
    let proxies = [
        start("with", following::report_alerts),
        start("without", without),
        start("as-without", without),
    ];
    let [with, plain, _] = &proxies;
    for envoy in &proxies {
        until("the proxy", || mix.is_let_through(envoy.address()).then_some(()));
    }
    let apart = Apart::from(&proxies);
    let trial = mix.as_fast_as_possible(plain.address(), TRIAL);
    let rate = trial.rate * PART;
    println!(
        "\nforged, unknown keys, out of scope and legitimate in equal parts, one worker, {apart}"
    );
    println!(
        "sustained {:.0} requests a second; sent {rate:.0} in {ROUNDS} turns of {TURN:?} each",
        trial.rate
    );
    let mut turns: [Turns; 3] = Default::default();
    for round in 0..ROUNDS {
        // None has the better place in every round.
        for place in 0..proxies.len() {
            let of = (round + place) % proxies.len();
            turns[of].add(&proxies[of], |to| mix.at(to, rate, TURN));
        }
    }
    mix.burst(with.address(), LAST);
    let last = u64::try_from(LAST).unwrap();
    let caused = turns[0].violations().map(|count| count + last);
    cost(&turns).and(reports(made(with))).and(counts(&service, with, caused))
}

/// How many reports of alerts a proxy has made.
fn made(envoy: &Running) -> u64 {
    let stats = envoy.stats();
    let of = |result| stats.of(&format!("wasmcustom.breakglass.alert_report.result.{result}"));
    ["ok", "refused", "failed"].map(of).iter().sum()
}

fn reports(made: u64) -> Verdict {
    let seconds = TURN.as_secs_f64() * ROUNDS as f64;
    println!("{:34} {made:8} in {seconds:.0} s", "reports of alerts");
    Verdict::of(&format!("at most {REPORTS} reports a second"), made as f64 / seconds <= REPORTS)
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
