//! `breakglass audit verify`: lines per second against `sha256sum` on the same file, memory on a
//! short and a long log, and what lines cost that a client made to be costly.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made must end, and real time is the point"
)]

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use breakglass_testing::log::{END, Vm, heads, wrapped};

/// As many workers as a small gateway has.
const CHAINS: [char; 4] = ['a', 'b', 'c', 'd'];

const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let lines = numbers.next().unwrap_or(1_000_000);
    let long = numbers.next().unwrap_or(lines / 10);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let log = folder.path().join("access.log");
    let known = folder.path().join("heads.json");

    for (what, shape) in [("records alone", None), ("in Envoy's JSON", Some(wrapped as Shape))] {
        let mut file = BufWriter::new(fs::File::create(&log).unwrap());
        write(&mut file, lines, shape, &known);
        file.into_inner().unwrap().sync_all().unwrap();
        let megabytes = fs::metadata(&log).unwrap().len() as f64 / 1e6;
        // In turn, because the machine's speed drifts; the best of each, because it is shared.
        let mut best = [f64::MAX; 2];
        for _ in 0..ROUNDS {
            let (verified, _) = run(verify(&known).arg(&log), None);
            let (summed, _) = run(Command::new("sha256sum").arg(&log), None);
            best = [best[0].min(verified.as_secs_f64()), best[1].min(summed.as_secs_f64())];
        }
        println!("{lines} lines, {megabytes:.0} MB, {what}, best of {ROUNDS}:");
        println!("  audit verify  {:6.2} s  {:9.0} lines/s", best[0], lines as f64 / best[0]);
        println!("  sha256sum     {:6.2} s  {:9.0} lines/s", best[1], lines as f64 / best[1]);
        println!("  ratio         {:6.2}", best[0] / best[1]);
    }
    fs::remove_file(&log).unwrap();

    println!("memory, resident, at most:");
    for count in [lines, long] {
        // Heads are known before the log is: once for them, and once more for the log.
        write(&mut std::io::sink(), count, None, &known);
        let (time, kib) = run(verify(&known).arg("-").stdin(Stdio::piped()), Some(count));
        println!("  {count:9} lines  {kib:7} KiB  ({:.0} s)", time.as_secs_f64());
    }
    hostile(&log);
    if fleet(&log, &known) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As many chains as a fleet has in a month, and the reports that the service keeps of them.
const FLEET: (usize, usize) = (40_000, 600_000);

/// What a log of so many chains may take, in seconds.
const BAR_S: f64 = 2.0;

/// A log with a record of each chain, and one with as many as there are reports.
fn fleet(log: &Path, known: &Path) -> bool {
    let (chains, reports) = FLEET;
    let mut met = true;
    for (records, bar) in [(chains, Some(BAR_S)), (reports, None)] {
        let mut lines = BufWriter::new(fs::File::create(log).unwrap());
        let mut heads = BufWriter::new(fs::File::create(known).unwrap());
        write!(heads, "{{\"as_of\":\"2026-11-22T02:21:00Z\",\"heads\":[").unwrap();
        for number in 0..chains {
            let mut vm = Vm::new('0');
            vm.chain = format!("{number:032x}");
            for record in 0..records / chains {
                writeln!(lines, "{}", vm.write(&END)).unwrap();
                let comma = if number + record == 0 { "" } else { "," };
                write!(heads, "{comma}{}", vm.head()).unwrap();
            }
        }
        write!(heads, "],\"next\":null}}").unwrap();
        lines.into_inner().unwrap().sync_all().unwrap();
        heads.into_inner().unwrap().sync_all().unwrap();
        let times = (0..ROUNDS).map(|_| run(verify(known).arg(log), None).0.as_secs_f64());
        let seconds = times.fold(f64::MAX, f64::min);
        println!(
            "{chains} chains, {records} records and reports, best of {ROUNDS}: {seconds:.2} s"
        );
        if let Some(bar) = bar {
            met &= seconds <= bar;
            println!("{}: at most {bar} s", if seconds <= bar { "MET" } else { "MISSED" });
        }
    }
    met
}

/// How long hostile lines are.
const LENGTHS: [usize; 3] = [64 * 1024, 1024 * 1024, 16 * 1024 * 1024 - 1024];

/// How much a log of them has.
const HOSTILE_BYTES: usize = 16 * 1024 * 1024;

/// What a client may write, over and over.
const HOSTILE: [(&str, &str); 7] = [
    ("openings of objects", "{\"v\":"),
    ("openings of strings", "\"{\\\"v\\\":"),
    ("openings and lists", "{\"v\":[1,"),
    ("beginnings of records", "{\"v\":1,\"time\":\""),
    ("small objects", "{\"v\":0,\"grant_seq\":1}"),
    ("brackets", "[[[[grant_seq"),
    ("quotes and backslashes", "\\\"\\\\\"grant_seq"),
];

/// Lines of several shapes and lengths, in the text format and in Envoy's JSON, against records.
fn hostile(log: &Path) {
    let megabytes = HOSTILE_BYTES as f64 / 1024.0 / 1024.0;
    let cost = |line: &mut dyn FnMut() -> String| {
        let mut file = BufWriter::new(fs::File::create(log).unwrap());
        let mut written = 0;
        while written < HOSTILE_BYTES - LENGTHS[0] {
            let line = line();
            writeln!(file, "{line}").unwrap();
            written += line.len();
        }
        file.into_inner().unwrap().sync_all().unwrap();
        let best = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
            command.args(["audit", "verify"]).arg(log).stdout(Stdio::null());
            // It finds what it finds.
            command.status().unwrap();
            start.elapsed().as_secs_f64()
        });
        best.fold(f64::MAX, f64::min) / megabytes
    };
    let mut vm = Vm::new('a');
    let ordinary = cost(&mut || vm.write(&END));
    println!("hostile lines, ms per MiB, and times what records cost ({:.1} ms):", ordinary * 1e3);
    let mut worst: f64 = 0.0;
    for (what, text) in HOSTILE {
        for in_json in [false, true] {
            print!("  {what:22} {}", if in_json { "in JSON" } else { "in text" });
            for length in LENGTHS {
                let text = text.repeat(length / text.len());
                let line = match in_json {
                    true => wrapped(&text.chars().take(length / 2).collect::<String>()),
                    false => text,
                };
                let per_mib = cost(&mut || line.clone());
                worst = worst.max(per_mib / ordinary);
                print!(
                    "  {:6} KiB {:6.1} ({:4.1})",
                    length / 1024,
                    per_mib * 1e3,
                    per_mib / ordinary
                );
            }
            println!();
        }
    }
    println!("  at most {worst:.1} times what records cost");
    fs::remove_file(log).unwrap();
}

type Shape = fn(&str) -> String;

/// Writes a log, and what the proxies would have reported of it.
fn write(to: &mut impl Write, lines: usize, shape: Option<Shape>, known: &Path) {
    let mut vms = CHAINS.map(Vm::new);
    for line in 0..lines {
        let record = vms[line % CHAINS.len()].write(&END);
        let record = shape.map_or(record.clone(), |shape| shape(&record));
        writeln!(to, "{record}").unwrap();
    }
    fs::write(known, heads(&vms).to_string()).unwrap();
}

fn verify(known: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command.args(["audit", "verify", "--heads"]).arg(known);
    command
}

/// Runs it, feeds it a log of this many lines, and returns how long it took and how much memory
/// it had at most, in KiB.
fn run(command: &mut Command, feed: Option<usize>) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut highest = 0;
    if let Some(lines) = feed {
        let mut pipe = BufWriter::new(child.stdin.take().unwrap());
        let mut vms = CHAINS.map(Vm::new);
        for line in 0..lines {
            writeln!(pipe, "{}", vms[line % CHAINS.len()].write(&END)).unwrap();
            if line % 10_000 == 0 {
                highest = highest.max(resident(&child));
            }
        }
        highest = highest.max(resident(&child));
        drop(pipe);
    }
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    (start.elapsed(), highest)
}

/// The most that it had so far, by the kernel's account.
fn resident(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
