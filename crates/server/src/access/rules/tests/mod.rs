//! Approval rules as data: `cases.txt`, `candidates.txt` and `emergency.txt` are tables, and laws over made-up rules.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "test code: what is not as expected ends the test"
)]

mod candidates;
mod cases;
mod conditions;
mod emergency;
mod laws;
mod made_up;
mod matching;
mod shopping;

/// The cells of a row of a table, which stand between bars.
fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn owned<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}
