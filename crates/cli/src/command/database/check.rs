//! `breakglass database check`: whether the databases are as the service left them.

use serde_json::json;

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::store::check::{Counts, Part, Report};

/// Says what was found.
pub(super) fn say(report: &Report, terminal: Terminal) -> Result<Exit, Failure> {
    let findings = report
        .findings
        .iter()
        .map(|one| json!({ "part": one.part, "what": one.what, "todo": one.part.todo() }));
    let value = json!({
        "checked": report.checked,
        "findings": findings.collect::<Vec<_>>(),
        "unlisted": report.unlisted,
    });
    terminal.result(&text(report), &value)?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Findings })
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("checked: {}", counts(&report.checked))];
    let mut part: Option<Part> = None;
    for finding in &report.findings {
        if part.is_some_and(|part| part != finding.part) {
            lines.extend(part.map(todo));
        }
        part = Some(finding.part);
        lines.push(finding.what.clone());
    }
    lines.extend(part.map(todo));
    if report.unlisted > 0 {
        lines.push(format!("and {} findings more", grouped(report.unlisted)));
    }
    if report.is_clean() {
        lines.push(end(&report.checked).to_owned());
    }
    lines.join("\n")
}

/// What nothing found means for the end of the trail.
fn end(counts: &Counts) -> &'static str {
    match counts.heads {
        0 => {
            "nothing found; an end of the trail that was cut off is found with a head that was kept elsewhere"
        }
        _ => "nothing found; the trail has the heads in `trail_heads.file`",
    }
}

fn todo(part: Part) -> String {
    format!("  what to do: {}", part.todo())
}

fn counts(counts: &Counts) -> String {
    let before = match counts.events_before_chain {
        0 => String::new(),
        before => format!(" ({} of them from before the chain)", grouped(before)),
    };
    format!(
        "{} events{before}{}, {} requests, {} grants, {} revocations, {} rows of the older trail, {} tables, indexes and \
         triggers, {} signing keys, {} keys of the trail",
        grouped(counts.events),
        heads(counts),
        grouped(counts.requests),
        grouped(counts.grants),
        grouped(counts.revocations),
        grouped(counts.older_trail),
        grouped(counts.schema),
        grouped(counts.signing_keys),
        grouped(counts.trail_keys),
    )
}

/// What there was in the file of heads, where there was anything.
fn heads(counts: &Counts) -> String {
    let words = [
        (counts.heads, "heads of the trail"),
        (counts.lost_heads, "heads of events that a restore lost"),
        (counts.unreadable_heads, "lines that are no heads"),
    ];
    let some = words.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, words)| format!(", {} {words}", grouped(count))).collect()
}

/// A number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups() {
        for (number, text) in [(0, "0"), (999, "999"), (4213, "4,213"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }
}
