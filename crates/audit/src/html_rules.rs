//! The parts of the page about the rules by which calls were judged.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::html_values::{at, facts, list};
use super::trail::meaning;

/// What was used under other rules than were approved.
pub(super) fn other_rules(report: &Value) -> Markup {
    let found = list(report, "/other_rules");
    html! {
        @if !found.is_empty() {
            h2 { "Used under other rules than were approved" }
            p {
                "The proxies that let these calls through had other rules for the scope than those that the approver \
                 approved."
            }
            table {
                thead {
                    tr {
                        @for name in [
                            "Grant", "Scope", "Approved", "Used", "Requests", "First", "Last", "Proxies",
                        ] {
                            th { (name) }
                        }
                    }
                }
                tbody {
                    @for one in found {
                        tr.changed {
                            td { (at(one, "/grant")) } td { (at(one, "/scope")) }
                            td { (at(one, "/approved_digest")) } td { (at(one, "/scope_digest")) }
                            td.number { (at(one, "/requests")) }
                            td.whole { (at(one, "/first")) } td.whole { (at(one, "/last")) }
                            td { (at(one, "/nodes")) }
                        }
                    }
                }
            }
        }
    }
}

/// What the service's trail says otherwise than the calls.
pub(super) fn trail_comparison(report: &Value) -> Markup {
    let found = list(report, "/trail_comparison/findings");
    let compared = at(report, "/trail_comparison/compared");
    html! {
        @if report.get("trail_comparison").is_some_and(Value::is_object) {
            h2 { "Held against what was approved" }
            p {
                (compared) " uses of grants were compared with the digests in the service's trail; " (found.len())
                " findings."
            }
            (facts(&json!({
                "not compared": report.pointer("/trail_comparison/not_compared"),
            })))
        }
        @if !found.is_empty() {
            table {
                thead {
                    tr {
                        @for name in [
                            "What", "Grant", "Scope", "By the trail", "By the token", "Used", "Requests", "First",
                            "Last", "Proxies",
                        ] {
                            th { (name) }
                        }
                    }
                }
                tbody {
                    @for one in found {
                        @let kind = at(one, "/kind");
                        tr.changed {
                            td { (kind) ": " (meaning(&kind)) }
                            td { (at(one, "/grant")) } td { (at(one, "/scope")) }
                            td { (at(one, "/trail_digest")) } td { (at(one, "/token_digest")) }
                            td { (at(one, "/scope_digest")) } td.number { (at(one, "/requests")) }
                            td.whole { (at(one, "/first")) } td.whole { (at(one, "/last")) }
                            td { (at(one, "/nodes")) }
                        }
                    }
                }
            }
        }
    }
}
