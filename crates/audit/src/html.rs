//! The report as one page for people: nothing is loaded from elsewhere, and it prints.
//!
//! Whatever is in a log may have been put there by whoever attacks: every value is escaped by the
//! template, and what would turn or hide text is shown as its code point.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::html_rules::{other_rules, trail_comparison};
use super::html_values::{at, facts, list, plain};
use super::report::Report;

/// Even if a value came through, nothing would run and nothing be loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "
:root { color-scheme: light; font: 14px/1.45 system-ui, sans-serif; color: #1a1a1a; }
body { max-width: 90rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.meta { color: #555; margin: .25rem 0 1rem; }
.verdicts { display: flex; gap: 1rem; flex-wrap: wrap; }
.verdict { border: 1px solid #ccc; border-left-width: .5rem; padding: .5rem 1rem; min-width: 14rem; }
.verdict b { display: block; font-size: 1.1rem; }
.good { border-left-color: #1a7f37; } .bad { border-left-color: #cf222e; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid #ddd; }
td, dd { overflow-wrap: anywhere; } td.whole { white-space: nowrap; } th { background: #f3f3f3; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.deny td:nth-child(2), tr.cut td:nth-child(2) { color: #cf222e; font-weight: 600; }
tr.changed td { background: #ffebe9; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .5rem 0; }
dt { color: #555; } dd { margin: 0; }
section.request { border: 1px solid #ccc; padding: .5rem 1rem; margin: .5rem 0; }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 10px; }
  thead { display: table-header-group; } tr, section.request { break-inside: avoid; }
  .verdict, th, tr.changed td { print-color-adjust: exact; }
}
";

impl Report {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let report = &self.0;
        let about = report.get("about").and_then(Value::as_object);
        let about: Vec<(String, String)> =
            about.into_iter().flatten().map(|(name, value)| (name.clone(), plain(value))).collect();
        let title = about.iter().map(|(name, value)| format!("{name} {value}")).next();
        let title = format!("Evidence: {}", title.unwrap_or_default());
        let calls = list(report, "/calls");
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (title) }
                    p.meta { "Made by breakglass at " (at(report, "/generated_at")) }
                    @if self.spellings() != "-" {
                        p { "Other spellings of the name were found too: " (plain(&self.spellings().into())) }
                    }
                    (verdicts(report))
                    h2 { "Summary" }
                    (facts(report.get("summary").unwrap_or(&Value::Null)))
                    (other_rules(report))
                    (trail_comparison(report))
                    h2 { "Requests and approvals" }
                    (requests(report))
                    h2 { "Calls (" (calls.len()) ")" }
                    @if report.pointer("/nothing_found") == Some(&Value::Bool(true)) {
                        p { "Nothing was found: neither the service nor the log knows it." }
                    }
                    p.meta {
                        "proven: the record's chain and a report of its own proxy vouch for it. "
                        "first report: the same, but nothing proves whose report that is. "
                        "sealed: only its own hash does. unproven: it has no seal; write access to the log is "
                        "enough to make it."
                    }
                    (table(calls))
                    h2 { "What the check found" }
                    (findings(report))
                    h2 { "What was read" }
                    (read(report))
                }
            }
        }
        .into_string()
    }
}

fn verdicts(report: &Value) -> Markup {
    let card = |class: &str, title: &str, meaning: [&str; 3]| {
        let verdict = at(report, &format!("/check/{class}/verdict"));
        let good = verdict == "ok";
        html! {
            div class=(if good { "verdict good" } else { "verdict bad" }) {
                b { (title) ": " (verdict) }
                (match verdict.as_str() {
                    "ok" => meaning[0],
                    "nothing_checked" => "No record was found that could be checked.",
                    _ => meaning[1],
                })
                @if good { " " (meaning[2]) }
            }
        }
    };
    html! {
        div.verdicts {
            (card("integrity", "Integrity", [
                "Nothing in the log was changed or forged.",
                "Something in the log is not what was written: see below.",
                &proven(report),
            ]))
            (card("completeness", "Completeness", [
                "Every record that the proxies had reported is in the log.",
                "Something is missing, or nobody can know whether it is: see below.",
                &reach(report),
            ]))
        }
    }
}

/// Up to when the log is known to be complete: a head says nothing of what comes after it.
fn reach(report: &Value) -> String {
    let newest = at(report, "/check/heads/newest");
    let age = report.pointer("/check/heads/newest_age_s").and_then(Value::as_u64);
    let age = age.map(|age| humantime::format_duration(Duration::from_secs(age)).to_string());
    let age = age.map(|age| format!(", {age} before this page was made")).unwrap_or_default();
    format!("The newest report came at {newest}{age}: what was written later is not vouched for.")
}

/// How many of the calls are proven.
fn proven(report: &Value) -> String {
    let count = |name: &str| report.pointer(name).and_then(Value::as_u64).unwrap_or_default();
    let (proven, calls) = (count("/summary/proofs/proven"), count("/summary/calls"));
    format!("{proven} of the {calls} calls below are proven by what the proxies reported.")
}

fn requests(report: &Value) -> Markup {
    let Some(requests) = report.get("requests").and_then(Value::as_array) else {
        return html! { p { "The approval service was not asked." } };
    };
    html! {
        @if requests.is_empty() {
            p { "The approval service knows of no such request." }
        }
        @for entry in requests {
            section.request {
                (facts(entry.get("request").unwrap_or(&Value::Null)))
                table {
                    thead { tr { th { "When" } th { "Who" } th { "What" } th { "Detail" } } }
                    tbody {
                        @for step in list(entry, "/trail") {
                            tr {
                                td { (at(step, "/at")) } td { (at(step, "/actor")) }
                                td { (at(step, "/action")) } td { (at(step, "/detail")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn table(calls: &[Value]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    @for name in [
                        "Time", "Decision", "Reason", "Who", "Grant", "Request", "Status", "Sent",
                        "After revocation", "ms", "Proof", "Where",
                    ] {
                        th { (name) }
                    }
                }
            }
            tbody {
                @for call in calls {
                    @let record = |name: &str| at(call, &format!("/record/{name}"));
                    @let proof = at(call, "/proof");
                    @let good = ["proven", "first_report", "sealed"].contains(&proof.as_str());
                    @let ended = record("phase") == "end";
                    tr class=(format!("{} {}", class(call), if good { "" } else { "changed" })) {
                        td.whole { (record("time")) }
                        td { (record("decision")) @if !ended { " (no end)" } }
                        td { (record("reason")) } td { (record("subject")) }
                        td { (record("grant")) }
                        td { (record("method")) " " (record("host")) (record("path")) }
                        td.number { (record("status")) } td.number { (record("bytes_sent")) }
                        td.number { (record("bytes_after_revocation")) }
                        td.number { (record("duration_ms")) }
                        td.whole { (proof.replace('_', " ")) }
                        td { (file_name(&at(call, "/file"))) ":" (at(call, "/line")) }
                    }
                }
            }
        }
    }
}

/// The last part of a path: the whole one is under "What was read".
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The word for a decision, where it is one of ours: never the log's own.
fn class(call: &Value) -> &'static str {
    match call.pointer("/record/decision").and_then(Value::as_str) {
        Some("deny" | "shadow_deny") => "deny",
        Some("cut") => "cut",
        _ => "",
    }
}

fn findings(report: &Value) -> Markup {
    let found: Vec<(&str, &Value)> = ["integrity", "completeness", "notes"]
        .into_iter()
        .flat_map(|class| {
            let found = list(report, &format!("/check/{class}/findings"));
            found.iter().map(move |found| (class, found))
        })
        .collect();
    html! {
        @if found.is_empty() { p { "Nothing." } } @else {
            table {
                thead {
                    tr {
                        th { "Verdict" } th { "What" } th { "Where" } th { "Chain" } th { "Records" }
                        th { "Detail" }
                    }
                }
                tbody {
                    @for (class, found) in found {
                        tr {
                            td { (class) } td { (at(found, "/kind")) }
                            td { (at(found, "/file")) ":" (at(found, "/line")) }
                            td { (at(found, "/chain")) }
                            td { (at(found, "/seq")) " to " (at(found, "/last_seq")) }
                            td { (at(found, "/detail")) }
                        }
                    }
                }
            }
        }
    }
}

fn read(report: &Value) -> Markup {
    html! {
        table {
            thead { tr { th { "File" } th { "Lines" } th { "Records" } } }
            tbody {
                @for file in list(report, "/check/files") {
                    tr {
                        td { (at(file, "/file")) } td.number { (at(file, "/lines")) }
                        td.number { (at(file, "/records")) }
                    }
                }
            }
        }
        table {
            thead {
                tr {
                    th { "Chain" } th { "Node" } th { "In the log" } th { "Reported" } th { "At" }
                    th { "By" } th { "Whose it is" } th { "Began under configuration" }
                }
            }
            tbody {
                @for chain in list(report, "/check/chains") {
                    tr {
                        td { (at(chain, "/chain")) } td { (at(chain, "/head/node")) }
                        td { (at(chain, "/first_seq")) " to " (at(chain, "/last_seq")) }
                        td.number { (at(chain, "/head/seq")) } td { (at(chain, "/head/reported_at")) }
                        td { (at(chain, "/head/reporter")) }
                        td { (at(chain, "/head/proof").replace('_', " ")) }
                        td { (at(chain, "/head/configurations")) }
                    }
                }
            }
        }
    }
}
