//! `breakglass events list`: the deliveries, the newest first, and how the sinks are.

use crate::answer::{Circuit, Deliveries, Delivery, Sink, Whole, one_line};
use crate::client::{Client, Failure, query_value};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Those of this sink.
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,

    /// Those in this state.
    #[arg(long, value_name = "STATE", value_parser = ["waiting", "delivered", "dead"])]
    state: Option<String>,

    /// Where the list before ended, as it said.
    #[arg(long, value_name = "PLACE")]
    after: Option<i64>,
}

pub(super) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(args.sink.as_ref().map(|sink| format!("sink={}", query_value(sink))));
    query.extend(args.state.as_ref().map(|state| format!("state={state}")));
    query.extend(args.after.map(|after| format!("after={after}")));
    let mark = if query.is_empty() { "" } else { "?" };
    let listed: Whole<Deliveries> =
        client.get(&format!("/v1/deliveries{mark}{}", query.join("&")))?;
    for one in &listed.body.sinks {
        terminal.note(&sink(one));
    }
    let lines: Vec<String> = listed.body.deliveries.iter().map(line).collect();
    if lines.is_empty() {
        terminal.note("no deliveries");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&lines.join("\n"), &listed.json)?;
    if let Some(next) = listed.body.next {
        terminal.note(&format!("there are more: the same with `--after {next}` lists them"));
    }
    Ok(Exit::Done)
}

/// A sink on one line.
fn sink(sink: &Sink) -> String {
    let kind = sink.kind.as_deref().unwrap_or("not in the configuration");
    let mut parts = vec![
        format!("sink {} ({kind})", sink.name),
        format!("{} waiting", sink.waiting),
        format!("{} dead", sink.dead),
    ];
    if sink.circuit.known() != Some(Circuit::Closed) {
        parts.push(format!("circuit {}", sink.circuit.word()));
    }
    parts.extend(sink.error.as_ref().map(|error| format!("last attempt: {error}")));
    one_line(&parts.join(", "))
}

/// A delivery on one line, which begins with the event's id and the state.
fn line(delivery: &Delivery) -> String {
    let mut parts = vec![
        delivery.event.clone(),
        format!("{:<9}", delivery.state.word()),
        match &delivery.recipient {
            Some(person) => format!("{} to {person}", delivery.sink),
            None => delivery.sink.clone(),
        },
        delivery.kind.clone(),
        delivery.severity.word().to_owned(),
        delivery.time.text().to_owned(),
    ];
    parts.extend(delivery.request.clone());
    if delivery.attempts > 1 {
        parts.push(format!("{} attempts", delivery.attempts));
    }
    if delivery.ended_at.is_none() {
        match &delivery.next_at {
            Some(next) => parts.push(format!("next at {}", next.text())),
            None => parts.push("behind an earlier event of its request".to_owned()),
        }
    }
    parts.extend(delivery.outcome.clone());
    one_line(&parts.join("  "))
}
