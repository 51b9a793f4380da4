//! What is measured, by part: `gate`, `revoke`, `feed`, `revocations`, `calls`, `idle`, `alerts`, `configurations`. Each prints what it
//! found; where the design sets a bar, it says whether the bar is met.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made must end, and real time is the point"
)]

mod alerts;
mod apart;
mod beside;
mod calls;
mod configurations;
mod feed;
mod following;
mod gate;
mod grants;
mod idle;
mod load;
mod poller;
mod process;
mod revocations;
mod revoke;
mod scratch;
mod seats;
mod times;
mod variants;

use std::process::ExitCode;

use breakglass_tests::artefacts;

/// What a part says of what it measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is no bar.
    Measured,
    /// The bar is met.
    Met,
    /// The bar is missed.
    Missed,
}

impl Verdict {
    /// Prints whether a bar is met.
    pub(crate) fn of(bar: &str, met: bool) -> Verdict {
        println!("{}: {bar}", if met { "MET" } else { "MISSED" });
        if met { Verdict::Met } else { Verdict::Missed }
    }

    /// Both, and the worse counts.
    pub(crate) fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Missed, _) | (_, Verdict::Missed) => Verdict::Missed,
            (Verdict::Met, _) | (_, Verdict::Met) => Verdict::Met,
            (Verdict::Measured, Verdict::Measured) => Verdict::Measured,
        }
    }
}

/// The name of a part, what it does, and the number that it usually takes.
type Part = (&'static str, fn(usize) -> Verdict, usize);

const PARTS: [Part; 8] = [
    ("gate", gate::run, 5),
    ("revoke", revoke::run, 200),
    ("feed", feed::run, 5_000),
    ("revocations", revocations::run, 100_000),
    ("calls", calls::run, 2_000),
    ("idle", idle::run, 16),
    ("alerts", alerts::run, 1_000),
    ("configurations", configurations::run, 5_000),
];

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--")).peekable();
    let name = words.next_if(|word| word.parse::<usize>().is_err());
    let name = name.as_deref().unwrap_or("gate");
    let number = words.next().map(|word| word.parse());
    let part = PARTS.iter().find(|(known, ..)| *known == name);
    let (Some((_, run, usual)), Ok(number), None) = (part, number.transpose(), words.next()) else {
        eprintln!("error: no such part, or no such number; see scripts/bench --help");
        return ExitCode::from(2);
    };
    println!("Envoy {}", artefacts::envoy_version());
    match run(number.unwrap_or(*usual)) {
        Verdict::Measured | Verdict::Met => ExitCode::SUCCESS,
        Verdict::Missed => ExitCode::FAILURE,
    }
}
